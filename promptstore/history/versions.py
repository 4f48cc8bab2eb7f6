"""Which commit is version n of a prompt, kept in an index that grows with the history.

Version n of a prompt is the n-th commit on a first-parent history that changed the tree entry at
its path, as ``git log --first-parent -m --no-renames`` lists them. Every commit has at most one
first parent, so the first-parent histories of a repository form trees. The index stores them as
segments: runs of commits, each forking off another segment (or none) after a certain position. A
branch is then a short chain of segments, and a commit, once indexed, is indexed for ever: a
rewritten branch only adds a segment.

The index is one SQLite file in a folder of the user's own. It is a cache and nothing more: each row
has a checksum, and where the file is missing, damaged or cannot be written, it is made again, in
memory if it must be.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial, wraps
from itertools import pairwise
from pathlib import Path
from typing import Concatenate, Final, NamedTuple, ParamSpec, TypeAlias, TypeVar

from promptstore.git.objects import EMPTY_TREE, Entry, Link
from promptstore.git.reading import Repository, blob_id
from promptstore.history.cache import CacheFile, Connection, private_folder
from promptstore.history.versiontables import (
    CHANGES,
    LINK,
    LINKS,
    NEWEST,
    SCHEMA,
    DamagedIndexError,
    Edit,
    Row,
    Span,
    entry_of,
    find_commit,
    find_spans,
    is_empty,
    last_row,
    sound_rows,
    store_commits,
)
from promptstore.model.values import SUFFIX, is_name

Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with how many commits are indexed and how many there are to index."""

_FORMAT: Final = 3
_AT_ONCE: Final = 10_000
"""How many commits are compared and stored together; who is interrupted goes on there."""

_MAX_HISTORIES: Final = 1_000
_ATTEMPTS: Final = 10
"""How often other threads and processes may throw the index away while it is asked."""

# SQLite takes the other columns from the row that holds the maximum.
_NEWEST_OF_ALL: Final = f"{CHANGES} GROUP BY name HAVING position = MAX(position)"

_T = TypeVar("_T")
_P = ParamSpec("_P")


class Change(NamedTuple):
    """A commit that changed a prompt's tree entry, which makes it a version.

    Attributes:
        number: The version's number, from 1.
        commit: The commit's id.
        entry: What stands at the path since then, or None where the commit removed it.
    """

    number: int
    commit: str
    entry: Entry | None

    @property
    def blob(self) -> str | None:
        """The id of what stands at the path since then, or None where the commit removed it."""
        return self.entry.id if self.entry else None


