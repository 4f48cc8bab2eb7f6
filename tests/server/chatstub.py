"""A loopback stub of ``/v1/chat/completions``, which answers as a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.threads import in_thread


@dataclass
class ChatStub:
    """A model that answers what it was told to.

    Attributes:
        url: Its base URL.
        asked: The bodies of all requests so far.
        headers: The headers of all requests so far.
        answer: Makes the status and the body of the answer to a request.
        released: What a request waits for that hangs.
    """

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], tuple[int, bytes]] = lambda _: completion("Bonjour")
    hangs: bool = False
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def prompt(self) -> str:
        """The texts of the last request's messages."""
        return "\n".join(message["content"] for message in self.asked[-1]["messages"])


def completion(text: str | None, **more: Any) -> tuple[int, bytes]:
    """Make an answer that is whole, unless more says something else."""
    message = {"role": "assistant", "content": text, "refusal": more.pop("refusal", None)}
    choice = {"index": 0, "message": message, "finish_reason": "stop", **more}
    body = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }
    return 200, json.dumps(body).encode()


@contextmanager
def chat_stub() -> Iterator[ChatStub]:
    """Listen on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            stub.asked.append({**body, "path": self.path})
            stub.headers.append({key.lower(): value for key, value in self.headers.items()})
            if stub.hangs:
                stub.released.wait(30)
            status, data = stub.answer(body)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: Any) -> None:
            """Keep quiet."""

    with in_thread(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        stub = ChatStub(f"{url}/v1")
        try:
            yield stub
        finally:
            stub.released.set()
