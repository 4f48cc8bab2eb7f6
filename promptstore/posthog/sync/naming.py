"""The rule by which names in git are spelled on a remote, which knows no ``/`` and no ``.``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from promptstore.errors import InvalidArgumentError, SyncRefusedError
from promptstore.model.names import is_name

MAX_LENGTH: Final = 255
_REMOTE_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_RESERVED: Final = "new"


@dataclass(frozen=True, slots=True)
class NameRule:
    """How names are spelled on the other side.

    Each name has one spelling and each spelling one name: what would break that is refused.

    Attributes:
        separator: What stands for ``/`` on the remote; empty where names with ``/`` are refused.
        names: Spellings on the remote of single names in git, for which the rule does not count.
    """

    separator: str = "__"
    names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.separator and not _REMOTE_NAME.fullmatch(self.separator):
            raise InvalidArgumentError(
                message=f"the separator {self.separator!r} must be letters, digits, '-' and '_'"
            )
        spelled = list(self.names.values())
        twice = next((text for text in spelled if spelled.count(text) > 1), None)
        if twice is not None:
            raise InvalidArgumentError(
                message=f"two names are spelled {twice!r}; use two spellings"
            )

    def to_remote(self, name: str) -> str:
        """Spell a name of git as the remote does.

        Raises:
            SyncRefusedError: The remote cannot hold it, or it would come back as another name.
        """
        spelled = self.names.get(name)
        if spelled is None:
            spelled = name.replace("/", self.separator) if self.separator else name
        if not _REMOTE_NAME.fullmatch(spelled) or len(spelled) > MAX_LENGTH:
            raise _refused(
                name,
                f"the remote's names are up to {MAX_LENGTH} letters, digits, '-' and '_', "
                f"not {spelled!r}",
            )
        if spelled.lower() == _RESERVED:
            raise _refused(name, f"the remote keeps the name {spelled!r} for itself")
        if self._name_of(spelled) != name:
            raise _refused(name, f"as {spelled!r} it would come back as {self._name_of(spelled)!r}")
        return spelled

    def to_local(self, spelled: str) -> str:
        """Give the name in git that a spelling on the remote stands for.

        Raises:
            SyncRefusedError: It stands for none.
        """
        name = self._name_of(spelled)
        if not is_name(name):
            raise _refused(spelled, "it is no name in git")
        self.to_remote(name)
        return name

    def _name_of(self, spelled: str) -> str:
        for name, text in self.names.items():
            if text == spelled:
                return name
        return spelled.replace(self.separator, "/") if self.separator else spelled


def _refused(name: str, reason: str) -> SyncRefusedError:
    return SyncRefusedError(
        name=name, reason=f"{reason}. Give it a spelling of its own under `names` of the remote."
    )
