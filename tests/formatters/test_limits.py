"""No event takes long: 10 MB of any JSON in 5 seconds of processor time, in either style."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from promptstore import text_repr

SIZE = 10_000_000
SECONDS = 5.0


def repeated(item: Any) -> list[Any]:
    """Return a list of one item over and over that is 10 MB of JSON."""
    text = json.dumps(item)
    return json.loads(f"[{','.join([text] * (SIZE // (len(text) + 1)))}]")  # type: ignore[no-any-return]


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def generation(value: Any, key: str = "$ai_input") -> Any:
    return {"event": "$ai_generation", "properties": {key: value}}


def span(state: Any) -> Any:
    return {"event": "$ai_span", "properties": {"$ai_input_state": state}}


def spans(state: str) -> Any:
    """Return a trace of 10 MB whose spans have a state each."""
    count = SIZE // (len(state) + 100)
    return {"trace": {"id": "t"}, "hierarchy": [{"event": span(state)} for _ in range(count)]}


HOSTILE: dict[str, Callable[[], Any]] = {
    "tiny parts": lambda: generation([{"role": "user", "content": repeated({"text": "a"})}]),
    "tiny messages": lambda: generation(repeated({"a": 1})),
    "unknown messages": lambda: generation(repeated({"content": [{"x": {"y": 1}}]})),
    "empty objects": lambda: generation(repeated({})),
    "short strings": lambda: generation(repeated("a")),
    "mixed numbers": lambda: generation(repeated([1, None])),
    "state of numbers and nulls": lambda: span(repeated([1, None])),
    "state of objects": lambda: span(repeated({"a": 1})),
    "deep states": lambda: span(repeated(deep(400))),
    "deep contents": lambda: generation([{"role": "user", "content": repeated(deep(400))}]),
    "deep results": lambda: generation(repeated({"type": "tool_result", "content": deep(400)})),
    "one long literal": lambda: span("[" + "None, " * (SIZE // 6) + "]"),
    "long literals": lambda: spans("[" + "{'a': None}, " * 36_000 + "]"),
    "literals of signs": lambda: spans("[" + "-1," * 150_000 + "]"),
    "short literals": lambda: spans("{'a': None, 'b': [1, (2, 3)]}"),
    "hexadecimal": lambda: spans("[0x" + "f" * 400_000 + "]"),
    "many hexadecimals": lambda: spans("[" + ("0x" + "f" * 3600 + ",") * 100 + "]"),
    "long integers": lambda: span(repeated(10**4200)),
    "arguments": lambda: generation(
        [{"tool_calls": repeated({"function": {"name": "f", "arguments": '{"a": [1, null]}'}})}]
    ),
    "long arguments": lambda: generation(
        [{"tool_calls": [{"function": {"name": "f", "arguments": json.dumps(repeated([1, {}]))}}]}]
    ),
    "floats": lambda: generation(json.dumps(repeated([0.12345678901234567])), "$ai_output_choices"),
    "chunks": lambda: generation(repeated({"index": 0, "delta": {"content": "a"}})),
    "chunks of calls": lambda: generation(
        repeated({"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}})
    ),
    "open calls": lambda: generation(
        repeated({"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "["}}]}})
    ),
    "events": lambda: generation(
        repeated({"type": "content_block_delta", "index": 0,
                  "delta": {"type": "text_delta", "text": "a"}})
    ),
    "gemini chunks": lambda: generation(
        repeated({"candidates": [{"content": {"parts": [{"text": "a"}]}}]})
    ),
    "facts": lambda: generation(repeated({"index": 0, "delta": {"unheard-of": "a"}})),
    "tools": lambda: generation(repeated({"name": "f"}), "$ai_tools"),
    "line feeds": lambda: generation("\n" * SIZE),
    "brackets": lambda: generation("[1] x\n" * (SIZE // 6)),
    "marks": lambda: generation("<" * SIZE),
    "dashes": lambda: generation("-" * SIZE),
    "base64": lambda: generation("iVBORw0KGgoA" * (SIZE // 12)),
    "short base64": lambda: generation(repeated({"type": "image", "image": "iVBORw0KGgo="})),
    "data URLs": lambda: generation("data:image/png;base64," * (SIZE // 22)),
    "trace of events": lambda: {
        "trace": {"id": "t"}, "hierarchy": repeated({"event": {"event": "$ai_span"}})
    },
    "list of events": lambda: repeated({"event": "$ai_span", "properties": {}}),
    "other properties": lambda: generation(dict.fromkeys(map(str, range(SIZE // 12)), "a"), "x"),
    "error": lambda: generation(repeated({"a": [1]}), "$ai_error"),
    "error object": lambda: generation({"a": repeated({"a": [1]})}, "$ai_error"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("style", ["posthog", "complete"])
@pytest.mark.parametrize("name", HOSTILE)
def test_ten_megabytes_take_five_seconds(name: str, style: str) -> None:
    event = HOSTILE[name]()
    start = time.process_time()
    shown = text_repr(event, style=style, include_line_numbers=True)
    assert time.process_time() - start < SECONDS
    assert shown.text


DIGITS = "f" * 3600


@pytest.mark.parametrize("style", ["posthog", "complete"])
@pytest.mark.parametrize(
    "state",
    [
        f"[0x{DIGITS}]", f"{{0x{DIGITS}: 1}}", f"{{'a': 0x{DIGITS}}}",
        f"[1, {{2: 0x{DIGITS}}}, None]",
        "{(1, 2): 3}", "[b'a']", "{1, 2}", "[1j]", "[...]", "{**{}}", "[*a]", "[[]" * 90, "(" * 300,
        "['\\ud800']", "[1e999]", "[-" + "1" * 5000 + "]", "\0[", "[\0]", "{'a': '\\N{foo}'}",
    ],
)  # fmt: skip
def test_no_state_makes_it_fail(state: str, style: str) -> None:
    first, second = (text_repr(span(state), style=style).text for _ in range(2))
    assert first == second
    assert state.split("\\")[0].split("x")[0].split("\0")[0] in first or style == "posthog"


def test_literals_beyond_the_allowance_are_shown_as_they_are() -> None:
    trace = {
        "trace": {"id": "t"},
        "hierarchy": [{"event": span("{'a': None, " + f"'b': '{'x' * 400_000}'" + "}")}] * 2,
    }
    shown = text_repr(trace, include_markers=False, truncated=False).text
    assert shown.count('"a": null') == 1
    assert shown.count("{'a': None, ") == 1
