"""Who asks, for which project, and whether they may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit

from starlette.datastructures import QueryParams
from starlette.requests import Request

from promptstore.server.problems import (
    forbidden,
    no_key,
    no_scope,
    not_found,
    unauthenticated,
)
from promptstore.server.projects import Project
from promptstore.server.tokens import Token, TokenFile

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""The names of this machine for itself."""

_OF_PROXIES: Final = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_BEARER: Final = "Bearer "


@dataclass(frozen=True, slots=True)
class Caller:
    """One request that may do what it wants to do.

    Attributes:
        project: The project that it is about.
        author: Who writes, as ``Name <email>``; None is whom git knows on the server.
    """

    project: Project
    author: str | None


@dataclass(frozen=True, slots=True)
class Guard:
    """Decides about requests.

    Attributes:
        projects: The projects by id.
        tokens: The tokens, or None for a server that asks nobody for a key.
    """

    projects: Mapping[int, Project]
    tokens: TokenFile | None

    def admit(self, request: Request, scope: str) -> Caller:
        """Let a request in.

        Args:
            request: The request; its path holds ``project_id``.
            scope: The scope that it needs.

        Raises:
            RefusedError: 401 without a good key, 404 for a project that is not there or not
                theirs, 403 without the scope.
        """
        token = self._token(request)
        project = self._project(request, token)
        if token is not None and scope not in token.scopes:
            raise no_scope(scope)
        return Caller(project, token.user if token else None)

    def _token(self, request: Request) -> Token | None:
        if self.tokens is None:
            _check_local(request)
            return None
        header = request.headers.get("authorization", "")
        key = header.removeprefix(_BEARER).strip() if header.startswith(_BEARER) else ""
        if not key:
            raise no_key()
        token = self.tokens.find(key)
        if token is None:
            raise unauthenticated(
                "authentication_failed",
                "Personal API key found in request Authorization header is invalid.",
            )
        # The access log tells it.
        request.scope["promptstore.user"] = token.user
        return token

    def _project(self, request: Request, token: Token | None) -> Project:
        seen = {
            str(number): project
            for number, project in self.projects.items()
            if token is None or number in token.projects
        }
        public = _public_token(request.scope["query_string"])
        if public:
            return _by_public_token(seen.values(), public)
        segment = unquote(request.path_params["project_id"])
        if segment == "@current":
            current = token.projects[0] if token else next(iter(self.projects))
            segment = str(current)
        project = seen.get(segment)
        if project is None:
            raise not_found("Project not found.")
        return project


@lru_cache(maxsize=256)
def _public_token(query: bytes) -> str | None:
    return QueryParams(query).get("token")


def _by_public_token(projects: Iterable[Project], public: str) -> Project:
    for project in projects:
        if project.settings.public_token == public:
            return project
    raise unauthenticated("authentication_failed", "The project token is invalid.")


def _check_local(request: Request) -> None:
    """Refuse what a page of another site, or a proxy, may send to this machine."""
    addresses = [f"//{request.headers.get('host', '')}", *request.headers.getlist("origin")]
    is_passed_on = any(name in request.headers for name in _OF_PROXIES)
    if is_passed_on or not {_host_of(address) for address in addresses} <= LOOPBACK:
        raise forbidden("A server without authentication answers to this machine only.")


def _host_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
