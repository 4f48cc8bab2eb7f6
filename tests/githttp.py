"""Repositories behind an HTTP server that may fail, served by the real git program."""

from __future__ import annotations

import ssl
import subprocess
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class GitServer:
    """One repository behind HTTP.

    Attributes:
        fault: What goes wrong: ``refuse`` answers 503, ``cut`` ends the answer with objects early.
        token: The password that is wanted, or None for nobody's.
        elsewhere: The URL that everybody is redirected to, or an empty string.
        logins: What was sent to be let in.
        packs: How many answers with objects were asked for.
        busiest: How many requests were answered at once at most.
    """

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        self.fault = ""
        self.token: str | None = None
        self.elsewhere = ""
        self.logins: list[str] = []
        self.packs = 0
        self.busiest = 0
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()
        self._busy = 0
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self, "GET")

            def do_POST(self) -> None:
                server.answer(self, "POST")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/prompts.git"

    def answer(self, request: BaseHTTPRequestHandler, method: str) -> None:
        body = _body(request)
        self.asked.set()
        if self.fault == "refuse":
            request.send_error(503)
            return
        if "Authorization" in request.headers:
            self.logins.append(request.headers["Authorization"])
        if self.elsewhere:
            request.send_response(302)
            request.send_header("Location", self.elsewhere + request.path.rpartition(".git")[2])
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if self.token and not self._is_allowed(request):
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="git"')
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        command = ["git", "upload-pack", "--stateless-rpc"]
        if method == "GET":
            refs = self._run([*command, "--advertise-refs"], b"")
            self._send(request, "advertisement", b"001e# service=git-upload-pack\n0000" + refs)
            return
        self.packs += 1
        self.gate.wait(30)
        self._send(request, "result", self._run(command, body), cut=self.fault == "cut")

    def _is_allowed(self, request: BaseHTTPRequestHandler) -> bool:
        _, _, given = request.headers.get("Authorization", "").partition(" ")
        return b64decode(given).decode().partition(":")[2] == self.token

    def _run(self, command: list[str], stdin: bytes) -> bytes:
        # Before anything is sent: what the client does after that is another request.
        with self._lock:
            self._busy += 1
            self.busiest = max(self.busiest, self._busy)
        done = subprocess.run([*command, str(self.repository)], input=stdin, capture_output=True)
        with self._lock:
            self._busy -= 1
        return done.stdout

    def _send(
        self, request: BaseHTTPRequestHandler, kind: str, data: bytes, *, cut: bool = False
    ) -> None:
        request.send_response(200)
        request.send_header("Content-Type", f"application/x-git-upload-pack-{kind}")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data[: len(data) * 2 // 3] if cut else data)
        request.close_connection = True

    def use_tls(self, certificate: Path, key: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = self.url.replace("http://", "https://")

    def start(self) -> None:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.gate.set()
        self._http.shutdown()
        self._http.server_close()


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length", 0)))
    pieces = []
    while size := int(request.rfile.readline(), 16):
        pieces.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(pieces)


@contextmanager
def git_server(repository: Path) -> Iterator[GitServer]:
    """Serve a repository until the block is left."""
    server = GitServer(repository)
    server.start()
    try:
        yield server
    finally:
        server.stop()
