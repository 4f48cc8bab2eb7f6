"""The files of a store as resources: those of prompts at any version, and those of skills."""

from __future__ import annotations

import base64
from typing import Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from mcp import types

from promptstore.errors import InvalidArgumentError, NotFoundError
from promptstore.history.sources import File
from promptstore.mcp.access import Access, page
from promptstore.mcp.prompts import completion
from promptstore.mcp.skills import media_type, skills_of
from promptstore.model.values import SUFFIX
from promptstore.store.store import PromptStore

_SCHEME: Final = "promptstore"
_LONGEST_NUMBER: Final = 10
_YAML: Final = "application/yaml"


def list_resources(
    access: Access, params: types.PaginatedRequestParams | None
) -> types.ListResourcesResult:
    """List the newest files of prompts and those of skills, a page at a time."""
    store = access.store
    listed = [
        types.Resource(uri=file_uri(store, name), name=f"{name}{SUFFIX}", mime_type=_YAML)
        for name in store.names()
    ]
    for skill in skills_of(store).values():
        listed += (skill.resource(file) for file in skill.files)
    by_uri = {resource.uri: resource for resource in listed}
    shown, following = page([by_uri[uri] for uri in sorted(by_uri)], params, lambda one: one.uri)
    return types.ListResourcesResult(resources=shown, next_cursor=following)


def list_templates(
    access: Access, _: types.PaginatedRequestParams | None
) -> types.ListResourceTemplatesResult:
    """List the one form that every file of a prompt at every version is asked for by."""
    template = types.ResourceTemplate(
        uri_template=f"{_folder(access.store)}{{+name}}{SUFFIX}{{?version,label}}",
        name="prompt file",
        description="The file of a prompt: the newest one, that of a version or that of a label.",
        mime_type=_YAML,
    )
    return types.ListResourceTemplatesResult(resource_templates=[template])


def complete_template(store: PromptStore, argument: str, typed: str, name: str) -> types.Completion:
    """Complete a part of the URI of a file: the name of a prompt, a version or a label of it."""
    choices: list[str] = []
    if argument == "name":
        choices = store.names(typed)
    elif argument == "version" and name:
        choices = [str(version.number) for version in store.history(name)]
    elif argument == "label":
        choices = [
            label
            for label, names in sorted(store.labels().targets.items())
            if not name or name in names
        ]
    return completion(choices, typed)


def read_resource(
    access: Access, params: types.ReadResourceRequestParams
) -> types.ReadResourceResult:
    """Read a file.

    Raises:
        PromptStoreError: There is no such file.
    """
    content: types.TextResourceContents | types.BlobResourceContents
    uri = params.uri
    kind, data = _read(access.store, uri)
    try:
        content = types.TextResourceContents(uri=uri, mime_type=kind, text=data.decode())
    except UnicodeDecodeError:
        blob = base64.b64encode(data).decode()
        content = types.BlobResourceContents(uri=uri, mime_type=kind, blob=blob)
    return types.ReadResourceResult(contents=[content])


def is_number(text: str) -> bool:
    """Return whether a string is the number of a version."""
    return text.isascii() and text.isdigit() and len(text) < _LONGEST_NUMBER


def file_uri(store: PromptStore, name: str) -> str:
    """Return the URI of the newest file of a prompt."""
    return f"{_folder(store)}{name}{SUFFIX}"


def find_file(
    store: PromptStore, name: str, version: int | None = None, label: str | None = None
) -> File:
    """Find the file of a prompt; the newest one may be broken, and may say that it is deleted.

    Raises:
        PromptStoreError: As for `PromptStore.get`.
    """
    rev = None
    if version is not None or label is not None:
        prompt = store.get(name, version=version, label=label, deleted=True)
        rev = prompt.snapshot_commit
    return store.snapshot(rev).file(name)


def _read(store: PromptStore, uri: str) -> tuple[str, bytes]:
    for skill in skills_of(store).values():
        for file in skill.files:
            if file.uri == uri:
                return media_type(file.path), store.repository.blob(file.blob)
    folder = unquote(_folder(store))
    try:
        parts = urlsplit(uri)
        whole = f"{parts.scheme}://{parts.netloc}{unquote(parts.path)}"
    except ValueError:
        whole = ""
    if not whole.startswith(folder) or not whole.endswith(SUFFIX):
        raise NotFoundError(f"There is no resource {uri}; `resources/list` lists them.")
    asked = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    version = asked.pop("version", None)
    label = asked.pop("label", None)
    if asked or (version is not None and not is_number(version)):
        raise InvalidArgumentError(
            message=f"{uri}: behind the `?` of a file stands version=NUMBER or label=NAME"
        )
    name = whole.removeprefix(folder).removesuffix(SUFFIX)
    return _YAML, find_file(store, name, int(version) if version else None, label).read()


def _folder(store: PromptStore) -> str:
    root = f"{quote(store.root)}/" if store.root else ""
    return f"{_SCHEME}:///{root}"
