"""Which prompt ran, as the attributes of a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from promptstore.errors import InvalidArgumentError

TraceFormat: TypeAlias = Literal["otel", "posthog", "langfuse"]
TRACE_FORMATS: Final[tuple[TraceFormat, ...]] = get_args(TraceFormat)


class PromptIdentity(NamedTuple):
    """Which prompt ran.

    Attributes:
        name: Its name, or None.
        version: Its version, or None where history is not known.
        digest: The identity of its meaning.
        label: The label that was asked for, or None.
        is_fallback: Whether the caller's own fallback ran.
    """

    name: str | None
    version: int | None
    digest: str
    label: str | None
    is_fallback: bool


def trace_attributes(identity: PromptIdentity, form: TraceFormat) -> dict[str, str | int | bool]:
    """Name the prompt that ran as a tracing system wants it.

    Args:
        identity: Which prompt ran.
        form: ``otel`` for OpenTelemetry's conventions for generative AI (``gen_ai.prompt.*``),
            ``posthog`` for the properties of PostHog's events, ``langfuse`` for the attributes
            that Langfuse reads from a span.

    Returns:
        The attributes by name; what is not known is left out.

    Raises:
        InvalidArgumentError: There is no such form.
    """
    found: Mapping[str, str | int | bool | None]
    own = {
        "promptstore.prompt.digest": identity.digest,
        "promptstore.prompt.label": identity.label,
        "promptstore.prompt.is_fallback": identity.is_fallback or None,
    }
    match form:
        case "otel":
            version = None if identity.version is None else str(identity.version)
            found = {"gen_ai.prompt.name": identity.name, "gen_ai.prompt.version": version, **own}
        case "posthog":
            found = {
                "$ai_prompt_name": identity.name,
                "$ai_prompt_version": identity.version,
                "promptstore_prompt_digest": identity.digest,
                "promptstore_prompt_label": identity.label,
                "promptstore_prompt_is_fallback": identity.is_fallback or None,
            }
        case "langfuse" if identity.is_fallback:
            found = own  # as Langfuse does with a fallback of its own
        case "langfuse":
            found = {
                "langfuse.observation.prompt.name": identity.name,
                "langfuse.observation.prompt.version": identity.version,
                **own,
            }
        case _:
            raise InvalidArgumentError(
                message=f"there are no trace attributes for {form!r}; "
                f"give one of {', '.join(TRACE_FORMATS)}"
            )
    return {key: value for key, value in found.items() if value is not None}
