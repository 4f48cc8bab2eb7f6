"""Which projects a server has, and where each one lies."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    TypeAdapter,
    ValidationError,
)
from pydantic.dataclasses import dataclass as model

from promptstore.errors import InvalidArgumentError, PromptFileError
from promptstore.git.reading import Repository
from promptstore.model.faults import Fault, KeyPath, fail, faults_of
from promptstore.promptfile.problems import YamlError, place_of
from promptstore.promptfile.reader import read_yaml
from promptstore.store.store import DEFAULT_ROOT


def _number(value: Any) -> Any:
    if type(value) is not int or value < 1:
        raise fail("the id of a project is a number from 1")
    return value


def _text(value: Any) -> Any:
    if value in ("", []):
        raise fail("{where} is empty")
    return value


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise fail(f"a public URL is written like https://prompts.example.com, not {text!r}")
    return text


_Text = Annotated[str, AfterValidator(_text)]


@model(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class ProjectSettings:
    """One project.

    Attributes:
        id: Its number in URLs.
        repository: A folder in its repository.
        branch: The branch that is served, or None for whatever HEAD is.
        root: The prompts' folder in the repository.
        public_url: The URL that clients use, without a path, or None for what they asked.
        token: The public token that SDKs name it by; it is no secret.
        ai_consent: Whether its texts and log entries may go to the model of the server.
        fetch_interval: How many seconds lie between two fetches from its remote, whose branch is
            served then; None for none.
    """

    id: Annotated[int, BeforeValidator(_number)]
    repository: Annotated[Path, BeforeValidator(_text)]
    branch: _Text | None = None
    root: str = DEFAULT_ROOT
    public_url: Annotated[str, AfterValidator(_url)] | None = None
    token: str = ""
    ai_consent: StrictBool = True
    fetch_interval: Annotated[float, Field(gt=0)] | None = None

    @property
    def public_token(self) -> str:
        """The public token: ``phc_project_`` and the id unless another one is set."""
        return self.token or f"phc_project_{self.id}"


@model(config=ConfigDict(extra="forbid"))
class _File:
    projects: Annotated[list[Any], AfterValidator(_text)]
    tokens: _Text = "tokens.json"


_Read = TypeVar("_Read", ProjectSettings, _File)


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
    repository: Path,
    root: str,
    branch: str | None,
    public_url: str | None = None,
    fetch_interval: float | None = None,
) -> Settings:
    """Make the settings of a server for one repository; its tokens lie in the git directory.

    Args:
        repository: A folder in the repository.
        root: The prompts' folder in the repository.
        branch: The branch that is served, or None for whatever HEAD is.
        public_url: The URL that clients use, or None.
        fetch_interval: How many seconds lie between two fetches, or None for none.
    """
    try:
        project = ProjectSettings(
            1, repository, branch, root, public_url, fetch_interval=fetch_interval
        )
    except ValidationError as error:
        fault = faults_of(error, ())[0]
        option = f"--{str(fault.path[0]).replace('_', '-')}"
        raise InvalidArgumentError(message=f"{option}: {fault.message}") from None
    tokens = Repository.discover(repository).common_dir / "promptstore" / "tokens.json"
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
        tree = read_yaml(file.read_bytes() or b"{}")
    except OSError as error:
        raise InvalidArgumentError(message=f"{file}: {error.strerror}") from error
    except YamlError as error:
        raise PromptFileError(path=str(file), problems=error.problems) from None
    if tree.problems:
        raise PromptFileError(path=str(file), problems=tree.problems)

    def wrong(place: KeyPath, message: str) -> InvalidArgumentError:
        node, key = tree.find(place)
        line, column = place_of((key or node).start_mark)
        return InvalidArgumentError(message=f"{file}:{line}:{column}: {message}")

    def read(kind: type[_Read], value: Any, place: KeyPath) -> _Read:
        try:
            return TypeAdapter(kind).validate_python(value)
        except ValidationError as error:
            faults = faults_of(error, [field.name for field in fields(kind)])
            # What seems to be missing may only be misspelled.
            fault: Fault = min(faults, key=lambda one: one.kind != "unknown_key")
            raise wrong((*place, *fault.path), fault.message) from None

    whole = read(_File, tree.value, ())
    projects: list[ProjectSettings] = []
    for index, value in enumerate(whole.projects):
        place: KeyPath = ("projects", index)
        project = read(ProjectSettings, value, place)
        for before in projects:
            if before.id == project.id:
                raise wrong((*place, "id"), "two projects have the same id")
            if before.public_token == project.public_token:
                raise wrong((*place, "token"), "two projects have the same token")
        projects.append(replace(project, repository=file.parent / project.repository))
    return Settings(tuple(projects), file.parent / whole.tokens)
