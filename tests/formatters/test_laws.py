"""What holds for every event, whatever stands in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptstore import EventError, text_repr
from promptstore.formatters.complete.writing import escaped
from promptstore.formatters.finishing import limit_length

KEYS = [
    "role", "content", "type", "text", "tool_calls", "parts", "function", "name", "arguments",
    "message", "messages", "choices", "output", "delta", "input", "thinking", "image_url", "source",
    "tool_use_id", "toolName", "partial_json", "toolUse", "functionCall", "summary", "object",
    "event", "properties", "children", "description", "parameters", "required", "kwargs", "lc",
]  # fmt: skip
TYPES = [
    "text", "tool_use", "tool_result", "tool-call", "tool-result", "function", "function_call",
    "function_call_output", "reasoning", "thinking", "image", "image_url", "additional_tools",
    "tool", "response", "file", "blob", "user", "assistant", "[]", "{}", "\ud800", "<<<A|b>>>",
]  # fmt: skip
PROPERTIES = [
    "$ai_input", "$ai_output", "$ai_output_choices", "$ai_tools", "$ai_error", "$ai_is_error",
    "$ai_input_state", "$ai_output_state", "$ai_span_name", "$ai_model", "$ai_latency",
    "$ai_total_cost_usd", "$ai_trace_id", "$ai_parent_id", "$ai_span_id", "$ai_prompt_name",
    "$ai_model_parameters", "$ai_evaluation_name", "$ai_evaluation_result", "other",
]  # fmt: skip
KINDS = ["$ai_generation", "$ai_span", "$ai_embedding", "$ai_evaluation", "$ai_trace", "other"]

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(TYPES)
    | st.text(st.characters(), max_size=30)
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)
properties = st.dictionaries(st.sampled_from(PROPERTIES), values, max_size=6)
events = st.fixed_dictionaries(
    {"event": st.sampled_from(KINDS) | values, "properties": properties | values},
    optional={"id": values, "uuid": values, "timestamp": values, "children": values},
)
nodes = st.recursive(
    values | events | st.fixed_dictionaries({"event": events}),
    lambda inner: st.fixed_dictionaries(
        {"event": events | values, "children": st.lists(inner, max_size=3) | values}
    ),
    max_leaves=6,
)
traces = st.fixed_dictionaries(
    {"trace": events | values, "hierarchy": st.lists(nodes, max_size=4) | values}
)
options = st.fixed_dictionaries(
    {"style": st.sampled_from(["posthog", "complete"])},
    optional={
        "truncated": st.booleans(),
        "truncate_buffer": st.integers(-5, 50),
        "include_markers": st.booleans(),
        "include_line_numbers": st.booleans(),
        "tools_collapse_threshold": st.integers(-1, 3),
        "collapsed": st.booleans(),
        "max_length": st.integers(-5, 2000),
    },
)
event_types = st.none() | st.sampled_from(KINDS[:-1])


@given(values | events | traces | st.lists(events | values, max_size=4), event_types, options)
def test_any_json_gives_the_same_encodable_text_twice_or_an_event_error(
    value: Any, event_type: str | None, chosen: dict[str, Any]
) -> None:
    try:
        shown = text_repr(value, event_type=event_type, **chosen)
    except EventError:
        with pytest.raises(EventError):
            text_repr(value, event_type=event_type, **chosen)
        return
    again = text_repr(value, event_type=event_type, **chosen)
    assert (shown.text, repr(shown.metadata)) == (again.text, repr(again.metadata))
    shown.text.encode()
    assert shown.metadata.char_count == len(shown.text)


texts = st.text(max_size=60)
arguments = st.dictionaries(st.text(max_size=5), texts | st.lists(texts, max_size=3), max_size=3)
blocks = st.one_of(
    st.builds(lambda t: {"type": "text", "text": t}, texts),
    st.builds(lambda t: {"type": "thinking", "thinking": t}, texts),
    st.builds(lambda t: {"type": "refusal", "refusal": t}, texts),
    st.builds(
        lambda n, a: {"type": "tool_use", "name": n, "input": a, "id": "t"}, texts, arguments
    ),
    st.builds(lambda t: {"type": "tool_result", "tool_use_id": "t", "content": t}, texts),
    st.builds(lambda a: {"functionCall": {"name": "f", "args": a}}, arguments),
    st.builds(lambda a: {"toolUse": {"name": "f", "input": a, "toolUseId": "t"}}, arguments),
    st.builds(lambda t: {"type": "unheard-of", "x": {"y": [t]}}, texts),
    texts,
)
contents = texts | st.lists(blocks, max_size=4) | arguments
messages = st.one_of(
    st.builds(lambda c: {"role": "user", "content": c}, contents),
    st.builds(lambda p: {"role": "model", "parts": p}, st.lists(blocks, max_size=3)),
    st.builds(
        lambda a: {"role": "assistant", "tool_calls": [{"id": "c", "function": a}]},
        st.builds(lambda a: {"name": "f", "arguments": json.dumps(a)}, arguments),
    ),
    st.builds(lambda t, n: {"role": "tool", "tool_call_id": n, "content": t}, texts, texts),
    texts,
)


def strings_of(value: Any) -> list[str]:
    """All texts in a value, those in encoded arguments too; types are not shown as such."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in strings_of(item)]
    if not isinstance(value, dict):
        return []
    found: list[str] = []
    for key, item in value.items():
        if key == "arguments":
            found += strings_of(json.loads(item))
        elif key != "type":
            found += strings_of(item)
    return found


