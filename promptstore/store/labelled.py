"""The prompts that have a label."""

from __future__ import annotations

from collections.abc import Callable

from promptstore.history.contents import ContentCache
from promptstore.history.labels import LabelTable
from promptstore.history.sources import Source
from promptstore.model.prompt import Prompt
from promptstore.store.snapshot import Snapshot
from promptstore.template import Limits


class LabelledSnapshot(Snapshot):
    """The prompts that have a label, each read as of the commit that the label points at."""

    def __init__(
        self,
        source: Source,
        *,
        read: Callable[[str], Prompt],
        cache: ContentCache,
        labels: Callable[[], LabelTable],
        limits: Limits,
    ) -> None:
        super().__init__(source, cache=cache, history=None, labels=labels, limits=limits)
        self._read = read

    def _load(self, name: str) -> Prompt:
        self.file(name)
        return self._read(name)

    def _load_all(self) -> None:
        """Load nothing: each prompt is read as of a commit of its own."""
