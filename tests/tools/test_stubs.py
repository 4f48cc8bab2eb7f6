"""Stubs: a real type checker finds a wrong call by them, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from promptstore.interchange.stubs import write_stubs
from promptstore.store.store import PromptStore
from tests.checkers import run_mypy

PROMPTS = {
    "greet": "variables:\n  name: {type: string}\n  tone: {enum: [kind, brief], default: kind}\n"
    "  count: {type: integer, required: false}\n"
    "prompt: '{{ name }}{{ tone }}{% if count %}{{ count }}{% endif %}'\n",
    "chat/answer": "variables:\n  history: {type: messages}\nmessages:\n  - insert: history\n",
    "chat-answer": "prompt: no variables\n",
    "open": "prompt: '{{ anything }}'\n",
    "odd": "template: simple\nprompt: '{{a.b}} {{class}} {{__x}}'\n",
    "gone": "prompt: x\ndeleted: true\n",
    "broken": "prompt: [\n",
}
CALLS = """\
from typing import TYPE_CHECKING, cast

from promptstore import PromptStore

if TYPE_CHECKING:
    from prompts import Name, Prompts

store = cast("Prompts", PromptStore.open("."))
fine: "Name" = "greet"
store.get("greet").render(name="Ada", tone="brief", count=3)
store.get("chat/answer", version=1).render(history=[{"role": "user", "content": "x"}])
store.get("chat-answer").render()
store.get("open").render(anything=object())
store.get("odd").render(**{"a.b": 1, "class": 2, "__x": 3})
store.render("greet", {"name": "Ada"})
store.render("chat-answer")
store.names()
store.get("great")  # wrong: no such name
store.get("gone")  # wrong: deleted
store.get("broken")  # wrong: broken
store.get("greet").render(nam="Ada")  # wrong: the name of a variable
store.get("greet").render()  # wrong: nothing given
store.get("greet").render(name=3)  # wrong: the type
store.get("greet").render(name="Ada", tone="loud")  # wrong: none of the enum
store.get("chat-answer").render(name="Ada")  # wrong: there is no variable
store.render("greet", {"tone": "kind"})  # wrong: a missing value
store.render("greet", {"name": "Ada", "more": 1})  # wrong: an unknown value
store.render("greet")  # wrong: no values
unfit: "Name" = "great"  # wrong: no such name
"""


def write(folder: Path) -> PromptStore:
    for name, text in PROMPTS.items():
        file = folder / "prompts" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return PromptStore.open(folder)


@pytest.fixture
def typed(tmp_path: Path) -> Path:
    """A project with stubs of its prompts, and code that calls them."""
    (tmp_path / "typings").mkdir()
    (tmp_path / "typings/prompts.pyi").write_text(write_stubs(write(tmp_path).snapshot()))
    (tmp_path / "calls.py").write_text(CALLS)
    return tmp_path


def wrong_lines() -> set[int]:
    return {number for number, line in enumerate(CALLS.splitlines(), 1) if "# wrong" in line}


def test_mypy_finds_every_wrong_call(typed: Path) -> None:
    printed = run_mypy(typed, "calls.py", "typings/prompts.pyi")
    found = {int(line) for line in re.findall(r"(?m)^calls\.py:(\d+): error", printed)}
    assert found == wrong_lines(), printed
    assert "prompts.pyi" not in printed


def test_pyright_finds_every_wrong_call(typed: Path) -> None:
    """By basedpyright, which brings pyright and its node along, in pyright's own mode."""
    config = {"typeCheckingMode": "standard", "include": ["calls.py", "typings"]}
    (typed / "pyrightconfig.json").write_text(json.dumps(config))
    command = [
        sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable,
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=typed, capture_output=True, text=True, check=False, env={"PATH": ""}
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    assert {Path(item["file"]).name for item in found} == {"calls.py"}, done.stdout
    assert {item["range"]["start"]["line"] + 1 for item in found} == wrong_lines(), done.stdout


def test_class_names_never_clash(tmp_path: Path) -> None:
    text = write_stubs(write(tmp_path).snapshot())
    classes = re.findall(r"^class (\w+)", text, re.MULTILINE)
    assert classes == ["ChatAnswer", "ChatAnswer2", "Greet", "Odd", "Open", "Prompts"]


def test_a_description_stays_a_text(tmp_path: Path) -> None:
    hostile = 'description: "\\"\\"\\"\\nimport os\\0\\\\"\nprompt: x\n'
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/a.yaml").write_text(hostile)
    text = write_stubs(PromptStore.open(tmp_path).snapshot())
    compile(text, "prompts.pyi", "exec")
    assert "\nimport os" not in text


def test_a_store_without_prompts(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    compile(write_stubs(PromptStore.open(tmp_path).snapshot()), "prompts.pyi", "exec")
