"""What is done to a prompt as a whole: its labels are moved, it is deleted, restored, renamed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Annotated, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from promptstore.errors import ConflictError, InvalidArgumentError, PromptStoreError
from promptstore.history.labels import check_label, is_protected
from promptstore.model.prompt import Prompt
from promptstore.server.publishing import in_turn
from promptstore.server.web.comparing import comparison
from promptstore.server.web.pages import Form, Name, Sent, go, page_router, show
from promptstore.server.web.prompts import Number
from promptstore.server.web.proposing import allows_direct, commit, message_of, places
from promptstore.server.web.sessions import Visitor, Writes
from promptstore.store.edits import Deletion, Edit, Restoration, rename_edits
from promptstore.store.snapshot import Snapshot

router: Final = page_router()

Writer = Annotated[Visitor, Writes]
PromptName = Annotated[str, Name]
SentForm = Annotated[Form, Sent]

_CHANGES: Final = {
    "delete": ("Delete", "The text stays in the file and in history, and can be restored."),
    "restore": ("Restore", "The prompt is there again for everybody who asks for it."),
    "rename": ("Rename", "The old name keeps a note that says where the prompt went."),
}
"""What can be done to a prompt, with what that means."""


@router.get("/move-label/{name:path}")
def show_move(
    visitor: Writer, name: PromptName, label: str = "", version: Number = None
) -> Response:
    """Show what would change if a label were moved."""
    return _show_move(visitor, name, Form(label=label, version=str(version or "")))


@router.post("/move-label/{name:path}")
async def send_move(visitor: Writer, name: PromptName, form: SentForm) -> Response:
    """Show what would change if a label were moved, or move it."""
    async with in_turn(visitor.project) if _moves(form) else nullcontext():
        return await run_in_threadpool(_move, visitor, name, form)


def _moves(form: Form) -> bool:
    return form.wants("move") or form.wants("remove")


def _move(visitor: Visitor, name: str, form: Form) -> Response:
    store = visitor.project.store
    if not _moves(form):
        return _show_move(visitor, name, form)
    label = form.get("label", "").strip()
    if is_protected(label) and not form.get("sure"):
        fault = f"Others rely on {label!r}. Say that you mean it."
        return _show_move(visitor, name, form, status=400, fault=fault)
    message = message_of(form)
    try:
        seen = _number(form.get("seen", "")) or 0
        if form.wants("remove"):
            store.remove_label(name, label, expected=seen, message=message, author=visitor.author)
        else:
            version = _number(form.get("version", ""))
            store.set_label(
                name,
                label,
                version=version,
                expected=seen,
                message=message,
                author=visitor.author,
            )
    except PromptStoreError as error:
        status = 409 if isinstance(error, ConflictError) else 400
        return _show_move(visitor, name, form, status=status, fault=str(error))
    return go(visitor, f"/labels/{name}")


def _show_move(
    visitor: Visitor, name: str, form: Form, *, status: int = 200, fault: str = ""
) -> Response:
    store = visitor.project.store
    label = form.get("label", "").strip()
    versions = [version for version in store.history(name) if not version.deleted]
    targets = store.labels().versions(name)
    before, after = None, None
    try:
        if label:
            check_label(label)
            before = store.get(name, label=label) if label in targets else None
        wanted = _number(form.get("version", ""))
        after = store.get(name, version=wanted, deleted=True)
    except PromptStoreError as error:
        fault = fault or str(error)
    return show(
        visitor,
        "move_label.html",
        status,
        name=name,
        label=label,
        known=sorted({*store.labels().targets, "production", "staging"}),
        targets=targets,
        versions=versions,
        before=before,
        after=after,
        difference=_difference(before, after),
        is_protected=is_protected(label),
        message=form.get("message", ""),
        fault=fault,
    )


def _difference(before: Prompt | None, after: Prompt | None) -> Mapping[str, Any] | None:
    return None if before is None or after is None else comparison(before, after)


def _number(text: str) -> int | None:
    """Return the version that a field holds; None for an empty one.

    Raises:
        InvalidArgumentError: It holds something else.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidArgumentError(message=f"a version is a number such as 3, not {text!r}")
    return int(text)


def _add_pages(change: str) -> None:
    """Add the form for a change, and what takes it."""

    def show_form(visitor: Writer, name: PromptName, version: Number = None) -> Response:
        return _show(visitor, change, name, Form(version=str(version or "")))

    async def send_form(visitor: Writer, name: PromptName, form: SentForm) -> Response:
        return await _answer(visitor, change, name, form)

    router.add_api_route(f"/{change}/{{name:path}}", show_form)
    router.add_api_route(f"/{change}/{{name:path}}", send_form, methods=["POST"])


for _change in _CHANGES:
    _add_pages(_change)


async def _answer(visitor: Visitor, change: str, name: str, form: Form) -> Response:
    if not form.wants("commit"):
        return await run_in_threadpool(_show, visitor, change, name, form)
    async with in_turn(visitor.project):
        return await run_in_threadpool(_commit, visitor, change, name, form)


def _commit(visitor: Visitor, change: str, name: str, form: Form) -> Response:
    base = visitor.project.store.snapshot()
    try:
        if change == "rename":
            return _rename(visitor, name, form, base)
        return commit(visitor, form, _edits(change, name, form), base, name)
    except PromptStoreError as error:
        status = 409 if isinstance(error, ConflictError) else 400
        return _show(visitor, change, name, form, status=status, fault=str(error))


def _rename(visitor: Visitor, name: str, form: Form, base: Snapshot) -> Response:
    new = form.get("new_name", "").strip()
    message = message_of(form) or f"Rename {name} to {new}"
    if form.get("where") == "direct" and allows_direct(visitor.request):
        # Only this takes labels along.
        visitor.project.store.rename(name, new, message=message, author=visitor.author)
        return go(visitor, f"/prompts/{new}", done=new)
    form["message"] = message
    return commit(visitor, form, rename_edits(base, name, new), base, new)


def _edits(change: str, name: str, form: Form) -> Mapping[str, Edit]:
    if change == "restore":
        return {name: Restoration(_number(form.get("version", "")))}
    reason = form.get("reason", "").strip() or None
    return {name: Deletion(reason, form.get("replaced_by", "").strip() or None)}


def _show(
    visitor: Visitor, change: str, name: str, form: Form, *, status: int = 200, fault: str = ""
) -> Response:
    store = visitor.project.store
    history = store.history(name)
    title, meaning = _CHANGES[change]
    version = form.get("version", "")
    difference = None
    if change == "restore" and version:
        newest = store.get(name, deleted=True)
        difference = comparison(newest, store.get(name, version=_number(version)))
    return show(
        visitor,
        "change.html",
        status,
        name=name,
        change=change,
        title=title,
        meaning=meaning,
        version=version,
        latest=history[0].number,
        labels=list(store.labels().versions(name)),
        difference=difference,
        typed=form,
        fault=fault,
        **places(visitor, name, form),
    )
