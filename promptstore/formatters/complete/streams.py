"""Pieces of streamed answers → whole messages.

A piece says which message it belongs to, which block of it, and which string grows by it. What else
it tells is kept beside the message, each value as often as it comes: nothing is left out because it
equals something else. Only what names the whole stream, such as its id, is told once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from promptstore.formatters.complete.model import Fields
from promptstore.formatters.complete.parts import TEXTS, THINKING
from promptstore.formatters.jsontext import load_exact

_GROWING: Final = frozenset({
    "text", "thinking", "reasoning", "refusal", "transcript", "arguments", "partial_json", "input",
    "args", "signature", "summary", "content", "code", "data",
})  # fmt: skip
_PLACES: Final = frozenset({
    "output_index", "content_index", "summary_index", "sequence_number",
    "contentBlockIndex",
})  # fmt: skip
_ROLES: Final = frozenset({"assistant", "model", "ai", "AIMessageChunk"})
_THOUGHTS: Final = ("reasoning_content", "reasoning", "thinking")
_BLOCKS: Final = ("thinking_blocks", "reasoning_details")
_SIGNS: Final = re.compile(r'\\.|["{}\[\]]', re.DOTALL)


class Facts:
    """What pieces tell besides the strings that grow."""

    def __init__(self) -> None:
        self._told: dict[str, list[Any]] = {}
        self._times: dict[str, int] = {}

    def add(self, values: Mapping[str, Any], *names: str) -> None:
        """Add what a piece tells.

        Args:
            values: What it tells; null and empty values are nothing.
            *names: The keys of what each piece tells again, which are shown once with their number.
        """
        for key, value in values.items():
            if value in (None, "", [], {}) or (key in _PLACES and isinstance(value, int)):
                continue
            told = self._told.setdefault(key, [])
            if told and key in names and value == told[-1] and isinstance(value, str):
                self._times[key] = self._times.get(key, 1) + 1
            elif not told or isinstance(value, str | dict | list) or repr(told[-1]) != repr(value):
                told.append(value)

    def result(self, taken: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was told, under other keys than those that are taken."""
        return {
            (f"other {key}" if key in taken else key): self._shown(key, told)
            for key, told in self._told.items()
        }

    def _shown(self, key: str, told: list[Any]) -> Any:
        times = f" ({self._times[key]} times)" if key in self._times else ""
        if not times:
            return told[0] if len(told) == 1 else told
        return f"{told[0]}{times}" if len(told) == 1 else [*told, times.strip()]


