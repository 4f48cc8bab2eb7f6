"""A typed client of PostHog's prompts API (``pip install 'git-promptstore[remote]'``).

::

    from promptstore.posthog.client import PostHogClient

    with PostHogClient("https://us.posthog.com", project_id=1) as client:
        for prompt in client.list_prompts():
            print(prompt.name, prompt.version)
"""

from __future__ import annotations

from importlib.util import find_spec

from promptstore.errors import MissingExtraError

if find_spec("httpx") is None or find_spec("tenacity") is None:
    raise MissingExtraError(extra="remote", purpose="Talking to a remote")

from promptstore.posthog.client.client import PostHogClient
from promptstore.posthog.client.retries import RetryPolicy
from promptstore.posthog.hosts import KEY_VARIABLE
from promptstore.posthog.logmodels import (
    LogAttribute,
    LogAttributes,
    LogExplanation,
    Translation,
)
from promptstore.posthog.models import PromptHistory, RemotePrompt, TextRepresentation

__all__ = [
    "KEY_VARIABLE",
    "LogAttribute",
    "LogAttributes",
    "LogExplanation",
    "PostHogClient",
    "PromptHistory",
    "RemotePrompt",
    "RetryPolicy",
    "TextRepresentation",
    "Translation",
]
