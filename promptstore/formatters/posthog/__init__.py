"""The style ``posthog``: the text that PostHog's endpoint gives, to the byte.

Where PostHog's formatter fails, a reader gets what he would expect there.
"""

from __future__ import annotations

from promptstore.formatters.posthog.tree import write

__all__ = ["write"]
