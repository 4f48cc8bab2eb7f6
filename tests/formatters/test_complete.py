"""The style ``complete``, and the forms in which events are taken."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from promptstore import TextReprOptions, text_repr
from promptstore.errors import EventError, InvalidArgumentError

SAID = [{"role": "user", "content": "Hi"}]


def complete(properties: dict[str, Any], **options: Any) -> str:
    return text_repr({"id": "g1", "properties": properties}, style="complete", **options).text


@pytest.mark.parametrize(
    ("properties", "lines"),
    [
        ({"$ai_model": "m", "$ai_provider": "p"}, ["model: m", "provider: p"]),
        ({"$ai_latency": 1.25}, ["latency: 1.25 s"]),
        ({"$ai_time_to_first_token": 0.5}, ["time to first token: 0.5 s"]),
        ({"$ai_input_tokens": 3, "$ai_output_tokens": 4}, ["input tokens: 3", "output tokens: 4"]),
        ({"$ai_total_cost_usd": 0.002}, ["cost: 0.002 USD"]),
        ({"$ai_model_parameters": {"temperature": 0}}, ["parameters:", "  temperature: 0"]),
        ({"$ai_prompt_name": "a/b", "$ai_prompt_version": 3}, ["prompt: a/b", "prompt version: 3"]),
        ({"$ai_is_error": True}, ["ERROR:", "", "no details"]),
        ({"$ai_error": '{"code": 5}'}, ["ERROR:", "", "code: 5"]),
        ({"custom": {"a": [1]}}, ["OTHER PROPERTIES:", "", "custom:", "  a:", "    - 1"]),
        ({"$ai_tools": '[{"name": "find"}]'}, ["TOOLS: 1", "", "name: find"]),
        ({"$ai_input": json.dumps(SAID)}, ["[1] user", "", "Hi"]),
        ({"$ai_input": json.dumps(json.dumps(SAID))}, ["[1] user", "", "Hi"]),
        ({"$ai_input": ["one", "two"]}, ["[2]", "", "two"]),
        ({"$ai_input": [101, 7592, 102]}, ["INPUT:", "", "[101, 7592, 102]"]),
        ({"$ai_input": [[101], [102, 3]]}, ["[2]", "", "[102, 3]"]),
        ({"$ai_output": {"role": "assistant", "content": "é"}}, ["[1] assistant", "", "é"]),
        ({"$ai_output": "a", "$ai_output_choices": SAID}, ["[1] user", "", "Hi"]),
        ({"$ai_output_state": {"q": "é"}}, ["OUTPUT STATE:", "", "q: é"]),
        ({"$ai_input_state": {"messages": SAID}}, ["INPUT STATE:", "", "[1] user", "", "Hi"]),
        ({"$ai_input": [{"role": "user", "content": 0}]}, ["[1] user", "", "0"]),
    ],
)
def test_a_fact_is_shown(properties: dict[str, Any], lines: list[str]) -> None:
    assert "\n" + "\n".join(lines) in complete(properties)


RAW = [
    '{"path": "/etc/first", "path": "/srv/second"}',
    '{"a": [{"b": "one", "b": "two"}]}',
    '{"price": 0.12345678901234567890123}',
    "[1e400]",
    "[1e-400, -0]",
    "[" + "1" * 5_000 + "]",
]
"""JSON of which decoding loses something."""


@pytest.mark.parametrize("text", RAW)
def test_json_that_is_not_the_same_when_it_is_decoded_is_shown_as_it_is(text: str) -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": text}}
    use = {"type": "tool_use", "id": "t", "name": "f", "input": {}, "partial_json": text}
    for event in (
        {"properties": {"$ai_input": [{"role": "assistant", "tool_calls": [call]}]}},
        {"properties": {"$ai_input": [{"role": "assistant", "content": [use]}]}},
        {"properties": {"$ai_input": text}},
        {"properties": {"$ai_input_state": text}},
        {"properties": {"$ai_error": text}},
        {"properties": {"$ai_tools": text}},
        {"properties": {"$ai_model_parameters": text}},
        {"properties": f'{{"$ai_input": {text}}}'} if "1" * 99 not in text else {"input": text},
        {"input": text},
        {"output_choices": text},
    ):
        assert text in text_repr(event, style="complete").text


@pytest.mark.parametrize(
    "text", ['{"a": 0.1}', '{"a": 1.50}', '{"a": 1e3}', '{"a": 12345678901234567890}']
)
def test_json_that_is_the_same_when_it_is_decoded_is_laid_out(text: str) -> None:
    shown = complete({"$ai_input_state": text})
    assert f"a: {json.loads(text)['a']}" in shown


@pytest.mark.parametrize(
    ("part", "lines"),
    [
        (
            {"type": "tool-output-available", "toolCallId": "k1", "output": "sunny"},
            "[tool result k1]\n\nsunny",
        ),
        (
            {"type": "tool-output-error", "toolCallId": "k1", "errorText": "no"},
            "[tool result k1 (error)]\n\nno",
        ),
        (
            {
                "type": "tool-input-available",
                "toolCallId": "k1",
                "toolName": "f",
                "input": {"a": 1},
            },
            "[tool call k1]\n\nf(a=1)",
        ),
        ({"type": "thinking", "content": "hm"}, "[thinking]\n\nhm"),
        ({"type": "reasoning", "content": "hm"}, "[thinking]\n\nhm"),
        ({"part_kind": "thinking", "content": "hm"}, "[thinking]\n\nhm"),
        (
            {"part_kind": "tool-return", "tool_name": "f", "tool_call_id": "k1", "content": "ok"},
            "[tool result k1 of f]\n\nok",
        ),
        (
            {"part_kind": "tool-call", "tool_name": "f", "tool_call_id": "k1", "args": '{"a": 1}'},
            "[tool call k1]\n\nf(a=1)",
        ),
    ],
)
def test_a_part_is_called_what_it_is(part: dict[str, Any], lines: str) -> None:
    for said in ([part], [{"role": "assistant", "content": [part]}], [{"parts": [part]}]):
        shown = complete({"$ai_output_choices": said})
        assert lines in shown
        assert shown.count("[tool ") <= 1


def test_a_resource_with_a_text_shows_it() -> None:
    part = {"type": "resource", "resource": {"uri": "file:///a", "text": "hello"}}
    shown = complete({"$ai_input": [{"role": "user", "content": [part]}]})
    assert "[file: file:///a]\n\nhello" in shown


def test_the_states_of_a_trace_given_alone_are_shown() -> None:
    states = {"$ai_input_state": [{"role": "user", "content": "Hi"}], "$ai_output_state": "Bye"}
    event = {"event": "$ai_trace", "id": "t", "properties": states}
    posthog, full = text_repr(event), text_repr(event, style="complete")
    assert posthog.text.endswith(f"INPUT:\n\n[1] USER\n\nHi\n\n{'-' * 80}\n\nTRACE OUTPUT:\n\nBye")
    assert "INPUT STATE:\n\n[1] user\n\nHi" in full.text
    assert full.text.endswith("OUTPUT STATE:\n\nBye")


@pytest.mark.parametrize("alone", [True, False])
def test_a_trace_given_alone_is_shown_like_a_generation(alone: bool) -> None:
    properties = {"$ai_input": "Meadow jasmine velvet lantern.", "$ai_output_state": "Bye"}
    event: Any = {"event": "$ai_trace", "properties": properties}
    shown = text_repr(event if alone else [event], include_line_numbers=True).text
    assert shown.split("\n")[:5] == [
        f"L01: {'-' * 80}", "L02: ", "L03: INPUT:", "L04: ", "L05: Meadow jasmine velvet lantern."
    ]  # fmt: skip
    assert shown.endswith("TRACE OUTPUT:\nL10: \nL11: Bye")
    del properties["$ai_output_state"]
    shown = text_repr(event, include_line_numbers=True).text
    assert shown == (f"L1: {'-' * 80}\nL2: \nL3: INPUT:\nL4: \nL5: Meadow jasmine velvet lantern.")
    assert "Meadow jasmine" in text_repr(event, style="complete").text


@pytest.mark.parametrize(
    ("image", "lines"),
    [
        ("iVBORw0KGgo=", ["[image: 8 bytes]"]),
        ("iVBORw0K\r\nGgo=", ["[image: 8 bytes]"]),
        ("data:image/png;base64,iVBORw0KGgo=", ["[image: image/png, 8 bytes]"]),
        ("https://example.com/a.png", ["[image: https://example.com/a.png]"]),
        ([137, 80], ["[image: 2 bytes]"]),
        ({"0": 137, "1": 80, "2": 78}, ["[image: 3 bytes]"]),
        ({"type": "Buffer", "data": [137, 80]}, ["[image: 2 bytes]"]),
        ("[base64 image redacted]", ["[image: [base64 image redacted]]"]),
        ("abcde", ["[image: abcde]"]),
        ("four words of text", ["[image: four words of text]"]),
        ("data:image/png;base64,AAAA is all", ["[image: data:image/png;base64,AAAA is all]"]),
        (["no bytes"], ["[image]", "", "image:", "  - no bytes"]),
    ],
)
def test_bytes_are_counted_and_what_is_no_bytes_is_shown(image: Any, lines: list[str]) -> None:
    said = [{"role": "user", "content": [{"type": "image", "image": image}]}]
    assert complete({"$ai_input": said}).split("[1] user\n\n")[1].split("\n") == lines


@pytest.mark.parametrize("buffer", [0, 1, 7, 10, -3])
def test_what_is_taken_out_is_in_the_marker_and_told(buffer: int) -> None:
    content = "abcdefghijklmnopqrstuvwxyzé"
    event = {"properties": {"$ai_input": content}}
    shown = text_repr(event, style="complete", truncated=True, truncate_buffer=buffer)
    marker = re.search(r"(\w*)\n\n<<<TRUNCATED\|(.*)\|(\d+)>>>\n\n(\w*)", shown.text)
    assert marker
    middle = base64.b64decode(marker[2]).decode()
    assert marker[1] + middle + marker[4] == content
    assert len(middle) == int(marker[3])
    assert shown.metadata.truncated


@pytest.mark.parametrize(
    "properties",
    [
        {"$ai_input": "x" * 50},
        {"$ai_input": [{"role": "user", "content": "x" * 50}]},
        {"$ai_input": [{"tool_calls": [{"function": {"name": "f", "arguments": "x" * 50}}]}]},
        {"$ai_input": [{"role": "user", "content": [{"unheard-of": "x" * 50}]}]},
        {"$ai_input_state": {"q": "x" * 50}},
        {"$ai_error": "x" * 50},
    ],
)
def test_whatever_is_long_is_shortened(properties: dict[str, Any]) -> None:
    event = {"properties": properties}
    shown = text_repr(event, style="complete", truncated=True, truncate_buffer=20)
    assert "<<<TRUNCATED|" in shown.text
    assert "x" * 50 not in shown.text
    assert shown.metadata.truncated


def test_nothing_is_taken_out_unless_asked_for() -> None:
    shown = text_repr({"properties": {"$ai_input": "a" * 3_000_000}}, style="complete")
    assert "a" * 3_000_000 in shown.text
    assert not shown.metadata.truncated


def test_the_defaults_of_the_styles() -> None:
    posthog, full = TextReprOptions(), TextReprOptions(style="complete")
    assert (posthog.truncated, posthog.max_length) == (True, 2_000_000)
    assert (full.truncated, full.max_length) == (False, 0)


@pytest.mark.parametrize(
    "value",
    [
        {"event": "$ai_generation", "properties": {"$ai_input": SAID}},
        {"event": "$ai_generation", "properties": json.dumps({"$ai_input": SAID})},
        {"event": "$ai_generation", "$ai_input": json.dumps(SAID)},
        {"event": "$ai_generation", "input": json.dumps(SAID)},
        {"event": "$ai_generation", "input": json.dumps(SAID), "properties": "{}", "is_error": 0},
        {"event_type": "$ai_generation", "data": {"properties": {"$ai_input": SAID}}},
    ],
)
def test_an_event_is_taken_in_every_form(value: dict[str, Any]) -> None:
    shown = text_repr(value)
    assert shown.text == "-" * 80 + "\n\nINPUT:\n\n[1] USER\n\nHi"
    assert shown.metadata.event_type == "$ai_generation" or "data" in value


@pytest.mark.parametrize(
    "value",
    [
        {"trace": {"id": "t"}, "hierarchy": [{"event": {"properties": {}}, "note": "«here»"}]},
        {"trace": {"id": "t"}, "hierarchy": [], "note": "«here»"},
        {"event": "$ai_trace", "children": [{"event": "$ai_span", "properties": {"a": "«here»"}}]},
        {"event": "$ai_span", "properties": {}, "children": ["«here»"]},
        {"event": "$ai_generation", "properties": {"$ai_input": "«here»"}, "input": "column"},
        {"properties": {"$ai_input": "«here»"}, "input": "[]", "$ai_input": "column"},
        {"input": "column", "is_error": "«here»"},
    ],
)
def test_what_stands_in_an_odd_place_is_shown(value: dict[str, Any]) -> None:
    assert "«here»" in text_repr(value, style="complete").text


def test_the_error_of_a_row() -> None:
    row = {"uuid": "u", "input": "a", "is_error": 1, "error": "boom", "trace_id": "t"}
    shown = text_repr(row)
    assert shown.text.endswith("ERROR:\n\nboom\n")
    assert (shown.metadata.event_id, shown.metadata.trace_id) == ("u", "t")


def span(name: str, parent: str | None = None, **fields: Any) -> dict[str, Any]:
    properties = {"$ai_span_id": name, "$ai_span_name": name, "$ai_trace_id": "t"}
    if parent:
        properties["$ai_parent_id"] = parent
    return {"event": "$ai_span", "id": f"id-{name}", "properties": properties, **fields}


@pytest.mark.parametrize(
    ("events", "tree"),
    [
        ([span("b", "a"), span("a"), span("c", "b")], ["└─ a", "   └─ b", "      └─ c"]),
        ([span("a", "t"), span("b", "nobody")], ["├─ a", "└─ b"]),
        ([span("a", "b"), span("b", "a")], ["└─ a", "   └─ b"]),
        ([span("a", "a")], ["└─ a"]),
        (
            [
                span("a", timestamp="2026-01-02T00:00:00Z"),
                span("b", timestamp="2026-01-01T00:00:00Z"),
            ],
            ["├─ b", "└─ a"],
        ),
    ],
)
def test_the_events_of_a_trace_are_nested(events: list[Any], tree: list[str]) -> None:
    shown = text_repr(events, collapsed=True)
    lines = [line.replace("[SPAN] ", "") for line in shown.text.split("\n")]
    assert lines[-len(tree) :] == tree
    assert shown.metadata.trace_id == "t"
    full = text_repr(events, style="complete").text
    assert f"EVENTS: {len(events)}" in full
    assert all(f"name: {event['properties']['$ai_span_name']}" in full for event in events)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "it is null, not an object"),
        ("text", "it is a string"),
        ([], "the list is empty"),
        ([5], "Item 0 of the list is not an event: it is a number"),
        ({}, "needs 'properties'"),
        ({"properties": None}, "'properties' are null"),
        ({"trace": {"id": "t"}, "hierarchy": {}}, "needs a list 'hierarchy'"),
        ({"trace": None, "hierarchy": []}, "needs an object 'trace'"),
        (
            [span("a"), {"properties": {"$ai_trace_id": "other"}}],
            "events of 2 traces (other, t)",
        ),
    ],
)
def test_what_is_no_event_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(EventError) as caught:
        text_repr(value)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"style": "x"}, "style must be one of posthog, complete, not 'x'"),
        ({"truncated": 1}, "truncated must be True or False, not 1"),
        ({"max_length": "5"}, "max_length must be a whole number, not '5'"),
        ({"marker": True}, "text_repr has no option 'marker'"),
        ({"event_type": "foo"}, "event_type must be one of"),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidArgumentError, match=re.escape(sentence)):
        text_repr({"properties": {}}, **options)
