"""The prompt in git that a content of PostHog's API makes."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from promptstore.errors import InvalidArgumentError, SyncRefusedError, TemplateError
from promptstore.model.parts import Insert
from promptstore.model.prompt import Prompt, texts
from promptstore.model.variables import Variable
from promptstore.posthog.content import (
    JSON_KEY,
    VARIABLE,
    RemoteContent,
    encode_content,
    map_templates,
    read_chat,
    read_messages,
)
from promptstore.promptfile.writer import dumps
from promptstore.template import Source, find_references
from promptstore.template.source import split_simple

_DECLARABLE: Final = re.compile(r"(?!_)[\w.-]+")


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
    kept = set_content(kept, map_templates(kept, _writing_variables_as(onto)))
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
