"""The prompts that the server itself uses: the store's own, else those that the package brings."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from promptstore.errors import LabelNotFoundError, PromptNotFoundError, TemplateError
from promptstore.model.prompt import Prompt, identified
from promptstore.model.rendering import RenderedPrompt
from promptstore.promptfile.reader import loads
from promptstore.server.errors import api_error
from promptstore.server.projects import Project

LABEL: Final = "production"
"""The label that is preferred to the newest version."""

_INCLUDED: Final = "shared/untrusted"


def render_own(project: Project, name: str, values: Mapping[str, str]) -> RenderedPrompt:
    """Render a prompt of the server's, with foreign values that cannot leave their places.

    The prompt writes its tags with the variable ``boundary``, a word that no value holds.

    Args:
        project: The project whose store is asked first.
        name: The prompt's name.
        values: What is filled in.

    Raises:
        ApiError: The store's prompt has no boundary, or takes other variables (500).
        PromptFileError: The store's prompt cannot be read.
    """
    prompt = find_own(project, name)
    if "boundary" not in prompt.contract:
        raise _unfit(name, "it declares no variable 'boundary', which keeps values in their tags")
    try:
        return prompt.render({**values, "boundary": _boundary(values)})
    except TemplateError as error:
        raise _unfit(name, str(error)) from error


def find_own(project: Project, name: str) -> Prompt:
    """Return the store's prompt, at the label `LABEL` where that is set, else the package's."""
    store = project.store
    try:
        try:
            return store.get(name, label=LABEL)
        except LabelNotFoundError:
            return store.get(name)
    except PromptNotFoundError:
        return packaged(name)


def headers_of(rendered: RenderedPrompt) -> dict[str, str]:
    """Return the headers that say which prompt ran."""
    version = "packaged" if rendered.version is None else str(rendered.version)
    return {
        "X-Prompt-Name": str(rendered.name),
        "X-Prompt-Version": version,
        "X-Prompt-Digest": rendered.digest,
    }


@cache
def packaged(name: str) -> Prompt:
    """Return a prompt that comes with the package."""
    return identified(_read(name), name=name, includes={_INCLUDED: _read(_INCLUDED)})


def _read(name: str) -> Prompt:
    return loads(files("promptstore.server").joinpath(f"prompts/{name}.yaml").read_bytes())


def _boundary(values: Mapping[str, str]) -> str:
    while True:
        word = secrets.token_hex(8)
        if not any(word in value for value in values.values()):
            return word


def _unfit(name: str, reason: str) -> Exception:
    detail = f"The server's prompt '{name}' cannot be used: {reason}"
    return api_error(500, "unfit_prompt", detail, kind="server_error")
