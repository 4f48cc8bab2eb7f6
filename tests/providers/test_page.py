"""The table of what cannot be sent, in the documentation, says what is so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.providers.test_golden import read
from tests.providers.vendors import CHECKS

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "providers.md"
CASES = {
    "instructions after the first answer": "late_system",
    "names of speakers": "names",
    "image by URL": "image_url",
    "document by URL": "document_url",
    "file by its id": "file_id",
    "sound": "audio",
    "an image as the result of a tool": "image_result",
    "custom tools of OpenAI": "custom_tool",
    "Claude's thinking": "thinking",
    "a refusal of the model": "refusal",
    "a failed tool": "tool_error",
    "JSON without a schema": "json_object",
    "one call of a tool at a time": "tools_serial",
}
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| |")
]


def test_every_row_has_a_case() -> None:
    assert [row[0] for row in ROWS] == list(CASES)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row(row: list[str]) -> None:
    accepted = ["refused" not in read("golden", f"{CASES[row[0]]}.{vendor}") for vendor in CHECKS]
    assert accepted == [cell in ("yes", "wav, mp3") for cell in row[1:]]
