"""Formats with front matter and roles in their text: dotprompt and Prompty."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from promptstore.errors import ExportRefusedError
from promptstore.interchange.readers.dotprompt import CONFIG as DOTPROMPT_CONFIG
from promptstore.interchange.readers.prompty import CONFIG as PROMPTY_CONFIG
from promptstore.interchange.readers.prompty import ROLE_LINE
from promptstore.interchange.templates.curly import tokenize
from promptstore.interchange.writers.handlebars import escape_handlebars, to_handlebars
from promptstore.interchange.writers.texts import (
    Exported,
    Losses,
    front_matter,
    to_plain_jinja,
)
from promptstore.model.parts import Message
from promptstore.model.prompt import Prompt
from promptstore.template import split_simple

_PICO: Final = {"messages": None, "array": "(array)", "object": "(object)"}
_ONE_NAME: Final = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


def _refuse(prompt: Prompt, form: str) -> Callable[[str], ExportRefusedError]:
    def refuse(reason: str) -> ExportRefusedError:
        return ExportRefusedError(name=prompt.name or "the prompt", format=form, reason=reason)

    return refuse


def write_dotprompt(prompt: Prompt, name: str, _labels: Sequence[str]) -> Exported:
    """Write a ``.prompt``.

    Raises:
        ExportRefusedError: A template or a message cannot be said there.
    """
    losses = Losses("dotprompt")
    refuse = _refuse(prompt, "dotprompt")
    losses.leave_out(prompt, "description", "config", "metadata", "variables")
    losses.leave_keys("config", prompt.config, *DOTPROMPT_CONFIG)
    metadata = dict(prompt.metadata)
    front: dict[str, Any] = {}
    if prompt.description is not None:
        front["description"] = prompt.description
    front |= {key: prompt.config[key] for key in DOTPROMPT_CONFIG if key in prompt.config}
    inputs = _inputs(prompt, metadata.pop("inputSchema", None), losses)
    if inputs:
        front["input"] = inputs
    if metadata:
        front["metadata"] = metadata

    def translate(text: str) -> str:
        if prompt.template == "jinja2":
            return to_handlebars(text, refuse)
        pieces = split_simple(text) if prompt.template == "simple" else [text]
        written = "".join(
            f"{{{{{piece}}}}}" if number % 2
            # What comes behind the last piece is a marker, or the end of the file.
            else escape_handlebars(piece, before_tag=True)
            for number, piece in enumerate(pieces)
        )  # fmt: skip
        _refuse_stray_braces(pieces, written, refuse)
        return written

    if prompt.prompt is not None:
        if not name.rpartition("/")[2].startswith("_"):
            losses.tell("a text prompt becomes the message of a user")
        body = translate(prompt.prompt)
    else:
        body = "".join(_dotprompt_item(item, translate, refuse, losses)
                       for item in prompt.messages or ())  # fmt: skip
    if body.endswith("\\\\"):
        # No tag follows the last backslash.
        body = body[:-1]
    return Exported(f"{name}.prompt", front_matter(front) + body, tuple(losses.found))


def _refuse_stray_braces(
    pieces: Sequence[str], written: str, refuse: Callable[[str], ExportRefusedError]
) -> None:
    """Refuse literal braces that run into a tag, which Handlebars has no way to say."""
    tokens = tokenize(written + "{{end}}")[:-1]
    found = [token.text for token in tokens if token.kind in ("text", "value")]
    if "".join(found) != "".join(pieces) or [t.kind for t in tokens].count("value") != (
        len(pieces) // 2
    ):
        raise refuse("literal braces stand before a variable or a message")


def _inputs(prompt: Prompt, schema: Any, losses: Losses) -> dict[str, Any]:
    declared = {
        key: one for key, one in (prompt.variables or {}).items()
        if not (key == "history" and one.type == "messages")
    }  # fmt: skip
    if schema is None:
        schema = {}
        for key, one in declared.items():
            kind = _PICO.get(one.type, one.type)
            if kind is None:
                losses.tell(f"the list of messages {key!r} is declared as any")
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


def _dotprompt_item(
    item: Any,
    translate: Callable[[str], str],
    refuse: Callable[[str], ExportRefusedError],
    losses: Losses,
) -> str:
    if not isinstance(item, Message):
        if item.insert != "history":
            raise refuse(f"only `history` can be inserted there, not {item.insert!r}")
        return "{{history}}\n"
    role = "model" if item.role == "assistant" else item.role
    _tell_fields(item, losses)
    if isinstance(item.content, str):
        return f'{{{{role "{role}"}}}}{translate(item.content)}'
    return f'{{{{role "{role}"}}}}' + "".join(
        _part(part, translate, refuse, lambda url: f"{{{{media url={_argument(url, refuse)}}}}}")
        for part in item.content or ()
    )


def _argument(url: str, refuse: Callable[[str], ExportRefusedError]) -> str:
    found = _ONE_NAME.fullmatch(url)
    if found:
        return found[1]
    if '"' in url or "{{" in url:
        raise refuse(f"the address {url!r} is neither a string nor one variable")
    return f'"{url}"'


def _tell_fields(item: Message, losses: Losses) -> None:
    for key in ("name", "tool_calls", "tool_call_id", "refusal", "cache_control"):
        if getattr(item, key) is not None:
            losses.tell(f"{key} of a message has no place and is left out")


def _part(
    part: dict[str, Any],
    translate: Callable[[str], str],
    refuse: Callable[[str], ExportRefusedError],
    image: Callable[[str], str],
) -> str:
    if part.get("type") == "text" and isinstance(part.get("text"), str):
        return translate(part["text"])
    if part.get("type") == "image_url" and isinstance(part.get("image_url"), dict):
        return image(str(part["image_url"].get("url")))
    raise refuse(f"a part of the type {part.get('type')} has no place there")


def write_prompty(prompt: Prompt, name: str, _labels: Sequence[str]) -> Exported:
    """Write a ``.prompty`` of version 2.

    Raises:
        ExportRefusedError: A template or a message cannot be said there.
    """
    losses = Losses("prompty")
    refuse = _refuse(prompt, "prompty")
    losses.leave_out(prompt, "description", "config", "metadata", "variables", "tags")
    losses.leave_keys("config", prompt.config, *PROMPTY_CONFIG)
    metadata = dict(prompt.metadata)
    more = metadata.pop("inputs", {})
    front: dict[str, Any] = {"name": metadata.pop("name", name)}
    if prompt.description is not None:
        front["description"] = prompt.description
    front |= {key: prompt.config[key] for key in PROMPTY_CONFIG if key in prompt.config}
    if prompt.tags:
        front["tags"] = [*prompt.tags]
    if prompt.variables:
        front["inputs"] = [
            {"name": key, **_input(one), **(more.get(key, {}) if isinstance(more, dict) else {})}
            for key, one in prompt.content["variables"].items()
        ]
    front |= {key: value for key, value in metadata.items() if key not in front}
    front["template"] = {"format": {"kind": "jinja2"}, "parser": {"kind": "prompty"}}

    def translate(text: str) -> str:
        if text != text.strip():
            losses.tell("space around a text is left out")
        made = to_plain_jinja(prompt, text, losses).strip()
        if ROLE_LINE.search(made):
            raise refuse("a line of its text would be read as a role")
        return made

    if prompt.prompt is not None:
        losses.tell("a text prompt becomes the message of the system")
        pieces = [f"system:\n{translate(prompt.prompt)}\n"]
    else:
        pieces = [_prompty_item(item, translate, refuse, losses) for item in prompt.messages or ()]
    return Exported(f"{name}.prompty", front_matter(front) + "\n".join(pieces), tuple(losses.found))


def _input(declared: dict[str, Any]) -> dict[str, Any]:
    found = dict(declared)
    kind = found.pop("type", None)
    if kind not in (None, "any"):
        found = {"kind": "thread" if kind == "messages" else kind, **found}
    if "enum" in found:
        found["enumValues"] = found.pop("enum")
    return found


def _prompty_item(
    item: Any,
    translate: Callable[[str], str],
    refuse: Callable[[str], ExportRefusedError],
    losses: Losses,
) -> str:
    if not isinstance(item, Message):
        return f"{{{{{item.insert}}}}}\n"
    _tell_fields(item, losses)
    if isinstance(item.content, str):
        return f"{item.role}:\n{translate(item.content)}\n"
    parts = [
        _part(part, translate, refuse, lambda url: f"![image]({translate(url)})")
        for part in item.content or ()
    ]
    return f"{item.role}:\n" + "\n".join(parts) + "\n"
