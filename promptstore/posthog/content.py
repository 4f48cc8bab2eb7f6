"""A prompt's name and its content as PostHog's API holds them, and a config beside.

The API's names know neither ``/`` nor ``.``: ``support/triage`` is ``support__triage``. A name that
would not come back from that form, such as ``v1.2`` or ``a__b``, is escaped: a ``-``, which no name
in git starts with, and then ``__`` for ``/``, ``_d`` for ``.`` and ``_u`` for ``_``, so ``-v1_d2``
and ``-a_u_ub``.

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

from promptstore.errors import (
    InvalidArgumentError,
    InvalidNameError,
    SyncRefusedError,
    TemplateError,
)
from promptstore.model.parts import Insert, Message, without_nulls
from promptstore.model.prompt import Prompt, parse_content, texts
from promptstore.model.values import check_name, is_deep, is_name
from promptstore.model.variables import Variable
from promptstore.promptfile.writer import dumps
from promptstore.template import Budget, Source, compile_template, find_includes, find_references
from promptstore.template.source import split_simple

API_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
"""What the API takes as a name."""

MAX_NAME_LENGTH: Final = 255
"""How long a name may be in the API, in characters."""

RESERVED_NAME: Final = "new"
"""The name that the API keeps for itself, in any letter case."""

_ESCAPES: Final = {"/": "__", ".": "_d", "_": "_u"}
_ESCAPED: Final = {escape: character for character, escape in _ESCAPES.items()}

MAX_BYTES: Final = 1_000_000
"""How large a content or a config may be in the API, as compact JSON in UTF-8."""

JSON_KEY: Final = "x-posthog-json"
"""Marks a file whose text is JSON that was published as JSON, not as a text."""

VARIABLE: Final = re.compile(r"\{\{[ \t]*([\w.-]+)[ \t]*\}\}")
"""How a template without logic writes a variable."""

_INCLUDE: Final = re.compile(r"""\{%[-+]?\s*include\s*(["'])[^"'\\]*\1\s*[-+]?%\}""")
_NAME: Final = re.compile(r"\{\{\s*([A-Za-z][A-Za-z0-9_]*)\s*\}\}")
_DECLARABLE: Final = re.compile(r"(?!_)[\w.-]+")
_COMMENT: Final = re.compile(r"\{#.*?#\}", re.DOTALL)


def encode_name(name: str) -> str:
    """Return the API's form of a name in git.

    Args:
        name: The name in git. A long one may give more characters than `MAX_NAME_LENGTH`.

    Returns:
        The form that `decode_name` turns back into the name.
    """
    plain = name.replace("/", "__")
    is_safe = API_NAME.fullmatch(plain) and plain.lower() != RESERVED_NAME
    return plain if is_safe and _decode_plain(plain) == name else _escape(name)


def decode_name(text: str) -> str:
    """Return the name in git that a form of the API stands for.

    Args:
        text: A name as the API writes it. ``__`` stands for ``/`` wherever that gives a name in
            git, so ``a__b`` is ``a/b`` and ``__a`` is itself.

    Returns:
        The name in git.

    Raises:
        InvalidNameError: It stands for no name.
    """
    if not API_NAME.fullmatch(text):
        raise InvalidNameError(name=text, reason="the API's names are letters, digits, '-' and '_'")
    if not text.startswith("-"):
        return check_name(_decode_plain(text))
    name = re.sub("_.", lambda found: _ESCAPED.get(found[0], found[0]), text[1:])
    if not is_name(name) or encode_name(name) != text:
        raise InvalidNameError(
            name=text, reason="it starts with '-' and is not the escaped form of a name"
        )
    return name


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
        if isinstance(self.value, str):
            return self.value
        return json.dumps(self.value, ensure_ascii=False)

    @cached_property
    def digest(self) -> str:
        """The identity of its meaning.

        Messages count by their values, not by the layout of their JSON; spaces around the name of
        a variable do not count.
        """
        content = _map_leaves(read_messages(self.text) or self.text, _without_spaces)
        meaning = [content, _map_leaves(self.config, _plain_number)]
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

    return RemoteContent(map_templates(prompt, change), prompt.config, as_source)


def served_content(prompt: Prompt) -> RemoteContent:
    """Return a prompt as a server shows it: one with logic as its source, marked as that."""
    try:
        return encode_content(prompt)
    except SyncRefusedError:
        return encode_content(prompt, as_source=True)


def decode_content(content: RemoteContent, onto: Prompt, *, as_source: bool = False) -> Prompt:
    """Return the prompt that a content of the API makes.

    Args:
        content: What the API holds.
        onto: The prompt in git that it is the new content of. What the API has no place for is
            kept; so is the template language where the content means the same in it, and the way
            each variable is written.
        as_source: Whether the content is in the language of the prompt in git.

    Returns:
        The prompt: encoded again, it has the same digest.

    Raises:
        TemplateSyntaxError: It is no template of the language that it is in.
    """
    alive = replace(
        onto, deleted=False, deleted_reason=None, replaced_by=None, config=content.config
    )
    if any(_encodes_to(alive, content, as_source=source) for source in {as_source, False}):
        return alive
    kept = set_content(alive, content.value)
    kept = set_content(kept, map_templates(kept, _writing_variables_as(onto)))
    if as_source or _encodes_to(kept, content, as_source=False):
        return kept
    simple = replace(alive, template="simple", includes={})
    return set_content(simple, read_messages(content.text) or content.value)


def new_prompt(content: RemoteContent) -> Prompt:
    """Return the prompt that a content makes anew: of the language ``simple``."""
    bare = Prompt(prompt="", template="simple", config=content.config)
    return set_content(bare, read_messages(content.text) or content.value)


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
        found = read_chat(value)
    if found is None:
        if not isinstance(value, str):
            extensions[JSON_KEY] = True
            value = RemoteContent(value).text
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
    prompt = read_chat(value)
    return prompt.content["messages"] if prompt else None


def read_chat(value: Any) -> Prompt | None:
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


def _encodes_to(prompt: Prompt, content: RemoteContent, *, as_source: bool) -> bool:
    try:
        is_same = encode_content(prompt, as_source=as_source).digest == content.digest
        return is_same and bool(dumps(prompt))
    except (SyncRefusedError, InvalidArgumentError):
        return False


def _writing_variables_as(prompt: Prompt) -> Callable[[str], str]:
    """Return what writes each ``{{name}}`` as a prompt does, so that only edits are edited."""
    written = {
        found[1]: found[0]
        for _, text in reversed(texts(prompt))
        for found in VARIABLE.finditer(text)
    }

    def rewrite(text: str) -> str:
        return VARIABLE.sub(
            lambda found: written.get(found[1], found[0]) if " " not in found[0] else found[0], text
        )

    return rewrite if prompt.template != "none" else str


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


def map_texts(prompt: Prompt, change: Callable[[str], str]) -> dict[str, Any]:
    """Return what a prompt says, with each of its templates changed."""
    content = prompt.content
    for path, text in texts(prompt):
        place: Any = content
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = change(text)
    return content


def map_templates(prompt: Prompt, change: Callable[[str], str]) -> Any:
    """Return the content of a prompt with each of its templates changed."""
    content = map_texts(prompt, change)
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
        return VARIABLE.sub(r"{{\1}}", text)
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


def _without_spaces(value: Any) -> Any:
    return VARIABLE.sub(r"{{\1}}", value) if isinstance(value, str) else value


def _plain_number(value: Any) -> Any:
    """Return 2.0 as 2, since databases do not tell them apart."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _map_leaves(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a JSON value with all but its arrays and objects changed."""
    if isinstance(value, Mapping):
        return {key: _map_leaves(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_map_leaves(item, change) for item in value]
    return change(value)


def _decode_plain(text: str) -> str:
    nested = text.replace("__", "/")
    return nested if is_name(nested) else text


def _escape(name: str) -> str:
    return "-" + re.sub("[/._]", lambda found: _ESCAPES[found[0]], name)
