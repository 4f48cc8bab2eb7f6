"""Which commit is version n of a prompt, kept in an index that grows with the history.

Version n of a prompt is the n-th commit on a first-parent history that changed the tree entry at
its path, as ``git log --first-parent -m --no-renames`` lists them. Every commit has at most one
first parent, so the first-parent histories of a repository form trees. The index stores them as
lines: runs of commits, each line forking off another one (or none) after a certain position. A
branch is then a short chain of lines, and a commit, once indexed, is indexed for ever: a rewritten
branch only adds a line.

The index is one SQLite file inside the git directory. It is a cache and nothing more: where it is
missing, corrupt or cannot be written, it is made again, in memory if it must be. New commits are
kept in memory at first, as waiting for the disk takes as long as a hundred of them; they are
written when the index is no longer used.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from promptstore.errors import RepositoryError
from promptstore.git import (
    EMPTY_TREE,
    Difference,
    Entry,
    Link,
    Repository,
    Step,
    blob_id,
    changes_along,
)
from promptstore.history.cachefile import CacheFile, Connection, reading, transaction
from promptstore.model.names import SUFFIX, is_name

Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with how many commits are indexed and how many there are to index."""

_FORMAT: Final = 2
_LINK_INDEX: Final = "CREATE UNIQUE INDEX link_id ON link (id)"
_SCHEMA: Final = f"""
CREATE TABLE line (id INTEGER PRIMARY KEY, parent INTEGER, fork INTEGER);
CREATE TABLE link (
    line INTEGER, position INTEGER, id BLOB, time INTEGER, PRIMARY KEY (line, position)
) WITHOUT ROWID;
CREATE TABLE change (
    name TEXT, line INTEGER, position INTEGER, number INTEGER, mode INTEGER, blob BLOB,
    PRIMARY KEY (name, line, position)
) WITHOUT ROWID;
{_LINK_INDEX}
"""
# CROSS JOIN keeps SQLite from reading the links first and looking for the changes of each.
_CHANGES: Final = (
    "SELECT name, number, id, mode, blob "
    "FROM change CROSS JOIN link USING (line, position) WHERE line = ? AND position <= ?"
)
_LINKS: Final = "SELECT id FROM link WHERE line = ? AND position <= ?"
_PLACES: Final = (
    "SELECT name, MAX(position) FROM change WHERE line = ? AND position <= ? GROUP BY name"
)
_LINE_ENDS: Final = (
    "SELECT id FROM (SELECT line, MAX(position) AS position FROM link GROUP BY line "
    "ORDER BY line DESC LIMIT 20) JOIN link USING (line, position)"
)
_FIND: Final = "SELECT line, position FROM link WHERE id = ?"
_FORK: Final = "SELECT parent, fork FROM line WHERE id = ?"
_LAST_POSITION: Final = "SELECT MAX(position) FROM link WHERE line = ?"
_LAST_NUMBER: Final = (
    "SELECT number FROM change WHERE line = ? AND position <= ? AND name = ? "
    "ORDER BY position DESC LIMIT 1"
)
_COUNT_LINES: Final = "SELECT COUNT(*) FROM line"
_ADD_LINE: Final = "INSERT INTO line VALUES (?, ?, ?)"
_ADD_LINK: Final = "INSERT INTO link VALUES (?, ?, ?, ?)"
_ADD_CHANGE: Final = "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?)"
_KEPT: Final = "kept"
"""In the memo: where each commit in memory is, as a run and its place in it."""

_NOTHING: Final = (None, None)
_PROGRESS_STEP: Final = 500
_WORTH_A_PROCESS: Final = 500
"""From how many commits on starting the git program is quicker than libgit2."""

_WORTH_STORING: Final = 100
"""From how many commits on waiting for the disk is better than looking at them again."""

_LOOKED_UP: Final = 16
_LOOK_UP_EVERY: Final = 8
"""Of the first commits each is looked up, then few: it takes a third of the time of reading one."""

