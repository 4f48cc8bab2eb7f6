"""The prompts of this repository: canonical, without problems, and rendered to read well.

``tests/data/prompts/NAME.yaml`` holds example values, ``NAME.txt`` the text that they give.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from promptstore.lint.check import Settings, check
from promptstore.lint.context import LintContext
from promptstore.promptfile.anyyaml import parse_yaml
from promptstore.promptfile.reader import loads
from promptstore.promptfile.writer import dumps
from promptstore.store.store import PromptStore

HERE = Path(__file__).parent
STORE = PromptStore.open(HERE.parent, worktree=True)
NAMES = STORE.names()


def test_there_are_enough() -> None:
    assert len(NAMES) >= 8


def test_they_have_no_problems() -> None:
    assert [
        str(finding) for finding in check(LintContext(STORE.working_snapshot(), Settings()))
    ] == []


@pytest.mark.parametrize("name", NAMES)
def test_its_file_is_canonical(name: str) -> None:
    source = STORE.working_snapshot().file(name).read().decode()
    assert dumps(loads(source)) == source


@pytest.mark.parametrize("name", NAMES)
def test_it_reads_well(name: str) -> None:
    values = parse_yaml((HERE / "data/prompts" / f"{name}.yaml").read_bytes())
    expected = (HERE / "data/prompts" / f"{name}.txt").read_text(encoding="utf-8")
    assert str(STORE.render(name, values)) == expected
    assert "\n\n\n" not in expected


def test_every_golden_text_belongs_to_a_prompt() -> None:
    data = HERE / "data/prompts"
    names = {path.relative_to(data).with_suffix("").as_posix() for path in data.rglob("*.*")}
    assert sorted(names) == NAMES
