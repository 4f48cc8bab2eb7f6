"""Opening a repository, resolving revs, reading commits, trees and blobs."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple, cast

import pygit2
from pygit2.enums import FileMode, FilterMode, ObjectType

from promptstore.errors import (
    ReadOnlyError,
    RepositoryError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    UnsupportedRepositoryError,
)
from promptstore.git.opening import open_repository
from promptstore.git.trees import (
    EMPTY_TREE,
    LARGE_TREE,
    Entry,
    PlainNames,
    RawTree,
    TreeCache,
    TreeReader,
    cut_stems,
    cut_stems_and_ids,
    entry_of,
    files_and_folders,
)

_PERSON: Final = rb"[^\s<>](?:[^<>\n\0]*[^\s<>])? <[^\s<>]+>"
_ORDINARY_COMMIT: Final = re.compile(
    rb"tree ([0-9a-f]{40})\n(?:parent [0-9a-f]{40}\n)*"
    rb"author (" + _PERSON + rb") \d{1,15} [-+]\d{4}\n"
    rb"committer " + _PERSON + rb" (\d{1,15}) ([-+])(0\d|1[0-4])([0-5]\d)\n"
    rb"\n([^\n\0][^\0]*)"
)
"""A commit without further headers, read in a fifth of the time that libgit2's objects take."""

_MANY: Final = 20
"""From how many commits on a quicker way of reading is worth loading."""


class Commit(NamedTuple):
    """What promptstore needs to know of a commit.

    Attributes:
        id: Its id.
        tree: The id of its root tree.
        author: Its author, as ``name <email>``.
        committed_at: When it was committed, in the committer's time zone.
        message: Its whole message.
    """

    id: str
    tree: str
    author: str
    committed_at: datetime
    message: str


class Link(NamedTuple):
    """One step of a first-parent history: just enough to walk it quickly.

    Attributes:
        id: The commit's id.
        tree: The id of its root tree.
        parent: The id of its first parent, or None for a root commit.
        time: When it was committed, in seconds since 1970.
    """

    id: str
    tree: str
    parent: str | None
    time: int


class Head(NamedTuple):
    """What HEAD is.

    Attributes:
        branch: The branch that it is on, unborn or not; None when it is detached.
        tip: The commit that it is at; None where there is none yet.
    """

    branch: str | None
    tip: str | None


