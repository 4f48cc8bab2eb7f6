"""Objects as promptstore stores them: git itself must find nothing wrong with them."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import cast

import pygit2
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from promptstore.errors import RepositoryError
from promptstore.git import (
    CommitNote,
    FileChange,
    Patience,
    Repository,
    Signature,
    blob_id,
    update_branch,
)
from promptstore.git.objects import NewObjects, PackedObject, pack_index
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.processes import is_killed_in_commit, race
from tests.writing.conftest import assert_tidy, configure

MANY = 150
"""Prompts of a commit that is stored as a pack."""


def many(number: int = 0) -> dict[str, bytes]:
    return {f"team-{i % 7}/p{i}": f"prompt: {number} {i}\n".encode() for i in range(MANY)}


def counts(repo: GitRepo) -> tuple[int, int]:
    """Count the packs and the loose objects."""
    lines = repo.git("count-objects", "-v").splitlines()
    found = dict(line.split(": ") for line in lines)
    assert found["garbage"] == "0"
    return int(found["packs"]), int(found["count"])


ADA = Signature("Ada Example", "ada@example.com")
PUT = CommitNote(ADA, ADA, "put")


def put(
    repo: GitRepo | Repository, files: Mapping[str, bytes | None], note: CommitNote = PUT
) -> str | None:
    """Commit files by path, in a repository that is open already or that is opened anew."""
    return update_branch(
        repo if isinstance(repo, Repository) else Repository.discover(repo.path),
        "main",
        lambda _: [FileChange(path, path, data) for path, data in files.items()],
        note,
        patience=Patience(5),
    )


@pytest.mark.parametrize("options", [(), ("--bare",)], ids=["checked out", "bare"])
class TestManyInOneCommit:
    def test_are_one_pack_that_git_can_work_with(
        self, tmp_path: Path, options: tuple[str, ...]
    ) -> None:
        repo = configure(GitRepo.init(tmp_path / "repo", *options))
        store = PromptStore.open(repo.path)
        written = store.commit(many())
        assert {prompt.version for prompt in written.values()} == {1}
        # The commit itself is the only loose object.
        assert counts(repo) == (1, 1)
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


def test_a_few_are_loose(repo: GitRepo, store: PromptStore) -> None:
    store.commit(dict(list(many().items())[:20]))
    packs, loose = counts(repo)
    assert packs == 0
    assert loose > 20
    assert_tidy(repo)


class TestPacks:
    def test_of_any_size_have_the_index_that_git_makes(self, tmp_path: Path) -> None:
        repo = GitRepo.init(tmp_path / "repo")
        objects = NewObjects(repo.path / ".git/objects")
        chance = random.Random(1)
        for size in [*range(100), 15, 16, 2047, 2048, 2**18 - 1, 2**18, 1_000_000]:
            objects.add("blob", chance.randbytes(size))
        objects.store()
        (pack,) = (repo.path / ".git/objects/pack").glob("*.pack")
        again = tmp_path / "again.idx"
        repo.git("index-pack", "--strict", "-o", str(again), str(pack))
        assert pack.with_suffix(".idx").read_bytes() == again.read_bytes()
        repo.git("verify-pack", str(pack))
        assert pack.stat().st_mode & 0o777 == 0o444

    def test_beyond_two_gibibytes_have_long_offsets(self, repo: GitRepo) -> None:
        offsets = [12, 2**31 - 1, 2**31, 2**40 + 5]
        packed = [
            PackedObject(bytes([number]) * 20, number, offset)
            for number, offset in enumerate(offsets)
        ]
        index = pack_index(packed, b"p" * 20)
        shown = [line.split() for line in repo.git("show-index", stdin=index).splitlines()]
        assert shown == [
            [str(offset), f"{number:02x}" * 20, f"({number:08x})"]
            for number, offset in enumerate(offsets)
        ]


def test_a_kill_while_many_are_written_leaves_nothing_broken(tmp_path: Path) -> None:
    repo = configure(GitRepo.init(tmp_path / "repo", "--bare"))
    for first in range(256):
        # Else the ids would decide how many accesses there are, and one could be passed over.
        (repo.path / f"objects/{first:02x}").mkdir()
    store = PromptStore.open(repo.path, lock_timeout=5)
    kills, seen = 0, set()
    while commit_until_killed(repo, kills + 1):
        kills += 1
        assert repo.git("fsck", "--strict", "--no-dangling") == ""
        store.save("next", f"prompt: saved {kills}\n".encode())
        seen.add(len(store.names(f"k{kills}/")))
        assert_tidy(repo)
    assert kills > 10
    # The commit happened or did not; there is nothing between.
    assert seen == {0, MANY}
    assert list((repo.path / "objects").rglob("tmp_pack_*")) != []
    repo.git("prune", "--expire=now")
    assert list((repo.path / "objects").rglob("tmp_*")) == []
    assert_tidy(repo)


def commit_until_killed(repo: GitRepo, event_number: int) -> bool:
    files = {f"k{event_number}/{name}": data for name, data in many().items()}
    return is_killed_in_commit(repo.path, files, event_number)


def test_git_that_repacks_all_the_time_takes_nothing_away(repo: GitRepo) -> None:
    rounds = 8

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
    with pytest.raises(RepositoryError, match="invalid path"):
        put(repo, {path: b"x"})
    assert counts(repo) == (0, 0)
    assert_tidy(repo)


def test_an_id_that_looks_like_an_entry_is_left_alone(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "repo", "--bare")
    # From the beginning of the id of Z on, the tree reads like the entry of b.
    ids = {
        "Z": b"100644 b\0" + b"\1" * 11,
        "a": b"\2" * 20,
        "b": b"\1" * 11 + b"100644 a\0",
    }
    lines = [f"100644 blob {raw_id.hex()}\t{name}\n" for name, raw_id in ids.items()]
    tree = repo.git("mktree", "--missing", stdin="".join(lines).encode())
    repo.git("update-ref", "refs/heads/main", repo.git("commit-tree", "-m", "odd", tree))
    opened = Repository.discover(repo.path)
    for files in ({"c": b"new"}, {"b": b"new"}):
        put(opened, files)
    listed = repo.git("ls-tree", "--format=%(path) %(objectname)", "main").splitlines()
    new = blob_id(b"new")
    assert listed == [f"Z {ids['Z'].hex()}", f"a {ids['a'].hex()}", f"b {new}", f"c {new}"]


people = st.builds(
    Signature,
    st.text(st.characters(codec="utf-8", exclude_characters="\0\n<>"), min_size=1),
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1),
)
messages = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@given(author=people, committer=people, message=messages)
def test_commits_are_those_that_libgit2_makes(
    tmp_path_factory: pytest.TempPathFactory,
    author: Signature,
    committer: Signature,
    message: str,
) -> None:
    repo = GitRepo.init(tmp_path_factory.mktemp("commits") / "repo", "--bare")
    opened = Repository.discover(repo.path)
    try:
        pygit2.Signature(*author), pygit2.Signature(*committer)
    except ValueError:
        reject()
    put(opened, {"a": b"1"})
    parent = opened.tip("main")
    commit = put(opened, {"a": b"2"}, CommitNote(author, committer, message))
    assert commit is not None
    assert parent is not None
    handle = opened.handle
    made = cast("pygit2.Commit", handle[commit])
    moment = made.committer.time, made.committer.offset
    wanted = handle.create_commit_string(
        pygit2.Signature(*author, *moment),
        pygit2.Signature(*committer, *moment),
        message,
        made.tree_id,
        [pygit2.Oid(hex=parent)],
    )
    assert made.read_raw() == str(wanted).encode()
    # The one that wrote it knows it without reading it.
    assert opened.commit(commit) == Repository.discover(repo.path).commit(commit)


def blocks(size: int) -> int:
    return -(-size // 4096)


@pytest.mark.parametrize("size", [0, 1, 4075, 4076, 8182, 8183, 70_000])
@pytest.mark.parametrize("makes", [bytes, random.Random(1).randbytes], ids=["zeros", "noise"])
def test_loose_objects_of_any_size_are_read_by_git_and_libgit2(
    repo: GitRepo, size: int, makes: Callable[[int], bytes]
) -> None:
    objects, data = NewObjects(repo.path / ".git/objects"), makes(size)
    name = objects.add("blob", data)
    objects.store()
    assert counts(repo) == (0, 1)
    (file,) = (repo.path / ".git/objects").glob("??/*")
    assert file.stat().st_mode & 0o777 == 0o444
    # A file takes whole blocks of the disk, so that is all that compressing could save.
    compressed = zlib.compress(b"blob %d\0" % size + data, 1)
    assert blocks(file.stat().st_size) == blocks(len(compressed))
    assert repo.git("hash-object", "--stdin", stdin=data) == name
    repo.git("fsck", "--strict")
    assert Repository.discover(repo.path).blob(name) == data
    assert repo.git("cat-file", "-s", name) == str(size)
    repo.git("update-ref", "refs/tags/kept", name)
    repo.git("gc", "--quiet", "--prune=now")
    assert Repository.discover(repo.path).blob(name) == data
