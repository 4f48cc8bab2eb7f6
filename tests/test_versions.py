"""Versions against git itself: the index must list what ``git log --first-parent`` lists."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptstore.errors import RepositoryError
from promptstore.git.objects import Link
from promptstore.git.reading import Repository
from promptstore.history.versions import Change, VersionIndex, index_file
from tests.gitrepo import GitRepo

NAMES = ["a", "b", "d/a", "d/b", "d", "d.yaml/x"]
PATHS = [f"prompts/{name}.yaml" for name in NAMES]


Step: TypeAlias = tuple[int, int | None, list[tuple[str, ...]]]
"""A commit of a random history: how far back its base is, what it merges, what it changes."""

contents = st.sampled_from(["one", "two", "three"])
modes = st.sampled_from(["100644", "100755", "120000"])
change = st.one_of(
    st.tuples(st.just("M"), modes, st.sampled_from([*PATHS, "notes.txt"]), contents),
    st.tuples(st.just("D"), st.sampled_from([*PATHS, "prompts"])),
)
histories = st.lists(
    st.tuples(st.integers(0, 3), st.none() | st.integers(0, 5), st.lists(change, max_size=4)),
    min_size=1,
    max_size=12,
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def stored_index(repository: Repository, root: str) -> Path:
    """Return the file of the index, which there can be here."""
    file = index_file(repository, root)
    assert file is not None
    return file


def fast_import(repo: GitRepo, steps: list[Step]) -> None:
    """Make commit n on the commit `base` steps before it, so that main's line jumps and forks."""
    stream: list[str] = []
    for number, (back, merged, changes) in enumerate(steps, 1):
        stream += ["reset refs/heads/main"] if number == 1 else []
        stream += [f"commit refs/heads/c{number}", f"mark :{number}"]
        stream += [f"committer Ada <ada@example.com> {1_700_000_000 + number * 60} +0000"]
        stream += [f"data {len(str(number))}", str(number)]
        base = number - 1 - back if number - 1 - back > 0 else number - 1
        if number > 1:
            stream.append(f"from :{base}")
            other = number - 1 - (merged or 0)
            if merged is not None and other > 0 and other != base:
                stream.append(f"merge :{other}")
        for kind, *rest in changes:
            if kind == "M":
                mode, path, text = rest
                stream += [f"M {mode} inline {path}", f"data {len(text)}", text]
            elif kind == "D":
                stream.append(f"D {rest[0]}")
    stream += ["reset refs/heads/main", f"from :{len(steps)}", ""]
    repo.git("fast-import", "--quiet", "--force", stdin="\n".join(stream).encode())


@contextmanager
def fresh_repo() -> Iterator[GitRepo]:
    folder = tempfile.mkdtemp()
    try:
        yield GitRepo.init(Path(folder) / "repo")
    finally:
        shutil.rmtree(folder)


def commits(changes: list[Change]) -> list[str]:
    return [change.commit for change in changes]


def assert_equals_git(
    repo: GitRepo, index: VersionIndex, names: list[str], rev: str, root: str = "prompts"
) -> None:
    timeline = index.at(repo.git("rev-parse", rev))
    newest, oldest = timeline.latest_of_all(), timeline.first_of_all()
    for name in names:
        expected = repo.versions(f"{root}/{name}.yaml".lstrip("/"), rev)
        history = timeline.history(name)
        assert commits(history) == expected
        assert [change.number for change in history] == list(range(len(expected), 0, -1))
        assert timeline.latest(name) == newest.get(name) == (history[0] if history else None)
        assert oldest.get(name) == (history[-1] if history else None)
        for change in history:
            assert timeline.nth(name, change.number) == change
        assert timeline.nth(name, len(expected) + 1) is None
    line = repo.git("log", "--first-parent", "--reverse", "--format=%H", rev).split()
    assert timeline.first_commit() == line[0]
    places = timeline.places()
    assert places == {name: line.index(newest[name].commit) + 1 for name in newest}


@settings(max_examples=40)
@given(histories, st.integers(1, 12))
def test_versions_equal_git_log_on_random_histories(steps: list[Step], seen_before: int) -> None:
    with fresh_repo() as repo:
        fast_import(repo, steps)
        index = VersionIndex(Repository.discover(repo.path), "prompts")
        # An index that grew from an earlier commit, or from another branch, must equal a new one.
        index.at(repo.git("rev-parse", f"c{min(seen_before, len(steps))}"))
        for rev in ("main", f"c{min(seen_before, len(steps))}"):
            assert_equals_git(repo, index, NAMES, rev)


