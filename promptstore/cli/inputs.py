"""What a person gives: values of a render, files, and answers at the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from promptstore.cli.output import print_error, visible
from promptstore.errors import InvalidArgumentError, RepositoryError
from promptstore.model.checks import fit, read_value
from promptstore.model.parts import Variable
from promptstore.model.values import UnfitValueError
from promptstore.promptfile.reader import parse_yaml
from promptstore.store.store import DEFAULT_ROOT

_UNDECLARED: Final = Variable(type="string")


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
        values |= read_file(file)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise InvalidArgumentError(message=f"--var takes NAME=VALUE, not {assignment!r}")
        values[name] = read_value(name, text, contract.get(name, _UNDECLARED))
    return values


def somebody_is_there() -> bool:
    """Return whether a person at a terminal can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(contract: Mapping[str, Variable], names: Sequence[str]) -> dict[str, Any]:
    """Ask the person at the terminal for values, again for each that does not fit.

    Args:
        contract: The declared variables.
        names: The variables that need a value.

    Returns:
        The values by variable name.

    Raises:
        InvalidArgumentError: The person ended the input.
    """
    return {name: _ask(name, contract.get(name, _UNDECLARED)) for name in names}


def _ask(name: str, variable: Variable) -> Any:
    question = visible(f"{name}{_hint(variable)}: ", sys.stderr)
    while True:
        sys.stderr.write(question)
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise InvalidArgumentError(message=f"no value was given for {name!r}")
        try:
            value = read_value(name, line.rstrip("\r\n"), variable)
            return fit(value, variable.type, variable.enum)
        except InvalidArgumentError as error:
            print_error(str(error))
        except UnfitValueError as error:
            print_error(f"{name!r} {error}")


def _hint(variable: Variable) -> str:
    kind = "" if variable.type == "string" else f" ({variable.type}, as JSON)"
    choices = [
        value if variable.type == "string" else json.dumps(value, ensure_ascii=False)
        for value in variable.enum or ()
    ]
    one_of = f" (one of {', '.join(choices)})" if choices else ""
    description = f" - {variable.description}" if variable.description else ""
    return f"{kind}{one_of}{description}"


def read_input(file: str) -> bytes:
    """Read a file, or stdin for ``-``.

    Raises:
        InvalidArgumentError: It cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise InvalidArgumentError(message=f"cannot read {file}: {error.strerror}") from error


def input_title(file: str) -> str:
    """Return what a file is called in errors."""
    return "<stdin>" if file == "-" else file


def read_file(file: str) -> dict[str, Any]:
    """Read a mapping from a YAML or JSON file, ``-`` for stdin.

    Raises:
        InvalidArgumentError: It cannot be read, or holds no mapping.
        PromptFileError: It is no YAML.
    """
    shown = input_title(file)
    values = parse_yaml(read_input(file), shown)
    if not isinstance(values, dict):
        raise InvalidArgumentError(message=f"{shown} must hold a mapping from variable to value")
    return values


class Named:
    """The files and folders that were named.

    Args:
        paths: Their paths.

    Raises:
        InvalidArgumentError: One of them is not there.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        for path in paths:
            if not path.exists():
                raise InvalidArgumentError(
                    message=f"{path}: there is no such file or folder.{_guess(path)}"
                )
        self._paths = {path.resolve() for path in paths}

    def __contains__(self, file: Path) -> bool:
        """Return whether a file was named, or a folder that it is in."""
        found = file.resolve()
        return found in self._paths or not self._paths.isdisjoint(found.parents)


def _guess(path: Path) -> str:
    """Return which file was probably meant, where a prompt's name was typed for its path."""
    guess = Path(DEFAULT_ROOT) / f"{path}.yaml"
    return f" Did you mean {guess}?" if guess.is_file() else ""


def write_back(path: Path, data: bytes) -> None:
    """Write a file, in a new folder if need be.

    Raises:
        RepositoryError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise RepositoryError(path=str(path), reason=f"{error.strerror}.") from error
