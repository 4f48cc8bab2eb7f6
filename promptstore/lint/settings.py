"""Which rules are looked for, and how bad each is: ``[tool.promptstore]`` of pyproject.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import inf
from pathlib import Path
from typing import Any, Final

from promptstore.errors import InvalidArgumentError, Problem
from promptstore.lint.check import RULES
from promptstore.lint.findings import SEVERITIES, Finding, Severity
from promptstore.model.values import near_matches

FILE: Final = "pyproject.toml"
_LISTS: Final = ("select", "extend-select", "ignore")
_KEYS: Final = (*_LISTS, "severity", "per-prompt-ignores", "characters-per-token")
_KEYS_OF_OTHERS: Final = ("remotes",)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a check goes by.

    Codes may be beginnings: ``PS5`` stands for every code that starts with it.

    Attributes:
        select: The codes to look for, or None for all that are on by default.
        extend_select: Codes to look for besides.
        ignore: Codes to leave out.
        severity: Severities by code or beginning, where they differ from the rule's own.
        per_prompt_ignores: Codes to leave out by pattern of names, such as ``drafts/*``.
        characters_per_token: How many characters are counted as one token of a budget.
        has_remotes: Whether remotes are set up there, whose names must fit too.
        name_encoders: What encodes a name for each remote: by the remote's name, what raises
            `SyncRefusedError` for a name that it cannot hold.
    """

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    per_prompt_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    characters_per_token: float = 4
    has_remotes: bool = False
    name_encoders: Mapping[str, Callable[[str], object]] = field(default_factory=dict)

    def wants(self, code: str, name: str | None) -> bool:
        """Return whether a code is looked for in a prompt.

        Args:
            code: The code.
            name: The prompt's name, or None for a file that has none.
        """
        if code.startswith(self.ignore) or self._is_ignored_for(code, name):
            return False
        if code.startswith(self.extend_select):
            return True
        return RULES[code].is_on if self.select is None else code.startswith(self.select)

    def severity_of(self, code: str) -> Severity:
        """Return how bad a finding of a code is; the longest beginning that is set counts."""
        beginnings = [beginning for beginning in self.severity if code.startswith(beginning)]
        if not beginnings:
            return RULES[code].severity
        return self.severity[max(beginnings, key=len)]

    def finding(self, path: str, problem: Problem, name: str | None) -> Finding:
        """Return a problem of a file as a finding of the severity that is set for its code."""
        return Finding(path, problem, name, self.severity_of(problem.code))

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
    return parse_settings(text, str(file))


def parse_settings(text: str, file: str) -> Settings:
    """Read the settings from the text of a file.

    Args:
        text: The text.
        file: What the file is called, for errors.

    Raises:
        InvalidArgumentError: The file is no TOML, or a setting means nothing.
    """
    try:
        tools = tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        raise InvalidArgumentError(message=f"{file} is no TOML: {error}") from error
    table = tools.get("promptstore", {}) if isinstance(tools, dict) else {}
    return _settings(table, file)


def _settings(table: Any, file: str) -> Settings:
    if not isinstance(table, dict):
        raise _unfit(file, "tool.promptstore", "a table")
    for key in table:
        if key not in (*_KEYS, *_KEYS_OF_OTHERS):
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
        characters_per_token=_positive(table.get("characters-per-token", 4), file),
        has_remotes="remotes" in table,
    )


def checked_codes(codes: Sequence[str], where: str) -> tuple[str, ...]:
    """Refuse codes, and beginnings of codes, that no rule has.

    Args:
        codes: Codes such as ``PS203``, or beginnings such as ``PS2``.
        where: Where they stand, for the error.

    Returns:
        The same codes.

    Raises:
        InvalidArgumentError: No rule has one of them.
    """
    for code in codes:
        if not code or not any(known.startswith(code) for known in RULES):
            near = near_matches(code, RULES)
            advice = f"did you mean {near[0]}?" if near else "`promptstore explain` lists them"
            raise InvalidArgumentError(message=f"{where}: no rule has the code {code!r}; {advice}")
    return tuple(codes)


def _codes(value: Any, key: str, file: str) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)) and all(isinstance(code, str) for code in value):
        return checked_codes(value, f"{file}: {key!r} in [tool.promptstore]")
    raise _unfit(file, key, 'a list of codes such as "PS203" or "PS5"')


def _severity(value: Any, file: str) -> dict[str, Severity]:
    if not isinstance(value, dict) or not all(word in SEVERITIES for word in value.values()):
        raise _unfit(file, "severity", f"a table from code to one of {', '.join(SEVERITIES)}")
    checked_codes(list(value), f"{file}: 'severity' in [tool.promptstore]")
    return value


def _by_pattern(value: Any, file: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise _unfit(file, "per-prompt-ignores", "a table from pattern to a list of codes")
    return {
        pattern: _codes(codes, f"per-prompt-ignores.{pattern}", file)
        for pattern, codes in value.items()
    }


def _positive(value: Any, file: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and 0 < value < inf:
        return float(value)
    raise _unfit(file, "characters-per-token", "a number above 0")


def _unfit(file: str, key: str, wanted: str) -> InvalidArgumentError:
    return InvalidArgumentError(message=f"{file}: {key!r} in [tool.promptstore] must be {wanted}")