class Repository:
    """A git repository, read through libgit2.

    One object may be shared by threads and survives a fork: each thread of each process opens its
    own handle underneath.

    Attributes:
        git_dir: The repository's own git directory.
        common_dir: The git directory that it shares with its linked worktrees.
        workdir: The top of its working tree, or None for a bare repository.
    """

    def __init__(self, git_dir: Path) -> None:
        self.git_dir = git_dir
        self._handles = threading.local()
        with translated(git_dir):
            handle = self.handle
            self.workdir = Path(handle.workdir) if handle.workdir else None
        self.common_dir = _common_dir(git_dir)
        self._trees: TreeCache[dict[str, Entry]] = TreeCache()
        self._raw_trees: TreeCache[RawTree] = TreeCache()
        self._commits = lru_cache(maxsize=65536)(self._read_commit)

    @classmethod
    def discover(cls, path: Path) -> Repository:
        """Open the repository that a path lies in.

        Args:
            path: A folder in a working tree, a bare repository, a ``.git`` folder.

        Returns:
            The repository.

        Raises:
            RepositoryNotFoundError: The path lies in no repository.
            UnsupportedRepositoryError: Its format cannot be read by libgit2.
            RepositoryError: It cannot be opened, for example because another user owns it.
        """
        with translated(path):
            found = pygit2.discover_repository(str(path))
        if found is None:
            raise RepositoryNotFoundError(
                path=str(path),
                reason="this is not in a git repository. Run `git init`, or give another path.",
            )
        return cls(Path(found))

    @property
    def is_shallow(self) -> bool:
        """Tell whether older commits were left out when it was cloned."""
        return bool(self.handle.is_shallow)

    def head_branch(self) -> str | None:
        """Name the branch that HEAD is on, unborn or not; None when HEAD is detached."""
        with translated(self.git_dir):
            target = self.handle.lookup_reference("HEAD").target
        return target.removeprefix("refs/heads/") if isinstance(target, str) else None

    def head(self) -> Head:
        """Tell what HEAD is at this moment, from one look at it."""
        with translated(self.git_dir):
            reference = self.handle.lookup_reference("HEAD")
            target = reference.target
            if not isinstance(target, str):
                return Head(None, str(target))
            tip = None
            with suppress(KeyError, pygit2.InvalidSpecError):
                tip = str(reference.resolve().target)
        return Head(target.removeprefix("refs/heads/"), tip)

    def tip(self, branch: str | None = None) -> str | None:
        """Find the newest commit of a branch, as git has it at this moment.

        Args:
            branch: A local branch; None means HEAD, be it on a branch or detached.

        Returns:
            The commit's id; None where there is no commit yet.

        Raises:
            RevisionNotFoundError: There is no such branch.
        """
        handle = self.handle
        with translated(self.git_dir):
            try:
                name = "HEAD" if branch is None else f"refs/heads/{branch}"
                return str(handle.lookup_reference(name).resolve().target)
            except (KeyError, pygit2.InvalidSpecError):
                if branch is None or branch == self.head_branch():
                    return None
                raise RevisionNotFoundError(rev=branch, reason="no such branch") from None

    def resolve(self, rev: str) -> str:
        """Resolve a rev to a commit, as ``git rev-parse REV^{commit}`` does.

        Args:
            rev: A branch, tag, commit id or any other spelling of git; a name that only a remote
                has (``feature`` for ``origin/feature``) works too.

        Returns:
            The commit's id.

        Raises:
            RevisionNotFoundError: It names nothing, too much, or no commit.
        """
        if not rev or "\0" in rev:
            raise RevisionNotFoundError(rev=rev)
        try:
            found = self.handle.revparse_single(rev)
        except KeyError:
            remote = self._remote_tip(rev)
            if remote is None:
                raise RevisionNotFoundError(rev=rev, reason=self._shallowness()) from None
            return remote
        except (ValueError, pygit2.GitError) as error:
            raise RevisionNotFoundError(rev=rev, reason=str(error).rstrip(".")) from None
        try:
            return str(found.peel(pygit2.Commit).id)
        except (ValueError, pygit2.GitError):
            kind = found.type_str
            raise RevisionNotFoundError(rev=rev, reason=f"it is a {kind}, no commit") from None

    def common_ancestor(self, one: str, other: str) -> str:
        """Find the commit that two commits grew from.

        Args:
            one: The id of a commit.
            other: The id of another.

        Returns:
            The id of the best common ancestor.

        Raises:
            RevisionNotFoundError: They have none.
        """
        with translated(self.git_dir):
            # The stubs of pygit2 leave out that there may be none.
            found = cast("pygit2.Oid | None", self.handle.merge_base(one, other))
        if found is None:
            reason = f"it has no history in common with {other}"
            shallow = self._shallowness()
            raise RevisionNotFoundError(
                rev=one, reason=f"{reason}; {shallow}" if shallow else reason
            )
        return str(found)

    def _shallowness(self) -> str:
        """Say that older commits may be missing, where they may."""
        if not self.is_shallow:
            return ""
        return "the clone is shallow; `git fetch --unshallow` brings the older commits"

    def branch_tip(self, full_name: str) -> str | None:
        """Find the commit of a reference given by its full name.

        Args:
            full_name: For example ``refs/heads/main``.

        Returns:
            The commit's id, or None where there is no such reference.
        """
        try:
            return str(self.handle.lookup_reference(full_name).peel(pygit2.Commit).id)
        except (KeyError, pygit2.GitError):
            return None

    def commit(self, commit_id: str) -> Commit:
        """Read one commit.

        Raises:
            RepositoryError: The object is not there.
        """
        return self._commits(commit_id)

    def walk(self, tip: str) -> Iterator[Link]:
        """Walk a first-parent history from its newest commit to its first.

        Raises:
            RepositoryError: A commit is missing.
        """
        current: str | None = tip
        read: Callable[[str, ObjectType], bytes] = self._read
        for number in count():
            if current is None:
                return
            if number == _MANY:
                read = self._bulk_read()
            data = read(current, ObjectType.COMMIT)
            header = data.partition(b"\n\n")[0]
            tree = header[5:45].decode()
            parent = header[53:93].decode() if header[46:53] == b"parent " else None
            yield Link(current, tree, parent, _committer_time(header))
            current = parent

    def tree(self, tree_id: str) -> dict[str, Entry]:
        """Read the entries of a tree by name; one that git cannot name in UTF-8 is left out."""
        entries = self._trees.get(tree_id)
        if entries is None:
            entries = self._trees.put(tree_id, self._read_tree(tree_id))
        return entries

    def raw_tree(self, tree_id: str) -> RawTree:
        """Read a tree as git writes it."""
        tree = self._raw_trees.get(tree_id)
        if tree is None:
            data = b"" if tree_id == EMPTY_TREE else self._read(tree_id, ObjectType.TREE)
            tree = self._raw_trees.put(tree_id, RawTree(data))
        return tree

    def files_and_folders(
        self, tree_id: str, suffix: str
    ) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """List the regular files of a tree that end with something, and its folders, with the ids.

        It makes no entries, which would take as long as everything else about listing files.
        """
        return files_and_folders(self._read(tree_id, ObjectType.TREE), suffix)

    def only_files(self, tree_id: str, kind: PlainNames) -> list[bytes] | None:
        """List the stems of a tree that holds nothing but regular files of one kind.

        Returns:
            The names without their suffix, or None where anything else is in the tree. Most trees
            of prompts are read in a quarter of the time of `files_and_folders`.
        """
        return cut_stems(self._read(tree_id, ObjectType.TREE), kind)

    def only_files_with_ids(
        self, tree_id: str, kind: PlainNames
    ) -> tuple[list[bytes], list[str]] | None:
        """List the stems of a tree as `only_files` does, and the id of each."""
        return cut_stems_and_ids(self._read(tree_id, ObjectType.TREE), kind)

    def tree_reader(self, commits: int) -> TreeReader:
        """Give what reads the trees of so many commits."""
        if commits < _MANY:
            return lambda tree_id: self.raw_tree(tree_id).data
        read, tree = self._bulk_read(), ObjectType.TREE
        return lambda tree_id: b"" if tree_id == EMPTY_TREE else read(tree_id, tree)

    def find(self, tree_id: str, path: str) -> Entry | None:
        """Find the entry at a path.

        Args:
            tree_id: The tree to start from.
            path: Names joined by ``/``; the empty path is the tree itself.

        Returns:
            The entry, or None where there is none.
        """
        entry = Entry(FileMode.TREE, tree_id)
        for segment in path.split("/") if path else ():
            if not entry.is_tree:
                return None
            found = self._entry(entry.id, segment)
            if found is None:
                return None
            entry = found
        return entry

    def _entry(self, tree_id: str, name: str) -> Entry | None:
        tree = self._raw_trees.get(tree_id)
        if (tree is None or not tree.is_read) and self._is_large(tree_id):
            return self._entry_of_large(tree_id, name)
        found = self.raw_tree(tree_id).in_order().get(name.encode(errors="surrogatepass"))
        return entry_of(*found) if found else None

    def _is_large(self, tree_id: str) -> bool:
        """Tell whether a tree holds very many entries, without reading it."""
        try:
            kind, size = self.handle.odb.read_header(tree_id)
        except (KeyError, ValueError, pygit2.GitError):
            # Reading it tells what is wrong.
            return False
        return kind == ObjectType.TREE and size > LARGE_TREE

    def _entry_of_large(self, tree_id: str, name: str) -> Entry | None:
        """Let libgit2 look for one entry: making ten thousand takes ten times as long."""
        handle, handles = self.handle, self._handles
        known: tuple[str, pygit2.Tree] | None = handles.large_tree
        if known is None or known[0] != tree_id:
            # It reads such a tree anew for each call, so the last one is kept.
            known = handles.large_tree = tree_id, cast("pygit2.Tree", handle[tree_id])
        try:
            found = known[1][name]
        except (KeyError, TypeError):
            # The one where there is none, the other where no name in UTF-8 is asked for.
            return None
        return Entry(int(found.filemode), str(found.id))

    def blob(self, blob_id: str) -> bytes:
        """Read the content of a blob.

        Raises:
            RepositoryError: The object is not there, for example in a partial clone.
        """
        return self._read(blob_id, ObjectType.BLOB)

    def clean(self, path: str, data: bytes) -> bytes:
        """Give the content of a file on disk as git would commit it, with git's own line ends.

        Args:
            path: Its path in the repository, by which its attributes are found.
            data: Its content on disk.
        """
        with translated(self.git_dir):
            filters = self.handle.load_filter_list(path, FilterMode.TO_ODB)
            return filters.apply_to_buffer(data) if filters else data

    @property
    def handle(self) -> pygit2.Repository:
        """libgit2's own object, one for each thread of each process; for this package only."""
        handles = self._handles
        if getattr(handles, "pid", None) != os.getpid():
            with translated(self.git_dir):
                handles.handle = open_repository(self.git_dir)
            handles.pid = os.getpid()
            handles.large_tree = None
        handle: pygit2.Repository = handles.handle
        return handle

    def _remote_tip(self, rev: str) -> str | None:
        with translated(self.git_dir):
            names = [name for name in self.handle.references if name.startswith("refs/remotes/")]
        tips = {self.branch_tip(name) for name in names if name.split("/", 3)[3:] == [rev]} - {None}
        return tips.pop() if len(tips) == 1 else None

    def _read(self, object_id: str, wanted: ObjectType) -> bytes:
        try:
            kind, data = self.handle.read(object_id)
        except (KeyError, ValueError, pygit2.GitError):
            raise RepositoryError(
                path=str(self.git_dir),
                reason=f"the object {object_id} is missing. In a partial clone fetch it with "
                f"`git cat-file -p {object_id}`; else check the repository with `git fsck`.",
            ) from None
        if kind != wanted:
            raise RepositoryError(
                path=str(self.git_dir),
                reason=f"the object {object_id} is no {wanted.name.lower()}. "
                "Check the repository with `git fsck`.",
            )
        return data

    def _bulk_read(self) -> Callable[[str, ObjectType], bytes]:
        from promptstore.git.bulk import BulkReader

        return BulkReader(self.handle, self._read).read

    def _read_tree(self, tree_id: str) -> dict[str, Entry]:
        if tree_id == EMPTY_TREE:
            return {}
        return self.raw_tree(tree_id).by_name()

    def _read_commit(self, commit_id: str) -> Commit:
        data = self._read(commit_id, ObjectType.COMMIT)
        ordinary = _ORDINARY_COMMIT.fullmatch(data)
        if ordinary is not None:
            with suppress(UnicodeDecodeError):
                return _ordinary_commit(commit_id, ordinary)
        with translated(self.git_dir):
            commit = cast("pygit2.Commit", self.handle[commit_id])
        author, committer = commit.author, commit.committer
        return Commit(
            id=commit_id,
            tree=str(commit.tree_id),
            author=f"{author.name} <{author.email}>",
            committed_at=_datetime(committer.time, committer.offset),
            message=commit.message,
        )


