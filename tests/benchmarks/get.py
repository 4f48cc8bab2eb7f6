"""Getting a prompt: again, by version and label, and for the first time."""

from __future__ import annotations

import pygit2

from promptstore import PromptStore
from tests.benchmarks import rivals
from tests.benchmarks.harness import OURS, Goal, Report
from tests.benchmarks.places import Places
from tests.benchmarks.repos import PERSON, forget_contents, load_yaml, prompt_name, read_blob

NAME = prompt_name(42)
REFERENCES = ("HEAD", "refs/heads/main", "refs/heads/promptstore/labels")
"""What libgit2 is asked for at each get, at the least."""

AT_MOST = 2.5
"""40 µs, on a quiet machine on which libgit2 takes 16 for these references."""

MANY = 90


def run(report: Report, places: Places) -> None:
    """Measure every kind of `PromptStore.get`."""
    ready = rivals.installed()
    _again(report, places, ready)
    _first(report, places, ready)


def _again(report: Report, places: Places, ready: dict[str, rivals.Rival]) -> None:
    path = places.small
    store = PromptStore.open(path)
    store.set_label(NAME, "production", author=PERSON)
    pinned = store.get(NAME).commit
    repository = pygit2.Repository(str(path))

    def ask_git() -> list[object]:
        return [repository.references.get(name) for name in REFERENCES]

    others = {name: rival.get for name, rival in ready.items()}
    lost = rivals.missing(ready)
    fresh = {OURS: lambda: store.get(NAME)}
    report.compare(
        "get again, a commit by another process noticed at once",
        {**fresh, "asking libgit2 for the references": ask_git, **others},
        goals=[Goal("asking libgit2 for the references", AT_MOST)],
        missing=lost,
    )
    cached = {name: ask for name, ask in others.items() if name in ("posthog", "langfuse")}
    patient = PromptStore.open(path, refresh_interval=1)
    report.compare(
        "get again with refresh_interval=1",
        {OURS: lambda: patient.get(NAME), **cached},
        goals=[Goal(name, 1.0) for name in cached],
        missing=[name for name in lost if name in ("posthog", "langfuse")],
    )
    report.compare(
        "get again of a pinned commit", {OURS: lambda: store.get(NAME, rev=pinned), **cached}
    )
    for what, ask in {
        "version=": lambda: store.get(NAME, version=1),
        "label=": lambda: store.get(NAME, label="production"),
    }.items():
        report.compare(f"get again with {what}", {OURS: ask, "plain get": lambda: store.get(NAME)})


def _first(report: Report, places: Places, ready: dict[str, rivals.Rival]) -> None:
    path = places.small
    loaders = {name: rival.load for name, rival in ready.items() if rival.load}
    names = places.names(places.small_shape)[:MANY]
    snapshot = PromptStore.open(path).snapshot()
    ids = [snapshot.file(name).blob for name in names]
    stores: list[PromptStore] = []
    repositories: list[pygit2.Repository] = []

    def reopen() -> None:
        stores[:] = [PromptStore.open(path)]
        stores[0].get(prompt_name(MANY + 1))
        repositories[:] = [pygit2.Repository(str(path))]

    def forget() -> None:
        forget_contents()
        reopen()

    for what, prepare in {
        "parsed on this machine before": reopen,
        "never parsed on this machine": forget,
    }.items():
        PromptStore.open(path).list()
        report.compare(
            f"{MANY} gets in an open repository, {what}",
            {
                OURS: lambda: [stores[0].get(name).messages for name in names],
                "blob + CSafeLoader": lambda: [
                    load_yaml(read_blob(repositories[0], blob)) for blob in ids
                ],
                **{
                    name: lambda load=load: [load() for _ in names]  # type: ignore[misc]
                    for name, load in loaders.items()
                },
            },
            goals=[Goal(name, 1.0) for name in loaders],
            prepare=prepare,
        )
