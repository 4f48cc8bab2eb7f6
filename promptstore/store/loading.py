"""The files of a snapshot → its prompts, complete with their identity and what they include."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

from promptstore.errors import RepositoryError
from promptstore.history.contents import ContentCache, included_names
from promptstore.history.sources import File, Source
from promptstore.history.versions import Change
from promptstore.model.prompt import Prompt, identified
from promptstore.model.values import is_name
from promptstore.store.history import History
from promptstore.template import Limits

_LOADED_AT_ONCE: Final = 500


class PromptLoader:
    """Loads the prompts of one set of files, each once. Threads may share it.

    Args:
        source: The files.
        cache: Where parsed files are kept.
        history: What tells the versions, or None where that is not known.
        limits: The limits of renders.

    Attributes:
        loaded: The prompts that were loaded, by name; not to be given away but as copies.
    """

    def __init__(
        self, source: Source, cache: ContentCache, history: History | None, limits: Limits
    ) -> None:
        self.loaded: dict[str, Prompt] = {}
        self._source = source
        self._cache = cache
        self._history = history
        self._limits = limits
        self._names: tuple[str, ...] | None = None
        self._changes: Mapping[str, Change] | None = None

    def load(self, name: str, file: File) -> Prompt:
        """Load one prompt from its file.

        Raises:
            PromptFileError: The file (or one that it includes) is broken.
        """
        prompt = self.loaded[name] = self._identified(name, file.blob, self._cache.read(file))
        return prompt

    def load_all(self) -> tuple[str, ...]:
        """Load every prompt that was parsed before, in a fraction of the time of one by one.

        Returns:
            The names of all files, sorted.
        """
        if self._names is None:
            changes: Mapping[str, Change] = {}
            with suppress(RepositoryError):
                changes = self._history.timeline.latest_of_all() if self._history else {}
            self._changes = changes
            blobs = self._source.blobs()
            pending = iter(blobs.items())
            while chunk := list(islice(pending, _LOADED_AT_ONCE)):
                self._load_chunk(chunk)
            self._names = tuple(blobs)
        return self._names

    def _load_chunk(self, chunk: Sequence[tuple[str, str]]) -> None:
        self._cache.prefetch(blob for _, blob in chunk)
        for name, blob in chunk:
            content = self._cache.known(blob)
            if content is not None and name not in self.loaded:
                self.loaded[name] = self._identified(name, blob, content)

    def _identified(self, name: str, blob: str, content: Prompt) -> Prompt:
        included = included_names(content)
        change = None
        # A text can be had where an old commit is missing, so that nobody knows its version.
        with suppress(RepositoryError):
            change = self._change(name)
        # The file on disk may differ from the newest commit.
        known = change if change and change.blob == blob else None
        return identified(
            content,
            name=name,
            version=known.number if known else None,
            commit=known.commit if known else None,
            snapshot_commit=self._source.commit,
            blob=blob,
            includes=self._includes(included) if included else {},
            limits=self._limits,
        )

    def _change(self, name: str) -> Change | None:
        if self._changes is not None:
            return self._changes.get(name)
        return self._history.timeline.latest(name) if self._history else None

    def _includes(self, included: list[str]) -> dict[str, Prompt]:
        """Collect what is included, directly or not; what is missing is left out."""
        found: dict[str, Prompt] = {}
        pending = [*included]
        while pending:
            name = pending.pop()
            if name in found or not is_name(name):
                continue
            file = self._source.find(name)
            if file is not None:
                found[name] = self._cache.read(file)
                pending += included_names(found[name])
        return found
