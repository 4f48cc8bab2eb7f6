"""One prompt: what it says, its history, two versions of it, and its labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Query
from starlette.responses import Response

from promptstore.compare.diff import diff_prompts
from promptstore.compare.sequences import compare_words
from promptstore.errors import InvalidArgumentError, PromptFileError
from promptstore.history.labels import is_label
from promptstore.model.parts import MESSAGE_KEYS, Insert, Message
from promptstore.model.prompt import Prompt
from promptstore.server.projects import Project
from promptstore.server.web.comparing import side_by_side
from promptstore.server.web.highlighting import MAX_SHOWN, Piece, expand, highlight
from promptstore.server.web.pages import Name, page_router, show
from promptstore.server.web.sessions import Reads, Visitor

router: Final = page_router()

_MOST_COMPARED: Final = 400_000
"""Up to how many characters a text is compared."""

Reader = Annotated[Visitor, Reads]
PromptName = Annotated[str, Name]
Number = Annotated[int | None, Query(ge=1, le=1_000_000_000)]


@dataclass
class Item:
    """One message of a prompt, or its text.

    Attributes:
        role: Who speaks; empty for a text prompt.
        insert: The variable whose messages go here, or an empty string.
        texts: The texts in it, each in pieces.
        rest: What else the message says, as plain JSON.
    """

    role: str = ""
    insert: str = ""
    texts: Sequence[list[Piece]] = ()
    rest: Mapping[str, Any] | None = None


@router.get("/prompts/{name:path}")
def show_prompt(
    visitor: Reader,
    name: PromptName,
    version: Number = None,
    label: str = "",
    includes: str = "",
    whole: str = "",
    done: str = "",
) -> Response:
    """Show one prompt: the newest version, another one, or that of a label."""
    store = visitor.project.store
    try:
        prompt = select(visitor.project, name, version, label)
    except PromptFileError as error:
        text = store.snapshot().file(name).read().decode(errors="backslashreplace")
        return show(visitor, "broken.html", 200, name=name, error=error, text=text)
    snapshot = store.snapshot()
    newest = snapshot.find(name)
    info = snapshot.info(name, version=prompt.version) if prompt.version else None
    history = store.history(name)
    users = sorted(
        str(other.name) for other in snapshot.list_readable()[0] if name in other.includes
    )
    return show(
        visitor,
        "prompt.html",
        name=name,
        prompt=prompt,
        items=_items(prompt, is_expanded=bool(includes), is_whole=bool(whole)),
        info=info,
        latest=history[0].number,
        is_newest=newest is not None and newest.blob == prompt.blob,
        labels=_labels_of(visitor.project, name),
        asked={"version": version, "label": label},
        includes=bool(includes),
        done=done,
        users=users,
    )


@router.get("/history/{name:path}")
def show_history(visitor: Reader, name: PromptName) -> Response:
    """Show every version of a prompt: who made it, when and why."""
    return show(visitor, "history.html", name=name, versions=visitor.project.store.history(name))


@router.get("/compare/{name:path}")
def show_comparison(
    visitor: Reader,
    name: PromptName,
    older: Annotated[str, Query(alias="from")] = "",
    newer: Annotated[str, Query(alias="to")] = "",
    by: str = "lines",
) -> Response:
    """Show two versions of a prompt beside each other."""
    versions = visitor.project.store.history(name)
    newer = newer or str(versions[0].number)
    older = older or str(max(1, versions[0].number - 1))
    before = _select_written(visitor.project, name, older)
    after = _select_written(visitor.project, name, newer)
    return show(
        visitor,
        "compare.html",
        name=name,
        before=before,
        after=after,
        older=older,
        newer=newer,
        by=by,
        versions=versions,
        labels=[label for label, _ in _labels_of(visitor.project, name)],
        **comparison(before, after),
    )


def comparison(before: Prompt, after: Prompt) -> dict[str, Any]:
    """Return what a page is given to show what changed between two prompts."""
    diff = diff_prompts(before, after)
    texts = [
        (
            text.title,
            side_by_side(text.before[:_MOST_COMPARED], text.after[:_MOST_COMPARED]),
            compare_words(text.before[:_MOST_COMPARED], text.after[:_MOST_COMPARED]),
        )
        for text in diff.texts
    ]
    return {"changes": diff.changes, "texts": texts}


@router.get("/labels/{name:path}")
def show_labels_of_prompt(visitor: Reader, name: PromptName, at: str = "") -> Response:
    """Show which version each label of a prompt serves, now and then, and every move."""
    store = visitor.project.store
    then = read_time(at)
    return show(
        visitor,
        "labels_of.html",
        name=name,
        now=dict(_labels_of(visitor.project, name)),
        then=None if then is None else dict(_labels_of(visitor.project, name, then)),
        at=at,
        moves=store.label_history(name=name),
        versions=store.history(name),
    )


@router.get("/labels")
def show_labels(visitor: Reader, at: str = "") -> Response:
    """Show which version of every prompt each label serves, now or at a time in the past."""
    then = read_time(at)
    table = visitor.project.store.labels(at=then)
    names = sorted({name for targets in table.targets.values() for name in targets})
    return show(
        visitor,
        "labels.html",
        labels=sorted(table.targets),
        rows=[
            (name, [table.targets[label].get(name) for label in sorted(table.targets)])
            for name in names
        ],
        broken=[str(error) for error in table.broken.values()],
        at=at,
        then=then,
    )


def select(project: Project, name: str, version: int | None, label: str) -> Prompt:
    """Return the prompt that a page was asked for, a deleted one too.

    Raises:
        PromptStoreError: There is none.
    """
    return project.store.get(name, version=version, label=label or None, deleted=True)


def _select_written(project: Project, name: str, text: str) -> Prompt:
    """Return the version that a number or a label names."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return project.store.get(name, version=int(text))
    if not is_label(text):
        message = f"{text!r} is neither the number of a version nor a label"
        raise InvalidArgumentError(message=message)
    return project.store.get(name, label=text)


