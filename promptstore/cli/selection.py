"""What a person names: a version, label or rev of a prompt as ``NAME@SELECTOR``, or a time."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime, time, timedelta
from typing import Annotated, Final, NamedTuple, TypedDict

import typer

from promptstore.errors import (
    HistoryUnavailableError,
    InvalidArgumentError,
    NotInBundleError,
    RevisionNotFoundError,
)
from promptstore.history.labels import LabelTable, is_label
from promptstore.model.values import near_matches
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


def _read(
    store: PromptStore,
    name: str,
    selector: str,
    labels: LabelTable,
    at: datetime | None = None,
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
    advice = _advice(name, selector, labels)
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
    sentence = "There are no labels; `promptstore label set LABEL NAME` sets one."
    with suppress(HistoryUnavailableError):  # neither a folder nor a bundle has one
        if store.repository.is_shallow:
            return (
                f"{sentence} This clone is shallow, and lacks those of its origin: {_FETCH_LABELS}."
            )
    return sentence


def _advice(name: str, selector: str, labels: LabelTable) -> str:
    """Return what was probably meant by a selector that means nothing."""
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
