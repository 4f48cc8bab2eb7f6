"""Many clients and people with git write to one branch: nothing is lost."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.gitrepo import GitRepo
from tests.server.listening import Server
from tests.writing.conftest import assert_tidy

CLIENTS = 8
SHARED = "summarise"


@pytest.mark.parametrize(
    "seconds", [3.0, pytest.param(60.0, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_publishes_reads_and_git_side_by_side(
    server: Server, repo: GitRepo, seconds: float
) -> None:
    end = time.monotonic() + seconds
    failed: list[str] = []
    published: Counter[str] = Counter()
    texts: list[str] = []
    lock = threading.Lock()

    def publish(client: httpx.Client, name: str, text: str) -> None:
        """Publish on top of what is newest, and again after a conflict."""
        base = client.get(f"name/{name}").json()["version"]
        while True:
            answer = client.patch(f"name/{name}", json={"base_version": base, "prompt": text})
            if answer.status_code == 409:
                base = answer.json()["current_version"]
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
        with server.client() as client:
            client.base_url = httpx.URL(f"{server.url}/api/environments/1/llm_prompts/")
            made = client.post("", json={"name": f"own-{number}", "prompt": "first"})
            assert made.status_code == 201, made.text
            turn = 0
            while time.monotonic() < end:
                turn += 1
                publish(client, f"own-{number}", f"own {number} {turn}")
                publish(client, SHARED, f"shared {number} {turn}")
                read = client.get(f"name/{SHARED}")
                listed = client.get("", params={"content": "none"})
                label = client.put(f"name/{SHARED}/labels/l{number}", json={"version": 1})
                answers = (read, listed, label)
                failed.extend(
                    f"{answer.status_code} {answer.text}"
                    for answer in answers
                    if answer.status_code >= 500
                )

    def commit() -> int:
        """Commit to the same branch by the git program, in the working tree beside the server."""
        done = 0
        while time.monotonic() < end:
            repo.write(f"prompts/git-{done}.yaml", f"prompt: number {done}\n")
            done += _try(lambda: repo.git("add", "prompts")) and _try(
                lambda: repo.git("commit", "--quiet", "--message", "By git")
            )
        return done

    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        by_git = pool.submit(commit)
        workers = [pool.submit(work, number) for number in range(CLIENTS)]
        for worker in workers:
            worker.result()
        pushed = by_git.result()

    assert failed == []
    assert min(published[f"own-{number}"] for number in range(CLIENTS)) > 0
    with server.client() as client:
        base = f"{server.url}/api/environments/1/llm_prompts"
        for name, count in published.items():
            assert client.get(f"{base}/name/{name}").json()["latest_version"] == count + 1
        for number in range(pushed):
            assert client.get(f"{base}/name/git-{number}").json()["prompt"] == f"number {number}"
    history = repo.git("log", "-p", "--format=", "main", "--", "prompts")
    assert [text for text in texts if text not in history] == []
    assert pushed > 0
    # What git was refused at last lies there still.
    (repo.path / f"prompts/git-{pushed}.yaml").unlink(missing_ok=True)
    repo.git("reset", "--quiet")
    assert_tidy(repo)


def _try(action: Callable[[], object]) -> bool:
    try:
        action()
    except AssertionError:
        # Somebody else holds a lock or was quicker, which git tells by a refusal.
        return False
    return True
