"""Skills: folders with a ``SKILL.md`` under the root, served as the protocol's extension says."""

from __future__ import annotations

import hashlib
import logging
import mimetypes
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from mcp import types

from promptstore.errors import HistoryUnavailableError, ImportRefusedError, NotFoundError
from promptstore.git.reading import Repository
from promptstore.history.sources import SKILL_FILE
from promptstore.interchange.formats.common import split_front_matter
from promptstore.mcp.access import Access, page
from promptstore.store.store import PromptStore

EXTENSION: Final = "io.modelcontextprotocol/skills"
SETTINGS: Final = {"directoryRead": True}

_log = logging.getLogger("promptstore.mcp")
_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_MAX_NAME: Final = 64
_MAX_DESCRIPTION: Final = 1_024
_MAX_FILES: Final = 512
_MAX_BYTES: Final = 16 * 1024 * 1024
_FOLDER: Final = "inode/directory"


class SkillParams(types.RequestParams):
    """What ``skills/get`` is asked.

    Attributes:
        uri: The URI of the skill.
    """

    uri: str


class DirectoryParams(types.PaginatedRequestParams):
    """What ``resources/directory/read`` is asked.

    Attributes:
        uri: The URI of the folder.
    """

    uri: str


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a skill: where it is read, its path in the folder, and what it holds."""

    uri: str
    path: str
    blob: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Skill:
    """A skill.

    Attributes:
        uri: The URI of its ``SKILL.md``.
        frontmatter: What stands at the top of that file.
        files: Its files, those of skills in folders below too.
    """

    uri: str
    frontmatter: Mapping[str, Any]
    files: tuple[_File, ...]

    @property
    def entry(self) -> dict[str, Any]:
        """The skill as a list of skills has it."""
        resources = [
            {"uri": file.uri, "digest": file.digest, "size": file.size} for file in self.files
        ]
        return {"uri": self.uri, "frontmatter": dict(self.frontmatter), "resources": resources}

    def resource(self, file: _File) -> types.Resource:
        """Return a file of it as a resource."""
        name, description = PurePosixPath(file.path).name, None
        if file.uri == self.uri:
            name, description = self.frontmatter["name"], self.frontmatter["description"]
        return types.Resource(
            uri=file.uri,
            name=name,
            description=description,
            mime_type=media_type(file.path),
            size=file.size,
        )


def skills_of(store: PromptStore) -> Mapping[str, Skill]:
    """Return the skills of a store by the URI of their ``SKILL.md``; without git it has none."""
    try:
        repository, tip = store.repository, store.position().tip
    except HistoryUnavailableError:
        return {}
    return _skills_at(repository, store.root, tip) if tip else {}


def list_skills(access: Access, params: types.PaginatedRequestParams | None) -> dict[str, Any]:
    """List the skills, a page at a time."""
    found = skills_of(access.store)
    shown, following = page([found[uri] for uri in sorted(found)], params, lambda skill: skill.uri)
    result: dict[str, Any] = {"skills": [skill.entry for skill in shown]}
    return result | ({"nextCursor": following} if following else {})


def get_skill(access: Access, params: SkillParams) -> dict[str, Any]:
    """Return one skill.

    Raises:
        NotFoundError: There is none with this URI.
    """
    skill = skills_of(access.store).get(params.uri)
    if skill is None:
        raise NotFoundError(f"There is no skill {params.uri}; `skills/list` lists them.")
    return {"skill": skill.entry}


def read_directory(access: Access, params: DirectoryParams) -> dict[str, Any]:
    """List what is directly in a folder of a skill, or in one that leads to skills.

    Raises:
        NotFoundError: There is no such folder.
    """
    prefix = f"{params.uri}/"
    found: dict[str, types.Resource] = {}
    for skill in skills_of(access.store).values():
        for file in skill.files:
            name, is_deeper, _ = file.uri.removeprefix(prefix).partition("/")
            if not file.uri.startswith(prefix):
                continue
            child = prefix + name
            if is_deeper:
                found[child] = types.Resource(uri=child, name=name, mime_type=_FOLDER)
            elif child not in found or file.uri == skill.uri:
                found[child] = skill.resource(file)
    if not found:
        uri = params.uri
        raise NotFoundError(f"There is no folder {uri} in a skill; `skills/list` lists skills.")
    children = [found[uri] for uri in sorted(found)]
    shown, following = page(children, params, lambda one: one.uri)
    rows = [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in shown]
    return {"resources": rows} | ({"nextCursor": following} if following else {})


def media_type(path: str) -> str:
    """Return the media type of a file by its name."""
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


@lru_cache(maxsize=16)
def _skills_at(repository: Repository, root: str, commit: str) -> dict[str, Skill]:
    top = repository.find(repository.commit(commit).tree, root)
    if top is None or not top.is_tree:
        return {}
    paths = [
        path
        for path, one in repository.files(top.id)
        if one.is_file and path.endswith(f"/{SKILL_FILE}")
    ]
    found: dict[str, Skill] = {}
    for path in paths:
        try:
            skill = _read_skill(repository, top.id, str(PurePosixPath(path).parent))
        except ImportRefusedError as error:
            _log.warning("the skill %s is not served: %s", ascii(path), error.reason)
        else:
            found[skill.uri] = skill
    return found


def _read_skill(repository: Repository, top: str, folder: str) -> Skill:
    entry = repository.find(top, folder)
    if entry is None:
        raise ImportRefusedError(reason="its path is not UTF-8")
    blobs = {path: one.id for path, one in repository.files(entry.id) if one.is_file}
    if len(blobs) > _MAX_FILES:
        raise ImportRefusedError(reason=f"it has more than {_MAX_FILES} files")
    front = _frontmatter(repository.blob(blobs[SKILL_FILE]), PurePosixPath(folder).name)
    files = tuple(_files(repository, folder, blobs))
    if sum(file.size for file in files) > _MAX_BYTES:
        raise ImportRefusedError(reason="its files are larger than 16 MiB")
    return Skill(_uri(folder, SKILL_FILE), front, files)


def _files(repository: Repository, folder: str, blobs: Mapping[str, str]) -> Iterator[_File]:
    for path in sorted(blobs):
        data = repository.blob(blobs[path])
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        yield _File(_uri(folder, path), path, blobs[path], digest, len(data))


def _uri(folder: str, path: str) -> str:
    try:
        return f"skill://{quote(f'{folder}/{path}')}"
    except UnicodeEncodeError:
        raise ImportRefusedError(reason="the path of a file is not UTF-8") from None


def _frontmatter(data: bytes, folder: str) -> dict[str, Any]:
    try:
        front, _, _ = split_front_matter(data.decode().replace("\r\n", "\n"), "1.2")
    except UnicodeDecodeError:
        raise ImportRefusedError(reason=f"its {SKILL_FILE} is not UTF-8") from None
    name, description = front.get("name"), front.get("description")
    if not isinstance(name, str) or len(name) > _MAX_NAME or not _NAME.fullmatch(name):
        raise ImportRefusedError(
            reason=f"the name in its {SKILL_FILE} must be words of lower-case letters and digits, "
            f"joined by hyphens, at most {_MAX_NAME} characters"
        )
    if name != folder:
        raise ImportRefusedError(reason=f"its name is {name!r}, but its folder is {folder!r}")
    if not isinstance(description, str) or not 1 <= len(description.strip()) <= _MAX_DESCRIPTION:
        raise ImportRefusedError(
            reason=f"its {SKILL_FILE} needs a description "
            f"of at most {_MAX_DESCRIPTION:,} characters"
        )
    return front
