"""The walk of an action: which files of the package have functions that run in it.

What runs while a module is imported does not count: it is the same for every action.
Print the walks of all actions with ``python -m tests.architecture.walks``.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import promptstore
from promptstore import Prompt, PromptStore
from tests.gitrepo import GitRepo
from tests.writing.conftest import configure

PACKAGE = Path(promptstore.__file__).parent

GREETING = "prompt: Hello {{ name }}\n"
LOGIC = (
    "variables:\n"
    "  name: {type: string}\n"
    "  tier: {type: string, enum: [free, pro], default: free}\n"
    "messages:\n"
    "  - role: user\n"
    "    content: 'Hi {{ name }}{% if tier == \"pro\" %}, dear customer{% endif %}'\n"
)


def walk(action: Callable[[], object]) -> list[str]:
    """Run an action and return the files of the package whose functions ran, sorted.

    Args:
        action: What to run. Threads that it starts count too.

    Returns:
        The paths, relative to the package.
    """
    files: set[str] = set()
    importing = threading.local()

    def profile(frame: FrameType, event: str, _arg: Any) -> None:
        code = frame.f_code
        if event not in ("call", "return") or not code.co_filename.startswith(str(PACKAGE)):
            return
        depth = getattr(importing, "depth", 0)
        if code.co_name == "<module>":
            importing.depth = depth + (1 if event == "call" else -1)
        elif event == "call" and not depth:
            files.add(code.co_filename)

    # What older stores still write when Python finds that they are no more is not of the action.
    gc.collect()
    gc.disable()
    # Settings of git in the environment are an exception, which few have.
    settings = {key: os.environ.pop(key) for key in [*os.environ] if key.startswith("GIT_CONFIG_")}
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        action()
    finally:
        os.environ.update(settings)
        sys.setprofile(None)
        threading.setprofile(None)
        gc.enable()
    return sorted(Path(file).relative_to(PACKAGE).as_posix() for file in files)


def make_repository(folder: Path) -> GitRepo:
    """Make a clone with two prompts, checked out."""
    repo = configure(GitRepo.init(folder / "repo"))
    repo.commit({"prompts/greeting.yaml": GREETING, "prompts/support/reply.yaml": LOGIC})
    return repo


def walk_get(folder: Path) -> list[str]:
    """Return the walk of opening a store and the first `get`."""
    repo = make_repository(folder)

    def action() -> None:
        PromptStore.open(repo.path).get("greeting")

    return walk(action)


def walk_render(folder: Path) -> list[str]:
    """Return the walk of the first render of a prompt with logic."""
    prompt = PromptStore.open(make_repository(folder).path).get("support/reply")
    return walk(lambda: prompt.render(name="Ada", tier="pro"))


def walk_save(folder: Path) -> list[str]:
    """Return the walk of one save in a clone whose branch is checked out."""
    store = PromptStore.open(make_repository(folder).path)
    prompt = Prompt(prompt="Good day {{ name }}")
    return walk(lambda: store.save("greeting", prompt))


def walk_check(folder: Path) -> list[str]:
    """Return the walk of ``promptstore check`` of two files, by its command."""
    from typer.testing import CliRunner

    from promptstore.cli.app import app

    repo = make_repository(folder)

    def action() -> None:
        done = CliRunner().invoke(app, ["-C", str(repo.path), "check"])
        assert done.exit_code == 0, done.output

    return walk(action)


def walk_request(folder: Path, method: str, body: object = None) -> list[str]:
    """Return the walk of one request by name to a server that was asked for another one before."""
    import asyncio

    import httpx

    from promptstore.server.app import create_app
    from promptstore.server.projects import open_projects
    from promptstore.server.settings import ProjectSettings
    from promptstore.server.tokens import TokenFile

    tokens = TokenFile(folder / "tokens.json")
    scopes = ["llm_prompt:read", "llm_prompt:write"]
    _, key = tokens.create("Ada Example <ada@example.com>", scopes, [1])
    app = create_app(open_projects([ProjectSettings(1, make_repository(folder).path)]), tokens)
    names = "/api/environments/@current/llm_prompts/name"

    async def ask(method: str, name: str, body: object = None) -> None:
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(transport=transport, headers=headers) as client:
            answer = await client.request(method, f"http://localhost{names}/{name}/", json=body)
            assert answer.status_code == 200, answer.text

    asyncio.run(ask("GET", "support__reply"))
    return walk(lambda: asyncio.run(ask(method, "greeting", body)))


def walk_push(folder: Path) -> list[str]:
    """Return the walk of a sync that pushes one prompt."""
    from promptstore.posthog.sync import RemotePrompts, Sync, SyncOptions, SyncRules
    from tests.sync.listening import listening
    from tests.sync.project import FakeProject

    store = PromptStore.open(make_repository(folder).path)
    rules = SyncRules(only=("greeting",))
    with listening(FakeProject()) as server, server.client() as client:

        def action() -> None:
            sync = Sync(store, RemotePrompts(client), "posthog", rules)
            report = sync.apply(sync.compare(), SyncOptions(directions=["push"]))
            assert [result.outcome for result in report.results] == ["done"]

        return walk(action)


WALKS: dict[str, Callable[[Path], list[str]]] = {
    "open and first get": walk_get,
    "first render with logic": walk_render,
    "save in a checked-out clone": walk_save,
    "check of two files": walk_check,
    "HTTP read by name": lambda folder: walk_request(folder, "GET"),
    "sync push of one prompt": walk_push,
    "PATCH": lambda folder: walk_request(
        folder, "PATCH", {"base_version": 1, "prompt": "Good day {{name}}"}
    ),
}


def main() -> None:
    """Print every walk, file by file."""
    for title, measure in WALKS.items():
        with tempfile.TemporaryDirectory() as folder:
            files = measure(Path(folder))
        print(f"{title}: {len(files)} files")
        for file in files:
            print(f"    {file}")


if __name__ == "__main__":
    main()
