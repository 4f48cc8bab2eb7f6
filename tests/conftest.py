"""What every test shares: a git that knows nothing of the developer's own configuration."""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pygit2
import pytest
import typer.testing
from hypothesis import HealthCheck, settings
from pygit2.enums import ConfigLevel

from tests.gitrepo import GitRepo

Fill = Callable[[GitRepo, Callable[[GitRepo], object]], GitRepo]

# Each run draws other examples, so that many short runs try what a long one does.
settings.register_profile(
    "promptstore",
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.register_profile(
    "thorough",
    parent=settings.get_profile("promptstore"),
    max_examples=2_000,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "promptstore"))

# Processes of the command line start in a third of the time where Python keeps its bytecode, and
# pytest needs not rewrite all tests each time.
sys.dont_write_bytecode = False


def pytest_collection_finish() -> None:
    """Let no collection of garbage look through all tests, which stay until the end."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _blank_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    blank = {
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TEMPLATE_DIR": "",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
    }
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("GIT_") and key != "PYTHONDONTWRITEBYTECODE"
    }
    original = dict(os.environ)
    os.environ.clear()
    os.environ.update(kept | blank)
    for level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL):
        pygit2.settings.search_path[level] = ""
    yield
    os.environ.clear()
    os.environ.update(original)


@pytest.fixture(scope="session", autouse=True)
def _commands_are_built_once() -> Iterator[None]:
    """Typer's runner builds all commands anew for each call, which takes longer than most calls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", functools.cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session")
def empty_repo(tmp_path_factory: pytest.TempPathFactory) -> GitRepo:
    """The repository that others are copies of."""
    return GitRepo.init(tmp_path_factory.mktemp("empty") / "repo")


@pytest.fixture
def repo(empty_repo: GitRepo, tmp_path: Path) -> GitRepo:
    """An empty repository on the branch main."""
    return empty_repo.copy(tmp_path / "repo")


@pytest.fixture(scope="session")
def fill(empty_repo: GitRepo, tmp_path_factory: pytest.TempPathFactory) -> Fill:
    """Fills an empty repository as a function does, which is called once."""

    @functools.cache
    def made(make: Callable[[GitRepo], object]) -> GitRepo:
        repo = empty_repo.copy(tmp_path_factory.mktemp("made") / "repo")
        make(repo)
        return repo

    return lambda repo, make: repo.become(made(make))


@pytest.fixture
def make_repo(empty_repo: GitRepo, tmp_path: Path) -> Callable[[str], GitRepo]:
    """Makes further empty repositories by name."""
    return lambda name: empty_repo.copy(tmp_path / name)
