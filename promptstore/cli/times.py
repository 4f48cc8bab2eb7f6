"""Points in time as people write them on the command line."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Annotated, Final

import typer

from promptstore.errors import InvalidArgumentError

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
