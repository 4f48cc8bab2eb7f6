"""Requests per second of the server: ``python -m tests.benchmarks.server``.

Reading by name is measured against a FastAPI route that returns a constant of the same size, in the
same run: what is left is what this server costs. On a busy machine, what counts is the processor
time that a server's process takes for a request, as Linux tells it. Each server is a process of its
own with uvicorn; the client is another one, with a thread for each connection, and asks over kept
connections.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from promptstore.git.reading import create_repository
from promptstore.model.prompt import Prompt
from promptstore.server.app import create_app
from promptstore.server.projects import open_projects
from promptstore.server.settings import ProjectSettings
from promptstore.server.tokens import SCOPES, TokenFile
from promptstore.store.store import PromptStore

ADA: Final = "Ada Example <ada@example.com>"
PROMPTS: Final = 1_000
SECONDS: Final = 1.0
ROUNDS: Final = 5
CONNECTIONS: Final = (1, 4, 16)
BY_NAME: Final = "/api/environments/@current/llm_prompts/name/prompt-7/?token=phc_project_1"
LIST: Final = "/api/environments/@current/llm_prompts/?token=phc_project_1&content=full&limit=1000"


@dataclass(frozen=True)
class Target:
    """What is asked.

    Attributes:
        port: Where its server listens.
        pid: The server's process.
        request: The request as it is sent.
        size: How long the body of the answer is, in bytes.
    """

    port: int
    pid: int
    request: bytes
    size: int


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        store = fill(Path(folder) / "repo")
        tokens = TokenFile(Path(folder) / "tokens.json")
        _, key = tokens.create(ADA, SCOPES, [1])
        projects = open_projects([ProjectSettings(1, store.path)])
        with running(create_app(projects, tokens)) as (port, pid):
            by_name = ask_once(port, BY_NAME, key)
            listed = ask_once(port, LIST, key)
            unchanged = ask_once(port, BY_NAME, key, f"If-None-Match: {etag_of(by_name[0])}\r\n")
            with running(constant_app(by_name[1])) as (other, other_pid):
                constant = ask_once(other, "/constant", key)
                print(
                    f"body of {len(by_name[1]):,} bytes; {ROUNDS} rounds of {SECONDS:g} s, medians"
                )
                print(f"{'connections':<14}{'constant':>10}{'by name':>10}{'share':>8}{'304':>10}")
                print(f"{'':<14}{'and processor time for a request, in microseconds':>38}")
                for connections in CONNECTIONS:
                    compare(
                        connections,
                        Target(other, other_pid, constant[2], len(constant[1])),
                        Target(port, pid, by_name[2], len(by_name[1])),
                        Target(port, pid, unchanged[2], 0),
                    )
        measure_list(store, tokens, key, listed[2], len(listed[1]))
        measure_pages(store)


def fill(path: Path) -> PromptStore:
    """Make a repository of many prompts with the text of an ordinary one."""
    path.mkdir()
    create_repository(path)
    store = PromptStore.open(path)
    text = "You help customers of {{product}}.\n" + "Answer in the language of the ticket.\n" * 30
    store.commit(
        {
            f"prompt-{number}": Prompt(
                prompt=f"{text}{number}\n", template="simple", config={"model": "gpt-x"}
            )
            for number in range(PROMPTS)
        },
        author=ADA,
    )
    return store


def constant_app(body: bytes) -> ASGIApp:
    """Make the application that is compared with: one route, one constant."""
    app = FastAPI()

    @app.get("/constant")
    async def constant(_request: Request) -> Response:
        return Response(body, media_type="application/json")

    return app


@contextmanager
def running(app: ASGIApp) -> Iterator[tuple[int, int]]:
    """Serve an application in a process of its own, and give its port and the process."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    child = os.fork()
    if child == 0:
        # The access log is written, as it is in earnest.
        access = logging.getLogger("promptstore.access")
        access.addHandler(logging.StreamHandler(Path(os.devnull).open("w")))  # noqa: SIM115
        access.setLevel(logging.INFO)
        access.propagate = False
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
        uvicorn.Server(config).run(sockets=[listener])
        os._exit(0)
    try:
        yield listener.getsockname()[1], child
    finally:
        listener.close()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def ask_once(port: int, path: str, key: str, more: str = "") -> tuple[bytes, bytes, bytes]:
    """Ask once, and give the head and the body of the answer, and the request."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n"
        f"Authorization: Bearer {key}\r\n{more}\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        head, body = receive(connection)
    status = int(head.split()[1])
    if status not in (200, 304):
        sys.exit(f"{path} answered {status}: {body!r}")
    if status == 200:
        json.loads(body)
    return head, body, request


def etag_of(head: bytes) -> str:
    """Find the ETag in the head of an answer."""
    lines = head.decode().split("\r\n")
    return next(line[6:] for line in lines if line.lower().startswith("etag: "))


def receive(connection: socket.socket) -> tuple[bytes, bytes]:
    """Receive one answer, and give its head and its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(1 << 20)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    pieces, missing = [body], (lengths[0] if lengths else 0) - len(body)
    while missing > 0:
        pieces.append(connection.recv(1 << 20))
        missing -= len(pieces[-1])
    return head, b"".join(pieces)


