from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from promptstore.errors import (
    InvalidArgumentError,
    InvalidNameError,
    LabelNotFoundError,
    PromptDeletedError,
    PromptFileError,
    PromptNotFoundError,
    RevisionNotFoundError,
    VariableError,
    VersionNotFoundError,
)
from promptstore.model.prompt import Prompt
from promptstore.model.versions import Version
from promptstore.store.store import PromptStore
from tests.architecture.walks import walk
from tests.conftest import Fill
from tests.gitrepo import FIRST_COMMIT_TIME, GitRepo

TRIAGE = """\
description: Sort a ticket.
variables:
  product: {type: string}
  tier: {type: string, enum: [free, pro], default: free}
  history: {type: messages, default: []}
messages:
  - role: system
    content: |
      You help customers of {{ product }}.
      {% include "shared/tone" %}
      {% if tier == "pro" %}
      Offer a call.
      {% endif %}
  - insert: history
  - role: user
    content: Sort it.
config:
  model: gpt-x
tags: [support]
"""


def commit_prompts(repo: GitRepo) -> None:
    """Commit version 1 to 3 of `greet`, a chat prompt, a tombstone, a broken file."""
    repo.commit(
        {
            "prompts/greet.yaml": "prompt: Hi\n",
            "prompts/shared/tone.yaml": "prompt: |\n  Be kind.\n",
        },
        "1",
    )
    repo.commit(
        {"prompts/greet.yaml": "prompt: Hello\n", "prompts/support/triage.yaml": TRIAGE}, "2"
    )
    repo.commit({"prompts/old.yaml": "prompt: Old\n", "prompts/broken.yaml": "promt: x\n"}, "3")
    tombstone = "prompt: Old\ndeleted: true\ndeleted_reason: Nobody asked.\nreplaced_by: greet\n"
    repo.commit({"prompts/old.yaml": tombstone}, "4")
    repo.commit({"prompts/greet.yaml": "prompt: Hello {{ name }}\n"}, "5")


@pytest.fixture
def store(repo: GitRepo, fill: Fill) -> PromptStore:
    return PromptStore.open(fill(repo, commit_prompts).path)


def test_get_gives_the_newest_with_its_identity(store: PromptStore, repo: GitRepo) -> None:
    prompt = store.get("greet")
    assert prompt.prompt == "Hello {{ name }}"
    assert (prompt.name, prompt.version, prompt.commit) == ("greet", 3, repo.head())
    assert prompt.blob == repo.git("rev-parse", "HEAD:prompts/greet.yaml")
    info = store.info("greet")
    assert info.created_by == info.updated_by == "Ada Example <ada@example.com>"
    assert (info.name, info.version, info.commit) == ("greet", 3, repo.head())
    assert info.created_at is not None
    assert info.updated_at is not None
    assert info.created_at.timestamp() == int(repo.git("log", "-1", "--format=%ct", "HEAD~4"))
    assert info.updated_at.timestamp() == int(repo.git("log", "-1", "--format=%ct"))
    assert info.updated_at.utcoffset() == timedelta(hours=1)
    assert not prompt.deleted
    assert not prompt.is_chat


def test_the_position_is_where_the_branch_and_the_labels_are(
    store: PromptStore, repo: GitRepo
) -> None:
    assert store.position() == (repo.head(), None)
    label_branch(repo, {"production.yaml": f"greet: {{version: 3, commit: {repo.head()}}}\n"})
    repo.commit({"notes.txt": "x"})
    labels = repo.git("rev-parse", "promptstore/labels")
    assert store.position() == (repo.head(), labels)


def test_get_gives_everyone_plain_strings(store: PromptStore) -> None:
    class Word(str):
        def __str__(self) -> str:
            return "another"

    store.set_label("greet", "production", version=2, author="Ada <ada@example.com>")
    store.get(Word("greet"), label=Word("production"))
    prompt = store.get("greet", label="production")
    assert [type(prompt.name), type(prompt.label)] == [str, str]
    assert (prompt.name, prompt.label) == ("greet", "production")


@pytest.mark.parametrize(("version", "text"), [(1, "Hi"), (2, "Hello"), (3, "Hello {{ name }}")])
def test_get_by_version(store: PromptStore, version: int, text: str) -> None:
    prompt = store.get("greet", version=version)
    assert (prompt.version, prompt.prompt) == (version, text)
    assert prompt.commit == prompt.snapshot_commit


