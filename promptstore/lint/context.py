"""All files that a check looks at, each read when it is first asked for and then kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from promptstore.errors import Problem, PromptFileError, TemplateSyntaxError
from promptstore.history.sources import File
from promptstore.lint.findings import Violation
from promptstore.model.faults import KeyPath
from promptstore.model.prompt import Prompt, texts
from promptstore.model.values import near_matches
from promptstore.promptfile.reader import Document, parse
from promptstore.store.snapshot import Snapshot
from promptstore.template import Reference, References, Source, find_includes, find_references

if TYPE_CHECKING:
    from promptstore.lint.check import Settings

_Method = TypeVar("_Method", bound=Callable[..., Any])
_WORD: Final = re.compile(r"\w+")
_ESCAPE: Final = re.compile(r"\\[xuU\n]")
_LETTER_ESCAPE: Final = re.compile(r"\\[a-zA-Z]")
_REPLACED_BY: Final = re.compile(r"""replaced_by["']?\s*:\s*["']?([\w./-]+)""")
_NEAR_MATCH_BUDGET: Final = 4_000_000
"""How many pairs of characters one run compares to suggest a name."""


@dataclass(frozen=True, slots=True)
class Text:
    """One template of a prompt, looked through.

    Attributes:
        keys: Its place in the file.
        text: The template.
        lines: Its lines.
        references: What it uses, or why it is no template.
    """

    keys: KeyPath
    text: str
    lines: tuple[str, ...]
    references: References | TemplateSyntaxError


def _kept(method: _Method) -> _Method:
    """Return a method that keeps what it returned, in its own object."""

    @wraps(method)
    def kept(self: LintContext, *arguments: Any) -> Any:
        key = (method, *arguments)
        if key not in self._kept:
            self._kept[key] = method(self, *arguments)
        return self._kept[key]

    return cast("_Method", kept)


class LintContext:
    """All files of a snapshot.

    Args:
        snapshot: The prompts, as of a commit or of a folder on disk.
        settings: What the rules go by, such as the remotes whose names must fit.
        only: The names that are looked at, or None for all. For a few it does not pay to parse
            every file.
    """

    def __init__(
        self, snapshot: Snapshot, settings: Settings, only: Collection[str] | None = None
    ) -> None:
        self.settings = settings
        self.only = only
        self._snapshot = snapshot
        self._kept: dict[tuple[Any, ...], Any] = {}
        self._near_matches_left = _NEAR_MATCH_BUDGET

    @cached_property
    def names(self) -> list[str]:
        """Every name, sorted: broken files and tombstones too."""
        return self._snapshot.names()

    @cached_property
    def known(self) -> frozenset[str]:
        """Every name, to look one up in."""
        return frozenset(self.names)

    @cached_property
    def chosen(self) -> list[str]:
        """The names that are looked at, sorted."""
        return self.names if self.only is None else sorted(self.known & set(self.only))

    @cached_property
    def by_folded(self) -> dict[str, list[str]]:
        """The names that are one when letter case is ignored."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            found.setdefault(name.casefold(), []).append(name)
        return found

    @property
    def unrecognized_files(self) -> tuple[str, ...]:
        """The paths of files that look like prompts but have no name that can be asked for."""
        return self._snapshot.unrecognized()

    @_kept
    def file(self, name: str) -> File:
        """Return a prompt's file."""
        return self._snapshot.file(name)

    @_kept
    def data(self, name: str) -> bytes:
        """Return the content of a file."""
        return self.file(name).read()

    @_kept
    def source(self, name: str) -> str:
        """Return the text of a file with plain line ends; what is no UTF-8 as an escape."""
        text = self.data(name).decode(errors="backslashreplace")
        return text.replace("\r\n", "\n").replace("\r", "\n")

    @_kept
    def lines(self, name: str) -> list[str]:
        """Return the lines of a file."""
        return self.source(name).split("\n")

    @_kept
    def read(self, name: str) -> Document | PromptFileError | None:
        """Return the document of a file, or why it cannot be read, or None where there is none."""
        if name not in self.known:
            return None
        try:
            return parse(self.data(name), self.file(name).path)
        except PromptFileError as error:
            return error

    def document(self, name: str) -> Document | None:
        """Return the document of a file, or None where there is none that can be read."""
        found = self.read(name)
        return found if isinstance(found, Document) else None

    def faults(self, name: str) -> tuple[Problem, ...]:
        """Return the problems of a file that cannot be read."""
        found = self.read(name)
        return tuple(found.problems) if isinstance(found, PromptFileError) else ()

    def prompt(self, name: str) -> Prompt:
        """Return a prompt that can be read."""
        document = self.document(name)
        assert document is not None, name
        return document.prompt

    def complete(self, name: str) -> Prompt:
        """Return a prompt that can be read, with what it includes."""
        return self._snapshot.read(name, deleted=True)

    @_kept
    def texts(self, name: str) -> list[Text]:
        """Return the templates of a prompt, none for a file that cannot be read."""
        document = self.document(name)
        return [*_look_through(document.prompt)] if document else []

    def strings(self, name: str) -> Iterator[tuple[KeyPath, str]]:
        """Yield every string of a file that can be read, keys aside, with its place."""
        document = self.document(name)
        if document is not None:
            yield from _strings((), document.tree.value)

    def duplicates(self, name: str, text: str) -> list[str]:
        """Return the other prompts, tombstones aside, that hold a string, stripped of spaces."""
        return [other for other in self._holders.get(text.strip(), ()) if other != name]

    @cached_property
    def _holders(self) -> dict[str, list[str]]:
        """Every text, with the prompts that hold it; only those that may hold a chosen one."""
        found: dict[str, list[str]] = {}
        for name in self.names if self.only is None else self._may_hold_a_chosen_text():
            for text in self._held(name):
                found.setdefault(text, []).append(name)
        return found

    def _may_hold_a_chosen_text(self) -> Iterator[str]:
        """Look for the longest word of each text in every file, once and without parsing it."""
        chosen = [text for name in self.chosen for text in self._held(name)]
        wanted = {max(_words(text), key=len, default="") for text in chosen}
        for name in self.names:
            source = self.source(name)
            if "" in wanted or _ESCAPE.search(source) or not wanted.isdisjoint(_words(source)):
                yield name

    def _held(self, name: str) -> set[str]:
        document = self.document(name)
        if document is None or document.prompt.deleted:
            return set()
        return {text.strip() for _, text in texts(document.prompt)}

    def locate(self, name: str, violation: Violation) -> tuple[int, int]:
        """Return line and column of a violation; in a string that is no block, where it begins."""
        document = self.document(name)
        if violation.place is not None or document is None:
            return violation.place or (1, 1)
        node, key_node = document.tree.find(violation.keys)
        mark = (key_node if violation.is_key and key_node else node).start_mark
        if violation.is_key or getattr(node, "style", None) != "|":
            return mark.line + 1, mark.column + 1
        # The string of a block begins on the line behind its header.
        number, lines = mark.line + 1 + violation.line, self.lines(name)
        shown = lines[number - 1] if number <= len(lines) else ""
        return number, len(shown) - len(shown.lstrip(" ")) + 1

    def references(self, name: str) -> Iterator[tuple[Text, References]]:
        """Yield what each text of a prompt uses."""
        for text in self.texts(name):
            if isinstance(text.references, References):
                yield text, text.references

    def includes(self, name: str) -> Iterator[tuple[Text, Reference]]:
        """Yield what a prompt includes, and where."""
        for text, references in self.references(name):
            for reference in references.includes:
                yield text, reference

    @_kept
    def closure(self, name: str) -> dict[str, None]:
        """Return a prompt and everything that it includes, directly or not, in order."""
        found: dict[str, None] = {}
        pending = [name]
        while pending:
            reached = pending.pop()
            if reached not in found and self.document(reached) is not None:
                found[reached] = None
                pending += {include.name for _, include in self.includes(reached)}
        return found

    @_kept
    def include_depth(self, name: str, most: int) -> int:
        """Return how deep the includes of a prompt go, at the most so far."""
        below = {include.name for _, include in self.includes(name)} if most else ()
        return max((1 + self.include_depth(other, most - 1) for other in below), default=0)

    @cached_property
    def raw_includes(self) -> dict[str, frozenset[str]]:
        """What each file seems to include, by a look at its bytes; nothing is parsed for it."""
        return {
            name: frozenset(find_includes(Source(self.source(name).replace("\\", ""))))
            for name in self.names
        }

    def ways_to(self, changed: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the shortest way from every prompt over its includes to one of some names.

        Args:
            changed: The names; their own way is themselves.

        Returns:
            The ways by name, only of those names and of prompts that include one of them.
        """
        includers: dict[str, list[str]] = {}
        for name, included in self.raw_includes.items():
            for other in included:
                includers.setdefault(other, []).append(name)
        ways: dict[str, tuple[str, ...]] = {name: (name,) for name in sorted(changed)}
        pending = [*ways]
        for reached in pending:
            for name in includers.get(reached, ()):
                if name not in ways:
                    ways[name] = (name, *ways[reached])
                    pending.append(name)
        return ways

    def dependents(self, changed: Collection[str]) -> set[str]:
        """Return every prompt that includes one of these, directly or not, and these themselves.

        Tombstones that name one of these as their replacement are among them.
        """
        given = frozenset(changed)
        replaced = {
            name
            for name in self.names
            if not given.isdisjoint(_REPLACED_BY.findall(self.source(name)))
        }
        return replaced | self.ways_to(given).keys()

    def hint(self, wrong: str, known: Collection[str]) -> str:
        """Return which name was probably meant, or nothing; what a run may compare is bounded."""
        self._near_matches_left -= len(wrong) * sum(map(len, known))
        near = near_matches(wrong, known) if self._near_matches_left >= 0 else []
        return f" Did you mean {near[0]!r}?" if near else ""


def _words(text: str) -> list[str]:
    return _WORD.findall(_LETTER_ESCAPE.sub(" ", text))


def _strings(keys: KeyPath, value: Any) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield keys, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings((*keys, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings((*keys, index), item)


def _look_through(prompt: Prompt) -> Iterator[Text]:
    for keys, text in texts(prompt):
        references: References | TemplateSyntaxError
        try:
            references = find_references(Source(text, prompt.template))
        except TemplateSyntaxError as error:
            references = error
        yield Text(keys, text, tuple(text.split("\n")), references)
