"""Objects as promptstore stores them: git itself must find nothing wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pygit2
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from promptstore.errors import RepositoryError
from promptstore.git.commits import CommitNote, FileChange
from promptstore.git.reading import Repository, blob_id
from promptstore.git.writing import Deadline, update_ref
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.processes import is_killed_in_commit, race
from tests.writing.conftest import assert_tidy, configure

MANY = 150


def many(number: int = 0) -> dict[str, bytes]:
    return {f"team-{i % 7}/p{i}": f"prompt: {number} {i}\n".encode() for i in range(MANY)}


def counts(repo: GitRepo) -> tuple[int, int]:
    """Count the packs and the loose objects."""
    lines = repo.git("count-objects", "-v").splitlines()
    found = dict(line.split(": ") for line in lines)
    assert found["garbage"] == "0"
    return int(found["packs"]), int(found["count"])


ADA = pygit2.Signature("Ada Example", "ada@example.com")
PUT = CommitNote(ADA, ADA, "put")


def put(
    repo: GitRepo | Repository, files: Mapping[str, bytes | None], note: CommitNote = PUT
) -> str | None:
    """Commit files by path, in a repository that is open already or that is opened anew."""
    return update_ref(
        repo if isinstance(repo, Repository) else Repository.discover(repo.path),
        "refs/heads/main",
        lambda _: [FileChange(path, path, data) for path, data in files.items()],
        note,
        deadline=Deadline(5),
    ).commit


@pytest.mark.parametrize("options", [(), ("--bare",)], ids=["checked out", "bare"])
class TestManyInOneCommit:
    def test_are_objects_that_git_can_work_with(
        self, tmp_path: Path, options: tuple[str, ...]
    ) -> None:
        repo = configure(GitRepo.init(tmp_path / "repo", *options))
        store = PromptStore.open(repo.path)
        written = store.commit(many())
        assert {prompt.version for prompt in written.values()} == {1}
        assert_tidy(repo)
        clone = repo.clone(tmp_path / "clone")
        repo.git("gc", "--quiet", "--prune=now")
        for other in (repo, clone):
            assert other.git("show", "main:prompts/team-3/p3.yaml") == "prompt: 0 3"
            assert other.git("fsck", "--strict", "--no-dangling") == ""
        store.commit(many(1))
        assert [version.number for version in store.history("team-3/p3")] == [2, 1]
        assert_tidy(repo)

    def test_are_seen_by_stores_that_were_open_before(
        self, tmp_path: Path, options: tuple[str, ...]
    ) -> None:
        repo = configure(GitRepo.init(tmp_path / "repo", *options))
        writer, reader = PromptStore.open(repo.path), PromptStore.open(repo.path)
        for number in range(3):
            writer.commit(many(number))
            assert reader.get("team-3/p3").prompt == f"{number} 3"
            assert len(reader.list()) == MANY

    def test_that_say_the_same_are_one_object(
        self, tmp_path: Path, options: tuple[str, ...]
    ) -> None:
        repo = configure(GitRepo.init(tmp_path / "repo", *options))
        PromptStore.open(repo.path).commit(dict.fromkeys(many(), b"prompt: same\n"))
        listed = repo.git("ls-tree", "-r", "--format=%(objectname)", "main").splitlines()
        assert len(listed) == MANY
        assert len(set(listed)) == 1
        assert_tidy(repo)


@pytest.mark.parametrize(
    "stride", [pytest.param(0, marks=pytest.mark.slow), 0.5], ids=["every access", "some accesses"]
)
def test_a_kill_while_many_are_written_leaves_nothing_broken(tmp_path: Path, stride: float) -> None:
    repo = configure(GitRepo.init(tmp_path / "repo", "--bare"))
    for first in range(256):
        # Else the ids would decide how many accesses there are, and one could be passed over.
        (repo.path / f"objects/{first:02x}").mkdir()
    store = PromptStore.open(repo.path, lock_timeout=5)
    kills, access, seen = 0, 1, set()
    while commit_until_killed(repo, access):
        kills += 1
        assert repo.git("fsck", "--strict", "--no-dangling") == ""
        store.save("next", f"prompt: saved {kills}\n".encode())
        seen.add(len(store.names(f"k{access}/")))
        assert_tidy(repo)
        access += 1 + int(access * stride)
    assert kills > 3
    # The commit happened or did not; there is nothing between.
    assert seen <= {0, MANY}
    assert stride or seen == {0, MANY}
    repo.git("prune", "--expire=now")
    assert list((repo.path / "objects").rglob("tmp_*")) == []
    assert_tidy(repo)


def commit_until_killed(repo: GitRepo, event_number: int) -> bool:
    files = {f"k{event_number}/{name}": data for name, data in many().items()}
    return is_killed_in_commit(repo.path, files, event_number)


def test_git_that_repacks_all_the_time_takes_nothing_away(repo: GitRepo) -> None:
    rounds = 4

    def commit_often(worker: int) -> None:
        store = PromptStore.open(repo.path, lock_timeout=60)
        for number in range(rounds):
            store.commit({f"w{worker}/{name}": data for name, data in many(number).items()})

    def repack() -> None:
        for _ in range(rounds):
            repo.git("gc", "--quiet")

    race([partial(commit_often, 1), partial(commit_often, 2), repack])
    assert_tidy(repo)
    assert repo.git("rev-list", "--count", "main") == str(2 * rounds)
    store = PromptStore.open(repo.path)
    for name in many():
        assert store.get(f"w1/{name}").version == rounds


names = st.sampled_from(["a", "a.b", "a-b", "a0", "A", "b", "ab", "é", "x.yaml"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
edits = st.dictionaries(paths, st.none() | st.binary(max_size=3), min_size=1, max_size=8)


@settings(max_examples=40)
@given(steps=st.lists(edits, min_size=1, max_size=4), keeps_open=st.booleans())
def test_trees_are_those_that_git_makes(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[dict[str, bytes | None]],
    keeps_open: bool,
) -> None:
    repo = GitRepo.init(tmp_path_factory.mktemp("trees") / "repo", "--bare")
    # One that is open still has the trees that it wrote, and only changes ids in them.
    opened = Repository.discover(repo.path) if keeps_open else repo
    present: dict[str, bytes] = {}
    for step in steps:
        wanted = {path: data for path, data in step.items() if data is not None}
        taken = [*present, *wanted]
        if any(other.startswith(f"{path}/") for path in taken for other in taken):
            continue
        changed = {path: data for path, data in step.items() if data is not None or path in present}
        present = {path: data for path, data in (present | changed).items() if data is not None}
        if put(opened, changed) is None:
            continue
        lines = [f"100644 {blob_id(data)}\t{path}\n" for path, data in present.items()]
        repo.git("read-tree", "--empty")
        repo.git("update-index", "--index-info", stdin="".join(lines).encode())
        assert repo.git("rev-parse", "main^{tree}") == repo.git("write-tree")
        assert repo.git("fsck", "--strict", "--no-dangling") == ""


@pytest.mark.parametrize("path", [".git/a", "a/.GIT", "git~1/a", "a/.git /b", "../a"])
def test_a_path_that_git_would_not_check_out(repo: GitRepo, path: str) -> None:
    with pytest.raises(RepositoryError, match="invalid name"):
        put(repo, {path: b"x"})
    assert_tidy(repo)


people = st.fixed_dictionaries(
    {
        "name": st.text(st.characters(codec="utf-8", exclude_characters="\0\n<>"), min_size=1),
        "email": st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1),
        "time": st.integers(0, 2**33),
        "offset": st.integers(-14 * 60, 14 * 60),
    }
)
messages = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@settings(max_examples=15)
@given(author=people, committer=people, message=messages)
def test_commits_of_any_person_and_message_are_sound(
    tmp_path_factory: pytest.TempPathFactory,
    author: dict[str, Any],
    committer: dict[str, Any],
    message: str,
) -> None:
    repo = GitRepo.init(tmp_path_factory.mktemp("commits") / "repo", "--bare")
    try:
        note = CommitNote(pygit2.Signature(**author), pygit2.Signature(**committer), message)
    except ValueError:
        reject()
    commit = put(repo, {"a": b"1"}, note)
    assert commit is not None
    assert repo.git("fsck", "--strict", "--no-dangling") == ""
    told = repo.git("show", "--no-patch", "-z", "--format=%an%x00%cn%x00%B", commit)
    assert told.split("\0")[2] == message
    # Git drops what could end a name, at either end of it.
    assert told.split("\0")[0] in author["name"]
    assert told.split("\0")[1] in committer["name"]
