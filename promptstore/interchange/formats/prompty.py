"""Prompty, versions 1 and 2 read, 2 written: YAML, and a body with lines such as ``system:``."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

from promptstore.errors import ImportRefusedError
from promptstore.interchange.exported import Export, Exported
from promptstore.interchange.formats.common import Translate, front_matter, split_front_matter
from promptstore.interchange.imported import Draft, Source, as_dict, declare, rest_of
from promptstore.interchange.templates.jinja import UntranslatableError, translate_jinja
from promptstore.interchange.templates.mustache import translate_mustache
from promptstore.model.parts import Insert, Message
from promptstore.model.variables import VARIABLE_TYPES

_CONFIG: Final = ("model", "tools", "outputs")
_ROLE_LINE: Final = re.compile(
    r"^[ \t]*#?[ \t]*(system|user|assistant|developer|function|tool)"
    r"(?:\[[^\]\n]*\])?[ \t]*:[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_LOOP: Final = re.compile(
    r"""\{%[-+]?\s*for\s+(?P<item>\w+)\s+in\s+(?P<list>\w+)\s*[-+]?%\}\s*
    \#?\s*\{\{\s*(?P=item)(?:\.role|\[["']role["']\])\s*\}\}\s*:[ \t]*\n\s*
    \{\{\s*(?P=item)(?:\.content|\[["']content["']\])\s*\}\}\s*
    \{%[-+]?\s*endfor\s*[-+]?%\}""",
    re.VERBOSE,
)
_IMAGE: Final = re.compile(r"!\[[^\]]*\]\(([^)\s]+)[^)]*\)")
_BLOCK: Final = re.compile(r"\{%[-+]?\s*(end)?(if|for|with|set|call|filter|macro|block)\b([^%]*)")
_DECLARED: Final = ("name", "type", "kind", "description", "default", "enum", "enumValues",
                    "required")  # fmt: skip


def read_prompty(source: Source, name: str) -> Draft:
    """Read a ``.prompty``.

    Raises:
        ImportRefusedError: A block spans several messages, or the front matter is not YAML.
    """
    front, body, losses = split_front_matter(source.text, "1.1")
    draft = Draft(name, "prompty", template="jinja2", missing="", losses=losses)
    inputs = front.get("inputs")
    if isinstance(inputs, list):
        inputs = {str(one.get("name")): one for one in inputs if isinstance(one, dict)}
    if leftover := _declare(draft, as_dict(inputs)):
        draft.metadata["inputs"] = leftover
    draft.take(front, "inputs", "template", "tags", *_CONFIG)
    draft.config = {key: front[key] for key in _CONFIG if front.get(key) not in (None, [], {})}
    draft.set_tags(front.get("tags"))
    if isinstance(front.get("metadata"), dict):
        draft.metadata |= draft.metadata.pop("metadata")
    with draft.kept_as_source(body):
        _split(draft, body, _language(front.get("template")))
    return draft


def _declare(draft: Draft, inputs: dict[str, Any]) -> dict[str, Any]:
    """Declare the inputs, and return what has no place in a declaration."""
    leftover: dict[str, Any] = {}
    for key, one in inputs.items():
        if isinstance(one, str) and one in VARIABLE_TYPES:
            one = {"type": one}
        if not isinstance(one, dict):
            draft.variables[key] = {} if one is None else {"default": one}
            continue
        declared = declare({**one, "enum": one.get("enumValues", one.get("enum"))})
        if one.get("required") is False and "default" not in declared:
            is_text = declared.get("type", "string") == "string"
            declared |= {"default": ""} if is_text else {"required": False}
        draft.variables[key] = declared
        rest = rest_of(one, *_DECLARED)
        if "default" in one and "default" not in declared and one["default"] is not None:
            rest["default"] = one["default"]
        if rest:
            leftover[key] = rest
        if rest.get("is_chat_history"):
            draft.variables[key]["type"] = "messages"
    return leftover


def _language(template: Any) -> str:
    form = template.get("format", template) if isinstance(template, dict) else template
    if isinstance(form, dict):
        form = form.get("kind", "jinja2")
    return str(form or "jinja2")


def _split(draft: Draft, body: str, language: str) -> None:
    if language not in ("jinja2", "mustache"):
        raise UntranslatableError(f"the template language {language}")
    threads = [key for key, one in draft.variables.items() if one.get("type") == "messages"]

    def translate(text: str) -> str:
        if language == "mustache":
            return translate_mustache(text, draft.variables)
        if not _is_balanced(text):
            raise ImportRefusedError(reason="a block spans several messages")
        return translate_jinja(text)

    inserts = {key: re.compile(rf"\{{\{{-?\s*{re.escape(key)}\s*-?\}}\}}") for key in threads}
    role = "system"
    pieces: list[tuple[str, str]] = []
    end = 0
    for found in _ROLE_LINE.finditer(body):
        pieces.append((role, body[end : found.start()]))
        role, end = found[1].lower(), found.end()
    pieces.append((role, body[end:]))
    for role, text in pieces:
        _add(draft, role, text, translate, inserts)


def _is_balanced(text: str) -> bool:
    """Return whether every block that begins in a string ends in it."""
    depth: list[str] = []
    for end, name, rest in _BLOCK.findall(text):
        if end:
            if not depth or depth.pop() != name:
                return False
        elif name != "set" or "=" not in rest:
            depth.append(name)
    return not depth


def _add(draft: Draft, role: str, text: str, translate: Translate, inserts: dict[str, Any]) -> None:
    """Add a message, and the threads that stand in its text."""
    places = [(found.start(), found.end(), found["list"]) for found in _LOOP.finditer(text)]
    for key, pattern in inserts.items():
        places += [(found.start(), found.end(), key) for found in pattern.finditer(text)]
    end = 0
    for start, stop, key in sorted(places):
        if start < end:
            continue
        _say(draft, role, text[end:start], translate)
        draft.insert(key, optional=False)
        end = stop
    _say(draft, role, text[end:], translate)


def _say(draft: Draft, role: str, text: str, translate: Translate) -> None:
    text = text.strip()
    if not text:
        return
    images = list(_IMAGE.finditer(text))
    if not images:
        draft.say(role, translate(text))
        return
    parts: list[dict[str, Any]] = []
    end = 0
    for found in images:
        before = text[end : found.start()].strip()
        if before:
            parts.append({"type": "text", "text": translate(before)})
        parts.append({"type": "image_url", "image_url": {"url": translate(found[1])}})
        end = found.end()
    if text[end:].strip():
        parts.append({"type": "text", "text": translate(text[end:].strip())})
    draft.say(role, parts)


def write_prompty(export: Export) -> Exported:
    """Write a ``.prompty`` of version 2.

    Raises:
        ExportRefusedError: A template or a message cannot be said there.
    """
    prompt = export.prompt
    export.leave_out("description", "config", "metadata", "variables", "tags")
    config = export.config(*_CONFIG)
    metadata = dict(prompt.metadata)
    more = as_dict(metadata.pop("inputs", {}))
    front: dict[str, Any] = {"name": metadata.pop("name", export.name)}
    front |= export.described() | config
    if prompt.tags:
        front["tags"] = [*prompt.tags]
    if prompt.variables:
        front["inputs"] = [
            {"name": key, **_input(one), **as_dict(more.get(key))}
            for key, one in prompt.content["variables"].items()
        ]
    front |= {key: value for key, value in metadata.items() if key not in front}
    front["template"] = {"format": {"kind": "jinja2"}, "parser": {"kind": "prompty"}}
    if prompt.prompt is not None:
        export.tell("a text prompt becomes the message of the system")
        pieces = [f"system:\n{_written(export, prompt.prompt)}\n"]
    else:
        pieces = [_written_item(export, item) for item in prompt.messages or ()]
    return export.done(".prompty", front_matter(front) + "\n".join(pieces))


def _input(declared: dict[str, Any]) -> dict[str, Any]:
    found = dict(declared)
    kind = found.pop("type", None)
    if kind not in (None, "any"):
        found = {"kind": "thread" if kind == "messages" else kind, **found}
    if "enum" in found:
        found["enumValues"] = found.pop("enum")
    return found


def _written(export: Export, text: str) -> str:
    if text != text.strip():
        export.tell("space around a text is left out")
    made = export.to_plain_jinja(text).strip()
    if _ROLE_LINE.search(made):
        raise export.refuse("a line of its text would be read as a role")
    return made


def _written_item(export: Export, item: Message | Insert) -> str:
    if isinstance(item, Insert):
        return f"{{{{{item.insert}}}}}\n"
    write = partial(_written, export)
    parts = export.contents(item, write, lambda url: f"![image]({write(url)})")
    return f"{item.role}:\n" + "\n".join(parts) + "\n"
