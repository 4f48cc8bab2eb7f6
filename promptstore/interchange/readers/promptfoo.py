"""Promptfoo's configuration: prompts that stand in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from promptstore.errors import ImportRefusedError
from promptstore.interchange.imported import Draft, Imported, Refused, rest_of, single
from promptstore.interchange.readers.chat import add_messages, chat_of
from promptstore.interchange.templates.common import UntranslatableError
from promptstore.interchange.templates.jinja import translate_nunjucks
from promptstore.promptfile.foreign import read_foreign_yaml

_PROGRAM: Final = re.compile(r"\.(?:py|js|ts|mjs|cjs|rb|go|sh|exe)(?::\w+)?$|^exec:")


def read_promptfoo(value: Mapping[str, Any], name: str) -> list[Imported | Refused]:
    """Read the prompts of a configuration; tests stay where they are."""
    prompts = value.get("prompts")
    listed = prompts if isinstance(prompts, list) else [prompts]
    found: list[Imported | Refused] = []
    for number, one in enumerate(listed, 1):
        title = name if len(listed) == 1 else f"{name}-{number}"
        try:
            found.append(_one(one, title))
        except ImportRefusedError as error:
            found.append(Refused(title, error.reason))
    return found


def _one(value: Any, name: str) -> Imported:
    more: dict[str, Any] = {}
    draft = Draft(name, "promptfoo", template="jinja2")
    if isinstance(value, dict):
        label = value.get("label")
        more, value = value, value.get("raw", value.get("id"))
        draft.name = label if isinstance(label, str) and label.strip() else name
        draft.config = more["config"] if isinstance(more.get("config"), dict) else {}
        draft.extra = rest_of(more, "raw", "id", "label", "config")
    if not isinstance(value, str):
        raise ImportRefusedError(reason="a prompt that is no string")
    if _PROGRAM.search(value.strip()) and "\n" not in value.strip():
        raise ImportRefusedError(reason="prompt made by a program")
    if value.startswith("file://"):
        raise ImportRefusedError(reason=f"{value} is not followed; import that file by itself")
    chat = chat_of(value) or _yaml_chat(value)
    try:
        if chat:
            add_messages(draft, chat, translate_nunjucks)
        else:
            draft.prompt = translate_nunjucks(value)
    except UntranslatableError as error:
        draft.keep_source(str(error), value)
    return single(draft)


def _yaml_chat(text: str) -> list[Any] | None:
    if not re.match(r"\s*-\s+role:", text):
        return None
    try:
        found = read_foreign_yaml(text).value
    except ImportRefusedError:
        return None
    return chat_of(json.dumps(found))
