"""Requests and answers as JSON over HTTP (httpx lives here): keys, timeouts, repeats, errors."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import httpx

from promptstore import __version__
from promptstore.errors import (
    InvalidArgumentError,
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

KEY_VARIABLE: Final = "POSTHOG_PERSONAL_API_KEY"
"""The environment variable that holds the key where none is given."""

_SHOWN_BODY: Final = 200
_BY_STATUS: Final[Mapping[int, type[RemoteError]]] = {
    401: RemoteKeyError,
    403: RemotePermissionError,
    404: RemoteNotFoundError,
    409: RemoteConflictError,
    429: RemoteThrottledError,
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one request is waited for, and how often it is tried.

    Attributes:
        timeout: How long to wait for a connection, and for each piece of an answer, in seconds.
        attempts: How often a request is sent at most. A write is only sent again when the server
            has certainly not done it.
        first_pause: The longest pause before the second attempt, in seconds; it doubles each time.
            The pause itself is a random part of it, so that many clients do not come back at once.
        longest_pause: The longest pause, in seconds. A server that asks for more (``Retry-After``)
            is not asked again.
    """

    timeout: float = 30.0
    attempts: int = 4
    first_pause: float = 0.5
    longest_pause: float = 70.0


class Connection:
    """Sends requests to one host with one key.

    Args:
        host: For example ``https://us.posthog.com``; a path is kept as a prefix.
        key: The personal API key; None takes it from the environment.
        patience: How long to wait and how often to try.
        transport: What carries the requests, for example one made for tests; None is the network.
        sleep: How a pause is made.
    """

    def __init__(
        self,
        host: str,
        key: str | None,
        *,
        patience: Patience,
        transport: httpx.BaseTransport | None,
        sleep: Callable[[float], None],
    ) -> None:
        self.host = _checked_host(host)
        self.requests = 0
        self._auth = _KeyAuth(_checked_key(key))
        self._patience = patience
        self._sleep = sleep
        self._http = httpx.Client(
            base_url=self.host,
            auth=self._auth,
            timeout=patience.timeout,
            transport=transport,
            headers={"Accept": "application/json", "User-Agent": f"promptstore/{__version__}"},
        )

    def close(self) -> None:
        """Close the connections to the host."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        is_read: bool = False,
    ) -> Any:
        """Send one request, again where that is safe, and read the JSON of the answer.

        Args:
            method: GET, POST and so on.
            path: The path behind the host, percent-encoded.
            query: Parameters; those that are None are left out.
            body: The JSON to send; None sends no body.
            is_read: Whether the request changes nothing, so that it may be sent again at will.

        Returns:
            The JSON; None for an answer without a body.

        Raises:
            RemoteError: The leaf that fits; after a write it says whether it may have happened.
        """
        for attempt in range(1, self._patience.attempts + 1):
            try:
                return self._send_once(method, path, query, body, is_read=is_read)
            except RemoteError as error:
                pause = self._pause(error, attempt, is_read=is_read)
                if pause is None:
                    raise
                self._sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _send_once(
        self, method: str, path: str, query: Mapping[str, Any] | None, body: Any, *, is_read: bool
    ) -> Any:
        request = f"{method} {path}"
        given = {key: _query_text(value) for key, value in (query or {}).items()
                 if value is not None}  # fmt: skip
        self.requests += 1
        try:
            answer = self._http.request(method, path, params=given or None, json=body)
        except httpx.RequestError as error:
            was_sent = not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
            raise RemoteUnreachableError(
                request=request,
                detail=self._hidden(_transport_fault(error, self.host, self._patience.timeout)),
                may_have_written=was_sent and not is_read,
            ) from None
        return self._read(request, answer, is_read=is_read)

    def _read(self, request: str, answer: httpx.Response, *, is_read: bool) -> Any:
        if not answer.is_success:
            self._refuse(request, answer, is_read=is_read)
        if not answer.content:
            return None
        value = _json_of(answer)
        if value is None:
            raise RemoteAnswerError(
                request=request,
                status=answer.status_code,
                detail=self._hidden(f"the answer is no JSON: {_beginning(answer)}"),
                may_have_written=not is_read,
            )
        return value

    def _refuse(self, request: str, answer: httpx.Response, *, is_read: bool) -> NoReturn:
        status = answer.status_code
        value = _json_of(answer)
        facts = value if isinstance(value, dict) else {}
        kind = _BY_STATUS.get(status) or (
            RemoteServerError if status >= 500 else RemoteRejectedError
        )
        raise kind(
            request=request,
            status=status,
            detail=self._hidden(_detail(value, answer)),
            code=self._hidden_or_none(facts.get("code")),
            attr=self._hidden_or_none(facts.get("attr")),
            retry_after=_retry_after(answer),
            current_version=_integer_or_none(facts.get("current_version")),
            may_have_written=status >= 500 and not is_read,
        )

    def _pause(self, error: RemoteError, attempt: int, *, is_read: bool) -> float | None:
        """Tell how long to wait before the next attempt; None where there is to be none."""
        was_refused_unread = isinstance(error, RemoteThrottledError) or (
            isinstance(error, RemoteUnreachableError) and not error.may_have_written
        )
        may_pass = isinstance(error, (RemoteUnreachableError, RemoteServerError, RemoteAnswerError))
        if attempt >= self._patience.attempts or not (was_refused_unread or (is_read and may_pass)):
            return None
        if error.retry_after is not None:
            is_bearable = error.retry_after <= self._patience.longest_pause
            return error.retry_after if is_bearable else None
        longest: float = self._patience.first_pause * 2 ** (attempt - 1)
        share: float = 0.5 + random.random() / 2  # noqa: S311 - only spreads the clients
        return min(self._patience.longest_pause, longest) * share

    def _hidden(self, text: str) -> str:
        """Take the key out of a text that a server or a library made."""
        return text.replace(self._auth.key, "[key]") if self._auth.key else text

    def _hidden_or_none(self, value: Any) -> str | None:
        return self._hidden(value) if isinstance(value, str) else None


class _KeyAuth(httpx.Auth):
    """Adds the key to a request, so that it lies in no other object."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __repr__(self) -> str:
        return "<key>"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self.key}"
        yield request


