"""Bundles, and reading while the background fetches."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from promptstore import PromptStore
from tests.benchmarks.harness import OURS, Goal, Report, Result, Work
from tests.benchmarks.places import Places
from tests.benchmarks.repos import Shape, make_repository, prompt_name

NAME = prompt_name(42)
_FLOOR = "import the same modules, and read the file"
_MODULES = (
    "import promptstore.store.store, promptstore.store.bundled, promptstore.promptfile.reader"
)
_ALONE = "while nothing is fetched"


def run(report: Report, places: Places) -> None:
    """Measure what runs without a repository, and with one far away."""
    _bundle(report, places)
    _fetch(report, places)


def _bundle(report: Report, places: Places) -> None:
    store = PromptStore.open(places.small)
    path = places.folder / "prompts.bundle"
    count = f"{places.small_shape.prompts:,} prompts"
    path.write_bytes(store.bundle().encode())
    snapshot = store.snapshot()
    files = sum(len(snapshot.file(name).read()) for name in snapshot.names())
    sizes = {OURS: path.stat().st_size / 1024, "the prompt files alone": files / 1024}
    report.add(Result(f"size of a bundle of {count}", sizes, unit="KiB"))
    report.compare(
        f"open a bundle of {count} and get one",
        {OURS: lambda: PromptStore.open(path).get(NAME), "read the file": path.read_bytes},
    )
    held = PromptStore.open(path)
    report.compare(
        "get again from a bundle",
        {OURS: lambda: held.get(NAME), "the same from git": lambda: store.get(NAME)},
        goals=[Goal("the same from git", 1.0)],
    )
    read = f"open({str(path)!r}, 'rb').read()"
    report.compare(
        f"first get in a new process, bundle of {count}",
        {
            OURS: _python(
                f"import promptstore; promptstore.PromptStore.open({str(path)!r}).get({NAME!r})"
            ),
            _FLOOR: _python(f"{_MODULES}; {read}"),
        },
        goals=[Goal(_FLOOR, 1.2)],
        rounds=3 if report.quick else 9,
    )


def _python(code: str) -> Work:
    command = [sys.executable, "-c", code]
    return lambda: subprocess.run(command, check=True, capture_output=True)


def _fetch(report: Report, places: Places) -> None:
    """Measure a `get` while a history comes in that is as long as the goal says."""
    commits = 1_000 if report.quick else 10_000
    remote = make_repository(places.folder / "remote", Shape(1_000, commits))
    os.environ["XDG_CACHE_HOME"] = str(places.folder / "cache")

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(remote), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    newest = git("rev-parse", "main")
    first = git("rev-list", "--first-parent", "--max-parents=0", "main")
    git("update-ref", "refs/heads/main", first)
    store = PromptStore.open(Path(remote).as_uri())
    store.get(NAME)
    alone: list[float] = []
    _times(store, lambda: len(alone) < 20_000, alone)
    git("update-ref", "refs/heads/main", newest)
    fetching = threading.Thread(target=store.fetch)
    fetching.start()
    meanwhile = _times(store, fetching.is_alive, [])
    fetching.join()
    assert store.status().commit == newest
    taken = {OURS: statistics.median(meanwhile), _ALONE: statistics.median(alone)}
    work = f"get while {commits:,} commits are fetched"
    report.add(Result(work, taken, (Goal(_ALONE, 2.0),)))
    # The remote and the fetch share the cores with who reads.
    means = {OURS: statistics.fmean(meanwhile), _ALONE: statistics.fmean(alone)}
    report.add(Result(f"{work}, the mean", means))


def _times(store: PromptStore, goes_on: Callable[[], bool], times: list[float]) -> list[float]:
    while goes_on():
        started = time.perf_counter()
        store.get(NAME)
        times.append(time.perf_counter() - started)
    return times
