"""The stable codes of what can be wrong with a prompt file, each with its meaning."""

from __future__ import annotations

from typing import Final

ENCODING: Final = "PS101"
SYNTAX: Final = "PS102"
DUPLICATE_KEY: Final = "PS103"
ANCHOR_OR_TAG: Final = "PS104"
NOT_ONE_MAPPING: Final = "PS105"
TOO_LARGE: Final = "PS106"
UNKNOWN_KEY: Final = "PS107"
MISSING_KEY: Final = "PS108"
WRONG_VALUE: Final = "PS109"
BAD_VARIABLE: Final = "PS110"
BAD_INSERT: Final = "PS111"

OF_FAULT: Final = {
    "unknown_key": UNKNOWN_KEY,
    "missing_key": MISSING_KEY,
    "wrong_value": WRONG_VALUE,
    "bad_variable": BAD_VARIABLE,
    "bad_insert": BAD_INSERT,
}
"""The code of each kind of fault of the model."""

MEANINGS: Final = {
    ENCODING: "The file is not UTF-8, or holds a character that must be written as an escape.",
    SYNTAX: "The file is not YAML.",
    DUPLICATE_KEY: "A key stands twice in one mapping.",
    ANCHOR_OR_TAG: "An anchor, an alias or a tag, which a prompt file may not hold.",
    NOT_ONE_MAPPING: "The file is not one document with keys at its top.",
    TOO_LARGE: "The file is larger than 1 MiB or nested deeper than 100 levels.",
    UNKNOWN_KEY: "A key that a prompt file does not have.",
    MISSING_KEY: "A key is missing, or two keys exclude each other.",
    WRONG_VALUE: "A value has the wrong type or is none of those allowed.",
    BAD_VARIABLE: "A variable is declared in a way that contradicts itself.",
    BAD_INSERT: "An insert of a variable that is not a list of messages.",
}
