"""A request ends at its deadline, wherever the server holds it; and proxies of the environment."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec

import pytest

from promptstore.errors import InvalidArgumentError, RemoteNotFoundError, RemoteUnreachableError
from promptstore.posthog.client import PostHogClient, RetryPolicy

KEY = "phx_a_secret_key"
SECONDS = 0.4
LONG = 10.0
"""How long each single wait may take: much longer than the deadline."""

BEGINNINGS = {
    "before the status": b"",
    "in the status": b"HTTP/1.",
    "in the headers": b"HTTP/1.1 200 OK\r\nX-Filler: ",
    "in the body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
}
"""What a server says at once, before each further byte takes its time."""


@contextmanager
def serving(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """Serve each connection on a free port, which is given, until the block ends."""
    over = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threads.append(threading.Thread(target=handle, args=[connection]))
                    threads[-1].start()

        def handle(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                serve(connection, over)

        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def dripping(beginning: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def serve(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(beginning)
        while beginning and not over.wait(0.02):
            connection.sendall(b"1")
        over.wait()

    return serve


def assert_ends(url: str) -> RemoteUnreachableError:
    policy = RetryPolicy(timeout=LONG, deadline=SECONDS)
    begun = time.monotonic()
    with (
        PostHogClient(url, KEY, 1, policy=policy) as client,
        pytest.raises(RemoteUnreachableError, match=f"within {SECONDS} seconds") as caught,
    ):
        client.publish_prompt("a", base_version=1, prompt="Hi")
    assert time.monotonic() - begun < LONG / 2
    return caught.value


@pytest.mark.parametrize("where", BEGINNINGS)
def test_an_answer_that_drips_ends_at_the_deadline(where: str) -> None:
    with serving(dripping(BEGINNINGS[where])) as port:
        assert assert_ends(f"http://127.0.0.1:{port}").may_have_written


def test_a_handshake_that_drips_ends_at_the_deadline() -> None:
    # The beginning of a long record of TLS.
    with serving(dripping(b"\x16\x03\x03\x40\x00\x02")) as port:
        assert not assert_ends(f"https://127.0.0.1:{port}").may_have_written


def test_a_connection_that_is_not_taken_ends_at_the_deadline() -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        assert not assert_ends(f"http://127.0.0.1:{listener.getsockname()[1]}").may_have_written


def test_an_answer_in_time_is_read_whole_and_the_connection_used_again() -> None:
    row = {"id": "1", "name": "a", "prompt": "Hi" * 100_000, "version": 1}
    connections: list[int] = []

    def serve(connection: socket.socket, _over: threading.Event) -> None:
        connections.append(connection.fileno())
        while connection.recv(65536):
            data = json.dumps(row).encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)

    with serving(serve) as port, PostHogClient(f"http://127.0.0.1:{port}", KEY, 1) as client:
        assert client.get_prompt("a").prompt == row["prompt"]
        assert client.get_prompt("a").prompt == row["prompt"]
    assert len(connections) == 1


@pytest.mark.parametrize(("excepted", "goes_through"), [("", True), ("127.0.0.1", False)])
def test_the_proxy_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, excepted: str, goes_through: bool
) -> None:
    asked: list[bytes] = []

    def serve(connection: socket.socket, _over: threading.Event) -> None:
        asked.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with serving(serve) as proxy, serving(serve) as port:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://me:pw@127.0.0.1:{proxy}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, excepted)
        host = f"http://127.0.0.1:{port}"
        with PostHogClient(host, KEY, 1) as client, pytest.raises(RemoteNotFoundError):
            client.get_prompt("a")
    target = f"{host if goes_through else ''}/api/environments/1/llm_prompts/name/a/"
    assert asked[0].startswith(f"GET {target} ".encode())
    assert (b"Proxy-Authorization: Basic bWU6cHc=" in asked[0]) is goes_through


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "http://127.0.0.1:port", "http://", "socks5://x"]
)
def test_a_proxy_that_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    if find_spec("socksio") and url.startswith("socks5"):
        pytest.skip("here socks5 can be used")
    with pytest.raises(InvalidArgumentError, match=re.escape("pip install 'httpx[socks]'")):
        PostHogClient("http://127.0.0.1:9", KEY, 1)
