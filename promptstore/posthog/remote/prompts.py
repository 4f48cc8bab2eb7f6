"""The prompts of a remote as a sync sees them, whichever generation the API is of."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from promptstore.errors import (
    RemoteConflictError,
    RemoteNotFoundError,
    RemotePermissionError,
    RemoteRejectedError,
)
from promptstore.posthog.remote.answers import RemotePrompt
from promptstore.posthog.remote.client import PAGE_SIZE, PostHogClient


class PromptsOfRemote:
    """Reads and writes the prompts of one project.

    Args:
        client: The client of the project.
        page_size: How many prompts to ask for at once.
    """

    def __init__(self, client: PostHogClient, *, page_size: int = PAGE_SIZE) -> None:
        self._client = client
        self._page_size = page_size

    @property
    def keeps_config(self) -> bool:
        """Whether the remote has a place for configs; so it seems until an answer tells."""
        return self._client.dialect != "seed"

    def fetch(self) -> list[RemotePrompt]:
        """Read all active prompts with their contents, in as few requests as paging needs."""
        # A fixed order, so that a prompt published meanwhile shifts no other one between pages.
        return list(self._client.list_prompts(order_by="name", page_size=self._page_size))

    def read(self, name: str, version: int | None = None) -> RemotePrompt | None:
        """Read one prompt; None where there is none.

        Args:
            name: Its name on the remote.
            version: The number of a version; None is the newest one.
        """
        try:
            # As the list gives it: there no reference to another prompt is put in place.
            return self._client.get_prompt(name, version=version, resolve=False)
        except RemoteNotFoundError:
            return None

    def create(
        self, name: str, text: str, config: Mapping[str, Any], description: str
    ) -> RemotePrompt:
        """Create a prompt.

        Args:
            name: Its name on the remote.
            text: Its content.
            config: Its config, left out where empty.
            description: What to say about the version.
        """
        return self._client.create_prompt(
            name, text, config=config or None, version_description=description
        )

    def publish(
        self, seen: RemotePrompt, text: str, config: Mapping[str, Any], description: str
    ) -> RemotePrompt:
        """Give a prompt a new content.

        Args:
            seen: The prompt as it was when the change was planned.
            text: Its new content.
            config: Its new config.
            description: What to say about the version.

        Raises:
            RemoteConflictError: It has changed since it was seen.
        """
        if seen.latest_version is None:
            # This generation detects no conflict, so the best is to look just before.
            self._check_unchanged(seen)
            return self._client.update_prompt(seen.id, prompt=text)
        return self._client.publish_prompt(
            seen.name,
            base_version=seen.latest_version,
            prompt=text,
            config=config or None,
            version_description=description,
        )

    def archive(self, seen: RemotePrompt) -> None:
        """Archive a prompt.

        Args:
            seen: The prompt as it was when this was planned.

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

        Args:
            name: Its name on the remote.

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
        return self._client.get_prompt(name, resolve=False)

    def set_label(self, name: str, label: str, version: int) -> None:
        """Point a label of a prompt at a version."""
        self._client.set_label(name, label, version)

    def remove_label(self, name: str, label: str) -> None:
        """Take a label off a prompt; one that is off already stays off."""
        with suppress(RemoteNotFoundError):
            self._client.remove_label(name, label)

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
    """Tell what changes with each write."""
    return prompt.id, prompt.version, prompt.updated_at, prompt.prompt
