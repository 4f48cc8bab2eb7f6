"""One fault at every request of a sync, over real sockets; and processes that are killed."""

from __future__ import annotations

import copy
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType

import pytest

from promptstore.errors import PromptStoreError, RepositoryLockedError
from promptstore.posthog.client import PostHogClient, RetryPolicy
from promptstore.posthog.content import RemoteContent
from promptstore.posthog.sync import SyncRules
from promptstore.posthog.sync.remote import RemotePrompts
from promptstore.posthog.sync.state import RemoteRecord, RemoteState
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.processes import die_at, fork
from tests.sync.conftest import Pair, begin, file
from tests.sync.listening import FAULTS, KEY, KILLS, Listening, RefusingTransport, listening
from tests.sync.memory import MemoryRemote
from tests.sync.project import Dialect, FakeProject
from tests.writing.conftest import configure

MOST_REQUESTS = 20
"""More requests than the sync below makes, looks after lost answers included."""

WRITES = {("archive", "gone"), ("create", "mine"), ("publish", "up")}
COMING_BACK: dict[str, list[set[tuple[str, str]]]] = {
    "legacy": [{("create", "back")}],
    # A server that says 404 seems to be one that cannot bring prompts back.
    "current": [{("unarchive", "back"), ("publish", "back")}, {("create", "back")}],
}
STATE = "refs/promptstore/remotes/posthog"
TEXTS = {
    "back": "back 2", "up": "up 2", "mine": "mine 1", "down": "down 2", "theirs": "theirs 1",
    "kept1": "kept1 1", "kept2": "kept2 1",
}  # fmt: skip
PULLS = ["Create theirs", "Update down"]


@dataclass
class Scene:
    """A store and a project in which every kind of step is to be done, to be copied."""

    repo: GitRepo
    project: FakeProject
    copies: int = 0

    def copy(self) -> Pair:
        self.copies += 1
        return self._pair(self.repo.copy(self.repo.path.with_name(f"copy-{self.copies}")).path)

    def again(self) -> Pair:
        """Put one copy back to the beginning: objects pile up in it, but it is much quicker."""
        path = self.repo.path.with_name("again")
        if not path.exists():
            self.repo.copy(path)
        for folder in (".git/refs", ".git/logs", "prompts"):
            shutil.rmtree(path / folder)
            shutil.copytree(self.repo.path / folder, path / folder)
        for name in (".git/index", ".git/HEAD", ".git/packed-refs"):
            shutil.copy2(self.repo.path / name, path / name)
        return self._pair(path)

    def _pair(self, path: Path) -> Pair:
        project = copy.deepcopy(self.project)
        return Pair(
            GitRepo(path), PromptStore.open(path), project, MemoryRemote(project), SyncRules()
        )


def make_scene(dialect: Dialect, folder: Path) -> Scene:
    repo = configure(GitRepo.init(folder / "scene"))
    repo.commit({}, "Begin")
    project = FakeProject(dialect)
    pair = Pair(repo, PromptStore.open(repo.path), project, MemoryRemote(project), SyncRules())
    pair.commit(
        **{name: file(f"{name} 1") for name in ("up", "down", "gone", "kept1", "kept2", "back")}
    )
    pair.run()
    pair.commit(back=file("back 1", deleted=True))
    pair.run()
    project.writes.clear()
    pair.commit(back=file("back 2"))
    pair.commit(up=file("up 2"), mine=file("mine 1"), gone=file("gone 1", deleted=True))
    project.edit("down", "down 2")
    project.edit("theirs", "theirs 1")
    # Few files are copied quickly.
    repo.git("gc", "--quiet", "--prune=now")
    return Scene(repo, project)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Dialect], Scene]:
    """Makes the scene of a dialect once."""
    return cache(lambda dialect: make_scene(dialect, tmp_path_factory.mktemp(dialect)))


