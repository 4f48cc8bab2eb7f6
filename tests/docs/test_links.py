"""Links lead somewhere: to a file, and to a heading in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.blocks import OTHERS, PAGES, TOP, without_blocks

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    text = without_blocks(page.read_text(encoding="utf-8"))
    found = set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        kept = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(kept.strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize(
    "page", [*PAGES, *OTHERS], ids=lambda page: page.relative_to(TOP).as_posix()
)
def test_links_lead_somewhere(page: Path) -> None:
    wrong = []
    for link in LINK.findall(without_blocks(page.read_text(encoding="utf-8"))):
        if link.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in anchors_of(target)
        ):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize(
    "page", [*PAGES, *OTHERS], ids=lambda page: page.relative_to(TOP).as_posix()
)
def test_nothing_is_left_for_the_reader_to_fill_in(page: Path) -> None:
    assert "OWNER" not in page.read_text(encoding="utf-8")


def test_every_page_of_the_site_can_be_reached() -> None:
    listed = set()
    for page in PAGES:
        for block in re.findall(
            r"```\{toctree\}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
        ):
            for line in block.splitlines():
                if line and not line.startswith(":"):
                    listed.add((page.parent / f"{line.split('<')[-1].rstrip('>')}.md").resolve())
    assert {page.resolve() for page in PAGES} - listed == {(TOP / "docs" / "index.md").resolve()}
