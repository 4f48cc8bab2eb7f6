"""The picture: time against size, both axes logarithmic, as an SVG file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from math import ceil, floor, log10

from tests.benchmarks.harness import Point

WIDTH, HEIGHT = 900, 560
LEFT, RIGHT, TOP, BOTTOM = 80, 220, 40, 60
COLOURS = (
    "#1b6ca8", "#c8553d", "#2a9d5c", "#8a4fbd", "#b8860b", "#00808a", "#d1478c", "#5a5a5a",
    "#7a9a01", "#8c564b",
)  # fmt: skip
UNITS = {-6: "1 µs", -3: "1 ms", 0: "1 s"}


def draw(points: Iterable[Point]) -> str:
    """Draw one line for each kind of work.

    Args:
        points: What was measured.

    Returns:
        The text of an SVG file.
    """
    lines: dict[str, list[Point]] = {}
    for point in points:
        lines.setdefault(point.line, []).append(point)
    everything = [point for line in lines.values() for point in line]
    across = _Axis([point.size for point in everything], LEFT, WIDTH - RIGHT)
    up = _Axis([point.seconds for point in everything], HEIGHT - BOTTOM, TOP)
    body = [*_grid(across, up)]
    labels = _spread(
        {name: up.at(max(line, key=lambda p: p.size).seconds) for name, line in lines.items()}
    )
    for (name, line), colour in zip(lines.items(), COLOURS, strict=False):
        places = [
            (across.at(point.size), up.at(point.seconds))
            for point in sorted(line, key=lambda point: point.size)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in places]
        body.append(_text(WIDTH - RIGHT + 14, labels[name] + 4, name, fill=colour))
    body.append(_text(LEFT, 24, "promptstore: time against the number of prompts or commits"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
    style = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([head, style, *body, "</svg>", ""])


class _Axis:
    """A logarithmic scale over whole powers of ten."""

    def __init__(self, values: list[float], start: float, end: float) -> None:
        self.least = floor(log10(min(values)))
        self.most = max(ceil(log10(max(values))), self.least + 1)
        self._start, self._length = start, end - start

    def at(self, value: float) -> float:
        return self._start + (log10(value) - self.least) / (self.most - self.least) * self._length


def _grid(across: _Axis, up: _Axis) -> Iterator[str]:
    for power in range(across.least, across.most + 1):
        x = across.at(10.0**power)
        yield _line(x, TOP, x, HEIGHT - BOTTOM)
        yield _text(x, HEIGHT - BOTTOM + 20, f"{10**power:,}", anchor="middle")
    for power in range(up.least, up.most + 1):
        y = up.at(10.0**power)
        yield _line(LEFT, y, WIDTH - RIGHT, y)
        yield _text(LEFT - 8, y + 4, UNITS.get(power, f"10^{power} s"), anchor="end")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, "prompts or commits", anchor="middle")


def _spread(places: dict[str, float]) -> dict[str, float]:
    """Move labels apart that would lie on each other."""
    moved: dict[str, float] = {}
    last = 0.0
    for name, place in sorted(places.items(), key=lambda item: item[1]):
        last = moved[name] = max(place, last + 16)
    return moved


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str = "#333") -> str:
    style = f'font-family="sans-serif" font-size="13" text-anchor="{anchor}" fill="{fill}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'
