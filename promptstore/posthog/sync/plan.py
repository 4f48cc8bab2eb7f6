"""What a sync has to do: a pure function of three mappings from name to digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

DELETED: Final = "deleted"
"""Stands in place of a digest for a prompt that is tombstoned or archived."""

Digests: TypeAlias = Mapping[str, str]
"""By prompt name the digest, or `DELETED`; a name that is not there was never seen there."""

Direction: TypeAlias = Literal["push", "pull", "conflict"]
Verb: TypeAlias = Literal["create", "update", "archive", "restore", "settle"]


@dataclass(frozen=True, slots=True)
class Step:
    """What is to happen to one prompt.

    Attributes:
        name: Its name in git.
        direction: To which side the change goes: ``push`` to the remote, ``pull`` to git;
            ``conflict`` where both changed.
        verb: What happens there; ``settle`` for a conflict.
        reason: Why, in words.
    """

    name: str
    direction: Direction
    verb: Verb
    reason: str


def plan(base: Digests, local: Digests, remote: Digests) -> tuple[Step, ...]:
    """Work out what makes both sides equal, from what they were at the last sync.

    Args:
        base: What both sides were then.
        local: What git holds now.
        remote: What the remote holds now.

    Returns:
        One step for each prompt that differs, sorted by name; equal sides give none.
    """
    names = sorted(base.keys() | local.keys() | remote.keys())
    found = (_step(name, base.get(name), local.get(name), remote.get(name)) for name in names)
    return tuple(step for step in found if step is not None)


def _step(name: str, base: str | None, local: str | None, remote: str | None) -> Step | None:
    was, here, there = map(_alive, (base, local, remote))
    if here == there:
        return None
    if there == was:
        return Step(name, "push", _verb(base, here), f"{_happened(base, here)} in git")
    if here == was:
        return Step(name, "pull", _verb(base, there), f"{_happened(base, there)} on the remote")
    if was is None and here and there:
        reason = "both sides have it, with different texts and no common past"
    elif here is None:
        reason = "deleted in git, changed on the remote"
    elif there is None:
        reason = "changed in git, deleted on the remote"
    else:
        reason = "changed on both sides"
    return Step(name, "conflict", "settle", reason)


def _alive(digest: str | None) -> str | None:
    return None if digest == DELETED else digest


def _verb(base: str | None, now: str | None) -> Verb:
    if now is None:
        return "archive"
    if base is None:
        return "create"
    return "restore" if base == DELETED else "update"


def _happened(base: str | None, now: str | None) -> str:
    words: dict[Verb, str] = {
        "archive": "deleted",
        "create": "new",
        "restore": "brought back",
        "update": "changed",
    }
    return words[_verb(base, now)]
