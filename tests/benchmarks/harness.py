"""Measuring: candidates take turns, so that a busy machine slows them all alike."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field

Work = Callable[[], object]

_LEAST_SECONDS = 0.002
"""A turn of a short piece of work repeats it for about so long."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What one candidate is compared with.

    Attributes:
        against: The other candidate.
        at_most: The largest ratio of their times that meets the goal.
    """

    against: str
    at_most: float


@dataclass(slots=True)
class Result:
    """What one subject took.

    Attributes:
        work: What was done, in words.
        seconds: The median of each candidate's turns, by its name.
        goals: The goals of the candidate `OURS`.
        missing: Rivals that are not installed here.
        unit: What the numbers are; seconds unless memory was measured.
    """

    work: str
    seconds: dict[str, float]
    goals: tuple[Goal, ...] = ()
    missing: tuple[str, ...] = ()
    unit: str = "s"

    def ratio(self, goal: Goal) -> float | None:
        """Compare `OURS` with what a goal names, None where that was not measured."""
        other = self.seconds.get(goal.against)
        return self.seconds[OURS] / other if other else None


OURS = "promptstore"


@dataclass(slots=True)
class Point:
    """One dot of the picture.

    Attributes:
        line: What it belongs to.
        size: How many prompts or commits.
        seconds: How long it took.
    """

    line: str
    size: int
    seconds: float


@dataclass(slots=True)
class Report:
    """Everything that one run measured.

    Attributes:
        quick: Whether the repositories were small and the turns few.
        results: One entry for each piece of work.
        points: What the picture shows.
    """

    quick: bool
    results: list[Result] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)

    @property
    def rounds(self) -> int:
        """How many turns each candidate gets."""
        return 5 if self.quick else 11

    def compare(
        self,
        work: str,
        candidates: Mapping[str, Work],
        *,
        goals: Iterable[Goal] = (),
        missing: Iterable[str] = (),
        rounds: int | None = None,
        prepare: Work | None = None,
    ) -> Result:
        """Let candidates take turns, and remember their medians.

        Args:
            work: What is done, in words.
            candidates: The candidates by name; one of them is `OURS`.
            goals: What ours is compared with.
            missing: Rivals that are not installed.
            rounds: How many turns each gets; None for as many as usual.
            prepare: Run before each turn, not counted; each turn then does its work once.

        Returns:
            The result, which is printed too.
        """
        # What the rivals have loaded need not be looked at before each turn.
        gc.freeze()
        counts = {
            name: 1 if prepare else _repeats(candidate) for name, candidate in candidates.items()
        }
        turns: dict[str, list[float]] = {name: [] for name in candidates}
        for _ in range(rounds or self.rounds):
            for name, candidate in candidates.items():
                if prepare:
                    prepare()
                turns[name].append(_time(candidate, counts[name]))
        seconds = {name: statistics.median(taken) for name, taken in turns.items()}
        result = Result(work, seconds, tuple(goals), tuple(missing))
        self.results.append(result)
        print(_lines(result), flush=True)
        return result

    def add(self, result: Result) -> None:
        """Remember what was measured otherwise, and print it."""
        self.results.append(result)
        print(_lines(result), flush=True)

    def table(self) -> str:
        """Write all results as a Markdown table of ratios."""
        rows = [
            "| work | promptstore | against | goal | ratio | met |",
            "|---|---|---|---|---|---|",
        ]
        for result in self.results:
            ours = result.seconds.get(OURS)
            shown = "-" if ours is None else shown_number(ours, result.unit)
            named = {goal.against for goal in result.goals}
            for goal in result.goals:
                ratio = result.ratio(goal)
                if ratio is None or ours is None:
                    rows.append(f"| {result.work} | {shown} | {goal.against}: missing | | | |")
                    continue
                other = shown_number(result.seconds[goal.against], result.unit)
                met = "yes" if ratio <= goal.at_most else "**no**"
                rows.append(
                    f"| {result.work} | {shown} | {goal.against} {other} "
                    f"| ≤ {goal.at_most:g} | {ratio:.3g} | {met} |"
                )
            for name, taken in result.seconds.items():
                if name not in named and name != OURS and ours is not None:
                    other = shown_number(taken, result.unit)
                    rows.append(
                        f"| {result.work} | {shown} | {name} {other} | | {ours / taken:.3g} | |"
                    )
            rows += [
                f"| {result.work} | {shown} | {name}: not installed | | | |"
                for name in result.missing
            ]
        return "\n".join(rows)

    def as_json(self) -> str:
        """Write everything as JSON: seconds (or KiB) by candidate, and whether goals are met."""
        return json.dumps(
            {
                "quick": self.quick,
                "results": [
                    asdict(result)
                    | {"ratios": {goal.against: result.ratio(goal) for goal in result.goals}}
                    for result in self.results
                ],
                "points": [asdict(point) for point in self.points],
            },
            indent=2,
        )


def shown_number(value: float, unit: str) -> str:
    """Write a measured number with three digits and a fitting unit."""
    if unit != "s":
        return f"{value:.3g} {unit}"
    for factor, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= factor:
            return f"{value / factor:.3g} {name}"
    return f"{value / 1e-6:.3g} µs"


def once(work: Work) -> float:
    """Time one piece of work that cannot be repeated.

    Returns:
        Seconds.
    """
    return _time(work, 1)


def _lines(result: Result) -> str:
    lines = [f"\n{result.work}"]
    for name, taken in result.seconds.items():
        goal = next((goal for goal in result.goals if goal.against == name), None)
        ratio = result.ratio(goal) if goal and OURS in result.seconds else None
        met = "met" if goal and ratio is not None and ratio <= goal.at_most else "NOT MET"
        note = (
            f"   ours is {ratio:.3g} of it, goal {goal.at_most:g}: {met}" if goal and ratio else ""
        )
        lines.append(f"  {shown_number(taken, result.unit):>10}  {name}{note}")
    lines += [f"  {'missing':>10}  {name}" for name in result.missing]
    return "\n".join(lines)


def _repeats(work: Work) -> int:
    count = 1
    # The better of two, as the first times fill caches.
    while min(_time(work, count), _time(work, count)) * count < _LEAST_SECONDS:
        count *= 2
    return count


def _time(work: Work, count: int) -> float:
    # As timeit does: what is collected during a turn is seldom what the turn made.
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        for _ in range(count):
            work()
        return (time.perf_counter() - start) / count
    finally:
        gc.enable()
