"""Repositories to measure on, made with ``git fast-import``: the same ones in every run."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pygit2
from ruamel.yaml import YAML

from promptstore.history.cache import contents_file

PERSON = "Ada Example <ada@example.com>"
START = 1_700_000_000
PROMPTS_IN_A_FOLDER = 100

TYPICAL = """\
# What the support team sends first.
description: Sort a support ticket and draft a reply.
variables:
  product: {{type: string, description: Product name shown to the customer}}
  tier: {{type: string, enum: [free, pro, enterprise], default: free}}
  ticket: {{type: string}}
  history: {{type: messages, default: []}}
messages:
  - role: system
    content: |
      You help customers of {{{{ product }}}}.
      Answer in the language of the ticket, in at most five sentences.
      Their plan is {{{{ tier }}}}.
  - insert: history
  - role: user
    content: |
      {{{{ ticket }}}}
      This is number {number}, edited {edit} times.
config:
  model: gpt-x
  temperature: 0.2
  max_tokens: 600
  response_format:
    type: json_object
tags: [support, triage]
metadata:
  owner: support-team
  reviewed: 2026-11-01
  ticket: PRM-{number}
x-team: support
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a repository is.

    Attributes:
        prompts: How many prompts it holds.
        commits: How many commits there are on the first-parent history of its branch.
        flat: Whether all prompts lie in one folder.
    """

    prompts: int
    commits: int
    flat: bool = False

    def __str__(self) -> str:
        layout = ", one flat folder" if self.flat else ""
        return f"{self.prompts:,} prompts, {self.commits:,} commits{layout}"


def forget_contents() -> None:
    """Remove what was parsed on this machine before."""
    file = contents_file()
    if file is not None:
        file.unlink(missing_ok=True)


def prompt_name(number: int, *, flat: bool = False) -> str:
    """Name a prompt; folders hold a hundred each."""
    leaf = f"prompt-{number:05}"
    return leaf if flat else f"team-{number // PROMPTS_IN_A_FOLDER:03}/{leaf}"


def prompt_file(number: int, edit: int = 0) -> bytes:
    """Write the file of a prompt after so many edits."""
    return TYPICAL.format(number=number, edit=edit).encode()


def make_repository(path: Path, shape: Shape, *, bare: bool = True) -> Path:
    """Make a repository: one commit with all prompts, then one edit a commit, some by merges.

    Args:
        path: Its folder, which is made.
        shape: How large it is.
        bare: Whether it has no working tree.

    Returns:
        The folder.
    """
    git(Path(), "init", "--quiet", *(["--bare"] if bare else []), "-b", "main", str(path))
    process = subprocess.Popen(
        ["git", "-C", str(path), "fast-import", "--quiet"], stdin=subprocess.PIPE
    )
    assert process.stdin is not None
    with process.stdin as stream:
        for chunk in _history(shape):
            stream.write(chunk)
    assert process.wait() == 0
    git(path, "update-ref", "-d", "refs/heads/side")
    git(path, "config", "user.name", "Ada Example")
    git(path, "config", "user.email", "ada@example.com")
    git(path, "config", "gc.auto", "0")
    if not bare:
        git(path, "reset", "--quiet", "--hard")
    return path


def read_blob(repository: pygit2.Repository, blob: str) -> bytes:
    """Read a blob as a user of pygit2 does."""
    data: bytes = repository[blob].data  # type: ignore[attr-defined]
    return data


def append_edits(path: Path, shape: Shape, count: int, start: int = 10**6) -> None:
    """Add commits of one edit each on top of the branch."""
    stream = bytearray()
    for number in range(count):
        parent = b"from refs/heads/main^0\n" if number == 0 else b""
        prompt = number % shape.prompts
        stream += _commit("main", start + number, parent)
        stream += _file(shape, prompt, start + number)
    subprocess.run(
        ["git", "-C", str(path), "fast-import", "--quiet"], input=bytes(stream), check=True
    )


def git(path: Path, *arguments: str) -> str:
    """Run the git program in a repository."""
    done = subprocess.run(
        ["git", "-C", str(path), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


def _history(shape: Shape) -> Iterator[bytes]:
    chance = random.Random(1)
    yield _commit("main", 0, b"")
    for number in range(shape.prompts):
        yield _file(shape, number, 0)
    for edit in range(1, shape.commits):
        number = chance.randrange(shape.prompts)
        if edit % 50 == 0:
            # Somebody's branch with an edit of its own, merged without fast-forward.
            yield _commit("side", edit, b"from refs/heads/main\n")
            yield _file(shape, number, edit)
            yield _commit("main", edit, b"merge refs/heads/side\n")
        else:
            yield _commit("main", edit, b"")
        yield _file(shape, number, edit)


def _commit(branch: str, edit: int, parents: bytes) -> bytes:
    who = f"{PERSON} {START + edit * 60} +0000"
    text = f"commit refs/heads/{branch}\nauthor {who}\ncommitter {who}\n{_data(f'Edit {edit}')}"
    return text.encode() + parents


def _file(shape: Shape, number: int, edit: int) -> bytes:
    content = prompt_file(number, edit)
    path = f"prompts/{prompt_name(number, flat=shape.flat)}.yaml"
    return f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n"


def _data(text: str) -> str:
    return f"data {len(text)}\n{text}\n"


def load_yaml(data: bytes) -> Any:
    """Read a file by ruamel.yaml's own safe loader, the quick one where it is there."""
    return _YAML.load(data)


_YAML = YAML(typ="safe")
