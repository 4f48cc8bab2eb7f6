"""How long `text_repr` takes: ``python -m tests.benchmarks.text_repr [--large]``.

Each time is the best of several rounds. The floor is what no formatter can do without: decoding
the event's JSON and one pass that joins all of its texts. A time that grows with the size shows
the same seconds for each megabyte in every row.
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


def main() -> None:
    """Print all measurements."""
    parser = argparse.ArgumentParser(description="Measure text_repr.")
    parser.add_argument("--large", action="store_true", help="100 MB too")
    large = parser.parse_args().large
    print(f"{'event':<34}{'MB':>8}{'floor s':>10}{'json s':>9}", end="")
    print("".join(f"{style + ' s':>12}{'s/MB':>9}{'mem x':>7}" for style in _STYLES))
    for name, event, options in _cases(large):
        _measure(name, event, options)


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
    yield "typical: 20 messages", typical(), {}
    yield "heavy: 200 x 10,000, numbered", heavy(), {"include_line_numbers": True}
    yield "100,000 short messages", chat(100_000, 20), {}
    for megabytes in (0.1, 1, 10, 100) if large else (0.1, 1, 10):
        size = int(megabytes * 1_000_000)
        yield "chat", chat(size // 1050, 1000), {"truncated": False}
        yield (
            "chat, truncated and numbered",
            chat(size // 5050, 5000),
            {"include_line_numbers": True},
        )
        yield "one long line", _generation(_text(size)), {"truncated": False}
        yield "many short lines", _generation("ab cd\n" * (size // 7)), {"truncated": False}
    for levels in (1_000, 10_000, 100_000):
        yield f"{levels:,} levels deep", deep(levels), {"truncated": False}


def _measure(name: str, event: dict[str, Any], options: dict[str, Any]) -> None:
    encoded = _encoded(event)
    megabytes = _size(event) / 1e6
    decoding = _best(lambda: json.loads(encoded)) if encoded else 0.0
    floor = decoding + _best(lambda: "".join(_strings(event)))
    print(f"{name:<34}{megabytes:>8.2f}{floor:>10.5f}{decoding:>9.5f}", end="")
    for style in _STYLES:
        seconds = _best(lambda style=style: text_repr(event, style=style, **options))  # type: ignore[misc]
        tracemalloc.start()
        text_repr(event, style=style, **options)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(f"{seconds:>12.5f}{seconds / megabytes:>9.4f}{peak / 1e6 / megabytes:>7.1f}", end="")
    print(flush=True)


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
    while spent < 0.3:
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
