"""What is sent to the API, as types."""

from __future__ import annotations

from typing import Literal, TypeAlias, TypedDict

ContentMode: TypeAlias = Literal["full", "preview", "none"]
"""How much of a prompt's content an answer holds: all, its beginning, nothing."""

EventType: TypeAlias = Literal["$ai_generation", "$ai_span", "$ai_embedding", "$ai_trace"]
"""The kinds of events that ``text_repr`` reads."""


class TextReprOptions(TypedDict, total=False):
    """How ``text_repr`` writes; each option may be left out.

    Attributes:
        max_length: How long the text may be, in characters; by default 2,000,000.
        truncated: Whether long parts are shortened; by default they are.
        truncate_buffer: How much is left at both ends of a shortened part; by default 1,000.
        include_markers: Whether a mark tells where something was left out; by default it does.
        collapsed: Whether a trace is an outline only; by default it is not.
        include_metadata: Whether facts such as the model and the cost are told.
        include_hierarchy: Whether the events of a trace are told; by default they are.
        max_depth: How deep the events of a trace are told; by default all.
        tools_collapse_threshold: From how many tools on they are only counted; by default 5.
        include_line_numbers: Whether lines are numbered; by default they are not.
    """

    max_length: int
    truncated: bool
    truncate_buffer: int
    include_markers: bool
    collapsed: bool
    include_metadata: bool
    include_hierarchy: bool
    max_depth: int
    tools_collapse_threshold: int
    include_line_numbers: bool
