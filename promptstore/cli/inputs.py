"""What a person names or gives: ``NAME@SELECTOR``, a time, values, files and answers."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypedDict

import typer

from promptstore.cli.output import print_error, visible
from promptstore.errors import (
    HistoryUnavailableError,
    InvalidArgumentError,
    NotInBundleError,
    RepositoryError,
    RevisionNotFoundError,
)
from promptstore.history.labels import LabelTable, is_label
from promptstore.model.prompt import Prompt
from promptstore.model.values import SUFFIX, UnfitValueError, near_matches
from promptstore.model.variables import Variable, fit, read_value
from promptstore.promptfile.anyyaml import parse_yaml
from promptstore.store.store import PromptStore, Rev


class Selection(TypedDict, total=False):
    """The keyword arguments of `PromptStore.get` that a selector stands for."""

    version: int
    label: str
    rev: Rev


class Selected(NamedTuple):
    """A prompt's name with what was selected of it."""

    name: str
    selection: Selection


def select(store: PromptStore, text: str, at: datetime | None = None) -> Selected:
    """Read ``NAME`` or ``NAME@SELECTOR``.

    Digits are a version; ``version:``, ``label:`` and ``rev:`` say what is meant; a date-time with
    a zone is a time; anything else is the label or the rev of that name, whichever there is.

    Args:
        store: The store, which knows the labels and revs.
        text: What was written.
        at: The time as of which it is meant: then a label is where it pointed, and a name alone
            the newest version then.

    Returns:
        The name, and what to pass on to `PromptStore.get`.

    Raises:
        InvalidArgumentError: The selector is empty, means two things, or is neither; or it is a
            version or a rev, which does not change with time.
        LabelNotFoundError: The label did not point the prompt anywhere then.
    """
    name, sign, selector = text.partition("@")
    if not sign:
        return Selected(name, {"rev": at} if at else {})
    if not selector:
        raise InvalidArgumentError(message=f"{text!r} selects nothing: write {name}@3 or the like")
    if at is None:
        return Selected(name, _read(store, name, selector, store.labels()))
    labels = store.labels(at)
    selection = _read(store, name, selector, labels, at)
    if "label" not in selection:
        raise InvalidArgumentError(
            message=f"--at takes a label or a name alone: {text!r} is the same at any time, so "
            "leave --at out"
        )
    return Selected(name, {"rev": labels.find(selection["label"], name).commit})


def get_selected(store: PromptStore, text: str, *, deleted: bool = False) -> Prompt:
    """Return the prompt that ``NAME`` or ``NAME@SELECTOR`` stands for, if wanted a deleted one."""
    name, selection = select(store, text)
    return store.get(name, deleted=deleted, **selection)


def _read(
    store: PromptStore, name: str, selector: str, labels: LabelTable, at: datetime | None = None
) -> Selection:
    kind, colon, value = selector.partition(":")
    if colon and kind == "version":
        return {"version": _number(value)}
    if colon and kind == "label":
        return {"label": value}
    if colon and kind == "rev":
        return {"rev": value}
    if selector.isascii() and selector.isdigit():
        return {"version": _number(selector)}
    with suppress(ValueError):
        found = datetime.fromisoformat(selector)
        if found.tzinfo:
            return {"rev": found}
    return _label_or_rev(store, name, selector, labels, at)


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise InvalidArgumentError(message=f"{text!r} is not the number of a version")


def _label_or_rev(
    store: PromptStore, name: str, selector: str, labels: LabelTable, at: datetime | None
) -> Selection:
    is_a_label = is_label(selector) and (selector in labels.targets or selector in labels.broken)
    is_a_rev = _is_rev(store, selector)
    if is_a_label and is_a_rev:
        raise InvalidArgumentError(
            message=f"{selector!r} is both a label and a rev: "
            f"write {name}@label:{selector} or {name}@rev:{selector}"
        )
    if is_a_label:
        return {"label": selector}
    if is_a_rev:
        return {"rev": selector}
    listed = ", ".join(sorted(labels.targets))
    advice = _advice(store, name, selector, labels)
    if at is not None:
        there_were = f"The labels were: {listed}." if listed else no_labels(store, at)
        then = at.isoformat(" ", "minutes")
        raise InvalidArgumentError(
            message=f"{selector!r} was no label at {then}.{advice} {there_were}"
        )
    there_are = (
        f"The labels are: {listed}. `promptstore label list` lists them."
        if listed
        else no_labels(store)
    )
    raise InvalidArgumentError(
        message=f"{selector!r} is neither a label nor a rev that git knows.{advice} {there_are}"
    )


