"""A project that really listens on loopback, and faults at chosen requests."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from promptstore.posthog.client import PostHogClient, RetryPolicy
from tests.sync.project import FakeProject
from tests.threads import in_thread

KEY = "phx_key_of_the_tests"
STATUSES = {"401": 401, "403": 403, "404": 404, "409": 409, "429": 429, "500": 500}
FAULTS = (
    *STATUSES,
    "500 after the work",
    "web page",
    "web page after the work",
    "reset",
    "reset in the answer",
    "truncated",
    "silence after the work",
)
"""What can happen to a request. ``after the work``: the server has done what was asked."""

KILLS = ("killed", "killed after the work")
"""The same for the process that asks."""


@dataclass
class Listening:
    """A server that listens.

    Attributes:
        url: Where.
        project: What it serves.
        faults: What happens at which request, counted from 1.
        requests: The requests so far: method, path and key.
        victim: The process that the faults ``killed …`` kill.
        released: Lets go of the clients that wait in vain.
    """

    url: str
    project: FakeProject
    faults: dict[int, str] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    victim: int | None = None
    released: threading.Event = field(default_factory=threading.Event)

    def client(self, attempts: int = 1, timeout: float = 30) -> PostHogClient:
        """Make a client that does not pause."""
        policy = RetryPolicy(timeout=timeout, attempts=attempts)
        return PostHogClient(self.url, KEY, 1, policy=policy, sleep=lambda _seconds: None)


@contextmanager
def listening(project: FakeProject) -> Iterator[Listening]:
    """Serve a project on a free port."""

    class Handler(_Handler):
        """A class of its own for each server, since the server makes the objects."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with in_thread(server) as url:
        found = Handler.listening = Listening(url, project)
        try:
            yield found
        finally:
            found.released.set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    listening: Listening

    def do(self) -> None:
        here = self.listening
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        parts = urlsplit(self.path)
        here.requests.append((self.command, parts.path, self.headers.get("Authorization", "")))
        fault = here.faults.get(len(here.requests))
        if fault in STATUSES:
            self.answer(STATUSES[fault], {"detail": "A fault."}, retry_after=fault == "429")
            return
        if fault in ("reset", "killed"):
            self.kill(fault)
            self.reset()
            return
        if fault == "web page":
            self.send(200, b"<html>Log in</html>", "text/html")
            return
        status, value = here.project.handle(
            self.command, parts.path, dict(parse_qsl(parts.query)), body
        )
        self.finish_with(fault, status, value)

    def kill(self, fault: str | None) -> None:
        """Kill the process that asks, where that is the fault."""
        if fault in KILLS and self.listening.victim is not None:
            os.kill(self.listening.victim, signal.SIGKILL)

    def finish_with(self, fault: str | None, status: int, value: Any) -> None:
        self.kill(fault)
        if fault == "500 after the work":
            self.answer(500, {"type": "server_error", "detail": "A server error occurred."})
        elif fault == "web page after the work":
            self.send(200, b"<html>Log in</html>", "text/html")
        elif fault == "silence after the work":
            self.listening.released.wait(10)
            self.close_connection = True
        elif fault in ("reset in the answer", "truncated"):
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data) + 10))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            if fault == "truncated":
                self.close_connection = True
            else:
                self.reset()
        else:
            self.answer(status, value)

    def answer(self, status: int, value: Any, *, retry_after: bool = False) -> None:
        data = b"" if value is None else json.dumps(value).encode()
        self.send(status, data, "application/json", retry_after=retry_after)

    def send(self, status: int, data: bytes, kind: str, *, retry_after: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if retry_after:
            self.send_header("Retry-After", "7")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(data)
            self.wfile.flush()

    def reset(self) -> None:
        """Close so that the other end sees a reset."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do  # noqa: N815

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


class RefusingTransport(httpx.HTTPTransport):
    """The network, where the n-th request is refused before it is sent."""

    def __init__(self, number: int) -> None:
        super().__init__(verify=False)
        self.left = number

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.left -= 1
        if self.left == 0:
            raise httpx.ConnectError("refused", request=request)
        return super().handle_request(request)
