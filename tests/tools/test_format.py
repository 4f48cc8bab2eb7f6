"""Canonical form: what `promptstore format` and `check --fix` write, comments and all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstore.errors import PromptFileError
from promptstore.promptfile.formatter import comments_of, fix_keys, format_file
from promptstore.promptfile.reader import loads
from promptstore.promptfile.writer import dumps
from tests.promptfile.layouts import Layout

FORMATTED: dict[str, tuple[str, str]] = {
    "quotes that nobody needs": ('prompt: "Hello"\n', "prompt: Hello\n"),
    "the order of keys": (
        "tags: [a]\nprompt: x\ndescription: why\n",
        "description: why\nprompt: x\ntags: [a]\n",
    ),
    "a comment above a key moves with it": (
        "# about tags\ntags: [a]\n# about the text\nprompt: 'x'\n",
        "# about tags\n# about the text\nprompt: x\ntags: [a]\n",
    ),
    "a comment above a later key": (
        "prompt: 'x'\n\n# why\ntags: ['a']\n",
        "prompt: x\n\n# why\ntags: [a]\n",
    ),
    "a comment inside of a value": (
        "prompt: 'x'\nconfig:\n    model: a  # cheap\n",
        "prompt: x\nconfig:\n    model: a  # cheap\n",
    ),
    "blank lines around a comment at the top, and around the key that moves there": (
        "  # indented\n\n\n\ntags: [a]\n\n\n# one\n\n\nprompt: 'x'\n",
        "  # indented\n\n# one\n\nprompt: x\ntags: [a]\n",
    ),
    "a blank line that is text before a comment": (
        "x-note: |+\n  a\n\n# one\nprompt: 'x'\nx-more: b\n",
        "# one\nprompt: x\nx-more: b\nx-note: |+\n  a\n\n",
    ),
    "a comment at the end": ("prompt: 'x'\n# end\n", "prompt: x\n# end\n"),
    "the line of an editor": (
        "# yaml-language-server: $schema=prompt.schema.json\ntags: [a]\nprompt: 'x'\n",
        "# yaml-language-server: $schema=prompt.schema.json\nprompt: x\ntags: [a]\n",
    ),
    "a hash that is text": (
        'prompt: "# not a comment"\ndescription: "a #b"\n',
        'description: "a #b"\nprompt: "# not a comment"\n',
    ),
    "a hash in a block": ("prompt: |\n  # Title\n  text\n", "prompt: |\n  # Title\n  text\n"),
    "a comment behind the header of a block": (
        "tags: ['a']\nprompt: | # why\n  text\n",
        "prompt: | # why\n  text\ntags: [a]\n",
    ),
    "line ends of Windows": ("prompt: 'x'\r\n# end\r\n", "prompt: x\n# end\n"),
    "flow style with a comment stays": ("{prompt: x}  # why\n", "{prompt: x}  # why\n"),
    "flow style": ("{prompt: x}\n", "prompt: x\n"),
}


@pytest.mark.parametrize(("source", "expected"), FORMATTED.values(), ids=list(FORMATTED))
def test_format(source: str, expected: str) -> None:
    assert format_file(source.encode()).decode() == expected


@pytest.mark.parametrize(("source", "expected"), FORMATTED.values(), ids=list(FORMATTED))
def test_formatting_twice_changes_nothing(source: str, expected: str) -> None:
    assert format_file(expected.encode()).decode() == expected


COMMENTED = st.lists(
    st.sampled_from([
        "# one\n", "\n", "\n\n", "  # indented\n", "tags: ['a']  # two\n", "description: \"x\"\n",
        "config:\n  # three\n  a: 1\n", "variables:\n  x: {}\n  # four\n",
        "metadata: {b: 'c'}\n", "x-note: |\n  # text\n\n", "x-more: >-\n  a\n  b\n",
    ]),
    unique=True,
)  # fmt: skip


@given(COMMENTED, COMMENTED)
def test_neither_meaning_nor_a_comment_is_lost(before: list[str], after: list[str]) -> None:
    rest = [line for line in after if line not in before or line.strip().startswith("#")]
    check_laws("".join([*before, "prompt: '{{ x }}'\n", *rest]).encode())


@given(st.integers(0, 2**32))
def test_neither_meaning_nor_a_comment_of_any_layout_is_lost(seed: int) -> None:
    source = Layout(seed).file().encode()
    try:
        loads(source)
    except PromptFileError:
        return
    check_laws(source)


def check_laws(source: bytes) -> None:
    formatted = format_file(source)
    assert loads(formatted) == loads(source)
    assert sorted(comments_of(formatted)) == sorted(comments_of(source))
    assert format_file(formatted) == formatted


def test_a_broken_file_is_not_formatted() -> None:
    with pytest.raises(PromptFileError):
        format_file(b"prompt: [\n")


def test_without_comments_it_is_what_is_written() -> None:
    source = b"tags: [a]\nprompt: 'x'\n"
    assert format_file(source).decode() == dumps(loads(source))


MENDED: dict[str, tuple[str, str]] = {
    "a key at the top": ("promt: x\n", "prompt: x\n"),
    "two of them": ("promt: x\ndescripton: y\n", "prompt: x\ndescription: y\n"),
    "a key of a variable": (
        "variables:\n  x: {typ: string}\nprompt: '{{ x }}'\n",
        "variables:\n  x: {type: string}\nprompt: '{{ x }}'\n",
    ),
    "a key of a message": (
        "messages:\n  - role: user\n    contnet: x  # why\n",
        "messages:\n  - role: user\n    content: x  # why\n",
    ),
    "a key that is like none": ("prompt: x\nowner: y\n", "prompt: x\nowner: y\n"),
    "a key that is there already": ("prompt: x\npromt: y\n", "prompt: x\npromt: y\n"),
    "a file that is no YAML": ("promt: [\n", "promt: [\n"),
}


@pytest.mark.parametrize(("source", "expected"), MENDED.values(), ids=list(MENDED))
def test_near_miss_keys_are_fixed(source: str, expected: str) -> None:
    assert fix_keys(source.encode(), "a.yaml").decode() == expected
