"""The async store: the same answers, an event loop that never waits, and nothing half done."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from promptstore import AsyncPromptStore, PromptStore
from promptstore.errors import PromptNotFoundError, RepositoryLockedError, VariableError
from tests.checkers import run_mypy
from tests.gitrepo import GitRepo

OWN = {"open", "open_resource"}
"""What makes a store, and so is no method of one."""


@pytest.fixture
def made(repo: GitRepo) -> GitRepo:
    repo.git("config", "user.name", "Ada")
    repo.git("config", "user.email", "ada@example.com")
    repo.commit({"prompts/a.yaml": "prompt: Hi {{ name }}\n"})
    return repo


def public(kind: type) -> dict[str, Any]:
    return {
        name: member
        for name, member in inspect.getmembers(kind, callable)
        if not name.startswith("_") and name != "is_in_memory"
    }


def test_it_has_every_method_with_the_same_signature() -> None:
    plain, awaited = public(PromptStore), public(AsyncPromptStore)
    assert awaited.keys() == plain.keys()
    for name in plain.keys() - OWN:
        assert inspect.iscoroutinefunction(awaited[name]), name
        assert inspect.signature(awaited[name]) == inspect.signature(plain[name]), name
        assert awaited[name].__doc__ == plain[name].__doc__


def test_its_answers_are_those_of_the_store(made: GitRepo) -> None:
    async def use() -> None:
        store = await AsyncPromptStore.open(made.path)
        assert (await store.get("a")).prompt == "Hi {{ name }}"
        assert (await store.render("a", name="Ada")).text == "Hi Ada"
        assert (await store.render("a", {"name": "Bo"}, version=1)).text == "Hi Bo"
        saved = await store.save("a", "Hello {{ name }}", message="Greet better")
        assert saved.version == 2
        await store.set_label("a", "production", version=1)
        assert (await store.get("a", label="production")).version == 1
        assert [version.number for version in await store.history("a")] == [2, 1]
        assert await store.names() == ["a"]
        assert (await store.snapshot())["a"].version == 2
        assert (await store.status()).commit == made.head()
        with pytest.raises(PromptNotFoundError):
            await store.get("b")
        with pytest.raises(VariableError):
            await store.render("a")
        with pytest.raises(TypeError):
            await store.get("a", labl="x")  # type: ignore[call-arg]

    asyncio.run(use())


def threads_of(call: Callable[[], Any]) -> set[str]:
    """Run a coroutine and return the threads in which this package's code ran meanwhile."""
    seen: set[str] = set()

    def trace(frame: Any, event: str, argument: object) -> None:
        if event == "c_call" and "promptstore/git/" in frame.f_code.co_filename:
            seen.add(threading.current_thread().name)

    async def use() -> None:
        threading.setprofile(trace)
        sys.setprofile(trace)
        try:
            await call()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    asyncio.run(use())
    return seen


def test_only_what_is_in_memory_runs_in_the_loop(made: GitRepo, tmp_path: Path) -> None:
    bundle = tmp_path / "prompts.bundle"
    fresh, kept = (PromptStore.open(made.path, refresh_interval=late) for late in (0, 1000))
    bundle.write_bytes(fresh.bundle().encode())
    for store in (AsyncPromptStore(fresh), AsyncPromptStore(kept)):
        calls = (partial(store.get, "a"), store.names, partial(store.save, "b", "x"))
        for call in calls:
            assert "MainThread" not in threads_of(call)
    for store in (AsyncPromptStore(kept), AsyncPromptStore(PromptStore.open(bundle))):
        asyncio.run(store.get("a"))
        assert threads_of(partial(store.get, "a")) == set()
        # A template may take as long as the limits of a render let it.
        assert "MainThread" not in threads_of(partial(store.render, "a", name="Ada"))
    # Git is asked at each call here, which may touch the disk.
    assert threads_of(partial(AsyncPromptStore(fresh).get, "a")) - {"MainThread"}


def test_a_lock_that_is_held_does_not_hold_up_the_loop(made: GitRepo) -> None:
    (made.path / ".git/refs/heads/main.lock").touch()
    store = AsyncPromptStore(PromptStore.open(made.path, lock_timeout=0.5))

    async def use() -> int:
        saving = asyncio.create_task(store.save("a", "x"))
        turns = 0
        while not saving.done():
            await asyncio.sleep(0)
            turns += 1
        with pytest.raises(RepositoryLockedError):
            await saving
        return turns

    assert asyncio.run(use()) > 100


def test_a_cancelled_call_leaves_nothing_half_done(made: GitRepo) -> None:
    store = AsyncPromptStore(PromptStore.open(made.path))
    random = Random(7)

    async def use() -> None:
        for number in range(40):
            text = f"text {number}"
            saving = asyncio.create_task(
                store.commit({"a": text, "b": text}, message=f"Set {number}")
            )
            for _ in range(random.randrange(40)):
                await asyncio.sleep(0)
            saving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await saving

    asyncio.run(use())  # waits for the threads, too
    made.git("fsck", "--strict")
    assert made.git("status", "--porcelain") == ""
    for commit in made.git("rev-list", "main").split()[:-1]:
        a, b = (made.git("show", f"{commit}:prompts/{name}.yaml") for name in "ab")
        assert a == b
        assert made.git("show", "--quiet", "--format=%s", commit) == f"Set {a.split()[-1]}"


def test_many_calls_at_once(made: GitRepo) -> None:
    async def use() -> list[int | None]:
        store = await AsyncPromptStore.open(made.path)
        saves = [store.save(f"new/{number}", "Hi") for number in range(20)]
        reads = [store.get("a") for _ in range(20)]
        found = await asyncio.gather(*saves, *reads)
        return [prompt.version for prompt in found]

    assert asyncio.run(use()) == [1] * 40
    assert len(made.git("rev-list", "main").split()) == 21


TYPED = """
from promptstore import AsyncPromptStore

async def use() -> None:
    store = await AsyncPromptStore.open(".", branch="main", refresh_interval=1)
    prompt = await store.get("a", label="production")
    reveal_type(prompt)
    reveal_type(await store.render("a", {"x": 1}, y=2))
    reveal_type(await store.list(tag="x"))
    await store.save("a", "x", message="m")
    await store.get("a", labl="production")  # E
    await store.save("a", "x", auhor="m")  # E
    await AsyncPromptStore.open(".", brunch="main")  # E
    store.get("a").prompt  # E
"""


def test_type_checkers_know_the_arguments_and_results(tmp_path: Path) -> None:
    (tmp_path / "typed.py").write_text(TYPED)
    lines = run_mypy(tmp_path, "typed.py").splitlines()
    revealed = [line.partition('"')[2].rstrip('"') for line in lines if "Revealed type" in line]
    assert revealed == [
        "promptstore.model.prompt.Prompt",
        "promptstore.model.rendering.RenderedPrompt",
        "list[promptstore.model.prompt.Prompt]",
    ]
    wrong = {number for number, line in enumerate(TYPED.splitlines(), 1) if line.endswith("# E")}
    assert {int(line.split(":")[1]) for line in lines if ": error:" in line} == wrong
