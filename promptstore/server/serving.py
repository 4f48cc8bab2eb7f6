"""A listening server, until it is told to stop."""

from __future__ import annotations

import logging
import sys
from typing import Final

import uvicorn

from promptstore.errors import InvalidArgumentError
from promptstore.server.app import create_app
from promptstore.server.guard import LOOPBACK
from promptstore.server.projects import open_projects
from promptstore.server.settings import Settings
from promptstore.server.tokens import TokenFile

_STOP_SECONDS: Final = 30
"""How long requests in flight may take to finish when the server stops."""


def serve(settings: Settings, *, host: str, port: int, no_auth: bool) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight are finished.

    Args:
        settings: The projects, and where the tokens are.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        no_auth: Whether nobody is asked for a key, which only this machine may use.

    Raises:
        InvalidArgumentError: Nobody could get in, or everybody.
        PromptStoreError: A repository cannot be opened.
    """
    tokens = None if no_auth else TokenFile(settings.tokens)
    if no_auth and host not in LOOPBACK:
        raise InvalidArgumentError(
            message=f"without authentication only this machine may ask, but {host} is open to "
            "others; make a token with `promptstore token create`, or take --host 127.0.0.1"
        )
    if tokens is not None and not tokens.tokens():
        raise InvalidArgumentError(
            message=f"there are no tokens in {tokens.path}, so nobody could get in; make one with "
            "`promptstore token create`, or say --no-auth to serve this machine without any"
        )
    projects = open_projects(settings.projects)
    _log_to_stderr()
    app = create_app(projects, tokens)
    for project in projects.values():
        print(  # noqa: T201 - tells a person how to reach it
            f"project {project.id}: {project.store.path}, "
            f"public token {project.settings.public_token}",
            file=sys.stderr,
        )
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )


def _log_to_stderr() -> None:
    """Write the access log as lines of JSON, and everything else as words."""
    words = logging.StreamHandler(sys.stderr)
    words.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    for name in ("promptstore.server", "uvicorn"):
        logger = logging.getLogger(name)
        logger.addHandler(words)
        logger.setLevel(logging.INFO)
    access = logging.getLogger("promptstore.access")
    access.addHandler(logging.StreamHandler(sys.stderr))
    access.setLevel(logging.INFO)
    access.propagate = False
