"""The page templates.md shows every filter, test and method, with true results."""

from __future__ import annotations

import re

import pytest
from ruamel.yaml import YAML

from promptstore import Prompt, Variable
from promptstore.template.filters import FILTERS, TESTS
from promptstore.template.methods import METHOD_NAMES
from tests.docs.blocks import DOCS, named_block

PAGE = DOCS / "reference" / "templates.md"
TEXT = PAGE.read_text(encoding="utf-8")
VALUES = YAML(typ="safe", pure=True).load(named_block(PAGE, "values").text)


def rows(heading: str) -> list[list[str]]:
    """Return the rows of the table under a heading, without its head."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    cells = [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in cells]


FILTER_ROWS = rows("Filters")


def test_every_filter_test_and_method_is_there() -> None:
    assert [row[0].strip("`") for row in FILTER_ROWS] == sorted(FILTERS)
    assert set(re.findall("`(.+?)`", " ".join(row[0] for row in rows("Tests")))) == set(TESTS)
    methods = " ".join(row[1] for row in rows("Methods"))
    assert set(re.findall("`(.+?)`", methods)) == METHOD_NAMES


@pytest.mark.parametrize("row", FILTER_ROWS, ids=[row[0] for row in FILTER_ROWS])
def test_the_example_of_a_filter_is_true(row: list[str]) -> None:
    _, _, example, result = (cell.strip("`") for cell in row)
    variables = {name: Variable() for name in VALUES} | {"maybe": Variable(required=False)}
    prompt = Prompt(prompt=example, variables=variables)
    assert prompt.render(VALUES).text == result
