"""A prompt → its file, in canonical style."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

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


def write_top_entry(key: str, value: Any) -> str:
    """Write one key at the top of a file with its value, as whole lines."""
    return _TOP_ENTRIES.get(key, write_entry)(key, value)


def write_variable(name: str, declared: Mapping[str, Any]) -> str:
    """Write the declaration of one variable, on one line where it fits there."""
    line = f"{INDENT}{write_key(name)}: {write_flow(dict(declared))}\n"
    return line if len(line) <= MAX_FLOW_WIDTH + 1 else write_entry(name, declared, INDENT)


def _variables(key: str, value: dict[str, Any]) -> str:
    if not value:
        return write_entry(key, value)
    return f"{key}:\n" + "".join(write_variable(name, item) for name, item in value.items())


def _tags(key: str, value: list[str]) -> str:
    line = f"{key}: {write_flow(value)}\n"
    return line if len(line) <= MAX_FLOW_WIDTH + 1 else write_entry(key, value)


_TOP_ENTRIES: Final[dict[str, Callable[[str, Any], str]]] = {
    "variables": _variables,
    "tags": _tags,
}
