"""Pieces of a streamed answer → whole choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_GROWING: Final = frozenset({"content", "refusal", "reasoning_content", "arguments"})
_NESTED: Final = frozenset({"delta", "function", "tool_calls"})


def joined(values: Sequence[Any]) -> list[Any]:
    """Join the pieces of streamed choices into one choice each.

    Args:
        values: Messages, choices, or pieces of choices, which have a ``delta``.

    Returns:
        The same, with each row of pieces that belong together as one value. Pieces that contradict
        each other stay as they are.
    """
    whole: list[Any] = []
    pieces: dict[int, list[Any]] = {}
    for value in values:
        if (index := _index(value)) is not None:
            pieces.setdefault(index, []).append(value)
            continue
        whole += _merged(pieces)
        pieces = {}
        whole.append(value)
    return whole + _merged(pieces)


def joined_facts(rests: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Join what is told beside the choices of each chunk of a response, if it is always the same.

    Args:
        rests: The chunks without their choices.

    Returns:
        One object, or all of them where they contradict each other.
    """
    return _merged({0: rests})


def _index(value: Any) -> int | None:
    """Get the place of the choice that a piece belongs to; None where it is no piece."""
    if not isinstance(value, dict) or not isinstance(value.get("delta"), dict):
        return None
    index = value.get("index", 0)
    return index if isinstance(index, int) else None


def _merged(pieces: Mapping[int, Sequence[Any]]) -> list[Any]:
    found: list[Any] = []
    for row in pieces.values():
        try:
            found.append(_merge_objects(row))
        except (_ContradictionError, RecursionError):
            found += row
    return found


class _ContradictionError(Exception):
    """Two pieces say different things, so they are not one."""


def _merge_objects(pieces: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    values: dict[str, list[Any]] = {}
    for piece in pieces:
        for key, value in piece.items():
            if value is not None:  # what a piece does not tell is null
                values.setdefault(key, []).append(value)
    return {key: _merge(key, found) for key, found in values.items()}


def _merge(key: str, values: list[Any]) -> Any:
    first = values[0]
    if len(values) == 1:
        return first
    if key in _GROWING and all(isinstance(value, str) for value in values):
        return "".join(values)
    if key in _NESTED and all(isinstance(value, dict) for value in values):
        return _merge_objects(values)
    if key == "tool_calls" and all(isinstance(value, list) for value in values):
        return _merge_calls([call for value in values for call in value])
    if isinstance(first, dict | list) or any(value != first for value in values):
        raise _ContradictionError
    return first


def _merge_calls(calls: Sequence[Any]) -> list[Any]:
    rows: dict[int, list[Any]] = {}
    for call in calls:
        index = call.get("index") if isinstance(call, dict) else None
        if not isinstance(index, int):
            raise _ContradictionError
        rows.setdefault(index, []).append(call)
    return [_merge_objects(row) for row in rows.values()]
