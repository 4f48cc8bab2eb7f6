"""The style ``posthog``: the same text as PostHog's, to the byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptstore import text_repr

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "text_repr.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
EXACT = [case for case in CASES if case["compare"] == "exact"]
NO_CRASH = [case for case in CASES if case["compare"] == "no_crash"]


def name_of(case: dict[str, Any]) -> str:
    return f"{case['id']}-{case['template']}"


@pytest.mark.parametrize("case", EXACT, ids=name_of)
def test_the_text_is_posthogs(case: dict[str, Any]) -> None:
    event_type = f"$ai_{case['kind']}"
    for shown in (
        text_repr(case["input"], event_type=event_type, **case["options"]),
        text_repr(case["input"], **case["options"]),
    ):
        assert shown.text == str(shown) == case["expected_text"]
        assert shown.metadata.truncated == case["expected_truncated"]
        assert shown.metadata.char_count == case["char_count"]
        assert shown.metadata.rendering == "detailed"


@pytest.mark.parametrize("case", NO_CRASH, ids=name_of)
def test_what_posthog_fails_on_is_shown(case: dict[str, Any]) -> None:
    shown = text_repr(case["input"], event_type=f"$ai_{case['kind']}", **case["options"])
    assert shown.text.encode()


@pytest.mark.parametrize(
    ("said", "note"),
    [
        ({"type": "function_call_output", "output": None}, "[tool output not recorded]"),
        ({"type": "custom_tool_call_output", "output": []}, "[tool output not recorded]"),
        ({"type": "reasoning", "summary": []}, "[reasoning summary not recorded]"),
        ({"type": "additional_tools"}, "[tool catalog not recorded]"),
    ],
)
def test_a_note_is_never_shortened(said: dict[str, Any], note: str) -> None:
    shown = text_repr({"properties": {"$ai_input": [said]}}, truncate_buffer=4)
    assert shown.text.endswith(f"\n\n{note}")


@pytest.mark.parametrize("kind", [[], {}, 0, None, ""])
def test_a_choice_with_an_empty_type_is_no_item(kind: Any) -> None:
    choices = [{"type": kind, "other": 1}, {"type": kind, "content": "Hi"}]
    shown = text_repr({"properties": {"$ai_output_choices": choices}})
    assert shown.text.endswith("OUTPUT:\n\n[1] ASSISTANT\n\nHi")


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": ["a"]}, '{"type": ["a"]}'),
        ({"content": [{"type": ["a"], "text": "b"}]}, "[{'type': ['a'], 'text': 'b'}]"),
        ({"content": [{"type": 5, "text": "b"}]}, "[{'type': 5, 'text': 'b'}]"),
    ],
)
def test_an_odd_type_behind_a_call_is_shown_as_it_is(block: dict[str, Any], text: str) -> None:
    said = {"role": "user", "content": [{"type": "tool-call", "toolName": "f"}, block]}
    shown = text_repr({"properties": {"$ai_input": [said]}})
    assert shown.text.endswith(f"[1] USER\n\nf()\n\n{text}")


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("{1: 2, None: True, 1.5: 'é'}", '{\n  "1": 2,\n  "null": true,\n  "1.5": "\\u00e9"\n}'),
        ("[1e999]", "[\n  Infinity\n]"),
        ("[Infinity]", "[Infinity]"),
        ("[NaN]", "[NaN]"),
        ("[1, true]", "[1, true]"),
        ('{"a": [1, 2.50]}', '{\n  "a": [\n    1,\n    2.5\n  ]\n}'),
    ],
)
def test_a_state_as_a_text_is_read_as_python_reads_it(state: str, text: str) -> None:
    event = {"event": "$ai_span", "properties": {"$ai_output_state": state}}
    assert text_repr(event).text.endswith(f"OUTPUT STATE:\n\n{text}")


@pytest.mark.parametrize("error", [["a"], 5, True, {"a": 1}])
def test_the_error_of_a_trace_is_indented(error: Any) -> None:
    trace = {"id": "t", "properties": {"$ai_error": error}}
    shown = text_repr({"trace": trace, "hierarchy": []})
    assert shown.text.endswith("TRACE ERROR:\n\n" + json.dumps(error, indent=2))


@pytest.mark.parametrize("label", ["INPUT", "OUTPUT"])
def test_states_of_a_trace_that_posthog_cannot_read_are_shown_as_they_are(label: str) -> None:
    state = [{"role": "user", "content": [{"type": ["a"], "text": "b"}]}]
    properties = {f"$ai_{label.lower()}_state": state}
    shown = text_repr({"trace": {"id": "t", "properties": properties}, "hierarchy": []})
    assert shown.text.endswith(f"TRACE {label}:\n\n{state}")


def test_the_note_of_a_span_is_never_shortened() -> None:
    state = {"type": "tool", "content": ""}
    event = {"event": "$ai_span", "properties": {"$ai_output_state": state}}
    shown = text_repr(event, truncate_buffer=4)
    assert shown.text.endswith("[TOOL RESULT]\n\n[tool output not recorded]")


GOLDEN = sorted((Path(__file__).parent / "golden" / "posthog").glob("*.json"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_worked_examples(path: Path) -> None:
    example = json.loads(path.read_text(encoding="utf-8"))
    shown = text_repr(example["event"], event_type=example["event_type"], **example["options"])
    assert shown.text == path.with_suffix(".txt").read_bytes().decode()


def test_there_are_47_worked_examples() -> None:
    assert len(GOLDEN) == 47


def test_a_deep_state_is_indented() -> None:
    state: Any = ["é", {}, []]
    for level in range(190):
        state = {"n": level, "in": [state]}
    shown = text_repr(
        {"event": "$ai_span", "properties": {"$ai_input_state": state}}, truncated=False
    )
    assert shown.text.endswith("INPUT STATE:\n\n" + json.dumps(state, indent=2))


@pytest.mark.parametrize("levels", [2_000, 30_000])
def test_a_very_deep_state_ends_on_one_line(levels: int) -> None:
    state: Any = []
    for _ in range(levels):
        state = [state]
    shown = text_repr(
        {"event": "$ai_span", "properties": {"$ai_input_state": state}}, truncated=False
    )
    lines = shown.text.split("INPUT STATE:\n\n")[1].split("\n")
    assert lines[:3] == ["[", "  [", "    ["]
    assert max(lines, key=len).strip() == "[" * (levels - 399) + "]" * (levels - 399)
    assert lines[-2:] == ["  ]", "]"]
    while state:  # taken apart here: freeing it at once needs the stack
        state = state.pop()
