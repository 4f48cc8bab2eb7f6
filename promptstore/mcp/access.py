"""What a request may do, and a page of a long list; nothing of the SDK is loaded for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from promptstore.errors import PromptStoreError
from promptstore.store.store import PromptStore

if TYPE_CHECKING:
    from mcp.types import PaginatedRequestParams

_Item = TypeVar("_Item")
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Access:
    """The store that a request is about, and what its sender may do there.

    Attributes:
        store: The store.
        author: Who writes, as ``Name <email>``; None is whom git knows.
        may_write: Whether changes may be proposed.
        explain: Gives the sentence that the sender is told about an error.
    """

    store: PromptStore
    author: str | None = None
    may_write: bool = True
    explain: Callable[[PromptStoreError], str] = str


def page(
    items: Sequence[_Item], params: PaginatedRequestParams | None, key: Callable[[_Item], str]
) -> tuple[list[_Item], str | None]:
    """Return the page of a list that a client asks for, and the cursor of the next one.

    A cursor is the key of the last item that was seen, so a list that changes meanwhile shows no
    item twice and skips none that stays.

    Args:
        items: The items, sorted by their key.
        params: What the client sent; without a cursor it begins.
        key: Gives the key of an item.
    """
    cursor = params.cursor if params else None
    rest = [item for item in items if cursor is None or key(item) > cursor]
    shown = rest[:_PAGE]
    return shown, key(shown[-1]) if len(rest) > _PAGE else None
