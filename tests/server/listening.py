"""A real server on loopback, in a thread of the tests."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from promptstore.server.app import create_app
from promptstore.server.projects import open_projects
from promptstore.server.settings import ProjectSettings
from promptstore.server.tokens import SCOPES, TokenFile

ADA = "Ada Example <ada@example.com>"


@dataclass(frozen=True)
class Server:
    """A server that listens.

    Attributes:
        url: Where it listens.
        key: A key that may do everything in every project.
        tokens: Its tokens.
    """

    url: str
    key: str
    tokens: TokenFile

    def client(self, key: str | None = None) -> httpx.Client:
        """Make a client with a key; by default the one that may do everything."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)

    def key_for(self, *scopes: str, user: str = ADA, projects: tuple[int, ...] = (1,)) -> str:
        """Make a key."""
        return self.tokens.create(user, scopes or SCOPES, projects)[1]


@contextmanager
def listening(app: ASGIApp) -> Iterator[str]:
    """Let an application listen on a free port of this machine, and give its URL."""
    # The protocol must be named: only then does asyncio send small packets at once.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        # A listening socket takes connections at once, before the loop accepts them.
        listener.listen(128)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", server_header=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def serving(settings: Mapping[int, ProjectSettings], tokens: TokenFile) -> Iterator[Server]:
    """Serve projects, with a key for everything."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    _, key = tokens.create(ADA, SCOPES, tuple(settings))
    with listening(create_app(open_projects(list(settings.values())), tokens)) as url:
        yield Server(url, key, tokens)


def rows_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """Give the rows of a list."""
    answer.raise_for_status()
    rows: list[dict[str, Any]] = answer.json()["results"]
    return rows
