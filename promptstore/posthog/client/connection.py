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
    RemoteUnreachableError,
)
from promptstore.posthog.client.failures import (
    beginning,
    is_safe_again,
    refusal,
    transport_fault,
)
from promptstore.posthog.client.transport import DeadlineTransport
from promptstore.posthog.hosts import is_cloud, split_host
from promptstore.posthog.models import Dialect, PromptPage, RemotePrompt

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
            transport=transport or DeadlineTransport(self.host, clock),
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
        self.dialect = self.dialect or _dialect_of(answer)
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
            error = state.outcome.exception() if state.outcome else None
            asked: float | None = getattr(error, "retry_after", None)
            return wait(state) if asked is None else asked

        def is_over(state: RetryCallState) -> bool:
            length = state.upcoming_sleep
            return length > self._policy.longest_pause or self._clock() + length > end

        retrying = Retrying(
            retry=retry_if_exception(lambda error: is_safe_again(error, is_read=is_read)),
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
        self.requests += 1
        try:
            with self._http.stream(
                method, path, params=given or None, json=body, extensions={"deadline": end}
            ) as answer:
                data = self._read_bytes(request, answer, may_have_written=not is_read)
        except httpx.RequestError as error:
            seconds = self._policy.deadline if self._clock() >= end else self._policy.timeout
            was_sent = not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
            raise RemoteUnreachableError(
                request=request,
                detail=self._hidden(transport_fault(error, self.host, seconds)),
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

    def _read_bytes(self, request: str, answer: httpx.Response, *, may_have_written: bool) -> bytes:
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


def _checked_key(key: str | None) -> str:
    found = (os.environ.get(KEY_VARIABLE, "") if key is None else key).strip()
    if not found:
        raise RemoteKeyError(request="Connecting", detail="there is no key")
    if not found.isascii() or not found.isprintable() or " " in found:
        raise RemoteKeyError(request="Connecting", detail="the key holds what no key holds")
    return found


def _dialect_of(answer: BaseModel) -> Dialect | None:
    """Return the generation of the API that an answer is of, where it tells that."""
    rows = answer.results if isinstance(answer, PromptPage) else [answer]
    if not rows or not isinstance(rows[0], RemotePrompt):
        return None
    return "legacy" if rows[0].latest_version is None else "current"


def _query_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _json_of(data: bytes) -> Any:
    """Return the JSON of an answer; None where there is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
