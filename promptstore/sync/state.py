"""What a remote held at the last sync: a commit on a reference of its own.

Its tree holds the remote's prompts as files, at the paths that they have in the store, so that
``git diff refs/promptstore/remotes/NAME HEAD`` compares both sides. Each file says under
``x-remote`` which id and version it was; the trailers of a commit tell those that it moved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import promptstore.promptfile as promptfile
from promptstore.errors import InvalidArgumentError
from promptstore.model import Prompt
from promptstore.names import SUFFIX, is_name
from promptstore.repository import (
    CommitNote,
    Entry,
    FileChange,
    Patience,
    Repository,
    choose_signatures,
    update_ref,
)
from promptstore.repository.message import compose_message
from promptstore.sync.encoding import Wire, checked_file, decode, encode
from promptstore.sync.planning import DELETED

_KEY: Final = "x-remote"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Held:
    """One prompt as a remote held it.

    Attributes:
        wire: What it held; for an archived prompt what it held last.
        deleted: Whether it was archived.
        spelling: Its name on the remote.
        id: The remote's id of the version.
        version: The version's number there.
        offered: The commit on a branch that offers a change of the remote, with that change's
            digest; once the commit is merged, the change counts as seen.
    """

    wire: Wire
    deleted: bool
    spelling: str
    id: str
    version: int
    offered: tuple[str, str] | None = None

    @property
    def digest(self) -> str:
        """The digest, or `DELETED`."""
        return DELETED if self.deleted else self.wire.digest

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """What tells it from other states: digest, spelling, id and version."""
        return self.digest, self.spelling, self.id, self.version


class RemoteState:
    """Reads and moves the state of one remote.

    Args:
        repository: The repository.
        remote: The remote's name in the configuration.
        root: The prompts' folder in the repository.
        lock_timeout: How long locks of others are waited for, in seconds.
    """

    def __init__(
        self, repository: Repository, remote: str, root: str, *, lock_timeout: float = 10.0
    ) -> None:
        if not _NAME.fullmatch(remote):
            raise InvalidArgumentError(
                message=f"{remote!r} cannot name a remote: it is letters, digits, '-' and '_'"
            )
        self.ref = f"refs/promptstore/remotes/{remote}"
        self._remote = remote
        self._repository = repository
        self._prefix = f"{root}/" if root else ""
        self._lock_timeout = lock_timeout

    def check_writable(self) -> None:
        """See that a commit can be made, before anything is done that must be remembered.

        Raises:
            RepositoryError: Git does not know who commits.
        """
        choose_signatures(self._repository, None, None)

    def read(self, *, keeps_config: bool) -> dict[str, Held]:
        """Read what the remote held, by name in git.

        Args:
            keeps_config: Whether the remote has a place for configs; else they are left out.
        """
        tip = self._repository.branch_tip(self.ref)
        if tip is None:
            return {}
        files = self._files(self._prompts_tree(tip))
        return {name: self._held(entry, keeps_config=keeps_config) for name, entry in files}

    def versions(self, *, keeps_config: bool) -> dict[tuple[str, str], int]:
        """Read which version of the remote held what: numbers by name and digest.

        Numbers begin again when a prompt is archived and made anew, so only the versions since
        then count.
        """
        tip = self._repository.branch_tip(self.ref)
        found: dict[tuple[str, str], int] = {}
        lowest: dict[str, int] = {}
        seen: set[str] = set()
        for link in self._repository.walk(tip) if tip else ():
            for name, entry in self._files(self._prompts_tree(link.id)):
                if entry.id in seen:
                    continue
                seen.add(entry.id)
                held = self._held(entry, keeps_config=keeps_config)
                if held.deleted or held.version > lowest.get(name, held.version):
                    lowest[name] = 0
                    continue
                lowest[name] = held.version
                found.setdefault((name, held.wire.digest), held.version)
        return found

    def record(self, moves: Mapping[str, Held]) -> None:
        """Move the state of some prompts, in one commit.

        Args:
            moves: What the remote holds by now, by name in git.
        """
        files = [
            FileChange(name, f"{self._prefix}{name}{SUFFIX}", _file(name, held))
            for name, held in sorted(moves.items())
        ]
        lines = [
            f"Remote-Version: {name} {held.version} {held.id}{' archived' if held.deleted else ''}"
            for name, held in sorted(moves.items())
        ]
        title = f"Sync {len(moves)} with {self._remote}"
        message = compose_message("\n".join([title, "", *lines]), {})
        note = CommitNote(*choose_signatures(self._repository, None, None), message)
        update_ref(
            self._repository,
            self.ref,
            lambda _tip: files,
            note,
            patience=Patience(self._lock_timeout),
        )

    def _prompts_tree(self, commit: str) -> str | None:
        root = self._prefix.removesuffix("/")
        entry = self._repository.find(self._repository.commit(commit).tree, root)
        return entry.id if entry else None

    def _files(self, tree: str | None) -> list[tuple[str, Entry]]:
        found, pending = [], [("", tree)] if tree else []
        while pending:
            folder, current = pending.pop()
            for file, entry in self._repository.tree(current).items():
                if entry.is_tree:
                    pending.append((f"{folder}{file}/", entry.id))
                elif file.endswith(SUFFIX) and is_name(folder + file.removesuffix(SUFFIX)):
                    found.append((folder + file.removesuffix(SUFFIX), entry))
        return found

    def _held(self, entry: Entry, *, keeps_config: bool) -> Held:
        prompt = promptfile.loads(self._repository.blob(entry.id), self.ref)
        facts: Mapping[str, Any] = prompt.extensions.get(_KEY) or {}
        offered = facts.get("offered")
        return Held(
            wire=encode(prompt, keeps_config=keeps_config, as_source=True),
            deleted=prompt.deleted,
            spelling=str(facts.get("name", "")),
            id=str(facts.get("id", "")),
            version=int(facts.get("version", 0)),
            offered=(offered["commit"], offered["digest"]) if offered else None,
        )


def _file(name: str, held: Held) -> bytes:
    facts: dict[str, Any] = {"name": held.spelling, "id": held.id, "version": held.version}
    if held.offered:
        facts["offered"] = dict(zip(("commit", "digest"), held.offered, strict=True))
    read = decode(held.wire, None, keeps_config=True, as_source=True)
    prompt = Prompt(
        prompt=read.prompt,
        messages=read.messages,
        template="simple",
        config=held.wire.config,
        deleted=held.deleted,
        extensions={_KEY: facts},
    )
    return checked_file(name, prompt).encode()
