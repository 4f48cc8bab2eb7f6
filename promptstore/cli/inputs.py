"""The values of a render from the command line, from files and from the person at the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from promptstore.errors import InvalidArgumentError
from promptstore.model import Prompt
from promptstore.promptfile import parse_yaml
from promptstore.variables import Variable


def read_values(
    contract: Mapping[str, Variable], assignments: Sequence[str], files: Sequence[str]
) -> dict[str, Any]:
    """Collect the values that were given; ``--var`` wins over ``--vars``.

    Args:
        contract: The declared variables, which say how to read a ``--var``.
        assignments: ``name=value`` each.
        files: Paths of YAML or JSON files, ``-`` for stdin.

    Returns:
        The values by variable name.

    Raises:
        InvalidArgumentError: An assignment or a file is not what is wanted.
        PromptFileError: A file is not YAML.
    """
    values: dict[str, Any] = {}
    for file in files:
        values |= _read_file(file)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise InvalidArgumentError(message=f"--var takes NAME=VALUE, not {assignment!r}")
        values[name] = read_value(name, text, contract.get(name, Variable(type="string")))
    return values


def read_value(name: str, text: str, variable: Variable) -> Any:
    """Read one value as its variable's type asks: a text as it is, anything else as JSON."""
    if variable.type == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        if variable.type == "any":
            return text
        raise InvalidArgumentError(
            message=f"the variable {name!r} is of the type {variable.type}: "
            f"write its value as JSON, not {text!r}"
        ) from None


def ask_for_missing(prompt: Prompt, values: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the person at the terminal for each value that is missing, where there is a person."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return {}
    return {
        name: _ask(name, variable)
        for name, variable in prompt.contract.items()
        if variable.needs_value and name not in values
    }


def _ask(name: str, variable: Variable) -> Any:
    hint = "" if variable.type == "string" else f" ({variable.type}, as JSON)"
    description = f" - {variable.description}" if variable.description else ""
    while True:
        sys.stderr.write(f"{name}{hint}{description}: ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise InvalidArgumentError(message=f"no value was given for {name!r}")
        try:
            return read_value(name, line.rstrip("\r\n"), variable)
        except InvalidArgumentError as error:
            sys.stderr.write(f"{error}\n")


def _read_file(file: str) -> dict[str, Any]:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise InvalidArgumentError(message=f"cannot read {file}: {error.strerror}") from error
    shown = "<stdin>" if file == "-" else file
    values = parse_yaml(data, shown)
    if not isinstance(values, dict):
        raise InvalidArgumentError(message=f"{shown} must hold a mapping from variable to value")
    return values
