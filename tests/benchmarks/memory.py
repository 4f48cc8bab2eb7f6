"""Memory of many parsed prompts."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

import pygit2

from promptstore import PromptStore
from tests.benchmarks.harness import OURS, Report, Result
from tests.benchmarks.places import Places
from tests.benchmarks.repos import load_yaml, read_blob


def run(report: Report, places: Places) -> None:
    """Measure what 10,000 prompts take, against the same files as plain dicts."""
    path, count = places.large, places.large_shape.prompts
    snapshot = PromptStore.open(path).snapshot()
    ids = [snapshot.file(name).blob for name in snapshot.names()]
    repository = pygit2.Repository(str(path))

    def dicts() -> object:
        return [load_yaml(read_blob(repository, blob)) for blob in ids]

    def prompts() -> object:
        store = PromptStore.open(path)
        listed = store.list()
        # What is left for later is read, so that all is there.
        assert all(prompt.messages and prompt.version for prompt in listed)
        return store, listed

    PromptStore.open(path).list()
    plain = "plain dicts of ruamel.yaml"
    kept = {OURS: _kept(prompts) / count, plain: _kept(dicts) / count}
    work = f"memory of each of {count:,} parsed prompts, trees and index included"
    report.add(Result(work, kept, unit="KiB"))


def _kept(make: Callable[[], object]) -> float:
    """Measure what something takes as long as it is kept, in KiB."""
    gc.collect()
    tracemalloc.start()
    made = make()
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del made
    return size / 1024
