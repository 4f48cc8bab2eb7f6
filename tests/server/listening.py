"""A real server on loopback, in a thread of the tests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx
import uvicorn
from starlette.types import ASGIApp

from promptstore.server.app import create_app
from promptstore.server.projects import Project, open_projects
from promptstore.server.serving import listen
from promptstore.server.settings import ProjectSettings
from promptstore.server.tokens import SCOPES, TokenFile

ADA = "Ada Example <ada@example.com>"
_NUMBERS: Final = count(1)


def connect(url: str, headers: Mapping[str, str] | None = None) -> httpx.Client:
    """Make a client of a server on this machine."""
    # There is no TLS: reading certificates for it would take longer than all requests of a test.
    return httpx.Client(base_url=url, headers=headers, timeout=60, verify=False)


@dataclass(frozen=True)
class Server:
    """A server that listens.

    Attributes:
        url: Where it listens.
        key: A key that may do everything in the project.
        tokens: Its tokens.
        project: The number of the project.
    """

    url: str
    key: str
    tokens: TokenFile
    project: int = 1

    def client(self, key: str | None = None) -> httpx.Client:
        """Make a client with a key; by default the one that may do everything."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return connect(self.url, headers)

    def key_for(self, *scopes: str, user: str = ADA, projects: tuple[int, ...] = ()) -> str:
        """Make a key; by default for the project."""
        return self.tokens.create(user, scopes or SCOPES, projects or (self.project,))[1]


@dataclass(frozen=True)
class Host:
    """A server that listens, to which projects can be added.

    Attributes:
        url: Where it listens.
        tokens: Its tokens.
        projects: Its projects by number.
    """

    url: str
    tokens: TokenFile
    projects: dict[int, Project]

    @contextmanager
    def project(self, path: Path) -> Iterator[Server]:
        """Add a repository as a project for a while."""
        number = next(_NUMBERS)
        self.projects.update(open_projects([ProjectSettings(number, path, branch="main")]))
        token, key = self.tokens.create(ADA, SCOPES, [number])
        try:
            yield Server(self.url, key, self.tokens, number)
        finally:
            del self.projects[number]
            self.tokens.revoke(token.id)


@contextmanager
def listening(app: ASGIApp) -> Iterator[str]:
    """Let an application listen on a free port of this machine, and give its URL."""
    with listen("127.0.0.1", 0) as listener:
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
def hosting(tokens: Path, **more: Any) -> Iterator[Host]:
    """Serve no project at first, with keys in a file; more is what the application is given."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    projects: dict[int, Project] = {}
    file = TokenFile(tokens)
    with listening(create_app(projects, file, **more)) as url:
        yield Host(url, file, projects)


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
