"""Labels: movable names that point a prompt at one of its versions.

They live on a branch of their own, an orphan whose tree holds one file per label::

    # production.yaml
    support/triage: {version: 3, commit: 3f2a91c0…}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from promptstore.errors import (
    InvalidArgumentError,
    LabelNotFoundError,
    Problem,
    PromptFileError,
)
from promptstore.git.reading import Repository
from promptstore.model.values import SUFFIX
from promptstore.promptfile import codes

BRANCH: Final = "promptstore/labels"
"""The branch that holds the labels."""

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_MAX_LENGTH: Final = 128
_RESERVED: Final = "latest"
_PROTECTED: Final = frozenset({"production", "prod", "live", "stable"})


_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class Target(NamedTuple):
    """Where a label points one prompt.

    Attributes:
        version: The version's number.
        commit: The commit that the prompt and its includes are read from.
    """

    version: int
    commit: str


_Targets: TypeAlias = Mapping[str, Mapping[str, "Target"]]
"""Targets by label, then by prompt name."""


class LabelTable(NamedTuple):
    """All labels at one moment.

    Attributes:
        targets: The targets by label, then by prompt name.
        broken: The labels whose file cannot be read, with the error.
    """

    targets: _Targets = _NONE
    broken: Mapping[str, PromptFileError] = _NONE

    def find(self, label: str, name: str) -> Target:
        """Find where a label points a prompt.

        Raises:
            LabelNotFoundError: It does not; another label is never taken instead.
            PromptFileError: The label's file cannot be read.
        """
        if label in self.broken:
            raise self.broken[label]
        target = self.targets.get(label, {}).get(name)
        if target is None:
            raise LabelNotFoundError(label=label, name=name, near=list(self.versions(name)))
        return target

    def of_label(self, label: str) -> Mapping[str, Target]:
        """Return where a label points, by prompt name.

        Raises:
            LabelNotFoundError: There is no such label.
            PromptFileError: The label's file cannot be read.
        """
        if label in self.broken:
            raise self.broken[label]
        if label not in self.targets:
            raise LabelNotFoundError(label=label, near=sorted(self.targets))
        return self.targets[label]

    def versions(self, name: str) -> dict[str, int]:
        """Return the version of a prompt that each of its labels points at, sorted by label."""
        return {
            label: names[name].version
            for label, names in sorted(self.targets.items())
            if name in names
        }


def contradiction(label: str, name: str, target: Target, version: int | None) -> PromptFileError:
    """Return the error for a label whose commit holds another version than it says."""
    message = (
        f"{name!r} says version {target.version}, but its commit {target.commit[:7]} holds "
        f"version {version}. Set both to the version that is meant."
    )
    problem = Problem(1, 1, codes.WRONG_VALUE, message)
    return PromptFileError(path=f"{BRANCH}:{label}{SUFFIX}", problems=[problem])


def is_label(text: object) -> bool:
    """Return whether a value can be a label's name; digits alone and ``latest`` cannot."""
    return (
        isinstance(text, str)
        and len(text) <= _MAX_LENGTH
        and _LABEL.fullmatch(text) is not None
        and not text.isdigit()
        and text != _RESERVED
    )


def is_protected(label: str) -> bool:
    """Return whether a label's name says that others rely on where it points."""
    return not _PROTECTED.isdisjoint(re.split(r"[._-]", label))


def check_label(text: str) -> str:
    """Return a label's name unchanged when it can be one.

    Raises:
        InvalidArgumentError: It cannot.
    """
    if not is_label(text):
        raise InvalidArgumentError(
            message=f"{text!r} cannot be a label. A label has lower-case letters, digits, '.', "
            f"'_' and '-', starts and ends with a letter or digit, has at most {_MAX_LENGTH} "
            f"characters, and is neither digits alone nor {_RESERVED!r}"
        )
    return text


def read_labels(
    repository: Repository, commit: str, known: dict[str, Mapping[str, Target]] | None = None
) -> LabelTable:
    """Read all labels from a commit of their branch.

    Args:
        repository: The repository.
        commit: A commit's id.
        known: What label files hold by the id of their content, and is read no more; it grows.

    Returns:
        The labels; files that are none are left out.
    """
    from promptstore.promptfile.anyyaml import parse_yaml  # a store without labels needs no parser

    targets: dict[str, Mapping[str, Target]] = {}
    broken: dict[str, PromptFileError] = {}
    known = {} if known is None else known
    for file, entry in repository.tree(repository.commit(commit).tree).items():
        label = file.removesuffix(SUFFIX)
        if not (entry.is_file and file.endswith(SUFFIX) and is_label(label)):
            continue
        if entry.id not in known:
            try:
                data = repository.blob(entry.id)
                known[entry.id] = targets_in(parse_yaml(data, f"{BRANCH}:{file}"))
            except PromptFileError as error:
                broken[label] = error
                continue
        targets[label] = known[entry.id]
    return LabelTable(targets, broken)


def labels_at(repository: Repository, commit: str | None, time: datetime) -> str | None:
    """Return the commit of the labels branch that was its newest at a time.

    Args:
        repository: The repository.
        commit: The newest commit of the branch, or None where there is none.
        time: The time, with a zone.

    Returns:
        The commit's id, or None where there were no labels yet.

    Raises:
        RepositoryError: A commit is missing or damaged.
    """
    seconds = time.timestamp()
    links = repository.walk(commit) if commit else ()
    return next((link.id for link in links if link.time <= seconds), None)


def targets_in(content: Any) -> dict[str, Target]:
    """Return where a label points, by prompt name, as its file says."""
    if not isinstance(content, dict):
        return {}
    found = {name: _target(value) for name, value in content.items()}
    return {name: target for name, target in found.items() if target}


def _target(value: Any) -> Target | None:
    if not isinstance(value, dict):
        return None
    version, commit = value.get("version"), value.get("commit")
    if type(version) is not int or not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        return None
    return Target(version, commit)


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


def label_moves(repository: Repository, commit: str) -> list[LabelMove]:
    """List every move of a label up to a commit of their branch, newest first.

    A commit whose label file is broken counts as one that left the label where it was.
    """
    table: _Targets = {}
    known: dict[str, Mapping[str, Target]] = {}
    moves: list[LabelMove] = []
    for link in reversed([*repository.walk(commit)]):
        read = read_labels(repository, link.id, known)
        kept = {label: table[label] for label in read.broken if label in table}
        after = {**read.targets, **kept}
        moves[:0] = _moves_between(repository, link.id, table, after)
        table = after
    return moves


def _moves_between(
    repository: Repository,
    commit_id: str,
    before: _Targets,
    after: _Targets,
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
