"""Requests and answers as JSON over HTTP (httpx lives here): keys, limits, retries, errors."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

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
    RemoteKeyError,
    RemoteServerError,
    RemoteThrottledError,
    RemoteUnreachableError,
)
from promptstore.posthog.client.refusals import beginning, refusal
from promptstore.posthog.hosts import is_cloud, split_host
from promptstore.posthog.models import Dialect

PUBLISHES_PER_MINUTE: Final = 30

KEY_VARIABLE: Final = "POSTHOG_PERSONAL_API_KEY"
"""The environment variable that holds the key where none is given."""

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""How large an answer may be once it is unpacked, in bytes."""

_SERVER_HEADER: Final = "promptstore-version"
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


class ProjectClient:
    """Sends requests to one project with one key; `PostHogClient` says what it is given."""

    def __init__(
        self,
        host: str,
        personal_api_key: str | None = None,
        project_id: str | int = "@current",
        *,
        policy: RetryPolicy | None = None,
        publishes_per_minute: int | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = split_host(host)
        self.host = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self.dialect: Dialect | None = None
        self.is_promptstore = False
        self.requests = 0
        self._project = str(project_id)
        self._auth = _KeyAuth(_checked_key(personal_api_key))
        self._policy = policy or RetryPolicy()
        self._sleep = sleep
        self._clock = clock
        self._http = httpx.Client(
            base_url=self.host,
            auth=self._auth,
            timeout=self._policy.timeout,
            transport=transport,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": f"promptstore/{__version__}",
            },
        )
        if publishes_per_minute is None:
            publishes_per_minute = PUBLISHES_PER_MINUTE if is_cloud(host) else 0
        self._limiter = RateLimiter(publishes_per_minute, clock=clock, sleep=sleep)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(host={self.host!r}, project_id={self._project!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _path(self, *segments: str) -> str:
        below = "/".join(quote(segment, safe="") for segment in segments)
        return f"/api/environments/{quote(self._project, safe='@')}/{below}/"

    def _read(
        self,
        kind: type[_Answer],
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        is_read: bool = False,
    ) -> _Answer:
        """Send one request as `_send` does, and return the answer as a model."""
        value = self._send(method, path, query=query, body=body, is_read=is_read)
        try:
            answer = kind.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "it"
            raise RemoteAnswerError(
                request=f"{method} {path}",
                status=200,
                detail=f"the answer is not as expected: {place}: {first['msg']}",
                may_have_written=not is_read,
            ) from None
        # The first answer that tells the generation of the API settles it.
        self.dialect = self.dialect or getattr(answer, "dialect", None)
        return answer

    def _send(
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
            raise refusal(request, answer, data, value, self._auth.key, is_read=is_read)
        if data and value is None:
            raise RemoteAnswerError(
                request=request,
                status=answer.status_code,
                detail=self._hidden(f"the answer is no JSON: {beginning(answer, data)}"),
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

    def _hidden(self, text: str) -> str:
        """Take the key out of a text that a server or a library made."""
        return text.replace(self._auth.key, "[key]")


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
