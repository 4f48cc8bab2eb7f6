"""The rules that reading a file goes by, and the one of its canonical form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from promptstore.lint.context import LintContext
from promptstore.lint.findings import Breach, Rule
from promptstore.promptfile import codes
from promptstore.promptfile.formatter import format_file

NOT_CANONICAL: Final = Rule(
    "PS112",
    "The file is not in canonical form.",
    "`promptstore format` writes every file in one style, so that a diff shows only what changed. "
    "Comments stay. Off unless it is selected.",
    bad='prompt: "Hello"',
    good="prompt: Hello",
    severity="note",
    is_on=False,
    is_fixable=True,
)

_PAGES: Final = {
    codes.ENCODING: (
        "Save the file as UTF-8 without a byte order mark. Control characters and the line ends "
        'that only YAML 1.1 knows are written as escapes in a quoted text, such as "\\x1b".',
        'prompt: "a raw control character"',
        'prompt: "\\x1b"',
    ),
    codes.SYNTAX: (
        "The message tells what the parser found and where. A text with a colon, a brace or a "
        "quote at its start belongs in quotes or in a block (`|`).",
        "prompt: Note: answer briefly",
        'prompt: "Note: answer briefly"',
    ),
    codes.DUPLICATE_KEY: (
        "YAML readers differ in which of the two wins, so neither is taken. Keep one.",
        "prompt: one\nprompt: two",
        "prompt: two",
    ),
    codes.ANCHOR_OR_TAG: (
        "A prompt is read the way it is written. Repeat the value, or make it a prompt that others "
        "include.",
        "prompt: &text Hello",
        "prompt: Hello",
    ),
    codes.NOT_ONE_MAPPING: (
        "A prompt file has keys at its top and holds one document.",
        "- Hello",
        "prompt: Hello",
    ),
    codes.TOO_LARGE: (
        "Such a file is most often data, not a prompt: give it as the value of a variable.",
        "",
        "",
    ),
    codes.UNKNOWN_KEY: (
        "A misspelt key would be ignored silently, and a prompt would run without what it says. "
        "`check --fix` fixes a key that is nearly one of those known. Keys of your own begin with "
        "`x-`, or go under `metadata`.",
        "promt: Hello",
        "prompt: Hello",
    ),
    codes.MISSING_KEY: (
        "A prompt has exactly one of `prompt` and `messages`, and a message has a role and a "
        "content.",
        "description: Greets somebody",
        "description: Greets somebody\nprompt: Hello",
    ),
    codes.WRONG_VALUE: (
        "Nothing is turned into another type: a number where a text belongs wants quotes.",
        "prompt: 5",
        'prompt: "5"',
    ),
    codes.BAD_VARIABLE: (
        "A default must fit the type and the enum, and a name must be one that a template can use.",
        'variables:\n  n: {type: integer, default: "5"}\nprompt: "{{ n }}"',
        'variables:\n  n: {type: integer, default: 5}\nprompt: "{{ n }}"',
    ),
    codes.BAD_INSERT: (
        "`insert` puts a list of messages in place, so its variable is declared with the type "
        "`messages`.",
        "variables:\n  history: {type: string}\nmessages:\n  - insert: history",
        "variables:\n  history: {type: messages}\nmessages:\n  - insert: history",
    ),
}

READING: Final = tuple(
    Rule(code, title, *_PAGES[code], is_fixable=code == codes.UNKNOWN_KEY)
    for code, title in codes.MEANINGS.items()
)


def not_canonical(context: LintContext, name: str) -> Iterator[Breach]:
    """Compare the file with its canonical form."""
    data = context.data(name)
    if format_file(data, context.file(name).path) != data:
        message = "The file is not in canonical form; `promptstore format` writes it so."
        yield Breach(NOT_CANONICAL, message, place=(1, 1))
