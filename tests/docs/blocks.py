"""The fenced blocks of a Markdown page, and the marks that stand above them.

A mark is an HTML comment on the line before a block:

- ``<!-- file: PATH -->`` writes the block to a file of the scratch repository;
- ``<!-- output -->`` says that the block is what the Python block before it printed;
- ``<!-- tested: TEST WORD -->`` names the test that uses the block, and the block's name there;
- ``<!-- not run: REASON -->`` says why a block is not run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).parents[2]
DOCS: Final = TOP / "docs"
PAGES: Final = sorted(
    file for file in DOCS.rglob("*.md") if "_generated" not in file.relative_to(DOCS).parts
)
OTHERS: Final = sorted([TOP / "README.md", TOP / "CHANGELOG.md", *(TOP / ".github").rglob("*.md")])
"""Pages that are no part of the site."""

_FENCE: Final = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)(?P<language>[\w{}-]*)[^\n]*\n"
    r"(?P<text>.*?)^(?P=indent)(?P=fence)$",
    re.DOTALL | re.MULTILINE,
)
_MARK: Final = re.compile(r"<!-- (?P<kind>[a-z -]+?)(?:: (?P<value>[^>]*?))? -->\n\s*\Z")


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    text: str
    mark: str
    value: str

    @property
    def place(self) -> str:
        """Where it stands, for a message."""
        return f"{self.page.relative_to(TOP)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    blocks = []
    for found in _FENCE.finditer(text):
        above = _MARK.search(text, 0, found.start())
        indent = found["indent"]
        body = re.sub(rf"^{indent}", "", found["text"], flags=re.MULTILINE)
        blocks.append(
            Block(
                page,
                text.count("\n", 0, found.start()) + 1,
                found["language"],
                body,
                above["kind"] if above else "",
                (above["value"] or "") if above else "",
            )
        )
    return blocks


def named_block(page: Path, word: str) -> Block:
    """Return the block of a page that a test of its own uses, by its name."""
    (found,) = [
        block
        for block in blocks_of(page)
        if block.mark == "tested" and block.value.split(" ")[1] == word
    ]
    return found


def without_blocks(text: str) -> str:
    """Return a page without its fenced blocks and its comments."""
    return re.sub(r"<!--.*?-->", "", _FENCE.sub("", text), flags=re.DOTALL)
