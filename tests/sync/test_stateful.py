"""Random edits on both sides, random faults and choices: nothing is ever lost."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from promptstore.errors import MassDeletionError, RemoteUnreachableError
from promptstore.model.prompt import Prompt
from promptstore.posthog.content import RemoteContent, encode_content
from promptstore.posthog.sync import Sync, SyncOptions
from promptstore.store.edits import Deletion
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.sync.memory import MemoryRemote
from tests.sync.project import Dialect, FakeProject
from tests.writing.conftest import configure

NAMES = st.sampled_from(["a", "b", "team/c"])
LINES = st.sampled_from(["one", "two", "three {{x}}"])
TEXTS = st.lists(LINES, min_size=3, max_size=3).map(lambda lines: "\n\n\n".join(lines) + "\n")
PREFERENCES = st.sampled_from([None, None, "local", "remote"])
STATE = "refs/promptstore/remotes/posthog"
SPELLED = {"a": "a", "b": "b", "team/c": "team__c"}


@cache
def beginning() -> Path:
    """Make a repository with two branches once, since copying it is quicker."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    repo = configure(GitRepo.init(folder / "repo"))
    repo.commit({}, "Begin")
    repo.git("branch", "other")
    return repo.path


class TwoSides(RuleBasedStateMachine):
    """A store and a remote that people edit while they are synced."""

    @initialize(dialect=st.sampled_from(["legacy", "current"]))
    def begin(self, dialect: Dialect) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.repo = GitRepo(shutil.copytree(beginning(), self.folder / "repo"))
        self.project = FakeProject(dialect)
        self.remote = MemoryRemote(self.project)
        self.go_to("main")
        self.ever: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @rule(branch=st.sampled_from(["main", "other"]))
    def go_to(self, branch: str) -> None:
        """Work and sync on another branch from now on; the remote and its state are the same."""
        self.store = PromptStore.open(self.repo.path, branch=branch)
        self.sync = Sync(self.store, self.remote, "posthog")

    @rule(name=NAMES, text=TEXTS)
    def edit_in_git(self, name: str, text: str) -> None:
        self.store.save(name, Prompt(prompt=text, template="simple"))

    @rule(name=NAMES)
    def delete_in_git(self, name: str) -> None:
        if name in self.store.snapshot():
            self.store.commit({name: Deletion()})

    @rule(name=NAMES, text=TEXTS)
    def edit_on_the_remote(self, name: str, text: str) -> None:
        self.project.edit(SPELLED[name], text)

    @rule(name=NAMES)
    def archive_on_the_remote(self, name: str) -> None:
        if SPELLED[name] in self.project.prompts:
            self.project.remove(SPELLED[name])

    @rule(
        prefer=PREFERENCES,
        allow_delete=st.booleans(),
        direction=st.sampled_from([["push"], ["pull"], ["push", "pull"]]),
        branch=st.sampled_from([None, "from-remote"]),
        faults=st.dictionaries(st.integers(1, 6), st.sampled_from(["before", "after"]), max_size=2),
    )
    def sync_once(
        self,
        prefer: Literal["local", "remote"] | None,
        allow_delete: bool,
        direction: Any,
        branch: str | None,
        faults: dict[int, str],
    ) -> None:
        before = self.project.texts()
        self.remote.calls, self.remote.faults = 0, faults
        options = SyncOptions(
            directions=direction, prefer=prefer, allow_delete=allow_delete, branch=branch
        )
        try:
            self.sync.apply(self.sync.compare(), options)
        except (RemoteUnreachableError, MassDeletionError):
            pass
        finally:
            self.remote.faults = {}
        self.remember(before)

    @rule(direction=st.sampled_from([["push"], ["pull"], ["push", "pull"]]), prefer=PREFERENCES)
    def sync_and_be_killed(self, direction: Any, prefer: Literal["local", "remote"] | None) -> None:
        """Sync, and forget what was recorded last, as if the process had been killed before."""
        before, records = self.project.texts(), self.records()
        options = SyncOptions(directions=direction, prefer=prefer, confirmed=True)
        self.sync.apply(self.sync.compare(), options)
        now = self.records()
        if len(now) > len(records):
            self.repo.git("update-ref", *(["-d", STATE] if len(now) == 1 else [STATE, now[1]]))
        self.remember(before)

    def records(self) -> list[str]:
        """List the commits of the state, newest first."""
        listed = self.repo.git("for-each-ref", "--format=%(objectname)", STATE)
        return self.repo.git("rev-list", listed.strip()).split() if listed.strip() else []

    @rule(prefer=st.sampled_from(["local", "remote"]))
    def sync_to_the_end(self, prefer: Literal["local", "remote"]) -> None:
        before = self.project.texts()
        options = SyncOptions(prefer=prefer, allow_delete=True, confirmed=True)
        assert self.sync.apply(self.sync.compare(), options).is_clean
        after = self.sync.compare()
        assert after.steps == ()
        assert after.agreed == {}
        self.remember(before)
        self.project.writes.clear()
        assert self.sync.apply(after, options).results == []
        assert self.project.writes == []
        alive = {SPELLED[name]: prompt.prompt for name, prompt in self.store.snapshot().items()}
        assert alive == self.project.texts()

    def remember(self, before: dict[str, Any]) -> None:
        """Note every text of git, and every text of the remote that a sync has replaced there.

        What a person replaces on a remote without versions is lost by that person alone.
        """
        after = self.project.texts()
        replaced = [text for name, text in before.items() if after.get(name) != text]
        self.ever |= {RemoteContent(text).digest for text in replaced}
        self.ever |= {encode_content(prompt).digest for prompt in self.store.list(deleted=True)}

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "ever") or not self.ever:
            return
        missing = self.ever - self.on_the_remote()
        assert not missing or missing <= self.in_git()

    def on_the_remote(self) -> set[str]:
        histories = [*self.project.prompts.values(), *(held for _, held in self.project.archived)]
        return {RemoteContent(version.prompt).digest for held in histories for version in held}

    def in_git(self) -> set[str]:
        """Read every prompt file that any commit holds."""
        listed = self.repo.git("rev-list", "--objects", "--all")
        blobs = [line.split()[0] for line in listed.splitlines() if line.endswith(".yaml")]
        from promptstore.promptfile.reader import loads

        return {
            encode_content(loads(self.store.repository.blob(blob)), as_source=True).digest
            for blob in blobs
        }


TestTwoSides = TwoSides.TestCase
TestTwoSides.settings = settings(
    max_examples=200 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 20,
    stateful_step_count=20,
    deadline=None,
)
