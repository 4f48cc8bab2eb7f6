"""System calls of a forked process that fail, or kill it, by the strace program."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import tempfile
import threading
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.processes import fork


class Outcome(NamedTuple):
    """What came of work that was disturbed.

    Attributes:
        result: What the work returned, or the exception that it raised; None where it was killed.
        was_disturbed: Whether the system call that was to fail was made at all.
    """

    result: Any
    was_disturbed: bool


@cache
def _can_attach() -> bool:
    if shutil.which("strace") is None:
        return False
    command = ["strace", "-f", "-qq", "-o", os.devnull, "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


needs_strace = pytest.mark.skipif(not _can_attach(), reason="strace is not here, or may not trace")


def _again(call: Callable[[], Any]) -> None:
    """Make a call of the test itself, once more where it is the one that fails."""
    try:
        call()
    except OSError:
        call()


def disturbed(work: Callable[[], Any], calls: str, fault: str, number: int) -> Outcome:
    """Run work in a forked process in which one system call of each name fails.

    Args:
        work: What to run.
        calls: The names of system calls, with commas between.
        fault: What happens, such as ``error=EIO`` or ``signal=SIGKILL``.
        number: Which of these calls it happens to, from 1.
    """
    gate, opener = os.pipe()

    def run(output: int) -> None:
        os.close(opener)
        _again(lambda: os.read(gate, 1))
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            error.add_note(traceback.format_exc())
            result = error
        data = pickle.dumps(result)
        _again(lambda: os.write(output, data))

    child = fork(run)
    os.close(gate)
    with tempfile.NamedTemporaryFile("r") as log:
        command = [
            "strace", "-f", "-p", str(child.pid), "-o", log.name, "-e", f"trace={calls}",
            "-e", f"inject={calls}:{fault}:when={number}",
        ]  # fmt: skip
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            assert "attached" in tracer.stderr.readline()
            # Nobody may wait for a full pipe, whatever else it has to say.
            reader = threading.Thread(target=tracer.stderr.read)
            reader.start()
            os.close(opener)
            data = child.read()
            code = child.wait()
            tracer.wait()
            reader.join()
        is_killed = code == -signal.SIGKILL
        text = Path(log.name).read_text()
    assert code == 0 or is_killed, code
    return Outcome(pickle.loads(data) if data else None, "INJECTED" in text or is_killed)
