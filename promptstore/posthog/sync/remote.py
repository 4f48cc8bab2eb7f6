"""The prompts of a remote as a sync reads and writes them, whichever API it speaks."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from promptstore.errors import (
    RemoteConflictError,
    RemoteNotFoundError,
    RemotePermissionError,
    RemoteRejectedError,
)
from promptstore.posthog.content import RemoteContent
from promptstore.posthog.models import RemotePrompt

if TYPE_CHECKING:
    from promptstore.posthog.client import PostHogClient


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
    def keeps_config(self) -> bool:
        """Whether the remote has a place for configs; so it seems until an answer tells."""
        return self._client.dialect != "seed"

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
            content.value if self.is_native else content.text,
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
        if self.is_native:
            made = self._client.publish_prompt(
                seen.name,
                base_version=seen.latest_version,
                prompt=content.value,
                version_description=description,
                form="native",
            )
            return self._written(made, content)
        return self._client.publish_prompt(
            seen.name,
            base_version=seen.latest_version,
            prompt=content.text,
            config=content.config or None,
            version_description=description,
        )

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
        if self._client.dialect == "seed":
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
