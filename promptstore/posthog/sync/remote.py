"""What a remote holds of prompts, and how a sync reads and writes it, whichever API it speaks.

PostHog holds a content of each prompt, a promptstore server the whole file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from promptstore.compare.merge import (
    MergeConflictError,
    merge_mappings,
    merge_messages,
    merge_text_values,
)
from promptstore.errors import (
    InvalidArgumentError,
    InvalidNameError,
    RemoteConflictError,
    RemoteNotFoundError,
    RemotePermissionError,
    RemoteRejectedError,
    SyncRefusedError,
)
from promptstore.model.prompt import Prompt, parse_content
from promptstore.model.values import as_key
from promptstore.posthog.content import (
    API_NAME,
    MAX_BYTES,
    MAX_NAME_LENGTH,
    RemoteContent,
    decode_content,
    decode_name,
    encode_content,
    encode_name,
    new_prompt,
    read_messages,
)
from promptstore.posthog.models import RemotePrompt
from promptstore.posthog.requests import HALF, NUL

if TYPE_CHECKING:
    from promptstore.posthog.client import PostHogClient


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
        if onto is None:
            return new_prompt(content)
        if not self.keeps_config:
            content = replace(content, config=onto.config)
        return decode_content(content, onto, as_source=self.as_source)

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


def check_fits(name: str, content: RemoteContent) -> None:
    """Refuse a content that a remote cannot hold.

    Raises:
        SyncRefusedError: It is too large, or holds NUL or half of a character.
    """
    for what, value in (("text", content.text), ("config", content.config)):
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if NUL.search(text) or HALF.search(text):
            raise SyncRefusedError(name=name, reason=f"its {what} holds NUL or half a character.")
        size = len(text.encode())
        if size > MAX_BYTES:
            reason = f"its {what} has {size:,} bytes as JSON, and a remote holds {MAX_BYTES:,}."
            raise SyncRefusedError(name=name, reason=reason)


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


class RemotePrompts:
    """The prompts of one project. Each method raises `promptstore.errors.RemoteError`.

    Args:
        client: The client of the project.
        page_size: How many prompts to ask for at once.

    Attributes:
        is_native: Whether the remote is a promptstore server, as the answer of `fetch` says.
    """

    def __init__(self, client: PostHogClient, *, page_size: int = 100) -> None:
        self._client = client
        self._page_size = page_size
        self.is_native = False

    @property
    def is_legacy(self) -> bool:
        """Whether the remote has no versions, labels and configs; an answer must tell so."""
        return self._client.dialect == "legacy"

    @property
    def requests(self) -> int:
        """How many requests were sent so far."""
        return self._client.requests

    @property
    def _form(self) -> Literal["native"] | None:
        return "native" if self.is_native else None

    def fetch(self) -> list[RemotePrompt]:
        """Read all active prompts with their contents, in as few requests as paging needs."""
        # A fixed order, so that a prompt published meanwhile shifts no other one between pages.
        # PostHog does not know the form, and ignores it.
        found = list(
            self._client.list_prompts(order_by="name", page_size=self._page_size, form="native")
        )
        self.is_native = self._client.is_promptstore
        return found

    def read(self, name: str, version: int | None = None) -> RemotePrompt | None:
        """Read one prompt; None where there is none."""
        try:
            # As the list gives it: there no reference to another prompt is put in place.
            return self._client.get_prompt(name, version=version, resolve=False, form=self._form)
        except RemoteNotFoundError:
            return None

    def create(self, name: str, content: RemoteContent, description: str) -> RemotePrompt:
        """Create a prompt."""
        made = self._client.create_prompt(
            name,
            self._value(content),
            config=content.config or None,
            version_description=description,
            form=self._form,
        )
        return self._written(made, content)

    def publish(self, seen: RemotePrompt, content: RemoteContent, description: str) -> RemotePrompt:
        """Give a prompt a new content.

        Raises:
            RemoteConflictError: It has changed since it was seen.
        """
        if seen.latest_version is None:
            # This generation detects no conflict, so the best is to look just before.
            self._check_unchanged(seen)
            return self._client.update_prompt(seen.id, prompt=content.text)
        made = self._client.publish_prompt(
            seen.name,
            base_version=seen.latest_version,
            prompt=self._value(content),
            config=content.config or None,
            version_description=description,
            form=self._form,
        )
        return self._written(made, content)

    def archive(self, seen: RemotePrompt) -> None:
        """Archive a prompt.

        Raises:
            RemoteConflictError: It has changed since it was seen.
        """
        self._check_unchanged(seen)
        if seen.latest_version is None:
            self._client.update_prompt(seen.id, deleted=True)
        else:
            self._client.archive_prompt(seen.name)

    def unarchive(self, name: str) -> RemotePrompt | None:
        """Bring an archived prompt back as it was, with its id and its versions.

        Returns:
            The prompt, or None where the remote refuses: only the newest servers can do that, and
            nothing tells which those are.
        """
        if self.is_legacy:
            return None
        try:
            self._client.unarchive_prompt(name)
        except (RemoteNotFoundError, RemotePermissionError, RemoteRejectedError):
            return None
        return self._client.get_prompt(name, resolve=False, form=self._form)

    def set_label(self, name: str, label: str, version: int) -> None:
        """Point a label of a prompt at a version."""
        self._client.set_label(name, label, version)

    def remove_label(self, name: str, label: str) -> None:
        """Take a label off a prompt; one that is off already stays off."""
        with suppress(RemoteNotFoundError):
            self._client.remove_label(name, label)

    def _value(self, content: RemoteContent) -> Any:
        return content.value if self.is_native else content.text

    def _written(self, made: RemotePrompt, content: RemoteContent) -> RemotePrompt:
        """Return what a write made; a promptstore server answers it without the file."""
        return made.model_copy(update={"content": content.value}) if self.is_native else made

    def _check_unchanged(self, seen: RemotePrompt) -> None:
        now = self.read(seen.name)
        if now is not None and _state(now) == _state(seen):
            return
        raise RemoteConflictError(
            request=f"Reading {seen.name!r} before it is written",
            detail="it changed on the remote meanwhile",
            current_version=now.latest_version if now else None,
        )


def _state(prompt: RemotePrompt) -> tuple[object, ...]:
    """Return what changes with each write."""
    return prompt.id, prompt.version, prompt.updated_at, prompt.content or prompt.prompt