class Block:
    """One part of a message, as far as its pieces have come.

    Args:
        kind: The part's type; empty where it has none.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.facts = Facts()
        self._strings: dict[str, list[str]] = {}

    def grow(self, key: str, text: str) -> None:
        """Add to one of its strings."""
        if text:
            self._strings.setdefault(key, []).append(text)

    def tell(self, values: Mapping[str, Any]) -> None:
        """Add a piece, whose strings are added to those that the block has."""
        rest: dict[str, Any] = {}
        for key, value in values.items():
            if key in _GROWING and isinstance(value, str):
                self.grow(key, value)
            elif key in _GROWING and _is_texts(value):
                self.grow(key, "".join(item["text"] for item in value))
            else:
                rest[key] = value
        self.facts.add(rest)

    def result(self) -> dict[str, Any]:
        """Return the whole part."""
        whole: dict[str, Any] = {"type": self.kind} if self.kind else {}
        whole |= {key: "".join(texts) for key, texts in self._strings.items()}
        return whole | self.facts.result(whole)


class _Call(Block):
    """A call of a tool, whose arguments come in pieces of JSON."""

    def __init__(self) -> None:
        super().__init__("tool_call")
        self.id = ""
        self.name = ""
        self._depth = 0
        self._in_string = False
        self._is_balanced = False
        self.has_arguments = False

    def add_arguments(self, text: str) -> None:
        """Add to the arguments, and see whether what was opened in them is closed again."""
        self.grow("arguments", text)
        self.has_arguments = self.has_arguments or bool(text)
        for sign in _SIGNS.findall(text):
            if sign == '"':
                self._in_string = not self._in_string
            elif not self._in_string and sign in "{[":
                self._depth += 1
            elif not self._in_string and sign in "}]":
                self._depth -= 1
                self._is_balanced = self._depth == 0

    @property
    def is_complete(self) -> bool:
        """Whether the arguments are whole JSON."""
        if not self._is_balanced or self._depth or self._in_string:
            return False
        self._is_balanced = not isinstance(load_exact("".join(self._strings["arguments"])), str)
        return self._is_balanced


class Answer:
    """One message of a stream, as far as its pieces have come."""

    def __init__(self) -> None:
        self.role = ""
        self.facts = Facts()
        self.is_done = False
        self._blocks: dict[Any, Any] = {}
        self._calls: dict[Any, _Call] = {}

    def block(self, key: Any, kind: str) -> Block:
        """Return the block with a key, which is made where there is none.

        Args:
            key: What tells the blocks of this message apart.
            kind: The type of a block that is made.
        """
        found = self._blocks.get(key)
        if not isinstance(found, Block):
            found = self._blocks[key] = Block(kind)
        return found

    def has(self, key: Any) -> bool:
        """Return whether there is a block with a key."""
        return key in self._blocks

    def add(self, part: Any) -> None:
        """Add a part that comes whole."""
        self._blocks[len(self._blocks), "whole"] = part

    def add_text(self, kind: str, text: str, facts: Mapping[str, Any]) -> None:
        """Add to what was said last, if it is of that kind, or begin anew."""
        key, last = next(reversed(self._blocks.items()), (None, None))
        if not (isinstance(last, Block) and last.kind == kind):
            key = (len(self._blocks), "run")
        block = self.block(key, kind)
        block.grow("text", text)
        block.facts.add(facts)

    def content(self) -> list[Any]:
        """Return its parts."""
        return [
            block.result() if isinstance(block, Block) else block for block in self._blocks.values()
        ]

    def speak(self, fields: Fields) -> None:
        """Add a piece of a message, in the shape that chat APIs give it."""
        role = fields.text("role")
        if role and self.role:
            self.facts.add({"role": "" if role in _ROLES else role})
        self.role = self.role or role
        for key in _THOUGHTS:
            if text := fields.text(key):
                self.block(key, "thinking").grow("thinking", text)
        for key in _BLOCKS:
            for item in fields.list(key) or ():
                self.add_piece(key, item)
        content = fields.any("content")
        for item in content if isinstance(content, list) else [content]:
            self.add_piece("content", item)
        if text := fields.text("refusal"):
            self.block("refusal", "refusal").grow("refusal", text)
        if audio := fields.object("audio"):
            self.block("audio", "audio").tell(audio)
        for call in fields.list("tool_calls", "tool_call_chunks") or ():
            self.add_call(call)
        if legacy := fields.object("function_call"):
            self.add_call({"index": "function_call", "function": legacy})
        self.facts.add(fields.left)

    def add_piece(self, key: str, item: Any) -> None:
        """Add a piece of a content: a string, or a part with its place or its type."""
        if isinstance(item, str):
            if item:
                self.block((key, "text"), "text").grow("text", item)
            return
        kind = item.get("type") if isinstance(item, dict) else None
        if not isinstance(kind, str):
            if item not in (None, {}, []):
                self.add(item)
            return
        index = item.get("index")
        if not isinstance(index, int | str) and kind not in TEXTS and kind not in THINKING:
            self.add(item)
            return
        block = self.block((key, kind if index is None else index), kind)
        rest = Fields(item)
        if kind in (block.kind, "input_json_delta"):
            rest.take_kind()
        if isinstance(index, int):
            rest.any("index")
        block.tell(rest.left)

    def add_call(self, piece: Any) -> None:
        """Add a piece of a call, or begin a new call.

        A call is new if its id or its name is another one, or if the arguments so far are complete
        and a name or further arguments come.
        """
        if not isinstance(piece, dict):
            self.add(piece)
            return
        outer = Fields(piece)
        index = outer.any("index")
        outer.choice("type", "function", "tool_call_chunk", "tool_call")
        wrapped = outer.object("function")
        inner = Fields(wrapped) if wrapped is not None else outer
        call_id, name = outer.text("id"), inner.text("name")
        arguments = inner.any("arguments", "args")
        key = index if isinstance(index, int | str) else None
        call = self._calls.get(key)
        is_text = isinstance(arguments, str)
        if call is not None and (
            _differ(call_id, call.id)
            or _differ(name, call.name)
            or not (is_text or arguments is None)
            or ((name or (is_text and arguments.strip())) and call.is_complete)
        ):
            call = None
        if call is None:
            call = self._calls[key] = _Call()
            self._blocks[len(self._blocks), "call"] = call
        call.facts.add({"id": call_id, "name": name})
        call.id, call.name = call.id or call_id, call.name or name
        if is_text:
            call.add_arguments(arguments)
        else:
            call.facts.add({"arguments": arguments})
        if wrapped is not None:
            call.facts.add(inner.left)
        call.facts.add(outer.left)


class Stream:
    """Streamed answers that are not over yet."""

    def __init__(self) -> None:
        self.facts = Facts()
        self.others: list[Any] = []
        self.answers: list[Answer] = []
        self._open: dict[Any, Answer] = {}
        self._id: Any = None

    def has(self, key: Any) -> bool:
        """Return whether there is a message with a key."""
        return key in self._open

    def answer(self, key: Any, *, goes_on: bool = True) -> Answer:
        """Return the message with a key.

        Args:
            key: What tells the messages of this stream apart.
            goes_on: Whether the piece says nothing new, so that it may belong to a message that
                is done.

        Returns:
            The message; a new one where there is none, or where it is done.
        """
        found = self._open.get(key)
        return self.start(key) if found is None or (found.is_done and not goes_on) else found

    def start(self, key: Any) -> Answer:
        """Begin a new message with a key."""
        answer = self._open[key] = Answer()
        self.answers.append(answer)
        return answer

    def identify(self, name: Any) -> None:
        """Begin anew where a piece names another stream than the one before."""
        if name is not None and self._id is not None and name != self._id:
            self._open = {}
        self._id = name if name is not None else self._id


def _differ(new: str, old: str) -> bool:
    return bool(new and old and new != old)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict)
        and item.keys() <= {"type", "text"}
        and item.get("type", "text") == "text"
        and isinstance(item.get("text"), str)
        for item in value
    )
