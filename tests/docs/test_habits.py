"""The files for people who change the project name commands and keys that there are."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.docs.blocks import TOP

GITHUB = TOP / ".github"


def load(file: Path) -> dict[str, object]:
    found = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_ci_runs_what_a_developer_can_run() -> None:
    steps = load(GITHUB / "workflows" / "ci.yml")["jobs"]["run"]["steps"]  # type: ignore[index]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]
    assert (TOP / ".ci" / "run").stat().st_mode & 0o111


@pytest.mark.parametrize(
    "form", sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda form: form.name
)
def test_an_issue_form_has_what_github_asks_for(form: Path) -> None:
    found = load(form)
    assert {"name", "description", "body"} <= found.keys()


def test_the_daily_commands_are_installed() -> None:
    names = set(
        re.findall(r"\{\{ bin \}\}/([\w-]+)", (TOP / "justfile").read_text(encoding="utf-8"))
    )
    folder = Path(sys.executable).parent
    assert [name for name in sorted(names - {"pip"}) if not (folder / name).exists()] == []
