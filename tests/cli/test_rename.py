"""``promptstore rename``, ``label rollback`` and ``--force``."""

from __future__ import annotations

import json
from pathlib import Path

from promptstore.store.store import PromptStore
from tests.cli.conftest import Run
from tests.cli.test_commands import fails_with, out
from tests.gitrepo import GitRepo

INCLUDES = 'prompt: {% include "shared/tone" %}\n'.replace("{%", "'{%").replace("%}", "%}'")


def test_rename_names_what_stays(write: Run, written: GitRepo) -> None:
    store = PromptStore.open(written.path)
    store.set_label("greet", "staging")
    store.save("greet", b"prompt: newer\n")
    store.set_label("greet", "production")
    result = write("rename", "greet", "hello")
    assert result.stdout == f"hello@1: in {written.head()[:7]}\n"
    assert "warning: the label 'staging' stays at version 1 of 'greet'" in result.stderr
    assert out(write("show", "hello@production")).endswith("\nnewer\n")
    assert "and welcome." in out(write("show", "greet@staging"))
    (row,) = json.loads(out(write("rename", "hello", "greet2", "--json", "-m", "Again")))
    assert (row["name"], row["changed"]) == ("greet2", True)
    assert written.git("log", "-1", "--format=%s") == "Again"


def test_a_log_follows_a_rename(write: Run, written: GitRepo) -> None:
    out(write("rename", "greet", "hello"))
    assert [row["name"] for row in json.loads(out(write("log", "hello", "--json")))] == ["hello"]
    rows = json.loads(out(write("log", "hello", "--follow", "--json")))
    assert [(row["name"], row["number"]) for row in rows] == [("hello", 1), ("greet", 1)]
    assert "\ngreet@1\t" in out(write("log", "hello", "--follow"))


def test_rename_of_a_file_with_uncommitted_edits(write: Run, written: GitRepo) -> None:
    written.write("prompts/other.yaml", "prompt: mine\n")
    fails_with(write("rename", "other", "another"), "uncommitted edits")


def test_an_included_prompt_needs_force(write: Run, written: GitRepo) -> None:
    written.write("prompts/user.yaml", INCLUDES)
    out(write("save", "prompts/user.yaml"))
    fails_with(write("rename", "shared/tone", "tone"), "included by 'user'")
    fails_with(write("delete", "shared/tone", "--yes"), "--force")
    assert write("delete", "shared/tone", "--yes", "--force").exit_code == 0
    written.write("prompts/user.yaml", INCLUDES + "description: x\n")
    fails_with(write("save", "prompts/user.yaml"), "it is deleted; save it before")
    assert write("save", "prompts/user.yaml", "--force").exit_code == 0
    written.write("prompts/next.yaml", INCLUDES)
    fails_with(write("save", "prompts/next.yaml"), "PS302")
    result = write("save", "prompts/next.yaml", "--force")
    assert (result.exit_code, "PS302" in result.stderr) == (0, True)


def test_a_label_goes_back(write: Run, written: GitRepo) -> None:
    store = PromptStore.open(written.path)
    store.save("greet", b"prompt: newer\n")
    store.set_label("greet", "production", version=1)
    store.set_label("greet", "production", version=2)
    shown = out(write("label", "rollback", "greet", "production", "--dry-run"))
    assert shown.startswith("production: greet@2 → greet@1\n--- prompts/greet.yaml\n")
    assert store.labels().find("production", "greet").version == 2
    result = write("label", "rollback", "greet", "production", "--yes")
    assert out(result) == "production: greet@2 → greet@1\n"
    (row,) = json.loads(out(write("label", "rollback", "greet", "production", "--yes", "--json")))
    assert (row["before"]["version"], row["after"]["version"]) == (1, 2)


def test_a_file_that_was_never_committed(write: Run, written: GitRepo) -> None:
    written.write("prompts/draft.yaml", "prompt: x\n")
    for command in ("show", "render"):
        result = write(command, "draft")
        fails_with(result, "prompts/draft.yaml is there, but not committed")
    # What the message tells to do works.
    out(write("save", str(Path("prompts/draft.yaml"))))
    assert out(write("render", "draft")).strip() == "x"


def test_a_label_that_pointed_nowhere_cannot_go_back(write: Run, written: GitRepo) -> None:
    PromptStore.open(written.path).set_label("greet", "production", version=1)
    for option in ([], ["--yes"], ["--dry-run"]):
        result = write("label", "rollback", "greet", "production", *option)
        fails_with(result, "pointed nowhere before version 1")
