"""A commit: who makes it and when, what it says, and the objects that hold what it changes.

Objects that nothing refers to do no harm: a commit happens only when its reference moves.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Final, Literal, NamedTuple, TypeAlias, cast

import pygit2
from pygit2.enums import FileMode

from promptstore.errors import ConflictError, InvalidArgumentError, ReadOnlyError, RepositoryError
from promptstore.git.objects import EMPTY_TREE, Entry
from promptstore.git.reading import Repository, translated

Role: TypeAlias = Literal["author", "committer"]

_PERSON: Final = re.compile(r"\s*([^<>\n\0]*[^<>\n\0\s])\s*<\s*([^<>\n\0\s]+)\s*>\s*")
_RAW_DATE: Final = re.compile(r"@?(\d{1,11}) ([+-])(0\d|1[0-4])([0-5]\d)")
_TRAILER_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_TRAILER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*: .*")
_LEFT_OUT: Final = str.maketrans("", "", "<>\n")
"""What git leaves out of a configured name, as a commit could not tell it from its own marks."""

_FORCED: Final = {"all", "added", "committed", "objects", "loose-object", "reference"}
"""The components of ``core.fsync`` that a commit consists of."""

REFLOG_WORD: Final = "promptstore:"
"""How the entries of a reflog begin that are of a write of ours."""

_ATTEMPTS: Final = 10
"""How often objects are stored again that `git gc` did not let be."""


class FileChange(NamedTuple):
    """What is to become of one file.

    Attributes:
        name: What a person calls it.
        path: Its path in the repository.
        data: Its new content, or None to remove it.
    """

    name: str
    path: str
    data: bytes | None


class Move(NamedTuple):
    """What a commit does to one path.

    Attributes:
        name: What a person calls the file.
        path: Its path in the repository.
        before: The entry that stood there, or None.
        after: The entry that stands there now, or None.
    """

    name: str
    path: str
    before: Entry | None
    after: Entry | None


class CommitNote(NamedTuple):
    """What a commit says beside its files.

    Attributes:
        author: Who wrote the change, and when.
        committer: Who committed it, and when.
        message: The whole message.
    """

    author: pygit2.Signature
    committer: pygit2.Signature
    message: str


def parse_signature(text: str, time: datetime | None = None) -> pygit2.Signature:
    """Parse a person from ``Name <email>``.

    Args:
        text: The person.
        time: When the person did it; None is now.

    Raises:
        InvalidArgumentError: It is not written like that.
    """
    found = _PERSON.fullmatch(text)
    try:
        if found is not None:
            when = () if time is None else (int(time.timestamp()), _minutes_east(time))
            return pygit2.Signature(found[1], found[2], *when)
    except (ValueError, pygit2.GitError):
        pass  # libgit2 takes no name of punctuation alone
    raise InvalidArgumentError(
        message="a person is written as 'Name <email>', for example "
        f"'Ada Lovelace <ada@example.com>', not {text!r}"
    )


def choose_signatures(
    repository: Repository,
    author: str | None = None,
    committer: str | None = None,
    authored_at: datetime | None = None,
) -> tuple[pygit2.Signature, pygit2.Signature]:
    """Choose the author and the committer of a commit.

    Args:
        repository: The repository.
        author: ``Name <email>``, or None for what git knows.
        committer: The same; None where git knows nobody means the author.
        authored_at: When the author wrote it, or None for what git knows, else now.

    Returns:
        The author and the committer.

    Raises:
        InvalidArgumentError: A person or a date is not written as git writes it.
        RepositoryError: Nobody is known.
    """
    by = author or _find_person(repository, "author")
    through = committer or _find_person(repository, "committer")
    wrote = authored_at or _find_date("author" if by else "committer")
    by = by or through
    if by is None:
        raise RepositoryError(
            path=str(repository.git_dir),
            reason="git does not know who you are. Run `git config user.name NAME` and "
            "`git config user.email ADDRESS`, or name an author.",
        )
    date = _find_date("committer" if through else "author")
    return parse_signature(by, wrote), parse_signature(through or by, date)


def _find_person(repository: Repository, role: Role) -> str | None:
    """Find who commits, as ``git commit`` does (git-commit-tree(1), "Commit Information")."""
    with translated(repository.git_dir):
        config = repository.handle.config
        name = _find_fact(config, role, "name")
        email = _find_fact(config, role, "email") or os.environ.get("EMAIL")
    if not name or not email:
        return None
    return f"{name.translate(_LEFT_OUT)} <{email.translate(_LEFT_OUT)}>"


def _find_fact(config: pygit2.Config, role: Role, fact: str) -> str | None:
    named = os.environ.get(f"GIT_{role.upper()}_{fact.upper()}")
    if named:
        return named
    keys = (f"{role}.{fact}", f"user.{fact}")
    # A key that stands there without a value says nothing.
    return next((value for key in keys if key in config and (value := config[key])), None)


def _find_date(role: Role) -> datetime | None:
    """Return the date that the environment tells, in one of the formats of git-commit(1)."""
    variable = f"GIT_{role.upper()}_DATE"
    text = os.environ.get(variable, "").strip()
    if not text:
        return None
    raw = _RAW_DATE.fullmatch(text)
    if raw:
        offset = timedelta(hours=int(raw[3]), minutes=int(raw[4]))
        zone = timezone(-offset if raw[2] == "-" else offset)
        with suppress(OverflowError, ValueError, OSError):
            return datetime.fromtimestamp(int(raw[1]), zone)
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(ValueError):
            return parse(text)
    raise InvalidArgumentError(
        message=f"the environment variable {variable} holds no date: {text!r}; write it as "
        "2026-01-31T12:00:00+01:00 or as seconds and zone, 1769857200 +0100"
    )


def _minutes_east(time: datetime) -> int:
    """Return the time zone of a time, in minutes; one without a zone is local."""
    offset = (time if time.tzinfo else time.astimezone()).utcoffset()
    return int((offset or timedelta()).total_seconds() // 60)


def compose_message(text: str, trailers: Mapping[str, str]) -> str:
    """Compose the whole message of a commit, cleaned as git does.

    Args:
        text: What a person says about it.
        trailers: Facts for programs, such as ``{"Reviewed-by": "Ada <ada@example.com>"}``
            (git-interpret-trailers(1)).

    Returns:
        The message, with one line end at its end.

    Raises:
        InvalidArgumentError: The text is empty, or a trailer is not one line.
    """
    _refuse_unwritable(text)
    lines = [line.rstrip() for line in text.strip().splitlines()]
    if not lines:
        raise InvalidArgumentError(message="a commit needs a message; this one is empty")
    added = [_trailer(key, value) for key, value in trailers.items()]
    if added and not _ends_with_trailers(lines):
        lines.append("")
    return "\n".join([*lines, *added]) + "\n"


def _trailer(key: str, value: str) -> str:
    _refuse_unwritable(value)
    if not _TRAILER_KEY.fullmatch(key):
        raise InvalidArgumentError(
            message=f"{key!r} cannot be the key of a trailer: it is letters, digits and '-'"
        )
    if not value.strip() or len(value.splitlines()) > 1:
        raise InvalidArgumentError(message=f"the trailer {key!r} needs a value of one line")
    return f"{key}: {value.strip()}"


def _ends_with_trailers(lines: list[str]) -> bool:
    """Return whether the last paragraph, which is not the first, holds trailers only."""
    if "" not in lines:
        return False
    last = lines[len(lines) - lines[::-1].index("") :]
    return all(_TRAILER.fullmatch(line) for line in last)


def _refuse_unwritable(text: str) -> None:
    if "\0" in text or any("\ud800" <= one <= "\udfff" for one in text):
        raise InvalidArgumentError(message="a commit message is text in UTF-8 without NUL")


def store_commit(
    repository: Repository,
    parents: Sequence[str],
    changes: Sequence[FileChange],
    note: CommitNote,
) -> tuple[str, tuple[Move, ...]]:
    """Store a commit that no reference stands at yet.

    Args:
        repository: The repository.
        parents: The ids of its parents; its files are those of the first one, with the changes.
        changes: What becomes of the files.
        note: The author, the committer and the message.

    Returns:
        Its id, and what it does to each path.

    Raises:
        ConflictError: A path leads through a file, or to what is no file.
    """
    handle = repository.handle
    trees = [repository.commit(parent).tree for parent in parents]
    tree = trees[0] if trees else EMPTY_TREE
    before = [_entry_before(repository, tree, change) for change in changes]
    for attempt in range(_ATTEMPTS):
        try:
            moves = tuple(
                Move(change.name, change.path, old, _store_blob(handle, change, old))
                for change, old in zip(changes, before, strict=True)
            )
            after = {tuple(move.path.split("/")): move.after for move in moves}
            parent = cast("pygit2.Tree", handle[tree]) if trees else None
            made = _store_tree(handle, parent, after) or handle.TreeBuilder().write()
            commit = handle.create_commit(
                None,
                note.author,
                note.committer,
                note.message,
                made,
                [pygit2.Oid(hex=parent) for parent in parents],
            )
        except (pygit2.GitError, OSError) as error:
            # `git gc` removes a folder of objects that is empty, such as one just made for this.
            if os.strerror(errno.ENOENT) not in str(error) or attempt == _ATTEMPTS - 1:
                raise
        else:
            return str(commit), moves
    raise AssertionError


def _entry_before(repository: Repository, tree: str, change: FileChange) -> Entry | None:
    """Find the file that is to change; refuse a path through a file, or to what is no file."""
    entry, place = Entry(FileMode.TREE, tree), ""
    for segment in change.path.split("/"):
        if not entry.is_tree:
            reason = f"{place} is a file, so nothing can lie in it. Choose another name."
            raise ConflictError(names=[change.name], reason=reason)
        found = repository.find(entry.id, segment)
        if found is None:
            return None
        entry, place = found, f"{place}/{segment}".removeprefix("/")
    if not entry.is_file:
        reason = f"{change.path} is no regular file in git. Move it away first."
        raise ConflictError(names=[change.name], reason=reason)
    return entry


def _store_blob(
    handle: pygit2.Repository, change: FileChange, before: Entry | None
) -> Entry | None:
    if change.data is None:
        return None
    mode = before.mode if before else int(FileMode.BLOB)
    return Entry(mode, str(handle.create_blob(change.data)))


def _store_tree(
    handle: pygit2.Repository,
    before: pygit2.Tree | None,
    changes: Mapping[tuple[str, ...], Entry | None],
) -> pygit2.Oid | None:
    """Store a tree with some entries changed; None stands for one without entries."""
    builder = handle.TreeBuilder(before) if before is not None else handle.TreeBuilder()
    inside: dict[str, dict[tuple[str, ...], Entry | None]] = {}
    for (name, *rest), entry in changes.items():
        if rest:
            inside.setdefault(name, {})[tuple(rest)] = entry
        elif entry is not None:
            builder.insert(name, pygit2.Oid(hex=entry.id), entry.mode)
        elif builder.get(name) is not None:
            builder.remove(name)
    for name, below in inside.items():
        folder = before[name] if before is not None and name in before else None
        stored = _store_tree(handle, folder if isinstance(folder, pygit2.Tree) else None, below)
        if stored is not None:
            builder.insert(name, stored, FileMode.TREE)
        elif folder is not None:
            builder.remove(name)
    return builder.write() if len(builder) else None


def force_to_disk_as_told(handle: pygit2.Repository) -> None:
    """Let libgit2 force what it writes to the disk, where ``core.fsync`` asks for that.

    libgit2 has this as a switch of the whole process only, so it is never turned off again. Each
    object is forced when it is written, and so before the reference that needs it.
    """
    config = handle.config
    named = (config["core.fsync"] or "") if "core.fsync" in config else ""
    words = {word.strip() for word in named.split(",")}
    old = "core.fsyncobjectfiles"
    if words & _FORCED or (old in config and config.get_bool(old)):
        pygit2.settings.enable_fsync_gitdir(True)


def tip_of(handle: pygit2.Repository, ref: str) -> str | None:
    """Return the commit of a reference.

    Args:
        handle: The repository.
        ref: The reference's full name.

    Returns:
        The commit's id, or None where there is no such reference.

    Raises:
        ReadOnlyError: It stands for another reference.
    """
    try:
        target = handle.lookup_reference(ref).target
    except (KeyError, ValueError):  # of a name that cannot be, there is none
        return None
    if isinstance(target, str):
        raise ReadOnlyError(
            path=handle.path, reason=f"{ref} stands for {target}. Name that branch instead."
        )
    return str(target)
