"""Prompty, version 1 and 2: front matter, and a body with lines such as ``system:``."""

from __future__ import annotations

import re
from typing import Any, Final

from promptstore.errors import ImportRefusedError
from promptstore.interchange.imported import Draft, Imported, Source, declare, rest_of, single
from promptstore.interchange.readers.frontmatter import split_front_matter
from promptstore.interchange.templates.common import UntranslatableError
from promptstore.interchange.templates.jinja import is_balanced, translate_jinja
from promptstore.interchange.templates.mustache import translate_mustache
from promptstore.model.variables import VARIABLE_TYPES

FORMAT: Final = "prompty"
CONFIG: Final = ("model", "tools", "outputs")
ROLE_LINE: Final = re.compile(
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
_DECLARED: Final = ("name", "type", "kind", "description", "default", "enum", "enumValues",
                    "required")  # fmt: skip


def read_prompty(source: Source, name: str) -> list[Imported]:
    """Read a ``.prompty``.

    Raises:
        ImportRefusedError: A block spans several messages, or the front matter is not YAML.
    """
    front, body, losses = split_front_matter(source.text, "1.1")
    draft = Draft(name, FORMAT, template="jinja2", missing="")
    draft.describe(front.get("description"))
    inputs = front.get("inputs")
    if isinstance(inputs, list):
        inputs = {str(one.get("name")): one for one in inputs if isinstance(one, dict)}
    leftover = _declare(draft, inputs if isinstance(inputs, dict) else {})
    if leftover:
        draft.metadata["inputs"] = leftover
    draft.config = {key: front[key] for key in CONFIG if front.get(key) not in (None, [], {})}
    draft.set_tags(front.get("tags"))
    draft.metadata |= rest_of(front, "description", "inputs", "template", "tags", *CONFIG)
    if isinstance(front.get("metadata"), dict):
        draft.metadata |= draft.metadata.pop("metadata")
    language = _language(front.get("template"))
    try:
        _split(draft, body, language)
    except UntranslatableError as error:
        draft.keep_source(str(error), body)
    return [single(draft, losses)]


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
            declared["default"] = "" if declared.get("type", "string") == "string" else None
            if declared["default"] is None:
                del declared["default"]
                declared["required"] = False
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
        if not is_balanced(text):
            raise ImportRefusedError(reason="a block spans several messages")
        return translate_jinja(text)

    inserts = {key: re.compile(rf"\{{\{{-?\s*{re.escape(key)}\s*-?\}}\}}") for key in threads}
    role = "system"
    pieces: list[tuple[str, str]] = []
    end = 0
    for found in ROLE_LINE.finditer(body):
        pieces.append((role, body[end : found.start()]))
        role, end = found[1].lower(), found.end()
    pieces.append((role, body[end:]))
    for role, text in pieces:
        _add(draft, role, text, translate, inserts)


def _add(draft: Draft, role: str, text: str, translate: Any, inserts: dict[str, Any]) -> None:
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


def _say(draft: Draft, role: str, text: str, translate: Any) -> None:
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
