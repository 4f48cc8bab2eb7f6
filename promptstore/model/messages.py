"""The messages of a chat prompt, and the places where lists of messages go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from promptstore.model.values import freeze

ROLES: Final = ("system", "developer", "user", "assistant", "tool", "function")
"""The roles that a message may have."""

Part: TypeAlias = Mapping[str, Any]
"""One part of a content: ``{"type": "text", "text": …}`` and the like, strings being templates."""

PartType: TypeAlias = Literal["text", "image_url", "input_audio", "file"]
PART_TYPES: Final[tuple[PartType, ...]] = get_args(PartType)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat prompt.

    Attributes:
        role: Who speaks: one of `promptstore.model.variables.ROLES`.
        content: A template, or parts (dicts with a ``type``) whose strings are templates.
    """

    role: str
    content: str | tuple[Part, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.content, str):
            object.__setattr__(self, "content", tuple(freeze(part) for part in self.content))


@dataclass(frozen=True, slots=True)
class Insert:
    """The place in a chat prompt where a list of messages goes.

    Attributes:
        insert: The variable, of type ``messages``, that holds the list.
    """

    insert: str