def no_labels(store: PromptStore, at: datetime | None = None) -> str:
    """Return why there is no label, now or at a time, and what to do."""
    if at is not None:
        return "There were no labels then; `promptstore label log` shows each move."
    try:
        is_shallow = store.repository.is_shallow
    except HistoryUnavailableError:
        return "There are no labels, and neither a plain folder nor a bundle can get one."
    lacking = f" This clone is shallow, and lacks those of its origin: {_FETCH_LABELS}."
    sentence = "There are no labels; `promptstore label set NAME LABEL` sets one."
    return sentence + (lacking if is_shallow else "")


def _advice(store: PromptStore, name: str, selector: str, labels: LabelTable) -> str:
    """Return what was probably meant by a selector that means nothing."""
    if name in labels.targets and selector in store.names():
        return f" Did you mean {selector}@{name}?"
    near = near_matches(selector, labels.targets)
    if near:
        return f" Did you mean {' or '.join(f'{name}@{label}' for label in near)}?"
    with suppress(ValueError):
        # It is a time without a zone, or it would have been taken for one.
        time = datetime.fromisoformat(selector).isoformat(timespec="minutes")
        return f" A time needs a zone, for example {name}@{time}Z."
    return ""


def _is_rev(store: PromptStore, rev: str) -> bool:
    try:
        store.snapshot(rev)
    except (RevisionNotFoundError, NotInBundleError):
        return False
    return True


_FETCH_LABELS: Final = (
    "`git fetch --unshallow`, then `git fetch origin promptstore/labels:promptstore/labels`"
)
_DAY: Final = re.compile(r"(today|yesterday)(?:[ T]+(\d{1,2}:\d\d(?::\d\d)?))?")
_AGO: Final = re.compile(r"(\d{1,6}) *(second|minute|hour|day|week)s? ago")

At = Annotated[
    str | None,
    typer.Option(
        "--at",
        help="As of this time: 2026-11-28, '2026-11-28 15:00', 2026-11-28T15:00Z, 'yesterday', "
        "'yesterday 15:00', 'today 9:30' or '3 hours ago' (seconds, minutes, hours, days, weeks). "
        "A time without a zone is local.",
        metavar="TIME",
    ),
]


def parse_time(text: str, now: datetime | None = None) -> datetime:
    """Parse a time that a person wrote; the help of ``--at`` says what it may be.

    Args:
        text: What was written.
        now: The present, with a zone; by default that of the clock.

    Returns:
        The time, with a zone. A day alone is its begin, ``yesterday`` alone is this time of day.

    Raises:
        InvalidArgumentError: It is not written in one of these ways.
    """
    present = now or datetime.now().astimezone()
    words = text.strip().lower()
    ago, day = _AGO.fullmatch(words), _DAY.fullmatch(words)
    try:
        if ago:
            return present - timedelta(**{f"{ago[2]}s": int(ago[1])})
        if day:
            then = present - timedelta(days=day[1] == "yesterday")
            if day[2] is None:
                return then
            clock = time.fromisoformat(day[2].zfill(5) if len(day[2]) < 6 else day[2].zfill(8))
            return datetime.combine(then.date(), clock).astimezone()
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        message = (
            f"{text!r} is no time: write for example 2026-11-28, '2026-11-28 15:00', "
            "'yesterday 15:00' or '3 hours ago'"
        )
        raise InvalidArgumentError(message=message) from None


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


def is_confirmed(question: str) -> bool:
    """Ask the person at the terminal, and return whether the answer is yes."""
    return _answer(f"{question} [y/N]: ").strip().casefold() in {"y", "yes"}


def _answer(question: str) -> str:
    sys.stderr.write(visible(question, sys.stderr))
    sys.stderr.flush()
    return sys.stdin.readline()


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
    while True:
        line = _answer(f"{name}{_hint(variable)}: ")
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


def near_files(store: PromptStore, path: Path) -> str:
    """Return which prompt files were probably meant by a path that is not there, as a sentence."""
    if not store.has_files:
        return ""
    root = (store.path / store.root).resolve()
    whole = path.resolve()
    typed = whole.relative_to(root).as_posix() if whole.is_relative_to(root) else path.as_posix()
    near = near_matches(typed.removesuffix(".yml"), store.working_snapshot().names())
    paths = [os.path.relpath(root / f"{name}{SUFFIX}") for name in near]
    return f" Did you mean {' or '.join(paths)}?" if paths else ""


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
