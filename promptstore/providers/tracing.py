"""Which prompt ran, as the attributes of a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

from promptstore.errors import InvalidArgumentError

TraceFormat: TypeAlias = Literal["otel", "posthog", "langfuse"]
TRACE_FORMATS: Final[tuple[TraceFormat, ...]] = get_args(TraceFormat)


def trace_attributes(
    form: TraceFormat,
    *,
    name: str | None,
    version: int | None,
    digest: str,
    label: str | None,
    is_fallback: bool,
) -> dict[str, str | int | bool]:
    """Name the prompt that ran as a tracing system wants it.

    Args:
        form: ``otel`` for OpenTelemetry's conventions for generative AI (``gen_ai.prompt.*``),
            ``posthog`` for the properties of PostHog's events, ``langfuse`` for the attributes
            that Langfuse reads from a span.
        name: The prompt's name, or None.
        version: Its version, or None where history is not known.
        digest: The identity of its meaning.
        label: The label that was asked for, or None.
        is_fallback: Whether the caller's own fallback ran.

    Returns:
        The attributes by name; what is not known is left out.

    Raises:
        InvalidArgumentError: There is no such form.
    """
    found: Mapping[str, str | int | bool | None]
    own = {
        "promptstore.prompt.digest": digest,
        "promptstore.prompt.label": label,
        "promptstore.prompt.is_fallback": is_fallback or None,
    }
    match form:
        case "otel":
            number = None if version is None else str(version)
            found = {"gen_ai.prompt.name": name, "gen_ai.prompt.version": number, **own}
        case "posthog":
            found = {
                "$ai_prompt_name": name,
                "$ai_prompt_version": version,
                "promptstore_prompt_digest": digest,
                "promptstore_prompt_label": label,
                "promptstore_prompt_is_fallback": is_fallback or None,
            }
        case "langfuse" if is_fallback:
            found = own  # as Langfuse does with a fallback of its own
        case "langfuse":
            found = {
                "langfuse.observation.prompt.name": name,
                "langfuse.observation.prompt.version": version,
                **own,
            }
        case _:
            raise InvalidArgumentError(
                message=f"there are no trace attributes for {form!r}; "
                f"give one of {', '.join(TRACE_FORMATS)}"
            )
    return {key: value for key, value in found.items() if value is not None}
