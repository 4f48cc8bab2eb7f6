"""What a remote held at the last sync: a commit on a reference of its own.

Its tree holds the remote's prompts as files, at the paths that they have in the store, so that
``git diff refs/promptstore/remotes/NAME HEAD`` compares both sides. Each file says under
``x-remote`` which id and version it was, so the newest commit alone tells everything, in a shallow
fetch too. The trailers of a commit tell the id and version of each prompt that it moved, and no
others: a line for every prompt in every commit would make a thousand steps a million lines.

Two machines may sync apart. What another one recorded is fetched to ``refs/promptstore/fetched/``;
the next sync joins both histories, as a merge does (see `RemoteState.join`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from promptstore.errors import (
    InvalidArgumentError,
    RepositoryError,
    RevisionNotFoundError,
    SyncRefusedError,
)
from promptstore.git.commits import CommitNote, FileChange, choose_signatures, compose_message
from promptstore.git.objects import Entry
from promptstore.git.reading import Repository
from promptstore.git.refs import join_ref
from promptstore.git.revs import common_ancestor, is_ancestor
from promptstore.git.writing import Deadline, update_ref
from promptstore.model.values import SUFFIX, is_name
from promptstore.posthog.content import RemoteContent
from promptstore.posthog.models import RemotePrompt
from promptstore.posthog.sync.remote import Codec
from promptstore.promptfile.reader import MAX_BYTES as MAX_FILE_BYTES
from promptstore.promptfile.reader import loads
from promptstore.promptfile.writer import dumps

DELETED: Final = "deleted"
"""Stands in place of a digest for a prompt that is tombstoned or archived."""

_KEY: Final = "x-remote"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_ROOM_FOR_FACTS: Final = 32_768
"""What ids, commits and labels may take in a file, in bytes."""

_WHOLE: Final = Codec()
_MOVED: Final = re.compile(r"^Remote-Version: (\S+) \d+ ", re.MULTILINE)


class PendingReview(NamedTuple):
    """A change of the remote that was committed on a branch for review.

    Attributes:
        commit: The commit.
        digest: The digest of the remote's prompt.
    """

    commit: str
    digest: str


@dataclass(frozen=True, slots=True)
class RemoteRecord:
    """One prompt as a remote held it.

    Attributes:
        content: What it held; for an archived prompt what it held last.
        deleted: Whether it was archived.
        remote_name: Its name on the remote.
        id: The remote's id of the version.
        version: The version's number there.
        synced: The commit of the store that git's side was in step at, or None where that is not
            known. A branch without that commit may be behind.
        pending: A newer change of the remote that waits on a branch for review; once that is
            merged, it counts as synced.
        labels: What the labels of both sides pointed at when they were last in step: digests by
            label.
    """

    content: RemoteContent
    deleted: bool
    remote_name: str
    id: str
    version: int
    synced: str | None = None
    pending: PendingReview | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The digest, or `DELETED`."""
        return DELETED if self.deleted else self.content.digest

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """What tells it from other states: digest, remote_name, id and version."""
        return self.digest, self.remote_name, self.id, self.version

    @classmethod
    def of(cls, row: RemotePrompt, content: RemoteContent) -> RemoteRecord:
        """Return what a remote answered, with its content, as a record."""
        return cls(content, False, row.name, row.id, row.version)

    def archived(self, synced: str | None) -> RemoteRecord:
        """Return it as no longer on the remote, which a commit of the store is in step with."""
        return replace(self, deleted=True, synced=synced, pending=None, labels={})


