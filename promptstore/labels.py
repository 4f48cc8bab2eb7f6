"""Labels: movable names that point a prompt at one of its versions.

They live on a branch of their own, an orphan whose tree holds one file per label::

    # production.yaml
    support/triage: {version: 3, commit: 3f2a91c0…}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from promptstore.errors import LabelNotFoundError, Problem, PromptFileError
from promptstore.names import SUFFIX
from promptstore.promptfile import codes, parse_yaml
from promptstore.repository import Repository

BRANCH: Final = "promptstore/labels"
"""The branch that holds the labels."""

_REFS: Final = (f"refs/heads/{BRANCH}", f"refs/remotes/origin/{BRANCH}")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_MAX_LENGTH: Final = 128
_RESERVED: Final = "latest"


class Target(NamedTuple):
    """Where a label points one prompt.

    Attributes:
        version: The version's number.
        commit: The commit that the prompt and its includes are read from.
    """

    version: int
    commit: str


@dataclass(frozen=True, slots=True)
class LabelTable:
    """All labels at one moment.

    Attributes:
        targets: The targets by label, then by prompt name.
        broken: The labels whose file cannot be read, with the error.
    """

    targets: Mapping[str, Mapping[str, Target]] = field(default_factory=dict)
    broken: Mapping[str, PromptFileError] = field(default_factory=dict)

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
            there_are = sorted(key for key, names in self.targets.items() if name in names)
            raise LabelNotFoundError(label=label, name=name, near=there_are)
        return target

    def of(self, name: str, version: int | None) -> tuple[str, ...]:
        """List the labels that point a prompt at this version, sorted."""
        return tuple(
            sorted(
                label
                for label, names in self.targets.items()
                if version is not None and name in names and names[name].version == version
            )
        )


def contradiction(label: str, name: str, target: Target, version: int | None) -> PromptFileError:
    """Make the error for a label whose commit holds another version than it says."""
    message = (
        f"{name!r} says version {target.version}, but its commit {target.commit[:7]} holds "
        f"version {version}. Set both to the version that is meant."
    )
    problem = Problem(1, 1, codes.WRONG_VALUE, message)
    return PromptFileError(path=f"{BRANCH}:{label}{SUFFIX}", problems=[problem])


def is_label(text: str) -> bool:
    """Tell whether a text can be a label's name; digits alone and ``latest`` cannot."""
    return (
        len(text) <= _MAX_LENGTH
        and _LABEL.fullmatch(text) is not None
        and not text.isdigit()
        and text != _RESERVED
    )


def labels_commit(repository: Repository) -> str | None:
    """Find the newest commit of the labels branch, the remote's where there is no local one."""
    tips = (repository.branch_tip(ref) for ref in _REFS)
    return next((tip for tip in tips if tip), None)


def read_labels(repository: Repository, commit: str) -> LabelTable:
    """Read all labels from a commit of their branch.

    Args:
        repository: The repository.
        commit: A commit's id.

    Returns:
        The labels; files that are none are left out.
    """
    targets: dict[str, Mapping[str, Target]] = {}
    broken: dict[str, PromptFileError] = {}
    for file, entry in repository.tree(repository.commit(commit).tree).items():
        label = file.removesuffix(SUFFIX)
        if not (entry.is_file and file.endswith(SUFFIX) and is_label(label)):
            continue
        try:
            content = parse_yaml(repository.blob(entry.id), f"{BRANCH}:{file}")
        except PromptFileError as error:
            broken[label] = error
            continue
        targets[label] = _targets(content)
    return LabelTable(targets, broken)


def _targets(content: Any) -> dict[str, Target]:
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
