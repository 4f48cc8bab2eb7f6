"""A server that commands ask: where it is, and with which key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    from promptstore.posthog.client import PostHogClient

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_NO_KEY: Final = "none"

Host = Annotated[
    str,
    typer.Option(
        "--host",
        help="The server's URL. The key is in POSTHOG_PERSONAL_API_KEY; a server on this machine "
        "may need none.",
        envvar="PROMPTSTORE_HOST",
        metavar="URL",
    ),
]
OfProject = Annotated[
    str, typer.Option("--project", help="The project: a number, or @current.", metavar="ID")
]


DEFAULT_HOST: Final = "http://127.0.0.1:8000"
"""Where `promptstore serve` listens."""


def client_of(host: str, project: str) -> PostHogClient:
    """Return a client of a server."""
    from promptstore.posthog.client import KEY_VARIABLE, PostHogClient, RetryPolicy

    # A server of this machine may ask nobody for a key.
    is_local = (urlsplit(host).hostname or "") in _LOOPBACK
    key = None if os.environ.get(KEY_VARIABLE) or not is_local else _NO_KEY
    # A model may take a minute.
    return PostHogClient(host, key, project, policy=RetryPolicy(timeout=90.0))
