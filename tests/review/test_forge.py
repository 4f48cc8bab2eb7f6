"""What a forge reads: no text of a prompt ever becomes markup, a mention or a command."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstore.compare.sequences import compare_words
from promptstore.errors import Problem
from promptstore.lint.check import Settings, check
from promptstore.lint.context import LintContext
from promptstore.lint.findings import Finding
from promptstore.model.prompt import Prompt
from promptstore.promptfile.writer import dumps
from promptstore.review.impact import Judgement
from promptstore.review.markdown import MARKER, MAX_LENGTH, comment
from promptstore.review.ranges import PromptChange, RangeDiff, compare
from promptstore.review.reports import annotation, change_annotation, sarif
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo

SCHEMA = Path(__file__).parents[1] / "data/schemas/sarif-2.1.0.json"

HOSTILE = (
    "</pre></details><script>alert(1)</script>\n"
    "::set-output name=x::y\n"
    "```\n"
    "@everyone #1 https://evil.example [x](y) ![x](y) | a | b |\n"
    "<!-- promptstore review -->\n"
    "\u202ereversed\x1b[2J"
)
ALLOWED = {"pre", "code", "ins", "del", "details", "summary", "sub"}


class Tags(HTMLParser):
    """Collects the tags, and the texts outside of code."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.depth = 0
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.depth += tag in ("pre", "code")
        assert not attrs

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag in ("pre", "code")

    def handle_data(self, data: str) -> None:
        if not self.depth:
            self.outside.append(data)


def read(markdown: str) -> Tags:
    tags = Tags()
    tags.feed(markdown)
    assert tags.depth == 0
    return tags


def change_of(before: str, after: str) -> PromptChange:
    from promptstore.compare.diff import diff_prompts

    old, new = Prompt(prompt=before), Prompt(prompt=after, description=after)
    return PromptChange(
        name="a", path="prompts/a.yaml", kind="changed", before=old, after=new,
        judgement=Judgement("behaviour", (after,)), diff=diff_prompts(old, new),
    )  # fmt: skip


@given(st.text(st.characters(codec="utf-8")).map(lambda text: HOSTILE + text), st.text())
def test_hostile_texts_stay_texts(before: str, after: str) -> None:
    finding = Finding("prompts/a.yaml", Problem(1, 1, "PS505", before))
    written = comment(RangeDiff("0" * 40, "1" * 40, (change_of(before, after),)), [finding])
    tags = read(written)
    assert tags.tags <= ALLOWED
    outside = "".join(tags.outside)
    for mark in ("@", "://", "::", "evil", "```", "]("):
        assert mark not in outside
    assert written.count(MARKER) == 1
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", written)
    assert "::set-output" not in written


@pytest.mark.parametrize(
    "text",
    ["\U000e0041", "\u3164", "\u115f", "x\ufe0f", "\u202e", "\x9b", "\u200b", "\ufeff", "\r"],
)
def test_what_nobody_sees_is_shown_in_a_comment(text: str) -> None:
    finding = Finding("prompts/a.yaml", Problem(1, 1, "PS505", f"a{text}b"))
    change = change_of("before", f"a{text}b")
    for written in (
        comment(RangeDiff(None, None, (change,)), [finding]),
        annotation(finding),
        change_annotation(change),
    ):
        assert text[-1] not in written


@pytest.mark.parametrize("text", ["/approve", "x\n/merge\ny", "  /close", "a\n\t/label ~x"])
def test_no_line_of_a_comment_is_a_quick_action(text: str) -> None:
    finding = Finding("prompts/a.yaml", Problem(1, 1, "PS505", text))
    for before, after in (("before", text), (text, "after"), (f"same\n{text}\nx", f"same\n{text}")):
        change = change_of(before, after)
        written = comment(RangeDiff(None, None, (change,)), [finding])
        assert [line for line in written.splitlines() if line.lstrip().startswith("/")] == []


def test_a_table_row_stays_a_row() -> None:
    written = comment(RangeDiff(None, None, (change_of("x", HOSTILE),)))
    rows = [line for line in written.split("\n") if line.startswith("|")]
    assert len(rows) == 3
    assert [row.count("|") for row in rows] == [5, 5, 5]


@given(st.text(), st.text())
def test_word_pieces_make_both_texts(before: str, after: str) -> None:
    pieces = compare_words(before, after)
    assert "".join(piece.text for piece in pieces if piece.sort != "added") == before
    assert "".join(piece.text for piece in pieces if piece.sort != "removed") == after


def test_the_words_that_changed_are_marked() -> None:
    written = comment(RangeDiff(None, None, (change_of("Be very kind.", "Be kind to all."),)))
    found = re.search("<pre>(.*?)</pre>", written, re.DOTALL)
    assert found
    assert html.unescape(found[1]) == "Be<del> very</del> kind<ins> to all</ins>."


def test_a_long_comment_names_what_it_leaves_out() -> None:
    changes = tuple(change_of("", "word " * 4_000) for _ in range(10))
    written = comment(RangeDiff(None, None, changes))
    assert len(written) <= MAX_LENGTH + 200
    assert read(written).tags <= ALLOWED
    assert "more are left out" in written


@given(st.text(st.characters(codec="utf-8")).map(lambda text: HOSTILE + text))
def test_an_annotation_is_one_command(text: str) -> None:
    finding = Finding(f"prompts/{text}.yaml", Problem(1, 2, "PS505", text), None, "warning")
    for line in (annotation(finding), change_annotation(change_of("x", text))):
        assert line.startswith("::warning file=prompts/")
        assert not re.search(r"[\n\r]", line)
        properties, _, _ = line.removeprefix("::warning ").partition("::")
        assert all(re.fullmatch(r"\w+=[^:,]*", item) for item in properties.split(","))


def test_annotations_point_at_the_place() -> None:
    finding = Finding("prompts/a.yaml", Problem(3, 5, "PS203", "Remove it: 100%"), "a", "warning")
    assert annotation(finding) == (
        "::warning file=prompts/a.yaml,line=3,col=5,title=PS203::Remove it: 100%25"
    )


def test_sarif_is_valid(repo: GitRepo) -> None:
    base = repo.commit({"prompts/a.yaml": "prompt: x\n", "prompts/b.yaml": "prompt: y\n"})
    repo.commit({
        "prompts/a.yaml": dumps(Prompt(prompt=HOSTILE + " ")),
        "prompts/b.yaml": None,
        "prompts/two words.yaml": "prompt: [\n",
        "prompts/broken.yaml": "promt: [\n",
    })  # fmt: skip
    store = PromptStore.open(repo.path)
    changes = compare(store.snapshot(base), store.snapshot()).changes
    findings = check(LintContext(store.snapshot(), Settings()))
    assert len(findings) > 2
    log = sarif(findings, changes)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(log)
    results = log["runs"][0]["results"]
    assert {"breaking", "PS502", "PS505"} <= {result["ruleId"] for result in results}
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in results)


@pytest.mark.parametrize("wrong", [{"level": "fatal"}, {"message": "x"}, {"more": 1}])
def test_the_schema_of_sarif_refuses(wrong: dict[str, object]) -> None:
    log = sarif([Finding("a", Problem(1, 1, "PS203", "x"))])
    log["runs"][0]["results"][0] |= wrong
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(log)
