"""PostHog's events as readable text.

What was given is read into one `Event` or `Trace` (`reading`). A style then reads the messages in
it and lays them out: `posthog` to the byte as PostHog prints, `complete` so that nothing is lost,
by way of one small model of messages (`messages`) that the `providers` fill.
"""

from __future__ import annotations

from promptstore.formatters.options import TextReprOptions
from promptstore.formatters.textrepr import TextRepr, TextReprMetadata, text_repr

__all__ = ["TextRepr", "TextReprMetadata", "TextReprOptions", "text_repr"]
