"""Which projects a server has, and where each one lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from promptstore.errors import InvalidArgumentError, PromptFileError
from promptstore.git.reading import Repository
from promptstore.model.values import near_matches
from promptstore.promptfile.problems import KeyPath, YamlError, place_of
from promptstore.promptfile.reader import Tree, read_yaml
from promptstore.store.store import DEFAULT_ROOT

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
        _check_url(public_url, lambda text: InvalidArgumentError(message=f"--public-url: {text}"))
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
    source = _Source.read(file)
    content = source.tree.value
    _check_keys(source, (), content, _TOP_KEYS)
    listed = content.get("projects")
    if not isinstance(listed, list) or not listed:
        raise source.wrong(("projects",), "`projects` must be a list of projects")
    projects: list[ProjectSettings] = []
    for index, values in enumerate(listed):
        project = _project(source, index, values)
        for before in projects:
            if before.id == project.id:
                raise source.wrong(("projects", index, "id"), "two projects have the same id")
            if before.public_token == project.public_token:
                raise source.wrong(("projects", index, "token"), "two projects have the same token")
        projects.append(project)
    tokens = content.get("tokens", _TOKENS)
    if not isinstance(tokens, str):
        raise source.wrong(("tokens",), "`tokens` must be the path of a file")
    return Settings(tuple(projects), file.parent / tokens)


class _Source(NamedTuple):
    """A file of settings, which knows where in it something stands."""

    path: Path
    tree: Tree

    @classmethod
    def read(cls, path: Path) -> _Source:
        try:
            tree = read_yaml(path.read_bytes() or b"{}")
        except OSError as error:
            raise InvalidArgumentError(message=f"{path}: {error.strerror}") from error
        except YamlError as error:
            raise PromptFileError(path=str(path), problems=error.problems) from None
        if tree.problems:
            raise PromptFileError(path=str(path), problems=tree.problems)
        return cls(path, tree)

    def wrong(self, place: KeyPath, message: str) -> InvalidArgumentError:
        node, key = self.tree.find(place)
        line, column = place_of((key or node).start_mark)
        return InvalidArgumentError(message=f"{self.path}:{line}:{column}: {message}")


def _project(source: _Source, index: int, values: Any) -> ProjectSettings:
    place = ("projects", index)
    _check_keys(source, place, values, _PROJECT_KEYS)
    number = values.get("id")
    if type(number) is not int or number < 1:
        raise source.wrong((*place, "id"), "the id of a project is a number from 1")
    for key in sorted(_PROJECT_KEYS - {"id"}):
        if key in values and (not isinstance(values[key], str) or not values[key]):
            raise source.wrong((*place, key), f"`{key}` of project {number} is a text")
    if "repository" not in values:
        raise source.wrong(place, f"project {number} needs a `repository`")
    if "public_url" in values:
        _check_url(values["public_url"], lambda text: source.wrong((*place, "public_url"), text))
    return ProjectSettings(
        id=number,
        repository=source.path.parent / values["repository"],
        branch=values.get("branch"),
        root=values.get("root", DEFAULT_ROOT),
        public_url=values.get("public_url"),
        token=values.get("token", ""),
    )


def _check_keys(source: _Source, place: KeyPath, values: Any, known: frozenset[str]) -> None:
    if not isinstance(values, Mapping):
        raise source.wrong(place, "a mapping with keys must stand here")
    unknown = next((key for key in values if key not in known), None)
    if unknown is not None:
        near = near_matches(unknown, sorted(known))
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
        raise source.wrong((*place, unknown), f"{unknown!r} is unknown; {hint}")


def _check_url(text: str, refusal: Callable[[str], InvalidArgumentError]) -> None:
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise refusal(f"a public URL is written like https://prompts.example.com, not {text!r}")
