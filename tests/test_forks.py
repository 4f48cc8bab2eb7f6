"""A fork of a process whose threads read inherits a store that works."""

from __future__ import annotations

import os
import signal
import threading

from promptstore import PromptStore
from tests.gitrepo import GitRepo

FORKS = 25
LIMIT = 10  # seconds, after which a child that hangs is ended by the kernel


def read(store: PromptStore) -> list[str | None]:
    versions = [version.number for version in store.history("a")]
    return [store.get("a").prompt, store.get("a", version=1).prompt, str(versions)]


def test_a_fork_works_while_threads_read(repo: GitRepo) -> None:
    for number in range(3):
        repo.commit({"prompts/a.yaml": f"prompt: 'text {number}'\n"})
    store = PromptStore.open(repo.path)
    expected = read(store)
    stopped = threading.Event()

    def keep_reading() -> None:
        while not stopped.is_set():
            # A store of its own, so that files are opened and closed all the time.
            read(PromptStore.open(repo.path))

    threads = [threading.Thread(target=keep_reading) for _ in range(3)]
    for thread in threads:
        thread.start()
    codes = []
    for _ in range(FORKS):
        child = os.fork()
        if child == 0:
            signal.alarm(LIMIT)
            found = read(store) == expected and read(PromptStore.open(repo.path)) == expected
            os._exit(0 if found else 1)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        if codes[-1] != 0:
            break
    stopped.set()
    for thread in threads:
        thread.join()
    assert codes == [0] * FORKS
