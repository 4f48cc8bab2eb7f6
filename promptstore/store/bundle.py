"""A bundle: one file that holds prompts, versions and labels, for running without a repository.

The first line is a JSON object that says which format this is, and the SHA-256 of everything behind
that line; what follows is one JSON document. The same commit gives the same bytes.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
)
from pydantic.dataclasses import dataclass

from promptstore.errors import BundleError
from promptstore.git.objects import Entry
from promptstore.git.reading import blob_id
from promptstore.history.labels import Target
from promptstore.history.versions import Change
from promptstore.model.values import is_name

FORMAT: Final = 1
"""Raise it when an older version of promptstore would misread what is written."""

_KEY: Final = "promptstore-bundle"
_GIT_BUNDLE: Final = b"# v"
_FILE_MODE: Final = 0o100644


class BundledCommit(NamedTuple):
    """A commit as far as people ask about it.

    Attributes:
        author: Its author, as ``name <email>``.
        committed_at: When it was committed, in the committer's time zone.
        message: Its whole message.
    """

    author: str
    committed_at: AwareDatetime
    message: str


class BundledVersion(NamedTuple):
    """A version of a prompt.

    Attributes:
        number: Its number.
        commit: The commit that made it.
        blob: The id of the file's content, or None where the commit removed the file.
    """

    number: Annotated[int, Field(ge=1)]
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
    versions: Mapping[str, Annotated[tuple[BundledVersion, ...], Field(min_length=1)]]
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
        found = _adapter().validate_json(body)
    except ValidationError as error:
        fault = error.errors()[0]
        what = f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
    else:
        what = _fault(found)
        if not what:
            return found
    raise BundleError(path=path, reason=f"it holds something else than prompts: {what}.")


def _fault(found: Bundle) -> str:
    """Return what a bundle names and does not hold or cannot be, or an empty string."""
    names = {*found.versions, *chain(*found.trees.values(), *found.labels.values())}
    if wrong := sorted(name for name in names if not is_name(name)):
        return f"{wrong[0]!r} is not a prompt name"
    placed = [version for tree in found.trees.values() for version in tree.values() if version]
    known = [version for some in found.versions.values() for version in some]
    commits = {found.commit, *(version.commit for version in (*placed, *known))}
    blobs = {str(version.blob) for version in placed}
    if lost := sorted(commits - found.commits.keys()):
        return f"commits without {lost[0]}"
    if lost := sorted(blobs - found.blobs.keys()):
        return f"blobs without {lost[0]}"
    # What was parsed of a blob is kept for all stores of this user, by its id.
    for blob, data in found.blobs.items():
        if blob_id(data) != blob:
            return f"the blob {blob} has another content"
    return ""


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
    except (ValueError, RecursionError):
        return None, None
    return (head.get(_KEY), head.get("sha256")) if isinstance(head, dict) else (None, None)


@cache
def _adapter() -> TypeAdapter[Bundle]:
    return TypeAdapter(Bundle)
