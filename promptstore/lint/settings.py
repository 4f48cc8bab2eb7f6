"""``[tool.promptstore]`` of pyproject.toml: which rules are looked for, and how bad each is."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

from promptstore.errors import InvalidArgumentError

FILE: Final = "pyproject.toml"
_REMOTES: Final = ("posthog",)
_LISTS: Final = ("select", "extend-select", "ignore")
_KEYS: Final = (*_LISTS, "severity", "per-prompt-ignores", "remote")

Severity: TypeAlias = Literal["error", "warning", "note"]
"""How bad a finding is: it breaks a call, it misleads, or it is a matter of taste."""

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a check goes by.

    Codes may be beginnings: ``PS5`` stands for every code that starts with it.

    Attributes:
        select: The codes to look for, or None for all that are on by default.
        extend_select: Codes to look for besides.
        ignore: Codes to leave out.
        severity: Severities by code, where they differ from the rule's own.
        per_prompt_ignores: Codes to leave out by pattern of names, such as ``drafts/*``.
        remote: The remote whose names must fit, or None.
    """

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    per_prompt_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    remote: str | None = None

    def wants(self, code: str, name: str | None, *, by_default: bool) -> bool:
        """Tell whether a code is looked for in a prompt.

        Args:
            code: The code.
            name: The prompt's name, or None for a file that has none.
            by_default: Whether it is looked for where nothing is selected.
        """
        if code.startswith(self.ignore) or self._is_ignored_for(code, name):
            return False
        if code.startswith(self.extend_select):
            return True
        return by_default if self.select is None else code.startswith(self.select)

    def _is_ignored_for(self, code: str, name: str | None) -> bool:
        return name is not None and any(
            fnmatchcase(name, pattern) and code.startswith(codes)
            for pattern, codes in self.per_prompt_ignores.items()
        )


def read_settings(folder: Path) -> Settings:
    """Read the settings of the repository that a folder is the top of.

    Args:
        folder: The top of the working tree.

    Returns:
        The settings; the defaults where there is no such file or table.

    Raises:
        InvalidArgumentError: The file is no TOML, or a setting means nothing.
    """
    file = folder / FILE
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(message=f"cannot read {file}: {error}") from error
    try:
        table = tomllib.loads(text).get("tool", {}).get("promptstore", {})
    except tomllib.TOMLDecodeError as error:
        raise InvalidArgumentError(message=f"{file} is no TOML: {error}") from error
    return _settings(table, str(file))


def _settings(table: Any, file: str) -> Settings:
    if not isinstance(table, dict):
        raise _unfit(file, "tool.promptstore", "a table")
    for key in table:
        if key not in _KEYS:
            raise InvalidArgumentError(
                message=f"{file}: [tool.promptstore] has no key {key!r}; "
                f"the keys are {', '.join(_KEYS)}"
            )
    select, extend, ignore = (_codes(table.get(key, ()), key, file) for key in _LISTS)
    return Settings(
        select=select if "select" in table else None,
        extend_select=extend,
        ignore=ignore,
        severity=_severity(table.get("severity", {}), file),
        per_prompt_ignores=_by_pattern(table.get("per-prompt-ignores", {}), file),
        remote=_remote(table.get("remote"), file),
    )


def _codes(value: Any, key: str, file: str) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)) and all(
        isinstance(code, str) and code.startswith("PS") for code in value
    ):
        return tuple(value)
    raise _unfit(file, key, 'a list of codes such as "PS203" or "PS5"')


def _severity(value: Any, file: str) -> dict[str, Severity]:
    if isinstance(value, dict) and all(word in SEVERITIES for word in value.values()):
        return value
    raise _unfit(file, "severity", f"a table from code to one of {', '.join(SEVERITIES)}")


def _by_pattern(value: Any, file: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise _unfit(file, "per-prompt-ignores", "a table from pattern to a list of codes")
    return {
        pattern: _codes(codes, f"per-prompt-ignores.{pattern}", file)
        for pattern, codes in value.items()
    }


def _remote(value: Any, file: str) -> str | None:
    if value is None or (isinstance(value, str) and value in _REMOTES):
        return value
    raise _unfit(file, "remote", f"one of {', '.join(_REMOTES)}")


def _unfit(file: str, key: str, wanted: str) -> InvalidArgumentError:
    return InvalidArgumentError(message=f"{file}: {key!r} in [tool.promptstore] must be {wanted}")
