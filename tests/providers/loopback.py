"""A server on loopback that answers as the vendors' APIs do, and keeps what it was sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.threads import in_thread

_CHAT = {
    "id": "1", "object": "chat.completion", "created": 0, "model": "m",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ok"}}
    ],
}  # fmt: skip
_RESPONSE = {
    "id": "1", "object": "response", "created_at": 0, "model": "m", "status": "completed",
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    "output": [{
        "id": "2", "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "ok", "annotations": []}],
    }],
}  # fmt: skip
_MESSAGE = {
    "id": "1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "ok"}], "usage": {"input_tokens": 1, "output_tokens": 1},
}  # fmt: skip
_CONTENT = {"candidates": [{"content": {"role": "model", "parts": [{"text": "ok"}]}}]}
_CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "ok"}]}},
    "stopReason": "end_turn", "metrics": {"latencyMs": 1},
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
}  # fmt: skip
ANSWERS = {
    "/chat/completions": _CHAT,
    "/responses": _RESPONSE,
    "/v1/messages": _MESSAGE,
    ":generateContent": _CONTENT,
    "/converse": _CONVERSE,
}
"""What is answered, by the end of the path."""


@dataclass
class Vendor:
    """The server.

    Attributes:
        url: Where it listens.
        bodies: The JSON that it was sent.
    """

    url: str
    bodies: list[Any] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Vendor]:
    """Listen until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            vendor.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            path = self.path.partition("?")[0]
            answer = next(answer for end, answer in ANSWERS.items() if path.endswith(end))
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with in_thread(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        vendor = Vendor(url)
        yield vendor
