"""Requests and answers as JSON over HTTP (httpx lives here): keys, limits, retries, errors."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from promptstore import __version__
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
from promptstore.posthog.hosts import split_host

KEY_VARIABLE: Final = "POSTHOG_PERSONAL_API_KEY"
"""The environment variable that holds the key where none is given."""

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""How large an answer may be once it is unpacked, in bytes."""

_SERVER_HEADER: Final = "promptstore-version"
_SHOWN_BODY: Final = 200
_BY_STATUS: Final[Mapping[int, type[RemoteError]]] = {
    401: RemoteKeyError,
    403: RemotePermissionError,
    404: RemoteNotFoundError,
    409: RemoteConflictError,
    429: RemoteThrottledError,
}
_Answer = TypeVar("_Answer", bound=BaseModel)


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


class Connection:
    """Sends requests to one host with one key.

    Args:
        host: For example ``https://us.posthog.com``; a path is kept as a prefix.
        key: The personal API key; None takes it from the environment.
        policy: How long a request may take, and how often it is tried.
        transport: What carries the requests, for example one made for tests; None is the network.
        sleep: How a pause is made.
        clock: Returns the time in seconds, for the deadline.
    """

    def __init__(
        self,
        host: str,
        key: str | None,
        *,
        policy: RetryPolicy,
        transport: httpx.BaseTransport | None,
        sleep: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = split_host(host)
        self.host = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self.requests = 0
        self.is_promptstore = False
        self._auth = _KeyAuth(_checked_key(key))
        self._policy = policy
        self._sleep = sleep
        self._clock = clock
        self._http = httpx.Client(
            base_url=self.host,
            auth=self._auth,
            timeout=policy.timeout,
            transport=transport,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": f"promptstore/{__version__}",
            },
        )

    def close(self) -> None:
        """Close the connections to the host."""
        self._http.close()

    def read(
        self,
        kind: type[_Answer],
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        is_read: bool = False,
    ) -> _Answer:
        """Send one request as `send` does, and return the answer as a model."""
        value = self.send(method, path, query=query, body=body, is_read=is_read)
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "it"
            raise RemoteAnswerError(
                request=f"{method} {path}",
                status=200,
                detail=f"the answer is not as expected: {place}: {first['msg']}",
                may_have_written=not is_read,
            ) from None

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        is_read: bool = False,
    ) -> Any:
        """Send one request, again where that is safe, and return the JSON of the answer.

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
        end = self._clock() + self._policy.deadline
        wait = wait_random_exponential(self._policy.first_pause, self._policy.longest_pause)

        def pause(state: RetryCallState) -> float:
            asked: float | None = getattr(_error_of(state), "retry_after", None)
            return wait(state) if asked is None else asked

        def is_over(state: RetryCallState) -> bool:
            length = state.upcoming_sleep
            return length > self._policy.longest_pause or self._clock() + length > end

        retrying = Retrying(
            retry=retry_if_exception(lambda error: _is_safe_again(error, is_read=is_read)),
            wait=pause,
            stop=lambda state: stop_after_attempt(self._policy.attempts)(state) or is_over(state),
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self._send_once, method, path, query, body, is_read=is_read, end=end)

    def _send_once(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Any,
        *,
        is_read: bool,
        end: float,
    ) -> Any:
        request = f"{method} {path}"
        given = {key: _query_text(value) for key, value in (query or {}).items()
                 if value is not None}  # fmt: skip
        timeout = max(0.001, min(self._policy.timeout, end - self._clock()))
        self.requests += 1
        try:
            with self._http.stream(
                method, path, params=given or None, json=body, timeout=timeout
            ) as answer:
                data = self._read_bytes(request, answer, end, may_have_written=not is_read)
        except httpx.RequestError as error:
            was_sent = not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
            raise RemoteUnreachableError(
                request=request,
                detail=self._hidden(_transport_fault(error, self.host, timeout)),
                may_have_written=was_sent and not is_read,
            ) from None
        self.is_promptstore = _SERVER_HEADER in answer.headers
        value = _json_of(data)
        if not answer.is_success:
            self._refuse(request, answer, data, value, is_read=is_read)
        if data and value is None:
            raise RemoteAnswerError(
                request=request,
                status=answer.status_code,
                detail=self._hidden(f"the answer is no JSON: {_beginning(answer, data)}"),
                may_have_written=not is_read,
            )
        return value

    def _read_bytes(
        self, request: str, answer: httpx.Response, end: float, *, may_have_written: bool
    ) -> bytes:
        """Read an answer piece by piece, since a small one may unpack to gigabytes."""
        detail = None
        data = bytearray()
        # Other encodings, and several at once, unpack a single piece to any size.
        if answer.headers.get("content-encoding", "identity").lower() not in ("gzip", "identity"):
            detail = "the answer has an encoding that was not asked for"
        for piece in answer.iter_bytes() if detail is None else ():
            data += piece
            if len(data) > MAX_ANSWER_BYTES:
                detail = f"the answer has more than {MAX_ANSWER_BYTES:,} bytes"
                break
            if self._clock() > end:
                raise RemoteUnreachableError(
                    request=request,
                    detail=f"the answer took more than {self._policy.deadline:g} seconds",
                    may_have_written=may_have_written,
                )
        if detail is None:
            return bytes(data)
        raise RemoteAnswerError(
            request=request,
            status=answer.status_code,
            detail=detail,
            may_have_written=may_have_written,
        )

    def _refuse(
        self, request: str, answer: httpx.Response, data: bytes, value: Any, *, is_read: bool
    ) -> NoReturn:
        status = answer.status_code
        facts = value if isinstance(value, dict) else {}
        kind = _BY_STATUS.get(status) or (
            RemoteServerError if status >= 500 else RemoteRejectedError
        )
        current = facts.get("current_version")
        raise kind(
            request=request,
            status=status,
            detail=self._hidden(_detail(value, answer, data)),
            code=self._hidden_or_none(facts.get("code")),
            attr=self._hidden_or_none(facts.get("attr")),
            retry_after=_retry_after(answer),
            current_version=current if type(current) is int else None,
            may_have_written=status >= 500 and not is_read,
        )

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


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _is_safe_again(error: BaseException, *, is_read: bool) -> bool:
    """Return whether a request that failed so may be sent again."""
    if isinstance(error, RemoteThrottledError):
        return True
    if isinstance(error, RemoteUnreachableError) and not error.may_have_written:
        return True
    may_pass = isinstance(error, (RemoteUnreachableError, RemoteServerError, RemoteAnswerError))
    return is_read and may_pass


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
        return f"{host} did not answer within {timeout:.4g} seconds"
    what = "cannot be reached" if isinstance(error, httpx.ConnectError) else "gave no whole answer"
    return f"{host} {what}: {str(error) or type(error).__name__}"


def _json_of(data: bytes) -> Any:
    """Return the JSON of an answer; None where there is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _beginning(answer: httpx.Response, data: bytes) -> str:
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
    return _beginning(answer, data) if data else answer.reason_phrase


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
