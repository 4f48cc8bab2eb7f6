"""What a stranger's text can do to whoever prints it: nothing, on a terminal or in a log."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from promptstore.cli.app import app
from promptstore.cli.output import print_error, print_file, print_json, print_lines
from promptstore.model.prompt import Prompt
from promptstore.promptfile.writer import dumps
from tests.cli.test_process import run_on_terminal
from tests.gitrepo import GitRepo

COMMANDS = {
    "at the start": "::error::gotcha\n",
    "behind spaces": "x\n  ::set-output name=x::y\n",
    "behind blank lines": "x\n\r\n \n::error::gotcha\n",
    "behind a carriage return": "x\r::error::gotcha\n",
    "behind a carriage return and a wide space": "x\r\u3000::error::gotcha\n",
    "in the older form": "x ##[error]gotcha\n",
}
HARMLESS = "a::b\nsee x ::y\n# # [c]\n"


def obeyed(output: str) -> list[str]:
    """Return the commands that a runner of GitHub Actions would obey in an output."""
    stopped, found = "", []
    for line in re.split(r"\r\n|\r|\n", output):
        text = line.lstrip()
        if stopped:
            stopped = "" if text == f"::{stopped}::" else stopped
        elif text.startswith("::stop-commands::"):
            stopped = text.removeprefix("::stop-commands::")
        elif text.startswith("::") or "##[" in line:
            found.append(line)
    return found


@pytest.fixture
def in_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")


@pytest.mark.parametrize("text", COMMANDS.values(), ids=list(COMMANDS))
def test_a_runner_obeys_no_text(
    text: str, repo: GitRepo, in_actions: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert obeyed(text)
    content = {"prompt": text, "description": text, "tags": [text]}
    repo.commit({"prompts/a.yaml": "prompt: x\n"})
    repo.commit({"prompts/a.yaml": json.dumps(content), "prompts/b.yaml": "prompt: 'x '\n"})
    for command in (
        ["list"], ["list", "--json"], ["show", "a"], ["show", "a", "--json"], ["render", "a"],
        ["render", "a", "--json"], ["diff", "a"], ["log", "a"], ["show", "a", "--source"],
        ["check"], ["diff", "HEAD~1..HEAD"], ["review", "HEAD~1..HEAD"],
    ):  # fmt: skip
        done = CliRunner().invoke(app, ["-C", str(repo.path), *command])
        assert done.exception is None or isinstance(done.exception, SystemExit), command
        assert done.stdout, command
        assert obeyed(done.stdout) == [], command
    print_error(text)
    assert obeyed(capsys.readouterr().err) == []


def test_what_no_runner_obeys_is_printed_as_it_is(
    in_actions: None, capsys: pytest.CaptureFixture[str]
) -> None:
    print_lines(HARMLESS)
    print_file(b"name: x\r\n")
    print_error("a: b")
    assert capsys.readouterr() == (f"{HARMLESS}\nname: x\r\n", "a: b\n")


def test_a_file_gets_the_text_to_the_byte(repo: GitRepo, in_actions: None, tmp_path: Path) -> None:
    repo.commit({"prompts/a.yaml": "prompt: |\n  ::error::x\n"})
    command = [sys.executable, "-m", "promptstore", "-C", str(repo.path), "render", "a"]
    with (tmp_path / "out").open("wb") as stream:
        subprocess.run(command, stdout=stream, check=True)
    assert (tmp_path / "out").read_bytes() == b"::error::x\n"


def test_many_blank_lines_are_printed_soon(
    in_actions: None, capsys: pytest.CaptureFixture[str]
) -> None:
    text, began = "\n" * 200_000, time.process_time()
    print_lines(text)
    assert time.process_time() - began < 2
    assert capsys.readouterr().out == f"{text}\n"


def test_elsewhere_nothing_is_guarded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "")
    print_lines("::error::x")
    print_error("::error::x")
    assert capsys.readouterr() == ("::error::x\n", "::error::x\n")


STEERING = {
    "OSC": "\x1b]0;owned\x07", "CSI": "\x1b[2J", "C1 CSI": "\x9b2J", "bidi": "\u202e",
    "tag": "\U000e0041", "filler": "\u3164", "carriage return": "a\rb",
}  # fmt: skip


@pytest.mark.parametrize("command", ["show", "render"])
def test_a_terminal_shows_what_would_steer_it(repo: GitRepo, command: str) -> None:
    text = "\n".join(f"{name}<{text}>" for name, text in STEERING.items())
    repo.commit({"prompts/a.yaml": dumps(Prompt(prompt=text))})
    code, shown = run_on_terminal(repo.path, command, "a")
    assert code == 0
    for name, raw in STEERING.items():
        assert re.search(rf"{name}<[ -~]*\\[xuU][ -~]*>\r\n", shown.decode()), name
        assert raw.encode() not in shown, name


@pytest.mark.parametrize("text", ["\x9b2J", "\u202e", "\u2066", "\U000e0041", "\u3164", "\x7f"])
def test_json_holds_no_raw_character_that_steers(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_json({"a": f"x{text}y", text: "é \U0001f600 \u2764\ufe0f"})
    shown = capsys.readouterr().out
    assert text[0] not in shown
    assert "é \U0001f600 \u2764\ufe0f" in shown
    assert json.loads(shown)["a"] == f"x{text}y"