def processor_time(pid: int) -> float:
    """Read how long a process was running so far, in seconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def rate(target: Target, connections: int) -> tuple[float, float]:
    """Ask for a while over some connections.

    Returns:
        The answers per second, and the processor time of one, in microseconds.
    """
    counts = [0] * connections
    start = threading.Barrier(connections + 1)
    stop = threading.Event()

    def work(number: int) -> None:
        with socket.create_connection(("127.0.0.1", target.port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            start.wait()
            while not stop.is_set():
                connection.sendall(target.request)
                if len(receive(connection)[1]) != target.size:
                    sys.exit("the answer has another size")
                counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    start.wait()
    began, used = time.perf_counter(), processor_time(target.pid)
    threads[0].join(SECONDS)
    stop.set()
    elapsed = time.perf_counter() - began
    for thread in threads:
        thread.join()
    used = processor_time(target.pid) - used
    return sum(counts) / elapsed, used / sum(counts) * 1e6


def compare(connections: int, constant: Target, by_name: Target, unchanged: Target) -> None:
    """Measure in turn, so that a busy machine slows all alike, and print one line."""
    rounds = [
        [rate(target, connections) for target in (constant, by_name, unchanged)]
        for _ in range(ROUNDS)
    ]
    for place, label in enumerate((str(connections), "")):
        columns = [[one[place] for one in column] for column in zip(*rounds, strict=True)]
        base, named, same = map(statistics.median, columns)
        pairs = zip(*columns[:2], strict=True)
        share = statistics.median(min(one, other) / max(one, other) for one, other in pairs)
        print(f"{label:<14}{base:>10,.0f}{named:>10,.0f}{share:>8.0%}{same:>10,.0f}")


def measure_list(
    store: PromptStore, tokens: TokenFile, key: str, request: bytes, size: int
) -> None:
    """Measure the list of all prompts: the first time, after a commit, and again."""
    with running(create_app(open_projects([ProjectSettings(1, store.path)]), tokens)) as (port, _):
        first = timed(port, request)
        store.save("prompt-0", Prompt(prompt="Changed"), author=ADA)
        after = statistics.median(_after_a_commit(store, port, request))
        again = statistics.median(timed(port, request) for _ in range(20))
    print(f"\nlist of {PROMPTS:,} prompts ({size:,} bytes), milliseconds")
    print(f"first {first:.0f}, after a commit {after:.0f}, again {again:.1f}")


def measure_pages(store: PromptStore) -> None:
    """Measure pages of the server, the first time and again."""
    print(f"\npages of {PROMPTS:,} prompts, milliseconds")
    with running(create_app(open_projects([ProjectSettings(1, store.path)]), None)) as (port, _):
        for path in ("/prompts", "/prompts?q=customers", "/prompts/prompt-7", "/try/prompt-7"):
            request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
            first = timed(port, request)
            again = statistics.median(timed(port, request) for _ in range(20))
            print(f"{path:<24}first {first:.0f}, again {again:.1f}")


def _after_a_commit(store: PromptStore, port: int, request: bytes) -> Iterator[float]:
    for number in range(10):
        store.save("prompt-0", Prompt(prompt=f"Changed {number}"), author=ADA)
        yield timed(port, request)


def timed(port: int, request: bytes) -> float:
    """Ask once, and give how long it took, in milliseconds."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        began = time.perf_counter()
        connection.sendall(request)
        receive(connection)
        return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
