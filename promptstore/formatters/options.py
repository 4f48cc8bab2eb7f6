"""How an event is to be shown."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, Literal, TypeAlias, get_args

from promptstore.errors import InvalidArgumentError

Style: TypeAlias = Literal["posthog", "complete"]
STYLES: Final[tuple[Style, ...]] = get_args(Style)

_LONGEST: Final = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReprOptions:
    """The options of `text_repr`, named as PostHog's endpoint names them.

    Attributes:
        style: ``posthog`` prints what PostHog prints, to the byte. ``complete`` loses nothing of
            the event.
        truncated: Whether the middle of a long content is taken out. The default, None, means True
            in the style ``posthog`` and False in the style ``complete``.
        truncate_buffer: A content of more characters than this is long; half of them are kept at
            each end.
        include_markers: Whether what is taken out stays in the text as base64 inside of
            ``<<<…>>>``, for a program that can show it again. Else only its length is told.
        include_line_numbers: Whether each line starts with its number, such as ``L07:``.
        tools_collapse_threshold: With more tools than this, only their number is shown (the style
            ``posthog`` only).
        collapsed: Whether a trace shows one line for each event and no more.
        max_length: The longest text, in characters; of a longer one, evenly spread lines are
            kept. 0 is no limit. The default, None, means 2,000,000 in the style ``posthog`` and 0
            in the style ``complete``.
        max_depth: Taken and not used, as PostHog does.
        include_metadata: Taken and not used, as PostHog does.
        include_hierarchy: Taken and not used, as PostHog does.

    Raises:
        InvalidArgumentError: A value is not of its type.
    """

    style: Style = "posthog"
    truncated: bool | None = None
    truncate_buffer: int = 1000
    include_markers: bool = True
    include_line_numbers: bool = False
    tools_collapse_threshold: int = 5
    collapsed: bool = False
    max_length: int | None = None
    max_depth: int | None = None
    include_metadata: bool | None = None
    include_hierarchy: bool | None = None

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise InvalidArgumentError(
                message=f"style must be one of {', '.join(STYLES)}, not {self.style!r}"
            )
        for field in fields(self)[1:]:
            _check(field.name, str(field.type), getattr(self, field.name))
        is_posthog = self.style == "posthog"
        if self.truncated is None:
            object.__setattr__(self, "truncated", is_posthog)
        if self.max_length is None:
            object.__setattr__(self, "max_length", _LONGEST if is_posthog else 0)


def make_options(values: dict[str, Any]) -> TextReprOptions:
    """Make options from names and values.

    Args:
        values: The options by name.

    Returns:
        The options.

    Raises:
        InvalidArgumentError: A name is not an option, or a value is not of its type.
    """
    if not values:
        return _DEFAULTS
    for name in values:
        if name not in _NAMES:
            known = ", ".join(_NAMES)
            raise InvalidArgumentError(
                message=f"text_repr has no option {name!r}. Its options are: {known}."
            )
    return TextReprOptions(**values)


def _check(name: str, kind: str, value: Any) -> None:
    """Refuse a value that is no whole number or no truth value where one is wanted."""
    wanted = "True or False" if kind.startswith("bool") else "a whole number"
    is_bool = isinstance(value, bool)
    is_right = is_bool if kind.startswith("bool") else isinstance(value, int) and not is_bool
    if not is_right and not (value is None and kind.endswith("None")):
        raise InvalidArgumentError(message=f"{name} must be {wanted}, not {value!r}")


_NAMES: Final = tuple(field.name for field in fields(TextReprOptions))
_DEFAULTS: Final = TextReprOptions()
