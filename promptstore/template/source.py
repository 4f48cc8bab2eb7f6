"""What every template language shares: the source, the limits, and the budget of a render."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, NamedTuple, NoReturn, Protocol, TypeAlias, get_args
from unicodedata import category, normalize

from promptstore.errors import LimitError

TemplateKind: TypeAlias = Literal["jinja2", "simple", "none"]
TEMPLATE_KINDS: Final[tuple[TemplateKind, ...]] = get_args(TemplateKind)

CONTAINERS: Final = (list, tuple, dict)
"""The types of values that hold other values."""

CHARACTERS_OF_A_STEP: Final = 16
"""How many characters of a string an operation reads or writes for one step."""

_INCLUDE: Final = re.compile(r"""\{%[-+]?\s*include\s*(["'])([^"'\\]*)\1""")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_TAG: Final = re.compile(r"\{%.*?%\}|\{#.*?#\}")
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
    if source.kind != "jinja2" or "include" not in source.text:
        return ()
    return tuple(dict.fromkeys(name for _, name in _INCLUDE.findall(source.text)))


def find_eaten_line_ends(source: Source) -> list[int]:
    """Return the lines that the tag at their end joins with the next one.

    A block tag or a comment takes the line end behind it away, which surprises where there is more
    on its line than tags; a plus, as in ``{% endif +%}``, keeps it.

    Args:
        source: The template.

    Returns:
        The numbers of the lines, from 1.
    """
    if source.kind != "jinja2":
        return []
    lines = _LINE_END.split(source.text)[:-1]
    return [
        number
        for number, line in enumerate(lines, 1)
        if line.endswith(("%}", "#}")) and line[-3] not in "+-" and _TAG.sub("", line).strip()
    ]


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
