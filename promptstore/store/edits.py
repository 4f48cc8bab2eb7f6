"""Edits that are no new text: deletions, restorations and renames of prompts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from promptstore.errors import ConflictError, HistoryUnavailableError
from promptstore.model.values import check_name
from promptstore.promptfile.editor import edit as edit_file
from promptstore.promptfile.reader import loads
from promptstore.store.arguments import PromptLike
from promptstore.store.snapshot import Snapshot

Verb: TypeAlias = Literal["Create", "Update", "Delete", "Restore"]


@dataclass(frozen=True, slots=True)
class Deletion:
    """Set the tombstone of a prompt; its text stays in the file.

    Attributes:
        reason: Why, for people who ask for the prompt later. None keeps what is there.
        replaced_by: The name of the prompt to use instead. None keeps what is there.
        keeps_id: Whether the file keeps its id; one that was renamed takes it along.
    """

    reason: str | None = None
    replaced_by: str | None = None
    keeps_id: bool = True


@dataclass(frozen=True, slots=True)
class Restoration:
    """Bring a prompt back.

    Attributes:
        version: The version whose text becomes the newest one. None takes the tombstone off, or
            brings back the last text of a file that was removed.
    """

    version: int | None = None


Edit: TypeAlias = PromptLike | bytes | Deletion | Restoration
"""What is to become of a prompt: its new content, the bytes of its file, a deletion or return."""


def rename_edits(base: Snapshot, old: str, new: str) -> dict[str, Edit]:
    """Return the edits that give a prompt another name.

    Args:
        base: The prompts as they are.
        old: The prompt's name.
        new: Its new name.

    Raises:
        PromptNotFoundError: There is no such prompt.
        InvalidNameError: The new name cannot be a prompt's name.
        ConflictError: There is a prompt of the new name.
    """
    base.read(old)
    if base.find(check_name(new)) is not None:
        raise ConflictError(names=[new], reason="there is a prompt of this name already.")
    return {new: base.file(old).read(), old: Deletion(replaced_by=new, keeps_id=False)}


def default_messages(name: str) -> frozenset[str]:
    """List the commit messages that say no more than which prompt a commit wrote."""
    return frozenset(f"{verb} {name}" for verb in get_args(Verb))


def deleted_file(base: Snapshot, name: str, edit: Deletion) -> bytes:
    """Return the file of a prompt with its tombstone set."""
    present = base.read(name, deleted=True)
    wanted = replace(
        present,
        id=present.id if edit.keeps_id else None,
        deleted=True,
        deleted_reason=edit.reason or present.deleted_reason,
        replaced_by=edit.replaced_by or present.replaced_by,
    )
    file = base.file(name)
    return edit_file(file.read(), wanted, file.path)


def restored_file(base: Snapshot, name: str, path: str, edit: Restoration) -> bytes:
    """Return the file of a prompt as a restoration brings it back."""
    if edit.version is not None:
        return _alive(_version_of(base, name, edit.version), path)
    file = base.find(name)
    if file is not None:
        return _alive(file.read(), path)
    change = base.history.timeline.latest(name) if base.history else None
    if change is None:
        raise base.not_found(name)
    return _alive(_version_of(base, name, change.number - 1), path)


def _version_of(base: Snapshot, name: str, number: int) -> bytes:
    """Read the file of an old version, to the byte."""
    if base.commit is None:
        raise base.not_found(name)
    if base.history is None:
        raise HistoryUnavailableError(
            reason="so an old one cannot be restored. A shallow clone gets its history by "
            "`git fetch --unshallow`."
        )
    if base.history.timeline.latest(name) is None:
        raise base.not_found(name)
    change = base.history.find(name, number, has_file=True)
    return base.history.backend.blob(change.blob or "")


def _alive(data: bytes, path: str) -> bytes:
    """Take the tombstone out of a file."""
    prompt = loads(data, path)
    if not prompt.deleted:
        return data
    alive = replace(prompt, deleted=False, deleted_reason=None, replaced_by=None)
    return edit_file(data, alive, path)
