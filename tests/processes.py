"""Processes that really race, and processes that die in the middle of what they do."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from promptstore import PromptStore
from promptstore.store.edits import Edit


class Child(NamedTuple):
    """A forked process.

    Attributes:
        pid: Its process id.
        output: The end of the pipe that it writes to.
    """

    pid: int
    output: int

    def read(self) -> bytes:
        """Read what it wrote until it ended."""
        pieces = []
        while piece := os.read(self.output, 65536):
            pieces.append(piece)
        return b"".join(pieces)

    def wait(self) -> int:
        """Wait for its end and give its exit code; below 0 for a signal."""
        os.close(self.output)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def fork(work: Callable[[int], None]) -> Child:
    """Run something in a forked process, which is given the end of a pipe to write to."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write_end)
        return Child(pid, read_end)
    os.close(read_end)
    code = 1
    try:
        work(write_end)
        code = 0
    finally:
        # Whatever it was, the child must not run on as a test.
        if code:
            traceback.print_exc()
        os._exit(code)


def race(workers: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run functions in processes of their own, started at once, and give what they return."""
    gate, opener = os.pipe()

    def work(worker: Callable[[], Any], output: int) -> None:
        os.close(opener)
        os.read(gate, 1)
        data = pickle.dumps(worker())
        while data:
            data = data[os.write(output, data) :]

    children = [
        fork(lambda output, worker=worker: work(worker, output))  # type: ignore[misc]
        for worker in workers
    ]
    os.close(opener)
    results = [child.read() for child in children]
    assert [child.wait() for child in children] == [0] * len(children)
    os.close(gate)
    return [pickle.loads(result) for result in results]


def die_at(event_number: int) -> None:
    """Let this process be killed at its n-th access to a file from now on."""
    seen = 0

    def count(event: str, _arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in {"open", "os.link", "os.rename", "os.remove", "os.chmod", "os.utime"}:
            seen += 1
            if seen == event_number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def is_killed_in_commit(path: Path, edits: Mapping[str, Edit], event_number: int) -> bool:
    """Commit in a process that is killed at its n-th access to a file; tell whether it was."""

    def commit(_: int) -> None:
        store = PromptStore.open(path)
        base = store.snapshot()
        die_at(event_number)
        store.commit(edits, base=base)

    return fork(commit).wait() == -signal.SIGKILL
