"""Prompts as files of other tools; and the files that they came from, kept until one is changed.

A prompt that still says what its file said is exported as that file, to the byte. A branch of its
own holds only files that an export would write differently; each is found by the format and by what
it says.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from promptstore.errors import ExportRefusedError, HistoryUnavailableError, InvalidArgumentError
from promptstore.git.commits import CommitNote, FileChange, choose_signatures
from promptstore.git.writing import Deadline, update_ref
from promptstore.interchange.exported import Export, Exported
from promptstore.interchange.formats.dotprompt import write_dotprompt
from promptstore.interchange.formats.github import write_github
from promptstore.interchange.formats.markdown import write_markdown
from promptstore.interchange.formats.promptfoo import write_promptfoo
from promptstore.interchange.formats.prompty import write_prompty
from promptstore.interchange.formats.records import json_text, langfuse_record, write_langfuse
from promptstore.interchange.imported import Imported
from promptstore.interchange.recognition import read_bytes
from promptstore.model.prompt import Prompt, identified
from promptstore.model.versions import Version
from promptstore.store.store import PromptStore
from promptstore.store.writing import Attribution

_WRITERS: Final[dict[str, Callable[[Export], Exported]]] = {
    "github": write_github,
    "dotprompt": write_dotprompt,
    "prompty": write_prompty,
    "langfuse": write_langfuse,
    "promptfoo": write_promptfoo,
    "markdown": write_markdown,
}
EXPORT_FORMATS: Final = tuple(_WRITERS)
"""The formats that can be written, as ``--to`` takes them."""

BRANCH: Final = "promptstore/sources"
"""The branch that holds the files that prompts came from."""

_IMPORTED: Final = re.compile(r"^Imported: .*$", re.MULTILINE)
_REF: Final = f"refs/heads/{BRANCH}"
_REMOTE_REF: Final = f"refs/remotes/origin/{BRANCH}"
_LOCK_SECONDS: Final = 10.0


def export_prompt(prompt: Prompt, form: str, labels: Sequence[str] = ()) -> Exported:
    """Return a prompt as a file of another tool.

    Args:
        prompt: The prompt.
        form: The format.
        labels: Its labels, where the format has them.

    Returns:
        The file, and what cannot be said there.

    Raises:
        InvalidArgumentError: There is no such format.
        ExportRefusedError: The file would mean something else.
    """
    if form not in _WRITERS:
        raise InvalidArgumentError(
            message=f"there is no format {form!r} to write; there are {', '.join(EXPORT_FORMATS)}"
        )
    return _WRITERS[form](Export(prompt, form, labels))


def export_from(store: PromptStore, prompt: Prompt, form: str) -> Exported:
    """Return a prompt as a file of another tool: the one that it came from if it still says that.

    Args:
        store: The store that it is in.
        prompt: The prompt.
        form: The format.

    Raises:
        InvalidArgumentError: There is no such format.
        ExportRefusedError: The file would mean something else.
    """
    labels: tuple[str, ...] = ()
    if form == "langfuse" and prompt.name and prompt.version:
        labels = store.info(prompt.name, version=prompt.version).labels
    made = export_prompt(prompt, form, labels)
    data = _find(store, _path(form, prompt))
    if data is not None and _says(data, made.path, form, prompt, labels):
        return replace(made, data=data, losses=())
    return made


def export_history(store: PromptStore, name: str, form: str) -> Exported:
    """Return all versions of a prompt as a file of a tool that knows versions.

    Args:
        store: The store.
        name: The prompt's name.
        form: The format.

    Returns:
        The file, oldest version first, and what cannot be said there.

    Raises:
        InvalidArgumentError: The format knows no versions.
        ExportRefusedError: A version would mean something else there.
        PromptStoreError: As for `PromptStore.history` and `PromptStore.get`.
    """
    if form != "langfuse":
        raise InvalidArgumentError(message=f"--history: {form} knows no versions; langfuse does")
    losses: list[str] = []
    records = []
    for version in reversed(store.history(name)):
        if version.deleted:
            losses.append(f"version {version.number} is deleted, which has no place there")
            continue
        export = Export(store.get(name, version=version.number), form, version.labels)
        records.append(
            {
                **langfuse_record(export),
                "version": version.number,
                "commitMessage": _IMPORTED.sub("", version.message).strip(),
                "createdAt": _written_at(store, version).isoformat(),
                "createdBy": version.author,
            }
        )
        losses += export.losses
    return Exported(f"{name}.json", json_text(records), tuple(dict.fromkeys(losses)))


def _written_at(store: PromptStore, version: Version) -> datetime:
    try:
        written = store.repository.commit(version.commit).authored_at
    except HistoryUnavailableError:  # a bundle has no more than the versions
        written = None
    return written or version.committed_at


def keep_sources(
    store: PromptStore, imported: Iterable[Imported], attribution: Attribution
) -> None:
    """Keep the files of prompts that were imported, where an export would not write them so.

    Args:
        store: The store.
        imported: The prompts.
        attribution: Who commits.

    Raises:
        PromptStoreError: Git could not do it.
    """
    changes = [
        FileChange(one.name, _path(one.format, one.prompt), one.data)
        for one in imported
        if _is_worth_keeping(one)
    ]
    if not changes:
        return
    repository = store.repository
    author, committer = choose_signatures(
        repository, attribution.get("author"), attribution.get("committer")
    )
    files = "one file" if len(changes) == 1 else f"{len(changes)} files"
    note = CommitNote(author, committer, f"Keep {files} that prompts came from\n")
    update_ref(
        repository,
        _REF,
        lambda _tip: changes,
        note,
        deadline=Deadline(_LOCK_SECONDS),
        start=repository.branch_tip(_REMOTE_REF),
    )


def _is_worth_keeping(one: Imported) -> bool:
    if not one.data or one.format not in EXPORT_FORMATS or len(one.versions) != 1:
        return False
    prompt, labels = identified(one.prompt, name=one.name), one.versions[0].labels
    try:
        made = export_prompt(prompt, one.format, labels)
    except ExportRefusedError:
        return False
    return made.data != one.data and _says(one.data, made.path, one.format, prompt, labels)


def _says(data: bytes, path: str, form: str, prompt: Prompt, labels: Sequence[str]) -> bool:
    """Return whether a file says what a prompt says, under its name and with its labels."""
    # By the suffix of its own, promptfoo's file would have another name.
    found = read_bytes(path.replace(".promptfooconfig.", "."), data, form)
    if len(found) != 1 or not isinstance(found[0], Imported) or len(found[0].versions) != 1:
        return False
    [version] = found[0].versions
    return (
        found[0].name == prompt.name
        and version.prompt.content == prompt.content
        and (form != "langfuse" or set(version.labels) == set(labels))
    )


def _path(form: str, prompt: Prompt) -> str:
    text = json.dumps(prompt.content, sort_keys=True, ensure_ascii=False)
    return f"{form}/{hashlib.sha256(text.encode()).hexdigest()}"


def _find(store: PromptStore, path: str) -> bytes | None:
    try:
        repository = store.repository
    except HistoryUnavailableError:
        return None
    tip = repository.branch_tip(_REF) or repository.branch_tip(_REMOTE_REF)
    entry = repository.find(repository.commit(tip).tree, path) if tip else None
    return repository.blob(entry.id) if entry is not None and entry.is_file else None
