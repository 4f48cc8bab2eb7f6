"""Which rules are looked for, and how bad each is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, Literal, TypeAlias, get_args

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
        severity: Severities by code or beginning, where they differ from the rule's own.
        per_prompt_ignores: Codes to leave out by pattern of names, such as ``drafts/*``.
        characters_per_token: How many characters are counted as one token of a budget.
        spellings: How each remote spells a name: by the remote's name, what raises
            `SyncRefusedError` for a name that it cannot hold.
    """

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    per_prompt_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    characters_per_token: float = 4
    spellings: Mapping[str, Callable[[str], object]] = field(default_factory=dict)

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
