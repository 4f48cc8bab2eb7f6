"""What ``git log -p`` shows after writes reads like a person's work."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptstore.history.labels import BRANCH
from promptstore.model.prompt import Prompt
from promptstore.promptfile.writer import dumps
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.writing.conftest import assert_tidy, configure

FIRST = """\
# What everybody reads first.
description: Greet.  # in one sentence
messages:
  - role: system
    content: |
      You are kind.
      You are brief.
  # The person's own words come last.
  - role: user
    content: "{{ text }}"
config: {temperature: 0.2}  # low on purpose
"""


def changed_lines(repo: GitRepo, rev: str) -> list[str]:
    """Give the changed lines of a commit, which touches one file."""
    shown = repo.git("show", "--format=", "--unified=0", rev).splitlines()
    assert len([line for line in shown if line.startswith("diff --git ")]) == 1
    heads = ("diff ", "index ", "--- ", "+++ ", "@@ ", "new file ")
    return [line for line in shown if not line.startswith(heads)]


def test_each_commit_touches_one_file_and_only_what_changed(
    store: PromptStore, repo: GitRepo
) -> None:
    store.save("greet", FIRST.encode())
    prompt = store.get("greet")
    system, user = prompt.messages or ()
    kinder = replace(system, content="You are very kind.\nYou are brief.\n")  # type: ignore[arg-type]
    store.save("greet", replace(prompt, messages=(kinder, user)))
    store.save("greet", replace(store.get("greet"), config={"temperature": 0.5}))
    store.save("greet", replace(store.get("greet"), tags=("polite",)))
    store.save("other", Prompt(prompt="Other"))
    store.delete("greet", reason="Nobody reads it.", replaced_by="other")
    store.restore("greet")
    store.restore("greet", version=3)
    log = repo.git("log", "--reverse", "--format=%H %s").splitlines()
    shown = {line.split(" ", 1)[1]: changed_lines(repo, line.split()[0]) for line in log[4:]}
    updates = [changed_lines(repo, line.split()[0]) for line in log[:4]]
    assert [line.split(" ", 1)[1] for line in log[:4]] == ["Create greet", *["Update greet"] * 3]
    assert updates == [
        [f"+{line}" for line in FIRST.splitlines()],
        ["-      You are kind.", "+      You are very kind."],
        [
            "-config: {temperature: 0.2}  # low on purpose",
            "+config: {temperature: 0.5}  # low on purpose",
        ],
        ["+tags: [polite]"],
    ]
    tombstone = ["deleted: true", "deleted_reason: Nobody reads it.", "replaced_by: other"]
    assert shown == {
        "Create other": ["+prompt: Other"],
        "Delete greet": [f"+{line}" for line in tombstone],
        "Restore greet": [f"-{line}" for line in tombstone],
        "Restore greet to version 3": ["-tags: [polite]"],
    }
    assert_tidy(repo)


def test_a_label_changes_the_line_of_its_prompt(store: PromptStore, repo: GitRepo) -> None:
    for name in ("a", "b"):
        store.save(name, Prompt(prompt="x"))
        store.set_label(name, "production")
    store.save("a", Prompt(prompt="y"))
    store.set_label("a", "production")
    lines = changed_lines(repo, BRANCH)
    assert [line.split(", ")[0] for line in lines] == ["-a: {version: 1", "+a: {version: 2"]
    assert_tidy(repo)


TEXTS = st.lists(st.sampled_from(["a", "b", "", "{{ x }}", "# no comment"]), max_size=5)


@settings(max_examples=10)
@given(steps=st.lists(st.tuples(st.sampled_from(["a", "b/c"]), TEXTS), min_size=1, max_size=5))
def test_a_line_that_stays_is_in_no_diff(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, list[str]]]
) -> None:
    repo = configure(GitRepo.init(tmp_path_factory.mktemp("log")))
    store = PromptStore.open(repo.path)
    for name, lines in steps:
        prompt = Prompt(prompt="".join(f"{line}\n" for line in ["first", *lines]))
        saved = store.save(name, prompt)
        if saved.is_unchanged:
            continue
        added = [line[1:] for line in changed_lines(repo, "HEAD") if line.startswith("+")]
        if saved.version == 1:
            assert added == dumps(prompt).splitlines()
        else:
            assert "  first" not in added
    assert_tidy(repo)
