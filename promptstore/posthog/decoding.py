"""The prompt in git that a content of PostHog's API makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from promptstore.errors import InvalidArgumentError, SyncRefusedError
from promptstore.model.prompt import Prompt, texts
from promptstore.posthog.content import (
    VARIABLE,
    RemoteContent,
    encode_content,
    map_templates,
    read_messages,
    set_content,
)
from promptstore.promptfile.writer import dumps


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


def _encodes_to(prompt: Prompt, content: RemoteContent, *, as_source: bool) -> bool:
    try:
        dumps(prompt)
        return encode_content(prompt, as_source=as_source).digest == content.digest
    except (SyncRefusedError, InvalidArgumentError):
        return False
