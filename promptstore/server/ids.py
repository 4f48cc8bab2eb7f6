"""Ids: the same on every clone, because they follow from the history and the name alone."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID, uuid5

_SPACE: Final = UUID("5b2f6a54-8f0e-4c3e-9f43-6d1b7a0c2e91")


def store_id(first_commit: str, root: str) -> UUID:
    """Return the id of a store.

    Args:
        first_commit: The first commit of the branch's history, which all clones share.
        root: The prompts' folder in the repository.
    """
    return uuid5(_SPACE, f"store {first_commit} {root}")


def prompt_id(store: UUID, name: str) -> str:
    """Return the id of a prompt whose file has none."""
    return str(uuid5(store, f"prompt {name}"))


def version_id(prompt: str, commit: str) -> str:
    """Return the id of one version of a prompt."""
    return str(uuid5(UUID(prompt), f"version {commit}"))


def label_id(prompt: str, label: str) -> str:
    """Return the id of a label of a prompt."""
    return str(uuid5(UUID(prompt), f"label {label}"))


def user_uuid(email: str) -> str:
    """Return the UUID of a person from the address, letter case aside."""
    return str(uuid5(_SPACE, f"user {email.casefold()}"))


def user_number(email: str) -> int:
    """Return the number of a person from the address: positive, below 2**48."""
    digest = hashlib.sha256(email.casefold().encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") or 1
