"""A prompt → its file, in canonical style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptstore.errors import InvalidArgumentError, Problem, PromptFileError
from promptstore.model.prompt import Prompt
from promptstore.promptfile.reader import loads
from promptstore.promptfile.yamlwriter import (
    INDENT,
    MAX_FLOW_WIDTH,
    write_entry,
    write_flow,
    write_key,
)


def dumps(prompt: Prompt) -> str:
    """Write a prompt as the text of a file, in canonical style.

    Args:
        prompt: The prompt; its identity in git (name, version and so on) is not written.

    Returns:
        The text of the file, with one line end at its end.

    Raises:
        InvalidArgumentError: No file can hold it.
    """
    text = "".join(write_top_entry(key, value) for key, value in prompt.content.items())
    try:
        loads(text.encode())
    except PromptFileError as error:
        raise _invalid(error.problems) from error
    return text


def _invalid(problems: Sequence[Problem]) -> InvalidArgumentError:
    faults = " ".join(problem.message for problem in problems)
    return InvalidArgumentError(message=f"This is no valid prompt: {faults}")


def write_top_entry(key: str, value: Any, *, blocks: bool = True) -> str:
    """Write one key at the top of a file with its value, as whole lines.

    Args:
        key: The key.
        value: Its plain value.
        blocks: Whether strings may be literal blocks.

    Returns:
        The lines, each with its line end.
    """
    if key == "variables" and value:
        lines = (write_variable(name, item, blocks=blocks) for name, item in value.items())
        return f"{key}:\n{''.join(lines)}"
    if key == "tags":
        line = f"{key}: {write_flow(value)}\n"
        if len(line) <= MAX_FLOW_WIDTH + 1:
            return line
    return write_entry(key, value, blocks=blocks)


def write_variable(
    name: str, declared: Mapping[str, Any] | None, indent: str = INDENT, *, blocks: bool = True
) -> str:
    """Write the declaration of one variable, on one line where it fits there."""
    line = f"{indent}{write_key(name)}: {write_flow(declared)}\n"
    is_short = len(line) <= MAX_FLOW_WIDTH + 1
    return line if is_short else write_entry(name, declared, indent, blocks=blocks)
