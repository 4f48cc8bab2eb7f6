"""Prompts as files of other tools."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from promptstore.errors import HistoryUnavailableError, InvalidArgumentError
from promptstore.interchange.writers.documents import write_dotprompt, write_prompty
from promptstore.interchange.writers.plain import (
    json_text,
    langfuse_record,
    write_github,
    write_langfuse,
    write_markdown,
    write_promptfoo,
)
from promptstore.interchange.writers.texts import Exported, Losses
from promptstore.model.prompt import Prompt
from promptstore.model.versions import Version
from promptstore.store.store import PromptStore

_WRITERS: Final[dict[str, Callable[[Prompt, str, Sequence[str]], Exported]]] = {
    "github": write_github,
    "dotprompt": write_dotprompt,
    "prompty": write_prompty,
    "langfuse": write_langfuse,
    "promptfoo": write_promptfoo,
    "markdown": write_markdown,
}
_IMPORTED: Final = re.compile(r"^Imported: .*$", re.MULTILINE)
EXPORT_FORMATS: Final = tuple(_WRITERS)
"""The formats that can be written, as ``--to`` takes them."""


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
    losses = Losses(form)
    records = []
    for version in reversed(store.history(name)):
        if version.deleted:
            losses.tell(f"version {version.number} is deleted, which has no place there")
            continue
        prompt = store.get(name, version=version.number)
        record = langfuse_record(prompt, name, version.labels, losses)
        records.append(
            record
            | {
                "version": version.number,
                "commitMessage": _IMPORTED.sub("", version.message).strip(),
                "createdAt": _written_at(store, version).isoformat(),
                "createdBy": version.author,
            }
        )
    return Exported(f"{name}.json", json_text(records), tuple(losses.found))


def _written_at(store: PromptStore, version: Version) -> datetime:
    try:
        written = store.repository.commit(version.commit).authored_at
    except HistoryUnavailableError:  # a bundle has no more than the versions
        written = None
    return written or version.committed_at


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
    return _WRITERS[form](prompt, prompt.name or "prompt", labels)
