"""Every provider's shapes in both styles; each input names the documented format it is taken from.

A golden folder holds pairs of an event (``*.json``) and its texts (``*.posthog.txt`` and
``*.complete.txt``). A new file is a new case.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptstore import text_repr

GOLDEN = Path(__file__).parent / "golden"
EVENTS = sorted(path for path in GOLDEN.glob("*/*.json") if path.parent.name != "posthog")


@pytest.mark.parametrize("style", ["posthog", "complete"])
@pytest.mark.parametrize("path", EVENTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_shapes_of_a_provider(path: Path, style: str) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    assert case["format"]
    expected = path.with_name(f"{path.stem}.{style}.txt").read_bytes().decode()
    assert text_repr(case["event"], style=style).text == expected


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_bytes_are_shown(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    assert "iVBORw0KGgo" not in text_repr(case["event"], style="complete").text
