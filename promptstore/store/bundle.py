"""A bundle: one file that holds prompts, versions and labels, for running without a repository.

The first line is a JSON object that says which format this is, and the SHA-256 of everything behind
that line; what follows is one JSON document. The same commit gives the same bytes.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cache
from hashlib import sha256
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

from pydantic import BeforeValidator, ConfigDict, PlainSerializer, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from promptstore.errors import (
    BundleError,
    HistoryUnavailableError,
    InvalidArgumentError,
    NotInBundleError,
    PromptFileError,
)
from promptstore.git.trees import Entry
from promptstore.history.backend import RefState, Timeline
from promptstore.history.contents import included_names
from promptstore.history.labels import Target
from promptstore.history.versions import Change
from promptstore.model.names import is_name
from promptstore.store.history import History
from promptstore.store.lookup import Lookup
from promptstore.store.snapshot import Snapshot

FORMAT: Final = 1
"""Raise it when an older version of promptstore would misread what is written."""

_KEY: Final = "promptstore-bundle"
_GIT_BUNDLE: Final = b"# v"
_MAX_SHOWN: Final = 5
_ABSENT: Final = object()
_FILE_MODE: Final = 0o100644


class BundledCommit(NamedTuple):
    """A commit as far as people ask about it.

    Attributes:
        author: Its author, as ``name <email>``.
        committed_at: When it was committed, in the committer's time zone.
        message: Its whole message.
    """

    author: str
    committed_at: datetime
    message: str


class BundledVersion(NamedTuple):
    """A version of a prompt.

    Attributes:
        number: Its number.
        commit: The commit that made it.
        blob: The id of the file's content, or None where the commit removed the file.
    """

    number: int
    commit: str
    blob: str | None

    @property
    def change(self) -> Change:
        """The same as the history of a repository says it."""
        entry = None if self.blob is None else Entry(_FILE_MODE, self.blob)
        return Change(self.number, self.commit, entry)


def _to_json(data: bytes) -> str | list[str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return [b64encode(data).decode()]


def _from_json(value: Any) -> Any:
    return b64decode(value[0]) if isinstance(value, list) and len(value) == 1 else value


_Content: TypeAlias = Annotated[
    bytes, BeforeValidator(_from_json), PlainSerializer(_to_json, when_used="json")
]
"""What a file holds: in JSON a string, or a list of one in base64 where it is not UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Bundle:
    """What a bundle holds.

    Attributes:
        commit: The commit that it was built from.
        branch: The branch that this commit was the tip of.
        labels_commit: The newest commit of the labels branch, or None where there was none.
        root: The prompts' folder in the repository.
        only: The patterns of names that were chosen; none are all.
        label: The labels that were chosen: then it holds what these point at, and nothing else.
        with_history: Of how many of the newest versions of each prompt it holds the text.
        commits: The commits that made versions, by id.
        versions: Versions by name, the newest first. Of some only this is held, and no text.
        trees: What prompts are at a commit, by the commit and by the name; None is for one that is
            included there and does not exist. At the bundle's own commit these are all of its
            prompts, at another one those that it can give from there.
        blobs: The contents of files by their ids in git.
        labels: Where labels point, by label and by name.
    """

    commit: str
    branch: str
    labels_commit: str | None
    root: str
    only: tuple[str, ...]
    label: tuple[str, ...]
    with_history: int
    commits: Mapping[str, BundledCommit]
    versions: Mapping[str, tuple[BundledVersion, ...]]
    trees: Mapping[str, Mapping[str, BundledVersion | None]]
    blobs: Mapping[str, _Content]
    labels: Mapping[str, Mapping[str, Target]]

    def encode(self) -> bytes:
        """Return the bundle as the bytes of its file."""
        body = json.dumps(
            _adapter().dump_python(self, mode="json"),
            sort_keys=True,
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()
        head = {_KEY: FORMAT, "sha256": sha256(body).hexdigest()}
        return json.dumps(head).encode() + b"\n" + body + b"\n"

    @property
    def digest(self) -> str:
        """The SHA-256 of what it holds."""
        head, _, _ = self.encode().partition(b"\n")
        return str(json.loads(head)["sha256"])

    def chooses(self, name: str) -> bool:
        """Return whether prompts of a name were to be held where they exist."""
        return is_chosen(name, self.only)

    def lacks(self, what: str, path: str) -> NotInBundleError:
        """Make the error that says that something is not held, and how it would be."""
        if self.label:
            advice = f"It holds what the labels {', '.join(self.label)} point at; "
            advice += "`promptstore bundle build` without --label takes the newest versions too."
        elif self.only:
            advice = f"It holds {', '.join(self.only)}; build it with another --only."
        else:
            advice = "Build it with a larger --with-history, or open the repository."
        return NotInBundleError(path=path, what=what, advice=advice)


def decode(data: bytes, path: str) -> Bundle:
    """Read a bundle from the bytes of its file.

    Args:
        data: The bytes.
        path: What the file is called, for errors.

    Raises:
        BundleError: It is no bundle, not a whole one, or one of another format.
    """
    head, _, rest = data.partition(b"\n")
    number, digest = _read_head(head)
    if number is None:
        reason = "this is no bundle of promptstore. `promptstore bundle build` makes one."
        if data.startswith(_GIT_BUNDLE):
            reason = "this is a bundle of git's own: `git clone` it, or build one of prompts with "
            reason += "`promptstore bundle build`."
        raise BundleError(path=path, reason=reason)
    if number != FORMAT:
        raise BundleError(
            path=path,
            reason=f"its format is {number!r}, and this version of promptstore reads {FORMAT}. "
            "Build it with the version that reads it.",
        )
    body = rest.removesuffix(b"\n")
    if sha256(body).hexdigest() != digest:
        raise BundleError(
            path=path,
            reason="this is not what was built: it is cut off, or was changed. Build it anew.",
        )
    try:
        return _adapter().validate_json(body)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise BundleError(
            path=path, reason=f"it holds something else than prompts: {place}: {fault['msg']}."
        ) from None


def read_bundle(path: Path) -> Bundle:
    """Read a bundle from its file.

    Raises:
        BundleError: It cannot be read, or is no whole bundle.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BundleError(path=str(path), reason=f"{error.strerror}.") from error
    return decode(data, str(path))


def is_chosen(name: str, only: Sequence[str]) -> bool:
    """Return whether a name fits one of some patterns, or there are none."""
    return not only or any(fnmatchcase(name, pattern) for pattern in only)


def _read_head(line: bytes) -> tuple[Any, Any]:
    try:
        head = json.loads(line)
    except ValueError:
        return None, None
    return (head.get(_KEY), head.get("sha256")) if isinstance(head, dict) else (None, None)


def build(
    lookup: Lookup,
    *,
    only: Sequence[str] = (),
    label: Sequence[str] = (),
    with_history: int = 1,
    like: Bundle | None = None,
) -> Bundle:
    """Build a bundle of the branch that a store reads.

    Args:
        lookup: Where the prompts are.
        only: Patterns of names, such as ``support/*``; what they include comes along. None are all.
        label: Labels: the bundle holds what these point at, and nothing else.
        with_history: Of how many of the newest versions of each prompt the text is held.
        like: Another bundle, at whose commit and with whose choices this one is built instead.

    Raises:
        InvalidArgumentError: There is no prompt to put in.
        LabelNotFoundError: There is no such label.
        HistoryUnavailableError: Versions cannot be counted here.
        PromptFileError: The file of a label is broken.
    """
    backend = lookup.backend
    state = backend.state()
    if like is not None:
        state = state._replace(
            tip=backend.resolve(like.commit), title=like.branch, labels=like.labels_commit
        )
        only, label, with_history = like.only, like.label, like.with_history
    if reason := backend.why_no_versions(state):
        raise HistoryUnavailableError(reason=reason)
    if state.tip is None:
        raise InvalidArgumentError(message=f"{state.title} has no commit to build a bundle from")
    found = _Collected(lookup, state, tuple(only))
    labels = found.labels(label)
    tip = lookup.tip(state)
    if not label:
        found.add_newest(tip, with_history)
    for name_of_label, targets in labels.items():
        found.add_labelled(tip, name_of_label, targets)
    if not found.blobs:
        raise InvalidArgumentError(
            message=f"no prompt in {tip.place} is chosen; `promptstore list` shows the names"
        )
    return Bundle(
        commit=state.tip,
        branch=state.title,
        labels_commit=state.labels,
        root=backend.root,
        only=tuple(only),
        label=tuple(label),
        with_history=with_history,
        commits={commit: found.commit(commit) for commit in sorted(found.commits | {state.tip})},
        versions=found.versions(),
        trees=found.trees,
        blobs=found.blobs,
        labels=labels,
    )


def differences(one: Bundle, other: Bundle) -> list[str]:
    """List what differs between two bundles, in words; nothing where they are the same."""
    found = []
    for item in fields(Bundle):
        mine, theirs = getattr(one, item.name), getattr(other, item.name)
        if mine == theirs:
            continue
        if isinstance(mine, Mapping):
            keys = sorted(
                key
                for key in {*mine, *theirs}
                if mine.get(key, _ABSENT) != theirs.get(key, _ABSENT)
            )
            more = f" and {len(keys) - _MAX_SHOWN} more" if len(keys) > _MAX_SHOWN else ""
            found.append(f"{item.name} differ: {', '.join(keys[:_MAX_SHOWN])}{more}")
        else:
            found.append(f"{item.name} is {mine!r}, not {theirs!r}")
    return found


class _Collected:
    """What a bundle is going to hold.

    Args:
        lookup: Where the prompts are.
        state: Where the branch and the labels are.
        only: The patterns of names.
    """

    def __init__(self, lookup: Lookup, state: RefState, only: Sequence[str]) -> None:
        self._lookup = lookup
        self._state = state
        self._only = only
        self._versions: dict[str, dict[int, BundledVersion]] = {}
        self.trees: dict[str, dict[str, BundledVersion | None]] = {}
        self.blobs: dict[str, bytes] = {}
        self.commits: set[str] = set()

    def chooses(self, name: str) -> bool:
        """Return whether a name is asked for."""
        return is_chosen(name, self._only)

    def commit(self, commit_id: str) -> BundledCommit:
        """Read a commit."""
        found = self._lookup.backend.commit(commit_id)
        return BundledCommit(found.author, found.committed_at, found.message)

    def versions(self) -> dict[str, tuple[BundledVersion, ...]]:
        """Return the versions of the branch by name, the newest first."""
        return {
            name: tuple(found[number] for number in sorted(found, reverse=True))
            for name, found in self._versions.items()
        }

    def labels(self, wanted: Sequence[str]) -> dict[str, dict[str, Target]]:
        """Return where labels point those prompts that are asked for."""
        table = self._lookup.backend.labels(self._state)
        names = wanted or sorted({*table.targets, *table.broken})
        return {
            name: {
                prompt: target
                for prompt, target in table.of_label(name).items()
                if self.chooses(prompt)
            }
            for name in names
        }

    def add_newest(self, tip: Snapshot, count: int) -> None:
        """Add the newest versions of all prompts that are asked for, and of what they include."""
        self.trees.setdefault(str(tip.commit), {})
        for name in filter(self.chooses, tip.names()):
            self.add(tip, name)
        history = tip.history
        assert history is not None
        ever = set(filter(self.chooses, history.timeline.latest_of_all()))
        for name in sorted(ever | self.trees[str(tip.commit)].keys()):
            changes = history.timeline.history(name)
            newest = list(takewhile(lambda change: not _is_alive(history, change), changes))
            # Who deleted a prompt, and what it was before, is told with the error.
            for change in changes[: max(count, len(newest) + 1 if newest else 0)]:
                self._keep(name, change)
                if change.entry is not None:
                    self.add(self._lookup.at(self._state, change.commit, "version"), name)
            self._keep_known(history.timeline, name, 1)

    def add_labelled(self, tip: Snapshot, label: str, targets: Mapping[str, Target]) -> None:
        """Add what a label points at."""
        history = tip.history
        assert history is not None
        for name, target in targets.items():
            self.add(self._lookup.at(self._state, target.commit, label), name)
            # Of who made it when the whole history tells, beside its newest and first version.
            latest = history.timeline.latest(name)
            for number in {1, target.version, latest.number} if latest else ():
                self._keep_known(history.timeline, name, number)

    def _keep_known(self, timeline: Timeline, name: str, number: int) -> None:
        change = timeline.nth(name, number)
        if change is not None:
            self._keep(name, change)

    def add(self, snapshot: Snapshot, name: str) -> None:
        """Add a prompt as of a commit, and what it includes there."""
        commit = str(snapshot.commit)
        tree = self.trees.setdefault(commit, {})
        pending = [name]
        while pending:
            name = pending.pop()
            file = None if name in tree else snapshot.find(name)
            if file is None:
                tree.setdefault(name, None)
                continue
            change = snapshot.history.timeline.latest(name) if snapshot.history else None
            assert change is not None
            tree[name] = BundledVersion(change.number, change.commit, file.blob)
            self.commits.add(change.commit)
            self.blobs[file.blob] = file.read()
            with suppress(PromptFileError):
                pending += filter(is_name, included_names(snapshot.parse(file)))

    def _keep(self, name: str, change: Change) -> None:
        version = BundledVersion(change.number, change.commit, change.blob)
        self._versions.setdefault(name, {})[change.number] = version
        self.commits.add(change.commit)


def _is_alive(history: History, change: Change) -> bool:
    return change.entry is not None and not history.is_tombstone(change.entry.id)


@cache
def _adapter() -> TypeAdapter[Bundle]:
    return TypeAdapter(Bundle)
