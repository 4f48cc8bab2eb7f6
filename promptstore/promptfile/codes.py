"""The stable codes of what can be wrong with a prompt file."""

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

ALL: Final = (
    ENCODING, SYNTAX, DUPLICATE_KEY, ANCHOR_OR_TAG, NOT_ONE_MAPPING, TOO_LARGE, UNKNOWN_KEY,
    MISSING_KEY, WRONG_VALUE, BAD_VARIABLE, BAD_INSERT,
)  # fmt: skip

OF_FAULT: Final = {
    "unknown_key": UNKNOWN_KEY,
    "missing_key": MISSING_KEY,
    "wrong_value": WRONG_VALUE,
    "bad_variable": BAD_VARIABLE,
    "bad_insert": BAD_INSERT,
}
"""The code of each kind of fault of the model."""
