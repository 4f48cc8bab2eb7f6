"""How often requests are sent, and what it means that one failed."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from promptstore.errors import (
    RemoteAnswerError,
    RemoteConflictError,
    RemoteError,
    RemoteKeyError,
    RemoteNotFoundError,
    RemotePermissionError,
    RemoteRejectedError,
    RemoteServerError,
    RemoteThrottledError,
    RemoteUnreachableError,
)

PUBLISHES_PER_MINUTE: Final = 30
"""How many versions PostHog's cloud lets an account publish."""

_SHOWN_BODY: Final = 200
_BY_STATUS: Final[Mapping[int, type[RemoteError]]] = {
    401: RemoteKeyError,
    403: RemotePermissionError,
    404: RemoteNotFoundError,
    409: RemoteConflictError,
    429: RemoteThrottledError,
}


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long one request may take, and how often it is tried.

    Attributes:
        timeout: How long to wait for a connection, and for each piece of an answer, in seconds.
        deadline: How long a request may take in all, with its retries and pauses, in seconds.
        attempts: How often a request is sent at most. A write is only sent again when the server
            has certainly not done it.
        first_pause: The longest pause before the second attempt, in seconds; it doubles each time.
            The pause itself is a random part of it, so that many clients do not come back at once.
        longest_pause: The longest pause, in seconds. A server that asks for more (``Retry-After``)
            is not asked again.
    """

    timeout: float = 30.0
    deadline: float = 300.0
    attempts: int = 4
    first_pause: float = 0.5
    longest_pause: float = 70.0


class RateLimiter:
    """Lets at most so many requests happen in any minute.

    Args:
        per_minute: How many; 0 sets no bound.
        clock: Returns the time in seconds.
        sleep: Makes a pause.
    """

    def __init__(
        self, per_minute: int, *, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._times: deque[float] = deque(maxlen=per_minute)

    def wait(self) -> None:
        """Wait until one more request may be sent, and count it."""
        if self._times and len(self._times) == self._times.maxlen:
            wait = self._times[0] + 60 - self._clock()
            if wait > 0:
                self._sleep(wait)
        self._times.append(self._clock())


def refusal(
    request: str, answer: httpx.Response, data: bytes, value: Any, key: str, *, is_read: bool
) -> RemoteError:
    """Return the error of an answer that refuses.

    Args:
        request: The method and the path.
        answer: The answer.
        data: Its body.
        value: The JSON of that, or None.
        key: The key, which no error shows.
        is_read: Whether the request changes nothing.
    """
    status = answer.status_code
    facts = value if isinstance(value, dict) else {}
    kind = _BY_STATUS.get(status) or (RemoteServerError if status >= 500 else RemoteRejectedError)
    code, attr, current = (facts.get(name) for name in ("code", "attr", "current_version"))
    return kind(
        request=request,
        status=status,
        detail=_detail(value, answer, data).replace(key, "[key]"),
        code=code.replace(key, "[key]") if isinstance(code, str) else None,
        attr=attr.replace(key, "[key]") if isinstance(attr, str) else None,
        retry_after=_retry_after(answer),
        current_version=current if type(current) is int else None,
        may_have_written=status >= 500 and not is_read,
    )


def transport_fault(error: httpx.RequestError, host: str, seconds: float) -> str:
    """Return why no answer came, in words.

    Args:
        error: What the network said.
        host: The host's URL.
        seconds: How long was waited at most.
    """
    if isinstance(error, httpx.TimeoutException):
        return f"{host} did not answer within {seconds:.4g} seconds"
    what = "cannot be reached" if isinstance(error, httpx.ConnectError) else "gave no whole answer"
    return f"{host} {what}: {str(error) or type(error).__name__}"


def is_safe_again(error: BaseException, *, is_read: bool) -> bool:
    """Return whether a request that failed so may be sent again."""
    if isinstance(error, RemoteThrottledError):
        return True
    if isinstance(error, RemoteUnreachableError) and not error.may_have_written:
        return True
    may_pass = isinstance(error, (RemoteUnreachableError, RemoteServerError, RemoteAnswerError))
    return is_read and may_pass


def beginning(answer: httpx.Response, data: bytes) -> str:
    """Return how the body of an answer begins, after its content type."""
    kind = answer.headers.get("content-type", "no content type").partition(";")[0]
    text = data[: 10 * _SHOWN_BODY].decode(errors="replace")
    return f"{kind}, {' '.join(text.split())[:_SHOWN_BODY]!r}"


def _detail(value: Any, answer: httpx.Response, data: bytes) -> str:
    """Return the server's own words: an envelope, a bare error, or messages by field."""
    if isinstance(value, dict):
        words = [value[key] for key in ("detail", "error") if isinstance(value.get(key), str)]
        if words:
            return ": ".join(dict.fromkeys(reversed(words)))
        return "; ".join(f"{key}: {_joined(item)}" for key, item in value.items())
    if value is not None:
        return _joined(value)
    if answer.has_redirect_location:
        place = urlsplit(answer.headers["location"])
        return f"it has moved to {place.scheme}://{place.netloc}{place.path}; set that host"
    return beginning(answer, data) if data else answer.reason_phrase


def _joined(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _retry_after(answer: httpx.Response) -> float | None:
    """Return how long to wait: seconds, or until a date (RFC 9110, section 10.2.3)."""
    text = answer.headers.get("retry-after", "")
    with suppress(ValueError):
        seconds = float(text)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    # A date without a zone is in UTC.
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
