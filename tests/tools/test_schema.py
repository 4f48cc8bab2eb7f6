"""The JSON Schema says what the reader says, as far as a schema can."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from promptstore.errors import PromptFileError
from promptstore.model.fileschema import file_schema
from promptstore.promptfile import codes
from promptstore.promptfile.anyyaml import parse_yaml
from promptstore.promptfile.reader import parse

TOP = Path(__file__).parents[2]
SCHEMA = file_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
GOOD = sorted([
    *TOP.glob("prompts/**/*.yaml"), *TOP.glob("tests/data/promptfile/canonical/*.yaml"),
])  # fmt: skip

ONLY_THE_READER: dict[str, str] = {
    "a-default-of-another-type": "a schema cannot compare a default with a type beside it",
    "a-default-outside-of-the-enum": "nor with an enum",
    "a-default-that-is-null": "nor null with a type",
    "an-enum-value-of-another-type": "nor an enum with a type",
    "an-insert-of-another-type": "nor follow a name to its declaration",
    "an-insert-that-is-not-declared": "nor follow a name to its declaration",
    "variable-names": "words that a template takes are many",
    "variable-names-of-simple": "and depend on the language",
    "variables-with-none": "template and variables stand apart",
    "a-tool-result-of-a-broken-part": "a schema of parts that hold parts has no end",
    "a-number-too-large": "a number is a number",
}


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_what_the_reader_takes_is_valid(file: Path) -> None:
    VALIDATOR.validate(parse_yaml(file.read_bytes()))


def broken_by_content() -> list[Path]:
    """Files that are YAML, and whose content is wrong."""
    found = []
    for file in sorted(TOP.glob("tests/data/promptfile/broken/*.yaml")):
        try:
            parse(file.read_bytes())
        except PromptFileError as error:
            if {problem.code for problem in error.problems} & YAML_CODES:
                continue
            found.append(file)
    return found


YAML_CODES = {
    codes.ENCODING, codes.SYNTAX, codes.DUPLICATE_KEY, codes.ANCHOR_OR_TAG, codes.TOO_LARGE,
}  # fmt: skip


@pytest.mark.parametrize("file", broken_by_content(), ids=lambda file: file.stem)
def test_what_the_reader_refuses_is_invalid(file: Path) -> None:
    try:
        value = parse_yaml(file.read_bytes())
    except PromptFileError:
        return  # It is no plain YAML for an editor either.
    assert VALIDATOR.is_valid(value) == (file.stem in ONLY_THE_READER)
