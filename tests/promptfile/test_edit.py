"""An edit changes what it must and nothing else: before and after, as a reviewer sees the diff."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from promptstore.errors import PromptFileError
from promptstore.model.messages import Insert, Message
from promptstore.model.prompt import Prompt
from promptstore.model.variables import Variable
from promptstore.promptfile.editor import edit
from promptstore.promptfile.reader import loads

SOURCE = """\
# yaml-language-server: $schema=prompt.schema.json
description:   'Sort a ticket'   # for people
variables:
    # the customer's own words
    ticket: { type: string }
    tier:   { type: string, default: free }

# What the model reads.
messages:
- role: system
  content: |
    You help.

    Be kind.   # not a comment, but text
- insert: history

- role: user      # the ticket
  content: "{{ ticket }}"
config:
  temperature: 0.20   # low
  stop:
  - END    # one
  - STOP
tags: [ support, urgent ]
"""
SOURCE = SOURCE.replace("variables:\n", "variables:\n    history: {type: messages}\n")


def changed_message(prompt: Prompt, index: int, message: Message | Insert) -> Prompt:
    messages = list(prompt.messages or ())
    messages[index] = message
    return replace(prompt, messages=tuple(messages))


def with_messages(prompt: Prompt, *messages: Message | Insert) -> Prompt:
    return replace(prompt, messages=messages)


def with_variables(prompt: Prompt, **variables: Variable) -> Prompt:
    return replace(prompt, variables={**(prompt.variables or {}), **variables})


EDITS: dict[str, tuple[Callable[[Prompt], Prompt], list[str]]] = {
    "a description": (
        lambda p: replace(p, description="It's sorted"),
        [
            "-description:   'Sort a ticket'   # for people",
            "+description:   'It''s sorted'   # for people",
        ],
    ),
    "a description of several lines": (
        lambda p: replace(p, description="Sort\na ticket"),
        [
            "-description:   'Sort a ticket'   # for people",
            "+description:   |-   # for people",
            "+  Sort",
            "+  a ticket",
        ],
    ),
    "one line of a block": (
        lambda p: changed_message(
            p, 0, Message("system", "You help.\n\nBe brief.   # not a comment, but text\n")
        ),
        [
            "-    Be kind.   # not a comment, but text",
            "+    Be brief.   # not a comment, but text",
        ],
    ),
    "a line added to a block": (
        lambda p: changed_message(
            p, 0, Message("system", "You help.\nAlways.\n\nBe kind.   # not a comment, but text\n")
        ),
        ["+    Always."],
    ),
    "the end of a block": (
        lambda p: changed_message(
            p, 0, Message("system", "You help.\n\nBe kind.   # not a comment, but text")
        ),
        ["-  content: |", "+  content: |-"],
    ),
    "a role": (
        lambda p: changed_message(p, 2, Message("assistant", "{{ ticket }}")),
        ["-- role: user      # the ticket", "+- role: assistant      # the ticket"],
    ),
    "a message added at the end": (
        lambda p: with_messages(p, *(p.messages or ()), Message("user", "Go.")),
        ["+- role: user", "+  content: Go."],
    ),
    "a message added at the start": (
        lambda p: with_messages(p, Message("system", "First."), *(p.messages or ())),
        ["+- role: system", "+  content: First."],
    ),
    "a message removed": (
        lambda p: with_messages(p, *(p.messages or ())[:2]),
        ["-- role: user      # the ticket", '-  content: "{{ ticket }}"'],
    ),
    "a number": (
        lambda p: replace(p, config={**p.config, "temperature": 0.7}),
        ["-  temperature: 0.20   # low", "+  temperature: 0.7   # low"],
    ),
    "a number that became a boolean": (
        lambda p: replace(p, config={**p.config, "temperature": True}),
        ["-  temperature: 0.20   # low", "+  temperature: true   # low"],
    ),
    "a key of config added": (
        lambda p: replace(p, config={**p.config, "model": "gpt-x"}),
        ["+  model: gpt-x"],
    ),
    "a key of config removed": (
        lambda p: replace(p, config={"stop": ["END", "STOP"]}),
        ["-  temperature: 0.20   # low"],
    ),
    "an item of a list": (
        lambda p: replace(p, config={**p.config, "stop": ["END", "HALT"]}),
        ["-  - STOP", "+  - HALT"],
    ),
    "a variable added": (
        lambda p: with_variables(p, lang=Variable("string", default="en")),
        ["+    lang: {type: string, default: en}"],
    ),
    "variables added in the order that they were given": (
        lambda p: with_variables(p, zone=Variable("string"), area=Variable("string")),
        ["+    zone: {type: string}", "+    area: {type: string}"],
    ),
    "a variable changed": (
        lambda p: with_variables(p, tier=Variable("string", default="pro")),
        [
            "-    tier:   { type: string, default: free }",
            "+    tier:   {type: string, default: pro}",
        ],
    ),
    "tags": (
        lambda p: replace(p, tags=("support",)),
        ["-tags: [ support, urgent ]", "+tags: [support]"],
    ),
    "a tombstone": (
        lambda p: replace(p, deleted=True, deleted_reason="Old.", replaced_by="a/b"),
        ["+deleted: true", "+deleted_reason: Old.", "+replaced_by: a/b"],
    ),
    "a key that belongs in the middle": (
        lambda p: replace(p, template="simple"),
        ["+template: simple"],
    ),
    "a key that goes": (
        lambda p: replace(p, description=None),
        ["-description:   'Sort a ticket'   # for people"],
    ),
}


def diff_lines(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in list(lines)[2:] if not line.startswith("@@")]


@pytest.mark.parametrize(("change", "expected"), EDITS.values(), ids=list(EDITS))
def test_only_the_lines_that_must_change(
    change: Callable[[Prompt], Prompt], expected: list[str]
) -> None:
    wanted = change(loads(SOURCE))
    edited = edit(SOURCE.encode(), wanted).decode()
    assert loads(edited) == wanted
    assert diff_lines(SOURCE, edited) == expected


@pytest.mark.parametrize("change", [change for change, _ in EDITS.values()], ids=list(EDITS))
def test_line_ends_stay_as_they_are(change: Callable[[Prompt], Prompt]) -> None:
    wanted = change(loads(SOURCE))
    edited = edit(SOURCE.replace("\n", "\r\n").encode(), wanted)
    assert edited == edit(SOURCE.encode(), wanted).replace(b"\n", b"\r\n")


def test_there_and_back_again_gives_the_same_file() -> None:
    present = loads(SOURCE)
    deleted = replace(present, deleted=True, deleted_reason="Old.")
    assert edit(edit(SOURCE.encode(), deleted), present) == SOURCE.encode()


def test_a_default_that_is_written_out_stays() -> None:
    source = "template: jinja2\ndeleted: false\ntags: []\nconfig: {}\nprompt: x\n"
    edited = edit(source.encode(), Prompt(prompt="hi")).decode()
    assert edited == source.replace("prompt: x", "prompt: hi")


def test_a_file_without_a_last_line_end() -> None:
    edited = edit(b"prompt: x", Prompt(prompt="x", tags=("a",)))
    assert loads(edited) == Prompt(prompt="x", tags=("a",))
    assert edited.startswith(b"prompt: x\n")


def test_a_broken_file_is_not_edited() -> None:
    with pytest.raises(PromptFileError):
        edit(b"prompt: [\n", Prompt(prompt="x"))


def test_a_file_in_flow_style_is_edited_too() -> None:
    wanted: Any = Prompt(prompt="y", config={"a": 1})
    assert loads(edit(b'{"prompt": "x", "config": {"a": 2}}', wanted)) == wanted


@pytest.mark.parametrize(
    ("source", "change", "expected"),
    [
        pytest.param(
            "prompt: x\nconfig:\n  a: 1  # why\n  b: 2\n",
            {"config": {"a": [{"c": "d\ne"}], "b": 2}},
            "prompt: x\nconfig:\n  a:  # why\n    - c: |-\n        d\n        e\n  b: 2\n",
            id="a comment stays beside its key",
        ),
        pytest.param(
            "prompt: |+\n  a\n\n\ntags: [t]\n",
            {"prompt": "b\n"},
            "prompt: |\n  b\ntags: [t]\n",
            id="blank lines that were text go",
        ),
        pytest.param(
            "prompt: |\n  a\n\n\ntags: [t]\n",
            {"prompt": "b\n"},
            "prompt: |\n  b\n\n\ntags: [t]\n",
            id="blank lines that were none stay",
        ),
    ],
)
def test_what_stands_around_a_value(source: str, change: dict[str, Any], expected: str) -> None:
    wanted = replace(loads(source), **change)
    assert loads(expected) == wanted
    assert edit(source.encode(), wanted).decode() == expected
