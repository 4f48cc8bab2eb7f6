"""One prompt: what it says, its history, two versions of it, and its labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias

from fastapi import Query
from starlette.responses import Response

from promptstore.errors import InvalidArgumentError, PromptFileError
from promptstore.history.labels import is_label
from promptstore.lint.unseen import escaped, find_unseen
from promptstore.model.parts import MESSAGE_KEYS, Insert, Message
from promptstore.model.prompt import Prompt
from promptstore.server.projects import Project
from promptstore.server.web.comparing import comparison
from promptstore.server.web.pages import Name, page_router, show
from promptstore.server.web.sessions import Reads, Visitor
from promptstore.template import TemplateKind, split_simple

router: Final = page_router()

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
        labels=store.labels().versions(name).items(),
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
        labels=list(visitor.project.store.labels().versions(name)),
        **comparison(before, after),
    )


@router.get("/labels/{name:path}")
def show_labels_of_prompt(visitor: Reader, name: PromptName, at: str = "") -> Response:
    """Show which version each label of a prompt serves, now and then, and every move."""
    store = visitor.project.store
    then = read_time(at)
    return show(
        visitor,
        "labels_of.html",
        name=name,
        now=store.labels().versions(name),
        then=None if then is None else store.labels(at=then).versions(name),
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


Kind: TypeAlias = Literal["text", "variable", "logic", "comment", "include", "unseen", "cut"]

MAX_SHOWN: Final = 100_000
"""How many characters of a text a page shows, unless all are wanted."""

_MAX_EXPANDED: Final = 1_000
"""How many includes of a text are expanded."""

_OPENERS: Final = re.compile(r"\{\{|\{%|\{#")
_CLOSERS: Final = {"{{": "}}", "{%": "%}", "{#": "#}"}
_KINDS: Final[dict[str, Kind]] = {"{{": "variable", "{%": "logic", "{#": "comment"}
_WORD: Final = re.compile(r"[^\W\d]\w*")
_INCLUDE: Final = re.compile(r"""\{%[-+]?\s*include\s*(["'])([^"'\\]*)\1""")


class Piece(NamedTuple):
    """A piece of a text.

    Attributes:
        kind: What it is.
        text: Its characters as they are shown.
        target: The variable or the prompt that it names, or an empty string.
        inside: The text of an include that is expanded, in pieces.
    """

    kind: Kind
    text: str
    target: str = ""
    inside: tuple[Piece, ...] = ()


def highlight(text: str, language: TemplateKind, most: int | None = MAX_SHOWN) -> list[Piece]:
    """Return a text in pieces.

    Args:
        text: The template.
        language: Its language.
        most: How many characters are shown, or None for all.
    """
    shown = text if most is None else text[:most]
    pieces = [seen for piece in _split(shown, language) for seen in _seen(piece)]
    if len(shown) < len(text):
        pieces.append(Piece("cut", f"{len(text) - len(shown):,}"))
    return pieces


def expand(pieces: list[Piece], includes: Mapping[str, Prompt]) -> list[Piece]:
    """Return pieces in which every include holds the text that it stands for.

    Args:
        pieces: The pieces of a text.
        includes: Every prompt that the text includes, directly or not, by name.
    """
    return [*_expand(pieces, includes, [_MAX_EXPANDED], ())]


def _expand(
    pieces: list[Piece], includes: Mapping[str, Prompt], left: list[int], way: tuple[str, ...]
) -> Iterator[Piece]:
    for piece in pieces:
        found = includes.get(piece.target) if piece.kind == "include" else None
        if found is None or found.prompt is None or piece.target in way or left[0] <= 0:
            yield piece
            continue
        left[0] -= 1
        inside = highlight(found.prompt, found.template)
        further = _expand(inside, includes, left, (*way, piece.target))
        yield piece._replace(inside=tuple(further))


def _split(text: str, language: TemplateKind) -> Iterator[Piece]:
    if language == "jinja2":
        return _split_jinja(text)
    return _split_simple(text) if language == "simple" else iter([Piece("text", text)])


def _split_simple(text: str) -> Iterator[Piece]:
    at = 0
    for number, part in enumerate(split_simple(text)):
        end = text.index("}}", at) + 2 if number % 2 else at + len(part)
        if end > at:
            yield Piece("variable" if number % 2 else "text", text[at:end], part * (number % 2))
        at = end


def _split_jinja(text: str) -> Iterator[Piece]:
    at = 0
    unclosed: set[str] = set()
    for match in _OPENERS.finditer(text):
        opener = match[0]
        if match.start() < at or opener in unclosed:
            continue
        end = text.find(_CLOSERS[opener], match.end()) + 2
        if end < 2:
            # Nothing behind it is closed either, so that nobody looks again and again.
            unclosed.add(opener)
            continue
        if match.start() > at:
            yield Piece("text", text[at : match.start()])
        yield _tag(text[match.start() : end], _KINDS[opener])
        at = end
    if at < len(text):
        yield Piece("text", text[at:])


def _tag(text: str, kind: Kind) -> Piece:
    include = _INCLUDE.match(text) if kind == "logic" else None
    if include is not None:
        return Piece("include", text, include[2])
    word = _WORD.search(text) if kind == "variable" else None
    return Piece(kind, text, word[0] if word else "")


def _seen(piece: Piece) -> Iterator[Piece]:
    """Split a piece where a character is not seen as it is."""
    at = 0
    for found in find_unseen(piece.text):
        if found.place > at:
            yield piece._replace(text=piece.text[at : found.place])
        yield Piece("unseen", escaped(found.character))
        at = found.place + 1
    if at < len(piece.text):
        yield piece._replace(text=piece.text[at:])
