"""What a sync needs from a remote: a protocol that any remote satisfies by its shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar


class Person(Protocol):
    """Who made a version on a remote."""

    @property
    def name(self) -> str:
        """The whole name."""
        ...

    @property
    def email(self) -> str:
        """The address."""
        ...


class Row(Protocol):
    """One prompt at its newest version, as a remote holds it."""

    @property
    def id(self) -> str:
        """The id of the version, or of the prompt where there are no versions."""
        ...

    @property
    def name(self) -> str:
        """The name on the remote."""
        ...

    @property
    def prompt(self) -> Any:
        """The content: a text, or other JSON."""
        ...

    @property
    def config(self) -> Mapping[str, Any] | None:
        """The config."""
        ...

    @property
    def version(self) -> int:
        """The number of the version."""
        ...

    @property
    def created_by(self) -> Person | None:
        """Who made it, where that is told."""
        ...

    @property
    def updated_at(self) -> datetime | None:
        """When it changed last."""
        ...

    @property
    def labels(self) -> Mapping[str, int]:
        """The versions by label."""
        ...


AnyRow = TypeVar("AnyRow", bound=Row)


class Remote(Protocol[AnyRow]):
    """The prompts of a remote. Each method raises `promptstore.errors.RemoteError`."""

    @property
    def keeps_config(self) -> bool:
        """Whether it has a place for configs; settled once `fetch` or a write gave a prompt."""
        ...

    def fetch(self) -> Sequence[AnyRow]:
        """Read all active prompts."""
        ...

    def read(self, name: str, version: int | None = None) -> AnyRow | None:
        """Read one prompt, by default at its newest version; None where there is none."""
        ...

    def create(self, name: str, text: str, config: Mapping[str, Any], description: str) -> AnyRow:
        """Create a prompt; refused where there is one."""
        ...

    def publish(
        self, seen: AnyRow, text: str, config: Mapping[str, Any], description: str
    ) -> AnyRow:
        """Change a prompt; a conflict where it is not as it was seen."""
        ...

    def archive(self, seen: AnyRow) -> None:
        """Archive a prompt; a conflict where it is not as it was seen."""
        ...

    def unarchive(self, name: str) -> AnyRow | None:
        """Bring an archived prompt back as it was; None where the remote cannot do that."""
        ...

    def set_label(self, name: str, label: str, version: int) -> None:
        """Point a label of a prompt at a version."""
        ...

    def remove_label(self, name: str, label: str) -> None:
        """Take a label off a prompt."""
        ...
