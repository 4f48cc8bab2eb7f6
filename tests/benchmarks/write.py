"""Writing prompts: one among many, many by two processes, very many at once."""

from __future__ import annotations

import statistics
import subprocess
import sys
from functools import partial
from itertools import count
from pathlib import Path

import pygit2
from pygit2.enums import FileMode

from promptstore import PromptStore
from tests.benchmarks.harness import OURS, Goal, Report, Result, once
from tests.benchmarks.places import Places
from tests.benchmarks.repos import PERSON, Shape, git, make_repository, prompt_file, prompt_name

NAME = prompt_name(42)
_SAVE_OFTEN = """\
import sys
from promptstore import PromptStore
path, name, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = PromptStore.open(path)
for number in range(times):
    store.save(name, f"prompt: {name} {number}\\n".encode(), author="Ada <ada@example.com>")
"""


def run(report: Report, places: Places) -> None:
    """Measure saves and commits."""
    _one(report, places)
    _one_in_a_clone(report, places)
    _two_processes(report, places)
    _very_many(report, places)


def _one(report: Report, places: Places) -> None:
    ours, theirs = (places.copy(places.large, f"saves-{who}") for who in ("ours", "theirs"))
    store, numbers = PromptStore.open(ours), count(1)
    store.save(NAME, prompt_file(42, 10**7), author=PERSON)
    repository = pygit2.Repository(str(theirs))
    floor = "tree builders + create_commit"
    report.compare(
        f"save of one prompt among {places.large_shape.prompts:,}, bare",
        {
            OURS: lambda: store.save(NAME, prompt_file(42, next(numbers)), author=PERSON),
            floor: lambda: _commit(repository, prompt_file(42, next(numbers))),
        },
    )


def _one_in_a_clone(report: Report, places: Places) -> None:
    ours, theirs = (places.copy(places.clone, f"clone-{who}") for who in ("ours", "theirs"))
    git(ours, "status")
    git(theirs, "status")
    store, numbers = PromptStore.open(ours), count(1)
    program = "git add + git commit"

    def save() -> None:
        store.save(NAME, prompt_file(42, next(numbers)), author=PERSON)

    def add_and_commit() -> None:
        (theirs / f"prompts/{NAME}.yaml").write_bytes(prompt_file(42, next(numbers)))
        for words in (("add", f"prompts/{NAME}.yaml"), ("commit", "--quiet", "-m", "edit")):
            subprocess.run(["git", "-C", str(theirs), *words], check=True)

    report.compare(
        f"save of one prompt among {places.large_shape.prompts:,}, checked out",
        {OURS: save, program: add_and_commit},
        goals=[Goal(program, 1.0)],
        rounds=5 if report.quick else 11,
    )


def _two_processes(report: Report, places: Places) -> None:
    times = 20 if report.quick else 500
    alone, shared = (places.copy(places.small, f"race-{who}") for who in ("alone", "shared"))
    single = once(lambda: _save_in_processes(alone, {"one": times * 2}))
    both = once(lambda: _save_in_processes(shared, {"one": times, "two": times}))
    commits = int(git(shared, "rev-list", "--count", "--first-parent", "main"))
    lost = places.small_shape.commits + 2 * times - commits
    one = f"one process doing the {times * 2:,}"
    work = f"2 processes × {times} saves on one branch ({lost} lost)"
    report.add(Result(work, {OURS: both, one: single}))


def _very_many(report: Report, places: Places) -> None:
    number = places.large_shape.prompts
    files = {prompt_name(index): prompt_file(index) for index in range(number)}
    took: list[float] = []
    imported: list[float] = []
    for turn in range(1 if report.quick else 3):
        ours, theirs = (places.folder / f"many-{who}-{turn}" for who in ("ours", "theirs"))
        git(Path(), "init", "--quiet", "--bare", "-b", "main", str(ours))
        store = PromptStore.open(ours)
        took.append(once(partial(store.commit, files, author=PERSON)))
        imported.append(once(partial(make_repository, theirs, Shape(number, 1))))
    program = "git fast-import of the same files"
    work = f"one commit of {number:,} new prompts"
    seconds = {OURS: statistics.median(took), program: statistics.median(imported)}
    report.add(Result(work, seconds))


def _commit(repository: pygit2.Repository, data: bytes) -> None:
    folder, _, leaf = f"prompts/{NAME}.yaml".rpartition("/")
    parent = repository.head.peel(pygit2.Commit)
    names = folder.split("/")
    trees = [parent.tree]
    for name in names:
        trees.append(trees[-1][name])  # type: ignore[arg-type]
    builder = repository.TreeBuilder(trees[-1])
    builder.insert(leaf, repository.create_blob(data), FileMode.BLOB)
    stored = builder.write()
    for name, tree in zip(reversed(names), reversed(trees[:-1]), strict=True):
        builder = repository.TreeBuilder(tree)
        builder.insert(name, stored, FileMode.TREE)
        stored = builder.write()
    who = repository.default_signature
    repository.create_commit("refs/heads/main", who, who, "edit", stored, [parent.id])


def _save_in_processes(path: Path, times: dict[str, int]) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", _SAVE_OFTEN, str(path), name, str(number)])
        for name, number in times.items()
    ]
    codes = [process.wait() for process in processes]
    assert codes == [0] * len(codes)
