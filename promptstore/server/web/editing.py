"""The form that a prompt is edited in: its texts or its file, what `check` says, and the diff."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from promptstore.compare.merge import Sides, merge_files
from promptstore.errors import (
    ConflictError,
    InvalidNameError,
    PromptFileError,
    PromptStoreError,
    RevisionNotFoundError,
)
from promptstore.git.reading import blob_id
from promptstore.history.sources import File
from promptstore.lint.findings import Finding
from promptstore.model.parts import Insert, Message
from promptstore.model.prompt import Prompt
from promptstore.model.values import check_name
from promptstore.promptfile.editor import edit
from promptstore.promptfile.reader import loads
from promptstore.promptfile.writer import dumps
from promptstore.review.drafts import new_problems, overlay, settings_of
from promptstore.server.publishing import in_turn
from promptstore.server.web.comparing import comparison, side_by_side
from promptstore.server.web.pages import Form, Name, Sent, page_router, show
from promptstore.server.web.proposing import commit, places
from promptstore.server.web.sessions import Visitor, Writes
from promptstore.store.snapshot import Snapshot

router: Final = page_router()

Writer = Annotated[Visitor, Writes]
SentForm = Annotated[Form, Sent]

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_NEW: Final = """\
description: What this prompt is for.
prompt: |
  Hello {{ name }}