def imported(repo: GitRepo, steps: list[Step], seen_before: list[int]) -> list[str]:
    """Make a history, and give its first commit, some others, and its newest one."""
    fast_import(repo, steps)
    revs = [repo.git("rev-parse", f"c{min(seen, len(steps))}") for seen in (1, *seen_before)]
    return [*revs, repo.head()]


def everything(
    repository: Repository,
    revs: list[str],
    *,
    root: str = "prompts",
    names: list[str] = NAMES,
) -> list[object]:
    """All versions with their entries at each rev, from an index that is made anew."""
    told: list[tuple[int, int]] = []
    stored_index(repository, root).unlink(missing_ok=True)
    index = VersionIndex(repository, root, lambda *step: told.append(step))
    answers: list[object] = [{name: index.at(rev).history(name) for name in names} for rev in revs]
    assert all(done <= total for done, total in told)
    return answers


@pytest.mark.parametrize("root", ["", "prompts", "prompts/d", "other/deep", "prompts/a.yaml"])
def test_a_root_at_any_depth_beside_other_files(repo: GitRepo, root: str) -> None:
    below = ["a.yaml", "d/b.yaml", "d/c.yaml/\u00e9 quoted.txt"]
    paths = [*below, *(f"prompts/{path}" for path in below), "other/deep/a.yaml", "other/code.py"]
    for number, path in enumerate([*paths, *reversed(paths)]):
        repo.commit({path: f"text: {number}\n"})
    repo.commit({path: f"all of {path}\n" for path in paths})
    repo.commit({"prompts/a.yaml": None, "other/deep/a.yaml": None})
    repo.commit({"prompts/a.yaml/a.yaml": "a folder\n", "other/deep": "a file\n"})
    repo.commit({"prompts/d/c.yaml/\u00e9 quoted.txt": None})
    names = ["a", "d/b", "d/c", "b", "c", "prompts/a", "prompts/d/c", "other/deep/a"]
    assert_equals_git(repo, VersionIndex(Repository.discover(repo.path), root), names, "HEAD", root)


LONG = 30


def long_history(repo: GitRepo) -> tuple[Repository, list[str]]:
    fast_import(repo, [(0, None, [("M", "100644", PATHS[0], str(n))]) for n in range(LONG)])
    return Repository.discover(repo.path), [repo.git("rev-parse", "main")]