def create_repository(path: Path) -> Repository:
    """Make an ordinary, empty repository, as ``git init`` does.

    Args:
        path: Its folder, which must exist.
    """
    with translated(path):
        pygit2.init_repository(str(path), initial_head="main")
    return Repository.discover(path)


def blob_id(data: bytes) -> str:
    """Compute the id that git gives to a file's content."""
    return str(pygit2.hash(data))


def is_ancestor(repository: Repository, commit: str, tip: str) -> bool:
    """Return whether a commit is part of the history of another, or that one itself."""
    with translated(repository.git_dir):
        if commit not in repository.handle:
            return False
        return commit == tip or bool(repository.handle.descendant_of(tip, commit))


def _datetime(seconds: int, offset: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, timezone(timedelta(minutes=offset)))
    except (OverflowError, ValueError, OSError):
        # A hand-made commit may carry a time that no calendar holds.
        return datetime.fromtimestamp(0, UTC)


def _ordinary_commit(commit_id: str, found: re.Match[bytes]) -> Commit:
    tree, author, time, sign, hours, minutes, message = found.groups()
    offset = int(hours) * 60 + int(minutes)
    return Commit(
        id=commit_id,
        tree=tree.decode(),
        author=author.decode(),
        committed_at=_datetime(int(time), -offset if sign == b"-" else offset),
        message=message.decode(),
    )


