"""Damage is an error that says what is damaged: it never hangs, and never passes for absence."""

from __future__ import annotations

import os
import random
import re
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from promptstore import PromptStore
from promptstore.errors import PromptStoreError, RepositoryError, RevisionNotFoundError
from promptstore.git.reading import Repository
from promptstore.git.revs import is_ancestor
from promptstore.history.labels import BRANCH
from promptstore.history.versions import Change, VersionIndex
from tests.gitrepo import GitRepo
from tests.test_versions import stored_index

ADA = "Ada <ada@example.com>"


def fresh_text() -> str:
    """A prompt that was never parsed, so that no cache knows it."""
    lines = (f"  Line {number} of {uuid4()}.\n" for number in range(50))
    return "".join(["prompt: |\n", *lines])


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """End the whole process if it hangs: libgit2 holds Python's lock, so nothing else could."""
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def object_file(repo: GitRepo, rev: str) -> Path:
    name = repo.git("rev-parse", rev)
    return repo.path / ".git/objects" / name[:2] / name[2:]


def cut(file: Path, size: int) -> None:
    file.chmod(0o644)
    os.truncate(file, size)


@pytest.fixture
def loose(repo: GitRepo) -> GitRepo:
    """Two versions, each object in a file of its own."""
    repo.commit({"prompts/a.yaml": "prompt: Hi\n", "prompts/b.yaml": "prompt: B\n"})
    repo.commit({"prompts/a.yaml": fresh_text()})
    return repo


KINDS = ["main:prompts/a.yaml", "main:prompts", "main^{tree}", "main", "main~1"]


@pytest.mark.parametrize("rev", KINDS)
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.8, 0.99])
def test_an_object_that_is_cut_off_is_named(loose: GitRepo, rev: str, kept: float) -> None:
    file = object_file(loose, rev)
    name = file.parent.name + file.name
    cut(file, int(file.stat().st_size * kept))
    questions: list[Callable[[PromptStore], object]] = [
        lambda store: store.get("a"),
        lambda store: store.get("a", version=2),
        lambda store: store.list(),
        lambda store: store.history("a"),
        lambda store: store.get("a", rev="main~1^0"),
        lambda store: store.common_ancestor("main", "main~1"),
        lambda store: is_ancestor(store.repository, loose.head(), loose.head()),
    ]
    told = []
    for question in questions:
        with within(5):
            try:
                question(PromptStore.open(loose.path))
            except PromptStoreError as error:
                told.append(str(error))
    assert told
    assert all(name in text and "git fsck" in text for text in told)


def test_what_is_not_damaged_is_read_all_the_same(loose: GitRepo) -> None:
    cut(object_file(loose, "main:prompts/a.yaml"), 40)
    store = PromptStore.open(loose.path)
    with within(5), pytest.raises(RepositoryError, match="is damaged"):
        store.get("a")
    assert store.get("b").prompt == "B"


def test_a_damaged_file_can_be_removed_where_a_pack_holds_the_object_too(loose: GitRepo) -> None:
    loose.git("repack", "-a", "-q")
    cut(object_file(loose, "main:prompts/a.yaml"), 40)
    store = PromptStore.open(loose.path)
    with within(5), pytest.raises(RepositoryError, match="is damaged") as caught:
        store.get("a")
    hint = re.search(r"remove (objects/\S+)", str(caught.value))
    assert hint is not None
    (loose.path / ".git" / hint[1]).unlink()
    assert store.get("a").prompt


def test_a_damaged_object_of_another_repository_is_named_too(
    loose: GitRepo, tmp_path: Path
) -> None:
    loose.git("clone", "--quiet", "--shared", str(loose.path), str(tmp_path / "borrowing"))
    cut(object_file(loose, "main:prompts/a.yaml"), 40)
    with within(5), pytest.raises(RepositoryError, match="is damaged"):
        PromptStore.open(tmp_path / "borrowing").get("a")


@pytest.fixture
def labelled(repo: GitRepo, tmp_path: Path) -> GitRepo:
    """A clone whose own label points at version 2, and its origin's at version 1."""
    repo.commit({"prompts/a.yaml": "prompt: one\n"})
    repo.commit({"prompts/a.yaml": "prompt: two\n"})
    PromptStore.open(repo.path).set_label("a", "production", version=1, author=ADA)
    clone = repo.clone(tmp_path / "clone")
    store = PromptStore.open(clone.path)
    assert store.get("a", label="production").prompt == "one"
    store.set_label("a", "production", version=2, author=ADA)
    assert store.get("a", label="production").prompt == "two"
    return clone


