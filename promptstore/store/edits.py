"""What an edit makes of a prompt's file: a pure step from the bytes before to the bytes after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from promptstore.errors import (
    ConflictError,
    HistoryUnavailableError,
    IncludeError,
    InvalidArgumentError,
    PromptFileError,
)
from promptstore.git.reading import blob_id
from promptstore.history.cache import included_names
from promptstore.history.sources import File
from promptstore.model.prompt import Prompt, texts
from promptstore.model.values import SUFFIX, check_name
from promptstore.promptfile.editor import edit as edit_file
from promptstore.promptfile.reader import loads
from promptstore.promptfile.writer import dumps
from promptstore.store.arguments import PromptLike, to_prompt
from promptstore.store.snapshot import Snapshot
from promptstore.template import Reference, Source, find_references


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

_MISSING_INCLUDE: Final = "PS301"

Verb: TypeAlias = Literal["Create", "Update", "Delete", "Restore"]


class PlannedFile(NamedTuple):
    """A file before and after an edit.

    Attributes:
        name: The prompt's name.
        path: The file's path in the repository.
        before: The file as it is, or None where there is none.
        data: What it is to hold.
        verb: What happens to the prompt, in a word.
        note: What else the commit message says about it, or an empty text.
    """

    name: str
    path: str
    before: File | None
    data: bytes
    verb: Verb
    note: str = ""

    @property
    def after(self) -> File:
        """The file as it is to be."""
        return File(self.path, blob_id(self.data), partial(bytes, self.data))

    @property
    def changes(self) -> bool:
        """Whether the file changes at all."""
        # The same content has the same id, so the file before need not be read.
        return self.before is None or self.before.blob != blob_id(self.data)


def plan_edits(
    base: Snapshot, root: str, edits: Mapping[str, Edit], *, force: bool = False
) -> list[PlannedFile]:
    """Work out what edits make of the files of a snapshot.

    Args:
        base: The prompts as they are.
        root: The prompts' folder in the repository; empty for its top.
        edits: The edits by prompt name.
        force: Whether includes may be left without what they name.

    Returns:
        One file for each edit.

    Raises:
        InvalidNameError: A name cannot be a prompt's name.
        InvalidArgumentError: A prompt is no valid one, or nothing that can be saved.
        PromptFileError: Given bytes, or the file to change, are no prompt file.
        TemplateSyntaxError: A text of a saved prompt is not a template of its language.
        IncludeError: A saved prompt includes what is not there.
        ConflictError: A deleted prompt is included by others.
        PromptNotFoundError: There is no prompt to delete or to restore.
        VersionNotFoundError: There is no such version to restore.
        HistoryUnavailableError: Old versions cannot be found here.
    """
    planned = [_plan(base, root, name, edit) for name, edit in edits.items()]
    _refuse_collisions(base, [file.name for file in planned if file.verb == "Create"])
    if not force:
        changed = [file for file in planned if file.changes]
        after = base.overlaid({file.name: file.after for file in changed})
        _refuse_lost_includes(after, [file.name for file in changed])
    return planned


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


def default_message(planned: list[PlannedFile]) -> str:
    """Return a commit message that says what happened to which prompts."""
    lines = [f"{file.verb} {file.name}{file.note}" for file in planned]
    if len(lines) == 1:
        return lines[0]
    return "\n".join([f"Change {len(lines)} prompts", "", *(f"- {line}" for line in lines)])


def default_messages(name: str) -> frozenset[str]:
    """List the commit messages that say no more than which prompt a commit wrote."""
    return frozenset(f"{verb} {name}" for verb in get_args(Verb))


def _plan(base: Snapshot, root: str, name: str, edit: Edit) -> PlannedFile:
    path = f"{root}/{check_name(name)}{SUFFIX}" if root else check_name(name) + SUFFIX
    before = base.find(name)
    if isinstance(edit, Deletion):
        return PlannedFile(name, path, before, _deleted(base, name, edit), "Delete")
    if isinstance(edit, Restoration):
        data = _restored(base, name, path, edit)
        note = "" if edit.version is None else f" to version {edit.version}"
        return PlannedFile(name, path, before, data, "Restore", note)
    if isinstance(edit, bytes):
        data, prompt = edit, base.parse(File(path, blob_id(edit), partial(bytes, edit)))
    else:
        prompt = to_prompt(edit)
        data = _saved(before, prompt)
    for _, text in texts(prompt):
        find_references(Source(text=text, kind=prompt.template, name=name))
    return PlannedFile(name, path, before, data, "Create" if before is None else "Update")


def _saved(before: File | None, prompt: Prompt) -> bytes:
    if before is None:
        return dumps(prompt).encode()
    try:
        return edit_file(before.read(), prompt, before.path)
    except PromptFileError:
        # The file is broken, and this mends it; what it said stays in history.
        return dumps(prompt).encode()


def _deleted(base: Snapshot, name: str, edit: Deletion) -> bytes:
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


def _restored(base: Snapshot, name: str, path: str, edit: Restoration) -> bytes:
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


def _refuse_lost_includes(after: Snapshot, changed: list[str]) -> None:
    """Refuse changes after which an include names what is not there."""
    prompts = {name: after.parse(after.file(name)) for name in changed}
    for name, prompt in prompts.items():
        for target, line in () if prompt.deleted else _includes(prompt):
            reason = _absence(after, target)
            if reason:
                raise IncludeError(
                    target=target,
                    chain=[name],
                    reason=f"{reason}; save it before or in the same commit, or force this",
                    code=_MISSING_INCLUDE,
                    line=line,
                )
    deleted = {name for name, prompt in prompts.items() if prompt.deleted}
    listed = after.list_readable()[0] if deleted else []
    for target in sorted(deleted):
        users = [
            str(prompt.name)
            for prompt in listed
            if target in included_names(prompt) and target in dict(_includes(prompt))
        ]
        if users:
            raise ConflictError(
                names=[target],
                reason=f"it is included by {', '.join(map(repr, users))}. Change what includes it "
                "first, or force this (force=True, --force).",
            )


def _includes(prompt: Prompt) -> list[Reference]:
    """List what the texts of a prompt include, with the lines."""
    return [
        include
        for _, text in texts(prompt)
        for include in find_references(Source(text=text, kind=prompt.template)).includes
    ]


def _absence(after: Snapshot, target: str) -> str:
    file = after.find(target)
    if file is None:
        return "there is no such prompt"
    try:
        return "it is deleted" if after.parse(file).deleted else ""
    except PromptFileError:
        # The other file is broken, which is not this one's fault.
        return ""


def _refuse_collisions(base: Snapshot, new: list[str]) -> None:
    """Refuse new names that some file systems could not tell from others."""
    known = {name.casefold(): name for name in base.names()} if new else {}
    for name in new:
        other = known.setdefault(name.casefold(), name)
        if other != name:
            raise InvalidArgumentError(
                message=f"{name!r} differs from the prompt {other!r} in letter case only, "
                "which some file systems cannot hold; choose another name"
            )