def _committer_time(header: bytes) -> int:
    line = header[header.find(b"\ncommitter ") :].split(b"\n", 2)[1]
    words = line.rsplit(b" ", 2)
    try:
        return int(words[1])
    except (IndexError, ValueError):
        return 0


def _common_dir(git_dir: Path) -> Path:
    # gitrepository-layout(5): a linked worktree names the shared directory in `commondir`.
    pointer = git_dir / "commondir"
    if not pointer.is_file():
        return git_dir
    return (git_dir / pointer.read_text().strip()).resolve()


_ADVICE: Final[tuple[tuple[str, Callable[[str], RepositoryError]], ...]] = (
    (
        "read-only file system",
        lambda path: ReadOnlyError(path=path, reason="the file system is read-only."),
    ),
    (
        "refstorage",
        lambda path: UnsupportedRepositoryError(
            path=path,
            reason="its references are kept as a reftable, which libgit2 cannot read. "
            "Convert it with `git refs migrate --ref-format=files`.",
        ),
    ),
    (
        "objectformat",
        lambda path: UnsupportedRepositoryError(
            path=path,
            reason="its objects are named by SHA-256, which libgit2 cannot read. Convert it with "
            "`git init --object-format=sha1 NEW` and "
            "`git fast-export --all | git -C NEW fast-import`.",
        ),
    ),
)


class _Translation:
    # A generator as context manager takes four times as long, and a save goes through eight.
    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if not isinstance(error, (pygit2.GitError, OSError)) or isinstance(error, RepositoryError):
            return
        text = str(error)
        folded = text.lower().replace(" ", "")
        for sign, make in _ADVICE:
            if sign.replace(" ", "") in folded:
                raise make(str(self._path)) from error
        reason = f"git says: {text.rstrip('.')}."
        raise RepositoryError(path=str(self._path), reason=reason) from error


def translated(path: Path) -> AbstractContextManager[None]:
    """Turn the errors of libgit2 and of the operating system into ours."""
    return _Translation(path)
