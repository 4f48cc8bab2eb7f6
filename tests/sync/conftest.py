from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest

from promptstore.posthog.sync import Comparison, RemotePrompts, Report, Sync, SyncOptions, SyncRules
from promptstore.store.store import PromptStore
from tests.conftest import Fill
from tests.gitrepo import GitRepo
from tests.sync.memory import MemoryRemote
from tests.sync.project import Dialect, FakeProject
from tests.writing.conftest import configure


@dataclass
class Pair:
    """A store and a remote that are kept in step."""

    repo: GitRepo
    store: PromptStore
    project: FakeProject
    remote: RemotePrompts
    rules: SyncRules

    @property
    def sync(self) -> Sync:
        return Sync(self.store, self.remote, "posthog", self.rules)

    def compare(self) -> Comparison:
        return self.sync.compare()

    def plan(self) -> list[str]:
        """Give the plan as lines such as ``push create a``."""
        return [f"{step.direction} {step.verb} {step.name}" for step in self.compare().steps]

    def run(self, **options: object) -> Report:
        """Sync once, by default in both directions."""
        sync = self.sync
        return sync.apply(sync.compare(), replace(SyncOptions(), **options))  # type: ignore[arg-type]

    def commit(self, **texts: str | None) -> None:
        """Commit files with git; ``__`` in a name stands for ``/``."""
        self.repo.commit(
            {f"prompts/{name.replace('__', '/')}.yaml": text for name, text in texts.items()}
        )

    def text(self, name: str) -> str | None:
        """Give the text of a prompt in git; None where it is not alive."""
        snapshot = self.store.snapshot()
        return snapshot[name].prompt if name in snapshot else None


def file(text: str, **keys: object) -> str:
    """Write a prompt file."""
    return json.dumps({"prompt": text, "template": "simple", **keys})


def begin(repo: GitRepo, dialect: Dialect) -> Pair:
    """Make an empty store and an empty remote in memory."""
    project = FakeProject(dialect)
    return Pair(repo, PromptStore.open(repo.path), project, MemoryRemote(project), SyncRules())


@pytest.fixture
def repo(repo: GitRepo, fill: Fill) -> GitRepo:
    """A repository with one commit without files."""
    return fill(repo, begin_history)


def begin_history(repo: GitRepo) -> None:
    configure(repo).commit({}, "Begin")


@pytest.fixture(params=["legacy", "current"])
def pair(repo: GitRepo, request: pytest.FixtureRequest) -> Pair:
    """An empty store and an empty remote in memory, once in each dialect."""
    return begin(repo, request.param)


@pytest.fixture
def torn(pair: Pair) -> Pair:
    """`a` changed on both sides, in the same line."""
    pair.commit(a=file("One"))
    pair.run()
    pair.commit(a=file("Ours"))
    pair.project.edit("a", "Theirs")
    return pair
