"""Jinja2 and nunjucks of other tools → the Jinja2 of a prompt file.

A prompt file trims the line end behind a block, Jinja2 as it comes does not: so every tag says
``+``. The rest stays as it is where our part of the language has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from promptstore.errors import TemplateError
from promptstore.template import Source, find_references

TAG: Final = re.compile(r"\{%.*?%\}|\{#.*?#\}|\{\{.*?\}\}", re.DOTALL)
_MARK: Final = re.compile(r"\{[{%#]|\{$")
_TOKEN: Final = re.compile(
    r"\{%[-+]?\s*(?:raw|verbatim)\s*([-+]?)%\}(.*?)\{%([-+]?)\s*end(?:raw|verbatim)\s*[-+]?%\}"
    r"|(\{%.*?%\}|\{\#.*?\#\}|\{\{.*?\}\})",
    re.DOTALL,
)
_JOIN: Final = re.compile(r"""((?:'[^'\\]*')|(?:"[^"\\]*"))\.join\(([\w.]+)\)""")
_METHOD: Final = re.compile(r"(?<=[\w\])])\.(items|lower|upper|strip|title|capitalize)\(\)")
_AS_FILTER: Final = {"strip": "trim"}
_ENVIRONMENT: Final = re.compile(r"\benv\.\w")


class UntranslatableError(ValueError):
    """A template that cannot be written in a language here and render the same.

    Never leaves this room: a reader turns it into a loss or a refusal.
    """


def literal(text: str) -> str:
    """Return literal text as a template of Jinja2: whatever would begin a tag as a string."""
    return _MARK.sub(lambda found: f'{{{{ "{found[0]}" }}}}', text)


def translate_jinja(text: str) -> str:
    """Translate a template of Jinja2 with its own defaults.

    Args:
        text: The template.

    Returns:
        A template that renders the same here.

    Raises:
        UntranslatableError: It uses what a prompt file has not.
    """
    translated = "".join(_written(text))
    _check(translated)
    return translated


def translate_nunjucks(text: str) -> str:
    """Translate a template of nunjucks, which is much like Jinja2.

    Raises:
        UntranslatableError: It uses what a prompt file has not, or the environment.
    """
    if any(_ENVIRONMENT.search(found) for found in re.findall(r"\{[{%].*?[%}]\}", text)):
        raise UntranslatableError("nunjucks: env.… reads the environment")

    def change(found: re.Match[str]) -> str:
        tag = found[0]
        if tag.startswith("{#"):
            return tag
        tag = tag.replace("===", "==").replace("!==", "!=")
        tag = re.sub(r"\|\s*dump\b", "|tojson", tag)
        return re.sub(r"\belseif\b", "elif", tag)

    return translate_jinja(TAG.sub(change, text))


def _check(text: str) -> None:
    try:
        find_references(Source(text))
    except TemplateError as error:
        raise UntranslatableError(f"jinja2: {error}".rstrip(".")) from error


def _written(text: str) -> Iterator[str]:
    end = 0
    for found in _TOKEN.finditer(text):
        yield text[end : found.start()]
        end = found.end()
        if found[4] is None:
            if found[1] == "-" or found[3] == "-":
                raise UntranslatableError("jinja2: raw that strips the space around it")
            yield literal(found[2])
        elif found[4].startswith("{{"):
            yield _methods(found[4])
        else:
            yield _kept(_methods(found[4]) if found[4][1] == "%" else found[4])
    yield text[end:]


def _kept(tag: str) -> str:
    """Write a tag so that it takes no line end or space away."""
    head = tag[:2] if tag[2] in "-+" else f"{tag[:2]}+"
    tail = tag[-2:] if tag[-3] in "-+" else f"+{tag[-2:]}"
    return head + tag[2:-2] + tail


def _methods(tag: str) -> str:
    """Write methods as filters, as a prompt file prefers."""
    tag = _JOIN.sub(lambda found: f"{found[2]}|join({found[1]})", tag)
    return _METHOD.sub(lambda found: f"|{_AS_FILTER.get(found[1], found[1])}", tag)


def untrimmed(text: str) -> str:
    """Write a template so that a tag takes no line end and no indent along by itself."""
    written, end = "", 0
    for found in TAG.finditer(text):
        written += text[end : found.start()]
        end = found.end()
        tag = found[0]
        if tag.startswith("{{"):
            written += tag
            continue
        if tag[2] == "+":
            tag = tag[:2] + tag[3:]
        elif tag[2] != "-":
            # The line as it stands in the text: a tag before it may have taken its line end.
            before = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
            written = written if before.strip() else written[: len(written) - len(before)]
        if tag[-3] == "+":
            tag = tag[:-3] + tag[-2:]
        elif tag[-3] != "-" and text.startswith("\n", end):
            end += 1
        written += tag
    return written + text[end:]
