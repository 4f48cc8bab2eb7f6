"""Without its extra, the remote says what to install."""

from __future__ import annotations

import subprocess
import sys

from promptstore.errors import install_command

PROGRAM = """
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "httpx" else real(name, *rest)
from promptstore.errors import MissingExtraError
try:
    import promptstore.posthog.client
except MissingExtraError as error:
    print(error)
"""


def test_a_missing_extra_says_what_mends_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"Talking to a remote needs more: {install_command('remote')}\n"


def test_the_package_loads_no_http_by_itself() -> None:
    modules = "promptstore, promptstore.store.store, promptstore.cli.app, sys"
    program = f"import {modules}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "httpx" not in done.stdout.split()
    assert "promptstore.posthog.sync.engine" not in done.stdout.split()
