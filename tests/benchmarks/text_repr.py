"""How long `text_repr` takes: ``python -m tests.benchmarks.text_repr [--large]``.

The floor is what no formatter can do without: decoding the event's JSON and one pass that joins all
of its texts. It and the styles take turns, so that a busy machine slows them alike; times are the
best of the turns, ratios their median. A time that grows with the size alone shows the same for
each megabyte in every row; where a processor's caches or Python's garbage collector make large
events dearer, the floor grows as well, and the ratio to it stays.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from promptstore import text_repr

_LINE: Final = "the quick brown fox jumps over the lazy dog and naps "
_STYLES: Final = ("posthog", "complete")
_TURN: Final = 0.02  # seconds that one work is repeated before it is another's turn
_TYPICAL: Final = "typical: 20 messages"
_HEAVY: Final = "heavy: 200 x 10,000, numbered"
_GOALS: Final = {_TYPICAL: (1.74, 1.0), _HEAVY: (6.2, 0.5)}
"""How many times the floor PostHog's own formatter took for the same event when it was measured
beside this one in one process, and what part of its time ours may take. Its code is no dependency,
so it cannot be measured here again."""


def main() -> None:
    """Print all measurements."""
    parser = argparse.ArgumentParser(description="Measure text_repr.")
    parser.add_argument("--large", action="store_true", help="100 MB too")
    large = parser.parse_args().large
    titles = ["event", "MB", "floor ms/MB", *[f"{s} ms/MB | x floor | memory x" for s in _STYLES]]
    _print_row(" | ".join(titles).split(" | "))
    _print_row(["---"] * 9)
    for name, event, options in _cases(large):
        ratio = _measure(name, event, options)
        if name in _GOALS:
            theirs, goal = _GOALS[name]
            part = ratio / theirs
            print(f"  PostHog's: {theirs} x floor, so ours takes {part:.2f} of it; goal <= {goal}")


def typical() -> dict[str, Any]:
    """A generation of 20 messages with calls of tools, of about 9.7 KB."""
    messages: list[dict[str, Any]] = []
    for number in range(5):
        call = {"name": "search", "arguments": json.dumps({"query": _text(40), "page": number})}
        messages += [
            {"role": "user", "content": _text(450)},
            {
                "role": "assistant",
                "content": [{"type": "text", "text": _text(300)}],
                "tool_calls": [{"id": f"call_{number}", "type": "function", "function": call}],
            },
            {"role": "tool", "tool_call_id": f"call_{number}", "content": _text(400)},
            {"role": "assistant", "content": _text(350)},
        ]
    return _generation(messages)


def heavy() -> dict[str, Any]:
    """A generation of 200 messages of 10,000 characters."""
    return chat(200, 10_000)


def chat(count: int, length: int) -> dict[str, Any]:
    """A generation of so many messages of so many characters."""
    text = _text(length)
    roles = ("user", "assistant")
    return _generation([{"role": roles[n % 2], "content": f"{n} {text}"} for n in range(count)])


def deep(levels: int) -> dict[str, Any]:
    """A span whose state is nested; built without recursion."""
    state: Any = "bottom"
    for _ in range(levels):
        state = {"inner": state, "text": _text(80)}
    return {"id": "s", "event": "$ai_span", "properties": {"$ai_input_state": state}}


def _cases(large: bool) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    yield _TYPICAL, typical(), {}
    yield _HEAVY, heavy(), {"include_line_numbers": True}
    yield "100,000 short messages", chat(100_000, 20), {"max_length": 0}
    sizes = (0.1, 1, 10, 100) if large else (0.1, 1, 10)
    whole = {"truncated": False, "max_length": 0}
    for megabytes in sizes:
        yield "chat", chat(int(megabytes * 1e6) // 1050, 1000), whole
    for megabytes in sizes:
        event = chat(int(megabytes * 1e6) // 5050, 5000)
        yield "chat, truncated and numbered", event, {"max_length": 0, "include_line_numbers": True}
    for megabytes in sizes:
        yield "one long line", _generation(_text(int(megabytes * 1e6))), whole
    for megabytes in sizes:
        lines = "ab cd\n" * (int(megabytes * 1e6) // 7)
        yield "many short lines, sampled", _generation(lines), {"truncated": False}
    for levels in (1_000, 10_000, 100_000):
        yield f"{levels:,} levels deep", deep(levels), whole


def _measure(name: str, event: dict[str, Any], options: dict[str, Any]) -> float:
    """Print one row, and give the ratio of the style ``posthog`` to the floor."""
    encoded = _encoded(event)
    megabytes = _size(event) / 1e6

    def floor() -> None:
        if encoded:
            json.loads(encoded)
        "".join(_strings(event))

    works: list[Callable[[], object]] = [
        floor, *[partial(text_repr, event, style=style, **options) for style in _STYLES]
    ]  # fmt: skip
    turns = _take_turns(works)
    cells = [name, f"{megabytes:.2f}", f"{min(turns[0]) * 1e3 / megabytes:.2f}"]
    ratios = [_ratio(times, turns[0]) for times in turns[1:]]
    for work, times, ratio in zip(works[1:], turns[1:], ratios, strict=True):
        cells += [f"{min(times) * 1e3 / megabytes:.2f}", f"{ratio:.2f}"]
        cells.append(f"{_peak(work) / 1e6 / megabytes:.1f}")
    _print_row(cells)
    return ratios[0]


def _take_turns(works: list[Callable[[], object]]) -> list[list[float]]:
    for work in works:  # so that all find the memory that the process has
        work()
    times: list[list[float]] = [[] for _ in works]
    spent = 0.0
    while spent < 3 or len(times[0]) < 3:
        for work, found in zip(works, times, strict=True):
            found.append(_best(work))
            spent += max(found[-1], _TURN)
    return times


def _best(work: Callable[[], object]) -> float:
    best, spent = float("inf"), 0.0
    while spent < _TURN:
        start = time.perf_counter()
        work()
        seconds = time.perf_counter() - start
        best, spent = min(best, seconds), spent + seconds
    return best


def _ratio(times: list[float], floors: list[float]) -> float:
    return statistics.median(ours / floor for ours, floor in zip(times, floors, strict=True))


def _peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _print_row(cells: list[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def _encoded(event: dict[str, Any]) -> str | None:
    try:
        return json.dumps(event, ensure_ascii=False)
    except RecursionError:  # the standard decoder cannot read it back either
        return None


def _size(event: dict[str, Any]) -> int:
    return sum(len(text) + 12 for text in _strings(event))


def _strings(value: Any) -> Iterator[str]:
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            todo += item.values()
        elif isinstance(item, list):
            todo += item


def _generation(messages: Any) -> dict[str, Any]:
    properties = {"$ai_model": "m", "$ai_input": messages, "$ai_output": "done"}
    return {"id": "g", "event": "$ai_generation", "properties": properties}


def _text(length: int) -> str:
    return (_LINE * (length // len(_LINE) + 1))[:length]


if __name__ == "__main__":
    main()
