"""How long `text_repr` takes: ``python -m tests.benchmarks.text_repr [--large]``.

Each time is the best of several rounds. The floor is what no formatter can do without: decoding
the event's JSON and one pass that joins all of its texts. A time that grows with the size alone
shows the same seconds for each megabyte in every row; where a processor's caches or Python's
garbage collector make large events dearer, the floor grows as well, and the ratio to it stays.
"""

from __future__ import annotations

import argparse
import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any, Final

from promptstore import text_repr

_LINE: Final = "the quick brown fox jumps over the lazy dog and naps "
_STYLES: Final = ("posthog", "complete")
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
    text_repr(event, **options)  # so that all find the memory that the process has
    encoded = _encoded(event)
    megabytes = _size(event) / 1e6
    decoding = _best(lambda: json.loads(encoded)) if encoded else 0.0
    floor = decoding + _best(lambda: "".join(_strings(event)))
    cells = [name, f"{megabytes:.2f}", f"{floor * 1e3 / megabytes:.2f}"]
    ratios: list[float] = []
    for style in _STYLES:
        seconds = _best(lambda style=style: text_repr(event, style=style, **options))  # type: ignore[misc]
        tracemalloc.start()
        text_repr(event, style=style, **options)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        ratios.append(seconds / floor)
        cells += [f"{seconds * 1e3 / megabytes:.2f}", f"{seconds / floor:.2f}"]
        cells.append(f"{peak / 1e6 / megabytes:.1f}")
    _print_row(cells)
    return ratios[0]


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


def _best(work: Callable[[], object]) -> float:
    best, spent = float("inf"), 0.0
    while spent < 0.4:
        start = time.perf_counter()
        work()
        seconds = time.perf_counter() - start
        best, spent = min(best, seconds), spent + seconds
    return best


def _generation(messages: Any) -> dict[str, Any]:
    properties = {"$ai_model": "m", "$ai_input": messages, "$ai_output": "done"}
    return {"id": "g", "event": "$ai_generation", "properties": properties}


def _text(length: int) -> str:
    return (_LINE * (length // len(_LINE) + 1))[:length]


if __name__ == "__main__":
    main()
