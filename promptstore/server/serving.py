"""A listening server, until it is told to stop."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI

from promptstore.errors import InvalidArgumentError
from promptstore.server.app import create_app
from promptstore.server.asking import ChatModel
from promptstore.server.logs.writer import DEFAULT_RETENTION, LogService
from promptstore.server.mcp import end_streams
from promptstore.server.projects import LOOPBACK, Project, open_projects
from promptstore.server.settings import Settings
from promptstore.server.system import SECRET_VARIABLE
from promptstore.server.tokens import TokenFile

_BACKLOG: Final = 2048
_STOP_SECONDS: Final = 30
"""How long requests in flight may take to finish when the server stops."""


def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    no_auth: bool,
    model: ChatModel | None = None,
    logs: str | None = None,
    retention: int = DEFAULT_RETENTION,
    allow_direct: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight are finished.

    Args:
        settings: The projects, and where the tokens are.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        no_auth: Whether nobody is asked for a key, which only this machine may use.
        model: The language model, or None where there is none.
        logs: Where log entries are kept: a folder, a ClickHouse server's URL, or None for nowhere.
        retention: For how many days they are kept.
        allow_direct: Whether pages may commit to the served branch, not only to new ones.

    Raises:
        InvalidArgumentError: Nobody could get in, or everybody.
        PromptStoreError: A repository or the place of the logs cannot be opened.
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
    with ExitStack() as stack:
        stack.enter_context(_logging_to_stderr())
        listener = stack.enter_context(listen(host, port))
        log_service = None if logs is None else LogService(logs, retention)
        if log_service is not None:
            stack.callback(log_service.close)
        app = create_app(
            projects,
            tokens,
            model=model,
            log_service=log_service,
            allow_direct=allow_direct,
            hook_secret=os.environ.get(SECRET_VARIABLE),
        )
        for project in projects.values():
            _say(_about(project))
        _say(f"model: {model or 'none, so nothing is translated or explained (--model-url)'}")
        _say(f"logs: {log_service or 'none are kept (--logs)'}")
        _serve(listener, host, app)


def _serve(listener: socket.socket, host: str, app: FastAPI) -> None:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    name = f"[{host}]" if ":" in host else host
    _say(f"serving on http://{name}:{listener.getsockname()[1]} (Ctrl+C stops)")
    _Server(config, app).run([listener])


class _Server(uvicorn.Server):
    """Ends the streams that never end by themselves before it waits for requests in flight."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        end_streams(self._app)
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Args:
        host: The address; of a name with several the first one of IPv4.
        port: The port; 0 takes a free one.

    Raises:
        InvalidArgumentError: There is no such address, or somebody else listens there.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        # The protocol must be named: only then does asyncio send small packets at once.
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot_listen(host, port, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # A listening socket takes connections at once, before the loop accepts them.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from error
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> InvalidArgumentError:
    return InvalidArgumentError(
        message=f"cannot listen on {host}, port {port}: {error.strerror}. "
        "Give another --host or --port; --port 0 takes a free one"
    )


def _about(project: Project) -> str:
    store = project.store
    count = len(store.snapshot().names())
    return (
        f"project {project.id}: {store.path} (branch {store.branch or 'of HEAD'}, root "
        f"{store.root or '.'}, prompt files: {count}), public token {project.settings.public_token}"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - tells a person how to reach it


@contextmanager
def _logging_to_stderr() -> Iterator[None]:
    """Write the access log as lines of JSON, and everything else as words."""
    words, lines = logging.StreamHandler(sys.stderr), logging.StreamHandler(sys.stderr)
    words.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    handlers = {"promptstore.server": words, "uvicorn": words, "promptstore.access": lines}
    logging.getLogger("promptstore.access").propagate = False
    for name, handler in handlers.items():
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        yield
    finally:
        for name, handler in handlers.items():
            logging.getLogger(name).removeHandler(handler)