@pytest.mark.parametrize(
    "settings",
    [
        ("log.showSignature", "true"),
        ("log.showRoot", "false"),
        ("log.date", "relative"),
        ("log.follow", "true"),
        ("log.diffMerges", "off"),
        ("diff.renames", "copies"),
        ("diff.orderFile", "no such file"),
        ("diff.noprefix", "true"),
        ("diff.relative", "true"),
        ("core.quotePath", "false"),
        ("color.ui", "always"),
        ("core.pager", "no-such-pager"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
    ],
    ids=lambda setting: setting[0],
)
def test_settings_of_git_change_no_version(repo: GitRepo, settings: tuple[str, str]) -> None:
    repository, revs = long_history(repo)
    expected = everything(repository, revs)
    repo.git("config", *settings)
    assert everything(repository, revs) == expected


def loose_history(repo: GitRepo) -> tuple[Repository, str]:
    """A long history, each object in a file of its own."""
    _, (tip,) = long_history(repo)
    for pack in (repo.path / ".git/objects/pack").glob("*.pack"):
        moved = pack.rename(repo.path / pack.name)
        repo.git("unpack-objects", "-q", stdin=moved.read_bytes())
    return Repository.discover(repo.path), tip


def object_file(repo: GitRepo, rev: str) -> Path:
    name = repo.git("rev-parse", rev)
    return repo.path / ".git" / "objects" / name[:2] / name[2:]


def replace(file: Path, other: Path) -> None:
    """Put one object where another belongs, undamaged in itself."""
    file.unlink()
    shutil.copy(other, file)


@pytest.mark.parametrize("kept", ["main^{tree}", "main:prompts"])
def test_a_tree_that_is_another_one_is_not_believed(repo: GitRepo, kept: str) -> None:
    repository, tip = loose_history(repo)
    replace(object_file(repo, kept.replace("main", "main~3")), object_file(repo, kept))
    with pytest.raises(RepositoryError, match="damaged"):
        VersionIndex(repository, "prompts").at(tip)


def test_a_commit_that_is_another_one_is_not_believed(repo: GitRepo) -> None:
    repository, tip = loose_history(repo)
    replace(object_file(repo, "main~25"), object_file(repo, "main~27"))
    with pytest.raises(RepositoryError, match="damaged"):
        VersionIndex(repository, "prompts").at(tip)


def test_objects_in_packs_in_files_and_in_another_repository(repo: GitRepo) -> None:
    repository, revs = long_history(repo)
    expected = everything(repository, revs)
    repo.git("repack", "-a", "-d", "--quiet")
    assert everything(Repository.discover(repo.path), revs) == expected

    borrowing = GitRepo(repo.path.parent / "borrowing")
    repo.git("clone", "--quiet", "--shared", str(repo.path), str(borrowing.path))
    assert everything(Repository.discover(borrowing.path), revs) == expected
    for number in range(LONG):
        borrowing.commit({PATHS[0]: f"{number} more"})
    repository, revs = Repository.discover(borrowing.path), [borrowing.head()]
    (versions,) = everything(repository, revs)
    assert isinstance(versions, dict)
    assert commits(versions[NAMES[0]]) == borrowing.versions(PATHS[0])


def test_new_commits_are_found_though_older_ones_cannot_be_read(repo: GitRepo) -> None:
    repository, tip = loose_history(repo)
    VersionIndex(repository, "prompts").at(repo.git("rev-parse", "main~20"))
    expected = repo.versions(PATHS[0])
    object_file(repo, "main~22").unlink()
    index = VersionIndex(Repository.discover(repo.path), "prompts")
    assert commits(index.at(tip).history(NAMES[0])) == expected
    stored_index(repository, "prompts").unlink()
    index = VersionIndex(Repository.discover(repo.path), "prompts")
    with pytest.raises(RepositoryError, match="is missing"):
        index.at(tip)


def test_what_another_process_stores_meanwhile_is_found(repo: GitRepo) -> None:
    repository, (tip,) = long_history(repo)

    class Overtaken(Repository):
        """A repository whose history another process indexes just when it is walked."""

        def walk(self, tip: str) -> Iterator[Link]:
            VersionIndex(repository, "prompts").at(tip)
            return super().walk(tip)

    VersionIndex(repository, "prompts").at(repo.git("rev-parse", "main~5"))
    slow = VersionIndex(Overtaken.discover(repo.path), "prompts")
    assert len(slow.at(tip).history(NAMES[0])) == LONG
    fresh = VersionIndex(Overtaken.discover(repo.path), "prompts")
    stored_index(repository, "prompts").unlink()
    assert len(fresh.at(tip).history(NAMES[0])) == LONG


def test_replaced_and_grafted_commits_change_no_version(repo: GitRepo) -> None:
    repository, revs = long_history(repo)
    expected = everything(repository, revs)
    repo.git("replace", "--graft", "main", "main~9")
    repo.write(".git/info/grafts", f"{revs[0]} {repo.git('rev-parse', 'main~5')}\n")
    assert everything(repository, revs) == expected


def test_merges_renames_and_removals(repo: GitRepo) -> None:
    repo.commit({"prompts/a.yaml": "prompt: 1\n"})
    repo.git("checkout", "--quiet", "-b", "side")
    repo.commit({"prompts/a.yaml": "prompt: 2\n"})
    repo.commit({"prompts/a.yaml": "prompt: 3\n"})
    repo.git("checkout", "--quiet", "main")
    repo.commit({"prompts/b.yaml": "prompt: b\n"})
    repo.git("merge", "--quiet", "--no-ff", "--message", "merge", "side")
    repo.git("mv", "prompts/b.yaml", "prompts/c.yaml")
    repo.commit({}, "rename")
    repo.git("update-index", "--chmod=+x", "prompts/a.yaml")
    repo.git("commit", "--quiet", "--message", "mode")
    repo.commit({"prompts/a.yaml": None}, "remove")
    repo.commit({"prompts/a.yaml": "prompt: 1\n"}, "back")

    timeline = VersionIndex(Repository.discover(repo.path), "prompts").at(repo.head())

    subjects = [repo.git("show", "-s", "--format=%s", c.commit) for c in timeline.history("a")]
    assert subjects == ["back", "remove", "mode", "merge", "change"]
    assert [change.entry is None for change in timeline.history("a")] == [
        False,
        True,
        False,
        False,
        False,
    ]
    assert commits(timeline.history("b")) == repo.versions("prompts/b.yaml")
    assert commits(timeline.history("c")) == repo.versions("prompts/c.yaml")


def test_this_repository_too() -> None:
    here = Path(__file__).parent.parent
    if not (here / ".git").exists():
        pytest.skip("the tests run outside a clone, as in an unpacked source archive")
    repo = GitRepo(here)
    if repo.git("rev-parse", "--is-shallow-repository") == "true":
        pytest.skip("a shallow clone has no version numbers")
    names = [
        path.removeprefix("prompts/").removesuffix(".yaml")
        for path in repo.git("ls-files", "prompts").splitlines()
    ]
    assert names
    assert_equals_git(repo, VersionIndex(Repository.discover(here), "prompts"), names, "HEAD")


def two_lines(repo: GitRepo) -> list[str]:
    """A history of 5 versions of `a`; gives the commits that git lists."""
    for number in range(5):
        repo.commit({"prompts/a.yaml": f"prompt: {number}\n"})
    return repo.versions("prompts/a.yaml")


def answer(repo: GitRepo) -> list[str]:
    index = VersionIndex(Repository.discover(repo.path), "prompts")
    return commits(index.at(repo.head()).history("a"))


def lose(file: Path) -> None:
    file.unlink()


def garble(file: Path) -> None:
    file.write_bytes(b"this is not an index" * 100)


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def overwrite_middle(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096:] = b"\xff" * len(data[4096:])
    file.write_bytes(data)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def block(file: Path) -> None:
    """Put a folder where the index file belongs: it can be neither read, written nor removed."""
    file.unlink()
    (file / "in the way").mkdir(parents=True)


def block_folder(file: Path) -> None:
    shutil.rmtree(file.parent)
    file.parent.write_text("in the way")


@pytest.mark.parametrize(
    "damage", [lose, garble, truncate, overwrite_middle, empty, block, block_folder]
)
def test_the_index_is_only_a_cache(repo: GitRepo, damage: Callable[[Path], None]) -> None:
    expected = two_lines(repo)
    assert answer(repo) == expected
    file = stored_index(Repository.discover(repo.path), "prompts")
    assert file.is_file()

    damage(file)
    assert answer(repo) == expected
    repo.commit({"prompts/a.yaml": "prompt: more\n"})
    assert answer(repo) == repo.versions("prompts/a.yaml")


def test_damage_while_it_is_open(repo: GitRepo) -> None:
    expected = two_lines(repo)
    repository = Repository.discover(repo.path)
    index = VersionIndex(repository, "prompts")
    timeline = index.at(repo.head())
    garble(stored_index(repository, "prompts"))
    assert commits(timeline.history("a")) == expected
    assert commits(index.at(repo.head()).history("a")) == expected


def test_a_stale_index_grows_by_the_new_commits_only(repo: GitRepo) -> None:
    two_lines(repo)
    answer(repo)
    told: list[tuple[int, int]] = []
    for _ in range(3):
        repo.commit({"prompts/a.yaml": f"prompt: {repo.clock}\n"})
    index = VersionIndex(Repository.discover(repo.path), "prompts", lambda *c: told.append(c))
    assert commits(index.at(repo.head()).history("a")) == repo.versions("prompts/a.yaml")
    assert told[-1] == (3, 3)


def test_commits_are_found_by_their_id_without_a_scan(repo: GitRepo) -> None:
    two_lines(repo)
    answer(repo)
    file = stored_index(Repository.discover(repo.path), "prompts")
    with closing(sqlite3.connect(file)) as connection:
        plan = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM link WHERE id = x'00'")
        assert "INDEX link_id (id=?)" in str(plan.fetchall())


def test_a_rewritten_branch_is_read_anew(repo: GitRepo) -> None:
    two_lines(repo)
    answer(repo)
    repo.git("reset", "--quiet", "--hard", "HEAD~3")
    repo.commit({"prompts/a.yaml": "prompt: another way\n"})
    assert answer(repo) == repo.versions("prompts/a.yaml")
    assert len(answer(repo)) == 3


def test_the_index_lies_where_only_the_user_writes(repo: GitRepo) -> None:
    two_lines(repo)
    answer(repo)
    assert repo.git("status", "--porcelain", "--ignored") == ""
    assert not [*repo.path.rglob("*.sqlite")]
    linked = repo.path.parent / "linked"
    repo.git("worktree", "add", "--quiet", str(linked), "-b", "other")
    shared = stored_index(Repository.discover(linked), "prompts")
    assert shared == stored_index(Repository.discover(repo.path), "prompts")


def test_an_index_in_the_git_directory_is_not_read(repo: GitRepo) -> None:
    expected = two_lines(repo)
    answer(repo)
    file = stored_index(Repository.discover(repo.path), "prompts")
    planted = repo.path / ".git/promptstore" / file.name
    planted.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE change SET number = number + 1")
        connection.commit()
    file.replace(planted)
    assert answer(repo) == expected


def test_without_a_folder_of_its_own_the_index_is_in_memory(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open/promptstore").mkdir()
    (tmp_path / "open/promptstore").chmod(0o777)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "open"))
    assert index_file(Repository.discover(repo.path), "prompts") is None
    expected = two_lines(repo)
    assert answer(repo) == expected


