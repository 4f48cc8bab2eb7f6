"""Sending the comment to GitHub or GitLab: one comment for each pull request, updated in place.

Only the standard library is used, so that a review can be posted wherever the command runs. No
redirect is followed, since it would carry the token to another host, and no error tells it.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPException
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import quote, urlsplit

from promptstore.errors import ForgeError
from promptstore.review.markdown import MARKER

Forge: TypeAlias = Literal["github", "gitlab"]

_PAGE: Final = 100
_MAX_PAGES: Final = 50
_TIMEOUT: Final = 30.0
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class PullRequest:
    """Where a comment goes.

    Attributes:
        forge: Which API is spoken.
        api: The address of the API, such as ``https://api.github.com``.
        project: ``owner/name`` on GitHub, the path or the number of the project on GitLab.
        number: The number of the pull request or merge request.
        token: What the API knows the caller by; never printed.
    """

    forge: Forge
    api: str
    project: str
    number: int
    token: str = field(repr=False)


class Posted(NamedTuple):
    """What became of a comment.

    Attributes:
        is_new: Whether it was made rather than updated.
        url: Where it can be seen, or an empty text where the forge does not say.
    """

    is_new: bool
    url: str


def post(target: PullRequest, body: str) -> Posted:
    """Make the comment, or update the one that was made before.

    Args:
        target: The pull request.
        body: The comment, which begins with `promptstore.review.markdown.MARKER`.

    Returns:
        Whether it is new, and where it is.

    Raises:
        ForgeError: The forge cannot be reached or refuses.
    """
    client = _client(target)
    found = client.find()
    if found is None:
        return Posted(True, client.create(body))
    return Posted(False, client.update(found, body))


def refresh(target: PullRequest, body: str) -> Posted | None:
    """Update the comment that was made before, and make none.

    Args:
        target: The pull request.
        body: The comment.

    Returns:
        Where it is, or None where there is none.

    Raises:
        ForgeError: The forge cannot be reached or refuses.
    """
    client = _client(target)
    found = client.find()
    return None if found is None else Posted(False, client.update(found, body))


def _client(target: PullRequest) -> _Client:
    _refuse_plain_text(target)
    return _GitLab(target) if target.forge == "gitlab" else _GitHub(target)


class _Client(ABC):
    """What the two APIs share."""

    name = ""

    def __init__(self, target: PullRequest) -> None:
        self._target = target
        self._comments = ""

    def find(self) -> int | None:
        """Find the comment that was made before: by its first line, and by who wrote it.

        Anybody can write such a line; a comment of another would stay in that person's hands.
        """
        for page in range(1, _MAX_PAGES + 1):
            path = f"{self._comments}?per_page={_PAGE}&page={page}"
            comments = self._call("GET", path)
            if not isinstance(comments, list) or not all(isinstance(c, dict) for c in comments):
                raise self._error("answered with something that is no list of comments")
            for comment in comments:
                if str(comment.get("body", "")).lstrip().startswith(MARKER) and self._is_own(
                    comment
                ):
                    return int(comment["id"])
            if len(comments) < _PAGE:
                break
        return None

    def create(self, body: str) -> str:
        """Make a comment and give its address."""
        return _url(self._call("POST", self._comments, {"body": body}))

    @abstractmethod
    def update(self, comment: int, body: str) -> str:
        """Replace the text of a comment and give its address."""

    @abstractmethod
    def author_of(self, comment: dict[str, Any]) -> dict[str, Any]:
        """Return what the forge says about the author of a comment."""

    @abstractmethod
    def is_caller(self, author: dict[str, Any], caller: dict[str, Any]) -> bool:
        """Return whether an author is the caller; who that is may not be known."""

    @abstractmethod
    def headers(self) -> dict[str, str]:
        """Return what every request carries."""

    def _is_own(self, comment: dict[str, Any]) -> bool:
        return self.is_caller(self.author_of(comment), self._caller)

    @cached_property
    def _caller(self) -> dict[str, Any]:
        try:
            answer = self._call("GET", "/user")
        except ForgeError:
            return {}  # The token of a workflow may not ask who it is.
        return answer if isinstance(answer, dict) else {}

    def _call(self, method: str, path: str, content: dict[str, Any] | None = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked before
            self._target.api.rstrip("/") + path, data, self._all_headers(data), method=method
        )
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=_TIMEOUT) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise self._error(f"answered {error.code}: {_reason(error)}") from None
        except (OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise self._error(f"could not be asked: {reason}") from None

    def _all_headers(self, data: bytes | None) -> dict[str, str]:
        kind = {"Content-Type": "application/json"} if data else {}
        return {"User-Agent": "promptstore", **self.headers(), **kind}

    def _error(self, reason: str) -> ForgeError:
        clean = reason.replace(self._target.token, "…") if self._target.token else reason
        return ForgeError(forge=self.name, address=self._target.api, reason=clean)


class _GitHub(_Client):
    name = "GitHub"

    def __init__(self, target: PullRequest) -> None:
        super().__init__(target)
        self._project = f"/repos/{quote(target.project)}"
        self._comments = f"{self._project}/issues/{target.number}/comments"

    def update(self, comment: int, body: str) -> str:
        path = f"{self._project}/issues/comments/{comment}"
        return _url(self._call("PATCH", path, {"body": body}))

    def author_of(self, comment: dict[str, Any]) -> dict[str, Any]:
        author = comment.get("user")
        return author if isinstance(author, dict) else {}

    def is_caller(self, author: dict[str, Any], caller: dict[str, Any]) -> bool:
        if not caller:
            return author.get("type") == "Bot"  # As a workflow is.
        return author.get("login") == caller.get("login")

    def headers(self) -> dict[str, str]:
        return {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self._target.token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }


class _GitLab(_Client):
    name = "GitLab"

    def __init__(self, target: PullRequest) -> None:
        super().__init__(target)
        project = quote(target.project, safe="")
        self._comments = f"/projects/{project}/merge_requests/{target.number}/notes"

    def update(self, comment: int, body: str) -> str:
        return _url(self._call("PUT", f"{self._comments}/{comment}", {"body": body}))

    def author_of(self, comment: dict[str, Any]) -> dict[str, Any]:
        author = comment.get("author")
        return author if isinstance(author, dict) else {}

    def is_caller(self, author: dict[str, Any], caller: dict[str, Any]) -> bool:
        return not caller or author.get("username") == caller.get("username")

    def headers(self) -> dict[str, str]:
        return {"PRIVATE-TOKEN": self._target.token}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_more: Any) -> None:
        """Follow no redirect: urllib would send the token along."""


def _refuse_plain_text(target: PullRequest) -> None:
    address = urlsplit(target.api)
    if address.scheme == "https" or (address.scheme == "http" and address.hostname in _LOCAL):
        return
    raise ForgeError(
        forge=target.forge,
        address=target.api,
        reason="is no https address, and a token is not sent in plain text",
    )


def _url(answer: Any) -> str:
    return str(answer.get("html_url") or "") if isinstance(answer, dict) else ""


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        answer = json.load(error)
    except (ValueError, OSError):
        return str(error.reason)
    message = answer.get("message") if isinstance(answer, dict) else None
    return str(message or error.reason)[:200]
