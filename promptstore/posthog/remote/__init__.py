"""A typed client of PostHog's prompts API (``pip install 'git-promptstore[remote]'``).

::

    from promptstore.posthog.remote import PostHogClient

    with PostHogClient("https://us.posthog.com", project_id=1) as client:
        for prompt in client.list_prompts():
            print(prompt.name, prompt.version)
"""

from __future__ import annotations

from importlib.util import find_spec

from promptstore.errors import MissingExtraError

if find_spec("httpx") is None:
    raise MissingExtraError(extra="remote", purpose="Talking to a remote")

from promptstore.posthog.remote.answers import (
    Dialect,
    LogAttribute,
    LogAttributes,
    LogExplanation,
    PromptHistory,
    RemotePrompt,
    RemoteUser,
    TextRepresentation,
    Translation,
    VersionSummary,
)
from promptstore.posthog.remote.client import PostHogClient
from promptstore.posthog.remote.connection import KEY_VARIABLE, Patience
from promptstore.posthog.remote.requests import ContentMode, EventType, TextReprOptions

__all__ = [
    "KEY_VARIABLE",
    "ContentMode",
    "Dialect",
    "EventType",
    "LogAttribute",
    "LogAttributes",
    "LogExplanation",
    "Patience",
    "PostHogClient",
    "PromptHistory",
    "RemotePrompt",
    "RemoteUser",
    "TextReprOptions",
    "TextRepresentation",
    "Translation",
    "VersionSummary",
]
