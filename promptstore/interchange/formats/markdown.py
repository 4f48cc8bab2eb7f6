"""Plain text and Markdown, read and written; ``SKILL.md`` and files of Jinja2, read."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from promptstore.interchange.exported import Export, Exported
from promptstore.interchange.formats.common import front_matter, split_front_matter
from promptstore.interchange.imported import Draft, Source, rest_of
from promptstore.interchange.templates.jinja import UntranslatableError, translate_jinja
from promptstore.model.parts import Message

_ROLE_FILES: Final = ("system", "user")
_CONFIG: Final = ("model", "tools")
_MESSAGE: Final = re.compile(
    r"""\{%[-+]?\s*(?P<tag>message|chat)\s+role\s*=\s*(["'])(?P<role>\w+)\2\s*[-+]?%\}"""
    r"(?P<text>.*?)\{%[-+]?\s*end(?P=tag)\s*[-+]?%\}",
    re.DOTALL,
)


def read_markdown(source: Source, name: str) -> Draft:
    """Read Markdown or plain text, whose braces are no variables.

    A file called ``system.md`` or ``user.md`` is a message of that role.
    """
    front, body, losses = split_front_matter(source.text, "1.1")
    draft = Draft(name, "markdown", template="none", losses=losses)
    draft.take(front, "tags", config=_CONFIG)
    draft.set_tags(front.get("tags"))
    role = PurePosixPath(source.path).stem.lower()
    text = body if not front else body.lstrip("\n")
    if role in _ROLE_FILES and text:
        draft.say(role, text)
    elif text:
        draft.prompt = text
    return draft


def read_skill(source: Source, name: str) -> Draft:
    """Read a ``SKILL.md``; only the file itself, none of those that lie beside it."""
    front, body, losses = split_front_matter(source.text, "1.1")
    prompt = body.lstrip("\n") or None
    draft = Draft(name, "skill", template="none", prompt=prompt, losses=losses)
    draft.describe(front.get("description"))
    draft.extra = rest_of(front, "description")
    linked = sorted(set(re.findall(r"\]\(((?:\./)?(?:scripts|references|assets)/[^)\s]+)\)", body)))
    draft.losses += [f"the file {one} beside it does not come along" for one in linked]
    return draft


def read_jinja(source: Source, name: str) -> Draft:
    """Read a file of Jinja2, with front matter or without, and with tags for messages."""
    front, body, losses = split_front_matter(source.text, "1.1")
    draft = Draft(name, "jinja", template="jinja2", losses=losses)
    draft.take(front)
    with draft.kept_as_source(body):
        messages = list(_MESSAGE.finditer(body))
        if messages and _MESSAGE.sub("", body).strip():
            raise UntranslatableError("messages within a loop or beside other text")
        for one in messages:
            draft.say(one["role"], translate_jinja(one["text"]))
        if not messages:
            draft.prompt = translate_jinja(body)
    return draft


def write_markdown(export: Export) -> Exported:
    """Write Markdown: the text as it is, with front matter where there is more to say.

    Raises:
        ExportRefusedError: There is more than one message.
    """
    prompt = export.prompt
    export.leave_out("description", "tags", "metadata", "config")
    config = export.config(*_CONFIG)
    suffix, text = ".md", prompt.prompt
    if text is None:
        messages = prompt.messages or ()
        only = messages[0] if len(messages) == 1 else None
        if not isinstance(only, Message) or not isinstance(only.content, str):
            raise export.refuse("it has more than one text")
        text = only.content
        if only.role in _ROLE_FILES:
            suffix = f"/{only.role}.md"
        else:
            export.tell(f"the role {only.role} is left out")
    if prompt.template != "none":
        export.tell("variables and logic are plain text there")
    front = export.described() | ({"tags": [*prompt.tags]} if prompt.tags else {}) | config
    front |= {key: item for key, item in prompt.metadata.items() if key not in front}
    if front and text.startswith("\n"):
        export.tell("the empty lines before its text are left out")
    elif not front and text.startswith("---"):
        text = f"---\n---\n{text}"
    return export.done(suffix, f"{front_matter(front)}\n{text}" if front else text)