@pytest.mark.parametrize("version", [0, -1, 4, 10**30])
def test_a_version_that_is_not_there(store: PromptStore, version: int) -> None:
    with pytest.raises(VersionNotFoundError, match="its versions are 1 to 3"):
        store.get("greet", version=version)


def test_get_by_rev(store: PromptStore, repo: GitRepo) -> None:
    repo.git("tag", "-a", "v1", "HEAD~4", "-m", "first")
    repo.git("branch", "side", "HEAD~3")
    for rev, version in (("v1", 1), ("side", 2), ("HEAD~1", 2), (repo.head()[:10], 3)):
        assert store.get("greet", rev=rev).version == version
    with pytest.raises(RevisionNotFoundError, match="'nope' names no commit"):
        store.get("greet", rev="nope")
    with pytest.raises(PromptNotFoundError, match=r"in v1 \("):
        store.get("support/triage", rev="v1")


def test_a_branch_that_only_the_remote_has(
    store: PromptStore, repo: GitRepo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    repo.git("branch", "side", "HEAD~3")
    clone = repo.clone(tmp_path_factory.mktemp("clones") / "clone")
    assert PromptStore.open(clone.path).get("greet", rev="side").prompt == "Hello"


def test_get_by_time(store: PromptStore, repo: GitRepo) -> None:
    second = datetime.fromtimestamp(int(repo.git("log", "-1", "--format=%ct", "HEAD~3")), UTC)
    assert store.get("greet", rev=second).version == 2
    assert store.get("greet", rev=second - timedelta(seconds=1)).version == 1
    with pytest.raises(RevisionNotFoundError, match="no commit that old"):
        store.get("greet", rev=datetime.fromtimestamp(FIRST_COMMIT_TIME - 1, UTC))
    with pytest.raises(InvalidArgumentError, match="no time zone"):
        store.get("greet", rev=second.replace(tzinfo=None))


def test_version_label_and_rev_exclude_each_other(store: PromptStore) -> None:
    with pytest.raises(InvalidArgumentError, match="version and rev exclude each other"):
        store.get("greet", version=1, rev="main")
    with pytest.raises(InvalidArgumentError, match="version must be a number"):
        store.get("greet", version="1")  # type: ignore[arg-type]


def test_a_name_that_is_not_there_suggests_what_was_meant(store: PromptStore) -> None:
    with pytest.raises(PromptNotFoundError, match=r"Did you mean 'support/triage'\?") as caught:
        store.get("suport/triage")
    assert isinstance(caught.value, KeyError)
    with pytest.raises(InvalidNameError):
        store.get("../greet")


def test_a_broken_file_is_an_error_of_the_file(store: PromptStore) -> None:
    with pytest.raises(PromptFileError, match=r"prompts/broken\.yaml:1:1: PS107 .*'prompt'"):
        store.get("broken")


def test_a_removed_file_says_what_can_still_be_read(store: PromptStore, repo: GitRepo) -> None:
    repo.commit({"prompts/greet.yaml": None}, "away")
    with pytest.raises(PromptNotFoundError, match="version 3 can still be read"):
        store.get("greet")
    with pytest.raises(VersionNotFoundError, match="Version 4 of 'greet' removed the file"):
        store.get("greet", version=4)
    assert store.get("greet", version=3).prompt == "Hello {{ name }}"
    assert [version.deleted for version in store.history("greet")] == [True, False, False, False]


class TestDeleted:
    def test_get_says_when_by_whom_why_and_what_instead(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        repo.commit(
            {
                "prompts/old.yaml": "prompt: Old\ndescription: x\ndeleted: true\n"
                "deleted_reason: Nobody asked.\nreplaced_by: greet\n"
            },
            "an edit after the tombstone",
        )
        with pytest.raises(PromptDeletedError) as caught:
            store.get("old")
        error = caught.value
        assert error.deleted_by == "Ada Example <ada@example.com>"
        assert error.deleted_at == repo.git("log", "-1", "--format=%cI", "HEAD~2")
        assert (error.reason, error.replaced_by) == ("Nobody asked.", "greet")
        assert "Use 'greet' instead" in str(error)

    def test_it_is_given_on_request(self, store: PromptStore) -> None:
        prompt = store.get("old", deleted=True)
        assert prompt.deleted
        assert prompt.deleted_reason == "Nobody asked."

    def test_its_versions_still_read(self, store: PromptStore) -> None:
        assert not store.get("old", version=1).deleted
        assert store.get("old", version=2).deleted
        assert store.render("old", version=1).text == "Old"

    def test_history_marks_the_tombstone(self, store: PromptStore) -> None:
        assert [(v.number, v.deleted) for v in store.history("old")] == [(2, True), (1, False)]


class TestList:
    @pytest.fixture(autouse=True)
    def _mend(self, store: PromptStore, repo: GitRepo) -> None:
        repo.commit({"prompts/broken.yaml": None})

    @pytest.mark.parametrize(
        ("options", "names"),
        [
            ({}, ["greet", "shared/tone", "support/triage"]),
            ({"deleted": True}, ["greet", "old", "shared/tone", "support/triage"]),
            ({"prefix": "s"}, ["shared/tone", "support/triage"]),
            ({"prefix": "support/"}, ["support/triage"]),
            ({"tag": "support"}, ["support/triage"]),
            ({"tag": "nope"}, []),
            ({"search": "TICKET"}, ["support/triage"]),
            ({"search": "be kind"}, ["shared/tone"]),
            ({"search": "GREET"}, ["greet"]),
        ],
    )
    def test_filters(self, store: PromptStore, options: Any, names: list[str]) -> None:
        assert [prompt.name for prompt in store.list(**options)] == names

    def test_a_listed_prompt_is_the_one_that_get_gives(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        again = PromptStore.open(repo.path)
        for prompt in store.list(deleted=True):
            assert prompt == again.get(prompt.name or "", deleted=True)


def test_list_does_not_hide_a_broken_file(store: PromptStore) -> None:
    with pytest.raises(PromptFileError, match=r"prompts/broken\.yaml"):
        store.list()


def test_names_parses_nothing(store: PromptStore) -> None:
    assert store.names() == ["broken", "greet", "old", "shared/tone", "support/triage"]
    assert store.names("s") == ["shared/tone", "support/triage"]


class TestSnapshot:
    def test_is_a_mapping_fixed_to_one_commit(self, store: PromptStore, repo: GitRepo) -> None:
        repo.commit({"prompts/broken.yaml": None})
        snapshot = store.snapshot()
        assert isinstance(snapshot, Mapping)
        assert snapshot.commit == repo.head()
        assert list(snapshot) == ["greet", "shared/tone", "support/triage"]
        assert len(snapshot) == 3
        before = dict(snapshot)
        repo.commit({"prompts/greet.yaml": "prompt: changed\n", "prompts/new.yaml": "prompt: x\n"})
        assert dict(snapshot) == before
        assert "new" not in snapshot
        assert store.get("greet").prompt == "changed"

    def test_tombstones_and_broken_files(self, store: PromptStore) -> None:
        snapshot = store.snapshot()
        assert "old" not in snapshot
        assert snapshot.get("old") is None
        assert "broken" in snapshot
        assert "nope" not in snapshot
        assert 3 not in snapshot  # type: ignore[comparison-overlap]
        with pytest.raises(PromptFileError):
            snapshot["broken"]
        with pytest.raises(KeyError):
            snapshot["old"]

    @pytest.mark.parametrize("name", ["../README", "/etc/passwd", "a b", "", "./greet"])
    def test_what_is_no_name_is_not_in_it(
        self, store: PromptStore, repo: GitRepo, name: str
    ) -> None:
        repo.write("README.yaml", "prompt: outside of the root\n")
        for snapshot in (store.snapshot(), store.working_snapshot()):
            assert name not in snapshot
            assert snapshot.get(name) is None
            with pytest.raises(PromptNotFoundError):
                snapshot.file(name)
            with pytest.raises(InvalidNameError):
                snapshot.read(name)

    def test_renders(self, store: PromptStore) -> None:
        assert store.snapshot().render("greet", {"name": "Ada"}).text == "Hello Ada"
        assert store.snapshot("HEAD~4").render("greet").text == "Hi"


class TestRender:
    def test_messages(self, store: PromptStore, repo: GitRepo) -> None:
        turn = {"role": "user", "content": "It {{ broke }}."}
        rendered = store.render(
            "support/triage", {"product": "{% x %}", "tier": "pro", "history": [turn]}
        )
        assert rendered.messages == [
            {
                "role": "system",
                "content": "You help customers of {% x %}.\nBe kind.\nOffer a call.\n",
            },
            turn,
            {"role": "user", "content": "Sort it."},
        ]
        assert rendered.config == {"model": "gpt-x"}
        assert (rendered.name, rendered.version) == ("support/triage", 1)
        assert rendered.snapshot_commit == repo.head()
        assert rendered.digest == store.get("support/triage").digest
        with pytest.raises(InvalidArgumentError, match=r"use \.messages"):
            _ = rendered.text

    def test_a_text_prompt_gives_one_message(self, store: PromptStore) -> None:
        rendered = store.render("greet", {"name": "Ada"})
        assert rendered.text == str(rendered) == "Hello Ada"
        assert rendered.messages == [{"role": "user", "content": "Hello Ada"}]

    def test_all_faults_of_the_values_at_once(self, store: PromptStore) -> None:
        with pytest.raises(VariableError) as caught:
            store.render("support/triage", {"prodcut": "x", "tier": "gold", "history": "hi"})
        assert caught.value.missing == ("product",)
        assert caught.value.unknown == {"prodcut": ("product",)}
        assert list(caught.value.invalid) == ["tier", "history"]

    def test_the_caller_may_change_what_was_rendered(self, store: PromptStore) -> None:
        turn = {"role": "user", "content": "x"}
        first = store.render("support/triage", {"product": "a", "history": [turn]})
        first.messages[0]["content"] = "changed"
        first.messages[1]["content"] = "changed"
        first.messages.clear()
        second = store.render("support/triage", {"product": "a", "history": [turn]})
        assert [m["content"] for m in second.messages][1:] == ["x", "Sort it."]
        assert turn["content"] == "x"


class TestIncludes:
    def test_come_from_the_same_commit(self, store: PromptStore, repo: GitRepo) -> None:
        repo.commit({"prompts/shared/tone.yaml": "prompt: |\n  Be brief.\n"})
        newest = store.render("support/triage", {"product": "x"})
        first = store.render("support/triage", {"product": "x"}, version=1)
        assert "Be brief." in newest.messages[0]["content"]
        assert "Be kind." in first.messages[0]["content"]
        assert newest.version == first.version == 1

    def test_count_for_the_digest(self, store: PromptStore, repo: GitRepo) -> None:
        before = store.get("support/triage").digest
        repo.commit({"prompts/shared/tone.yaml": "# a comment\nprompt: |\n  Be kind.\n"})
        assert store.get("support/triage").digest == before
        repo.commit({"prompts/shared/tone.yaml": "prompt: |\n  Be brief.\n"})
        assert store.get("support/triage").digest != before


class TestFallback:
    @pytest.mark.parametrize("name", ["nope", "old", "broken"])
    def test_is_used_when_the_prompt_cannot_be_had(
        self, store: PromptStore, name: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING, "promptstore"):
            for _ in range(3):
                prompt = store.get(name, fallback="Hey {{ who }}")
                assert (prompt.prompt, prompt.name, prompt.is_fallback) == (
                    "Hey {{ who }}",
                    name,
                    True,
                )
                rendered = store.render(name, {"who": "you", "more": 1}, fallback="Hey {{ who }}")
                assert (rendered.text, rendered.is_fallback) == ("Hey you", True)
        assert len(caplog.records) == 1
        assert name in caplog.text

    def test_is_given_as_it_was_then(self, store: PromptStore) -> None:
        part = {"type": "text", "text": "Hi"}
        fallback = Prompt(messages=[{"role": "user", "content": [part]}], config={"a": [1]})
        prompt, rendered = (
            store.get("nope", fallback=fallback),
            store.render("nope", fallback=fallback),
        )
        fallback.config["a"].append(2)
        assert isinstance(fallback.messages, tuple)
        fallback.messages[0].content[0]["text"] = "Bye"  # type: ignore[union-attr,index]
        assert (prompt.config, rendered.config) == ({"a": [1]}, {"a": [1]})
        assert prompt.render().messages[0]["content"] == [part]

    def test_is_left_alone_otherwise(
        self, store: PromptStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        rendered = store.render("greet", {"name": "Ada"}, fallback="no")
        assert (rendered.text, rendered.is_fallback) == ("Hello Ada", False)
        with pytest.raises(VariableError):
            store.render("greet", {}, fallback="no")
        with pytest.raises(InvalidNameError):
            store.get("not a name", fallback="no")
        assert not caplog.records

    def test_stands_in_for_templates_that_cannot_be_compiled(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        repo.commit({"prompts/bad.yaml": "prompt: '{% if %}'\n"})
        repo.commit({"prompts/lost.yaml": "prompt: '{% include \"nope\" %}'\n"})
        for name in ("bad", "lost"):
            assert store.render(name, fallback="Hey").text == "Hey"

    def test_may_be_a_prompt(self, store: PromptStore) -> None:
        spare = Prompt(prompt="Hi {{ you }}", config={"model": "small"})
        rendered = store.render("nope", {"you": "Ada"}, fallback=spare)
        assert (rendered.text, rendered.config, rendered.name) == (
            "Hi Ada",
            {"model": "small"},
            "nope",
        )

    def test_for_a_version_or_label_that_is_not_there(self, store: PromptStore) -> None:
        assert store.get("greet", version=99, fallback="x").is_fallback
        assert store.get("greet", label="production", fallback="x").is_fallback


class TestWorktree:
    def test_reads_uncommitted_edits(self, store: PromptStore, repo: GitRepo) -> None:
        local = PromptStore.open(repo.path, worktree=True)
        assert local.get("greet").version == 3
        repo.write("prompts/greet.yaml", "prompt: draft\n")
        repo.write("prompts/new.yaml", "prompt: new\n")
        draft = local.get("greet")
        assert (draft.prompt, draft.version, draft.commit) == ("draft", None, None)
        assert draft.snapshot_commit is None
        assert local.get("new").prompt == "new"
        assert "new" in local.names()
        assert local.get("greet", version=3).prompt == "Hello {{ name }}"
        assert local.get("greet", rev="HEAD").prompt == "Hello {{ name }}"
        assert store.get("greet").prompt == "Hello {{ name }}"

    def test_names_the_file_of_a_fault(self, repo: GitRepo, store: PromptStore) -> None:
        repo.write("prompts/new.yaml", "prompt: [\n")
        with pytest.raises(PromptFileError, match=r"^prompts/new\.yaml:2:1: PS102"):
            PromptStore.open(repo.path, worktree=True).get("new")


class TestLabels:
    @pytest.fixture(autouse=True)
    def _label(self, store: PromptStore, repo: GitRepo) -> None:
        second = repo.git("rev-parse", "HEAD~3")
        label_branch(repo, {"production.yaml": f"greet: {{version: 2, commit: {second}}}\n"})

    def test_a_label_points_at_a_version(self, store: PromptStore) -> None:
        assert store.get("greet", label="production").prompt == "Hello"
        assert store.render("greet", label="production").version == 2
        assert store.get("greet", label="production").label == "production"
        assert store.get("greet", version=2).label is None
        assert store.info("greet", version=2).labels == ("production",)
        assert store.info("greet", label="production") == store.info("greet", version=2)
        assert store.info("greet").labels == ()
        assert [v.labels for v in store.history("greet")] == [(), ("production",), ()]

    def test_a_label_never_falls_back_to_the_latest(self, store: PromptStore) -> None:
        with pytest.raises(LabelNotFoundError, match="There are: production"):
            store.get("greet", label="staging")
        with pytest.raises(LabelNotFoundError):
            store.get("support/triage", label="production")

    def test_a_fresh_clone_reads_those_of_its_origin(
        self, repo: GitRepo, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        clone = repo.clone(tmp_path_factory.mktemp("clones") / "clone")
        assert PromptStore.open(clone.path).get("greet", label="production").version == 2

    def test_a_label_that_contradicts_itself_is_an_error(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        label_branch(repo, {"production.yaml": f"greet: {{version: 1, commit: {repo.head()}}}\n"})
        with pytest.raises(PromptFileError, match=r"says version 1, but its commit .* version 3"):
            store.get("greet", label="production")

    def test_a_broken_label_file_hides_no_prompt(self, store: PromptStore, repo: GitRepo) -> None:
        label_branch(repo, {"production.yaml": "greet: [\n"})
        assert store.info("greet").labels == ()
        with pytest.raises(PromptFileError, match=r"promptstore/labels:production\.yaml"):
            store.get("greet", label="production")


def label_branch(repo: GitRepo, files: dict[str, str]) -> None:
    lines = ["commit refs/heads/promptstore/labels", "committer Ada <ada@example.com> 1 +0000"]
    lines += ["data 1", "x", "deleteall"]
    for path, text in files.items():
        lines += [f"M 100644 inline {path}", f"data {len(text)}", text]
    repo.git("fast-import", "--quiet", "--force", stdin="\n".join([*lines, ""]).encode())


def test_a_commit_by_another_process_is_seen_at_the_next_call(
    store: PromptStore, repo: GitRepo
) -> None:
    for number in range(20):
        repo.commit({"prompts/greet.yaml": f"prompt: '{number}'\n"})
        assert store.get("greet").prompt == str(number)
        if number % 5 == 0:
            repo.git("pack-refs", "--all")
            repo.git("gc", "--quiet")
            assert store.get("greet").prompt == str(number)


def test_a_switch_of_the_branch_is_seen_at_the_next_call(store: PromptStore, repo: GitRepo) -> None:
    repo.git("checkout", "--quiet", "--force", "-b", "side", "HEAD~4")
    assert store.get("greet").prompt == "Hi"
    repo.git("checkout", "--quiet", "main")
    assert store.get("greet").version == 3


def test_a_prompt_is_immutable_and_pickles(store: PromptStore) -> None:
    prompt = store.get("support/triage")
    with pytest.raises(AttributeError):
        prompt.name = "x"  # type: ignore[misc]
    prompt.render(product="x")
    twin = pickle.loads(pickle.dumps(prompt))
    assert twin == prompt
    assert twin.digest == prompt.digest
    assert twin.render(product="x") == prompt.render(product="x")


def test_threads_share_a_store(store: PromptStore) -> None:
    faults: list[BaseException] = []

    def work() -> None:
        try:
            for version in (1, 2, 3) * 10:
                assert store.get("greet", version=version).version == version
                assert store.render("support/triage", {"product": "x"}).version == 1
        except BaseException as fault:  # noqa: BLE001 - told by the main thread below
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_a_fork_inherits_a_working_store(store: PromptStore) -> None:
    store.render("greet", {"name": "x"})
    child = os.fork()
    if child == 0:
        fine = store.get("greet", version=2).version == 2 and len(store.history("greet")) == 3
        os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.get("greet").version == 3


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = (
        "import sys, promptstore; "
        "print([m for m in ('pygit2', 'jinja2', 'yaml', 'sqlite3', 'typer', 'rich', 'httpx') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_templates_are_compiled_when_they_are_first_rendered(repo: GitRepo) -> None:
    repo.commit(
        {f"prompts/p{number}.yaml": "prompt: '{% if a %}A{% endif %}'\n" for number in "12"}
    )
    program = (
        "import sys\n"
        "from promptstore import PromptStore\n"
        f"store = PromptStore.open({str(repo.path)!r})\n"
        "texts = [prompt.prompt for prompt in [*store.list(), store.get('p1')]]\n"
        "print(len(texts), 'jinja2' in sys.modules)\n"
        "print(store.get('p1').render(a=True), 'jinja2' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "3 False\nA True\n"


def test_a_history_parses_only_what_may_be_a_tombstone(repo: GitRepo) -> None:
    for number in range(3):
        repo.commit({"prompts/a.yaml": f"prompt: The {number}. text\n"})
    assert not [file for file in walk(lambda: open_history(repo)) if "promptfile" in file]
    repo.commit({"prompts/a.yaml": 'prompt: x\n"\\x64eleted": true\n'})
    repo.commit({"prompts/a.yaml": "prompt: not deleted, and broken\nx: 1\n"})
    assert [version.deleted for version in open_history(repo)] == [False, True, False, False, False]


def open_history(repo: GitRepo) -> list[Version]:
    return PromptStore.open(repo.path).history("a")
