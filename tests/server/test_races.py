"""Many clients and people with git write to one branch: nothing is lost."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from promptstore.git.writing import Deadline, exclusive
from promptstore.server import publishing
from promptstore.server.settings import ProjectSettings
from promptstore.server.tokens import TokenFile
from tests.gitrepo import GitRepo
from tests.server.listening import Server, serving
from tests.writing.conftest import assert_tidy, configure

CLIENTS = 8
WAITING = 50
"""More writers than the server has threads."""

SHARED = "summarise"
PATIENCE = 60
"""For how many seconds after the race a conflict may last; one that stays fails the test."""


class BesideTheServer:
    """A person who commits in the working tree that is served.

    Args:
        repo: The repository that is served.
    """

    def __init__(self, repo: GitRepo, _folder: Path) -> None:
        self.repo = repo
        self.refused = ""

    def commit(self, number: int) -> bool:
        """Commit a prompt, and tell whether git did it.

        Git reads the branch or the index a moment before it locks the index. Where a publish comes
        in that moment, the index is left without it: who then commits would take it back, so one
        looks at what is staged, as after any commit that failed.
        """
        path = f"prompts/git-{number}.yaml"
        self.repo.write(path, f"prompt: number {number}\n")
        is_done = (
            _try(self.repo, "add", path)
            and self.repo.git("diff", "--cached", "--name-only") == path
            and _try(self.repo, "commit", "--quiet", "--message", "By git")
        )
        if not is_done:
            _try(self.repo, "restore", "--staged", ".")
        self.refused = "" if is_done else path
        return is_done

    def stop(self) -> None:
        """Take back what git was refused at last, and nothing else."""
        if self.refused:
            self.repo.git("restore", "--staged", ".")
            (self.repo.path / self.refused).unlink()


class InAClone:
    """A person who commits in a clone of their own, and pushes.

    Args:
        repo: The bare repository that is served.
        folder: Where the clone may lie.
    """

    def __init__(self, repo: GitRepo, folder: Path) -> None:
        self.clone = configure(repo.clone(folder / "clone"))

    def commit(self, number: int) -> bool:
        """Commit a prompt and push it, on top of what others pushed meanwhile."""
        self.clone.commit({f"prompts/git-{number}.yaml": f"prompt: number {number}\n"}, "By git")
        while not _try(self.clone, "push", "--quiet", "origin", "main"):
            self.clone.git("pull", "--quiet", "--rebase", "origin", "main")
        return True

    def stop(self) -> None:
        """Nothing is left over: whatever was committed was pushed."""
        assert self.clone.git("status", "--porcelain") == ""


def _try(repo: GitRepo, *arguments: str) -> bool:
    try:
        repo.git(*arguments)
    except AssertionError:
        # Somebody else holds a lock or was quicker, which git tells by a refusal.
        return False
    return True


def test_writers_who_wait_do_not_keep_readers_waiting(server: Server, repo: GitRepo) -> None:
    base = "/api/environments/@current/llm_prompts"
    lock = repo.path / ".git" / "promptstore" / "write.lock"

    def publish(client: httpx.Client, version: int) -> int:
        body = {"base_version": version, "prompt": f"after {version}"}
        return client.patch(f"{base}/name/summarise", json=body).status_code

    with ExitStack() as stack:
        reader, *writers = [stack.enter_context(server.client()) for _ in range(WAITING + 1)]
        assert publish(reader, 1) == 200
        pool = stack.enter_context(ThreadPoolExecutor(WAITING))
        with exclusive(lock, Deadline(5)):
            written = [pool.submit(publish, writer, 2) for writer in writers]
            for number in range(1, 21):
                # Each asks what was not asked before, so that it takes a thread.
                read = reader.get(base, params={"limit": number}, timeout=5)
                assert read.status_code == 200
            assert not any(one.done() for one in written)
        statuses = Counter(one.result() for one in written)
    assert statuses == {200: 1, 409: WAITING - 1}


def test_a_write_does_not_wait_for_its_turn_for_ever(
    server: Server, repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "MAX_WAIT_SECONDS", 0.05)
    name = "/api/environments/@current/llm_prompts/name/summarise"
    with ExitStack() as stack:
        one, other = (stack.enter_context(server.client()) for _ in range(2))
        assert one.patch(name, json={"base_version": 1, "prompt": "two"}).status_code == 200
        pool = stack.enter_context(ThreadPoolExecutor(2))
        with exclusive(repo.path / ".git" / "promptstore" / "write.lock", Deadline(5)):
            body = {"base_version": 2, "prompt": "three"}
            answers = [pool.submit(client.patch, name, json=body) for client in (one, other)]
            done, _ = wait(answers, return_when=FIRST_COMPLETED)
            (refused,) = (answer.result() for answer in done)
            assert (refused.status_code, refused.json()["code"]) == (503, "repository_locked")
            assert refused.headers["retry-after"] == "1"
        assert sorted(answer.result().status_code for answer in answers) == [200, 503]


@pytest.mark.parametrize(
    "seconds", [1.5, pytest.param(60.0, marks=pytest.mark.slow)], ids=["short", "long"]
)
@pytest.mark.parametrize(
    ("person", "is_bare"),
    [(BesideTheServer, False), (InAClone, True)],
    ids=["beside the server", "in a clone"],
)
def test_publishes_reads_and_git_side_by_side(
    tmp_path: Path,
    repo: GitRepo,
    person: type[BesideTheServer | InAClone],
    is_bare: bool,
    seconds: float,
) -> None:
    served = configure(repo.clone(tmp_path / "bare", "--bare")) if is_bare else repo
    by_git = person(served, tmp_path)
    settings = {1: ProjectSettings(1, served.path, branch="main")}
    with serving(settings, TokenFile(tmp_path / "tokens.json")) as server:
        _race(server, served, by_git, time.monotonic() + seconds)


def _race(server: Server, repo: GitRepo, person: BesideTheServer | InAClone, end: float) -> None:
    failed: list[str] = []
    published: Counter[str] = Counter()
    texts: list[str] = []
    lock = threading.Lock()

    def connect() -> httpx.Client:
        client = server.client()
        client.base_url = httpx.URL(f"{server.url}/api/environments/1/llm_prompts/")
        return client

    def publish(client: httpx.Client, name: str, text: str) -> None:
        """Publish on top of what is newest, and again after a conflict."""
        base = client.get(f"name/{name}").json()["version"]
        while True:
            answer = client.patch(f"name/{name}", json={"base_version": base, "prompt": text})
            if answer.status_code == 409 and time.monotonic() < end + PATIENCE:
                # Without a version it is about the file on disk, where git was at work: try again.
                base = answer.json().get("current_version", base)
                continue
            if answer.status_code != 200:
                failed.append(f"{answer.status_code} {answer.text}")
                return
            with lock:
                published[name] += 1
                texts.append(text)
            assert answer.json()["version"] == base + 1
            return

    def work(number: int) -> None:
        with connect() as client:
            made = client.post("", json={"name": f"own-{number}", "prompt": "first"})
            assert made.status_code == 201, made.text
            turn = 0
            # On a busy machine the time may be over before the first turn.
            while turn == 0 or time.monotonic() < end:
                turn += 1
                publish(client, f"own-{number}", f"own {number} {turn}")
                publish(client, SHARED, f"shared {number} {turn}")
                read = client.get(f"name/{SHARED}")
                listed = client.get("", params={"content": "none"})
                label = client.put(f"name/{SHARED}/labels/l{number}", json={"version": 1})
                failed.extend(
                    f"{answer.status_code} {answer.text}"
                    for answer in (read, listed, label)
                    if answer.status_code not in (200, 201)
                )

    def commit() -> int:
        done = 0
        while done == 0 or time.monotonic() < end:
            done += person.commit(done)
        return done

    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        by_git = pool.submit(commit)
        workers = [pool.submit(work, number) for number in range(CLIENTS)]
        for worker in workers:
            worker.result()
        committed = by_git.result()

    assert failed == []
    assert committed > 0
    assert min(published[f"own-{number}"] for number in range(CLIENTS)) > 0
    with connect() as client:
        for name, count in published.items():
            assert client.get(f"name/{name}").json()["latest_version"] == count + 1
        for number in range(committed):
            found = client.get(f"name/git-{number}").json()
            assert (found["prompt"], found["version"]) == (f"number {number}", 1)
    history = repo.git("log", "-p", "--format=", "main", "--", "prompts")
    written = re.findall(r"^\+prompt: '?(.*?)'?$", history, re.MULTILINE)
    by_people = ["Sum up: {{text}}", *(f"number {number}" for number in range(committed))]
    assert sorted(written) == sorted([*texts, *by_people, *["first"] * CLIENTS])
    person.stop()
    assert_tidy(repo)
