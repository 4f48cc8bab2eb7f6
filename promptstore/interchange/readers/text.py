"""Plain text, Markdown, ``SKILL.md`` and files of Jinja2."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from promptstore.interchange.imported import Draft, Imported, Source, rest_of, single
from promptstore.interchange.readers.frontmatter import split_front_matter
from promptstore.interchange.templates.common import UntranslatableError
from promptstore.interchange.templates.jinja import (
    split_message_tags,
    translate_jinja,
)

_ROLE_FILES: Final = {"system": "system", "user": "user"}


def read_markdown(source: Source, name: str) -> list[Imported]:
    """Read Markdown or plain text, whose braces are no variables.

    A file called ``system.md`` or ``user.md`` is a message of that role.
    """
    front, body, losses = split_front_matter(source.text, "1.1")
    draft = Draft(name, "markdown", template="none")
    draft.describe(front.get("description"))
    draft.set_tags(front.get("tags"))
    draft.config = {key: front[key] for key in ("model", "tools") if front.get(key) is not None}
    draft.metadata |= rest_of(front, "description", "tags", "model", "tools")
    role = _ROLE_FILES.get(PurePosixPath(source.path).stem.lower())
    text = body if not front else body.lstrip("\n")
    if role and text:
        draft.say(role, text)
    elif text:
        draft.prompt = text
    return [single(draft, losses)]


def read_skill(source: Source, name: str) -> list[Imported]:
    """Read a ``SKILL.md``; only the file itself, none of those that lie beside it."""
    front, body, losses = split_front_matter(source.text, "1.1")
    draft = Draft(name, "skill", template="none", prompt=body.lstrip("\n") or None)
    draft.describe(front.get("description"))
    draft.extra = rest_of(front, "description")
    linked = sorted(set(re.findall(r"\]\(((?:\./)?(?:scripts|references|assets)/[^)\s]+)\)", body)))
    losses += [f"the file {one} beside it does not come along" for one in linked]
    return [single(draft, losses)]


def read_jinja(source: Source, name: str) -> list[Imported]:
    """Read a file of Jinja2, with front matter or without, and with tags for messages."""
    front, body, losses = split_front_matter(source.text, "1.1")
    draft = Draft(name, "jinja", template="jinja2")
    draft.describe(front.get("description"))
    draft.metadata |= rest_of(front, "description")
    try:
        messages = split_message_tags(body)
        for role, text in messages or ():
            draft.say(role, translate_jinja(text))
        if messages is None:
            draft.prompt = translate_jinja(body)
    except UntranslatableError as error:
        draft.keep_source(str(error), body)
    return [single(draft, losses)]
