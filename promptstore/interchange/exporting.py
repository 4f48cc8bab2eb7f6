"""Prompts as files of other tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from promptstore.errors import InvalidArgumentError
from promptstore.interchange.writers.documents import write_dotprompt, write_prompty
from promptstore.interchange.writers.plain import (
    write_github,
    write_langfuse,
    write_markdown,
    write_promptfoo,
)
from promptstore.interchange.writers.texts import Exported
from promptstore.model.prompt import Prompt

_WRITERS: Final[dict[str, Callable[[Prompt, str, Sequence[str]], Exported]]] = {
    "github": write_github,
    "dotprompt": write_dotprompt,
    "prompty": write_prompty,
    "langfuse": write_langfuse,
    "promptfoo": write_promptfoo,
    "markdown": write_markdown,
}
EXPORT_FORMATS: Final = tuple(_WRITERS)
"""The formats that can be written, as ``--to`` takes them."""


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
