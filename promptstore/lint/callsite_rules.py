"""The rules about Python code that asks for prompts."""

from __future__ import annotations

from typing import Final

from promptstore.lint.findings import Rule

UNKNOWN_NAME: Final = Rule(
    "PS601",
    "The code asks for a prompt that does not exist.",
    "The call fails when it runs. Fix the name, or add the prompt.",
)
DELETED_NAME: Final = Rule(
    "PS602",
    "The code asks for a prompt that is deleted.",
    "The call fails when it runs. Ask for the replacement, or restore the prompt.",
)
MISSING_VALUE: Final = Rule(
    "PS603",
    "A call leaves out a variable that the prompt needs.",
    "The render fails when it runs. Looked for where the values stand in the call itself.",
)
UNKNOWN_VALUE: Final = Rule(
    "PS604",
    "A call gives a variable that the prompt does not have.",
    "The render fails when it runs. Fix the name, or declare the variable.",
)
WRONG_VALUE: Final = Rule(
    "PS605",
    "A call gives a literal that the variable cannot take.",
    "The render fails when it runs: the type is another one, or the enum does not have the value.",
)
UNUSED_PROMPT: Final = Rule(
    "PS606",
    "No code uses this prompt.",
    "Looked for with `--unused`: no text in the code that was read is the name of the prompt, and "
    "no other prompt includes it. Delete it, or name it where a name is put together at run time.",
    severity="warning",
)
UNREADABLE: Final = Rule(
    "PS607",
    "A Python file cannot be read.",
    "Its calls are not checked. The message says what is wrong with the file.",
)

RULES: Final = (
    UNKNOWN_NAME,
    DELETED_NAME,
    MISSING_VALUE,
    UNKNOWN_VALUE,
    WRONG_VALUE,
    UNUSED_PROMPT,
    UNREADABLE,
)
