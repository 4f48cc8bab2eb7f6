"""Which room a foreign library lives in; .importlinter holds the order of the rooms."""

from __future__ import annotations

import sys

import grimp
import pytest

HOMES: dict[str, str | tuple[str, ...]] = {
    "pygit2": "promptstore.git",
    "ruamel": "promptstore.promptfile",
    # Prompts are one thing that is made from templates, pages another.
    "jinja2": ("promptstore.template", "promptstore.server.web"),
    "markupsafe": "promptstore.server.web",
    "sqlite3": "promptstore.history.cache",
    "typer": "promptstore.cli",
    "rich": "promptstore.cli",
    "fastapi": "promptstore.server",
    "starlette": "promptstore.server",
    "uvicorn": "promptstore.server",
    # Each speaks another API, with other keys and other answers.
    "httpx": ("promptstore.posthog.client", "promptstore.interchange.langfuse"),
    "httpcore": "promptstore.posthog.client",
    "tenacity": ("promptstore.posthog.client", "promptstore.interchange.langfuse"),
    "clickhouse_connect": "promptstore.server.logs.engine",
    "opentelemetry": "promptstore.server.logs.otlp",
    "mcp": "promptstore.mcp",
    "anthropic": "promptstore.providers",
    # Types of arguments there; here a model is asked, and protobuf is read.
    "openai": ("promptstore.providers", "promptstore.server.asking"),
    "google": ("promptstore.providers", "promptstore.server.logs.otlp"),
}

IN_MANY_ROOMS = {"pydantic", "pydantic_core"}
"""What a valid prompt, request and answer is, each room says in pydantic's models."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("promptstore", include_external_packages=True, cache_dir=None)


@pytest.mark.parametrize(("library", "home"), HOMES.items(), ids=list(HOMES))
def test_a_foreign_library_lives_in_one_room(
    graph: grimp.ImportGraph, library: str, home: str | tuple[str, ...]
) -> None:
    importers = graph.find_modules_that_directly_import(library)
    assert importers
    homes = (home,) if isinstance(home, str) else home
    assert [
        name for name in importers if not f"{name}.".startswith(tuple(f"{one}." for one in homes))
    ] == []


def test_no_other_foreign_library_is_used(graph: grimp.ImportGraph) -> None:
    foreign = {
        name
        for name in graph.modules
        if not name.startswith("promptstore") and name not in sys.stdlib_module_names
    }
    assert foreign <= HOMES.keys() | IN_MANY_ROOMS | {"__future__"}
