"""All files that a check looks at, each read when it is first asked for and then kept."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

from promptstore.errors import Problem, PromptFileError, TemplateSyntaxError
from promptstore.history.sources import File
from promptstore.lint.settings import Settings
from promptstore.model.names import near_matches
from promptstore.model.prompt import Prompt
from promptstore.model.rendering import texts
from promptstore.promptfile.reader import Document, parse
from promptstore.store.snapshot import Snapshot
from promptstore.template import Reference, References, Source, find_includes, find_references

_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_WORDS_LOOKED_FOR: Final = 4
_ESCAPE: Final = re.compile(r"\\[xuU\n]")
_REPLACED_BY: Final = re.compile(r"""replaced_by["']?\s*:\s*["']?([\w./-]+)""")


Keys: TypeAlias = tuple[str | int, ...]
"""A place in a file: the way to it by keys and by numbers of items."""


@dataclass(frozen=True, slots=True)
class Text:
    """One template of a prompt, looked through.

    Attributes:
        keys: Its place in the file.
        text: The template.
        references: What it uses, or why it is no template.
    """

    keys: Keys
    text: str
    references: References | TemplateSyntaxError


class Library:
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
        self._only = only
        self._snapshot = snapshot
        self._files: dict[str, File] = {}
        self._read: dict[str, Document | PromptFileError] = {}
        self._texts: dict[str, list[Text]] = {}

    @cached_property
    def names(self) -> list[str]:
        """Every name, sorted: broken files and tombstones too."""
        return self._snapshot.names()

    @cached_property
    def known(self) -> frozenset[str]:
        """Every name, to look one up in."""
        return frozenset(self.names)

    @cached_property
    def by_folded(self) -> dict[str, list[str]]:
        """The names of each spelling, letter case aside."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            found.setdefault(name.casefold(), []).append(name)
        return found

    @cached_property
    def strays(self) -> tuple[str, ...]:
        """The paths of files that look like prompts but have no name that can be asked for."""
        return self._snapshot.strays()

    @cached_property
    def raw_includes(self) -> dict[str, frozenset[str]]:
        """What each file seems to include, by a look at its bytes; nothing is parsed for it."""
        return {
            name: frozenset(find_includes(Source(self.source(name).replace("\\", ""))))
            for name in self.names
        }

    def file(self, name: str) -> File:
        """Give a prompt's file."""
        if name not in self._files:
            self._files[name] = self._snapshot.file(name)
        return self._files[name]

    def source(self, name: str) -> str:
        """Give the text of a file with plain line ends; what is no UTF-8 is shown as an escape."""
        text = self.file(name).read().decode(errors="backslashreplace")
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def read(self, name: str) -> Document | PromptFileError | None:
        """Read a file: what it says, or why it cannot be read, or None where there is none."""
        if name not in self.known:
            return None
        if name not in self._read:
            file = self.file(name)
            try:
                self._read[name] = parse(file.read(), file.path)
            except PromptFileError as error:
                self._read[name] = error
        return self._read[name]

    def document(self, name: str) -> Document | None:
        """Read a file, or give None where there is none that can be read."""
        found = self.read(name)
        return found if isinstance(found, Document) else None

    def faults(self, name: str) -> list[Problem]:
        """List the problems of a file that cannot be read."""
        found = self.read(name)
        return list(found.problems) if isinstance(found, PromptFileError) else []

    def prompt(self, name: str) -> Prompt:
        """Give a prompt that can be read."""
        document = self.document(name)
        assert document is not None, name
        return document.prompt

    def complete(self, name: str) -> Prompt:
        """Give a prompt that can be read, with what it includes."""
        return self._snapshot.read(name, deleted=True)

    def texts(self, name: str) -> list[Text]:
        """List the templates of a prompt, none for a file that cannot be read."""
        if name not in self._texts:
            document = self.document(name)
            self._texts[name] = _look_through(document.prompt) if document else []
        return self._texts[name]

    def strings(self, name: str) -> Iterator[tuple[Keys, str]]:
        """List every string of a file that can be read, keys aside, with its place."""
        document = self.document(name)
        if document is not None:
            yield from _strings((), document.tree.value)

    def sharers(self, name: str, text: str) -> list[str]:
        """List the other prompts, tombstones aside, that hold a text; spaces around it aside."""
        wanted = text.strip()
        if self._only is None:
            return [other for other in self._holders.get(wanted, ()) if other != name]
        words = sorted(_WORD.findall(wanted), key=len)[-_WORDS_LOOKED_FOR:]
        return [
            other
            for other in self.names
            if other != name and self._may_hold(other, words) and wanted in self._held(other)
        ]

    @cached_property
    def _holders(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in self.names:
            for text in self._held(name):
                found.setdefault(text, []).append(name)
        return found

    def _held(self, name: str) -> set[str]:
        document = self.document(name)
        if document is None or document.prompt.deleted:
            return set()
        return {text.strip() for _, text in texts(document.prompt)}

    def _may_hold(self, name: str, words: Iterable[str]) -> bool:
        """Look for words in a file without parsing it, unless they may be written as escapes."""
        source = self.source(name)
        return all(word in source for word in words) or _ESCAPE.search(source) is not None

    def place(self, name: str, text: Text, line: int) -> tuple[int, int]:
        """Tell where a line of a text stands in its file."""
        return self.position(name, text.keys, line)

    def position(self, name: str, keys: Keys, line: int = 1) -> tuple[int, int]:
        """Tell where something stands in a file that can be read."""
        document = self.document(name)
        return document.position(keys, line) if document else (1, 1)

    def key_position(self, name: str, keys: Keys) -> tuple[int, int]:
        """Tell where the key of something stands in a file that can be read."""
        document = self.document(name)
        return document.key_position(keys) if document else (1, 1)

    def references(self, name: str) -> Iterator[tuple[Text, References]]:
        """List what each text of a prompt uses."""
        for text in self.texts(name):
            if isinstance(text.references, References):
                yield text, text.references

    def includes(self, name: str) -> Iterator[tuple[Text, Reference]]:
        """List what a prompt includes, and where."""
        for text, references in self.references(name):
            for reference in references.includes:
                yield text, reference

    def closure(self, name: str) -> list[str]:
        """List a prompt and everything that it includes, directly or not."""
        found: dict[str, None] = {}
        pending = [name]
        while pending:
            reached = pending.pop()
            if reached not in found and self.document(reached) is not None:
                found[reached] = None
                pending += (include.name for _, include in self.includes(reached))
        return list(found)

    def dependents(self, changed: Iterable[str]) -> set[str]:
        """Find every prompt that includes one of these, directly or not, and these themselves.

        Tombstones that name one of these as their replacement are among them.
        """
        given = frozenset(changed)
        found = set(given)
        while True:
            more = {
                name
                for name, included in self.raw_includes.items()
                if name not in found and included & found
            }
            if not more:
                return found | self._replaced_by(given)
            found |= more

    def _replaced_by(self, names: frozenset[str]) -> set[str]:
        return {
            name
            for name in self.names
            if not names.isdisjoint(_REPLACED_BY.findall(self.source(name)))
        }


def hint(wrong: str, known: Iterable[str]) -> str:
    """Say which name was probably meant, or nothing."""
    near = near_matches(wrong, known)
    return f" Did you mean {near[0]!r}?" if near else ""


def _strings(keys: Keys, value: Any) -> Iterator[tuple[Keys, str]]:
    if isinstance(value, str):
        yield keys, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings((*keys, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings((*keys, index), item)


def _look_through(prompt: Prompt) -> list[Text]:
    found = []
    for keys, text in texts(prompt):
        references: References | TemplateSyntaxError
        try:
            references = find_references(Source(text, prompt.template))
        except TemplateSyntaxError as error:
            references = error
        found.append(Text(keys, text, references))
    return found
