"""Git's configuration as git reads it: files and environment (git-config(1))."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import pygit2
from pygit2.enums import ConfigLevel

from promptstore.errors import InvalidArgumentError

_T = TypeVar("_T")

_TRUE: Final = ("true", "yes", "on")
_SYSTEM: Final = frozenset({ConfigLevel.SYSTEM, ConfigLevel.PROGRAMDATA})
_GLOBAL: Final = frozenset({ConfigLevel.GLOBAL, ConfigLevel.XDG})


class Settings(Mapping[str, str]):
    """What git's configuration says: the last value by key, such as ``user.name``.

    A key is a section, perhaps a subsection, and a name; letter case counts in the subsection only.
    """

    def __init__(self, values: Mapping[str, list[str | None]]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> str:
        # A key without `=` means true where a boolean is wanted, and says nothing else.
        return self._values[_normal(key)][-1] or ""

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def get_all(self, key: str) -> list[str]:
        """Return all values of a key, the strongest last."""
        return [value or "" for value in self._values.get(_normal(key), [])]

    def get_bool(self, key: str) -> bool:
        """Return a value as git reads a boolean; False where there is none."""
        values = self._values.get(_normal(key))
        if not values:
            return False
        value = values[-1]
        if value is None or value.lower() in _TRUE:
            return True
        return value.lstrip("-").isdigit() and int(value) != 0


class Configuration:
    """Git's configuration, for one repository or for none.

    Args:
        read: Returns the configuration that libgit2 finds, which knows nothing of the environment.
    """

    def __init__(self, read: Callable[[], pygit2.Config]) -> None:
        self._read = read

    def ask(self, question: Callable[[Settings], _T]) -> _T:
        """Return what a question about the present settings is answered with."""
        return question(self.settings())

    def settings(self) -> Settings:
        """Read all settings, the strongest last: system, global, repository, environment.

        Raises:
            InvalidArgumentError: ``GIT_CONFIG_COUNT`` or what belongs to it is wrong.
        """
        found = [(entry.level, entry.name, entry.value) for entry in self._read()]
        replaced: set[int] = set()
        values: dict[str, list[str | None]] = {}
        for levels, variable, off in (
            (_SYSTEM, "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"),
            (_GLOBAL, "GIT_CONFIG_GLOBAL", None),
        ):
            skipped = off is not None and os.environ.get(off, "").lower() in (*_TRUE, "1")
            if variable in os.environ or skipped:
                replaced |= levels
            if variable in os.environ and not skipped:
                for name, value in _read_file(os.environ[variable]):
                    values.setdefault(name, []).append(value)
        for level, name, value in found:
            if level not in replaced:
                values.setdefault(name, []).append(value)
        for name, value in environment_settings():
            values.setdefault(_normal(name), []).append(value)
        return Settings(values)


def environment_settings() -> list[tuple[str, str]]:
    """Read the settings of ``GIT_CONFIG_COUNT``, ``GIT_CONFIG_KEY_n`` and ``GIT_CONFIG_VALUE_n``.

    Raises:
        InvalidArgumentError: The count is no number, or a key or a value is missing.
    """
    count = os.environ.get("GIT_CONFIG_COUNT") or "0"
    try:
        numbers = range(int(count))
        return [
            (os.environ[f"GIT_CONFIG_KEY_{number}"], os.environ[f"GIT_CONFIG_VALUE_{number}"])
            for number in numbers
        ]
    except ValueError:
        message = f"GIT_CONFIG_COUNT is {count!r}, which is no number"
        raise InvalidArgumentError(message=message) from None
    except KeyError as error:
        message = f"GIT_CONFIG_COUNT is {count}, but {error.args[0]} is not set"
        raise InvalidArgumentError(message=message) from None


def _read_file(path: str) -> list[tuple[str, str | None]]:
    if not path or not Path(path).is_file():
        return []
    return [(entry.name, entry.value) for entry in pygit2.Config(path)]


def _normal(key: str) -> str:
    section, _, rest = key.partition(".")
    subsection, dot, name = rest.rpartition(".")
    return f"{section.lower()}.{subsection}{dot}{name.lower()}"


def safe_directories() -> list[str]:
    """List the folders of other users that the environment tells git to trust.

    Those in git's own files are known to libgit2.
    """
    trusted: list[str] = []
    with suppress(pygit2.GitError):
        settings = Configuration(pygit2.Config).settings()
        trusted = settings.get_all("safe.directory")
    # An empty value takes back what was said before.
    last = max((at for at, value in enumerate(trusted) if not value), default=-1)
    return trusted[last + 1 :]