class RemoteState:
    """Reads and moves the state of one remote.

    Args:
        repository: The repository.
        remote: The remote's name in the configuration.
        root: The prompts' folder in the repository.
        lock_timeout: How long locks of others are waited for, in seconds.

    Attributes:
        remote: The remote's name.
        ref: The reference.
        fetched: The reference at which another machine's state is looked for.
    """

    def __init__(
        self, repository: Repository, remote: str, root: str, *, lock_timeout: float = 10.0
    ) -> None:
        if not _NAME.fullmatch(remote):
            raise InvalidArgumentError(
                message=f"{remote!r} cannot name a remote: it is letters, digits, '-' and '_'"
            )
        self.ref = f"refs/promptstore/remotes/{remote}"
        self.fetched = f"refs/promptstore/fetched/{remote}"
        self.remote = remote
        self._repository = repository
        self._prefix = f"{root}/" if root else ""
        self._lock_timeout = lock_timeout

    def check_writable(self) -> None:
        """See that a commit can be made, before anything is done that must be remembered.

        Raises:
            RepositoryError: Git does not know who commits.
        """
        choose_signatures(self._repository)

    def read(self, codec: Codec) -> dict[str, RemoteRecord]:
        """Read what the remote held, by name in git.

        Args:
            codec: Reads what it held.
        """
        entries = self._entries(self._tips())
        return {name: self.load(entry, codec) for name, entry in entries.items()}

    def past(self) -> dict[str, list[Entry]]:
        """Find the files of all that the remote ever held, by name in git, newest first."""
        found: dict[str, list[Entry]] = defaultdict(list)
        for tip in self._tips():
            link = None
            try:
                for link in self._repository.walk(tip):
                    commit = self._repository.commit(link.id)
                    for name in _MOVED.findall(commit.message):
                        entry = self._repository.find(commit.tree, self._path(name))
                        if entry is not None:
                            found[name].append(entry)
            except RepositoryError:
                if link is None or not self._repository.is_shallow:
                    raise
                # Here the history was cut off when it was fetched: the rest is in this tree.
                for name, entry in self._files(link.id):
                    found[name].append(entry)
        return found

    def join(self) -> None:
        """Take in what another machine recorded, if anything was fetched.

        Of a prompt that both moved the higher version counts, or what was recorded last where the
        numbers are equal. Either is safe: a state that a branch has not taken in is no base there.
        """
        own, tips = self._repository.branch_tip(self.ref), self._tips()
        if tips in ([], [own]):
            return
        chosen, before = self._entries(tips), self._entries([own] if own else [])
        moves = {name: entry for name, entry in chosen.items() if before.get(name) != entry}
        files = [
            FileChange(name, self._path(name), self._repository.blob(entry.id))
            for name, entry in sorted(moves.items())
        ]
        records = {name: self.load(entry, _WHOLE) for name, entry in moves.items()}
        join_ref(
            self._repository,
            self.ref,
            own,
            tips[-1],
            files,
            self._note(f"Join what {self.remote} held", records),
            deadline=Deadline(self._lock_timeout),
        )

    def record(self, moves: Mapping[str, RemoteRecord]) -> None:
        """Move the state of some prompts, in one commit.

        Args:
            moves: What the remote holds by now, by name in git; none of them makes no commit.
        """
        if not moves:
            return
        files = [
            FileChange(name, self._path(name), _file(name, record))
            for name, record in sorted(moves.items())
        ]
        title = next(iter(moves)) if len(moves) == 1 else str(len(moves))
        update_ref(
            self._repository,
            self.ref,
            lambda _tip: files,
            self._note(f"Sync {title} with {self.remote}", moves),
            deadline=Deadline(self._lock_timeout),
        )

    def _note(self, title: str, moves: Mapping[str, RemoteRecord]) -> CommitNote:
        lines = [
            f"Remote-Version: {name} {one.version} {one.id}{' archived' if one.deleted else ''}"
            for name, one in sorted(moves.items())
        ]
        message = compose_message("\n".join([title, "", *lines]), {})
        return CommitNote(*choose_signatures(self._repository), message)

    def _tips(self) -> list[str]:
        """Find the newest commits, own first; one that is part of the other's history is none."""
        own, other = map(self._repository.branch_tip, (self.ref, self.fetched))
        if own is None or other is None:
            return [tip for tip in (own, other) if tip]
        if is_ancestor(self._repository, other, own):
            return [own]
        return [other] if is_ancestor(self._repository, own, other) else [own, other]

    def _entries(self, tips: Sequence[str]) -> dict[str, Entry]:
        """List the files of the state by name; of two histories, what each prompt moved to."""
        before: dict[str, Entry] = {}
        with suppress(RevisionNotFoundError):
            if len(tips) == 2:
                before = dict(self._files(common_ancestor(self._repository, *tips)))
        moved: dict[str, Entry] = {}
        for tip in tips:
            for name, entry in self._files(tip):
                other = moved.get(name, entry)
                if entry != before.get(name):
                    moved[name] = entry if other == entry else self._newer(other, entry, tips)
        return before | moved

    def _newer(self, one: Entry, other: Entry, tips: Sequence[str]) -> Entry:
        first, second = (self.load(entry, _WHOLE) for entry in (one, other))
        if first.version != second.version:
            return one if first.version > second.version else other
        times = [self._repository.commit(tip).committed_at for tip in tips]
        return one if times[0] >= times[1] else other

    def _path(self, name: str) -> str:
        return f"{self._prefix}{name}{SUFFIX}"

    def _files(self, commit: str) -> Iterator[tuple[str, Entry]]:
        root = self._prefix.removesuffix("/")
        folder = self._repository.find(self._repository.commit(commit).tree, root)
        for path, entry in self._repository.files(folder.id) if folder else ():
            name = path.removesuffix(SUFFIX)
            if name != path and is_name(name):
                yield name, entry

    def load(self, entry: Entry, codec: Codec) -> RemoteRecord:
        """Read one file of the state.

        Args:
            entry: The file.
            codec: Reads what the remote held.
        """
        prompt = loads(self._repository.blob(entry.id), self.ref)
        facts: Mapping[str, Any] = prompt.extensions.get(_KEY) or {}
        pending = facts.get("pending")
        rest = {key: item for key, item in prompt.extensions.items() if key != _KEY}
        return RemoteRecord(
            content=replace(codec, as_source=True).encode(replace(prompt, extensions=rest)),
            deleted=prompt.deleted,
            remote_name=str(facts.get("name", "")),
            id=str(facts.get("id", "")),
            version=int(facts.get("version", 0)),
            synced=facts.get("synced"),
            pending=PendingReview(pending["commit"], pending["digest"]) if pending else None,
            labels=facts.get("labels") or {},
        )


