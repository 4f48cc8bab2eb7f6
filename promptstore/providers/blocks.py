"""What turns are made of: neutral blocks; and objects, whose keys are taken one by one."""

from __future__ import annotations

import base64
import json
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from promptstore.errors import ProviderError

MediaKind: TypeAlias = Literal["image", "audio", "document"]

_MEDIA_TYPES: Final = {
    "csv": "text/csv",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "md": "text/markdown",
    "webp": "image/webp",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""What Python knows on some machines only."""

_NOTHING: Final[tuple[Any, ...]] = (None, [], {})
"""What an SDK writes for keys that say nothing."""


@contextmanager
def arguments_for(provider: str) -> Iterator[None]:
    """Name the vendor in what is refused; decorates the function that makes its arguments."""
    try:
        yield
    except ProviderError as error:
        error.provider = provider
        raise


def refusal(path: str, reason: str) -> ProviderError:
    """Make the error that says why something cannot be taken; see `arguments_for`."""
    return ProviderError(provider="", path=path, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One piece of a turn.

    Attributes:
        path: Where it stands in the rendered messages, such as ``messages[1].content[0]``.
        cache: The cache marker behind it, as Anthropic writes it, or None.
        own: Keys that only the vendor knows, as they are.
    """

    path: str
    cache: Mapping[str, Any] | None = None
    own: Mapping[str, Any] = field(default_factory=dict)

    def refuse(self, reason: str) -> ProviderError:
        """Make the error that says why a vendor cannot take it."""
        return refusal(self.path, reason)

    def refuse_kind(self) -> ProviderError:
        """Make the error that says that a vendor takes nothing of this kind here."""
        match self:
            case Media():
                what = {"image": "an image", "audio": "a sound", "document": "a document"}
                reason = f"cannot take {what[self.kind]} here"
            case Refusal():
                reason = "has no place for a refusal; write it as a text part"
            case PastAudio():
                reason = "cannot take the id of a sound; write its text as a text part"
            case Foreign():
                reason = f"has no part of the type {self.kind!r} here"
            case _:
                reason = "cannot take a call or a result of a tool here"
        return self.refuse(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Block):
    """A piece of text.

    Attributes:
        text: The text.
    """

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Media(Block):
    """An image, a sound or a document; exactly one of data, url, file_id and text is set.

    Attributes:
        kind: What it is.
        media_type: Its media type, such as ``image/png``, where it is known.
        data: Its bytes in base64.
        url: Where it is.
        file_id: Its id at the vendor.
        text: The text of a plain document.
        name: Its file name or title.
        context: What a document is about, as Anthropic takes it.
        detail: How closely an image is looked at, as OpenAI takes it.
    """

    kind: MediaKind
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    text: str | None = None
    name: str | None = None
    context: str | None = None
    detail: str | None = None

    @property
    def as_data_url(self) -> str:
        """The data as a ``data:`` URL."""
        return f"data:{self.media_type};base64,{self.data}"

    @property
    def as_bytes(self) -> bytes:
        """The data as bytes."""
        return base64.b64decode(self.data or "")

    def refuse_extras(self, *known: str) -> None:
        """Refuse what is said about it besides what it holds.

        Args:
            *known: What the vendor takes of ``context`` and ``detail``.

        Raises:
            ProviderError: More is said.
        """
        detail = None if self.detail == "auto" else self.detail
        for key, value in (("context", self.context), ("detail", detail)):
            if value is not None and key not in known:
                raise self.refuse(f"has no place for `{key}`; leave it out")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall(Block):
    """A call of a tool by the model.

    Attributes:
        id: The call's id.
        name: The tool's name.
        arguments: The arguments as JSON, or any string for a custom tool.
        is_custom: Whether the tool is one of OpenAI's custom tools.
    """

    id: str
    name: str
    arguments: str
    is_custom: bool = False

    def parsed_arguments(self) -> dict[str, Any]:
        """Return the arguments as an object.

        Raises:
            ProviderError: They are no JSON object, or name something twice.
        """
        if self.is_custom:
            raise self.refuse("has no custom tools, only functions")
        try:
            value = json.loads(self.arguments or "{}", object_pairs_hook=_distinct)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            wanted = f"needs the arguments of {self.name!r} as a JSON object, with each key once"
            raise self.refuse(wanted)
        return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult(Block):
    """What a tool answered.

    Attributes:
        call: The call that it answers; only its id is known where the call is not here.
        content: The answer.
        is_error: Whether the tool failed.
    """

    call: ToolCall
    content: tuple[Block, ...]
    is_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Block):
    """A refusal of the model.

    Attributes:
        text: What it said.
    """

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAudio(Block):
    """A sound that the model made earlier.

    Attributes:
        id: Its id at the vendor.
    """

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign(Block):
    """A part that only one vendor knows.

    Attributes:
        kind: Its type.
        part: The part as it was given.
    """

    kind: str
    part: Mapping[str, Any]


def guess_media_type(name: str) -> str | None:
    """Return the media type that the end of a URL or a file's name stands for, or None."""
    ending = name.rpartition(".")[2].lower()
    return _MEDIA_TYPES.get(ending) or mimetypes.guess_type(name)[0]


def texts_only(blocks: Sequence[Block]) -> list[Text]:
    """Return the blocks where a vendor takes nothing but text.

    Raises:
        ProviderError: One is no text.
    """
    texts = [block for block in blocks if isinstance(block, Text)]
    for block in blocks:
        if not isinstance(block, Text):
            raise block.refuse_kind()
    return texts


class Fields:
    """An object whose keys are taken one by one.

    Args:
        value: The object.
        path: Where it stands, such as ``messages[0].content[1]``.

    Raises:
        ProviderError: It is no object.
    """

    def __init__(self, value: Any, path: str) -> None:
        self.path = path
        if not isinstance(value, Mapping):
            raise self.error("needs an object here")
        self._left = {key: item for key, item in value.items() if item not in _NOTHING}

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def error(self, reason: str, key: str | None = None) -> ProviderError:
        """Make the error about the object, or about a key of it."""
        path = self.path if key is None else f"{self.path}.{key}"
        return refusal(path, reason)

    def take(self, key: str) -> Any:
        """Take a value, or None where there is none."""
        return self._left.pop(key, None)

    def string(self, key: str) -> str | None:
        """Take a string, or None where there is none.

        Raises:
            ProviderError: It is no string.
        """
        value = self.take(key)
        if value is None or isinstance(value, str):
            return value
        raise self.error("needs a string here", key)

    def require(self, key: str) -> str:
        """Take a string that must be there.

        Raises:
            ProviderError: It is missing or no string.
        """
        value = self.string(key)
        if value is None:
            raise self.error(f"needs the key `{key}` here")
        return value

    def inner(self, key: str) -> Fields:
        """Take an object.

        Raises:
            ProviderError: It is missing or no object.
        """
        return Fields(self.take(key), f"{self.path}.{key}")

    def items(self, key: str) -> list[tuple[Any, str]]:
        """Take a list, as pairs of an item and its path.

        Raises:
            ProviderError: It is no list.
        """
        value = self.take(key) or ()
        if not isinstance(value, list | tuple):
            raise self.error("needs a list here", key)
        return [(item, f"{self.path}.{key}[{index}]") for index, item in enumerate(value)]

    def finish(self, own: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Refuse what nobody took.

        Args:
            own: Keys that the vendor takes as they are.

        Returns:
            What is left under these keys.

        Raises:
            ProviderError: Something else is left.
        """
        for key in self._left:
            if key not in own:
                raise self.error(f"has no place for `{key}`; leave it out", key)
        return self._left
