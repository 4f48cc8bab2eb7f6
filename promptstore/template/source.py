"""What every template language shares, and the templates that only put values in: most of them.

Those are ``simple``, ``none``, and ``jinja2`` without any logic. Jinja2 itself is loaded only when
a template needs more than that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, NoReturn, Protocol, TypeAlias, get_args
from unicodedata import category, normalize

from promptstore.errors import LimitError, RenderError, VariableError

TemplateKind: TypeAlias = Literal["jinja2", "simple", "none"]
TEMPLATE_KINDS: Final[tuple[TemplateKind, ...]] = get_args(TemplateKind)

CONTAINERS: Final = (list, tuple, dict)
"""The types of values that hold other values."""

CHARACTERS_OF_A_STEP: Final = 16
"""How many characters of a string an operation reads or writes for one step."""

_INCLUDE: Final = re.compile(r"""\{%[-+]?\s*include\s*(["'])([^"'\\]*)\1""")
_WORDS: Final = frozenset({
    "False", "None", "True", "and", "elif", "else", "false", "for", "if", "in", "is", "loop",
    "none", "not", "or", "range", "self", "true",
})  # fmt: skip


class Limits(NamedTuple):
    """How far one render of a whole prompt may go.

    Attributes:
        max_output: How many characters its texts may have together.
        max_steps: How many steps its templates may take together. Each filter, test, operator,
            lookup and call is one, and so is each name and piece of text between them, each round
            of a loop, each item that an operation reads or makes, and every 16 characters. What
            is in a loop is counted for each round, whether its conditions hold or not.
        max_include_depth: How deep includes may be nested.
    """

    max_output: int = 1_000_000
    max_steps: int = 1_000_000
    max_include_depth: int = 10


class Source(NamedTuple):
    """One template text.

    Attributes:
        text: The text.
        kind: Its language.
        name: The prompt that it belongs to, for errors.
    """

    text: str
    kind: TemplateKind = "jinja2"
    name: str | None = None


class Reference(NamedTuple):
    """A name that a template uses, with its place.

    Attributes:
        name: The variable's or the included prompt's name.
        line: The line within the template, from 1.
    """

    name: str
    line: int


class References(NamedTuple):
    """What one template uses, not counting what its includes use.

    Attributes:
        variables: Each use of a name from outside, in the order of the text.
        includes: Each include.
    """

    variables: list[Reference]
    includes: list[Reference]


def find_includes(source: Source) -> tuple[str, ...]:
    """Return the names that a template includes, by a quick look at its text.

    Args:
        source: The template.

    Returns:
        The names in the order of the text, each once. Names in a comment or a ``raw`` block are
        among them; none that `compile_template` accepts is left out.
    """
    if source.kind != "jinja2":
        return ()
    return tuple(dict.fromkeys(name for _, name in _INCLUDE.findall(source.text)))


def is_variable_name(kind: TemplateKind, name: str) -> bool:
    """Return whether templates of a language can use a variable of this name.

    Args:
        kind: The language.
        name: The name.

    Returns:
        For ``simple``: whether it is made of letters, marks, digits, ``_``, ``.`` and ``-``. For
        ``jinja2``: whether it is an identifier and no word of the language. For ``none``: False.
    """
    if kind == "simple":
        # Marks are what Indic vowels and accents typed on their own are made of.
        return name != "" and all(
            character.isalnum() or character in "_.-" or category(character)[0] == "M"
            for character in name
        )
    # Python, which a template is compiled to, takes two spellings of a letter for one name.
    is_word = name.isidentifier() and normalize("NFKC", name) == name
    return kind == "jinja2" and is_word and name not in _WORDS


class Budget:
    """What is left of the limits during one render of a prompt.

    Args:
        limits: The limits to start from.

    Attributes:
        output: How many characters the result may still have.
    """

    __slots__ = ("_limits", "_steps", "output")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.output = limits.max_output
        self._steps = limits.max_steps

    def spend_output(self, characters: int) -> None:
        """Spend characters of the result."""
        self.output -= characters
        if self.output < 0:
            self._fail("max_output", f"{self._limits.max_output:,} characters of text")

    def spend(self, steps: int) -> None:
        """Spend steps."""
        self._steps -= steps
        if self._steps < 0:
            self._fail("max_steps", f"{self._limits.max_steps:,} steps")

    def spend_text(self, characters: int) -> None:
        """Spend the steps of an operation that reads or writes so many characters."""
        self.spend(1 + characters // CHARACTERS_OF_A_STEP)

    def spend_items(self, value: Any, each: int = 1) -> None:
        """Spend the steps of an operation that looks at every item of a value.

        Args:
            value: A list or dict, or a string, whose items are its characters.
            each: The steps for each item.
        """
        self.spend(1 + each * len(value) if isinstance(value, (str, *CONTAINERS)) else 1)

    def spend_deep(self, value: Any) -> None:
        """Spend the steps of an operation that walks a value to the bottom.

        A few operations can build a list that holds the same list over and over: small in memory,
        yet without end for everything that walks it (printing, comparing, sorting).
        """
        if isinstance(value, str):
            self.spend_text(len(value))
            return
        characters = 0
        pending = [value]
        while pending:
            item = pending.pop()
            if isinstance(item, str):
                characters += len(item)
            elif isinstance(item, dict):
                self.spend(2 * len(item))
                pending += item
                pending += item.values()
            elif isinstance(item, (list, tuple)):
                self.spend(len(item))
                pending += item
            elif isinstance(item, int):
                characters += item.bit_length() // 3
        self.spend_text(characters)

    def _fail(self, setting: str, allowed: str) -> NoReturn:
        raise LimitError(
            message=f"the render takes more than {allowed} (the limit {setting}); "
            "give less, or raise the limit of the store"
        )


class Template(Protocol):
    """A compiled template. It is immutable, so threads may share it.

    Attributes:
        variables: Every name that it reads from outside, its includes included.
        required: Those that a render cannot do without: names that the template neither tests
            with ``is defined`` nor passes straight to ``default``.
        includes: The names that it includes directly, in the order of the text.
    """

    variables: frozenset[str]
    required: frozenset[str]
    includes: tuple[str, ...]

    def render(self, values: Mapping[str, Any], optional: Collection[str], budget: Budget) -> str:
        """Fill the template.

        Args:
            values: Plain JSON values by variable name.
            optional: Names that may be absent from the values and then count as false.
            budget: What is left of the limits; the render spends from it.

        Returns:
            The text.

        Raises:
            VariableError: A name that is needed has no value.
            RenderError: The template failed, or grew past a limit (`LimitError`).
        """


_SIMPLE: Final = re.compile(r"\{\{[ \t]*([^\s{}]+)[ \t]*\}\}")
_JINJA_NAME: Final = re.compile(r"\{\{\s*([A-Za-z][A-Za-z0-9_]*)\s*\}\}")
_KEPT_TEMPLATES: Final = 4096

_Closure: TypeAlias = tuple[tuple[str, Source], ...]


def find_references(source: Source) -> References:
    """Return every name and include that a template uses, with their lines.

    Args:
        source: The template.

    Returns:
        The names and includes.

    Raises:
        TemplateSyntaxError: The text is not a template of its language.
    """
    if _split(source) is None:
        from promptstore.template.language import find_jinja_references

        return find_jinja_references(source)
    places = ((match[1], match.start()) for match in _find_names(source))
    names = [Reference(name, source.text.count("\n", 0, at) + 1) for name, at in places]
    return References(names, [])


def compile_template(source: Source, includes: Mapping[str, Source], limits: Limits) -> Template:
    """Compile a template, or take what the same text was compiled to before.

    Args:
        source: The template.
        includes: What it may include, by name: everything it reaches, directly or not.
        limits: The limits that count while compiling.

    Returns:
        The compiled template.

    Raises:
        TemplateSyntaxError: The text is not a template of its language.
        IncludeError: An include is missing, cyclic or too deep.
    """
    return _compile(source, _closure(source, includes), limits)


def split_simple(text: str) -> list[str]:
    """Split a ``simple`` text into literal text and names, in turn, beginning with literal text."""
    return _pieces(Source(text, "simple"))


def to_text(value: Any) -> str:
    """Write a value as ``simple`` puts it in: a string as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def optional_message(name: str) -> str:
    """Return the message for printing an optional variable that has no value."""
    return (
        f"the variable {name!r} is optional and has no value here; "
        f"put it between {{% if {name} %}} and {{% endif %}}, or declare a default"
    )


class Substitution:
    """A compiled template of literal text and names.

    Args:
        source: The template.
        pieces: Literal text and names, in turn, beginning and ending with literal text.
    """

    __slots__ = ("_length", "_name", "_pieces", "_places", "_write", "includes", "required",
                 "variables")  # fmt: skip

    def __init__(self, source: Source, pieces: list[str]) -> None:
        self.variables = self.required = frozenset(pieces[1::2])
        self.includes: tuple[str, ...] = ()
        self._name = source.name
        self._pieces = pieces
        self._places = tuple(enumerate(pieces))[1::2]
        self._length = sum(map(len, pieces[::2]))
        self._write: Callable[[Any], str] = to_text if source.kind == "simple" else str

    def render(self, values: Mapping[str, Any], optional: Collection[str], budget: Budget) -> str:
        """Fill the template; see `Template.render`."""
        pieces, write, left = self._pieces.copy(), self._write, budget.output
        length = self._length
        try:
            for place, name in self._places:
                pieces[place] = text = write(values[name])
                length += len(text)
                if length > left:
                    break
        except KeyError:
            raise self._missing(values, optional) from None
        budget.spend_output(length)
        return "".join(pieces)

    def _missing(
        self, values: Mapping[str, Any], optional: Collection[str]
    ) -> VariableError | RenderError:
        missing = [name for name in dict.fromkeys(self._pieces[1::2]) if name not in values]
        printed = next((name for name in missing if name in optional), None)
        if printed is None:
            return VariableError(name=self._name, missing=missing)
        return RenderError(message=optional_message(printed), template=self._name)


def _split(source: Source) -> list[str] | None:
    """Split a template into literal text and names, or return None when it has more than that."""
    if source.kind != "jinja2":
        return _pieces(source)
    if "{%" in source.text or "{#" in source.text:
        return None
    pieces = _pieces(source)
    # A brace before a name may belong to it: `{{{a}}` begins with the braces that come first.
    is_plain = all("{{" not in piece and not piece.endswith("{") for piece in pieces[::2])
    is_named = all(is_variable_name("jinja2", name) for name in pieces[1::2])
    return pieces if is_plain and is_named else None


def _pieces(source: Source) -> list[str]:
    pieces: list[str] = []
    end = 0
    for match in _find_names(source):
        pieces += source.text[end : match.start()], match[1]
        end = match.end()
    return [*pieces, source.text[end:]]


def _find_names(source: Source) -> Iterator[re.Match[str]]:
    if source.kind == "jinja2":
        yield from _JINJA_NAME.finditer(source.text)
    elif source.kind == "simple":
        for match in _SIMPLE.finditer(source.text):
            if is_variable_name("simple", match[1]):
                yield match


def _closure(source: Source, includes: Mapping[str, Source]) -> _Closure:
    """Pick what a template really reaches, so that the same template is compiled only once."""
    reached: dict[str, Source] = {}
    pending = list(find_includes(source))
    while pending:
        name = pending.pop()
        if name in includes and name not in reached:
            reached[name] = includes[name]
            pending += find_includes(includes[name])
    return tuple(sorted(reached.items()))


@lru_cache(maxsize=_KEPT_TEMPLATES)
def _compile(source: Source, closure: _Closure, limits: Limits) -> Template:
    pieces = _split(source)
    if pieces is not None:
        return Substitution(source, pieces)
    # Jinja2 takes longer to load than most prompts take to render, and most need none of it.
    from promptstore.template.jinja import compile_jinja

    return compile_jinja(source, dict(closure), limits)