def refuse_unkeepable(name: str, content: RemoteContent) -> None:
    """Refuse what no file can hold, with the facts about the remote, before it is brought over.

    Args:
        name: The prompt's name.
        content: What a remote holds of it.

    Raises:
        SyncRefusedError: No file can hold it.
    """
    size = len(_file(name, RemoteRecord(content, False, name, "", 0)))
    if size > MAX_FILE_BYTES - _ROOM_FOR_FACTS:
        raise SyncRefusedError(
            name=name,
            reason=f"as a file it has {size:,} bytes, and a file holds {MAX_FILE_BYTES:,}.",
        )


def trailers_of(remote: str, record: RemoteRecord) -> dict[str, str]:
    """Return the trailers of a commit that takes in what a remote held.

    Args:
        remote: The remote's name in the configuration.
        record: What it held.
    """
    return {
        "Remote-Version": f"{remote} {record.remote_name} {record.version}",
        "Remote-Id": record.id,
        "Remote-Digest": record.digest,
    }


def _file(name: str, record: RemoteRecord) -> bytes:
    facts: dict[str, Any] = {"name": record.remote_name, "id": record.id, "version": record.version}
    if record.synced:
        facts["synced"] = record.synced
    if record.pending:
        facts["pending"] = record.pending._asdict()
    if record.labels:
        facts["labels"] = dict(sorted(record.labels.items()))
    prompt = _WHOLE.decode(record.content, None)
    extensions = {**prompt.extensions, _KEY: facts}
    try:
        return dumps(replace(prompt, deleted=record.deleted, extensions=extensions)).encode()
    except InvalidArgumentError as error:
        raise SyncRefusedError(name=name, reason=f"no file can hold it. {error}") from None
