"""Dotprompt, read and written: ``.prompt`` with front matter and Handlebars."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Final

from promptstore.interchange.exported import Export, Exported
from promptstore.interchange.formats.common import front_matter, split_front_matter
from promptstore.interchange.imported import Draft, Source, as_dict, as_list
from promptstore.interchange.templates.handlebars import (
    escape_handlebars,
    to_handlebars,
    translate_handlebars,
)
from promptstore.interchange.templates.jinja import UntranslatableError
from promptstore.interchange.templates.mustache import Token, tokenize
from promptstore.model.parts import Insert, Message
from promptstore.template import split_simple

_CONFIG: Final = ("model", "config", "tools", "toolDefs", "output")
_ROLE: Final = re.compile(r"""role\s+["'](\w+)["']""")
_MEDIA: Final = re.compile(r"media\s+url=(\S+)(?:\s+contentType=(\S+))?")
_PICO_KEY: Final = re.compile(r"(\w+)(\?)?(?:\((\w+)(?:,\s*(.*))?\))?")
_EMPTY: Final = {"string": "", "array": []}
_PICO: Final = {"messages": None, "array": "(array)", "object": "(object)"}
_ONE_NAME: Final = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


def read_dotprompt(source: Source, name: str) -> Draft:
    """Read a ``.prompt``.

    Raises:
        ImportRefusedError: Its front matter is not YAML.
    """
    front, body, losses = split_front_matter(source.text, "1.2")
    draft = Draft(name, "dotprompt", template="jinja2", missing="", losses=losses)
    inputs = as_dict(front.get("input"))
    _declare(draft, inputs)
    draft.metadata |= as_dict(front.get("metadata"))
    draft.take(front, "input", "metadata", config=_CONFIG)
    if inputs.get("schema") is not None:
        draft.metadata["inputSchema"] = inputs["schema"]
    with draft.kept_as_source(body):
        _split(draft, tokenize(body), PurePosixPath(name))
    return draft


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
        text = translate_handlebars(piece, include)
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
            before = translate_handlebars(piece, include)
            piece.clear()
            if before.strip():
                parts.append({"type": "text", "text": before})
            url = translate_handlebars([Token("value", media[1])])
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
        draft.prompt = translate_handlebars(piece, include)
        return
    flush()


def write_dotprompt(export: Export) -> Exported:
    """Write a ``.prompt``.

    Raises:
        ExportRefusedError: A template or a message cannot be said there.
    """
    prompt = export.prompt
    export.leave_out("description", "config", "metadata", "variables")
    config = export.config(*_CONFIG)
    metadata = dict(prompt.metadata)
    front = export.described() | config
    if inputs := _inputs(export, metadata.pop("inputSchema", None)):
        front["input"] = inputs
    if metadata:
        front["metadata"] = metadata
    if prompt.prompt is not None:
        if not export.name.rpartition("/")[2].startswith("_"):
            export.tell("a text prompt becomes the message of a user")
        body = _written(export, prompt.prompt)
    else:
        body = "".join(_written_item(export, item) for item in prompt.messages or ())
    if body.endswith("\\\\"):
        # No tag follows the last backslash.
        body = body[:-1]
    return export.done(".prompt", front_matter(front) + body)


def _inputs(export: Export, schema: Any) -> dict[str, Any]:
    declared = {
        key: one for key, one in (export.prompt.variables or {}).items()
        if not (key == "history" and one.type == "messages")
    }  # fmt: skip
    if schema is None:
        schema = {}
        for key, one in declared.items():
            kind = _PICO.get(one.type, one.type)
            if kind is None:
                export.tell(f"the list of messages {key!r} is declared as any")
            text = f", {one.description}" if one.description else ""
            optional = "?" if not one.needs_value else ""
            if one.enum is not None:
                schema[f"{key}{optional}(enum{text})"] = list(one.enum)
            elif kind == "(array)":
                schema[f"{key}{optional}(array{text})"] = "any"
            elif kind == "(object)":
                schema[f"{key}{optional}(object{text})"] = {"(*)": "any"}
            else:
                schema[f"{key}{optional}"] = f"{kind or 'any'}{text}"
    found: dict[str, Any] = {"schema": schema} if schema else {}
    defaults = {key: one.default for key, one in declared.items() if one.has_default}
    if defaults:
        found["default"] = defaults
    return found


def _written(export: Export, text: str) -> str:
    if export.prompt.template == "jinja2":
        return to_handlebars(text, export.refuse)
    pieces = split_simple(text) if export.prompt.template == "simple" else [text]
    # What comes behind the last piece is a marker, or the end of the file.
    written = "".join(
        f"{{{{{piece}}}}}" if number % 2 else escape_handlebars(piece)
        for number, piece in enumerate(pieces)
    )
    _refuse_stray_braces(export, pieces, written)
    return written


def _refuse_stray_braces(export: Export, pieces: Sequence[str], written: str) -> None:
    """Refuse literal braces that run into a tag, which Handlebars has no way to say."""
    tokens = tokenize(written + "{{end}}")[:-1]
    found = [token.text for token in tokens if token.kind in ("text", "value")]
    values = [token for token in tokens if token.kind == "value"]
    if "".join(found) != "".join(pieces) or len(values) != len(pieces) // 2:
        raise export.refuse("literal braces stand before a variable or a message")


def _written_item(export: Export, item: Message | Insert) -> str:
    if isinstance(item, Insert):
        if item.insert != "history":
            raise export.refuse(f"only `history` can be inserted there, not {item.insert!r}")
        return "{{history}}\n"
    role = "model" if item.role == "assistant" else item.role
    parts = export.contents(item, partial(_written, export), partial(_media, export))
    return f'{{{{role "{role}"}}}}' + "".join(parts)


def _media(export: Export, url: str) -> str:
    found = _ONE_NAME.fullmatch(url)
    if not found and ('"' in url or "{{" in url):
        raise export.refuse(f"the address {url!r} is neither a string nor one variable")
    argument = found[1] if found else f'"{url}"'
    return f"{{{{media url={argument}}}}}"
