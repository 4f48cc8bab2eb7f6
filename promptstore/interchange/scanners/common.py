"""What the scanners share: what they find, and which words say that a string is a prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Final

KEYWORDS: Final = {
    "system": "system", "system_prompt": "system", "instructions": "system",
    "system_instruction": "system", "systemPrompt": "system", "systemInstruction": "system",
    "prompt": None, "input": None,
}  # fmt: skip
"""Arguments that take a prompt, by the role that its text has."""

_PATH: Final = re.compile(r"(?:(?:await|self|this)\W\s*)*[A-Za-z_$][\w$.]*")
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_TAKEN: Final = {"self", "this", "await", "loop", "range"}

PROMPT_ID: Final = re.compile(r"pmpt_[A-Za-z0-9]+")
NAMED: Final = re.compile(r"(?:^|_)(?:prompt|instructions?|system_message)(?:$|_)", re.IGNORECASE)
"""A constant of such a name is a prompt."""

SHORTEST: Final = 40
"""How long a string must be to be taken for a prompt by the name of its argument alone."""


@dataclass(frozen=True)
class Found:
    """A prompt in source code.

    Attributes:
        path: The file.
        line: The line where it begins.
        name: A name for it, from the code around it.
        language: ``python`` or ``typescript``.
        messages: Its texts in pieces (literal text and names in turn) with their roles; a role of
            None is a text prompt.
        values: The code that gives each variable its value.
        call: What to write instead where it is no text.
        note: What a person has to look at.
    """

    path: str
    line: int
    name: str
    language: str
    messages: tuple[tuple[str | None, tuple[str, ...]], ...] = ()
    values: dict[str, str] = field(default_factory=dict)
    call: str = ""
    note: str = ""


def prompt_object(path: str, line: int, identity: str, language: str) -> Found:
    """Return what is found where the code names a prompt object of OpenAI."""
    note = f"{identity} is a prompt object of OpenAI: import it, then name the prompt here"
    return Found(path, line, identity, language, call='store.render("NAME", ...)', note=note)


def looks_like_prose(text: str, *, is_message: bool = False) -> bool:
    """Return whether a string is long enough, and made of words.

    Args:
        text: The string.
        is_message: Whether it is said to be a message, so that a short one will do.
    """
    if is_message:
        return len(text) >= SHORTEST // 3 and text.count(" ") >= 2
    return len(text) >= SHORTEST and text.count(" ") >= 5


def variable_name(code: str, taken: Mapping[str, str]) -> str:
    """Return a name for a variable, from the code that gives its value.

    Args:
        code: The code, such as ``user.name`` or ``items.map(f)``.
        taken: The code of the names that there are.
    """
    found = _PATH.match(code)
    words = _WORD.findall(found[0]) if found else []
    if found and code[found.end() :].startswith("(") and len(words) > 1:
        # What is called says how it is made, and what stands before it what it is.
        words = words[:-1]
    base = snake_case(words[-1]).strip("_") if words else "value"
    base = f"{base}_value" if iskeyword(base) or base in _TAKEN else base or "value"
    name, number = base, 2
    while taken.get(name, code) != code:
        name, number = f"{base}_{number}", number + 1
    return name


def snake_case(name: str) -> str:
    """Return a name in lower case with underscores."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
