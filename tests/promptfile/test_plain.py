"""What is written plainly is read quickly, and means what the parser says that it means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptstore.model.prompt import Prompt
from promptstore.promptfile import dumps
from promptstore.promptfile.plainyaml import read_plain
from promptstore.promptfile.problems import Problems, YamlError
from promptstore.promptfile.yamlparser import compose, construct
from promptstore.promptfile.yamlreader import read_yaml
from tests.benchmarks.repos import prompt_file
from tests.promptfile.strategies import prompts

TESTS = Path(__file__).parents[1]
OWN = sorted((TESTS.parent / "prompts").glob("**/*.yaml"))
FILES = [*OWN, *sorted((TESTS / "data").glob("**/*.yaml"))]


def parsed(text: str) -> Any:
    """Give what the parser says of a text, None where it finds a fault."""
    problems = Problems()
    try:
        value = construct(text, compose(text), problems)
    except YamlError:
        return None
    return None if problems else value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: b\n", {"a": "b"}),
        ("# why\n\na: b\n  # and\nc:\n\n", {"a": "b", "c": None}),
        ("a: one, two; http://x/#y [sic] 'so'\n", {"a": "one, two; http://x/#y [sic] 'so'"}),
        ("a: 1\nb: -0.5\nc: true\nd: null\ne: yes\nf: 2026-11-25\n",
         {"a": 1, "b": -0.5, "c": True, "d": None, "e": "yes", "f": "2026-11-25"}),
        ('a: "b: #c \\n\\"d\\""\nb: \'# {e}\'\nc: ""\nd: \'\'\n',
         {"a": 'b: #c \n"d"', "b": "# {e}", "c": "", "d": ""}),
        ("a: {b: c d, e: [f, -1, {g: 'h'}], i: []}  \nj: [ k , \"l\" ]\n",
         {"a": {"b": "c d", "e": ["f", -1, {"g": "h"}], "i": []}, "j": ["k", "l"]}),
        ("a:\n  b:\n      c: d\n  e: f\ng: h\n", {"a": {"b": {"c": "d"}, "e": "f"}, "g": "h"}),
        ("a:\n  - b\n  - c: d\n    e:\n    - f\n  - 1\n", {"a": ["b", {"c": "d", "e": ["f"]}, 1]}),
        ("a:\n- b\nc: d\n", {"a": ["b"], "c": "d"}),
        ("a: |\n  # b\n   c: *d\n\n    \n  e\n\n\nf: |-\n    g\n\n# h\n",
         {"a": "# b\n c: *d\n\n  \ne\n", "f": "g"}),
        ("a:\n  - |\n   b\n  - |-\n   c\n", {"a": ["b\n", "c"]}),
    ],
)  # fmt: skip
def test_what_is_plain(text: str, value: Any) -> None:
    assert read_plain(text) == value == parsed(text)


def test_a_collection_that_many_files_hold_cannot_be_changed_through_one_of_them() -> None:
    values = [read_plain("a: {b: [c]}\n") for _ in range(2)]
    assert values[0] is not None
    with pytest.raises(TypeError, match="cannot be changed"):
        values[0]["a"]["d"] = 1
    with pytest.raises(TypeError, match="cannot be changed"):
        values[0]["a"]["b"].append(1)
    assert values == [{"a": {"b": ["c"]}}] * 2


@pytest.mark.parametrize(
    "text",
    [
        "", "a\n", "- a\n", "{a: b}\n", "a: b",  # no mapping in lines, or no end of the line
        "a: b\r\n", "a:\tb\n", "a: |\n  b\n\tc\n", "a: |\n\tb\n",
        "---\na: b\n", "a: b\n...\n", "%YAML 1.2\n---\na: b\n",
        "a: b\na: c\n", "a: {b: c, b: d}\n", "null: a\n", "1: a\n", "? a\n: b\n", "'a': b\n",
        "a: b: c\n", "a: b #c\n", "a: b:\n", "a: 'b' # c\n", "a: [b] # c\n", "a: # b\n",
        "a: &b c\n", "a: *b\n", "a: !b c\n", "<<: {a: b}\n", "a: @b\n", "a: `b`\n", "a: %b\n",
        "a: b\n  c\n", "a: 'b\n  c'\n", "a: [b,\n  c]\n", "a:\n  b\n", "a: >\n  b\n",
        "a: |+\n  b\n", "a: |2\n  b\n", "a: | # b\n  c\n", "a: |\n\n  b\n", "a: |\nb: c\n",
        "a: |\n  b\n c: d\n", "a: |\n   b\n  c\n", "a:\n  b: |\n  c\n", "a: |\n  b\n \n  c\n",
        "a: |\n  b\n \n  # c\n",
        "a: b\n  c: d\n", "a:\n    b: c\n  d: e\n", " a: b\nc: d\n", "a:\n  - b\n - c\n",
        "a: b\n- c\n",
        "a:\n  -\n    b\n", "a:\n  - - b\n", "a:\n  -  b: c\n    d: e\n", "a:\n- b: c\n   d: e\n",
        "a: [b\n", "a: b]\n c\n", "a: [b}\n", "a: {b}\n", "a: {b: }\n", "a: [b: c]\n", "a: [b,]\n",
        "a: [,]\n", "a: [b] c\n", "a: [[[[[[[[[b]]]]]]]]]\n", "a: {b:c}\n", "a: [b]x\n",
        "a: [- b]\n",
        'a: "\\x41"\n', 'a: "b" c\n', "a: 'b''c'\n", 'a: {"b": c}\n', "a: 'b\n", "a: [a, 'b]\n",
        "a: 1e999\n", "a: .inf\n", "a: [.nan]\n", f"a: {'1' * 5000}\n",
        "\n".join(" " * depth + "a:" for depth in range(60)) + "\n",
    ],
)  # fmt: skip
def test_what_is_left_to_the_parser(text: str) -> None:
    """Some of it is sound and some is not: the parser tells."""
    assert read_plain(text) is None


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(TESTS.parent)))
def test_files_mean_what_the_parser_says(file: Path) -> None:
    try:
        text = read_yaml(file.read_bytes()).text
    except YamlError:
        return
    value = read_plain(text)
    assert value is None or repr(value) == repr(parsed(text))


def test_prompts_as_people_write_them_are_plain() -> None:
    texts = [prompt_file(7).decode(), *(file.read_text() for file in OWN)]
    assert all(read_plain(text) is not None for text in texts)


FRAGMENTS = [
    " ", "  ", "    ", "\n", "\n\n", "\n ", "\n  ", "\n    ", "\t", "\r", "# c", "#", " #", ": ",
    ":", "- ", "-", "-1", "|", "|-", "|+", "|\n", ">", "[", "]", "{", "}", "[]", "{}", "[a, b]",
    ", ", ",", "{a: b, c: [d]}", '"', "'", '"a\\n"', "\\", "null", "~", "1.5", "0x1f", "---\n",
    "&a ", "*a", "!t ", "? ", "@", "é", "\xa0", "\u3000", "key", "a: b\n", "a:\n", "  a: b\n",
    "- a\n", "- a: b\n", "x: |\n  t\n", "x: |-\n  # t\n   u\n\n\n", "%", ".", "(", "=", "<<: ",
]  # fmt: skip
noise = st.lists(st.sampled_from(FRAGMENTS), max_size=20).map("".join)


@st.composite
def damaged_files(draw: st.DrawFn) -> str:
    """Lines of files of ours, in which something was put, removed or moved."""
    sources = st.sampled_from(OWN).map(Path.read_text) | prompts().map(dumps)
    lines = draw(sources).splitlines(keepends=True)
    start = draw(st.integers(0, len(lines)))
    text = "".join(lines[start : start + draw(st.integers(1, 12))])
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        removed = draw(st.integers(0, 4))
        text = text[:at] + draw(st.sampled_from(["", *FRAGMENTS])) + text[at + removed :]
    return text


@given(noise | damaged_files())
@example("a: |\n  b\n   \n")
@example("a: {b: c, d: [e, f]}\ng:\n- h\n")
def test_nothing_is_read_in_another_way_than_by_the_parser(text: str) -> None:
    try:
        value = read_yaml(text).value
    except YamlError:
        return
    plain = read_plain(text)
    assert plain is None or repr(plain) == repr(value) == repr(parsed(text))


@given(prompts())
def test_our_own_files_mean_the_same(prompt: Prompt) -> None:
    text = dumps(prompt)
    plain = read_plain(text)
    assert plain is None or repr(plain) == repr(parsed(text))
