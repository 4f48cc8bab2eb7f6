"""Requests and answers as JSON over HTTP (httpx lives here): keys, limits, retries, errors.

A time-out bounds each wait alone, so a server that sends a byte now and then could hold a request
for ever, in the handshake of TLS, the headers or the body. Here every wait gets only what is left
until the deadline of the request.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import httpcore
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
from promptstore.errors import RemoteAnswerError, RemoteUnreachableError
from promptstore.posthog.client.retries import (
    PUBLISHES_PER_MINUTE,
    RateLimiter,
    RetryPolicy,
    beginning,
    is_safe_again,
    refusal,
    transport_fault,
)
from promptstore.posthog.hosts import find_key, find_proxy, is_cloud, split_host
from promptstore.posthog.models import Dialect, PromptPage, RemotePrompt

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""How large an answer may be once it is unpacked, in bytes."""

_SERVER_HEADER: Final = "promptstore-version"
_Answer = TypeVar("_Answer", bound=BaseModel)


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
        self._auth = _KeyAuth(find_key(personal_api_key))
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
            detail = f"the answer is not as expected: {place}: {first['msg']}"
            raise self._unreadable(f"{method} {path}", 200, detail, is_read=is_read) from None
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
        given = {key: value for key, value in (query or {}).items() if value is not None}
        self.requests += 1
        try:
            with self._http.stream(
                method, path, params=given or None, json=body, extensions={"deadline": end}
            ) as answer:
                data = self._read_bytes(request, answer, is_read=is_read)
        except httpx.RequestError as error:
            seconds = self._policy.deadline if self._clock() >= end else self._policy.timeout
            was_sent = not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
            raise RemoteUnreachableError(
                request=request,
                detail=self._hidden(transport_fault(error, self.host, seconds)),
                may_have_written=was_sent and not is_read,
            ) from None
        self.is_promptstore = _SERVER_HEADER in answer.headers
        value = None
        with suppress(ValueError, RecursionError):
            value = json.loads(data)
        if not answer.is_success:
            raise refusal(request, answer, data, value, self._auth.key, is_read=is_read)
        if data and value is None:
            detail = f"the answer is no JSON: {beginning(answer, data)}"
            raise self._unreadable(request, answer.status_code, detail, is_read=is_read)
        return value

    def _read_bytes(self, request: str, answer: httpx.Response, *, is_read: bool) -> bytes:
        """Read an answer piece by piece, since a small one may unpack to gigabytes."""
        data = bytearray()
        # Other encodings, and several at once, unpack a single piece to any size.
        if answer.headers.get("content-encoding", "identity").lower() not in ("gzip", "identity"):
            detail = "the answer has an encoding that was not asked for"
            raise self._unreadable(request, answer.status_code, detail, is_read=is_read)
        for piece in answer.iter_bytes():
            data += piece
            if len(data) > MAX_ANSWER_BYTES:
                detail = f"the answer has more than {MAX_ANSWER_BYTES:,} bytes"
                raise self._unreadable(request, answer.status_code, detail, is_read=is_read)
        return bytes(data)

    def _unreadable(
        self, request: str, status: int, detail: str, *, is_read: bool
    ) -> RemoteAnswerError:
        return RemoteAnswerError(
            request=request,
            status=status,
            detail=self._hidden(detail),
            may_have_written=not is_read,
        )

    def _hidden(self, text: str) -> str:
        """Take the key out of a text that a server or a library made."""
        return text.replace(self._auth.key, "[key]")


class DeadlineTransport(httpx.BaseTransport):
    """Carries requests to one host; the extension ``deadline`` of each says until when.

    Args:
        host: The host's URL. Proxies of the environment are used for it, as by httpx itself.
        clock: Returns the time in seconds.
    """

    def __init__(self, host: str, clock: Callable[[], float]) -> None:
        self._deadline = _Deadline(clock)
        url = find_proxy(host)
        proxy = httpx.Proxy(url) if url else None
        self._pool = httpcore.ConnectionPool(
            # Loading the certificates takes long.
            ssl_context=httpx.create_ssl_context() if host.startswith("https:") else None,
            proxy=httpcore.Proxy(str(proxy.url), proxy.raw_auth) if proxy else None,
            max_connections=100,
            keepalive_expiry=5.0,
            network_backend=_Backend(self._deadline),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; its answer is read until the deadline, too."""
        self._deadline.end = request.extensions["deadline"]
        with _as_httpx():
            answer = self._pool.handle_request(
                httpcore.Request(
                    request.method,
                    str(request.url),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


class _Deadline(threading.local):
    """When the request of this thread ends: a thread has one at a time."""

    end = 0.0

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def left(self, timeout: float | None, error: type[Exception]) -> float:
        """Return how long may be waited, at most the time-out."""
        left = self.end - self._clock()
        if left <= 0:
            raise error("the deadline is over")
        return left if timeout is None else min(left, timeout)


class _Backend(httpcore.SyncBackend):
    def __init__(self, deadline: _Deadline) -> None:
        self._deadline = deadline

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *more: Any, **named: Any
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(timeout, httpcore.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, left, *more, **named), self._deadline)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout, httpcore.WriteTimeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Turn an error of httpcore into httpx's own, which has the same name."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.UnsupportedProtocol,
    ) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error


class _KeyAuth(httpx.Auth):
    """Adds the key to a request, so that it lies in no other object."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __repr__(self) -> str:
        return "<key>"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self.key}"
        yield request


def _dialect_of(answer: BaseModel) -> Dialect | None:
    """Return the generation of the API that an answer is of, where it tells that."""
    rows = answer.results if isinstance(answer, PromptPage) else [answer]
    if not rows or not isinstance(rows[0], RemotePrompt):
        return None
    return "legacy" if rows[0].latest_version is None else "current"