def test_two_roots_have_their_own_numbers(repo: GitRepo) -> None:
    repo.commit({"prompts/a.yaml": "1", "other/a.yaml": "1"})
    repo.commit({"other/a.yaml": "2"})
    repository = Repository.discover(repo.path)
    numbers = [
        change.number
        for root in ("prompts", "other")
        if (change := VersionIndex(repository, root).at(repo.head()).latest("a"))
    ]
    assert numbers == [1, 2]


def _answer_in_process(path: str, start: object, results: object) -> None:
    start.wait()  # type: ignore[attr-defined]
    results.put(answer(GitRepo(Path(path))))  # type: ignore[attr-defined]


def test_two_processes_may_build_it_at_once(repo: GitRepo) -> None:
    for number in range(30):
        repo.commit({"prompts/a.yaml": f"prompt: {number}\n"})
    expected = repo.versions("prompts/a.yaml")
    context = multiprocessing.get_context("spawn")
    for _ in range(3):
        stored_index(Repository.discover(repo.path), "prompts").unlink(missing_ok=True)
        start, results = context.Barrier(2), context.Queue()
        workers = [
            context.Process(target=_answer_in_process, args=(str(repo.path), start, results))
            for _ in range(2)
        ]
        for worker in workers:
            worker.start()
        assert [results.get(timeout=60) for _ in workers] == [expected, expected]
        for worker in workers:
            worker.join()
        assert answer(repo) == expected


