"""The index of versions: built, grown by new commits, and asked."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from promptstore import PromptStore
from promptstore.git.reading import Repository
from promptstore.history.versions import VersionIndex, index_file
from tests.benchmarks.harness import OURS, Goal, Point, Report
from tests.benchmarks.places import Places
from tests.benchmarks.repos import Shape, append_edits, git, make_repository, prompt_name

ROOT = "prompts"
NAME = prompt_name(42)
GROWTH = (1, 10, 100)


def run(report: Report, places: Places) -> None:
    """Measure the index, and how it grows with the length of the history."""
    for path, shape in ((places.small, places.small_shape), (places.large, places.large_shape)):
        _build(report, path, shape)
        _ask(report, places, path, shape)
    _grow(report, places)


def _build(report: Report, path: Path, shape: Shape) -> None:
    repository = Repository.discover(path)
    tip = repository.tip() or ""
    log = ("log", "--first-parent", "--raw")
    is_long = shape.commits > 10_000

    def build() -> None:
        VersionIndex(repository, ROOT).at(tip)

    def forget() -> None:
        file = index_file(repository, ROOT)
        if file is not None:
            file.unlink(missing_ok=True)

    git_log = f"git {' '.join(log)} to nowhere"
    found = report.compare(
        f"index of {shape}",
        {OURS: build, git_log: _git(path, *log)},
        goals=[Goal(git_log, 3.0)],
        prepare=forget,
        rounds=3 if is_long else 5,
    )
    report.points.append(Point("index", shape.commits, found.seconds[OURS]))


def _ask(report: Report, places: Places, path: Path, shape: Shape) -> None:
    store = PromptStore.open(path)
    store.history(NAME)
    log = ("log", "--first-parent", "--format=%H", "--", f"{ROOT}/{NAME}.yaml")
    slow, bloom = "git log --first-parent -- PATH", "the same with a Bloom commit graph"
    graphed = places.copy(path, f"graphed-{shape.commits}")
    git(graphed, "commit-graph", "write", "--reachable", "--changed-paths")
    turns = 3 if report.quick else 5
    for what, ask in {
        "history(name)": lambda: store.history(NAME),
        "the commit of version n": lambda: store.snapshot().history.timeline.nth(NAME, 1),  # type: ignore[union-attr]
    }.items():
        report.compare(
            f"{what}, {shape}",
            {OURS: ask, slow: _git(path, *log), bloom: _git(graphed, *log)},
            rounds=turns,
        )
    shutil.rmtree(graphed)


def _grow(report: Report, places: Places) -> None:
    prompts = places.small_shape.prompts
    lengths = (200, 400) if report.quick else (1_000, 10_000, 100_000)
    for length in lengths:
        shape = Shape(prompts, length)
        path = make_repository(places.folder / f"growing-{length}", shape)
        repository = Repository.discover(path)
        index = VersionIndex(repository, ROOT)
        index.at(repository.tip() or "")
        for number, more in enumerate(GROWTH):
            _catch_up(report, path, shape, more, 10**6 * (number + 1))
        shutil.rmtree(path)


def _catch_up(report: Report, path: Path, shape: Shape, more: int, start: int) -> None:
    """Add commits several times, and let the index and `git log` read the new ones in turn."""
    repository = Repository.discover(path)
    index = VersionIndex(repository, ROOT)
    index.at(repository.tip() or "")
    tips: list[str] = [repository.tip() or ""] * 2

    def grow() -> None:
        index.at(tips[-1])  # what the turn of git made is not counted as ours
        append_edits(path, shape, more, start + len(tips) * 1_000)
        tips.append(repository.tip() or "")

    log = f"git log OLD..HEAD of {more}"
    result = report.compare(
        f"index catches up with {more} commits after {shape.commits:,}",
        {
            OURS: lambda: index.at(tips[-1]).latest(NAME),
            log: lambda: _git(path, "log", "--raw", f"{tips[-2]}..{tips[-1]}")(),
        },
        prepare=grow,
        rounds=5,
    )
    report.points.append(Point(f"catch up {more}", shape.commits, result.seconds[OURS]))


def _git(path: Path, *arguments: str) -> Callable[[], object]:
    def work() -> None:
        subprocess.run(["git", "-C", str(path), *arguments], check=True, stdout=subprocess.DEVNULL)

    return work