def _checked_host(host: str) -> str:
    parts = urlsplit(host)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.username is not None:
        raise InvalidArgumentError(
            message="the host is a URL such as https://us.posthog.com, without a name or password"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _checked_key(key: str | None) -> str:
    found = (os.environ.get(KEY_VARIABLE, "") if key is None else key).strip()
    if not found:
        raise RemoteKeyError(request="Connecting", detail="there is no key")
    if not found.isascii() or not found.isprintable() or " " in found:
        raise RemoteKeyError(request="Connecting", detail="the key holds what no key holds")
    return found


def _query_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _transport_fault(error: httpx.RequestError, host: str, timeout: float) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"{host} did not answer within {timeout:g} seconds"
    what = "cannot be reached" if isinstance(error, httpx.ConnectError) else "gave no whole answer"
    return f"{host} {what}: {str(error) or type(error).__name__}"


def _json_of(answer: httpx.Response) -> Any:
    """Read the JSON of an answer; None where there is none."""
    try:
        return answer.json()
    except (ValueError, RecursionError):
        return None


def _beginning(answer: httpx.Response) -> str:
    kind = answer.headers.get("content-type", "no content type").partition(";")[0]
    return f"{kind}, {' '.join(answer.text.split())[:_SHOWN_BODY]!r}"


def _detail(value: Any, answer: httpx.Response) -> str:
    """Find the server's own words: an envelope, a bare error, or messages by field."""
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
    return _beginning(answer) if answer.content else answer.reason_phrase


def _joined(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _retry_after(answer: httpx.Response) -> float | None:
    """Read how long to wait: seconds, or a date (RFC 9110, section 10.2.3)."""
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


def _integer_or_none(value: Any) -> int | None:
    return value if type(value) is int else None
