"""Which remotes there are, by the configuration of the repository.

They are the tables ``[tool.promptstore.remotes.NAME]`` of ``pyproject.toml`` and
``[remotes.NAME]`` of ``.promptstore.toml``. Keys are never in a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from promptstore.errors import InvalidArgumentError
from promptstore.lint.check import FILE, OWN_FILE, read_table
from promptstore.model.faults import fail, faults_of
from promptstore.posthog.hosts import KEY_VARIABLE
from promptstore.posthog.sync.remote import SyncRules

_ALLOWED_VARIABLE: Final = re.compile(r"(POSTHOG|PROMPTSTORE)_[A-Z0-9_]+")
"""Which variables may be sent to a remote: a file must not send any other secret."""

_SECRETS: Final = ("key", "api_key", "personal_api_key", "token", "secret", "password")


def _variable(name: str) -> str:
    if not _ALLOWED_VARIABLE.fullmatch(name):
        raise fail(f"{{where}} names a variable POSTHOG_… or PROMPTSTORE_…, not {name!r}.")
    return name


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    host: str
    project: Annotated[str, BeforeValidator(lambda x: str(x) if type(x) is int else x)] = "@current"
    key_env: Annotated[str, AfterValidator(_variable)] = KEY_VARIABLE
    names: dict[str, str] = {}
    only: list[str] = []
    as_source: bool = False
    publishes_per_minute: int | None = None
    timeout: float = 30


class RemoteSettings(_Table):
    """One remote as the configuration says it.

    Attributes:
        name: Its name.
        host: For example ``https://us.posthog.com``.
        project: The project's number, or ``@current``.
        key_env: The environment variable that holds the key.
        names: The remote's names of single prompts.
        only: Patterns of the names that take part; empty takes all prompts.
        as_source: Whether templates go out as they are.
        publishes_per_minute: How many versions are published in a minute at most; 0 for any number,
            None for what the host allows, as far as that is known.
        timeout: How long to wait for an answer, in seconds.
    """

    name: str

    @property
    def rules(self) -> SyncRules:
        """How prompts are kept in step."""
        return SyncRules(self.names, tuple(self.only), self.as_source)


def load_remotes(top: Path) -> dict[str, RemoteSettings]:
    """Read all remotes of a repository.

    Args:
        top: The folder that holds the files.

    Returns:
        The remotes by name; empty where no file names one.

    Raises:
        InvalidArgumentError: A file is no TOML, or says what it cannot say or what is not known.
    """
    found: dict[str, RemoteSettings] = {}
    for file in (FILE, OWN_FILE):
        remotes = read_table(top / file).get("remotes", {})
        if not isinstance(remotes, dict):
            raise InvalidArgumentError(message=f"{file}: 'remotes' must be a table")
        for name, values in remotes.items():
            if name in found:
                raise _wrong(file, name, f"the remote is in {FILE} too; keep one of them")
            found[name] = _remote(file, name, values)
    return found


def choose_remote(remotes: Mapping[str, RemoteSettings], name: str | None) -> RemoteSettings:
    """Choose the remote that is asked for, or the only one there is.

    Raises:
        InvalidArgumentError: There is no such remote, or it is not clear which is meant.
    """
    if name is None and len(remotes) == 1:
        return next(iter(remotes.values()))
    if name is not None and name in remotes:
        return remotes[name]
    if not remotes:
        raise InvalidArgumentError(
            message=f"no remote is set up. Write into {OWN_FILE}:\n"
            '  [remotes.posthog]\n  host = "https://us.posthog.com"\n  project = 12345'
        )
    listed = ", ".join(sorted(remotes))
    if name is None:
        raise InvalidArgumentError(message=f"name one remote by --remote: {listed}")
    raise InvalidArgumentError(message=f"there is no remote {name!r}; there are: {listed}")


def _remote(file: str, name: str, values: Any) -> RemoteSettings:
    try:
        read = _Table.model_validate(values)
    except ValidationError as error:
        faults = faults_of(error, _Table.model_fields)
        table = values if isinstance(values, dict) else {}
        secret = next((key for key in table if key.lower() in _SECRETS), None)
        if secret is not None:
            raise _wrong(
                file,
                name,
                f"{secret!r} does not belong into a file. Put the key into the environment "
                f"variable {KEY_VARIABLE}, or name another one by key_env",
            ) from None
        # What seems to be missing may only be misspelled.
        fault = min(faults, key=lambda one: one.kind != "unknown_key")
        raise _wrong(file, name, fault.message) from None
    return RemoteSettings(name=name, **read.model_dump())


def _wrong(file: str, name: str, reason: str) -> InvalidArgumentError:
    return InvalidArgumentError(message=f"{file}: the remote {name!r}: {reason}")
