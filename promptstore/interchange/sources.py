"""The files that prompts came from, kept on a branch of their own until a prompt is changed.

A prompt that still says what its file said is exported as that file, to the byte. The branch holds
only files that an export would write differently; each is found by the format and by what it says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from promptstore.errors import ExportRefusedError, HistoryUnavailableError
from promptstore.git.commits import CommitNote, FileChange, choose_signatures
from promptstore.git.writing import Deadline, update_ref
from promptstore.interchange.exporting import EXPORT_FORMATS, export_prompt
from promptstore.interchange.imported import Imported
from promptstore.interchange.recognition import read_bytes
from promptstore.interchange.writers.texts import Exported
from promptstore.model.prompt import Prompt, identified
from promptstore.store.store import PromptStore
from promptstore.store.writing import Attribution

BRANCH: Final = "promptstore/sources"
"""The branch that holds the files."""

_REF: Final = f"refs/heads/{BRANCH}"
_REMOTE_REF: Final = f"refs/remotes/origin/{BRANCH}"
_LOCK_SECONDS: Final = 10.0


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
        labels = store.labels().of(prompt.name, prompt.version)
    made = export_prompt(prompt, form, labels)
    data = _find(store, _path(form, prompt))
    if data is not None and _says(data, made.path, form, prompt, labels):
        return replace(made, data=data, losses=())
    return made


def _is_worth_keeping(one: Imported) -> bool:
    if not one.data or one.format not in EXPORT_FORMATS or len(one.versions) != 1:
        return False
    labels = one.versions[0].labels
    try:
        made = export_prompt(identified(one.prompt, name=one.name), one.format, labels)
    except ExportRefusedError:
        return False
    return made.data != one.data and _says(
        one.data, made.path, one.format, identified(one.prompt, name=one.name), labels
    )


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