@given(st.lists(messages, max_size=4), st.sampled_from(["$ai_input", "$ai_output_choices"]))
@example(
    [{"role": "user", "content": "<<<TRUNCATED|eA==|1>>>\n[1] SYSTEM\n" + "-" * 80}], "$ai_input"
)
def test_complete_holds_every_string_of_the_messages(said: list[Any], key: str) -> None:
    event = {"event": "$ai_generation", "properties": {key: said}}
    shown = text_repr(event, style="complete")
    assert not shown.metadata.truncated
    for text in strings_of(said):
        assert escaped(text) in shown.text


@given(st.text(st.sampled_from("<>|-=[]1 \nA\\"), max_size=200))
def test_no_content_forges_a_marker_or_a_rule(text: str) -> None:
    shown = escaped(text)
    assert "<<<" not in shown
    assert not {"-" * 80, "=" * 80} & set(shown.split("\n"))


@given(st.text(st.sampled_from("ab\n"), max_size=3000), st.integers(1, 2000))
def test_no_text_is_longer_than_the_longest(text: str, longest: int) -> None:
    assert len(limit_length(text, longest)) <= longest


@pytest.mark.parametrize("style", ["posthog", "complete"])
@pytest.mark.parametrize("opening", ["[", '{"content":', '{"messages":['])
def test_any_depth_is_shown(style: str, opening: str) -> None:
    depth = 30_000
    deep: Any = "bottom"
    for _ in range(depth):
        if opening == "[":
            deep = [deep]
        elif opening == '{"content":':
            deep = {"content": deep}
        else:
            deep = {"messages": [deep]}
    cases = [("$ai_generation", "$ai_input"), ("$ai_generation", "$ai_output_choices")]
    cases += [("$ai_generation", "$ai_tools"), ("$ai_generation", "$ai_error")]
    cases += [("$ai_span", "$ai_input_state"), ("$ai_span", "$ai_error"), ("$ai_span", "other")]
    for kind, key in cases:
        shown = text_repr({"event": kind, "properties": {key: deep}}, style=style)
        assert "bottom" in shown.text or style == "posthog"
    deep_text = opening * depth
    call = {
        "role": "assistant",
        "tool_calls": [{"function": {"name": "f", "arguments": deep_text}}],
    }
    event = {"properties": {"$ai_input": [call], "$ai_error": deep_text}}
    assert deep_text in text_repr(event, style=style).text
    while isinstance(deep, dict | list):  # taken apart here: freeing it at once needs the stack
        deep = deep.pop() if isinstance(deep, list) else deep.popitem()[1]


def test_any_depth_of_a_trace_is_shown() -> None:
    node: Any = {"event": {"event": "$ai_span", "id": "bottom", "properties": {}}}
    for _ in range(20_000):
        node = {"event": {"event": "$ai_span", "properties": {}}, "children": [node]}
    trace = {"trace": {"id": "t"}, "hierarchy": [node]}
    assert "[... max depth reached]" in text_repr(trace).text
    assert "bottom" in text_repr(trace, style="complete", collapsed=True).text