def read_time(text: str) -> datetime | None:
    """Return the time that a field for one holds; None for an empty one.

    Raises:
        InvalidArgumentError: It holds something else.
    """
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
        # The field knows no zone, and the page says which one is meant.
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        message = f"a time is written like 2026-03-31T15:00, not {text!r}"
        raise InvalidArgumentError(message=message) from None


def _labels_of(project: Project, name: str, at: datetime | None = None) -> list[tuple[str, int]]:
    targets = project.store.labels(at=at).targets
    return [
        (label, names[name].version) for label, names in sorted(targets.items()) if name in names
    ]


def _items(prompt: Prompt, *, is_expanded: bool, is_whole: bool) -> list[Item]:
    def pieces_of(text: str) -> list[Piece]:
        pieces = highlight(text, prompt.template, None if is_whole else MAX_SHOWN)
        return expand(pieces, prompt.includes) if is_expanded else pieces

    if prompt.prompt is not None:
        return [Item(texts=[pieces_of(prompt.prompt)])]
    return [
        Item(insert=item.insert) if isinstance(item, Insert) else _message(item, pieces_of)
        for item in prompt.messages or ()
    ]


def _message(message: Message, pieces_of: Callable[[str], list[Piece]]) -> Item:
    rest = {key: getattr(message, key) for key in MESSAGE_KEYS[2:]}
    rest = {key: value for key, value in rest.items() if value is not None}
    if isinstance(message.content, str):
        return Item(message.role, texts=[pieces_of(message.content)], rest=rest)
    parts = message.content or ()
    texts = [part["text"] for part in parts if set(part) == {"type", "text"}]
    others = [part for part in parts if set(part) != {"type", "text"}]
    if others:
        rest["content"] = others
    return Item(message.role, texts=[pieces_of(text) for text in texts], rest=rest)
