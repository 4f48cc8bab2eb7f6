"""Long lists, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

_Item = TypeVar("_Item")
_PAGE: Final = 500


def page(
    items: Sequence[_Item], cursor: str | None, key: Callable[[_Item], str]
) -> tuple[list[_Item], str | None]:
    """Return a page of a list and the cursor of the next one.

    A cursor is the key of the last item that was seen, so a list that changes meanwhile shows no
    item twice and skips none that stays.

    Args:
        items: The items, sorted by their key.
        cursor: What the client sent; None begins.
        key: Gives the key of an item.
    """
    rest = [item for item in items if cursor is None or key(item) > cursor]
    shown = rest[:_PAGE]
    return shown, key(shown[-1]) if len(rest) > _PAGE else None
