"""A prompt in git ↔ what a remote holds: PostHog a content, a promptstore server the whole file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from promptstore.compare.diff import as_key
from promptstore.compare.merge import (
    MergeConflictError,
    merge_mappings,
    merge_messages,
    merge_text_values,
)
from promptstore.errors import InvalidArgumentError, InvalidNameError, SyncRefusedError
from promptstore.model.prompt import Prompt, parse_content
from promptstore.posthog.content import (
    RemoteContent,
    check_fits,
    decode_content,
    encode_content,
    read_messages,
)
from promptstore.posthog.models import RemotePrompt
from promptstore.posthog.names import API_NAME, MAX_NAME_LENGTH, decode_name, encode_name


@dataclass(frozen=True, slots=True)
class SyncRules:
    """How the prompts of one remote are kept in step.

    Attributes:
        names: The remote's names of single prompts, for which the usual form does not count.
        only: Patterns such as ``support/*``; empty takes all prompts.
        as_source: Whether templates go out as they are, logic and includes too.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    as_source: bool = False

    def __post_init__(self) -> None:
        texts = list(self.names.values())
        twice = next((text for text in texts if texts.count(text) > 1), None)
        if twice is not None:
            message = f"two prompts have the name {twice!r} on the remote; use two names"
            raise InvalidArgumentError(message=message)

    def takes(self, name: str) -> bool:
        """Return whether a prompt takes part."""
        return not self.only or any(fnmatchcase(name, pattern) for pattern in self.only)

    def to_remote(self, name: str) -> str:
        """Return the remote's name of a prompt.

        Raises:
            SyncRefusedError: The remote cannot hold it, or it would come back as another one.
        """
        text = self.names.get(name) or encode_name(name)
        if not API_NAME.fullmatch(text) or len(text) > MAX_NAME_LENGTH:
            reason = f"the remote's names are up to {MAX_NAME_LENGTH} letters, digits, '-' and '_'"
            raise _refused(name, f"{reason}, not {text!r}")
        back = self._name_of(text)
        if back != name:
            raise _refused(name, f"as {text!r} it would come back as {back!r}")
        return text

    def to_local(self, text: str) -> str:
        """Return the name in git that a remote's name stands for.

        Raises:
            SyncRefusedError: It stands for none.
        """
        try:
            name = self._name_of(text)
        except InvalidNameError:
            raise _refused(text, "it is no name in git") from None
        if self.to_remote(name) != text:
            raise _refused(text, f"{name!r} is {self.to_remote(name)!r} on the remote")
        return name

    def _name_of(self, text: str) -> str:
        own = (name for name, given in self.names.items() if given == text)
        return next(own, None) or decode_name(text)


def _refused(name: str, reason: str) -> SyncRefusedError:
    reason = f"{reason}. Give it another name there under `names` of the remote."
    return SyncRefusedError(name=name, reason=reason)


@dataclass(frozen=True)
class FileContent(RemoteContent):
    """What a promptstore server holds of a prompt: everything that its file says."""

    @cached_property
    def digest(self) -> str:
        """The identity of its meaning; the id of a prompt is no part of it."""
        meaning = {key: item for key, item in self.value.items() if key != "id"}
        return hashlib.sha256(as_key(meaning).encode()).hexdigest()


@dataclass(frozen=True)
class Codec:
    """Writes and reads prompts as one remote holds them.

    Attributes:
        as_source: Whether templates go out as they are, logic and includes too.
        keeps_config: Whether the remote has a place for configs.
        is_native: Whether the remote is a promptstore server, which holds files.
    """

    as_source: bool = False
    keeps_config: bool = True
    is_native: bool = False

    def encode(self, prompt: Prompt) -> RemoteContent:
        """Return a prompt as the remote holds it, whether it is deleted or not.

        Raises:
            SyncRefusedError: The remote cannot hold it.
        """
        alive = prompt
        if prompt.deleted:
            alive = replace(prompt, deleted=False, deleted_reason=None, replaced_by=None)
        if self.is_native:
            content: RemoteContent = FileContent(alive.content)
        else:
            content = self._fitting(encode_content(alive, as_source=self.as_source))
        check_fits(prompt.name or "the prompt", content)
        return content

    def read(self, prompt: RemotePrompt) -> RemoteContent:
        """Return what the remote holds of a prompt."""
        if self.is_native:
            return FileContent(prompt.content or {})
        return self._fitting(RemoteContent(prompt.prompt, prompt.config or {}))

    def decode(self, content: RemoteContent, onto: Prompt | None) -> Prompt:
        """Return the prompt that a content makes.

        Args:
            content: What the remote holds.
            onto: The prompt in git that it is the new content of; None makes a new one.

        Raises:
            SyncRefusedError: It is the content of no file.
        """
        if isinstance(content, FileContent):
            own = {"id": onto.id} if onto and onto.id else {}
            prompt = parse_content({**content.value, **own})
            if not isinstance(prompt, Prompt):
                reason = " ".join(fault.message for fault in prompt)
                raise SyncRefusedError(name=(onto and onto.name) or "the prompt", reason=reason)
            return prompt
        return decode_content(
            content, onto, keeps_config=self.keeps_config, as_source=self.as_source
        )

    def merge(
        self, base: RemoteContent, ours: RemoteContent, theirs: RemoteContent
    ) -> RemoteContent | None:
        """Merge two edits of a content; None where they touch."""
        try:
            if self.is_native:
                merged = merge_mappings(base.value, ours.value, theirs.value, deep=False)
                return FileContent(merged) if isinstance(parse_content(merged), Prompt) else None
            value = _merged_value(base.text, ours.text, theirs.text)
            config = merge_mappings(base.config, ours.config, theirs.config)
        except MergeConflictError:
            return None
        return RemoteContent(value, config)

    def _fitting(self, content: RemoteContent) -> RemoteContent:
        return content if self.keeps_config else replace(content, config={})


def _merged_value(base: str, ours: str, theirs: str) -> Any:
    first, second, third = (read_messages(text) for text in (base, ours, theirs))
    if first and second and third:
        return merge_messages(first, second, third)
    if first or second or third:
        raise MergeConflictError
    return merge_text_values(base, ours, theirs)


def content_lines(content: RemoteContent) -> list[str]:
    """Return a content as lines that a person can compare."""
    if isinstance(content, FileContent):
        return json.dumps(content.value, ensure_ascii=False, indent=2, sort_keys=True).splitlines()
    messages = read_messages(content.text)
    text = content.text if messages is None else json.dumps(messages, ensure_ascii=False, indent=2)
    config = json.dumps(content.config, ensure_ascii=False, sort_keys=True)
    return [*text.splitlines(), *([f"config: {config}"] if content.config else [])]
