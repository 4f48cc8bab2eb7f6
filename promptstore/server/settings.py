"""Which projects a server has, and where each one lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from promptstore.errors import InvalidArgumentError
from promptstore.promptfile import parse_yaml
from promptstore.repository import Repository
from promptstore.store import DEFAULT_ROOT

_TOP_KEYS: Final = frozenset({"projects", "tokens"})
_PROJECT_KEYS: Final = frozenset({"id", "repository", "branch", "root", "public_url", "token"})
_TOKENS: Final = "tokens.json"


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """One project.

    Attributes:
        id: Its number in URLs.
        repository: A folder in its repository.
        branch: The branch that is served, or None for whatever HEAD is.
        root: The prompts' folder in the repository.
        public_url: The URL that clients use, without a path, or None for what they asked.
        token: The public token that SDKs name it by; it is no secret.
    """

    id: int
    repository: Path
    branch: str | None = None
    root: str = DEFAULT_ROOT
    public_url: str | None = None
    token: str = ""

    @property
    def public_token(self) -> str:
        """The public token: ``phc_project_`` and the id unless another one is set."""
        return self.token or f"phc_project_{self.id}"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a server is told.

    Attributes:
        projects: The projects.
        tokens: The file of the tokens.
    """

    projects: tuple[ProjectSettings, ...]
    tokens: Path


def single_project(
    repository: Path, root: str, branch: str | None, public_url: str | None = None
) -> Settings:
    """Make the settings of a server for one repository; its tokens lie in the git directory.

    Args:
        repository: A folder in the repository.
        root: The prompts' folder in the repository.
        branch: The branch that is served, or None for whatever HEAD is.
        public_url: The URL that clients use, or None.
    """
    if public_url is not None:
        _check_url(public_url, "--public-url")
    project = ProjectSettings(1, repository, branch, root, public_url)
    tokens = Repository.discover(repository).common_dir / "promptstore" / _TOKENS
    return Settings((project,), tokens)


def read_settings(file: Path) -> Settings:
    """Read the settings of a server for several projects.

    Args:
        file: A YAML file with ``projects`` and, if need be, ``tokens``; paths in it are told from
            where it lies.

    Raises:
        PromptFileError: It is no YAML.
        InvalidArgumentError: It says something else than settings.
    """
    try:
        content = parse_yaml(file.read_bytes(), str(file))
    except OSError as error:
        raise InvalidArgumentError(message=f"{file}: {error.strerror}") from error
    _check_keys(content, _TOP_KEYS, str(file))
    listed = content.get("projects")
    if not isinstance(listed, list) or not listed:
        raise InvalidArgumentError(message=f"{file}: `projects` must be a list of projects")
    projects = tuple(_project(values, file) for values in listed)
    for what, values in (
        ("id", [project.id for project in projects]),
        ("token", [project.public_token for project in projects]),
    ):
        if len(set(values)) < len(values):
            raise InvalidArgumentError(message=f"{file}: two projects have the same {what}")
    tokens = content.get("tokens", _TOKENS)
    if not isinstance(tokens, str):
        raise InvalidArgumentError(message=f"{file}: `tokens` must be the path of a file")
    return Settings(projects, file.parent / tokens)


def _project(values: Any, file: Path) -> ProjectSettings:
    _check_keys(values, _PROJECT_KEYS, f"{file}: a project")
    number = values.get("id")
    if type(number) is not int or number < 1:
        raise InvalidArgumentError(message=f"{file}: the id of a project is a number from 1")
    for key in _PROJECT_KEYS - {"id"}:
        if key in values and not isinstance(values[key], str):
            raise InvalidArgumentError(message=f"{file}: `{key}` of project {number} is a text")
    if "repository" not in values:
        raise InvalidArgumentError(message=f"{file}: project {number} needs a `repository`")
    if "public_url" in values:
        _check_url(values["public_url"], f"{file}: `public_url` of project {number}")
    return ProjectSettings(
        id=number,
        repository=file.parent / values["repository"],
        branch=values.get("branch"),
        root=values.get("root", DEFAULT_ROOT),
        public_url=values.get("public_url"),
        token=values.get("token", ""),
    )


def _check_keys(values: Any, known: frozenset[str], where: str) -> None:
    if not isinstance(values, Mapping):
        raise InvalidArgumentError(message=f"{where}: it must be a mapping")
    unknown = sorted(values.keys() - known)
    if unknown:
        raise InvalidArgumentError(
            message=f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}"
        )


def _check_url(text: str, where: str) -> None:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise InvalidArgumentError(
            message=f"{where} is written like https://prompts.example.com, not {text!r}"
        )