def _made_anew(
    question: Callable[Concatenate[IndexedTimeline, _P], _T],
) -> Callable[Concatenate[IndexedTimeline, _P], _T]:
    """Answer a question once more, from an index made anew, where that is found to be damaged."""

    @wraps(question)
    def answer(self: IndexedTimeline, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return question(self, *args, **kwargs)
        except DamagedIndexError:
            self.index.discard()
            return question(self, *args, **kwargs)

    return answer


class IndexedTimeline:
    """The versions of every prompt on the first-parent history of one commit.

    Every method raises `RepositoryError` where an object of the history is missing or damaged.

    Attributes:
        tip: The commit.
        index: The index that tells them.
    """

    __slots__ = ("index", "tip")

    def __init__(self, tip: str, index: VersionIndex) -> None:
        self.tip = tip
        self.index = index

    @_made_anew
    def latest(self, name: str) -> Change | None:
        """Return the newest version of a prompt, or None where it never existed."""
        there = self.index.entry(self.tip, name)

        def find(connection: Connection, spans: Sequence[Span]) -> Change | None:
            row = last_row(connection, spans, name, there)
            return _change(connection, row) if row else None

        return self.index.ask(self.tip, find)

    @_made_anew
    def nth(self, name: str, number: int) -> Change | None:
        """Return the version of a prompt that has this number, or None."""
        latest = self.latest(name)
        if latest is None or not 1 <= number <= latest.number:
            return None
        for _, change in self._changes(f"{CHANGES} AND name = ? AND number = ?", name, number):
            return change
        raise DamagedIndexError(name)

    @_made_anew
    def history(self, name: str) -> list[Change]:
        """List the versions of a prompt, newest first."""
        latest = self.latest(name)
        found = [change for _, change in self._changes(f"{CHANGES} {NEWEST}", name)]
        if [change.number for change in found] != list(range(len(found), 0, -1)):
            raise DamagedIndexError(name)
        if found[:1] != ([latest] if latest else []):
            raise DamagedIndexError(name)
        return found

    @_made_anew
    def latest_of_all(self) -> dict[str, Change]:
        """Return the newest version of every prompt that ever existed."""
        return dict(reversed(self._changes(_NEWEST_OF_ALL)))

    @_made_anew
    def first_of_all(self) -> dict[str, Change]:
        """Return version 1 of every prompt that ever existed."""
        return dict(self._changes(f"{CHANGES} AND number = 1"))

    @_made_anew
    def commit_at(self, time: float) -> str | None:
        """Return the newest commit of the history that was made no later than a time.

        Args:
            time: Seconds since 1970.

        Returns:
            The commit's id, or None where the history begins later.
        """
        rows = self._select(f"{LINKS} AND time <= ? ORDER BY position DESC LIMIT 1", time)
        return bytes(rows[0][2]).hex() if rows else None

    @_made_anew
    def first_commit(self) -> str:
        """Return the first commit of the history."""
        rows = self._select(f"{LINKS} ORDER BY position LIMIT 1")
        return bytes(rows[-1][2]).hex()

    @_made_anew
    def places(self) -> dict[str, int]:
        """Return how far along the history each prompt changed last: the later, the greater."""
        return {row[2]: row[1] for row in reversed(self._select(_NEWEST_OF_ALL))}

    def changed_by(self, commit: str) -> dict[str, Entry | None]:
        """Return what stands at the path of each prompt that a commit changed."""
        return self.index.changed_by(commit)

    def _changes(self, query: str, *arguments: object) -> list[tuple[str, Change]]:
        """Run a query for changes over the history, and name the prompt of each."""

        def run(connection: Connection, spans: Sequence[Span]) -> list[tuple[str, Change]]:
            rows = _rows(connection, spans, query, arguments)
            return [(row[2], _change(connection, row)) for row in rows]

        return self.index.ask(self.tip, run)

    def _select(self, query: str, *arguments: object) -> list[Row]:
        return self.index.ask(
            self.tip, lambda connection, spans: _rows(connection, spans, query, arguments)
        )


def _rows(
    connection: Connection, spans: Sequence[Span], query: str, arguments: Sequence[object]
) -> list[Row]:
    """Run a query over a history, the newest segment first.

    Its first parameters are a segment and the last position in it.
    """
    return [row for span in spans for row in sound_rows(connection, query, *span, *arguments)]


def _change(connection: Connection, row: Row) -> Change:
    links = sound_rows(connection, LINK, *row[:2])
    if not links:
        raise DamagedIndexError(row[:2])
    return Change(row[3], bytes(links[0][2]).hex(), entry_of(row))


class VersionIndex:
    """The index of all versions of the prompts under one root of a repository.

    Threads may share it, and a fork inherits a working one.

    Args:
        repository: The repository, which must hold its whole history.
        root: The prompts' folder, as a path within the repository; empty for its top.
        progress: Called now and then while a longer history is indexed.
    """

    def __init__(self, repository: Repository, root: str, progress: Progress | None = None) -> None:
        self._repository = repository
        self._root = root
        self._progress = progress
        self._file = CacheFile(index_file(repository, root), SCHEMA)
        self._turn = os.getpid(), threading.RLock()

    def at(self, tip: str) -> IndexedTimeline:
        """Bring the index up to a commit, and return the versions on its first-parent history.

        Raises:
            RepositoryError: An object of the history is missing or damaged.
        """
        timeline = IndexedTimeline(tip, self)
        timeline.first_commit()
        return timeline

    def ask(self, tip: str, question: Callable[[Connection, Sequence[Span]], _T]) -> _T:
        """Return the answer to a question about the history of a commit, which is indexed first.

        Raises:
            RepositoryError: An object of the history is missing or damaged.
            DamagedIndexError: The index is damaged; `discard` it and ask again.
        """
        for _ in range(_ATTEMPTS):
            answer = self._file.use(partial(self._answer, tip=tip, question=question))
            if answer is not None:
                return answer[0]
            with self._lock():
                if not self._file.use(partial(find_commit, commit=tip)):
                    self._extend(tip)
        raise DamagedIndexError(tip)

    def discard(self) -> None:
        """Throw the index away; it is made anew when it is asked again."""
        self._file.discard()

    def entry(self, tip: str, name: str) -> Entry | None:
        """Return what stands at the path of a prompt in a commit.

        Raises:
            RepositoryError: An object is missing or damaged.
        """
        path = f"{self._root}/{name}{SUFFIX}" if self._root else name + SUFFIX
        return self._repository.find(self._repository.commit(tip).tree, path)

    def changed_by(self, commit: str) -> dict[str, Entry | None]:
        """Return what stands at the path of each prompt that a commit changed."""
        link = next(self._repository.walk(commit))
        return {name: edits[0][2] for name, edits in self._compare([link], link.parent).items()}

    def _answer(
        self,
        connection: Connection,
        tip: str,
        question: Callable[[Connection, Sequence[Span]], _T],
    ) -> tuple[_T] | None:
        """Answer a question; None where the commit is not indexed."""
        known = self._file.memo
        spans: Sequence[Span] | None = known.get(tip) or find_spans(connection, tip)
        if not spans:
            return None
        if len(known) >= _MAX_HISTORIES:
            known.clear()
        known[tip] = spans
        return (question(connection, spans),)

    def _lock(self) -> threading.RLock:
        """Return the lock under which one thread at a time extends the index."""
        owner, lock = self._turn
        if owner != os.getpid():
            # In a fork nobody would release the one that a thread of the parent held.
            lock = threading.RLock()
            self._turn = os.getpid(), lock
        return lock

    def _extend(self, tip: str) -> None:
        links = self._missing(tip)
        # The oldest first, so that what is stored is a whole history at any time.
        for start in reversed(range(0, len(links), _AT_ONCE)):
            run = links[start : start + _AT_ONCE]
            parent = run[-1].parent
            edits = self._compare(run, parent)
            self._file.use(partial(store_commits, run=run, parent=parent, edits=edits))
            if self._progress:
                self._progress(len(links) - start, len(links))

    def _missing(self, tip: str) -> list[Link]:
        """List the commits of a history that are not indexed, newest first."""
        links: list[Link] = []
        is_first = self._file.use(is_empty)
        for link in self._repository.walk(tip):
            links.append(link)
            # Asked before the parent is read: what is older need not be there any more.
            if is_first or not link.parent:
                continue
            if self._file.use(partial(find_commit, commit=link.parent)):
                break
        return links

    def _compare(self, run: Sequence[Link], parent: str | None) -> dict[str, list[Edit]]:
        """Find what commits changed under the root, by the prompt's name, newest first.

        Folder by folder, so that trees are read beside those that packs keep them as deltas of.
        """
        trees = [link.tree for link in run]
        trees.append(self._repository.commit(parent).tree if parent else EMPTY_TREE)
        reader = self._repository.objects.for_history()
        roots = pairwise(_tree_id(reader.entry(tree, self._root)) for tree in trees)
        pairs = [(at, old, new) for at, (new, old) in enumerate(roots) if old != new]
        edits: defaultdict[str, list[Edit]] = defaultdict(list)
        pending = [("", pairs)]
        while pending:
            folder, pairs = pending.pop()
            below: defaultdict[str, list[tuple[int, str, str]]] = defaultdict(list)
            for at, (leaf, before, after) in reader.compare(pairs):
                name = folder + leaf.removesuffix(SUFFIX)
                if leaf.endswith(SUFFIX) and is_name(name):
                    edits[name].append((at, before, after))
                old, new = _tree_id(before), _tree_id(after)
                if old != new and is_name(folder + leaf):
                    below[f"{folder}{leaf}/"].append((at, old, new))
            pending += below.items()
        return edits


def index_file(repository: Repository, root: str) -> Path | None:
    """Return the file that holds the index of a root, or None where there can be none.

    It lies where only the user writes: in the git directory, somebody else could plant numbers.
    """
    folder = private_folder()
    digest = blob_id(os.fsencode(repository.common_dir.resolve()) + b"\0" + root.encode())[:16]
    return folder / f"versions-{_FORMAT}-{digest}.sqlite" if folder else None


def _tree_id(entry: Entry | None) -> str:
    return entry.id if entry and entry.is_tree else EMPTY_TREE
