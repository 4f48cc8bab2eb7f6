"""How large a module, a class and a walk may be: what grows past these has become two things."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.walks import PACKAGE, WALKS

MODULE_LINES = 400
CLASS_LINES = 300
LONG_MODULES = {"errors.py"}
"""Every exception stands in one module, whatever their number."""

WALK_FILES = {
    "open and first get": 11,
    "first render with logic": 8,
    "save in a checked-out clone": 20,
    "check of two files": 24,
    "HTTP read by name": 17,
    "sync push of one prompt": 26,
    "PATCH": 30,
}
"""How many files a walk may run through: no more than it does now."""


def modules() -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8")


def test_no_module_is_too_long() -> None:
    lengths = {name: len(text.splitlines()) for name, text in modules()}
    long = {name: length for name, length in lengths.items() if length > MODULE_LINES}
    assert long.keys() <= LONG_MODULES, long


def test_no_class_is_too_long() -> None:
    lengths = {
        f"{name}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for name, text in modules()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
    }
    assert {name: length for name, length in lengths.items() if length > CLASS_LINES} == {}


@pytest.mark.parametrize("title", WALKS)
def test_a_walk_runs_through_no_more_files(title: str, tmp_path: Path) -> None:
    files = WALKS[title](tmp_path)
    assert len(files) <= WALK_FILES[title], "\n".join(files)
