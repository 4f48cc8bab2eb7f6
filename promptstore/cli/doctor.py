"""``promptstore doctor``: what promptstore finds here, and what it would read.

With ``--json`` one array of objects: `topic`, `name`, `value`, `is_fine` and `advice` (null where
nothing is to be done).
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NamedTuple

import typer

from promptstore.cli.app import AsJson, opened
from promptstore.cli.output import print_error, print_listing
from promptstore.errors import PromptStoreError
from promptstore.history.cache import contents_file
from promptstore.history.versions import index_file
from promptstore.review.drafts import settings_of
from promptstore.store.store import PromptStore

_CORE: Final = ("git-promptstore", "pygit2", "pydantic", "jinja2", "ruamel.yaml")
_EXTRAS: Final = {
    "cli": "typer",
    "remote": "httpx",
    "server": "fastapi",
    "mcp": "mcp",
    "models": "openai",
    "logs": "clickhouse-connect",
}


class _Fact(NamedTuple):
    """One thing that was looked at, and what was found."""

    topic: str
    name: str
    value: str
    is_fine: bool = True
    advice: str | None = None


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what is installed, and what would be read from where.

    Nothing is changed and no remote is asked. The exit code is 1 when something is wrong.
    """
    facts = [*_environment(), *_store(context)]
    cells = [(fact.topic, fact.name, fact.value) for fact in facts]
    rows = [fact._asdict() for fact in facts]
    print_listing(rows, ("TOPIC", "WHAT", "FOUND"), cells, as_json=as_json)
    wrong = [fact for fact in facts if not fact.is_fine]
    for fact in wrong:
        print_error(f"{fact.topic}, {fact.name}: {fact.value}. {fact.advice or ''}".rstrip())
    if wrong:
        raise typer.Exit(1)


def _environment() -> Iterator[_Fact]:
    yield _Fact("environment", "python", f"{platform.python_version()} ({sys.executable})")
    for package in _CORE:
        found = _version(package)
        yield _Fact("environment", package, found or "not installed", found is not None)
    for extra, package in _EXTRAS.items():
        found = _version(package)
        yield _Fact("extras", extra, f"{package} {found}" if found else "not installed")
    git = shutil.which("git")
    yield _Fact(
        "environment", "git program", git or "not found; only `edit` and `difftool` need it"
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _store(context: typer.Context) -> Iterator[_Fact]:
    try:
        with opened(context) as store:
            yield from _repository(store)
            for (topic, name), find in _LOOKS.items():
                try:
                    yield _Fact(topic, name, find(store))
                except PromptStoreError as error:
                    yield _Fact(topic, name, str(error), False)
    except PromptStoreError as error:
        yield _Fact("store", "repository", str(error), False)


def _repository(store: PromptStore) -> Iterator[_Fact]:
    yield _Fact("store", "folder", str(store.path))
    yield _Fact("store", "root", store.root or "the top of the repository")
    yield _Fact("store", "reads", store.snapshot().place)
    if not store.has_files:
        yield _Fact("store", "working tree", "none: a bare repository or a bundle")
    try:
        repository = store.repository
    except PromptStoreError:
        yield _Fact("store", "repository", "none: a plain folder, which has no versions")
        return
    shallow = repository.is_shallow
    advice = "Versions cannot be counted; `git fetch --unshallow` fetches the rest."
    kind = "shallow" if shallow else "whole"
    yield _Fact("store", "history", kind, not shallow, advice if shallow else None)
    for what, file in (
        ("parsed prompts", contents_file()),
        ("index of versions", index_file(repository, store.root)),
    ):
        if file is None:
            yield _Fact("caches", what, "none: no folder is yours alone; slower, but all works")
        else:
            size = f"{file.stat().st_size:,} bytes" if file.is_file() else "not there yet"
            yield _Fact("caches", what, f"{file}: {size}")


def _prompts(store: PromptStore) -> str:
    prompts, broken = store.snapshot().list_readable(deleted=True)
    deleted = sum(prompt.deleted for prompt in prompts)
    counts = f"{len(prompts) - deleted}, and {deleted} deleted"
    return f"{counts}, {len(broken)} broken: `promptstore check`" if broken else counts


def _labels(store: PromptStore) -> str:
    table = store.labels()
    for error in table.broken.values():
        raise error
    return ", ".join(sorted(table.targets)) or "none"


def _versions(store: PromptStore) -> str:
    names = store.names()
    return f"counted: {names[0]}@{len(store.history(names[0]))}" if names else "none yet"


def _settings(store: PromptStore) -> str:
    settings = settings_of(store)
    return "all rules that are on by default" if settings.select is None else str(settings.select)


def _remotes(store: PromptStore) -> str:
    from promptstore.posthog.sync.settings import load_remotes

    remotes = load_remotes(store.path) if store.has_files else {}
    rows = (
        f"{name} at {remote.host}, its key in {remote.key_env} "
        f"({'set' if os.environ.get(remote.key_env) else 'not set'})"
        for name, remote in remotes.items()
    )
    return "; ".join(rows) or "none"


_LOOKS: Final = {
    ("store", "prompts"): _prompts,
    ("store", "labels"): _labels,
    ("store", "versions"): _versions,
    ("settings", "check"): _settings,
    ("settings", "remotes"): _remotes,
}
"""What is looked at in a store; each may fail alone."""
