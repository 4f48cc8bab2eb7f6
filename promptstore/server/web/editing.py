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
from promptstore.lint.findings import Finding
from promptstore.model.parts import Insert, Message
from promptstore.model.prompt import Prompt
from promptstore.model.values import check_name
from promptstore.promptfile.editor import edit
from promptstore.promptfile.reader import loads
from promptstore.review.drafts import new_problems, overlay, settings_of
from promptstore.server.dependencies import in_turn
from promptstore.server.web.comparing import side_by_side
from promptstore.server.web.pages import Form, Name, Sent, page_router, show
from promptstore.server.web.prompts import comparison
from promptstore.server.web.proposing import commit, places
from promptstore.server.web.sessions import Visitor, Writes
from promptstore.store.snapshot import Snapshot

router: Final = page_router()

Writer = Annotated[Visitor, Writes]
SentForm = Annotated[Form, Sent]

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_NEW: Final = """\
description: What this prompt is for.
variables:
  name: {type: string, description: Whom to greet}
prompt: |
  Hello {{ name }}
"""


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
        data: The file as it would be; None where it cannot be written.
        fault: Why it cannot.
    """

    name: str
    by: str
    base: Snapshot
    data: bytes | None = None
    fault: str = ""

    @property
    def before(self) -> bytes | None:
        """The file that it was begun with; None for a new prompt."""
        file = self.base.find(self.name)
        return file.read() if file else None

    def is_unchanged(self) -> bool:
        """Return whether the file would stay as it is."""
        file = self.base.find(self.name)
        return file is not None and self.data is not None and file.blob == blob_id(self.data)


@router.get("/edit/{name:path}")
def show_edit(visitor: Writer, name: Annotated[str, Name], by: str = "text") -> Response:
    """Show the form to edit a prompt in."""
    base = visitor.project.store.snapshot()
    data = base.file(name).read()
    by = "file" if by == "file" or _loaded(data) is None else "text"
    return _show(visitor, Draft(name, by, base, data), {})


@router.get("/new")
def show_new(visitor: Writer) -> Response:
    """Show the form to write a new prompt in."""
    base = visitor.project.store.snapshot()
    return _show(visitor, Draft("", "file", base, _NEW.encode()), {})


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


def _send(visitor: Visitor, name: str, form: Form, *, is_new: bool = False) -> Response:
    now = visitor.project.store.snapshot()
    base = _base(visitor, form.get("base", ""), now)
    draft = _draft(name, form, base or now)
    if base is None:
        draft.fault = "The history of the branch was written anew. Look at it, and send it again."
    if is_new and name and now.find(name) is not None:
        draft.fault = f"There is a prompt {name!r} already. Choose another name, or edit that one."
        return _show(visitor, draft, form, status=409, is_new=True)
    theirs = None if is_new else now.file(name)
    if theirs is not None and draft.base.file(name).blob != theirs.blob:
        return _meet(visitor, draft, form, now)
    if form.wants("file") or form.wants("text"):
        draft.by = form["action"]
        if draft.data is None or (draft.by == "text" and _loaded(draft.data) is None):
            draft.by = form.get("by", "file")
        return _show(visitor, draft, form, is_new=is_new, is_switched=True)
    if not form.wants("commit"):
        return _show(visitor, draft, form, is_new=is_new)
    draft.base = now
    return _commit(visitor, draft, form, is_new=is_new)


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


def _commit(visitor: Visitor, draft: Draft, form: Form, *, is_new: bool) -> Response:
    if draft.data is not None and not draft.fault:
        if draft.is_unchanged():
            draft.fault = "Nothing is changed yet."
        elif any(finding.severity == "error" for finding in _findings(visitor, draft)):
            draft.fault = "Mend the errors below, then send it again."
    if draft.data is None or draft.fault:
        return _show(visitor, draft, form, status=400, is_new=is_new)
    try:
        return commit(visitor, form, {draft.name: draft.data}, draft.base, draft.name)
    except PromptStoreError as error:
        draft.fault = str(error)
        status = 409 if isinstance(error, ConflictError) else 400
        return _show(visitor, draft, form, status=status, is_new=is_new)


def _meet(visitor: Visitor, draft: Draft, form: Form, now: Snapshot) -> Response:
    """Show what somebody else made of a prompt meanwhile, and how to go on with both."""
    name = draft.name
    before, ours, theirs = draft.before, draft.data, now.file(name)
    merged = None
    if before is not None and ours is not None:
        result = merge_files(Sides(before, ours, theirs.read()), theirs.path)
        merged = result.data if result.is_clean else None
    if ours is not None and (form.wants("mine") or (form.wants("merge") and merged is not None)):
        taken = ours if form.wants("mine") else merged
        return _show(visitor, Draft(name, "file", now, taken), form, is_switched=True)
    info = now.info(name)
    conflict = {
        "info": info,
        "can_merge": merged is not None,
        **_difference(before, theirs.read()),
    }
    return _show(visitor, draft, form, status=409, conflict=conflict)


def _draft(name: str, form: Form, base: Snapshot) -> Draft:
    """Return the draft that a form holds."""
    by = form.get("by", "file")
    draft = Draft(name, by, base)
    try:
        check_name(name)
    except InvalidNameError as error:
        draft.fault = str(error)
    file = None if draft.fault else base.find(name)
    if by == "file":
        draft.data = _with_line_ends(form.get("file", ""), file.read() if file else b"")
        return draft
    if file is None:
        draft.fault = draft.fault or f"There was no prompt {name!r} when this was begun."
        return draft
    try:
        prompt = loads(file.read(), file.path)
        draft.data = edit(file.read(), _edited(prompt, form), file.path)
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
    is_new: bool | None = None,
    is_switched: bool = False,
    conflict: Mapping[str, Any] | None = None,
) -> Response:
    is_new = not draft.name if is_new is None else is_new
    source = draft.before if draft.data is None else draft.data
    prompt = None if is_new else _loaded(source or b"")
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
        is_new=is_new,
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
        difference=None if is_new else _difference(draft.before, draft.data),
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
