"""PostHog's events as readable text.

What was given is read into one `Event` or `Trace` (`events`). A style then lays it out: `posthog`
to the byte as PostHog prints, `complete` so that nothing is lost, by way of one small model of
messages that every provider's shapes and streams are read into.
"""

from __future__ import annotations

from promptstore.formatters.options import TextReprOptions
from promptstore.formatters.textrepr import TextRepr, TextReprMetadata, text_repr

__all__ = ["TextRepr", "TextReprMetadata", "TextReprOptions", "text_repr"]
