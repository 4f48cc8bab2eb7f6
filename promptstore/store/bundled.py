"""Reading a bundle: what a store asks its files, versions and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Final

from promptstore.errors import BundleError, InvalidArgumentError, NotInBundleError
from promptstore.git.objects import Commit, Entry
from promptstore.history.backend import Backend, RefState
from promptstore.history.labels import LabelMove, LabelTable
from promptstore.history.sources import File, Source
from promptstore.history.versions import Change, Timeline
from promptstore.model.values import SUFFIX
from promptstore.store.bundle import Bundle, BundledVersion, decode, read_bundle

_SHORTEST_ID: Final = 4


def open_bundle(path: Path, root: str | None, branch: str | None) -> BundleBackend:
    """Open the file of a bundle.

    Args:
        path: The file.
        root: The root that is asked for, or None for the bundle's own.
        branch: The branch that is asked for, or None for the bundle's own.

    Raises:
        BundleError: It is no whole bundle.
        InvalidArgumentError: It was built from another root or branch.
    """
    bundle = read_bundle(path)
    asked = {"root": (root, bundle.root), "branch": (branch, bundle.branch)}
    for what, (wanted, given) in asked.items():
        if wanted not in (None, given):
            raise InvalidArgumentError(
                message=f"{path} was built from the {what} {given!r}, not {wanted!r}; leave the "
                f"{what} out"
            )
    return BundleBackend(bundle, path)


def open_resource(package: str, name: str) -> BundleBackend:
    """Open a bundle that lies in an installed package; see `PromptStore.open_resource`."""
    try:
        data = (files(package) / name).read_bytes()
    except (ModuleNotFoundError, TypeError, ValueError) as error:
        raise InvalidArgumentError(message=f"there is no package {package!r}: {error}") from error
    except OSError as error:
        # What is in a zip file fails without the system.
        reason = f"{error.strerror or 'there is no such file'}. Is it part of the package's data?"
        raise BundleError(path=f"{package}/{name}", reason=reason) from error
    return BundleBackend(decode(data, f"{package}/{name}"), Path(package, name))


class BundleSource(Source):
    """The files that a bundle holds of one commit.

    Args:
        backend: The bundle.
        commit: The commit's id.
        title: What it was asked for by.

    Raises:
        NotInBundleError: It holds nothing of this commit.
    """

    def __init__(self, backend: BundleBackend, commit: str, title: str) -> None:
        bundle = backend.bundle
        self.commit = commit
        self.place = f"{title} ({commit[:7]})" if title != commit else commit[:12]
        self._backend = backend
        self._bundle = bundle
        # A label may point at the newest commit today, and tomorrow at another one.
        is_newest = title == bundle.branch and bool(bundle.label)
        self._tree = {} if is_newest else bundle.trees.get(commit, {})

    def names(self) -> list[str]:
        """List the names of all files, sorted."""
        if self.commit != self._bundle.commit or self._bundle.label:
            raise self._backend.lacks(f"all prompts of {self.place}")
        return sorted(name for name, version in self._tree.items() if version)

    def find(self, name: str) -> File | None:
        """Find the file of a prompt.

        Raises:
            NotInBundleError: It is not known whether there is one.
        """
        version = self._tree.get(name)
        if version is None or version.blob is None:
            is_whole = self.commit == self._bundle.commit and not self._bundle.label
            if name in self._tree or (is_whole and self._bundle.chooses(name)):
                return None
            raise self._backend.lacks(f"{name!r} of {self.place}")
        path = f"{self._bundle.root}/{name}{SUFFIX}".removeprefix("/")
        return File(path, version.blob, partial(bytes, self._bundle.blobs[version.blob]))


class BundleTimeline(Timeline):
    """The versions of the prompts in a bundle as of one of its commits.

    Every method raises `NotInBundleError` for what the bundle does not hold.

    Args:
        backend: The bundle.
        tip: The commit's id.
    """

    def __init__(self, backend: BundleBackend, tip: str) -> None:
        self._bundle = bundle = backend.bundle
        self._lacks = backend.lacks
        self._tree = bundle.trees.get(tip, {})
        # Of other commits it is known what prompts were there, not what had been before.
        self._versions: Mapping[str, tuple[BundledVersion, ...]] = (
            bundle.versions if tip == bundle.commit else {}
        )

    def latest(self, name: str) -> Change | None:
        """Return the newest version of a prompt, or None where it never existed."""
        versions = self._versions.get(name, ())
        found: BundledVersion | None = self._tree.get(name) or (versions[0] if versions else None)
        if found is None and (self._bundle.label or not self._bundle.chooses(name)):
            raise self._lacks(repr(name))
        return found.change if found else None

    def nth(self, name: str, number: int) -> Change | None:
        """Return the version of a prompt that has this number, or None."""
        latest = self._tree.get(name)
        known = [*self._versions.get(name, ()), *([latest] if latest else [])]
        for version in known:
            if version.number == number:
                return version.change
        if known and 1 <= number <= known[0].number:
            raise self._lacks(f"version {number} of {name!r}")
        return None

    def history(self, name: str) -> list[Change]:
        """List the versions of a prompt whose texts are held, newest first."""
        return [
            version.change
            for version in self._versions.get(name, ())
            if version.blob is None or name in self._bundle.trees.get(version.commit, {})
        ]

    def latest_of_all(self) -> dict[str, Change]:
        """Return the newest version of every prompt that ever existed."""
        return {name: versions[0].change for name, versions in self._versions.items()}

    def first_of_all(self) -> dict[str, Change]:
        """Return version 1 of every prompt that ever existed."""
        return {name: versions[-1].change for name, versions in self._versions.items()}

    def commit_at(self, time: float) -> str | None:
        """Return the newest commit made no later than a time in seconds since 1970."""
        newest = self._bundle.commit
        if self._bundle.commits[newest].committed_at.timestamp() <= time:
            return newest
        raise self._lacks("the commits before its own", ever=False)

    def first_commit(self) -> str:
        """Return the first commit of the history."""
        raise self._lacks("the first commit", ever=False)

    def places(self) -> dict[str, int]:
        """Return how far along the history each prompt changed last."""
        raise self._lacks("the order of all commits", ever=False)

    def changed_by(self, commit: str) -> dict[str, Entry | None]:
        """Return what stands at the path of each prompt that a commit changed."""
        return {
            name: version.change.entry
            for name, versions in self._bundle.versions.items()
            for version in versions
            if version.commit == commit
        }


class BundleBackend(Backend):
    """A bundle, which is in memory as a whole. Threads may share it.

    Args:
        bundle: The bundle.
        path: The path of its file.
    """

    has_commits = True

    def __init__(self, bundle: Bundle, path: Path) -> None:
        super().__init__(path, bundle.root)
        self.bundle = bundle
        self._state = RefState(bundle.commit, bundle.branch, bundle.labels_commit)
        self._labels = LabelTable(bundle.labels)

    @property
    def has_files(self) -> bool:
        """Whether there are files on disk, which a bundle has none of."""
        return False

    def known_state(self) -> RefState:
        """Return the state, which is in memory."""
        return self._state

    def state(self) -> RefState:
        """Return where the branch and the labels were."""
        return self._state

    def why_no_versions(self, _state: RefState) -> str:
        """Return nothing: the versions of what is held are known."""
        return ""

    def working_files(self) -> Source:
        """Refuse: there are no files on disk."""
        raise InvalidArgumentError(message=f"{self.path} is a bundle, which has no files on disk")

    def files(self, commit: str, title: str) -> Source:
        """Return the files of a commit; the title says what it was asked for by."""
        return BundleSource(self, commit, title)

    def timeline(self, tip: str) -> Timeline:
        """Return the versions as of a commit."""
        return BundleTimeline(self, tip)

    def commit(self, commit_id: str) -> Commit:
        """Return who made a commit, when and why."""
        found = self.bundle.commits.get(commit_id)
        if found is None:
            raise self.lacks(f"the commit {commit_id[:12]}")
        return Commit(commit_id, "", *found)

    def blob(self, blob_id: str) -> bytes:
        """Return the content of a file by its id."""
        found = self.bundle.blobs.get(blob_id)
        if found is None:
            raise self.lacks(f"the file {blob_id[:12]}")
        return found

    def resolve(self, rev: str) -> str:
        """Return the id of the commit that a rev names."""
        own = self.bundle.commit
        if rev in ("HEAD", self.bundle.branch):
            return own
        if len(rev) >= _SHORTEST_ID:
            found = [one for one in {own, *self.bundle.trees} if one.startswith(rev)]
            if len(found) == 1:
                return found[0]
        raise self.lacks(f"the rev {rev!r}")

    def labels(self, _state: RefState) -> LabelTable:
        """Return all labels."""
        return self._labels

    def state_at(self, _state: RefState, time: datetime) -> RefState:
        """Refuse: where labels were before is not held."""
        raise self.lacks(f"where labels were at {time.isoformat()}", ever=False)

    def label_moves(self) -> Sequence[LabelMove]:
        """Refuse: the moves of labels are not held."""
        raise self.lacks("the moves of labels", ever=False)

    def lacks(self, what: str, *, ever: bool = True) -> NotInBundleError:
        """Make the error that says that something is not held, and how it would be.

        Args:
            what: What is not held.
            ever: Whether a bundle may hold it.
        """
        if not ever:
            advice = "No bundle does; open the repository."
        elif self.bundle.label:
            advice = f"It holds what the labels {', '.join(self.bundle.label)} point at; "
            advice += "`promptstore bundle build` without --label takes the newest versions too."
        elif self.bundle.only:
            held = ", ".join(self.bundle.only)
            advice = f"It holds {held}; build it with another --only (only=…)."
        else:
            advice = "Build it with a larger --with-history (with_history=…), or open the "
            advice += "repository."
        return NotInBundleError(path=str(self.path), what=what, advice=advice)
