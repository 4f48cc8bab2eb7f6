"""Reading a stranger's repository runs nothing that it names."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from promptstore import PromptStore
from promptstore.__main__ import main
from tests.gitrepo import GitRepo

MANY = 600  # commits, more than any reader would call few


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A program that leaves a file when it is run."""
    program = tmp_path / "trap"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
    program.chmod(0o755)
    return program


def long_history(repo: GitRepo) -> None:
    stream: list[str] = []
    for number in range(MANY):
        text = f"prompt: 'text {number}'\n"
        stream += ["commit refs/heads/main", "committer A <a@example.com> 1700000000 +0000"]
        stream += ["data 1", "x", "M 100644 inline prompts/a.yaml", f"data {len(text)}", text]
        attributes = "* filter=trap diff=trap\n"
        stream += ["M 100644 inline .gitattributes", f"data {len(attributes)}", attributes]
    repo.git("fast-import", "--quiet", "--force", stdin="\n".join([*stream, ""]).encode())


def set_traps(repo: GitRepo, trap: Path) -> None:
    hooks = repo.path / "hooks-of-a-stranger"
    hooks.mkdir()
    for hook in ("fsmonitor-watchman", "post-index-change", "reference-transaction"):
        (hooks / hook).write_text(trap.read_text())
        (hooks / hook).chmod(0o755)
    for key, value in {
        "core.fsmonitor": str(trap),
        "core.hooksPath": str(hooks),
        "core.sshCommand": str(trap),
        "core.pager": str(trap),
        "core.editor": str(trap),
        "core.alternateRefsCommand": str(trap),
        "core.gitProxy": str(trap),
        "diff.external": str(trap),
        "diff.trap.command": str(trap),
        "diff.trap.textconv": str(trap),
        "filter.trap.clean": str(trap),
        "filter.trap.smudge": str(trap),
        "filter.trap.process": str(trap),
        "filter.trap.required": "true",
        "log.showSignature": "true",
        "gpg.program": str(trap),
        "uploadpack.packObjectsHook": str(trap),
        "credential.helper": str(trap),
        "remote.origin.url": f"ext::{trap}",
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": str(trap),
        "protocol.ext.allow": "always",
        "extensions.partialClone": "origin",
        "core.repositoryFormatVersion": "1",
    }.items():
        repo.git("config", key, value)


def read_everything(path: Path) -> None:
    store = PromptStore.open(path)
    assert store.names() == ["a"]
    assert len(store.history("a")) == MANY
    assert store.get("a").prompt == f"text {MANY - 1}"
    assert store.get("a", version=1).prompt == "text 0"
    assert store.render("a", rev="HEAD~5").version == MANY - 5
    assert [prompt.name for prompt in store.list()] == ["a"]
    assert store.labels().targets == {}
    store.common_ancestor("HEAD", "HEAD~3")


@pytest.mark.parametrize("hidden", [False, True], ids=["clone", "bare repository inside a clone"])
def test_nothing_is_run(
    repo: GitRepo, trap: Path, hidden: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if hidden:
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.bareRepository")
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", "explicit")
        repo.commit({"README": "An ordinary clone.\n"})
        monkeypatch.delenv("GIT_CONFIG_COUNT")
        victim = GitRepo.init(repo.path / "docs", "--bare")
    else:
        victim = repo
    long_history(victim)
    if not hidden:
        victim.git("reset", "--quiet", "--hard")
    set_traps(victim, trap)
    if hidden:
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    # A git program that tells would tell of itself too.
    spy = trap.with_name("bin")
    spy.mkdir()
    (spy / "git").write_text(trap.read_text())
    (spy / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{spy}:{os.environ['PATH']}")

    read_everything(victim.path)
    monkeypatch.chdir(victim.path)
    for words in (["list"], ["log", "a"], ["show", "a"], ["check"], ["label", "list"]):
        monkeypatch.setattr("sys.argv", ["promptstore", *words])
        with suppress(SystemExit):
            main()
    assert not trap.with_name("sprung").exists()


def test_the_trap_works(trap: Path) -> None:
    subprocess.run([trap], stdin=subprocess.DEVNULL, check=True)
    assert trap.with_name("sprung").exists()


def test_an_entry_of_an_odd_mode_is_shown_and_listed_alike(repo: GitRepo) -> None:
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"prompt: odd\n")
    modes = {"a": "100644", "b": "100755", "c": "100664", "d": "100600", "e": "120000"}
    raw = b"".join(
        f"{mode} {name}.yaml\0".encode() + bytes.fromhex(blob) for name, mode in modes.items()
    )
    tree = repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw)
    top = repo.git("mktree", stdin=f"040000 tree {tree}\tprompts\n".encode())
    commit = repo.git("commit-tree", "-m", "odd modes", top)
    repo.git("update-ref", "refs/heads/main", commit)
    store = PromptStore.open(repo.path)
    listed = [prompt.name for prompt in store.list()]
    shown = [name for name in modes if store.snapshot().find(name)]
    assert listed == store.names() == shown
    assert [name for name in modes if store.get(name, fallback="-").is_fallback] == ["e"]
    assert all(len(store.history(name or "")) == 1 for name in listed)
