"""The network, where all that belongs to one request ends at its deadline.

A time-out bounds each wait alone, so a server that sends a byte now and then could hold a request
for ever, in the handshake of TLS, the headers or the body. Here every wait gets only what is left
until the deadline.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx


class DeadlineTransport(httpx.BaseTransport):
    """Carries requests to one host; the extension ``deadline`` of each says until when.

    Args:
        host: The host's URL. Proxies of the environment are used for it, as by httpx itself.
        clock: Returns the time in seconds.
    """

    def __init__(self, host: str, clock: Callable[[], float]) -> None:
        self._deadline = _Deadline(clock)
        self._pool = httpcore.ConnectionPool(
            # Loading the certificates takes long.
            ssl_context=httpx.create_ssl_context() if host.startswith("https:") else None,
            proxy=_proxy_of(host),
            keepalive_expiry=5.0,
            network_backend=_Backend(self._deadline),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; its answer is read until the deadline, too."""
        self._deadline.end = request.extensions["deadline"]
        url = request.url
        with _as_httpx():
            answer = self._pool.handle_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(
                        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                    ),
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


def _proxy_of(host: str) -> httpcore.Proxy | None:
    """Return the proxy that the environment names for a host."""
    parts, proxies = urlsplit(host), getproxies()
    url = proxies.get(parts.scheme) or proxies.get("all")
    if not url or proxy_bypass(parts.netloc):
        return None
    proxy = httpx.Proxy(url if "://" in url else f"http://{url}")
    return httpcore.Proxy(str(proxy.url), auth=proxy.raw_auth)
