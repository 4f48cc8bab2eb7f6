"""Names and lists of many prompts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pygit2

from promptstore import PromptStore
from tests.benchmarks import rivals
from tests.benchmarks.harness import OURS, Goal, Point, Report
from tests.benchmarks.places import Places
from tests.benchmarks.repos import forget_contents, load_yaml, read_blob


def run(report: Report, places: Places) -> None:
    """Measure names and lists, and how they grow with the number of prompts."""
    for path, shape in ((places.small, places.small_shape), (places.large, places.large_shape)):
        _names(report, path, shape.prompts)
        _lists(report, path, shape.prompts)


class _Opened:
    """A store and a plain repository that have read nothing yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.anew()

    def anew(self) -> None:
        """Open both once more, and let the store find out where everything is."""
        self.store = PromptStore.open(self._path)
        self.store.labels()
        self.repository = pygit2.Repository(str(self._path))


def _names(report: Report, path: Path, count: int) -> None:
    opened = _Opened(path)

    result = report.compare(
        f"names of {count:,} prompts at a commit",
        {
            OURS: lambda: opened.store.names(),
            "walking the tree with pygit2": lambda: list(_walk(opened.repository)),
        },
        prepare=opened.anew,
    )
    report.points.append(Point("names", count, result.seconds[OURS]))


def _lists(report: Report, path: Path, count: int) -> None:
    snapshot = PromptStore.open(path).snapshot()
    ids = [snapshot.file(name).blob for name in snapshot.names()]
    raw, parsed = "raw blobs", "raw blobs + ruamel.yaml"
    opened = _Opened(path)
    loaders = {name: rival.load for name, rival in rivals.installed().items() if rival.load}

    def forget() -> None:
        forget_contents()
        opened.anew()

    def read() -> list[bytes]:
        return [read_blob(opened.repository, blob) for blob in ids]

    rounds = 3 if report.quick else 5
    first = report.compare(
        f"list of {count:,} prompts, no cache",
        {
            OURS: lambda: opened.store.list(),
            parsed: lambda: [load_yaml(data) for data in read()],
            **{
                name: lambda load=load: [load() for _ in ids]  # type: ignore[misc]
                for name, load in loaders.items()
            },
        },
        goals=[Goal(name, 1.0) for name in loaders],
        prepare=forget,
        rounds=rounds,
    )
    cached = report.compare(
        f"list of {count:,} prompts, cache there",
        {OURS: lambda: opened.store.list(), raw: read},
        goals=[Goal(raw, 5.0)],
        prepare=opened.anew,
        rounds=rounds,
    )
    again = report.compare(
        f"list of {count:,} prompts again, nothing moved",
        {OURS: lambda: opened.store.list(), raw: read},
    )
    for line, result in (("list, no cache", first), ("list, cache", cached), ("list again", again)):
        report.points.append(Point(line, count, result.seconds[OURS]))


def _walk(repository: pygit2.Repository) -> Iterator[str]:
    pending = [("", repository.head.peel(pygit2.Tree)["prompts"])]
    while pending:
        folder, tree = pending.pop()
        for entry in tree:  # type: ignore[union-attr]
            if isinstance(entry, pygit2.Tree):
                pending.append((f"{folder}{entry.name}/", entry))
            else:
                yield f"{folder}{entry.name}".removesuffix(".yaml")