"""
"""What the form for a new prompt holds at first."""


class Field(NamedTuple):
    """A text of a prompt that can be edited by itself.

    Attributes:
        key: The name of its field.
        title: What it is.
        text: What it says.
    """

    key: str
    title: str
    text: str


@dataclass
class Draft:
    """What somebody typed so far.

    Attributes:
        name: The prompt's name; empty while a new one has none.
        by: Whether the ``text`` is edited or the ``file``.
        base: The prompts that it was begun with.
        is_new: Whether there is to be no prompt of this name yet.
        data: The file as it would be; None where it cannot be written.
        fault: Why it cannot.
    """

    name: str
    by: str
    base: Snapshot
    is_new: bool = False
    data: bytes | None = None
    fault: str = ""

    @property
    def before(self) -> bytes | None:
        """The file that it was begun with; None for a new prompt."""
        file = self.base.find(self.name)
        return file.read() if file else None


@router.get("/edit/{name:path}")
def show_edit(visitor: Writer, name: Annotated[str, Name], by: str = "text") -> Response:
    """Show the form to edit a prompt in."""
    base = visitor.project.store.snapshot()
    data = base.file(name).read()
    by = "file" if by == "file" or _loaded(data) is None else "text"
    return _show(visitor, Draft(name, by, base, data=data), {})


@router.get("/new")
def show_new(visitor: Writer) -> Response:
    """Show the form to write a new prompt in."""
    base = visitor.project.store.snapshot()
    return _show(visitor, Draft("", "text", base, is_new=True, data=_NEW.encode()), {})


@router.post("/edit/{name:path}")
async def send_edit(visitor: Writer, name: Annotated[str, Name], form: SentForm) -> Response:
    """Show what an edit would do, or commit it."""
    return await _answer(visitor, name, form)


@router.post("/new")
async def send_new(visitor: Writer, form: SentForm) -> Response:
    """Show what a new prompt would do, or commit it."""
    return await _answer(visitor, form.get("name", "").strip(), form, is_new=True)


async def _answer(visitor: Visitor, name: str, form: Form, *, is_new: bool = False) -> Response:
    async with in_turn(visitor.project) if form.wants("commit") else nullcontext():
        return await run_in_threadpool(_send, visitor, name, form, is_new=is_new)


def _send(visitor: Visitor, name: str, form: Form, *, is_new: bool) -> Response:
    now = visitor.project.store.snapshot()
    base = _base(visitor, form.get("base", ""), now)
    draft = _draft(Draft(name, form.get("by", "file"), base or now, is_new), form)
    if base is None:
        draft.fault = "The history of the branch was written anew. Look at it, and send it again."
    theirs = now.find(name)
    if is_new and theirs is not None:
        draft.fault = f"There is a prompt {name!r} already. Choose another name, or edit that one."
        return _show(visitor, draft, form, status=409)
    if not is_new and theirs is None:
        draft.fault = f"The file of {name!r} was removed meanwhile. Restore it, then send it again."
        return _show(visitor, draft, form, status=409)
    if theirs is not None and _blob(draft.base, name) != theirs.blob:
        return _meet(visitor, draft, form, now, theirs)
    if form.wants("file") or form.wants("text"):
        is_readable = draft.data is not None and _loaded(draft.data) is not None
        if is_readable or (form.wants("file") and draft.data is not None):
            draft.by = form["action"]
        return _show(visitor, draft, form, is_switched=True)
    if not form.wants("commit"):
        return _show(visitor, draft, form)
    draft.base = now
    return _commit(visitor, draft, form)


def _base(visitor: Visitor, commit_id: str, now: Snapshot) -> Snapshot | None:
    """Return the prompts that a form was begun with; None where the branch does not know them."""
    store = visitor.project.store
    if now.commit is None or not _COMMIT.fullmatch(commit_id):
        return now
    try:
        is_known = store.common_ancestor(commit_id, now.commit) == commit_id
    except RevisionNotFoundError:
        is_known = False
    return store.snapshot(commit_id) if is_known else None


def _commit(visitor: Visitor, draft: Draft, form: Form) -> Response:
    if draft.data is not None and not draft.fault:
        if _blob(draft.base, draft.name) == blob_id(draft.data):
            draft.fault = "Nothing is changed yet."
        elif any(finding.severity == "error" for finding in _findings(visitor, draft)):
            draft.fault = "Mend the errors that check found, then send it again."
    if draft.data is None or draft.fault:
        return _show(visitor, draft, form, status=400)
    try:
        return commit(visitor, form, {draft.name: draft.data}, draft.base, draft.name)
    except PromptStoreError as error:
        draft.fault = str(error)
        status = 409 if isinstance(error, ConflictError) else 400
        return _show(visitor, draft, form, status=status)


def _blob(snapshot: Snapshot, name: str) -> str | None:
    file = snapshot.find(name)
    return file.blob if file else None


def _meet(visitor: Visitor, draft: Draft, form: Form, now: Snapshot, theirs: File) -> Response:
    """Show what somebody else made of a prompt meanwhile, and how to go on with both."""
    name = draft.name
    before, ours = draft.before, draft.data
    merged = None
    if before is not None and ours is not None:
        result = merge_files(Sides(before, ours, theirs.read()), theirs.path)
        merged = result.data if result.is_clean else None
    if ours is not None and (form.wants("mine") or (form.wants("merge") and merged is not None)):
        taken = ours if form.wants("mine") else merged
        return _show(visitor, Draft(name, "file", now, data=taken), form, is_switched=True)
    info = now.info(name)
    conflict = {
        "info": info,
        "can_merge": merged is not None,
        **_difference(before, theirs.read()),
    }
    return _show(visitor, draft, form, status=409, conflict=conflict)


def _draft(draft: Draft, form: Form) -> Draft:
    """Return a draft with the file that a form asks for."""
    try:
        if draft.by == "file":
            draft.data = _with_line_ends(form.get("file", ""), draft.before or b"")
        elif draft.is_new:
            draft.data = dumps(_edited(loads(_NEW.encode()), form)).encode()
        else:
            file = draft.base.file(draft.name)
            draft.data = edit(file.read(), _edited(loads(file.read(), file.path), form), file.path)
        check_name(draft.name)
    except PromptStoreError as error:
        draft.fault = str(error)
    return draft


def _with_line_ends(text: str, before: bytes) -> bytes:
    """Return a text as bytes, with the line ends of the file that it replaces."""
    if text and not text.endswith("\n"):
        text += "\n"
    has_returns = b"\r\n" in before and b"\n" not in before.replace(b"\r\n", b"")
    return (text.replace("\n", "\r\n") if has_returns else text).encode()


def _edited(prompt: Prompt, form: Mapping[str, str]) -> Prompt:
    """Return a prompt with the texts of a form; what the form does not hold stays."""
    typed = {key: form[key] for key, _, _ in _fields(prompt) if key in form}
    old = {key: text for key, _, text in _fields(prompt)}
    changed = {key: text for key, text in typed.items() if text != _plain(old[key])}
    made: dict[str, Any] = {}
    if "description" in changed:
        made["description"] = changed["description"] or None
    if "text" in changed:
        made["prompt"] = _ended(changed["text"], old["text"])
    if any(key.startswith("message.") for key in changed):
        made["messages"] = tuple(
            replace(item, content=_ended(changed[key], old[key]))
            if isinstance(item, Message) and (key := f"message.{number}") in changed
            else item
            for number, item in enumerate(prompt.messages or ())
        )
    return replace(prompt, **made) if made else prompt


def _fields(prompt: Prompt) -> list[Field]:
    found = [Field("description", "Description", prompt.description or "")]
    if prompt.prompt is not None:
        return [*found, Field("text", "Text", prompt.prompt)]
    for number, item in enumerate(prompt.messages or ()):
        if isinstance(item, Message) and isinstance(item.content, str):
            title = f"Message {number + 1}: {item.role}"
            found.append(Field(f"message.{number}", title, item.content))
    return found


def _plain(text: str) -> str:
    """Return a text as its field holds it: without its last line end, and with plain ones."""
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


def _ended(text: str, before: str) -> str:
    """Return a typed text with the last line end that the field did not show."""
    return text + "\n" if before.endswith("\n") and not text.endswith("\n") else text


def _show(
    visitor: Visitor,
    draft: Draft,
    form: Mapping[str, str],
    *,
    status: int = 200,
    is_switched: bool = False,
    conflict: Mapping[str, Any] | None = None,
) -> Response:
    began = _NEW.encode() if draft.is_new else draft.before
    source = began if draft.data is None else draft.data
    prompt = _loaded(source or b"")
    typed = {} if is_switched else form
    fields = [
        field._replace(text=typed.get(field.key, _plain(field.text)))
        for field in (_fields(prompt) if prompt else ())
    ]
    file = (source or b"").decode(errors="replace").replace("\r\n", "\n")
    left_out = prompt is not None and any(
        isinstance(item, Insert) or not isinstance(item.content, str)
        for item in prompt.messages or ()
    )
    return show(
        visitor,
        "edit.html",
        status,
        name=draft.name,
        is_new=draft.is_new,
        by=draft.by,
        base_commit=draft.base.commit or "",
        fields=fields,
        has_other_items=left_out,
        file=typed.get("file", file),
        fault=draft.fault,
        is_typed=bool(form),
        is_stale=isinstance(form, Form) and form.is_stale,
        conflict=conflict,
        findings=_findings(visitor, draft),
        difference=None if draft.is_new else _difference(draft.before, draft.data),
        **places(visitor, draft.name, form),
    )


def _findings(visitor: Visitor, draft: Draft) -> list[Finding]:
    """Find the problems that a draft brings."""
    if draft.data is None or not draft.name:
        return []
    store = visitor.project.store
    try:
        after = overlay(draft.base, store.root, {draft.name: draft.data})
    except InvalidNameError:
        return []
    return new_problems(draft.base, after, {draft.name}, settings_of(store))


def _difference(before: bytes | None, after: bytes | None) -> dict[str, Any]:
    """Return what a page is given to show what an edit changes: by meaning where that is known."""
    if before is None or after is None:
        return {"changes": (), "texts": []}
    old, new = _loaded(before), _loaded(after)
    if old is not None and new is not None:
        found = comparison(old, new)
        if found["changes"] or found["texts"] or before == after:
            return found
    texts = [data.decode(errors="replace") for data in (before, after)]
    return {"changes": (), "texts": [("The file", side_by_side(*texts), [])]}


def _loaded(data: bytes) -> Prompt | None:
    try:
        return loads(data)
    except PromptFileError:
        return None