@pytest.mark.parametrize("content", ["", "garbage\n", "1" * 40 + "\n"])
def test_a_damaged_labels_branch_is_no_reason_to_read_older_labels(
    labelled: GitRepo, content: str
) -> None:
    store = PromptStore.open(labelled.path)
    (labelled.path / f".git/refs/heads/{BRANCH}").write_text(content)
    for place in (store, PromptStore.open(labelled.path)):
        with pytest.raises(RepositoryError, match="git fsck"):
            place.get("a", label="production")
        with pytest.raises(RepositoryError, match="git fsck"):
            place.labels()
    assert store.get("a", label="production", fallback="spare").is_fallback


def test_head_with_a_missing_tip_is_not_the_head_of_the_origin(labelled: GitRepo) -> None:
    (labelled.path / ".git/refs/heads/main").write_text("1" * 40 + "\n")
    for rev in ("HEAD", "main", "1" * 40 + "~1"):
        with pytest.raises(PromptStoreError, match="1111111"):
            PromptStore.open(labelled.path).get("a", rev=rev)
    with pytest.raises(RepositoryError, match="git fsck"):
        PromptStore.open(labelled.path).get("a")


def test_an_unborn_head_is_not_the_head_of_the_origin(labelled: GitRepo) -> None:
    labelled.git("symbolic-ref", "HEAD", "refs/heads/unborn")
    with pytest.raises(RevisionNotFoundError):
        PromptStore.open(labelled.path).get("a", rev="HEAD")


@pytest.mark.parametrize("part", ["refs", "objects", "HEAD"])
@pytest.mark.parametrize("is_bare", [False, True])
def test_an_incomplete_git_directory_is_no_plain_folder(
    repo: GitRepo, tmp_path: Path, part: str, is_bare: bool
) -> None:
    repo.commit({"prompts/a.yaml": "prompt: one\n"})
    place = repo.clone(tmp_path / "bare.git", "--bare").path if is_bare else repo.path
    git_dir = place if is_bare else place / ".git"
    (place / "prompts").mkdir(exist_ok=True)
    (git_dir / part).rename(tmp_path / "kept")
    with pytest.raises(RepositoryError, match=rf"holds no {part}.*git fsck"):
        PromptStore.open(place)
    # What the error says brings back a repository that git can check.
    if part == "HEAD":
        (git_dir / part).write_text("ref: refs/heads/main\n")
    else:
        (git_dir / part).mkdir()
    Repository.discover(place)


def test_an_inner_repository_that_is_damaged_is_not_passed_over(repo: GitRepo) -> None:
    repo.commit({"prompts/a.yaml": "prompt: outer\n"})
    inner = GitRepo.init(repo.path / "inner")
    inner.commit({"prompts/a.yaml": "prompt: inner\n"})
    (inner.path / ".git/refs").rename(inner.path / ".git/lost")
    with pytest.raises(RepositoryError, match=r"inner/\.git"):
        PromptStore.open(inner.path)


def test_a_link_to_a_git_directory_that_is_gone(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"prompts/a.yaml": "prompt: one\n"})
    linked = tmp_path / "linked"
    repo.git("worktree", "add", "--quiet", str(linked), "-b", "other")
    repo.path.rename(tmp_path / "moved")
    with pytest.raises(RepositoryError, match="git worktree repair"):
        PromptStore.open(linked)


def test_an_empty_folder_called_git_is_no_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/a.yaml").write_text("prompt: one\n")
    assert PromptStore.open(tmp_path).get("a").prompt == "one"


def make_history(repo: GitRepo) -> list[str]:
    """Make prompts with some versions each, on a branch that was rewritten."""
    names = [f"p{number}" for number in range(12)]
    repo.commit({f"prompts/{name}.yaml": f"prompt: {name}\n" for name in names})
    for number in range(18):
        repo.commit({f"prompts/{names[number % 7]}.yaml": f"prompt: '{number}'\n"})
    VersionIndex(Repository.discover(repo.path), "prompts").at(repo.head())
    repo.git("reset", "--quiet", "--hard", "HEAD~5")
    for number in range(6):
        repo.commit({f"prompts/{names[number % 5]}.yaml": f"prompt: 'again {number}'\n"})
    return names


Answers = dict[str, tuple[list[Change], Change | None, Change | None]]


