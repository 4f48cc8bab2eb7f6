"""A prompt in git ↔ what a remote holds of it: one text, and a config beside it.

A text prompt is its text, a chat prompt the JSON of its messages. Variables are written as
``{{name}}``, the only spelling that every SDK fills; includes are put in place. What a remote
cannot hold (description, declared variables, tags and so on) stays in git.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from promptstore.errors import (
    InvalidArgumentError,
    SyncRefusedError,
    TemplateError,
)
from promptstore.model.messages import MESSAGE_KEYS, Insert, Message, without_nulls
from promptstore.model.parts import ARGUMENTS
from promptstore.model.prompt import Prompt
from promptstore.model.values import FrozenDict, thaw
from promptstore.model.variables import Variable
from promptstore.promptfile.reader import loads
from promptstore.promptfile.writer import dumps
from promptstore.template import Budget, Source, compile_template, find_includes, find_references
from promptstore.template.substitution import split_simple

MAX_BYTES: Final = 1_000_000
"""How large a text or a config may be on a remote, as compact JSON in UTF-8."""

_INCLUDE: Final = re.compile(r"""\{%[-+]?\s*include\s*(["'])[^"'\\]*\1\s*[-+]?%\}""")
_NAME: Final = re.compile(r"\{\{\s*([A-Za-z][A-Za-z0-9_]*)\s*\}\}")
_COMMENT: Final = re.compile(r"\{#.*?#\}", re.DOTALL)
_DECLARABLE: Final = re.compile(r"(?!_)[\w.-]+")


@dataclass(frozen=True, slots=True)
class Wire:
    """What a remote holds of a prompt.

    Attributes:
        text: The text, or the JSON text of the messages.
        config: The config; empty where there is none.
        digest: The identity of its meaning: JSON of messages counts by its values, not its layout,
            and spaces around the name of a variable do not count.
    """

    text: str
    config: Mapping[str, Any] = field(default_factory=FrozenDict)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        content = _mapped(read_messages(self.text) or self.text, _with_plain_variables)
        meaning = [content, _with_plain_numbers(self.config)]
        canonical = json.dumps(meaning, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        digest = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
        object.__setattr__(self, "digest", digest)


def encode(prompt: Prompt, *, keeps_config: bool = True, as_source: bool = False) -> Wire:
    """Write a prompt as a remote holds it.

    Args:
        prompt: A prompt of a store, with what it includes.
        keeps_config: Whether the remote has a place for the config.
        as_source: Whether templates go out as they are, logic and includes too.

    Returns:
        What to send.

    Raises:
        SyncRefusedError: A template does more than put values in, or it is too large.
    """

    def flat(text: str) -> str:
        return text if as_source else _flatten(prompt, text)

    if prompt.messages is None:
        text = flat(prompt.prompt or "")
    else:
        text = _dumped([_message(item, flat) for item in prompt.messages])
    config = prompt.config if keeps_config else FrozenDict()
    _refuse_unfit(prompt, "text", text)
    _refuse_unfit(prompt, "config", thaw(config))
    return Wire(text, config)


def decode(wire: Wire, onto: Prompt | None, *, keeps_config: bool, as_source: bool) -> Prompt:
    """Make a prompt of what a remote holds.

    Args:
        wire: What it holds.
        onto: The prompt in git that it becomes the new text of; what a remote cannot hold is kept,
            and the template's language too where the text means the same in it. None makes a new
            prompt of the language ``simple``.
        keeps_config: Whether the remote has a place for the config.
        as_source: Whether templates go out as they are.

    Returns:
        The prompt: encoded again, it has the same digest.
    """
    alive = replace(
        onto or Prompt(prompt="", template="simple"),
        deleted=False,
        deleted_reason=None,
        replaced_by=None,
        config=dict(wire.config) if keeps_config or onto is None else onto.config,
    )
    kept = _with_text(alive, onto, wire.text, as_chat=onto is None or onto.is_chat)
    if onto is not None and _encodes_to(kept, wire, keeps_config=keeps_config, as_source=as_source):
        return kept
    read = read_messages(wire.text)
    simple = replace(alive, template="simple", includes={})
    return _with_text(simple, onto, wire.text, as_chat=read is not None)


def read_messages(text: str) -> list[Any] | None:
    """Read a text as the JSON of messages; None where it is none."""
    if not text.lstrip().startswith("["):
        return None
    try:
        value = json.loads(text)
        prompt = loads(_dumped({"template": "none", "messages": value}))
    except (ValueError, RecursionError):
        # A broken prompt file is a ValueError too.
        return None
    if not any(isinstance(item, Message) for item in prompt.messages or ()):
        return None
    messages: list[Any] = prompt.content["messages"]
    return messages if messages == without_nulls(value) else None


def checked_file(name: str, prompt: Prompt) -> str:
    """Write a prompt that came from a remote as a file.

    Raises:
        SyncRefusedError: No file can hold it.
    """
    try:
        return dumps(prompt)
    except InvalidArgumentError as error:
        raise SyncRefusedError(name=name, reason=f"no file can hold it. {error}") from None


def _flatten(prompt: Prompt, text: str) -> str:
    """Write a template with its includes in place and each variable as ``{{name}}``."""
    source = Source(text=text, kind=prompt.template, name=prompt.name)
    if source.kind == "none":
        return text
    name = prompt.name or "the prompt"
    sources = {
        key: Source(text=included.prompt or "", kind=included.template, name=key)
        for key, included in prompt.includes.items()
    }
    try:
        _refuse_logic(name, source, sources)
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
    """Tell whether a template does no more than put values and other texts in."""
    known = {reference.name for reference in find_references(source).variables}
    names = {match[1] for match in _NAME.finditer(source.text)}
    literal = _NAME.sub("-", _COMMENT.sub("-", _INCLUDE.sub("-", source.text)))
    return names <= known and not any(sign in literal for sign in ("{{", "{%", "{#"))


def _message(item: Message | Insert, flat: Callable[[str], str]) -> dict[str, Any]:
    if isinstance(item, Insert):
        return {"insert": item.insert}
    message = {"role": item.role, "content": _mapped(item.content, flat)}
    for key in MESSAGE_KEYS[2:]:
        value = getattr(item, key)
        if key == "tool_calls":
            value = [_call(call, flat) for call in value or ()] or None
        if value is not None:
            message[key] = value
    return message


def _call(call: Mapping[str, Any], flat: Callable[[str], str]) -> dict[str, Any]:
    """Change the arguments of a tool call, which are all that is a template in it."""
    made = dict(call)
    for key, name in ARGUMENTS.items():
        if isinstance(call.get(key), dict) and name in call[key]:
            made[key] = {**call[key], name: _mapped(call[key][name], flat)}
    return made


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Change every text of a content."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {k: item if k == "type" else _mapped(item, change) for k, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mapped(item, change) for item in value]
    return value


def _with_plain_variables(text: str) -> str:
    """Write the variables of a ``simple`` text without spaces."""
    pieces = split_simple(text)
    return "".join(f"{{{{{x}}}}}" if at % 2 else x for at, x in enumerate(pieces))


def _with_text(prompt: Prompt, before: Prompt | None, text: str, *, as_chat: bool) -> Prompt:
    read = read_messages(text) if as_chat else None
    if read is None:
        variables = _declared(prompt, before, (Message("user", text),))
        return replace(prompt, prompt=text, messages=None, variables=variables)
    messages = loads(_dumped({"template": "none", "messages": read})).messages
    variables = _declared(prompt, before, messages or ())
    return replace(prompt, prompt=None, messages=messages, variables=variables)


def _encodes_to(prompt: Prompt, wire: Wire, *, keeps_config: bool, as_source: bool) -> bool:
    try:
        again = encode(prompt, keeps_config=keeps_config, as_source=as_source)
        dumps(prompt)
    except (SyncRefusedError, InvalidArgumentError):
        return False
    return again.digest == replace(wire, config=again.config).digest


def _declared(
    prompt: Prompt, before: Prompt | None, items: Iterable[Message | Insert]
) -> dict[str, Variable] | None:
    """Return the contract with the variables of messages that it lacks, where there is one."""
    if prompt.variables is None:
        return None
    known = before.contract if before else {}
    found: dict[str, Variable] = {}
    for item in items:
        if isinstance(item, Insert):
            found[item.insert] = known.get(item.insert, Variable(type="messages"))
        elif prompt.template != "none":
            content = item.content if isinstance(item.content, str) else _dumped(item.content)
            content += _dumped(item.tool_calls or ())
            names = filter(_DECLARABLE.fullmatch, split_simple(content)[1::2])
            found |= {name: known.get(name, Variable(type="string")) for name in names}
    return {**found, **prompt.variables}


def _refuse_unfit(prompt: Prompt, what: str, value: Any) -> None:
    name = prompt.name or "the prompt"
    text = _dumped(value)
    if "\\u0000" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise SyncRefusedError(name=name, reason=f"its {what} holds NUL or half a character.")
    size = len(text.encode())
    if size > MAX_BYTES:
        raise SyncRefusedError(
            name=name,
            reason=f"its {what} has {size:,} bytes as JSON, and a remote holds {MAX_BYTES:,}.",
        )


def _with_plain_numbers(value: Any) -> Any:
    """Write 2.0 as 2, since databases do not tell them apart."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _with_plain_numbers(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_plain_numbers(item) for item in value]
    return value


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
