"""Which remotes there are, by the configuration of the repository.

They are the tables ``[tool.promptstore.remotes.NAME]`` of ``pyproject.toml`` and
``[remotes.NAME]`` of ``.promptstore.toml``. Keys are never in a file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from promptstore.errors import InvalidArgumentError
from promptstore.model.values import near_matches
from promptstore.posthog.sync.codec import SyncRules

OWN_FILE: Final = ".promptstore.toml"
PROJECT_FILE: Final = "pyproject.toml"
DEFAULT_KEY_VARIABLE: Final = "POSTHOG_PERSONAL_API_KEY"

_PREFIXES: Final = ("POSTHOG_…", "PROMPTSTORE_…")
_KEY_VARIABLE: Final = re.compile(r"(POSTHOG|PROMPTSTORE)_[A-Z0-9_]+")
"""Which variables may be sent to a remote: a file must not send any other secret."""

_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "host": (str,),
    "project": (str, int),
    "key_env": (str,),
    "names": (dict,),
    "only": (list,),
    "as_source": (bool,),
    "publishes_per_minute": (int,),
    "timeout": (int, float),
}
_SECRETS: Final = ("key", "api_key", "personal_api_key", "token", "secret", "password")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSettings:
    """One remote as the configuration says it.

    Attributes:
        name: Its name.
        host: For example ``https://us.posthog.com``.
        project: The project's number, or ``@current``.
        key_env: The environment variable that holds the key.
        rules: How prompts are kept in step.
        publishes_per_minute: How many versions are published in a minute at most; 0 for any number,
            None for what the host allows, as far as that is known.
        timeout: How long to wait for an answer, in seconds.
    """

    name: str
    host: str
    project: str
    key_env: str
    rules: SyncRules
    publishes_per_minute: int | None
    timeout: float


def load_remotes(top: Path) -> dict[str, RemoteSettings]:
    """Read all remotes of a repository.

    Args:
        top: The folder that holds the files.

    Returns:
        The remotes by name; empty where no file names one.

    Raises:
        InvalidArgumentError: A file is no TOML, or says what it cannot say.
    """
    found: dict[str, RemoteSettings] = {}
    own = _table(_read(top / OWN_FILE), "remotes", OWN_FILE)
    shared = _read(top / PROJECT_FILE)
    for word in ("tool", "promptstore", "remotes"):
        shared = _table(shared, word, PROJECT_FILE)
    for file, remotes in ((PROJECT_FILE, shared), (OWN_FILE, own)):
        for name, values in remotes.items():
            if name in found:
                raise _wrong(file, name, f"the remote is in {PROJECT_FILE} too; keep one of them")
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
    if not isinstance(values, dict):
        raise _wrong(file, name, "it must be a table")
    for key, value in values.items():
        _check(file, name, key, value)
    if "host" not in values:
        raise _wrong(file, name, 'the host is missing, such as host = "https://us.posthog.com"')
    names = values.get("names", {})
    only = values.get("only", [])
    if not all(isinstance(text, str) for text in [*names.values(), *only]):
        raise _wrong(file, name, "`names` and `only` hold texts")
    return RemoteSettings(
        name=name,
        host=values["host"],
        project=str(values.get("project", "@current")),
        key_env=values.get("key_env", DEFAULT_KEY_VARIABLE),
        rules=SyncRules(
            names=names,
            only=tuple(only),
            as_source=values.get("as_source", False),
        ),
        publishes_per_minute=values.get("publishes_per_minute"),
        timeout=float(values.get("timeout", 30)),
    )


def _check(file: str, name: str, key: str, value: Any) -> None:
    if key.lower() in _SECRETS:
        raise _wrong(
            file,
            name,
            f"{key!r} does not belong into a file. Put the key into the environment variable "
            f"{DEFAULT_KEY_VARIABLE}, or name another one by key_env",
        )
    if key == "key_env" and not _KEY_VARIABLE.fullmatch(str(value)):
        raise _wrong(
            file, name, f"key_env names a variable {' or '.join(_PREFIXES)}, not {value!r}"
        )
    kinds = _KINDS.get(key)
    if kinds is None:
        near = near_matches(key, _KINDS)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(_KINDS)}"
        raise _wrong(file, name, f"{key!r} is unknown{hint}")
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise _wrong(file, name, f"{key!r} must be {wanted}")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, OSError) as error:
        raise InvalidArgumentError(message=f"{path}: {error}") from None


def _table(values: dict[str, Any], key: str, file: str) -> dict[str, Any]:
    found = values.get(key, {})
    if not isinstance(found, dict):
        raise InvalidArgumentError(message=f"{file}: {key!r} must be a table")
    return found


def _wrong(file: str, name: str, reason: str) -> InvalidArgumentError:
    return InvalidArgumentError(message=f"{file}: the remote {name!r}: {reason}")
