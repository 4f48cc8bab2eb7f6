"""mypy over a program as a user could write it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

# With the SDKs a first run takes ten times as long; mypy reads them when it checks the tests.
CONFIG: Final = """\
[mypy]
strict = True
[mypy-openai.*,anthropic.*,google.*]
follow_imports = skip
"""
CACHE: Final = Path(__file__).parents[1] / ".mypy_cache" / "without_sdks"


def run_mypy(folder: Path, *files: str) -> str:
    """Check files of a folder as where no vendor's SDK is installed, and return what is printed."""
    (folder / "mypy.ini").write_text(CONFIG)
    done = subprocess.run(
        [
            sys.executable, "-m", "mypy", "--config-file=mypy.ini", f"--cache-dir={CACHE}",
            "--no-error-summary", *files,
        ],
        cwd=folder, capture_output=True, text=True, check=False,
        env={"MYPYPATH": "typings", "PATH": ""},
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout
