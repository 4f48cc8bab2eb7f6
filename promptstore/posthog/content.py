"""A prompt ↔ what PostHog's API holds of it: one content, and a config beside it.

A text prompt is its text, a chat prompt the JSON of its messages. Variables are written as
``{{name}}``, the only form that every SDK of PostHog fills; includes are put in place. What the API
has no place for (description, declared variables, tags and so on) stays in git.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from promptstore.errors import InvalidArgumentError, SyncRefusedError, TemplateError
from promptstore.model.parts import Insert, Message, without_nulls
from promptstore.model.prompt import Prompt, parse_content, texts
from promptstore.model.values import MAX_DEPTH
from promptstore.model.variables import Variable
from promptstore.promptfile.writer import dumps
from promptstore.template import Budget, Source, compile_template, find_includes, find_references
from promptstore.template.source import split_simple

MAX_BYTES: Final = 1_000_000
"""How large a content or a config may be in the API, as compact JSON in UTF-8."""

JSON_KEY: Final = "x-posthog-json"
"""Marks a file whose text is JSON that was published as JSON, not as a text."""

_INCLUDE: Final = re.compile(r"""\{%[-+]?\s*include\s*(["'])[^"'\\]*\1\s*[-+]?%\}""")
_NAME: Final = re.compile(r"\{\{\s*([A-Za-z][A-Za-z0-9_]*)\s*\}\}")
_COMMENT: Final = re.compile(r"\{#.*?#\}", re.DOTALL)
_SPACED: Final = re.compile(r"\{\{[ \t]*([\w.-]+)[ \t]*\}\}")
_DECLARABLE: Final = re.compile(r"(?!_)[\w.-]+")


@dataclass(frozen=True)
class RemoteContent:
    """What the API holds of a prompt.

    Attributes:
        value: The text, the list of messages, or whatever other JSON was published.
        config: The config; empty where there is none.
        is_source: Whether templates are as the file writes them, logic and includes too.
    """

    value: Any
    config: dict[str, Any] = field(default_factory=dict)
    is_source: bool = field(default=False, compare=False)

    @property
    def text(self) -> str:
        """The content as a text, which is all that SDKs take: JSON as its JSON text."""
        return self.value if isinstance(self.value, str) else _json(self.value)

    @cached_property
    def digest(self) -> str:
        """The identity of its meaning.

        Messages count by their values, not by the layout of their JSON; spaces around the name of
        a variable do not count.
        """
        content = _mapped(read_messages(self.text) or self.text, _without_spaces)
        meaning = [content, _with_plain_numbers(self.config)]
        canonical = json.dumps(meaning, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def encode_content(prompt: Prompt, *, as_source: bool = False) -> RemoteContent:
    """Return a prompt as the API holds it.

    Args:
        prompt: A prompt of a store, with what it includes.
        as_source: Whether templates stay as the file writes them.

    Returns:
        The content and the config.

    Raises:
        SyncRefusedError: A template does more than put values and other texts in.
    """

    def change(text: str) -> str:
        return text if as_source else _flatten(prompt, text)

    return RemoteContent(_mapped_value(prompt, change), prompt.config, as_source)


def served_content(prompt: Prompt) -> RemoteContent:
    """Return a prompt as a server shows it: one with logic as its source, marked as that."""
    try:
        return encode_content(prompt)
    except SyncRefusedError:
        return encode_content(prompt, as_source=True)


def decode_content(
    content: RemoteContent,
    onto: Prompt | None,
    *,
    keeps_config: bool = True,
    as_source: bool = False,
) -> Prompt:
    """Return the prompt that a content of the API makes.

    Args:
        content: What the API holds.
        onto: The prompt in git that it is the new content of. What the API has no place for is
            kept; so is the template language where the content means the same in it, and the way
            each variable is written. None makes a new prompt of the language ``simple``.
        keeps_config: Whether the config counts; else that of the prompt in git is kept.
        as_source: Whether the content is in the language of the prompt in git.

    Returns:
        The prompt: encoded again, it has the same digest.

    Raises:
        TemplateSyntaxError: It is no template of the language that it is in.
    """
    if onto is None:
        read = read_messages(content.text)
        return set_content(
            Prompt(prompt="", template="simple", config=content.config), read or content.value
        )
    alive = replace(
        onto,
        deleted=False,
        deleted_reason=None,
        replaced_by=None,
        config=content.config if keeps_config else onto.config,
    )
    if _is_unchanged(content, alive, as_source=as_source):
        return alive
    kept = set_content(alive, content.value)
    kept = set_content(kept, _mapped_value(kept, _writing_variables_as(onto)))
    if as_source or _encodes_to(kept, content):
        return kept
    simple = replace(alive, template="simple", includes={})
    return set_content(simple, read_messages(content.text) or content.value)


def set_content(prompt: Prompt, value: Any) -> Prompt:
    """Return a prompt with another content.

    Args:
        prompt: The prompt. Where it declares variables, those that it lacks are declared.
        value: A list of messages makes a chat prompt, and so does its JSON text where the prompt
            is one. Other JSON than a text is kept as its JSON text, with a mark in the file.
    """
    extensions = {key: item for key, item in prompt.extensions.items() if key != JSON_KEY}
    found = None
    if not isinstance(value, str) or prompt.is_chat:
        found = _parsed(value)
    if found is None:
        if not isinstance(value, str):
            extensions[JSON_KEY] = True
            value = _json(value)
        found = Prompt(prompt=value)
    bare = replace(found, template=prompt.template)
    return replace(
        prompt,
        prompt=bare.prompt,
        messages=bare.messages,
        extensions=extensions,
        variables=_declared(prompt, bare),
    )


def read_messages(value: Any) -> list[Any] | None:
    """Return the messages that a value or its JSON text is; None where it is none."""
    prompt = _parsed(value)
    return prompt.content["messages"] if prompt else None


def is_deep(value: Any) -> bool:
    """Return whether a JSON value is nested deeper than a prompt file may be."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return bool(level)


def check_fits(name: str, content: RemoteContent) -> None:
    """Refuse a content that a remote cannot hold.

    Raises:
        SyncRefusedError: It is too large, or holds NUL or half of a character.
    """
    for what, value in (("text", content.text), ("config", content.config)):
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if "\\u0000" in text or re.search("[\ud800-\udfff]", text):
            raise SyncRefusedError(name=name, reason=f"its {what} holds NUL or half a character.")
        size = len(text.encode())
        if size > MAX_BYTES:
            reason = f"its {what} has {size:,} bytes as JSON, and a remote holds {MAX_BYTES:,}."
            raise SyncRefusedError(name=name, reason=reason)


def _mapped_value(prompt: Prompt, change: Callable[[str], str]) -> Any:
    """Return the content of a prompt with each of its templates changed."""
    content = prompt.content
    for path, text in texts(prompt):
        place: Any = content
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = change(text)
    if prompt.is_chat:
        return content["messages"]
    text = content.get("prompt", "")
    if prompt.extensions.get(JSON_KEY) is not True:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # A person has edited the file since; what it says now is a text.
        return text


def _flatten(prompt: Prompt, text: str) -> str:
    """Return a template with its includes in place and each variable as ``{{name}}``."""
    source = Source(text=text, kind=prompt.template, name=prompt.name)
    if source.kind == "none":
        return text
    if source.kind == "simple":
        return _without_spaces(text)
    name = prompt.name or "the prompt"
    sources = {
        key: Source(text=included.prompt or "", kind=included.template, name=key)
        for key, included in prompt.includes.items()
    }
    try:
        _refuse_logic(name, source, sources)
        if "{%" not in text and "{#" not in text:
            return _NAME.sub(r"{{\1}}", text)
        template = compile_template(source, sources, prompt.limits)
        values = {variable: f"{{{{{variable}}}}}" for variable in template.variables}
        flat = template.render(values, optional=(), budget=Budget(prompt.limits))
    except TemplateError as error:
        raise SyncRefusedError(name=name, reason=str(error)) from None
    strange = {*split_simple(flat)[1::2]} - template.variables
    if strange:
        reason = f"its literal text would be read as the variable {min(strange)!r}."
        raise SyncRefusedError(name=name, reason=reason)
    return flat


def _refuse_logic(name: str, source: Source, sources: Mapping[str, Source]) -> None:
    """Refuse a template that does more than put values and other texts in."""
    pending, seen = [source], {source.text}
    while pending:
        one = pending.pop()
        if one.kind == "jinja2" and not _only_substitutes(one):
            where = "" if one is source else f" of the included {one.name!r}"
            raise SyncRefusedError(
                name=name,
                reason=f"the template{where} has logic (conditions, loops, filters), which a "
                "remote cannot run. Write it with variables and includes only, or push its "
                "source with --as-source.",
            )
        for target in find_includes(one):
            if target in sources and sources[target].text not in seen:
                seen.add(sources[target].text)
                pending.append(sources[target])


def _only_substitutes(source: Source) -> bool:
    known = {reference.name for reference in find_references(source).variables}
    names = {match[1] for match in _NAME.finditer(source.text)}
    literal = _NAME.sub("-", _COMMENT.sub("-", _INCLUDE.sub("-", source.text)))
    return names <= known and not any(sign in literal for sign in ("{{", "{%", "{#"))


def _without_spaces(text: str) -> str:
    return _SPACED.sub(r"{{\1}}", text)


def _writing_variables_as(prompt: Prompt) -> Callable[[str], str]:
    """Return what writes each ``{{name}}`` as a prompt does, so that only edits are edited."""
    written = {
        found[1]: found[0]
        for _, text in reversed(texts(prompt))
        for found in _SPACED.finditer(text)
    }

    def rewrite(text: str) -> str:
        return _SPACED.sub(
            lambda found: written.get(found[1], found[0]) if " " not in found[0] else found[0], text
        )

    return rewrite if prompt.template != "none" else str


def _is_unchanged(content: RemoteContent, onto: Prompt, *, as_source: bool) -> bool:
    for source in {as_source, False}:
        try:
            now = encode_content(onto, as_source=source)
        except SyncRefusedError:
            continue
        if replace(content, config=now.config).digest == now.digest:
            return True
    return False


def _encodes_to(prompt: Prompt, content: RemoteContent) -> bool:
    try:
        again = encode_content(prompt)
        dumps(prompt)
    except (SyncRefusedError, InvalidArgumentError):
        return False
    return again.digest == replace(content, config=again.config).digest


def _declared(prompt: Prompt, bare: Prompt) -> dict[str, Variable] | None:
    """Return the contract with what a new content uses and it lacks, where there is a contract."""
    if prompt.variables is None:
        return None
    found: dict[str, Variable] = {}
    for item in bare.messages or ():
        if isinstance(item, Insert):
            found[item.insert] = Variable(type="messages")
    for _, text in texts(bare):
        plain = {*split_simple(text)[1::2]}
        # A text that is no template is refused where it is saved.
        with suppress(TemplateError):
            for name, _line in find_references(Source(text, bare.template)).variables:
                if _DECLARABLE.fullmatch(name):
                    found.setdefault(name, Variable(type="string" if name in plain else "any"))
    new = {name: variable for name, variable in found.items() if name not in prompt.contract}
    return {**prompt.variables, **new}


def _parsed(value: Any) -> Prompt | None:
    """Return the messages that a value or its JSON text is, as a prompt without a language."""
    try:
        if isinstance(value, str) and value.lstrip().startswith("["):
            value = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list) or is_deep(value):
        return None
    prompt = parse_content({"template": "none", "messages": value})
    if not isinstance(prompt, Prompt) or prompt.content["messages"] != without_nulls(value):
        return None
    return prompt if any(isinstance(item, Message) for item in prompt.messages or ()) else None


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with every string changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    return value


def _with_plain_numbers(value: Any) -> Any:
    """Return a JSON value with 2.0 as 2, since databases do not tell them apart."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _with_plain_numbers(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_plain_numbers(item) for item in value]
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
