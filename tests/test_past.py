"""What was so at a time: labels as they were, and prompts under the names that they had."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from typer.testing import CliRunner

from promptstore import PromptStore
from promptstore.cli.app import app
from promptstore.cli.inputs import parse_time
from promptstore.errors import InvalidArgumentError, LabelNotFoundError
from promptstore.git.reading import Repository
from promptstore.history.backend import labels_commit
from promptstore.history.labels import BRANCH, LabelTable, labels_at
from tests.gitrepo import GitRepo

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=timezone(timedelta(hours=2)))


def set_at(repo: GitRepo, time: datetime, content: str) -> str:
    """Commit the file of a label at a time."""
    blob = repo.git("hash-object", "-w", "--stdin", stdin=content.encode())
    tree = repo.git("mktree", stdin=f"100644 blob {blob}\tproduction.yaml\n".encode())
    parent = repo.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{BRANCH}")
    who = f"Ada Example <ada@example.com> {int(time.timestamp())} +0000"
    lines = [f"tree {tree}", *([f"parent {parent}"] if parent else [])]
    commit = "\n".join([*lines, f"author {who}", f"committer {who}", "", "Move\n"])
    made = repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=commit.encode())
    repo.git("update-ref", f"refs/heads/{BRANCH}", made)
    return made


@pytest.fixture
def moved(repo: GitRepo) -> GitRepo:
    """Two versions; production pointed at the first at noon, at the second three hours later."""
    first = repo.commit({"prompts/a.yaml": "prompt: one\n"})
    second = repo.commit({"prompts/a.yaml": "prompt: two\n"})
    set_at(repo, NOON, f"a: {{version: 1, commit: {first}}}\n")
    set_at(repo, NOON + timedelta(hours=3), f"a: {{version: 2, commit: {second}}}\n")
    return repo


def version_at(repo: GitRepo, time: datetime) -> int:
    return PromptStore.open(repo.path).labels(time).find("production", "a").version


def test_labels_at_a_time(moved: GitRepo) -> None:
    assert version_at(moved, NOON) == 1
    assert version_at(moved, NOON + timedelta(hours=2, minutes=59)) == 1
    assert version_at(moved, NOON + timedelta(hours=3)) == 2
    # The same moment in another zone.
    assert version_at(moved, NOON.astimezone(timezone(timedelta(hours=-7)))) == 1
    store = PromptStore.open(moved.path)
    assert store.labels(NOON - timedelta(seconds=1)) == LabelTable()
    with pytest.raises(InvalidArgumentError, match="has no time zone"):
        store.labels(NOON.replace(tzinfo=None))


def test_labels_at_a_time_are_those_of_git(moved: GitRepo) -> None:
    repository = Repository.discover(moved.path)
    tip = labels_commit(repository)
    for hours in (-1, 0, 1, 3, 4):
        time = NOON + timedelta(hours=hours)
        before = ("log", "-1", "--format=%H", f"--before={time.isoformat()}", BRANCH)
        assert (labels_at(repository, tip, time) or "") == moved.git(*before)


def test_the_command_line_looks_back(moved: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*words: str) -> str:
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        return result.stdout

    monkeypatch.chdir(moved.path)
    then = (NOON + timedelta(hours=1)).isoformat()
    assert json.loads(run("show", "a@production", "--at", then, "--json"))["content"] == {
        "prompt": "one"
    }
    assert run("show", "a@production", "--at", then, "--source") == "prompt: one\n"
    assert json.loads(run("show", "a@production", "--json"))["content"]["prompt"] == "two"
    listed = json.loads(run("label", "list", "--at", then, "--json"))
    assert [(row["label"], row["version"]) for row in listed] == [("production", 1)]
    first = moved.git("show", "-s", "--format=%cI", "main~1")
    assert json.loads(run("show", "a", "--at", first, "--json"))["version"] == 1
    assert "--at" in run("show", "--help")

    for words, error in (
        (("show", "a@1", "--at", then), InvalidArgumentError),
        (("show", "b@production", "--at", then), LabelNotFoundError),
        (("label", "list", "--at", "noon"), InvalidArgumentError),
    ):
        assert isinstance(CliRunner().invoke(app, words).exception, error)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-09T15:00Z", "2026-03-09T15:00:00+00:00"),
        ("2026-03-09 15:00+05:30", "2026-03-09T15:00:00+05:30"),
        ("3 hours ago", "2026-03-10T09:00:00+02:00"),
        ("1 week ago", "2026-03-03T12:00:00+02:00"),
        ("90 seconds ago", "2026-03-10T11:58:30+02:00"),
        ("yesterday", "2026-03-09T12:00:00+02:00"),
        ("Today", "2026-03-10T12:00:00+02:00"),
    ],
)
def test_a_time_is_parsed(text: str, expected: str) -> None:
    assert parse_time(text, NOON) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-09", datetime(2026, 3, 9)),
        ("2026-03-09 15:00", datetime(2026, 3, 9, 15)),
        ("yesterday 15:00", datetime(2026, 3, 9, 15)),
        ("yesterday 9:05", datetime(2026, 3, 9, 9, 5)),
        ("today 09:05:07", datetime(2026, 3, 10, 9, 5, 7)),
    ],
)
def test_a_time_without_a_zone_is_local(text: str, expected: datetime) -> None:
    assert parse_time(text, datetime(2026, 3, 10, 12).astimezone()) == expected.astimezone()


@pytest.mark.parametrize(
    "text",
    ["", "noon", "tomorrow", "yesterday 25:00", "2026-13-01", "5 years ago", "999999 weeks ago"],
)
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="yesterday 15:00"):
        parse_time(text, NOON)


def test_the_history_of_a_renamed_prompt_goes_on_at_its_old_name(repo: GitRepo) -> None:
    repo.commit({"prompts/old.yaml": "prompt: one\n"})
    repo.commit({"prompts/old.yaml": "prompt: two\n", "prompts/other.yaml": "prompt: x\n"})
    grave = "prompt: two\ndeleted: true\nreplaced_by: team/new\n"
    moved = repo.commit({"prompts/old.yaml": grave, "prompts/team/new.yaml": "prompt: two\n"})
    repo.commit({"prompts/team/new.yaml": "prompt: three\n"})
    # Renamed once more, beside a prompt that was deleted and replaced by another one.
    grave = "prompt: three\ndeleted: true\nreplaced_by: newest\n"
    other = "prompt: x\ndeleted: true\nreplaced_by: old\n"
    repo.commit({
        "prompts/team/new.yaml": grave, "prompts/other.yaml": other,
        "prompts/newest.yaml": "prompt: three\n",
    })  # fmt: skip
    store = PromptStore.open(repo.path)
    assert [(v.name, v.number) for v in store.history("newest")] == [("newest", 1)]
    followed = store.history("newest", follow=True)
    assert [(v.name, v.number) for v in followed] == [
        ("newest", 1), ("team/new", 2), ("team/new", 1), ("old", 2), ("old", 1),
    ]  # fmt: skip
    assert followed[2].commit == moved
    # What was not renamed has nothing to follow, and a tombstone is the end of its own history.
    assert store.history("other", follow=True) == store.history("other")
    assert [v.number for v in store.history("old", follow=True)] == [3, 2, 1]
