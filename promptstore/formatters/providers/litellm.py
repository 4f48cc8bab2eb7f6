"""LiteLLM and the servers that think aloud: what they add to a chat message of OpenAI."""

from __future__ import annotations

from promptstore.formatters.messages import Fields, Part, Reader, Text


def read(fields: Fields, inner: Reader) -> list[Part]:
    """Read the thinking and the images beside a message's content.

    Args:
        fields: The message.
        inner: Reads the contents inside of it.

    Returns:
        The thinking and the images; none where there are none.
    """
    parts: list[Part] = []
    if thinking := fields.text("reasoning_content"):
        parts.append(Text(thinking, "thinking"))
    blocks = fields.list("thinking_blocks")
    for part in inner(blocks) if blocks else ():
        if not (isinstance(part, Text) and part in parts):  # it may stand in both places
            parts.append(part)
    return parts + inner(fields.list("images"))
