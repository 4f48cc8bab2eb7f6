"""Seconds and requests of a sync with our own server: ``python -m tests.benchmarks.sync``.

The server is a process of its own, and sets no pace. A first push makes every prompt, a first pull
commits every prompt into an empty store, and a sync of equal sides only pages through the list. The
prompts are short texts in nine folders.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress

from promptstore.git.reading import create_repository
from promptstore.model.prompt import Prompt
from promptstore.posthog.client import PostHogClient
from promptstore.posthog.sync import Sync, SyncOptions, chosen
from promptstore.posthog.sync.remote import RemotePrompts
from promptstore.server.app import create_app
from promptstore.server.projects import open_projects
from promptstore.server.settings import ProjectSettings
from promptstore.server.tokens import SCOPES, TokenFile
from promptstore.store.store import PromptStore
from tests.benchmarks.server import ADA, running

COUNT: Final = 1_000


@dataclass
class Run:
    """One sync, measured.

    Attributes:
        title: What was synced.
        seconds: How long it took.
        busy: How long this process, the client's side, computed meanwhile, in seconds.
        requests: How many requests it made.
        steps: How many steps it did.
    """

    title: str
    seconds: float
    busy: float
    requests: int
    steps: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sync")
    parser.add_argument("--prompts", type=int, default=COUNT, help="how many prompts there are")
    count = parser.parse_args().prompts
    with tempfile.TemporaryDirectory() as folder:
        for run in measured(Path(folder), count):
            print(
                f"| {run.title} | {run.steps:,} | {run.requests:,} | {run.seconds:.2f} s "
                f"| {run.busy:.2f} s |"
            )


def measured(folder: Path, count: int) -> Iterator[Run]:
    """Serve an empty project, and sync with it in turn."""
    served = new_store(folder / "served")
    tokens = TokenFile(folder / "tokens.json")
    _, key = tokens.create(ADA, SCOPES, [1])
    first, other = new_store(folder / "first"), new_store(folder / "other")
    first.commit(
        {
            f"team{number % 9}/prompt-{number:04}": Prompt(
                prompt=f"You help customers of {{{{product}}}}.\nText {number}.\n",
                template="simple",
            )
            for number in range(count)
        },
        author=ADA,
    )
    with running(create_app(open_projects([ProjectSettings(1, served.path)]), tokens)) as (port, _):
        for store, title in (
            (first, f"first push of {count:,}"),
            (first, "nothing to do"),
            (other, f"first pull of {count:,}"),
            (other, "nothing to do"),
        ):
            with PostHogClient(
                f"http://127.0.0.1:{port}", key, 1, publishes_per_minute=0
            ) as client:
                yield synced(store, client, title)


def new_store(path: Path) -> PromptStore:
    """Make an empty store whose commits are by Ada."""
    path.mkdir()
    create_repository(path)
    name, _, email = ADA.rstrip(">").partition(" <")
    config = path / ".git" / "config"
    with config.open("a", encoding="utf-8") as file:
        file.write(f"[user]\n\tname = {name}\n\temail = {email}\n")
    return PromptStore.open(path)


def synced(store: PromptStore, client: PostHogClient, title: str) -> Run:
    """Sync once, with a progress bar."""
    sync = Sync(store, RemotePrompts(client), "own")
    began, computed = time.perf_counter(), time.process_time()
    comparison, options = sync.compare(), SyncOptions()
    steps = chosen(comparison, options)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=len(steps))
        report = sync.apply(comparison, options, lambda _result: bar.advance(task))
    if not report.is_clean:
        sys.exit(f"{title}: {[*report.of('failed'), *report.of('conflict')][:3]}")
    return Run(
        title,
        time.perf_counter() - began,
        time.process_time() - computed,
        client.requests,
        len(steps),
    )


if __name__ == "__main__":
    main()
