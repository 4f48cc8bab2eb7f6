"""The small model of messages that every provider's shapes are read into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

Label: TypeAlias = Literal["", "thinking", "redacted thinking", "refusal", "transcript"]
"""What kind of text it is; empty for what was said."""

Kind: TypeAlias = Literal["image", "audio", "video", "document", "file"]
"""What kind of thing bytes are."""

KINDS: Final[Mapping[str, Kind]] = {kind: kind for kind in get_args(Kind)}
LABELS: Final[tuple[str, ...]] = get_args(Label)[1:]


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text; its label says of what kind."""

    text: str
    label: Label = ""


@dataclass(frozen=True, slots=True)
class Media:
    """A file without its bytes.

    Its size is in bytes, and None where its bytes do not stand in the event. Its source is a URL
    or an id, or what stands in the place of its bytes. What is not known is empty.
    """

    kind: Kind
    media_type: str = ""
    size: int | None = None
    source: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool; its arguments are an object, or whatever was sent instead."""

    name: str
    arguments: Any
    id: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool gave back to a call."""

    call_id: str
    parts: Sequence[Part]
    name: str = ""
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """JSON that belongs to no other kind of part, shown as it is."""

    value: Any


Part: TypeAlias = Text | Media | Call | Result | Data


@dataclass(frozen=True, slots=True)
class Message:
    """One message, or one item of a model's answer.

    Its role is its type where it has no role, and may be empty. Its facts are what is told about
    it, such as its name or why it ended.
    """

    role: str
    parts: Sequence[Part]
    facts: Mapping[str, Any]


class Fields:
    """The keys of one JSON object, each of which one reader takes.

    What nobody takes is left, so that nothing is lost.

    Args:
        value: The object.
    """

    def __init__(self, value: Mapping[str, Any]) -> None:
        self._left = dict(value)

    @property
    def left(self) -> dict[str, Any]:
        """What nobody took; null and empty values are nothing."""
        return {key: value for key, value in self._left.items() if _holds(value)}

    def rest(self) -> list[Part]:
        """Return what nobody took as a part; none where nothing is left."""
        return [Data(left)] if (left := self.left) else []

    @property
    def kind(self) -> str:
        """What the object says that it is; empty where it says nothing."""
        return str(self._left[key]) if (key := self._kind_key()) else ""

    def take_kind(self) -> str:
        """Take what the object says that it is; empty where it says nothing."""
        return str(self._left.pop(key)) if (key := self._kind_key()) else ""

    def has(self, *keys: str) -> bool:
        """Return whether one of the keys is still there and holds something."""
        return any(key in self._left and _holds(self._left[key]) for key in keys)

    def lacks(self, keys: frozenset[str]) -> bool:
        """Return whether none of the keys is there."""
        return keys.isdisjoint(self._left)

    def peek(self, key: str) -> Any:
        """Return the value of a key without taking it; None where it is not there."""
        return self._left.get(key)

    def text(self, *keys: str) -> str:
        """Take the first of these keys that holds a string; empty where none does."""
        return str(self._take(str, keys) or "")

    def choice(self, key: str, *values: str) -> str:
        """Take a key if it holds one of these strings; else it stays, and this is empty."""
        return self.text(key) if self._left.get(key) in values else ""

    def object(self, *keys: str) -> dict[str, Any] | None:
        """Take the first of these keys that holds an object."""
        found: dict[str, Any] | None = self._take(dict, keys)
        return found

    def list(self, *keys: str) -> Sequence[Any] | None:
        """Take the first of these keys that holds a list."""
        found: Sequence[Any] | None = self._take(list, keys)
        return found

    def flag(self, *keys: str) -> bool:
        """Take the first of these keys that holds true or false."""
        return bool(self._take(bool, keys))

    def any(self, *keys: str) -> Any:
        """Take the first of these keys that holds something, whatever it is."""
        return self._take(object, keys)

    def _take(self, kind: type, keys: Sequence[str]) -> Any:
        left, empty = self._left, ""
        for key in keys:
            if key in left and isinstance(left[key], kind):
                if _holds(left[key]):
                    return left.pop(key)
                empty = empty or key
        return left.pop(empty) if empty else None

    def _kind_key(self) -> str:
        return next((key for key in _KIND_KEYS if isinstance(self._left.get(key), str)), "")


def _holds(value: Any) -> bool:
    """Return whether it is neither null nor empty."""
    return bool(value) or value == 0


_KIND_KEYS: Final = ("type", "part_kind", "kind")
