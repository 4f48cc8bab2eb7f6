"""The moves of labels: who pointed which label from which version to which, when and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple, TypeAlias

from promptstore.git.objects import Link
from promptstore.git.reading import Repository
from promptstore.history.labels import Target, read_labels

_Table: TypeAlias = Mapping[str, Mapping[str, Target]]
"""Targets by label, then by prompt name."""


class LabelMove(NamedTuple):
    """One move of a label.

    Attributes:
        label: The label.
        name: The prompt that it points at another version of.
        before: Where it pointed, or None where it was set for the first time.
        after: Where it points since, or None where it was removed.
        commit: The commit on the labels branch that moved it.
        author: Who moved it, as ``name <email>``.
        moved_at: When.
        message: The commit's whole message.
    """

    label: str
    name: str
    before: Target | None
    after: Target | None
    commit: str
    author: str
    moved_at: datetime
    message: str


class MoveLog:
    """The moves of all labels; each commit of their branch is read once.

    Threads may share it.

    Args:
        repository: The repository.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        # What belongs together is one value, so that threads never see half of it.
        self._read: tuple[str | None, _Table, tuple[LabelMove, ...]] = (None, {}, ())

    def moves(self, commit: str) -> tuple[LabelMove, ...]:
        """List every move up to a commit of the branch, newest first.

        A commit whose label file is broken counts as one that left the label where it was.
        """
        known, table, moves = self._read
        links: list[Link] = []
        for link in self._repository.walk(commit):
            if link.id == known:
                break
            links.append(link)
        else:
            # Another history than the one that was read.
            table, moves = {}, ()
        contents: dict[str, Mapping[str, Target]] = {}
        fresh: list[list[LabelMove]] = []
        for link in reversed(links):
            read = read_labels(self._repository, link.id, contents)
            kept = {label: table[label] for label in read.broken if label in table}
            after = {**read.targets, **kept}
            fresh.append(list(_moves_between(self._repository, link.id, table, after)))
            table = after
        moves = (*(move for some in reversed(fresh) for move in some), *moves)
        self._read = (commit, table, moves)
        return moves


def _moves_between(
    repository: Repository,
    commit_id: str,
    before: _Table,
    after: _Table,
) -> Iterator[LabelMove]:
    commit = repository.commit(commit_id)
    for label in sorted(before.keys() | after.keys()):
        old, new = before.get(label, {}), after.get(label, {})
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                yield LabelMove(
                    label=label,
                    name=name,
                    before=old.get(name),
                    after=new.get(name),
                    commit=commit.id,
                    author=commit.author,
                    moved_at=commit.committed_at,
                    message=commit.message,
                )