def test_threads_share_one_index(repo: GitRepo) -> None:
    expected = two_lines(repo)
    index = VersionIndex(Repository.discover(repo.path), "prompts")
    head = repo.head()
    answers: list[list[str]] = []

    def ask() -> None:
        answers.extend(commits(index.at(head).history("a")) for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected] * 80


def test_a_fork_inherits_a_working_index(repo: GitRepo) -> None:
    expected = two_lines(repo)
    index = VersionIndex(Repository.discover(repo.path), "prompts")
    head = repo.head()
    assert commits(index.at(head).history("a")) == expected
    child = os.fork()
    if child == 0:
        fine = commits(index.at(head).history("a")) == expected
        os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert commits(index.at(head).history("a")) == expected


def test_the_newest_commit_of_a_time(repo: GitRepo) -> None:
    made = [repo.commit({"prompts/a.yaml": f"prompt: {n}\n"}) for n in range(3)]
    timeline = VersionIndex(Repository.discover(repo.path), "prompts").at(made[-1])
    times = [int(repo.git("show", "-s", "--format=%ct", commit)) for commit in made]
    assert [timeline.commit_at(time) for time in times] == made
    assert timeline.commit_at(times[1] + 0.5) == made[1]
    assert timeline.commit_at(times[0] - 1) is None
    assert timeline.commit_at(times[2] + 10**6) == made[2]
