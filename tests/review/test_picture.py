"""The picture of a comment in the guide team.md is what `review` writes about that change today."""

from __future__ import annotations

import html
import re
from pathlib import Path

from promptstore.review.markdown import comment
from promptstore.review.ranges import compare
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo

TOP = Path(__file__).parents[2]
CHANGE = {
    "shared/tone": [("promise or claim what", "promise what")],
    "release/changelog-entry": [
        ("says what and from which release on", "says what"),
        ("max_tokens: 160", "max_tokens: 120"),
    ],
}
"""What the pictured commit changed: as it is now, as it was before."""


def pictured() -> str:
    page = (TOP / "docs" / "guides" / "team.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- review -->\n(.*?)<!-- end -->", page, re.DOTALL)
    assert block
    return block[1]


def quoted(text: str) -> str:
    """Quote a comment, its letters as they are shown and its details unfolded."""
    body = html.unescape(text).replace("<details>", "<details open>")
    lines = body.strip("\n").split("\n")[2:]
    return "".join(f"> {line}".rstrip() + "\n" for line in lines)


def test_the_picture_is_true(repo: GitRepo) -> None:
    files = {
        f"prompts/{path.relative_to(TOP / 'prompts').as_posix()}": path.read_text(encoding="utf-8")
        for path in (TOP / "prompts").rglob("*.yaml")
    }
    before = dict(files)
    for name, changes in CHANGE.items():
        for now, then in changes:
            assert now in before[f"prompts/{name}.yaml"]
            path = f"prompts/{name}.yaml"
            before[path] = before[path].replace(now, then)
    base = repo.commit(dict(before))
    head = repo.commit(dict(files))
    store = PromptStore.open(repo.path)
    written = comment(compare(store.snapshot(base), store.snapshot(head)))
    without_commits = re.sub(r"\n*<sub>.*</sub>\n", "\n", written)
    assert quoted(without_commits) == pictured()
