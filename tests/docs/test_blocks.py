"""Every block of the documentation is run, or is what it says it is."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from promptstore.promptfile.reader import loads
from tests.docs.blocks import OTHERS, PAGES, TOP, Block, blocks_of
from tests.gitrepo import GitRepo

SHOWN = {"text", "diff", "jinja", "nginx", "dockerfile", ""}
"""Languages of blocks that are only looked at."""

BETWEEN = "\x1d"
"""Stands between the outputs of the commands of one block."""

TAKEN = "\n--- {place} printed\n{printed}\n--- and the page shows\n{shown}"


def agrees(printed: str, shown: str) -> bool:
    """Say whether an output is as shown, where … stands for anything, lines included."""
    pattern = ".*?".join(re.escape(part) for part in shown.strip("\n").split("…"))
    return re.fullmatch(pattern, printed.strip("\n"), re.DOTALL) is not None


def commands_of(block: Block) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with the output that is shown."""
    found: list[tuple[str, str]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif line.startswith("> ") and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", "")
        else:
            assert found, f"{block.place}: a console block starts with a command"
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


class Reader:
    """Somebody who reads a page and does what it says, in a scratch repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.printed = ""

    def do(self, block: Block) -> None:
        if block.mark == "not run":
            assert block.value, f"{block.place}: say why it is not run"
        elif block.mark == "tested":
            test = TOP / block.value.partition(" ")[0]
            assert block.page.name in test.read_text(encoding="utf-8"), block.place
        elif block.mark == "file":
            file = self.folder / block.value
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
            if file.suffix == ".yaml" and "prompts" in file.parts:
                loads(block.text)
        elif block.mark == "output":
            message = TAKEN.format(place=block.place, printed=self.printed, shown=block.text)
            assert agrees(self.printed, block.text), message
        elif block.language == "python":
            self.run_python(block)
        elif block.language == "console":
            self.run_console(block)
        else:
            look_at(block)

    def run_python(self, block: Block) -> None:
        printed = io.StringIO()
        code = compile("\n" * block.line + block.text, str(block.page), "exec")
        with (
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(printed),
            warnings.catch_warnings(action="ignore"),  # those of other libraries
        ):
            exec(code, self.names)
        self.printed = printed.getvalue()

    def run_console(self, block: Block) -> None:
        commands = commands_of(block)
        script = f"\nprintf {shlex.quote(BETWEEN)}\n".join(command for command, _ in commands)
        done = subprocess.run(
            ["bash", "-c", f"exec 2>&1\n{script}\npwd -P > {shlex.quote(str(self.where))}"],
            cwd=self.folder, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        outputs = done.stdout.split(BETWEEN)
        for (command, shown), printed in zip(commands, outputs, strict=True):
            message = TAKEN.format(place=f"{block.place}: {command}", printed=printed, shown=shown)
            if shown:
                assert agrees(printed, shown), message
            else:
                assert not re.search("^(error|fatal|Traceback|Usage)", printed, re.MULTILINE), (
                    message
                )
        self.folder = Path(self.where.read_text(encoding="utf-8").strip())

    @property
    def where(self) -> Path:
        return Path(os.environ["DOCS_PLACE"])


def look_at(block: Block) -> None:
    """Parse a block that cannot be run."""
    match block.language:
        case "yaml":
            YAML(typ="safe", pure=True).load(block.text)
        case "toml":
            tomllib.loads(block.text)
        case "json":
            json.loads(block.text)
        case language if language.startswith("{"):
            pass  # a directive, which the site's builder reads
        case language:
            assert language in SHOWN, f"{block.place}: {language!r} is neither run nor looked at"


@pytest.fixture(scope="module")
def own_prompts(tmp_path_factory: pytest.TempPathFactory) -> GitRepo:
    """A repository with the prompts of this project."""
    repo = GitRepo.init(tmp_path_factory.mktemp("own") / "repo")
    files = {
        path.relative_to(TOP).as_posix(): path.read_bytes()
        for path in (TOP / "prompts").rglob("*.yaml")
    }
    repo.commit(files, "Add the prompts")
    return repo


@pytest.mark.parametrize(
    "page", [*PAGES, *OTHERS], ids=lambda page: page.relative_to(TOP).as_posix()
)
def test_what_a_page_shows_is_so(
    page: Path, own_prompts: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = blocks_of(page)
    repo = own_prompts.clone(tmp_path / "project") if blocks else own_prompts
    if blocks:
        repo.git("remote", "remove", "origin")
    monkeypatch.setenv("DOCS_PLACE", str(tmp_path / "place"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("COLUMNS", "100")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada Example")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")
    reader = Reader(repo.path)
    for block in blocks:
        reader.do(block)


def test_an_output_may_leave_out_parts() -> None:
    assert agrees("one\ntwo\nthree\n", "one\n…\nthree")
    assert not agrees("one\ntwo\n", "one\n")
