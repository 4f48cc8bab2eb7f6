"""What a request may do; nothing of the SDK is loaded for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from promptstore.errors import PromptStoreError
from promptstore.store.store import PromptStore


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
