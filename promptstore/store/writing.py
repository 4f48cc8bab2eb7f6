"""Writing prompts: edits become one commit on a branch, and nothing is ever lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple, TypedDict

from promptstore.errors import (
    ConflictError,
    HistoryUnavailableError,
    IncludeError,
    InvalidArgumentError,
    PromptFileError,
    RepositoryError,
)
from promptstore.git.checkout import Filters
from promptstore.git.commits import CommitNote, FileChange, choose_signatures, compose_message
from promptstore.git.reading import Repository, blob_id, translated
from promptstore.git.writing import Deadline, update_ref
from promptstore.history.cache import included_names
from promptstore.history.labels import BRANCH
from promptstore.history.sources import File
from promptstore.model.prompt import Prompt, identified, own_copy, texts
from promptstore.model.values import SUFFIX, check_name
from promptstore.promptfile.editor import edit as edit_file
from promptstore.promptfile.reader import loads
from promptstore.promptfile.writer import dumps
from promptstore.store.arguments import to_prompt
from promptstore.store.edits import Deletion, Edit, Restoration, Verb, deleted_file, restored_file
from promptstore.store.lookup import Lookup
from promptstore.store.snapshot import Snapshot
from promptstore.template import Reference, Source, find_references


class Attribution(TypedDict, total=False):
    """Who commits, and what the commit says; each may be left out.

    Attributes:
        message: The commit's message. By default one line that says what happened.
        author: Who wrote the change, as ``Name <email>``. By default whom git knows.
        committer: Who commits it. By default whom git knows, else the author.
        authored_at: When it was written, with a time zone. By default this moment.
        trailers: Facts for programs at the end of the message, such as ``{"Ticket": "PRM-7"}``.
    """

    message: str | None
    author: str | None
    committer: str | None
    authored_at: datetime | None
    trailers: Mapping[str, str] | None


_MISSING_INCLUDE: Final = "PS301"


class PlannedFile(NamedTuple):
    """A file before and after an edit.

    Attributes:
        name: The prompt's name.
        path: The file's path in the repository.
        before: The file as it is, or None where there is none.
        after: The file as it is to be.
        verb: What happens to the prompt, in a word.
        note: What else the commit message says about it, or an empty text.
    """

    name: str
    path: str
    before: File | None
    after: File
    verb: Verb
    note: str = ""

    @property
    def changes(self) -> bool:
        """Whether the file changes at all."""
        # The same content has the same id, so the file before need not be read.
        return self.before is None or self.before.blob != self.after.blob


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


def commit_edits(
    lookup: Lookup,
    lock_timeout: float,
    edits: Mapping[str, Edit],
    expected: Mapping[str, int],
    attribution: Attribution,
    *,
    base: Snapshot | None = None,
    new_branch: str | None = None,
    force: bool = False,
) -> dict[str, Prompt]:
    """Make one commit of edits; see `PromptStore.commit`.

    Args:
        lookup: Where prompts are found.
        lock_timeout: How long locks of other processes are waited for, in seconds.
        edits: The edits by prompt name.
        expected: The version that a prompt must be at, by name; 0 for one that never was.
        attribution: Who commits, and what the commit says.
        base: The prompts that the edits were made for; None for those at the tip.
        new_branch: A branch to make at the base, which gets the commit.
        force: Whether includes may be left without what they name.
    """
    if not edits:
        raise InvalidArgumentError(message="there is nothing to commit: no edits are given")
    backend = lookup.writable()
    repository, state = backend.repository, backend.refresh()
    base = lookup.tip(state) if base is None else base
    # The title is the branch's name, unless HEAD is detached.
    if new_branch is not None:
        from promptstore.git.refs import check_branch_name

        ref = check_branch_name(new_branch)
        # Git keeps a branch as a file, so it cannot have one beside what is above or below it.
        if f"{BRANCH}/".startswith(f"{new_branch}/") or new_branch.startswith(f"{BRANCH}/"):
            reason = f"this would take the place of {BRANCH}."
            raise ConflictError(names=[new_branch], reason=reason)
    else:
        own = state.title if state.title != "HEAD" else backend.writable_branch()
        ref = f"refs/heads/{own}"
    start = base.commit if new_branch is not None else None
    planned = plan_edits(base, backend.root, edits, force=force)
    changed = _cleaned(repository, [file for file in planned if file.changes], base.commit)
    note = compose_note(repository, attribution, _default_message(changed or planned))
    for name in expected:
        # It brings the index of versions up, for which no other writer shall wait.
        _newest_number(base, name)

    def plan(tip: str | None) -> Sequence[FileChange]:
        if new_branch is not None and tip is not None:
            reason = f"there is a branch {new_branch!r} already. Choose another name."
            raise ConflictError(names=[*edits], reason=reason)
        # Others wait for the write lock by now, so nothing else is looked at again.
        is_base = (tip or start) == base.commit
        now = base if is_base else lookup.tip(state._replace(tip=tip))
        _check_base(planned, base, now, expected)
        return [FileChange(file.name, file.path, file.after.read()) for file in changed]

    update = update_ref(repository, ref, plan, note, deadline=Deadline(lock_timeout), start=start)
    warnings = update.warnings
    backend.invalidate()
    files = {file.name: file.after for file in changed}
    try:
        after = lookup.tip(state._replace(tip=update.commit or base.commit))
        prompts = {name: after.read(name, deleted=True) for name in edits}
    except (RepositoryError, HistoryUnavailableError) as error:
        # It is committed, whatever cannot be read afterwards.
        warnings = (*warnings, f"the commit {update.commit} was made, but then: {error}")
        after = base.overlaid(files)
        prompts = {name: after.read(name, deleted=True) for name in edits}
    return {
        name: own_copy(identified(prompt, is_unchanged=name not in files, warnings=warnings))
        for name, prompt in prompts.items()
    }


def _cleaned(
    repository: Repository, files: Sequence[PlannedFile], commit: str | None
) -> list[PlannedFile]:
    """Apply the content filters of .gitattributes, unless git would then hold no prompts."""
    cleaned = []
    with translated(repository.git_dir):
        filters = Filters(repository.handle, commit)
        for file in files:
            before = file.after.read()
            after = filters.clean(file.path, before)
            cleaned.append(file._replace(after=_file(file.path, after)))
            try:
                if after != before:
                    loads(after, file.path)
            except PromptFileError as error:
                raise RepositoryError(
                    path=file.path,
                    reason="the content filter that .gitattributes names for it leaves git with "
                    "what is no prompt file, and promptstore reads what git has. Take it out of "
                    f"the filter with the line `{file.path} -filter` at the end of .gitattributes.",
                ) from error
    return cleaned


def compose_note(repository: Repository, attribution: Attribution, default: str) -> CommitNote:
    """Compose what a commit says; the default is its message where none is given."""
    people = choose_signatures(
        repository,
        attribution.get("author"),
        attribution.get("committer"),
        attribution.get("authored_at"),
    )
    text = attribution.get("message")
    message = compose_message(default if text is None else text, attribution.get("trailers") or {})
    return CommitNote(*people, message)


def _check_base(
    planned: Sequence[PlannedFile], base: Snapshot, now: Snapshot, expected: Mapping[str, int]
) -> None:
    """Check that nothing happened to the prompts since they were looked at."""
    for name, number in expected.items():
        there = _newest_number(now, name)
        if there != number:
            says = f"is at version {there}" if there else "does not exist"
            raise ConflictError(
                names=[name],
                reason=f"it {says} by now, and version {number} was expected. "
                f"Look at it again (`promptstore diff {name}`), then write.",
            )
    if now.commit == base.commit:
        return
    moved = [file.name for file in planned if _blob(now, file.name) != _blob(base, file.name)]
    if moved:
        raise ConflictError(
            names=moved,
            reason="somebody else changed this meanwhile. Look at it again, then write.",
        )


def _newest_number(snapshot: Snapshot, name: str) -> int:
    if snapshot.commit is None:
        return 0
    if snapshot.history is None:
        raise HistoryUnavailableError(
            reason="so no version can be expected. A shallow clone gets its history by "
            "`git fetch --unshallow`."
        )
    latest = snapshot.history.timeline.latest(name)
    return latest.number if latest else 0


def _blob(snapshot: Snapshot, name: str) -> str | None:
    file = snapshot.find(name)
    return file.blob if file else None


def _plan(base: Snapshot, root: str, name: str, edit: Edit) -> PlannedFile:
    path = f"{root}/{check_name(name)}{SUFFIX}" if root else check_name(name) + SUFFIX
    before, note = base.find(name), ""
    verb: Verb = "Create" if before is None else "Update"
    if isinstance(edit, Deletion):
        verb, after = "Delete", _file(path, deleted_file(base, name, edit))
    elif isinstance(edit, Restoration):
        verb, after = "Restore", _file(path, restored_file(base, name, path, edit))
        note = "" if edit.version is None else f" to version {edit.version}"
    else:
        if isinstance(edit, bytes):
            after = _file(path, edit)
            prompt = base.parse(after)
        else:
            prompt = to_prompt(edit)
            after = _file(path, _saved(before, prompt))
        for _, text in texts(prompt):
            find_references(Source(text=text, kind=prompt.template, name=name))
    return PlannedFile(name, path, before, after, verb, note)


def _file(path: str, data: bytes) -> File:
    return File(path, blob_id(data), partial(bytes, data))


def _saved(before: File | None, prompt: Prompt) -> bytes:
    if before is None:
        return dumps(prompt).encode()
    try:
        return edit_file(before.read(), prompt, before.path)
    except PromptFileError:
        # The file is broken, and this mends it; what it said stays in history.
        return dumps(prompt).encode()


def _default_message(planned: list[PlannedFile]) -> str:
    """Return a commit message that says what happened to which prompts."""
    lines = [f"{file.verb} {file.name}{file.note}" for file in planned]
    if len(lines) == 1:
        return lines[0]
    return "\n".join([f"Change {len(lines)} prompts", "", *(f"- {line}" for line in lines)])


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
        users = [str(prompt.name) for prompt in listed if target in dict(_includes(prompt))]
        if users:
            raise ConflictError(
                names=[target],
                reason=f"it is included by {', '.join(map(repr, users))}. Change what includes it "
                "first, or force this (force=True, --force).",
            )


def _includes(prompt: Prompt) -> list[Reference]:
    """List what the texts of a prompt include, with the lines."""
    if not included_names(prompt):  # a quick look, which is enough for most
        return []
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
    """Refuse new names in a skill, and those that some file systems could not tell from others."""
    known = {name.casefold(): name for name in base.names()} if new else {}
    for name in new:
        if skill := base.skill_around(name):
            raise InvalidArgumentError(
                message=f"{name!r} lies in the folder of the skill {skill!r}, whose files are no "
                "prompts; choose another name"
            )
        other = known.setdefault(name.casefold(), name)
        if other != name:
            raise InvalidArgumentError(
                message=f"{name!r} differs from the prompt {other!r} in letter case only, "
                "which some file systems cannot hold; choose another name"
            )
