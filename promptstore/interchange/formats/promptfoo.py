"""Promptfoo's configuration: prompts that stand in it are read, one prompt is written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from promptstore.errors import ImportRefusedError
from promptstore.interchange.exported import Export, Exported
from promptstore.interchange.formats.common import add_messages, chat_of
from promptstore.interchange.imported import Draft, Imported, Refused, as_dict, rest_of, single
from promptstore.interchange.templates.jinja import TAG, translate_nunjucks
from promptstore.posthog.content import map_texts
from promptstore.promptfile.foreign import read_foreign_yaml
from promptstore.promptfile.writer import write_mapping

_PROGRAM: Final = re.compile(r"\.(?:py|js|ts|mjs|cjs|rb|go|sh|exe)(?::\w+)?$|^exec:")
_NUNJUCKS: Final = frozenset({
    "abs", "capitalize", "default", "dictsort", "dump", "first", "float", "indent", "int", "join",
    "last", "length", "list", "lower", "reject", "replace", "reverse", "round", "select",
    "selectattr", "sort", "string", "sum", "title", "trim", "truncate", "upper", "wordcount",
})  # fmt: skip


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
    draft = Draft(name, "promptfoo", template="jinja2")
    if isinstance(value, dict):
        label = value.get("label")
        draft.name = label if isinstance(label, str) and label.strip() else name
        draft.config = as_dict(value.get("config"))
        draft.extra = rest_of(value, "raw", "id", "label", "config")
        value = value.get("raw", value.get("id"))
    if not isinstance(value, str):
        raise ImportRefusedError(reason="a prompt that is no string")
    if _PROGRAM.search(value.strip()) and "\n" not in value.strip():
        raise ImportRefusedError(reason="prompt made by a program")
    if value.startswith("file://"):
        raise ImportRefusedError(reason=f"{value} is not followed; import that file by itself")
    chat = chat_of(value) or _yaml_chat(value)
    with draft.kept_as_source(value):
        if chat:
            add_messages(draft, chat, translate_nunjucks)
        else:
            draft.prompt = translate_nunjucks(value)
    return single(draft)


def _yaml_chat(text: str) -> list[Any] | None:
    if not re.match(r"\s*-\s+role:", text):
        return None
    try:
        found = read_foreign_yaml(text).value
    except ImportRefusedError:
        return None
    return chat_of(json.dumps(found))


def write_promptfoo(export: Export) -> Exported:
    """Write a configuration of promptfoo with one prompt.

    Raises:
        ExportRefusedError: A template includes another prompt, or an insert is among the messages.
    """
    prompt = export.prompt
    export.refuse_inserts()
    export.leave_out("config")
    content = map_texts(prompt, lambda text: _nunjucks(export, export.to_plain_jinja(text)))
    raw = content.get("prompt")
    if prompt.is_chat:
        raw = json.dumps(content["messages"], ensure_ascii=False, indent=2)
    one: dict[str, Any] = {"label": export.name, "raw": raw}
    if prompt.config:
        one["config"] = prompt.config
    one |= as_dict(prompt.extensions.get("x-promptfoo"))
    export.tell("providers and tests are yours to add")
    text = write_mapping({"prompts": [one], "providers": []})
    return export.done(".promptfooconfig.yaml", text)


def _nunjucks(export: Export, text: str) -> str:
    def change(found: re.Match[str]) -> str:
        if found[0].startswith("{#"):
            return found[0]
        tag = re.sub(r"\|\s*tojson\b", "|dump", found[0])
        for used in re.findall(r"\|\s*(\w+)", tag):
            if used not in _NUNJUCKS:
                export.tell(f"the filter {used} is none of nunjucks")
        return tag

    return TAG.sub(change, text)
