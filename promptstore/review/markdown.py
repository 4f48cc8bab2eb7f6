"""One comment for a pull request, as Markdown in which every text stays text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from promptstore.compare.sequences import Piece, compare_words
from promptstore.lint.findings import Finding
from promptstore.lint.unseen import show_unseen
from promptstore.review.impact import IMPACTS, Impact
from promptstore.review.ranges import PromptChange, RangeDiff

MARKER: Final = "<!-- promptstore review -->"
"""The first line of the comment, by which it is found again."""

MAX_LENGTH: Final = 60_000
"""How many characters a comment may have; GitHub takes 65,536."""

_SIGNS: Final[dict[Impact, str]] = {"breaking": "🔴", "behaviour": "🟡", "compatible": "🟢"}
_SPECIAL: Final = re.compile(r"[!-/:-@\[-`{-~]")
# GitLab takes a line that begins with a slash for one of its commands, such as /approve.
_SPECIAL_IN_BLOCK: Final = re.compile("[&<>@#:!`/]")
_MAX_INLINE: Final = 300
"""How many characters of a string are shown inline."""
_MAX_PART: Final = 15_000
_MAX_REASONS: Final = 3
_AROUND: Final = 2
"""How many lines are shown around a change."""


def comment(found: RangeDiff, findings: Sequence[Finding] = ()) -> str:
    """Write the comment on a range of commits.

    Args:
        found: What the range changes.
        findings: The problems of what it touches.

    Returns:
        The comment, which begins with `MARKER`. Where it would be too long the details that have no
        room are left out, and it says so.
    """
    head = [MARKER, f"### Prompts: {_summary(found)}"]
    if found.changes:
        head.append(_table(found.changes))
    tail = [*_findings(findings), *_footer(found)]
    room = MAX_LENGTH - sum(len(part) + 2 for part in (*head, *tail))
    details, left_out = _fitting((_details(change) for change in found.changes), room)
    if left_out:
        details.append(
            f"The details of {left_out} more are left out: the comment would be too long. "
            "`promptstore diff` shows them."
        )
    return "\n\n".join([*head, *details, *tail]) + "\n"


def _fitting(details: Iterable[str], room: int) -> tuple[list[str], int]:
    kept: list[str] = []
    left_out = 0
    for text in details:
        if not text:
            continue
        if len(text) + 2 > room:
            left_out += 1
            continue
        room -= len(text) + 2
        kept.append(text)
    return kept, left_out


def _summary(found: RangeDiff) -> str:
    counts = [f"{len(changes)} {impact}" for impact in IMPACTS if (changes := found.of(impact))]
    return ", ".join(counts) or "nothing changed"


def _table(changes: Sequence[PromptChange]) -> str:
    rows = [
        f"| {_SIGNS[change.judgement.impact]} **{change.judgement.impact}** | {_name(change)} | "
        f"{change.kind} | {_why(change)} |"
        for change in changes
    ]
    kept = _within_a_part(rows, "| | and {} more | | |")
    return "\n".join(["| | prompt | what | why |", "|---|---|---|---|", *kept])


def _within_a_part(lines: list[str], more: str) -> list[str]:
    """Keep as many lines as have room together, and a line for how many more there are."""
    ends = accumulate(len(line) + 1 for line in lines)
    kept = [line for line, end in zip(lines, ends, strict=True) if end <= _MAX_PART]
    left_out = len(lines) - len(kept)
    return [*kept, more.format(left_out)] if left_out else kept


def _name(change: PromptChange) -> str:
    if change.old_name:
        return f"{code(change.old_name)} → {code(change.name)}"
    return code(change.name)


def _why(change: PromptChange) -> str:
    reasons = "; ".join(map(code, change.judgement.reasons[:_MAX_REASONS]))
    if not change.via:
        return reasons
    return f"{reasons} (by {' → '.join(map(code, change.via))})"


def _details(change: PromptChange) -> str:
    pairs = [(code(title), old, new) for title, old, new in _pairs(change)]
    pairs += [(render.title, render.before, render.after) for render in change.renders]
    texts = (f"**{title}**\n\n{_word_diff(old, new)}" for title, old, new in pairs)
    parts = [*_changes(change), *texts, *_problems(change)]
    if not parts:
        return ""
    title = f"<summary>{_name(change)}: {_content_of(change)}</summary>"
    return "\n\n".join([f"<details>{title}", *parts, "</details>"])


def _content_of(change: PromptChange) -> str:
    counts = [
        ("change", len(change.diff.changes)),
        ("text", len(_pairs(change))),
        ("rendered example", len(change.renders)),
        ("problem", len(change.problems)),
    ]
    return ", ".join(f"{count} {what}{'s' * (count > 1)}" for what, count in counts if count)


def _changes(change: PromptChange) -> list[str]:
    if change.kind == "affected" or not change.diff.changes:
        return []
    return ["\n".join(f"- {code(sentence)}" for sentence in change.diff.changes)]


def _word_diff(old: str, new: str) -> str:
    tags = {"same": "", "removed": "del", "added": "ins"}
    written = []
    for piece in _shortened(compare_words(old, new)):
        text, tag = plain(piece.text), tags[piece.sort]
        written.append(f"<{tag}>{text}</{tag}>" if tag else text)
    return f"<pre>{''.join(written)}</pre>"


def _shortened(pieces: list[Piece]) -> Iterator[Piece]:
    """Leave out what stayed, but for the two lines around each change."""
    last = len(pieces) - 1
    for number, piece in enumerate(pieces):
        lines = piece.text.split("\n")
        keep = (_AROUND + 1) * ((number > 0) + (number < last))
        if piece.sort != "same" or len(lines) <= keep + 1:
            yield piece
            continue
        head = lines[: _AROUND + 1] if number > 0 else []
        tail = lines[-_AROUND - 1 :] if number < last else []
        yield Piece("same", "\n".join([*head, "⋮", *tail]))


def _pairs(change: PromptChange) -> list[tuple[str, str, str]]:
    """Return the texts that differ: title, before, after."""
    if change.kind == "affected":
        return []  # Its includes changed, which have entries of their own.
    return [(pair.title, pair.before, pair.after) for pair in change.diff.texts]


def _problems(change: PromptChange) -> list[str]:
    if not change.problems:
        return []
    return [
        "\n".join(
            f"- line {problem.line}: {problem.code} {code(problem.message)}"
            for problem in change.problems
        )
    ]


def _findings(findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return []
    lines = [
        f"- {finding.severity} {finding.problem.code} in {code(finding.path)}, "
        f"line {finding.problem.line}: {code(finding.problem.message)}"
        for finding in findings
    ]
    kept = _within_a_part(lines, "- and {} more; `promptstore check` lists them")
    return ["**Problems**", "\n".join(kept)]


def _footer(found: RangeDiff) -> list[str]:
    if found.base is None or found.head is None:
        return []
    return [f"<sub>{found.base[:7]} → {found.head[:7]}, by promptstore review</sub>"]


def code(text: str) -> str:
    """Return a string as inline code that holds on one line of Markdown, in a table too.

    It is HTML rather than backticks, since no number of backticks survives a cell, and forges
    make no mention or link of what stands in it.
    """
    text = text if len(text) <= _MAX_INLINE else f"{text[:_MAX_INLINE]}…"
    return f"<code>{_escaped(show_unseen(text).replace(chr(10), '⏎'))}</code>"


def plain(text: str) -> str:
    """Return a string for the inside of ``<pre>``, where it keeps its lines.

    Markdown means nothing there; what is escaped is HTML, and what a forge or a runner might find
    in any text: mentions, references and commands.
    """
    return _escaped(show_unseen(text), _SPECIAL_IN_BLOCK)


def _escaped(text: str, special: re.Pattern[str] = _SPECIAL) -> str:
    return special.sub(lambda match: f"&#{ord(match[0])};", text)
