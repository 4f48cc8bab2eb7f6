"""`promptstore bundle`, and what commands say about files that are not committed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptstore import PromptStore
from promptstore.errors import (
    BundleError,
    HistoryUnavailableError,
    InvalidArgumentError,
    NotInBundleError,
)
from tests.cli.conftest import Run
from tests.gitrepo import GitRepo


def test_a_bundle_is_built_and_verified(write: Run, written: GitRepo) -> None:
    built = write("bundle", "build")
    assert built.exit_code == 0
    size = (written.path / "prompts.bundle").stat().st_size
    head = written.head()[:7]
    assert built.stdout == f"prompts.bundle: 3 prompts of main ({head}), {size:,} bytes\n"
    verified = write("bundle", "verify")
    assert (verified.exit_code, verified.stderr) == (0, "")
    assert verified.stdout == f"prompts.bundle: as main ({head})\n"
    written.commit({"prompts/other.yaml": "prompt: Else\n"})
    assert "main has newer commits" in write("bundle", "verify").stderr
    shown = write("-C", "prompts.bundle", "render", "greet", "--var", "name=Ada")
    assert shown.stdout == "Hi Ada\nand welcome.\n"
    assert write("-C", "prompts.bundle", "list").exit_code == 0
    assert write("-C", "prompts.bundle", "log", "greet").exit_code == 0
    assert write("-C", "prompts.bundle", "show", "other@1").exit_code == 0
    missing = write("-C", "prompts.bundle", "show", "other@main~1")
    assert isinstance(missing.exception, InvalidArgumentError)
    assert "neither a label nor a rev" in str(missing.exception)


def test_choices_of_a_bundle(write: Run, written: GitRepo, tmp_path: Path) -> None:
    write("label", "set", "greet", "production")
    file = str(tmp_path / "a.bundle")
    options = ("--output", file, "--label", "production", "--with-history", "2", "--json")
    facts = json.loads(write("bundle", "build", *options).stdout)
    assert facts == {
        "path": file,
        "commit": written.head(),
        "branch": "main",
        "prompts": 1,
        "bytes": Path(file).stat().st_size,
        "digest": facts["digest"],
    }
    with pytest.raises(NotInBundleError):
        PromptStore.open(file).get("greet")
    assert write("bundle", "build", "--only", "shared/*", "-o", file).exit_code == 0
    assert PromptStore.open(file).names() == ["shared/tone"]
    verified = json.loads(write("bundle", "verify", file, "--json").stdout)
    assert (verified["differences"], verified["is_newest"]) == ([], True)


def test_a_bundle_goes_to_stdout(write: Run, written: GitRepo) -> None:
    write("bundle", "build")
    printed = write("bundle", "build", "--output", "-").stdout_bytes
    assert printed == (written.path / "prompts.bundle").read_bytes()
    assert not (written.path / "-").exists()
    refused = write("bundle", "build", "--output", "-", "--json")
    assert isinstance(refused.exception, InvalidArgumentError)


def test_a_bundle_of_another_repository_is_refused(
    write: Run, written: GitRepo, tmp_path: Path
) -> None:
    assert isinstance(write("bundle", "verify", "no.bundle").exception, BundleError)
    write("bundle", "build")
    data = (written.path / "prompts.bundle").read_bytes()
    (written.path / "prompts.bundle").write_bytes(data.replace(b"kind", b"rude"))
    assert isinstance(write("bundle", "verify").exception, BundleError)


def test_uncommitted_edits_are_told_of(write: Run, written: GitRepo) -> None:
    note = "note: prompts/greet.yaml has uncommitted edits; what is committed is read (--worktree"
    values = ("--var", "name=Ada")
    commands = [("show", "greet"), ("render", "greet", *values), ("list",)]
    for command in commands:
        assert write(*command).stderr == ""
    written.write("prompts/greet.yaml", "prompt: Hello {{ name }}\n")
    for command in commands:
        assert write(*command).stderr.startswith(note)
        assert write(*command, "--worktree").stderr == ""
    assert write("render", "greet", *values).stdout == "Hi Ada\nand welcome.\n"
    assert write("render", "greet", *values, "--worktree").stdout == "Hello Ada"
    # What was asked for by version, and other prompts, are as they are.
    assert write("show", "greet@1").stderr == ""
    assert write("show", "other").stderr == ""
    assert write("list", "shared/").stderr == ""
    written.git("stash", "--quiet")
    (written.path / "prompts/greet.yaml").unlink()
    assert "prompts/greet.yaml is deleted, uncommitted" in write("show", "greet").stderr


def test_an_include_with_uncommitted_edits_is_told_of(write: Run, written: GitRepo) -> None:
    written.commit({"prompts/greet.yaml": "prompt: '{% include \"shared/tone\" %}'\n"})
    written.write("prompts/shared/tone.yaml", "prompt: Be brief.\n")
    assert "note: prompts/shared/tone.yaml has uncommitted" in write("render", "greet").stderr


def test_the_environment_turns_the_files_on(
    write: Run, written: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    written.write("prompts/greet.yaml", "prompt: Hello {{ name }}\n")
    for value in ("1", "true", "ON"):
        monkeypatch.setenv("PROMPTSTORE_WORKTREE", value)
        assert write("render", "greet", "--var", "name=Ada").stdout == "Hello Ada"
        store = PromptStore.open(".")
        assert store.get("greet").prompt == "Hello {{ name }}"
        assert PromptStore.open(".", worktree=False).get("greet").version == 1
        # Somebody who names a branch means that.
        assert PromptStore.open(".", branch="main").get("greet").version == 1
    for value in ("0", "", "no"):
        monkeypatch.setenv("PROMPTSTORE_WORKTREE", value)
        assert PromptStore.open(".").get("greet").version == 1
    monkeypatch.setenv("PROMPTSTORE_WORKTREE", "1")
    bare = written.clone(written.path.parent / "bare", "--bare")
    assert PromptStore.open(bare.path).get("greet").version == 1
    assert write("bundle", "build").exit_code == 0
    assert PromptStore.open("prompts.bundle").get("greet").version == 1
    saved = write("save", "other", "--text", "New")
    assert saved.exit_code in (0, 2)


def test_a_diff_with_the_files_on_disk(write: Run, written: GitRepo) -> None:
    assert write("diff", "--worktree").stdout == "no prompt changed\n"
    written.write("prompts/greet.yaml", "prompt: Hello {{ name }}\n")
    written.write("prompts/new.yaml", "prompt: New\n")
    one = write("diff", "greet", "--worktree").stdout
    assert "-Hi {{ name }}" in one
    assert "+Hello {{ name }}" in one
    every = write("diff", "--worktree").stdout
    assert "+Hello {{ name }}" in every
    assert "new added" in every
    assert "no prompt" not in every
    assert write("diff", "greet@1", "--worktree", "--json").exit_code == 0
    for wrong in (("diff",), ("diff", "greet", "other", "--worktree")):
        assert isinstance(write(*wrong).exception, InvalidArgumentError)


def test_a_plain_folder_names_the_cause_and_the_way_out(
    write: Run, written: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "plain"
    (plain / "prompts").mkdir(parents=True)
    (plain / "prompts/greet.yaml").write_bytes((written.path / "prompts/greet.yaml").read_bytes())
    store = PromptStore.open(plain)
    assert store.render("greet", name="Ada").text == "Hi Ada\nand welcome.\n"
    assert store.get("greet").version is None
    for question in (
        lambda: store.get("greet", label="production"),
        lambda: store.list(label="production"),
        lambda: store.get("greet", version=1),
        lambda: store.history("greet"),
        lambda: store.get("greet", rev="main"),
    ):
        with pytest.raises(HistoryUnavailableError) as caught:
            question()
        assert "plain folder without git" in str(caught.value)
        assert "promptstore bundle build" in str(caught.value)
        assert "git init" not in str(caught.value)
    asked = write("-C", str(plain), "show", "greet@production")
    assert "promptstore bundle build" in str(asked.exception)


def test_a_shallow_clone_names_the_cause_and_the_way_out(
    write: Run, written: GitRepo, tmp_path: Path
) -> None:
    write("label", "set", "greet", "production")
    written.commit({"prompts/greet.yaml": "prompt: Hello {{ name }}\n"})
    shallow = written.clone(tmp_path / "shallow", "--depth=1")
    store = PromptStore.open(shallow.path)
    assert store.render("greet", name="Ada").text == "Hello Ada"
    assert store.get("greet").version is None
    for question in (
        lambda: store.get("greet", label="production"),
        lambda: store.list(label="production"),
        lambda: store.get("greet", version=1),
    ):
        with pytest.raises(HistoryUnavailableError) as caught:
            question()
        assert "shallow" in str(caught.value)
        assert "promptstore bundle build" in str(caught.value)
    # The hint works.
    hint = str(caught.value).split("`")[1]
    assert hint.startswith("git fetch --unshallow origin ")
    shallow.git(*hint.replace("'", "").split()[1:])
    assert store.get("greet", label="production").version == 1
    assert store.get("greet").version == 2
    # Labels that came, whose commits did not.
    single = written.clone(tmp_path / "single", "--depth=1", "--no-single-branch")
    with pytest.raises(HistoryUnavailableError, match="shallow"):
        PromptStore.open(single.path).get("greet", label="production")


def test_a_prompt_that_cannot_be_used_stops_a_build(write: Run, written: GitRepo) -> None:
    written.commit({"prompts/bad.yaml": "promt: Hi\n"})
    refused = write("bundle", "build")
    assert isinstance(refused.exception, BundleError)
    assert "bad: prompts/bad.yaml:1:1" in str(refused.exception)
    assert not (written.path / "prompts.bundle").exists()
    assert write("bundle", "build", "--force").stdout.startswith("prompts.bundle: 4 prompts")
