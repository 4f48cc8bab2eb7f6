"""Dotprompt: ``.prompt`` with front matter and Handlebars."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any, Final

from promptstore.interchange.imported import (
    Draft,
    Imported,
    Source,
    as_dict,
    as_list,
    rest_of,
    single,
)
from promptstore.interchange.readers.frontmatter import split_front_matter
from promptstore.interchange.templates.common import UntranslatableError
from promptstore.interchange.templates.curly import Token, tokenize
from promptstore.interchange.templates.handlebars import Translator

FORMAT: Final = "dotprompt"
CONFIG: Final = ("model", "config", "tools", "toolDefs", "output")
_ROLE: Final = re.compile(r"""role\s+["'](\w+)["']""")
_MEDIA: Final = re.compile(r"media\s+url=(\S+)(?:\s+contentType=(\S+))?")
_PICO_KEY: Final = re.compile(r"(\w+)(\?)?(?:\((\w+)(?:,\s*(.*))?\))?")
_EMPTY: Final = {"string": "", "array": []}


def read_dotprompt(source: Source, name: str) -> list[Imported]:
    """Read a ``.prompt``.

    Raises:
        ImportRefusedError: Its front matter is not YAML.
    """
    front, body, losses = split_front_matter(source.text, "1.2")
    draft = Draft(name, FORMAT, template="jinja2", missing="")
    draft.describe(front.get("description"))
    inputs = as_dict(front.get("input"))
    _declare(draft, inputs)
    draft.config = {key: front[key] for key in CONFIG if front.get(key) is not None}
    own = front.get("metadata")
    if isinstance(own, dict):
        draft.metadata |= own
    draft.metadata |= rest_of(front, "description", "input", "metadata", *CONFIG)
    if inputs.get("schema") is not None:
        draft.metadata["inputSchema"] = inputs["schema"]
    try:
        _split(draft, tokenize(body), PurePosixPath(name))
    except UntranslatableError as error:
        draft.keep_source(str(error), body)
    return [single(draft, losses)]


def _declare(draft: Draft, inputs: dict[str, Any]) -> None:
    schema = inputs.get("schema")
    if isinstance(schema, dict) and schema.get("type") == "object":
        required = as_list(schema.get("required"))
        for key, one in as_dict(schema.get("properties")).items():
            found = as_dict(one)
            text = str(found.get("description") or "")
            _add(draft, key, str(found.get("type", "any")), text, key not in required)
    elif isinstance(schema, dict):
        for key, one in schema.items():
            pico = _PICO_KEY.fullmatch(key)
            if pico is None:
                draft.losses.append(f"input {key!r} is not understood and left undeclared")
                continue
            kind, _, text = one.partition(",") if isinstance(one, str) else (pico[3], "", pico[4])
            kind = pico[3] or (kind if isinstance(one, str) else "object")
            _add(draft, pico[1], kind.strip(), (text or pico[4] or "").strip(), bool(pico[2]))
            if kind == "enum" and isinstance(one, list):
                draft.variables[pico[1]] |= {"enum": one}
    for key, value in as_dict(inputs.get("default")).items():
        draft.variables.setdefault(key, {})["default"] = value


def _add(draft: Draft, name: str, kind: str, text: str, optional: bool) -> None:
    known = ("string", "integer", "number", "boolean", "array", "object")
    declared: dict[str, Any] = {"type": kind} if kind in known else {}
    if text:
        declared["description"] = text
    if optional and kind in _EMPTY:
        # What is not given prints nothing there.
        declared["default"] = _EMPTY[kind]
    elif optional:
        declared["required"] = False
    draft.variables[name] = declared


def _split(draft: Draft, tokens: list[Token], name: PurePosixPath) -> None:
    """Split the body at its markers, which stand at the top of it alone."""

    def include(partial: str) -> str:
        return str(name.parent / f"_{partial.removeprefix('_')}")

    is_partial = name.name.startswith("_")
    role, depth = "user", 0
    piece: list[Token] = []
    parts: list[dict[str, Any]] = []

    def flush() -> None:
        text = Translator(include).translate(piece)
        piece.clear()
        if parts:
            whole = [*parts, *([{"type": "text", "text": text}] if text.strip() else [])]
            draft.say(role, whole)
            parts.clear()
        elif text.strip():
            draft.say(role, text)

    for token in tokens:
        depth += (token.kind in ("open", "inverse")) - (token.kind == "close")
        marker = _ROLE.fullmatch(token.text) if token.kind == "value" else None
        media = _MEDIA.fullmatch(token.text) if token.kind == "value" else None
        if not (marker or media or (token.kind == "value" and token.text == "history")):
            piece.append(token)
            continue
        if depth:
            raise UntranslatableError("a block spans several messages")
        if media:
            before = Translator(include).translate(piece)
            piece.clear()
            if before.strip():
                parts.append({"type": "text", "text": before})
            url = Translator().translate([Token("value", media[1])])
            url = media[1].strip("\"'") if media[1][0] in "\"'" else url
            parts.append({"type": "image_url", "image_url": {"url": url}})
            continue
        flush()
        if marker:
            role = marker[1]
        else:
            draft.insert("history")
            role = "model"
    if is_partial and not draft.messages and not parts:
        draft.prompt = Translator(include).translate(piece)
        return
    flush()
