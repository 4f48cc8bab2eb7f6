"""The first page: all prompts as a tree, searched by words, tags and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from promptstore.model.prompt import Prompt
from promptstore.server.web.pages import page_router, show
from promptstore.server.web.sessions import Reads, Visitor

router: Final = page_router()

MOST: Final = 1_000
"""How many prompts one page lists."""

_MOST_TAGS: Final = 100


@dataclass
class Row:
    """One prompt of the list.

    Attributes:
        name: Its name.
        prompt: The prompt, or None where its file is broken.
        labels: The labels that point at it, with the version of each.
    """

    name: str
    prompt: Prompt | None
    labels: list[tuple[str, int]]

    @property
    def title(self) -> str:
        """The last part of the name."""
        return self.name.rpartition("/")[2]


@dataclass
class Folder:
    """A folder of the tree.

    Attributes:
        title: The last part of its path.
        path: Its path, or an empty string for the top.
        folders: The folders in it, by title.
        rows: The prompts in it.
    """

    title: str = ""
    path: str = ""
    folders: dict[str, Folder] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many prompts are in it and below."""
        return len(self.rows) + sum(folder.count for folder in self.folders.values())


@router.get("/")
@router.get("/prompts")
def list_prompts(
    visitor: Annotated[Visitor, Reads],
    q: Annotated[str, Query(max_length=1_000)] = "",
    tag: str = "",
    label: str = "",
    deleted: str = "",
    under: str = "",
    after: str = "",
) -> Response:
    """Show the prompts, a thousand at a time."""
    store = visitor.project.store
    snapshot = store.snapshot()
    table = store.labels()
    found, broken = snapshot.list_readable(
        under, tag=tag or None, search=q.strip() or None, deleted=bool(deleted)
    )
    prompts: dict[str, Prompt | None] = {str(prompt.name): prompt for prompt in found}
    if broken and not q.strip() and not tag:
        paths = {error.path for error in broken}
        prompts |= {
            name: None for name in snapshot.names(under) if snapshot.file(name).path in paths
        }
    if label:
        targets = table.targets.get(label, {})
        prompts = {name: prompt for name, prompt in prompts.items() if name in targets}
    labels: dict[str, list[tuple[str, int]]] = {}
    for one in sorted(table.targets):
        for name, target in table.targets[one].items():
            labels.setdefault(name, []).append((one, target.version))
    names = sorted(name for name in prompts if name > after)
    rows = [Row(name, prompts[name], labels.get(name, [])) for name in names[:MOST]]
    tags = Counter(tag for prompt in found for tag in prompt.tags)
    return show(
        visitor,
        "list.html",
        tree=_tree(rows),
        is_small=len(prompts) <= MOST // 4,
        count=len(prompts),
        shown=len(rows),
        next_after=rows[-1].name if len(names) > len(rows) else "",
        tags=sorted(tag for tag, _ in tags.most_common(_MOST_TAGS)),
        labels=sorted(table.targets),
        asked={"q": q, "tag": tag, "label": label, "deleted": deleted, "under": under},
        branch=store.branch or snapshot.place,
    )


def _tree(rows: Iterable[Row]) -> Folder:
    top = Folder()
    for row in rows:
        folder = top
        for title in row.name.split("/")[:-1]:
            path = f"{folder.path}/{title}" if folder.path else title
            folder = folder.folders.setdefault(title, Folder(title, path))
        folder.rows.append(row)
    return top