@pytest.fixture(params=["legacy", "current"])
def scene(request: pytest.FixtureRequest, scenes: Callable[[Dialect], Scene]) -> Scene:
    return scenes(request.param)


@pytest.fixture(scope="module")
def server() -> Iterator[Listening]:
    with listening(FakeProject()) as found:
        yield found


def attempt(pair: Pair, client: PostHogClient) -> None:
    """Sync once; whatever a fault brings is an error of ours or a failed step."""
    pair.remote = RemotePrompts(client)
    said = ""
    with client:
        try:
            pair.run()
        except PromptStoreError as error:
            said = str(error)
    assert KEY not in said


def assert_settled(pair: Pair) -> None:
    """Both sides are equal, nothing was written twice, and no edit is missing."""
    pair.remote = MemoryRemote(pair.project)
    assert pair.plan() == []
    writes = pair.project.writes
    assert len(writes) == len(set(writes))
    assert {*writes} - WRITES in COMING_BACK[pair.project.dialect]
    assert {*writes} >= WRITES
    assert pair.project.texts() == TEXTS
    assert {name: pair.text(name) for name in pair.store.snapshot()} == TEXTS
    repository = pair.store.repository
    commits = [repository.commit(link.id) for link in repository.walk(repository.tip() or "")]
    pulls = [commit.message for commit in commits if "grace@remote.example" in commit.author]
    assert sorted(message.partition(" from")[0] for message in pulls) == PULLS


QUICK = {
    "current": {*FAULTS, *KILLS} - {"401", "reset", "web page"},
    "legacy": {"500 after the work", "killed after the work"},
}
"""What is tried at every request each time. The rest ends a request as another fault here does; it
is tried at random each time, and at every request among the slow tests."""


def in_both(*faults: str) -> pytest.MarkDecorator:
    """Run with each fault in both dialects."""
    return pytest.mark.parametrize(
        ("scene", "fault"),
        [
            pytest.param(dialect, fault, marks=[] if fault in quick else [pytest.mark.slow])
            for dialect, quick in QUICK.items()
            for fault in faults
        ],
        indirect=["scene"],
    )


@in_both(*FAULTS)
def test_a_fault_at_every_request(scene: Scene, fault: str, server: Listening) -> None:
    timeout = 0.3 if "silence" in fault else 30.0
    for number in range(1, MOST_REQUESTS):
        pair = scene.again()
        server.project, server.faults = pair.project, {number: fault}
        server.requests.clear()
        attempt(pair, server.client(timeout=timeout))
        was_reached = len(server.requests) >= number
        server.faults = {}
        attempt(pair, server.client())
        assert_settled(pair)
        if not was_reached:
            assert number > 5
            return
    pytest.fail("the sync never ended")


def test_a_connection_refused_at_every_request(scene: Scene, server: Listening) -> None:
    for number in range(1, MOST_REQUESTS):
        pair = scene.again()
        server.project = pair.project
        transport = RefusingTransport(number)
        policy = RetryPolicy(attempts=1)
        attempt(pair, PostHogClient(server.url, KEY, 1, policy=policy, transport=transport))
        attempt(pair, server.client())
        assert_settled(pair)
        if transport.left > 0:
            assert number > 5
            return
    pytest.fail("the sync never ended")


def test_faults_that_pass_are_not_even_noticed(scene: Scene, server: Listening) -> None:
    pair = scene.again()
    server.project = pair.project
    server.requests.clear()
    server.faults = {1: "500", 2: "reset", 4: "429"}
    with server.client(attempts=4) as client:
        pair.remote = RemotePrompts(client)
        assert pair.run().is_clean
    assert_settled(pair)


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 40))]
)
def test_several_faults_at_random(scene: Scene, server: Listening, seed: int) -> None:
    chance = random.Random(seed)
    pair = scene.again()
    server.project = pair.project
    for _ in range(3):
        server.requests.clear()
        fitting = [fault for fault in FAULTS if "silence" not in fault]
        server.faults = {chance.randint(1, 12): chance.choice(fitting) for _ in range(3)}
        attempt(pair, server.client(attempts=chance.choice([1, 3])))
    server.faults = {}
    attempt(pair, server.client())
    assert_settled(pair)