def answers(repo: GitRepo, names: list[str]) -> Answers:
    timeline = VersionIndex(Repository.discover(repo.path), "prompts").at(repo.head())
    return {
        name: (timeline.history(name), timeline.latest(name), timeline.nth(name, 2))
        for name in names
    }


@pytest.mark.parametrize("flips", [pytest.param(120), pytest.param(2_000, marks=pytest.mark.slow)])
def test_a_flipped_bit_in_the_index_changes_no_answer(repo: GitRepo, flips: int) -> None:
    names = make_history(repo)
    expected = answers(repo, names)
    file = stored_index(Repository.discover(repo.path), "prompts")
    sound = file.read_bytes()
    chance = random.Random(11)
    for _ in range(flips):
        data = bytearray(sound)
        data[chance.randrange(100, len(data))] ^= 1 << chance.randrange(8)
        file.write_bytes(data)
        assert answers(repo, names) == expected
        # What was found to be damaged is made anew, not stepped over each time.
        assert answers(repo, names) == expected


def test_a_commit_that_the_index_cannot_find_again_makes_it_anew(repo: GitRepo) -> None:
    """SQLite keeps each id twice: in its row, and in the order by which the row is found.

    What stands before the id in its row says of which kind the row's position is, among others.
    """
    names = make_history(repo)
    expected = answers(repo, names)
    file = stored_index(Repository.discover(repo.path), "prompts")
    sound = file.read_bytes()
    places = [found.start() for found in re.finditer(re.escape(bytes.fromhex(repo.head())), sound)]
    assert len(places) > 1
    for place in (place + before for place in places for before in (-7, -6, -5, 0)):
        for bit in (0, 1, 7):
            data = bytearray(sound)
            data[place] ^= 1 << bit
            file.write_bytes(data)
            assert answers(repo, names) == expected


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE change SET number = number + 1",
        "UPDATE change SET blob = x'00' WHERE number = 1",
        "UPDATE link SET id = randomblob(20) WHERE position = 3",
        "UPDATE segment SET fork = fork - 1",
        "DELETE FROM change WHERE number = 2",
        "DELETE FROM change WHERE position = (SELECT MAX(position) FROM change)",
        "DELETE FROM link WHERE position = 2",
        "DROP TABLE link",
    ],
)
def test_a_changed_row_makes_the_index_anew(repo: GitRepo, change: str) -> None:
    names = make_history(repo)
    expected = answers(repo, names)
    file = stored_index(Repository.discover(repo.path), "prompts")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(change)
    assert answers(repo, names) == expected


def test_a_damaged_index_that_cannot_be_removed_is_passed_over(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = make_history(repo)
    expected = answers(repo, names)
    file = stored_index(Repository.discover(repo.path), "prompts")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE change SET number = number + 1")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "unlink", refuse)
    assert answers(repo, names) == expected


@pytest.mark.parametrize("descriptors", [0, 1, 2, 3, 5, 8, 13])
def test_no_raw_error_where_descriptors_run_out(repo: GitRepo, descriptors: int) -> None:
    resource = pytest.importorskip("resource")
    repo.commit({"prompts/a.yaml": "prompt: one\n", "prompts/b.yaml": "prompt: two\n"})
    repo.commit({"prompts/a.yaml": "prompt: newer\n"})
    repo.git("gc", "--quiet")
    PromptStore.open(repo.path).render("a")  # loads every module
    store = PromptStore.open(repo.path)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + descriptors, limits[1]))
    outcomes: list[object] = []
    try:
        for ask in (
            lambda: store.get("a").prompt,
            lambda: store.get("a", version=1).prompt,
            lambda: store.get("a", fallback="spare").prompt,
            lambda: [prompt.prompt for prompt in store.list()],
            lambda: [version.number for version in store.history("a")],
            lambda: PromptStore.open(repo.path).get("b").prompt,
        ):
            try:
                outcomes.append(ask())
            except PromptStoreError as error:
                outcomes.append(error)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(outcomes) == 6
    assert outcomes[2] in ("newer", "spare")
    assert store.get("a").prompt == "newer"
    assert [version.number for version in store.history("a")] == [2, 1]


def test_a_pruned_blob_is_an_error_of_ours(loose: GitRepo) -> None:
    object_file(loose, "main:prompts/a.yaml").unlink()
    store = PromptStore.open(loose.path)
    with pytest.raises(RepositoryError, match=r"is missing.*git fsck"):
        store.get("a")
    assert store.get("a", fallback="spare").is_fallback
