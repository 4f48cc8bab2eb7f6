"""A real browser: Debian's Chromium by Playwright, where both are to be had."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Final

AXE: Final = Path(__file__).parents[1] / "js" / "node_modules" / "axe-core" / "axe.min.js"
OPTIONS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """Find the browser."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def missing_browser() -> str:
    """Say why there is no browser, or nothing."""
    if find_spec("playwright") is None:
        return "Playwright is not installed: pip install playwright"
    if chromium() is None:
        return "Chromium is not installed: apt-get install chromium"
    return ""


def missing_axe() -> str:
    """Say why pages cannot be checked by axe, or nothing."""
    if not AXE.is_file():
        return "axe is not installed: run `npm ci --prefix tests/server/js`"
    return missing_browser()