_WORTH_WAITING: Final = 1_000
"""From how many commits on they are not left for the end: a process that is killed has none."""

_T = TypeVar("_T")
_Row: TypeAlias = tuple[Any, ...]


class _Span(NamedTuple):
    """The part of a line that belongs to a history: its positions up to `last`."""

    line: int
    last: int


_Edit: TypeAlias = tuple[int, int | None, str | None]
"""Which commit of a run it was, counted from the newest, and the mode and the id of what stands
there since then; None where it was removed."""


class _Run(NamedTuple):
    """Commits on one line that are not indexed yet, and what they changed under the root.

    Attributes:
        parent: The id of the first parent of the oldest, or None for a root commit.
        links: The id and the time of each, newest first.
        edits: What they changed by the prompt's name, newest first.
    """

    parent: str | None
    links: Sequence[tuple[str, int]]
    edits: dict[str, list[_Edit]]


class _Part(NamedTuple):
    """The part of a run that belongs to a history: all but its newest commits, so many."""

    run: _Run
    newer: int

    def edits(self, name: str) -> list[_Edit]:
        """List the changes of a prompt, newest first."""
        return [edit for edit in self.run.edits.get(name, ()) if edit[0] >= self.newer]


class _Edits:
    """Collects what commits changed under the root, newest first.

    Attributes:
        by_name: What was noted by the prompt's name.
    """

    def __init__(self, root: str) -> None:
        self.by_name: defaultdict[str, list[_Edit]] = defaultdict(list)
        self._prefix = f"{root}/" if root else ""
        self._names: dict[str, str | None] = {}

    def note(self, number: int, path: str, mode: int | None, object_id: str | None) -> None:
        """Note what stands at a path since a commit; what is told last of one commit holds."""
        edits = self.of(path)
        if edits is not None:
            if edits and edits[-1][0] == number:
                edits.pop()
            edits.append((number, mode, object_id))

    def of(self, path: str) -> list[_Edit] | None:
        """Give the list to note the changes of a path in, or None where none is wanted."""
        if path not in self._names:
            self._names[path] = self._name_of(path)
        name = self._names[path]
        return None if name is None else self.by_name[name]

    def lie_below(self, folder: str) -> bool:
        """Tell whether a folder, with a slash at its end, may hold prompts at any depth."""
        return folder.startswith(self._prefix) or self._prefix.startswith(folder)

    def _name_of(self, path: str) -> str | None:
        if not path.endswith(SUFFIX) or not path.startswith(self._prefix):
            return None
        name = path.removeprefix(self._prefix).removesuffix(SUFFIX)
        return name if is_name(name) else None


_Level: TypeAlias = dict[str, list[Step]]
"""What commits changed at one depth by the folder, with a slash at its end (empty for the top of
the repository). There are many steps at once: being plain tuples, they are left alone by Python's
garbage collector, which took a tenth of the time."""


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


class Timeline:
    """The versions of every prompt on the first-parent history of one commit.

    Attributes:
        tip: The commit.
    """

    __slots__ = ("_index", "tip")

    def __init__(self, tip: str, index: VersionIndex) -> None:
        self.tip = tip
        self._index = index

    def latest(self, name: str) -> Change | None:
        """Find the newest version of a prompt, or None where it never existed."""
        return self._index.ask(self.tip, lambda history: history.latest(name))

    def ends(self, name: str) -> tuple[Change, Change] | None:
        """Find the first and the newest version of a prompt, or None where it never existed."""
        return self._index.ask(self.tip, lambda history: history.ends(name))

    def nth(self, name: str, number: int) -> Change | None:
        """Find the version of a prompt that has this number, or None."""
        return self._index.ask(self.tip, lambda history: history.nth(name, number))

    def history(self, name: str) -> list[Change]:
        """List the versions of a prompt, newest first."""
        return self._index.ask(self.tip, lambda history: history.changes(name))

    def latest_of_all(self) -> dict[str, Change]:
        """Find the newest version of every prompt that ever existed."""
        return self._index.ask(self.tip, _History.latest_of_all)

    def first_of_all(self) -> dict[str, Change]:
        """Find version 1 of every prompt that ever existed."""
        return self._index.ask(self.tip, _History.first_of_all)

    def commit_at(self, time: float) -> str | None:
        """Find the newest commit of the history that was made no later than a time.

        Args:
            time: Seconds since 1970.

        Returns:
            The commit's id, or None where the history begins later.
        """
        return self._index.ask(self.tip, lambda history: history.commit_at(time))

    def first_commit(self) -> str:
        """Find the first commit of the history."""
        return self._index.ask(self.tip, _History.first_commit)

    def places(self) -> dict[str, int]:
        """Tell how far along the history each prompt changed last: the later, the greater."""
        return self._index.ask(self.tip, _History.places)


