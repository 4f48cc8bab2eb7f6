"""``text_repr``: an event in, its text out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from promptstore.errors import InvalidArgumentError
from promptstore.formatters import complete, posthog
from promptstore.formatters.events import EVENT_TYPES, TRACE, Trace, read_event
from promptstore.formatters.finishing import finish, make_encodable
from promptstore.formatters.options import make_options

_RENDERING: Final = {"posthog": "detailed", "complete": "complete"}


@dataclass(frozen=True, slots=True)
class TextReprMetadata:
    """What is known of a text beside the text itself.

    Attributes:
        event_type: What was shown, such as ``$ai_generation``, or None where the event does not
            say it.
        event_id: The event's id, or None.
        trace_id: The id of its trace, or None.
        rendering: ``detailed`` for the style ``posthog``, as the endpoint says, or ``complete``.
        char_count: The length of the text, in characters.
        truncated: Whether something is not shown. In the style ``posthog`` only the cut by
            `max_length` counts, as in the endpoint.
    """

    event_type: str | None
    event_id: Any
    trace_id: Any
    rendering: str
    char_count: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class TextRepr:
    """An event as text; ``str()`` gives the text.

    Attributes:
        text: The text.
        metadata: What is known about it.
    """

    text: str
    metadata: TextReprMetadata

    def __str__(self) -> str:
        return self.text


def text_repr(event: Any, *, event_type: str | None = None, **options: Any) -> TextRepr:
    """Turn a PostHog event into readable text.

    Args:
        event: An event as posted or exported, a row of a table of events, a trace with ``trace``
            and ``hierarchy``, or a list of the events of one trace.
        event_type: What the event is, such as ``$ai_trace``; None sees it from the event.
        **options: The fields of `TextReprOptions`.

    Returns:
        The text and what is known about it.

    Raises:
        EventError: This is not an event.
        InvalidArgumentError: An option is unknown or has a wrong value.
    """
    chosen = make_options(options)
    if event_type is not None and event_type not in EVENT_TYPES:
        raise InvalidArgumentError(
            message=f"event_type must be one of {', '.join(EVENT_TYPES)}, not {event_type!r}"
        )
    if _is_request(event):
        kind = event["event_type"]
        event_type = event_type or (kind if kind in EVENT_TYPES else None)
        event = event["data"]
    found = read_event(event, event_type)
    write = complete.write if chosen.style == "complete" else posthog.write
    lines, is_shortened = write(found, chosen)
    text, is_cut = finish(
        lines, numbered=chosen.include_line_numbers, max_length=chosen.max_length or 0
    )
    text = make_encodable(text)
    if event_type is None:
        event_type = TRACE if isinstance(found, Trace) else found.kind
    metadata = TextReprMetadata(
        event_type=event_type,
        event_id=found.id,
        trace_id=found.trace_id,
        rendering=_RENDERING[chosen.style],
        char_count=len(text),
        truncated=is_shortened or is_cut,
    )
    return TextRepr(text, metadata)


def _is_request(value: Any) -> bool:
    """Return whether it is the whole body of a request, with the event under `data`."""
    return (
        isinstance(value, dict)
        and "data" in value
        and isinstance(value.get("event_type"), str)
        and "properties" not in value
    )
