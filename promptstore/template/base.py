"""What every template language shares: its source, its limits, and what is compiled from it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from promptstore.errors import LimitError

TemplateKind: TypeAlias = Literal["jinja2", "simple", "none"]
TEMPLATE_KINDS: Final[tuple[TemplateKind, ...]] = get_args(TemplateKind)

_INCLUDE: Final = re.compile(r"""\{%[-+]?\s*include\s*(["'])([^"'\\]*)\1""")

INTERMEDIATE_FACTOR: Final = 8
"""How many times `Limits.max_output` all intermediate results of a render may hold together."""


class Limits(NamedTuple):
    """How far one render of a whole prompt may go.

    Attributes:
        max_output: How many characters its texts may have together.
        max_iterations: How many rounds its loops may make, and how many items the lists that its
            operations read or make may have, all together. A round of a body with hundreds of
            parts counts as several.
        max_include_depth: How deep includes may be nested.
    """

    max_output: int = 1_000_000
    max_iterations: int = 100_000
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


def find_includes(source: Source) -> tuple[str, ...]:
    """Find the names that a template includes, by a quick look at its text.

    Args:
        source: The template.

    Returns:
        The names in the order of the text, each once. Names in a comment or a ``raw`` block are
        among them; none that `compile_template` accepts is left out.
    """
    if source.kind != "jinja2" or "include" not in source.text:
        return ()
    return tuple(dict.fromkeys(name for _, name in _INCLUDE.findall(source.text)))


class Budget:
    """What is left of the limits during one render of a prompt.

    Args:
        limits: The limits to start from.
    """

    __slots__ = ("_characters", "_limits", "_output", "_rounds")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._output = limits.max_output
        self._characters = limits.max_output * INTERMEDIATE_FACTOR
        self._rounds = limits.max_iterations

    def spend_output(self, characters: int) -> None:
        """Count characters of the result."""
        self._output -= characters
        if self._output < 0:
            raise self._exceeded("max_output", f"{self._limits.max_output} characters of text")

    def spend_characters(self, characters: int) -> None:
        """Count characters of an intermediate result."""
        self._characters -= characters
        if self._characters < 0:
            allowed = self._limits.max_output * INTERMEDIATE_FACTOR
            raise self._exceeded("max_output", f"{allowed} characters of intermediate text")

    def spend_rounds(self, rounds: int) -> None:
        """Count rounds of a loop or items of a list."""
        self._rounds -= rounds
        if self._rounds < 0:
            allowed = f"{self._limits.max_iterations} rounds of loops and items of lists"
            raise self._exceeded("max_iterations", allowed)

    def _exceeded(self, setting: str, allowed: str) -> LimitError:
        return LimitError(
            message=f"the render makes more than {allowed} (the limit {setting}); "
            "give less, or raise the limit of the store"
        )


class Template(ABC):
    """A compiled template. It is immutable, so threads may share it.

    Attributes:
        variables: Every name that it reads from outside, its includes included.
        required: Those that a render cannot do without: names that the template neither tests
            with ``is defined`` nor passes straight to ``default``.
        includes: The names that it includes directly, in the order of the text.
    """

    __slots__ = ("includes", "required", "variables")

    variables: frozenset[str]
    required: frozenset[str]
    includes: tuple[str, ...]

    @abstractmethod
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
