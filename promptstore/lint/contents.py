"""Rules about what the texts say: secrets, spaces, duplicates, roles, budgets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Final

from promptstore.errors import Problem
from promptstore.lint.library import Library, Text
from promptstore.lint.rule import Rule
from promptstore.model.messages import Insert, Message

SECRET: Final = Rule(
    "PS504",
    "A text or the config holds what looks like a secret.",
    "Git keeps it for ever, and a model may repeat it. Revoke the key, remove it, and give the "
    "value where the prompt is used. The report shows only how the key starts.",
    bad='prompt: "Use the key AKIA…"',
    good='prompt: "Use the key of the vault."',
)
TRAILING_SPACE: Final = Rule(
    "PS505",
    "A line of a text ends with spaces that reach the model.",
    "Nobody sees them in a review, they cost tokens, and a prompt that ends with a space makes "
    "many models answer worse. Remove them.",
    bad='prompt: "Answer:  "',
    good='prompt: "Answer:"',
    severity="warning",
)
DOUBLED_SPACE: Final = Rule(
    "PS506",
    "Two spaces stand between words of a text.",
    "Most often it is a slip that reaches the model. Spaces that begin a line or make a table or "
    "a column of code are not reported.",
    bad='prompt: "Answer  briefly."',
    good='prompt: "Answer briefly."',
    severity="note",
)
DUPLICATE_TEXT: Final = Rule(
    "PS507",
    "Two prompts hold the same text.",
    "A change to one is forgotten in the other. Make the text a prompt of its own and include it. "
    "Looked for in texts of at least 80 characters.",
    severity="warning",
)
ROLE_ORDER: Final = Rule(
    "PS508",
    "Messages stand in an order that models do not take.",
    "A system or developer message belongs before all others, and a conversation does not begin "
    "with an answer of a tool. Some APIs refuse anything else, some move it silently.",
    bad="messages:\n  - {role: user, content: Hello}\n  - {role: system, content: Be kind.}",
    good="messages:\n  - {role: system, content: Be kind.}\n  - {role: user, content: Hello}",
    severity="warning",
)
EMPTY_MESSAGE: Final = Rule(
    "PS509",
    "A text is empty.",
    "Most APIs refuse a message without content. Fill it or remove it.",
    bad='messages:\n  - {role: user, content: ""}',
    good="messages:\n  - {role: user, content: Hello}",
)
OVER_BUDGET: Final = Rule(
    "PS510",
    "The texts are larger than the token budget in `metadata`.",
    "`metadata: {max_tokens: 500}` says how many tokens the texts may take before any value is "
    "filled in, includes and all. No tokenizer is run: they are counted as four characters a "
    "token, which is near for English prose and far too few for Chinese or for code. "
    "`characters-per-token = 1.5` in `[tool.promptstore]` counts otherwise; for an exact number "
    "give the texts of `promptstore render` to the tokenizer of your model.",
    bad="metadata: {max_tokens: 5}\nprompt: This text is clearly longer than five tokens.",
    good="metadata: {max_tokens: 50}\nprompt: This text is clearly longer than five tokens.",
)

# Every part that may fail late is bounded, so that no text makes the search slow.
_SECRETS: Final = (
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("an Anthropic key", re.compile(r"\bsk-ant-[A-Za-z0-9_-]{20,}")),
    ("an OpenAI key", re.compile(r"\bsk-(?!ant-)(?=[A-Za-z_-]{0,60}\d)[A-Za-z0-9_-]{32,}")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{50,})")),
    ("a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("a Slack token", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}")),
    ("a Google API key", re.compile(r"\bAIza[A-Za-z0-9_-]{35}")),
    ("a Stripe key", re.compile(r"\b[rs]k_live_[A-Za-z0-9]{16,}")),
    ("a PostHog key", re.compile(r"\bph[xs]_[A-Za-z0-9]{30,}")),
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{30,}")),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY-----")),
    ("a JSON web token", re.compile(r"\beyJ[\w-]{10,500}\.eyJ[\w-]{10,4000}\.[\w-]{10,}")),
    (
        "a password in an address",
        re.compile(
            r"\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@{}<>$]{1,200}:"
            r"(?!(?i:pass(?:word)?|pwd|secret|token|x{3,9}|\*{3,9})@)[^\s/:@{}<>$]{3,200}@"
        ),
    ),
)
_SHOWN: Final = 6
_DOUBLED: Final = re.compile(r"(?<=[^\s|])  (?=[^\s|])")
_CODE_FENCE: Final = re.compile(r"^\s*(?P<mark>```|~~~)")
_COLUMNS: Final = re.compile(r"\S {2,}(?=\S)")
_OPENING: Final = re.compile(r"\{[%#{]")
_CLOSING: Final = {"{%": "%}", "{#": "#}", "{{": "}}"}
_NO_LINE_END: Final = re.compile(r"[^\n]")
_NAMED: Final = 2
_WORTH_SHARING: Final = 80
_LEADERS: Final = ("system", "developer")


def secrets(library: Library, name: str) -> Iterator[Problem]:
    """Find what has the form of a key, anywhere in the file."""
    for number, line in enumerate(library.source(name).split("\n"), 1):
        for what, pattern in _SECRETS:
            for match in pattern.finditer(line):
                message = (
                    f"This looks like {what} ({match[0][:_SHOWN]}…). Revoke it and take it out; "
                    "git remembers it."
                )
                yield Problem(number, match.start() + 1, SECRET.code, message)


def trailing_spaces(library: Library, name: str) -> Iterator[Problem]:
    """Find lines that end with blanks."""
    for text, number, line in _lines(library, name):
        if line != line.rstrip(" \t"):
            message = "The line ends with spaces, which reach the model; remove them."
            yield Problem(*library.place(name, text, number), TRAILING_SPACE.code, message)


def doubled_spaces(library: Library, name: str) -> Iterator[Problem]:
    """Find two spaces between two words, tables and code left aside."""
    fence = ""
    for text, number, line in _lines(library, name):
        if number == 1:
            fence = ""
        match = _CODE_FENCE.match(line)
        if match and fence in ("", match["mark"]):
            fence = "" if fence else match["mark"]
        is_column = line.startswith(("    ", "\t")) or len(_COLUMNS.findall(line)) > 1
        if not fence and not is_column and _DOUBLED.search(line):
            message = "Two spaces stand between two words; one is meant."
            yield Problem(*library.place(name, text, number), DOUBLED_SPACE.code, message)


def duplicate_texts(library: Library, name: str) -> Iterator[Problem]:
    """Find texts that another prompt holds too."""
    if library.prompt(name).deleted:
        return
    for text in library.texts(name):
        others = library.sharers(name, text.text) if _is_worth_sharing(text.text) else []
        if others:
            message = f"{_listed(others)} the same text; make it a prompt and include it in each."
            yield Problem(*library.place(name, text, 1), DUPLICATE_TEXT.code, message)


def role_order(library: Library, name: str) -> Iterator[Problem]:
    """Find roles that stand where a model does not take them."""
    begun = False
    for index, item in enumerate(library.prompt(name).messages or ()):
        if isinstance(item, Insert):
            begun = True
            continue
        fault = _role_fault(item, index, begun=begun)
        if fault:
            place = library.position(name, ("messages", index, "role"))
            yield Problem(*place, ROLE_ORDER.code, fault)
        begun = begun or item.role not in _LEADERS


def empty_messages(library: Library, name: str) -> Iterator[Problem]:
    """Find texts without a character to read."""
    for text in library.texts(name):
        if not text.text.strip() and _is_content(text):
            message = "The text is empty; fill it or remove it."
            yield Problem(*library.position(name, text.keys), EMPTY_MESSAGE.code, message)


def over_budget(library: Library, name: str) -> Iterator[Problem]:
    """Compare the size of the texts with the budget that the file names."""
    prompt = library.prompt(name)
    budget = prompt.metadata.get("max_tokens")
    if isinstance(budget, bool) or not isinstance(budget, int):
        return
    characters = sum(
        len(text.text) for reached in library.closure(name) for text in library.texts(reached)
    )
    tokens = ceil(characters / library.settings.characters_per_token)
    if tokens > budget:
        message = f"The texts take about {tokens} tokens; the budget is {budget}."
        place = library.position(name, ("metadata", "max_tokens"))
        yield Problem(*place, OVER_BUDGET.code, message)


def _role_fault(message: Message, index: int, *, begun: bool) -> str:
    if message.role in _LEADERS and begun:
        return f"A {message.role} message stands behind others; put it first."
    if message.role in ("tool", "function") and index == 0:
        return f"The messages begin with the role {message.role}, which answers a call."
    return ""


def _lines(library: Library, name: str) -> Iterator[tuple[Text, int, str]]:
    """List the lines of all texts; what is no text but a tag of the template is written as x."""
    for text in library.texts(name):
        shown = text.text
        if library.prompt(name).template != "none":
            shown = _without_tags(shown)
        for number, line in enumerate(shown.split("\n"), 1):
            yield text, number, line


def _without_tags(text: str) -> str:
    """Write an x over every character of a tag; lines stay where they are."""
    pieces: list[str] = []
    at = 0
    unclosed: set[str] = set()
    for match in _OPENING.finditer(text):
        opening, start = match[0], match.start()
        if start < at or opening in unclosed:
            continue
        end = text.find(_CLOSING[opening], match.end())
        if end < 0:
            unclosed.add(opening)
            continue
        pieces += (text[at:start], _NO_LINE_END.sub("x", text[start : end + 2]))
        at = end + 2
    return "".join([*pieces, text[at:]])


def _is_worth_sharing(text: str) -> bool:
    return len(text.strip()) >= _WORTH_SHARING


def _listed(names: Sequence[str]) -> str:
    shown = " and ".join(map(repr, names[:_NAMED]))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{shown}{more} {'holds' if len(names) == 1 else 'hold'}"


def _is_content(text: Text) -> bool:
    return text.keys[-1] in ("prompt", "content", "text")