class _History:
    """A history as far as it is in the file, and the commits after that, which are in memory.

    The numbers of versions in memory are counted when one is asked for: to make rows of all new
    commits takes half as long as comparing their trees.
    """

    def __init__(
        self, connection: Connection, parts: Sequence[_Part], spans: Sequence[_Span]
    ) -> None:
        self._connection = connection
        self._parts = parts
        self._spans = spans

    def latest(self, name: str) -> Change | None:
        kept = self._kept(name)
        return kept[0] if kept else self._stored_latest(name)

    def ends(self, name: str) -> tuple[Change, Change] | None:
        latest = self.latest(name)
        if latest is None or latest.number == 1:
            return latest and (latest, latest)
        first = self.nth(name, 1)
        return first and (first, latest)

    def nth(self, name: str, number: int) -> Change | None:
        rows = self._select(f"{_CHANGES} AND name = ? AND number = ?", name, number)
        if rows:
            return _change(rows[0])
        return next((change for change in self._kept(name) if change.number == number), None)

    def changes(self, name: str) -> list[Change]:
        rows = self._select(f"{_CHANGES} AND name = ? ORDER BY position DESC", name)
        return self._kept(name) + [_change(row) for row in rows]

    def latest_of_all(self) -> dict[str, Change]:
        # SQLite takes the other columns from the row that holds the maximum.
        rows = self._select(f"{_CHANGES} GROUP BY name HAVING position = MAX(position)")
        found: dict[str, Change] = {}
        for row in rows:
            found.setdefault(str(row[0]), _change(row))
        for part, name, edits in self._all_kept():
            before = found.get(name)
            number = (before.number if before else 0) + len(edits)
            found[name] = _kept_change(part, edits[0], number)
        return found

    def first_of_all(self) -> dict[str, Change]:
        rows = self._select(f"{_CHANGES} AND number = 1")
        found = {str(row[0]): _change(row) for row in rows}
        for part, name, edits in self._all_kept():
            if name not in found:
                found[name] = _kept_change(part, edits[-1], 1)
        return found

    def commit_at(self, time: float) -> str | None:
        for run, newer in self._parts:
            for commit, made in run.links[newer:]:
                if made <= time:
                    return commit
        rows = self._select(f"{_LINKS} AND time <= ? ORDER BY position DESC LIMIT 1", time)
        return bytes(rows[0][0]).hex() if rows else None

    def first_commit(self) -> str:
        rows = self._select(f"{_LINKS} ORDER BY position LIMIT 1")
        return bytes(rows[-1][0]).hex() if rows else self._parts[-1].run.links[-1][0]

    def places(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for name, position in self._select(_PLACES):
            found.setdefault(str(name), int(position))
        last = self._spans[0].last if self._spans else 0
        for part in reversed(self._parts):
            last += len(part.run.links)
            for name in part.run.edits:
                found.update((name, last - edit[0]) for edit in part.edits(name)[:1])
            last -= part.newer
        return found

    def _kept(self, name: str) -> list[Change]:
        """List the versions of a prompt in memory, newest first."""
        found = [(part, edit) for part in self._parts for edit in part.edits(name)]
        if not found:
            return []
        stored = self._stored_latest(name)
        number = (stored.number if stored else 0) + len(found)
        return [_kept_change(*place, number - newer) for newer, place in enumerate(found)]

    def _all_kept(self) -> Iterator[tuple[_Part, str, list[_Edit]]]:
        """List the changes in memory by prompt, the older parts first."""
        for part in reversed(self._parts):
            for name in part.run.edits:
                edits = part.edits(name)
                if edits:
                    yield part, name, edits

    def _stored_latest(self, name: str) -> Change | None:
        rows = self._select(f"{_CHANGES} AND name = ? ORDER BY position DESC LIMIT 1", name)
        return _change(rows[0]) if rows else None

    def _select(self, query: str, *arguments: object) -> list[_Row]:
        """Run a query over the lines in the file, the newest first.

        Its first two parameters are a line and the last position in it.
        """
        rows: list[_Row] = []
        for span in self._spans:
            rows += self._connection.execute(query, (*span, *arguments))
        return rows


class VersionIndex:
    """The index of all versions of the prompts under one root of a repository.

    Threads may share it, and a fork inherits a working one: each process opens the file anew.

    Args:
        repository: The repository, which must hold its whole history.
        root: The prompts' folder, as a path within the repository; empty for its top.
        progress: Told now and then how far a longer build is.
        program_from: From how many new commits on the git program is asked, where it is installed.
            The answers are the same without it.
        store_from: From how many new commits on the file is written. An empty one always is.
        wait_from: From how many on it is written before they are asked, not at the end.
    """

    def __init__(
        self,
        repository: Repository,
        root: str,
        progress: Progress | None = None,
        *,
        program_from: int = _WORTH_A_PROCESS,
        store_from: int = _WORTH_STORING,
        wait_from: int = _WORTH_WAITING,
    ) -> None:
        self._repository = repository
        self._root = root
        self._progress = progress
        self._program_from = program_from
        self._wait_from = max(store_from, wait_from)
        self._recent: list[_Run] = []
        at_end = partial(_store_recent, recent=self._recent, least=store_from)
        self._file = CacheFile(index_file(repository, root), _SCHEMA, at_end)

    def at(self, tip: str) -> Timeline:
        """Bring the index up to a commit and look at the history from there.

        Args:
            tip: A commit's id.

        Returns:
            The versions on its first-parent history.

        Raises:
            RepositoryError: An object of the history is missing.
        """
        self._file.use(lambda connection: self._history(connection, tip))
        return Timeline(tip, self)

    def ask(self, tip: str, question: Callable[[_History], _T]) -> _T:
        """Ask something about a history.

        Args:
            tip: The commit whose history it is.
            question: Asks it; nobody else changes the index meanwhile.

        Returns:
            The answer.
        """
        return self._file.use(lambda connection: question(self._history(connection, tip)))

    def _history(self, connection: Connection, tip: str) -> _History:
        known: tuple[list[_Part], list[_Span]] | None = self._file.memo.get(tip)
        if known is None:
            if not self._is_indexed(connection)(tip):
                self._extend(connection, tip)
            known = self._file.memo[tip] = self._find_history(connection, tip)
        return _History(connection, *known)

    def _find_history(self, connection: Connection, tip: str) -> tuple[list[_Part], list[_Span]]:
        parts: list[_Part] = []
        commit: str | None = tip
        while commit in self._kept:
            part = self._kept[commit]
            parts.append(part)
            commit = part.run.parent
        place = _find(connection, commit) if commit else None
        return parts, list(_spans_to(connection, place))

    @property
    def _kept(self) -> Mapping[str | None, _Part]:
        """The commits in memory: each with the history that ends there."""
        kept: Mapping[str | None, _Part] = self._file.memo.get(_KEPT, {})
        return kept

    def _is_indexed(self, connection: Connection) -> Callable[[str], object]:
        """Make what tells whether a commit is indexed."""
        kept, execute = self._kept, connection.execute
        return lambda commit: commit in kept or execute(_FIND, (bytes.fromhex(commit),)).fetchone()

    def _extend(self, connection: Connection, tip: str) -> None:
        is_empty = _is_empty(connection)
        if _KEPT not in self._file.memo:
            self._recent.clear()  # these followed on what another connection had
        run = self._missing_run(connection, tip, is_empty=is_empty)
        if is_empty or _count([*self._recent, run]) >= self._wait_from:
            _store(connection, [*self._recent, run])
            self._file.memo.clear()
            self._recent.clear()
        elif run.links:  # else another process has stored them meanwhile
            self._recent.append(run)
            kept = self._file.memo.setdefault(_KEPT, {})
            kept.update((commit, _Part(run, newer)) for newer, (commit, _) in enumerate(run.links))

    def _missing_run(self, connection: Connection, tip: str, *, is_empty: bool) -> _Run:
        walk = self._repository.walk(tip)
        is_indexed = (lambda _: False) if is_empty else self._is_indexed(connection)
        few = self._program_from + 1 if self._program_from else None
        with reading(connection):
            links, base = _links_until(is_indexed, islice(walk, few))
        if base is None and len(links) == few:
            run = self._run_by_program(connection, links[:-1], links[-1])
            if run is not None:
                return run
            more, base = _links_until(is_indexed, walk)
            links += more
        return self._run_by_trees(links, base)

    def _run_by_trees(self, links: list[Link], base: Link | None) -> _Run:
        edits = _Edits(self._root)
        self._compare_trees(links, base, edits)
        self._tell(len(links), len(links))
        parent = links[-1].parent if links else None
        return _Run(parent, [(link.id, link.time) for link in links], edits.by_name)

    def _compare_trees(self, links: list[Link], base: Link | None, edits: _Edits) -> None:
        """Compare the trees of a history, folder by folder from the top, each newest first.

        Packs keep older trees as what differs from newer ones, and trees of one folder together:
        in this order, each is read in a third of the time.
        """
        trees = [link.tree for link in links]
        level: _Level = {"": _steps(trees, base.tree if base else EMPTY_TREE)}
        read = self._repository.tree_reader(len(links))
        while level:
            below: _Level = {}
            for folder, steps in level.items():
                _compare(folder, changes_along(steps, read), edits, below)
            level = below

    def _run_by_program(
        self, connection: Connection, newest: list[Link], base: Link
    ) -> _Run | None:
        """Let the git program compare a long history: that takes a fraction of the time.

        Args:
            connection: The database.
            newest: Its newest commits, which are compared here while git lists the others.
            base: The commit before these.

        Returns:
            The commits, or None where git is not there, or what it says does not fit.
        """
        from promptstore.git.program import (
            GitProgramError,
            compare_trees,
            listing_first_parents,
        )

        known = [bytes(row[0]).hex() for row in connection.execute(_LINE_ENDS)]
        known += [run.links[0][0] for run in self._recent]
        edits = _Edits(self._root)
        folder = "" if self._is_all_there_is(base.tree) else self._root
        links = [(link.id, link.time) for link in newest]
        trees = [link.tree for link in newest]
        done = 0
        try:
            with listing_first_parents(self._repository, base.id, known) as listed:
                self._compare_trees(newest, base, edits)
                older = listed()
            links += [(commit, time) for commit, _, time in older]
            trees += [tree for _, tree, _ in older]
            parent = next(self._repository.walk(links[-1][0])).parent
            if parent is not None and not self._is_indexed(connection)(parent):
                # Commits are left out that an indexed one reaches, but not by its first parents.
                return None
            first = next(self._repository.walk(parent)).tree if parent else EMPTY_TREE
            steps = _steps(trees, first, len(newest))
            compared = compare_trees(self._repository, steps, folder)
            for number, path, mode, object_id in compared:
                edits.note(number, path, mode, object_id)
                if f"{SUFFIX}/" in path:
                    self._note_folders(trees[number], number, path, edits)
                if number > done:
                    self._tell(done := number, len(links))
        except GitProgramError:
            return None
        self._tell(len(links), len(links))
        return _Run(parent, links, edits.by_name)

    def _is_all_there_is(self, tree: str) -> bool:
        """Tell whether the repository holds no folder but the root at its top.

        Git takes a quarter longer where it has to look for one folder, and several times as long
        where it has to compare the folders of other code.
        """
        entries = self._repository.tree(tree)
        return [name for name, entry in entries.items() if entry.is_tree] == [self._root]

    def _note_folders(self, tree: str, number: int, path: str, edits: _Edits) -> None:
        """Note the folders above a file: one that is called like a prompt's file is a version."""
        segments = path.split("/")
        for depth in range(1, len(segments)):
            folder = "/".join(segments[:depth])
            if folder.endswith(SUFFIX):
                found = self._repository.find(tree, folder)
                edits.note(number, folder, *(found or _NOTHING))

    def _tell(self, done: int, total: int) -> None:
        if self._progress and (done % _PROGRESS_STEP == 0 or done == total):
            self._progress(done, total)


def index_file(repository: Repository, root: str) -> Path:
    """Name the file that holds the index of a root; it lies inside the git directory."""
    digest = blob_id(root.encode())[:16]
    return repository.common_dir / "promptstore" / f"versions-{_FORMAT}-{digest}.sqlite"


def _steps(trees: Sequence[str], first: str, start: int = 0) -> list[Step]:
    """Pair the root trees of a history, newest first, from one of its commits on.

    Args:
        trees: The trees.
        first: The one before the oldest.
        start: The number of that commit.
    """
    pairs = pairwise([*trees[start:], first])
    return [
        (number, before, after)
        for number, (after, before) in enumerate(pairs, start)
        if before != after
    ]


def _compare(folder: str, differences: Iterable[Difference], edits: _Edits, below: _Level) -> None:
    """Note the prompts that differ in the trees of one folder, and the folders that do."""
    noted: dict[str, list[_Edit] | None] = {}
    followed: dict[str, list[Step]] = {}
    for number, name, now, folders in differences:
        if name not in noted:
            noted[name] = edits.of(folder + name)
        edits_there = noted[name]
        if edits_there is not None:
            edits_there.append((number, *(now or _NOTHING)))
        if folders is not None:
            followed.setdefault(name, []).append((number, *folders))
    for name, steps in followed.items():
        if edits.lie_below(f"{folder}{name}/"):
            below[f"{folder}{name}/"] = steps


def _change(row: _Row) -> Change:
    _, number, commit, mode, blob = row
    entry = None if mode is None else Entry(mode, bytes(blob).hex())
    return Change(number, bytes(commit).hex(), entry)


def _kept_change(part: _Part, edit: _Edit, number: int) -> Change:
    newer, mode, object_id = edit
    entry = None if mode is None or object_id is None else Entry(mode, object_id)
    return Change(number, part.run.links[newer][0], entry)


def _is_empty(connection: Connection) -> bool:
    return connection.execute("SELECT 1 FROM link LIMIT 1").fetchone() is None


def _find(connection: Connection, commit: str) -> _Span | None:
    row = connection.execute(_FIND, (bytes.fromhex(commit),)).fetchone()
    return _Span(*row) if row else None


def _spans_to(connection: Connection, place: _Span | None) -> Iterator[_Span]:
    while place is not None:
        yield place
        parent, fork = connection.execute(_FORK, (place.line,)).fetchone()
        place = None if parent is None else _Span(parent, fork)


def _links_until(
    is_indexed: Callable[[str], object], walk: Iterator[Link]
) -> tuple[list[Link], Link | None]:
    """Follow a history to the first commit that is indexed, which is given apart.

    All commits before an indexed one are indexed, so that not each of many has to be looked up. It
    may be that none can be read beyond the indexed one.
    """
    links: list[Link] = []
    fresh = 0
    try:
        for link in walk:
            links.append(link)
            if len(links) <= _LOOKED_UP or len(links) == fresh + _LOOK_UP_EVERY:
                if is_indexed(link.id):
                    break
                fresh = len(links)
    except RepositoryError:
        if len(links) == fresh or not is_indexed(links[-1].id):
            raise
    end = bisect_left(links, True, fresh, key=lambda link: bool(is_indexed(link.id)))
    return links[:end], links[end] if end < len(links) else None


def _count(runs: Sequence[_Run]) -> int:
    return sum(len(run.links) for run in runs)


def _store_recent(connection: Connection, recent: list[_Run], least: int) -> None:
    """Write what was kept in memory, where that is worth it."""
    if not recent or _count(recent) < least:
        return
    # Where the file is another one by now, it may lack the commits before these.
    kept = {commit for run in recent for commit, _ in run.links}
    parents = {run.parent for run in recent if run.parent} - kept
    if all(_find(connection, parent) for parent in parents):
        _store(connection, recent)


def _store(connection: Connection, runs: Sequence[_Run]) -> None:
    with transaction(connection):
        is_empty = _is_empty(connection)
        if is_empty:
            # Ids come in no order: to sort them at the end takes a third of the time.
            connection.execute("DROP INDEX link_id")
        for run in runs:
            # Another process may have stored some meanwhile: look again under the lock.
            fresh = _without_stored(connection, run)
            if fresh.links:
                place = _find(connection, fresh.parent) if fresh.parent else None
                _append(connection, place, fresh)
        if is_empty:
            connection.execute(_LINK_INDEX)


def _without_stored(connection: Connection, run: _Run) -> _Run:
    """Leave out the oldest commits of a run, as far as they are in the file."""
    count, parent = len(run.links), run.parent
    while count and _find(connection, run.links[count - 1][0]):
        count -= 1
        parent = run.links[count][0]
    if count == len(run.links):
        return run
    edits = {name: [edit for edit in edits if edit[0] < count] for name, edits in run.edits.items()}
    return _Run(parent, run.links[:count], edits)


def _append(connection: Connection, place: _Span | None, run: _Run) -> None:
    spans = list(_spans_to(connection, place))
    line, start = _line_after(connection, place)
    # In the order of the tables: SQLite takes twice as long to put rows between others.
    links = (
        (line, position, bytes.fromhex(commit), time)
        for position, (commit, time) in enumerate(reversed(run.links), start)
    )
    connection.executemany(_ADD_LINK, links)
    numbers = {name: _last_number(connection, spans, name) for name in sorted(run.edits)}
    changes = _change_rows(run, line, start + len(run.links) - 1, numbers)
    connection.executemany(_ADD_CHANGE, changes)


def _change_rows(run: _Run, line: int, last: int, numbers: dict[str, int]) -> Iterator[_Row]:
    for name, before in numbers.items():
        for number, edit in enumerate(reversed(run.edits[name]), before + 1):
            newer, mode, object_id = edit
            blob = None if object_id is None else bytes.fromhex(object_id)
            yield name, line, last - newer, number, mode, blob


def _line_after(connection: Connection, place: _Span | None) -> tuple[int, int]:
    """Find the line that goes on after a place, or make one."""
    if place is not None:
        (last,) = connection.execute(_LAST_POSITION, (place.line,)).fetchone()
        if last == place.last:
            return place.line, last + 1
    (count,) = connection.execute(_COUNT_LINES).fetchone()
    line = count + 1
    parent, fork = place or (None, None)
    connection.execute(_ADD_LINE, (line, parent, fork))
    return line, 1 if fork is None else fork + 1


def _last_number(connection: Connection, spans: Sequence[_Span], name: str) -> int:
    for span in spans:
        row = connection.execute(_LAST_NUMBER, (*span, name)).fetchone()
        if row:
            return int(row[0])
    return 0