@in_both(*KILLS)
def test_a_process_killed_at_every_request(scene: Scene, server: Listening, fault: str) -> None:
    for number in range(1, MOST_REQUESTS):
        pair = scene.copy()
        server.project, server.faults = pair.project, {number: fault}
        server.requests.clear()
        code = run_as_victim(pair, server)
        server.faults = {}
        attempt(pair, server.client())
        assert_settled(pair)
        if code == 0:
            assert number > 5
            return
        assert code == -signal.SIGKILL
    pytest.fail("the sync never ended")


def run_as_victim(pair: Pair, server: Listening) -> int:
    """Sync in a process that the server may kill, and give its exit code."""
    gate, opener = os.pipe()

    def work(_output: int) -> None:
        os.read(gate, 1)
        pair.store = PromptStore.open(pair.repo.path)
        attempt(pair, server.client())

    child = fork(work)
    server.victim = child.pid
    os.write(opener, b"x")
    code = child.wait()
    os.close(gate)
    os.close(opener)
    return code


@pytest.mark.parametrize("event", range(1, 160, 40))
def test_a_process_killed_while_it_writes_files(
    scene: Scene, server: Listening, event: int
) -> None:
    pair = scene.copy()
    server.project, server.faults = pair.project, {}

    def work(_output: int) -> None:
        pair.store = PromptStore.open(pair.repo.path)
        pair.remote = RemotePrompts(server.client())
        die_at(event)
        pair.run()

    assert fork(work).wait() in (0, -signal.SIGKILL)
    attempt(pair, server.client())
    assert_settled(pair)
    assert pair.repo.git("fsck", "--strict", "--no-dangling") == ""


def test_a_process_killed_while_it_holds_the_lock_of_the_state(repo: GitRepo) -> None:
    pair = begin(repo, "current")
    pair.commit(a=file("One"))
    lock = repo.path / ".git" / f"{STATE}.lock"

    def kill(_frame: FrameType, _event: str, _argument: object) -> None:
        if lock.exists():
            os.kill(os.getpid(), signal.SIGKILL)

    def work(_output: int) -> None:
        pair.store = PromptStore.open(repo.path)
        sys.setprofile(kill)
        pair.run()

    assert fork(work).wait() == -signal.SIGKILL
    assert lock.exists()
    assert pair.run().is_clean
    assert set(pair.compare().known) == {"a"}
    assert not lock.exists()


def test_a_lock_that_is_not_ours_stays(repo: GitRepo) -> None:
    pair = begin(repo, "current")
    pair.commit(a=file("One"))
    lock = repo.path / ".git" / f"{STATE}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    os.utime(lock, (0, 0))
    state = RemoteState(pair.store.repository, "posthog", "prompts", lock_timeout=0.05)
    record = RemoteRecord(RemoteContent("x"), False, "a", "id", 1)
    with pytest.raises(RepositoryLockedError):
        state.record({"a": record})
    assert lock.exists()


