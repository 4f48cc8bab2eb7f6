"""Sending the comment to GitHub or GitLab: one comment for each pull request, updated in place.

Only the standard library is used, so that a review can be posted wherever the command runs. No
redirect is followed, since it would carry the token to another host, and no error tells it.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import quote, urlsplit

from promptstore.errors import ForgeError, InvalidArgumentError
from promptstore.review.markdown import MARKER

Forge: TypeAlias = Literal["github", "gitlab"]

_REF: Final = re.compile(r"refs/pull/(\d+)/")
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
        url: Where it can be seen, or an empty string where the forge does not say.
    """

    is_new: bool
    url: str


def post(target: PullRequest, body: str) -> Posted:
    """Update the comment that was made before, or make one.

    Args:
        target: The pull request.
        body: The comment, which begins with `promptstore.review.markdown.MARKER`.

    Returns:
        Whether it is new, and where it is.

    Raises:
        ForgeError: The forge cannot be reached or refuses.
    """
    client = _client(target)
    made = refresh(target, body)
    return made or Posted(True, client.write("POST", client.comments, body))


def refresh(target: PullRequest, body: str) -> Posted | None:
    """Update the comment that was made before, and make none; errors are those of `post`.

    Returns:
        Where it is, or None where there is none.
    """
    client = _client(target)
    found = client.find()
    if found is None:
        return None
    return Posted(False, client.write(client.verb, client.path_of(found), body))


def _client(target: PullRequest) -> _GitHub:
    return _GitLab(target) if target.forge == "gitlab" else _GitHub(target)


def find_pull_request(environment: Mapping[str, str], number: int | None) -> PullRequest:
    """Find where the comment goes.

    Args:
        environment: The variables of the environment.
        number: The number of the pull request, or None to find it too.

    Returns:
        The pull request.

    Raises:
        InvalidArgumentError: Something is not known.
    """
    if environment.get("GITHUB_REPOSITORY"):
        return PullRequest(
            "github",
            environment.get("GITHUB_API_URL") or "https://api.github.com",
            environment["GITHUB_REPOSITORY"],
            number or _github_number(environment),
            _token(environment, "GITHUB_TOKEN"),
        )
    if environment.get("CI_PROJECT_ID"):
        return PullRequest(
            "gitlab",
            environment.get("CI_API_V4_URL") or "https://gitlab.com/api/v4",
            environment["CI_PROJECT_ID"],
            number or _number(environment.get("CI_MERGE_REQUEST_IID", "")),
            _token(environment, "GITLAB_TOKEN"),
        )
    raise InvalidArgumentError(
        message="--post does not know where to: set GITHUB_REPOSITORY=owner/name and GITHUB_TOKEN, "
        "or CI_PROJECT_ID and GITLAB_TOKEN, and name the --pull-request"
    )


def _github_number(environment: Mapping[str, str]) -> int:
    if match := _REF.match(environment.get("GITHUB_REF", "")):
        return int(match[1])
    path = environment.get("GITHUB_EVENT_PATH", "")
    try:
        event = json.loads(Path(path).read_bytes()) if path else {}
    except (OSError, ValueError):
        event = {}
    found = event.get("pull_request") if isinstance(event, dict) else None
    return _number(str(found.get("number", "")) if isinstance(found, dict) else "")


def _number(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    raise InvalidArgumentError(message="this is no pull request; name one with --pull-request N")


def _token(environment: Mapping[str, str], name: str) -> str:
    token = environment.get(name, "")
    if not token:
        raise InvalidArgumentError(message=f"--post needs a token in the variable {name}")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidArgumentError(message=f"the variable {name} holds no token")
    return token


class _GitHub:
    """The API of GitHub, and what that of GitLab has in common with it."""

    name = "GitHub"
    verb = "PATCH"
    author_keys = ("user", "login")

    def __init__(self, target: PullRequest) -> None:
        self._target = target
        address = urlsplit(target.api)
        is_local = address.scheme == "http" and address.hostname in _LOCAL
        if address.scheme != "https" and not is_local:
            reason = "is no https address, and a token is not sent in plain text"
            raise ForgeError(forge=target.forge, address=target.api, reason=reason)

    @property
    def comments(self) -> str:
        return f"/repos/{quote(self._target.project)}/issues/{self._target.number}/comments"

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self._target.token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def path_of(self, comment: int) -> str:
        return f"/repos/{quote(self._target.project)}/issues/comments/{comment}"

    def is_unknown_caller(self, author: dict[str, Any]) -> bool:
        """Return whether the author may be the caller, who may not ask who it is."""
        return author.get("type") == "Bot"  # As a workflow is.

    def find(self) -> int | None:
        """Find the comment that was made before: by its first line, and by who wrote it.

        Anybody can write such a line; a comment of another would stay in that person's hands.
        """
        for page in range(1, _MAX_PAGES + 1):
            comments = self._ask("GET", f"{self.comments}?per_page={_PAGE}&page={page}")
            if not isinstance(comments, list) or not all(isinstance(c, dict) for c in comments):
                raise self._error("answered with something that is no list of comments")
            for comment in comments:
                is_marked = str(comment.get("body", "")).lstrip().startswith(MARKER)
                if is_marked and self._is_own(comment):
                    return int(comment["id"])
            if len(comments) < _PAGE:
                break
        return None

    def write(self, method: str, path: str, body: str) -> str:
        """Write a comment and return its address."""
        answer = self._ask(method, path, {"body": body})
        return str(answer.get("html_url") or "") if isinstance(answer, dict) else ""

    def _is_own(self, comment: dict[str, Any]) -> bool:
        key, login = self.author_keys
        author = comment.get(key)
        author = author if isinstance(author, dict) else {}
        if not self._caller:
            return self.is_unknown_caller(author)
        return bool(author.get(login) == self._caller.get(login))

    @cached_property
    def _caller(self) -> dict[str, Any]:
        try:
            answer = self._ask("GET", "/user")
        except ForgeError:
            return {}  # The token of a workflow may not ask who it is.
        return answer if isinstance(answer, dict) else {}

    def _ask(self, method: str, path: str, content: dict[str, Any] | None = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        kind = {"Content-Type": "application/json"} if data else {}
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked before
            self._target.api.rstrip("/") + path,
            data,
            {"User-Agent": "promptstore", **self.headers, **kind},
            method=method,
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

    def _error(self, reason: str) -> ForgeError:
        clean = reason.replace(self._target.token, "…") if self._target.token else reason
        return ForgeError(forge=self.name, address=self._target.api, reason=clean)


class _GitLab(_GitHub):
    name = "GitLab"
    verb = "PUT"
    author_keys = ("author", "username")

    @property
    def comments(self) -> str:
        project = quote(self._target.project, safe="")
        return f"/projects/{project}/merge_requests/{self._target.number}/notes"

    @property
    def headers(self) -> dict[str, str]:
        return {"PRIVATE-TOKEN": self._target.token}

    def path_of(self, comment: int) -> str:
        return f"{self.comments}/{comment}"

    def is_unknown_caller(self, _author: dict[str, Any]) -> bool:
        return True


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_more: Any) -> None:
        """Follow no redirect: urllib would send the token along."""


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        answer = json.load(error)
    except (ValueError, OSError):
        return str(error.reason)
    message = answer.get("message") if isinstance(answer, dict) else None
    return str(message or error.reason)[:200]
