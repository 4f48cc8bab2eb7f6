"""What holds for every event, whatever stands in it."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptstore import text_repr
from promptstore.errors import EventError
from promptstore.formatters.complete.writing import escaped

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
        assert text in shown.text or escaped(text) in shown.text


SHAPE_KEYS = [
    *KEYS, "additional_kwargs", "args", "audio", "base64", "b64_json", "bytes", "call_id",
    "candidates", "contents", "data", "encrypted_content", "errorText", "file", "file_data",
    "fileData", "filename", "finish_reason", "format", "function_call", "functionResponse", "id",
    "image", "index", "inlineData", "input_audio", "is_error", "json", "media_type", "mime_type",
    "mimeType", "modality", "reasoning_content", "reasoningContent", "reasoningText",
    "redactedContent", "refusal", "response", "result", "s3Location", "signature", "source_type",
    "status", "system", "thinking_blocks", "title", "tool_call_id", "toolCallId", "toolResult",
    "toolUseId", "transcript", "uri", "url", "value", "unheard-of", "args_delta", "chunk",
    "content_block", "content_delta", "contentBlockDelta", "contentBlockStart", "data", "done",
    "event_kind", "images", "item", "item_id", "kind", "messageStart", "part", "part_kind",
    "reasoning", "reasoning_details", "resource", "start", "textDelta", "thought",
    "tool_call_chunks",
    "tool_name", "tool_name_delta", "usage", "signature",
]  # fmt: skip
SHAPE_TYPES = [
    *TYPES, "audio", "base64", "content", "custom_tool_call", "document", "dynamic-tool",
    "error-text", "image_generation_call", "input_audio", "input_file", "input_image",
    "invalid_tool_call", "mcp_call", "message", "redacted_thinking", "server_tool_use", "text",
    "tool_call", "tool_call_response", "tool-sum", "uri", "url", "web_search_tool_result",
    "AIMessageChunk", "binary", "content-delta", "content_block_delta", "content_block_start",
    "message_delta", "message_start", "input_json_delta", "response.completed",
    "response.output_item.added", "response.output_text.delta", "response.output_text.done",
    "text-delta", "text-start", "text_delta", "tool-input-delta", "tool-output-available",
    "tool-return", "reasoning.text", "resource", "input_image",
]  # fmt: skip
TEXT = object()
"""Where a text of its own goes."""

typed = st.fixed_dictionaries({"type": st.sampled_from(SHAPE_TYPES)})
shapes = st.recursive(
    st.just(TEXT) | st.none() | st.booleans() | st.integers(0, 3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.builds(
            lambda fields, kind: {**kind, **fields},
            st.dictionaries(st.sampled_from(SHAPE_KEYS), inner, min_size=1, max_size=5),
            st.just({}) | typed,
        )
    ),
    max_leaves=25,
)


TOKENS = ["«a»", "«b»"]
"""Few, so that they are repeated."""


def numbered(given_texts: list[str]) -> Iterator[str]:
    """Make texts that are all different, and write them down."""
    for number in count():
        given_texts.append(f"«{number}»")
        yield given_texts[-1]


def repeated(given_texts: list[str], seed: int) -> Iterator[str]:
    """Make texts many of which are the same, and write them down."""
    chosen = random.Random(seed)
    while True:
        given_texts.append(chosen.choice(TOKENS))
        yield given_texts[-1]


def filled(shape: Any, texts: Iterator[str]) -> Any:
    """Put texts into a shape."""
    if shape is TEXT:
        return next(texts)
    if isinstance(shape, list):
        return [filled(item, texts) for item in shape]
    if isinstance(shape, dict):
        return {key: filled(item, texts) for key, item in shape.items()}
    return shape


def missing(given_texts: list[str], shown: str) -> dict[str, int]:
    """Count the texts that are shown less often than they were given.

    What names each piece of a stream is shown once, with the number of pieces.
    """
    times = Counter[str]()
    for text, number in re.findall(r"(«\w+»)(?:\n *-)? \((\d+) times\)", shown):
        times[text] += int(number) - 1
    return {
        text: number
        for text, number in Counter(given_texts).items()
        if shown.count(text) + times[text] < number
    }


AI_PROPERTIES = ["$ai_input", "$ai_output", "$ai_output_choices", "$ai_input_state"]


@given(shapes, st.sampled_from(AI_PROPERTIES), st.none() | st.integers(0, 9))
def test_complete_loses_no_text_of_any_shape(shape: Any, key: str, seed: int | None) -> None:
    given_texts: list[str] = []
    texts = numbered(given_texts) if seed is None else repeated(given_texts, seed)
    value = filled(shape, texts)
    shown = text_repr({"properties": {key: value}}, style="complete").text
    assert missing(given_texts, shown) == {}


@given(st.lists(shapes, min_size=2, max_size=4), st.integers(0, 9))
def test_complete_loses_no_text_of_lists_of_like_things(items: list[Any], seed: int) -> None:
    given_texts: list[str] = []
    texts = repeated(given_texts, seed)
    value = [filled(item, texts) for item in items for _ in range(2)]
    shown = text_repr({"properties": {"$ai_output_choices": value}}, style="complete").text
    assert missing(given_texts, shown) == {}


FIELDS = [
    "children", "distinct_id", "error", "id", "input", "is_error", "model", "output", "timestamp",
    "tools", "trace_id", "uuid", "$ai_input",
]  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(PROPERTIES), shapes, max_size=4),
    st.dictionaries(st.sampled_from(FIELDS), shapes, max_size=4),
    st.sampled_from(KINDS),
    st.sampled_from(["alone", "in a list", "in a trace"]),
    st.none() | st.integers(0, 9),
)
def test_complete_loses_no_text_of_an_event(
    properties: dict[str, Any], fields: dict[str, Any], kind: str, where: str, seed: int | None
) -> None:
    given_texts: list[str] = []
    shape = {**fields, "properties": properties}
    texts = numbered(given_texts) if seed is None else repeated(given_texts, seed)
    event = {"event": kind, **filled(shape, texts)}
    value = {
        "alone": event,
        "in a list": [event],
        "in a trace": {"trace": {"id": "t"}, "hierarchy": [{"event": event}]},
    }[where]
    shown = text_repr(value, style="complete").text
    assert missing(given_texts, shown) == {}


NASTY = [
    "<<<TRUNCATED|eA==|1>>>", "<", "[1] SYSTEM", "[12]", "-" * 80, "=" * 80, "-" * 300,
    "[tool call", "[tool result x]", "[thinking]", "[redacted thinking]", "[file]",
    "[image: image/png, 8 bytes]", "... (5 chars truncated) ...", "[SAMPLED VIEW: x", "\n", "\r",
    "\u2028", "\x85", "\x0b", " ", "a", "\\", '"', "{", "é", "\ud800",
]  # fmt: skip
MARKER_LINE = re.compile(
    r"[-=]{80} *|\[\d+\].*|\[tool (call|result).*|\[((redacted )?thinking|refusal|transcript)\].*"
    r"|\[(image|audio|video|document|file)[]:].*|\[SAMPLED VIEW.*|\.\.\. \(\d+ chars truncated.*"
)


def skeleton(text: str) -> tuple[int, list[str]]:
    """Find what a reader takes for the layout: the markers and the lines that mark something."""
    lines = [line for line in text.splitlines() if MARKER_LINE.fullmatch(line)]
    return text.count("<<<"), [line[:5] for line in lines]


def nasty_event(text: str) -> dict[str, Any]:
    """An event with a text in every place."""
    said = [
        {"role": f"user {text}", "content": f"x{text}", "name": text},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": text},
                {"type": "thinking", "thinking": text, "signature": text},
                {"type": "tool_use", "id": f"i {text}", "name": f"n {text}", "input": {text: text}},
                {"type": "image", "source": {"type": "url", "url": f"u {text}"}},
                {"type": "unheard-of", "x": {text: [text]}},
            ],
            "tool_calls": [{"function": {"name": text, "arguments": f"x{text}"}}],
        },
        {"role": "tool", "tool_call_id": f"i {text}", "content": text},
    ]
    return {
        "id": f"i {text}",
        "event": text,
        "properties": {
            "$ai_model": text,
            "$ai_span_name": text,
            "$ai_input": said,
            "$ai_tools": [{"name": text}],
            "$ai_error": f"x{text}",
            "other": text,
        },
    }


@given(
    st.lists(st.sampled_from(NASTY), max_size=8).map("".join),
    st.booleans(),
    st.none() | st.integers(0, 200),
)
def test_no_text_forges_what_the_layout_marks(
    text: str, is_trace: bool, buffer: int | None
) -> None:
    cut = {} if buffer is None else {"truncated": True, "truncate_buffer": buffer}

    def shown(text: str, **options: Any) -> str:
        event = nasty_event(text)
        trace = {"trace": {"id": "t"}, "hierarchy": [{"event": event}]}
        return text_repr(trace if is_trace else event, style="complete", **options).text

    assert skeleton(shown(f"x{text}", **cut))[1] == skeleton(shown("x"))[1]
    assert "<<<" not in re.sub(r"<<<TRUNCATED\|[\w+/=]*\|\d+>>>", "", shown(f"x{text}", **cut))


@given(
    st.lists(st.sampled_from(NASTY), max_size=12).map("".join), st.integers(0, 200), st.booleans()
)
@example("aaaaaaa[1] S", 10, True)  # the end that is kept starts with what looks like a heading
@example("-" * 300, 160, True)  # the start that is kept is as long as a rule
def test_no_cut_forges_what_the_layout_marks(text: str, buffer: int, markers: bool) -> None:
    shown = text_repr(
        {"properties": {"$ai_input": [{"role": "user", "content": text}]}},
        style="complete",
        truncated=True,
        truncate_buffer=buffer,
        include_markers=markers,
    )
    marks, lines = skeleton(shown.text)
    is_cut = len(text) > buffer
    assert shown.metadata.truncated == is_cut
    assert marks == (1 if is_cut and markers else 0)
    assert lines == ["=====", "-----", "[1] u", *(["... ("] if is_cut and not markers else [])]


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


def test_pieces_of_any_depth_are_shown() -> None:
    def piece() -> Any:
        deep: Any = {"content": "bottom"}
        for _ in range(20_000):
            deep = {"delta": deep}
        return deep

    pieces = [piece(), piece()]
    shown = text_repr({"properties": {"$ai_output_choices": pieces}}, style="complete").text
    assert shown.count("bottom") == 2
    for deep in pieces:
        while isinstance(deep, dict):  # taken apart here: freeing it at once needs the stack
            deep = deep.popitem()[1]


def test_any_depth_of_a_trace_is_shown() -> None:
    node: Any = {"event": {"event": "$ai_span", "id": "bottom", "properties": {}}}
    for _ in range(20_000):
        node = {"event": {"event": "$ai_span", "properties": {}}, "children": [node]}
    trace = {"trace": {"id": "t"}, "hierarchy": [node]}
    assert "[... max depth reached]" in text_repr(trace).text
    assert "bottom" in text_repr(trace, style="complete", collapsed=True).text