class TestASyncThatWasKilledBeforeItRecorded:
    """The other side has what was brought over, and nobody knows: then somebody edits again."""

    @pytest.fixture(params=["legacy", "current"])
    def pair(self, repo: GitRepo, request: pytest.FixtureRequest) -> Pair:
        pair = begin(repo, request.param)
        pair.commit(a=file("One"), b=file("B"), c=file("C"), d=file("D"))
        pair.run()
        return pair

    def run_killed(self, pair: Pair) -> None:
        """Sync, and forget what was recorded of it."""
        state = pair.repo.git("rev-parse", STATE)
        assert pair.run().is_clean
        pair.repo.git("update-ref", STATE, state)

    def test_an_edit_in_git_after_a_push(self, pair: Pair) -> None:
        pair.commit(a=file("Two"))
        self.run_killed(pair)
        pair.commit(a=file("Three"))
        assert pair.plan() == ["push update a"]
        assert pair.run().is_clean
        assert pair.project.texts()["a"] == "Three"

    @pytest.mark.parametrize("pair", ["current"], indirect=True)
    def test_a_text_in_git_that_came_back_after_a_push(self, pair: Pair) -> None:
        pair.commit(a=file("Two"))
        self.run_killed(pair)
        pair.commit(a=file("One"))
        assert pair.plan() == ["push update a"]

    def test_a_text_that_git_had_in_between_may_come_from_the_remote(self, pair: Pair) -> None:
        for text in ("Two", "One"):
            pair.commit(a=file(text))
        pair.project.edit("a", "Two")
        assert pair.plan() == ["pull update a"]

    def test_an_edit_in_git_after_a_first_push(self, pair: Pair) -> None:
        pair.commit(new=file("New"))
        self.run_killed(pair)
        pair.commit(new=file("Newer"))
        assert pair.plan() == ["push update new"]

    def test_an_edit_in_git_after_a_pull(self, pair: Pair) -> None:
        pair.project.edit("a", "Two")
        self.run_killed(pair)
        pair.commit(a=file("Three"))
        assert pair.plan() == ["push update a"]

    def test_a_prompt_that_comes_back_after_it_was_archived(self, pair: Pair) -> None:
        pair.commit(a=file("One", deleted=True))
        self.run_killed(pair)
        pair.commit(a=file("Two"))
        assert pair.plan() == ["push restore a"]
        assert pair.run().is_clean
        assert pair.project.texts()["a"] == "Two"

    @pytest.mark.parametrize("pair", ["current"], indirect=True)
    def test_an_edit_on_the_remote_after_a_push(self, pair: Pair) -> None:
        pair.commit(a=file("Two"))
        self.run_killed(pair)
        for text in ("Three", "Four"):
            pair.project.edit("a", text)
        assert pair.plan() == ["pull update a"]
        pair.commit(a=file("Ours"))
        assert pair.plan() == ["conflict settle a"]

    @pytest.mark.parametrize("pair", ["legacy"], indirect=True)
    @pytest.mark.parametrize("arrives", [True, False])
    def test_without_versions_an_edit_there_is_a_conflict_where_it_touches(
        self, pair: Pair, arrives: bool
    ) -> None:
        """The remote's row is the same whether the push came before the edit or never."""
        pair.commit(a=file("Two"))
        if arrives:
            self.run_killed(pair)
        before = pair.project.row("a")
        pair.project.edit("a", "Three")
        row = pair.project.row("a")
        assert row == before | {"prompt": "Three", "updated_at": row["updated_at"]}
        assert before["version"] == row["version"] == 1
        assert pair.plan() == ["conflict settle a"]
        assert pair.run().of("conflict")
        assert (pair.text("a"), pair.project.texts()["a"]) == ("Two", "Three")

    @pytest.mark.parametrize("arrives", [True, False])
    def test_an_edit_there_that_keeps_what_was_pushed_is_taken(
        self, pair: Pair, arrives: bool
    ) -> None:
        lines = "one\n\n\n\n\ntwo\n"
        pair.commit(a=file(lines))
        pair.run()
        pair.commit(a=file(lines.replace("one", "ONE")))
        if arrives:
            self.run_killed(pair)
        pair.project.edit("a", lines.upper())
        assert pair.run().is_clean
        assert pair.text("a") == pair.project.texts()["a"] == lines.upper()

    def test_an_old_text_that_came_back_there_is_no_push(self, pair: Pair) -> None:
        pair.commit(a=file("Two"))
        pair.run()
        pair.commit(a=file("Three"))
        pair.project.edit("a", "One")
        assert pair.plan() == ["conflict settle a"]
