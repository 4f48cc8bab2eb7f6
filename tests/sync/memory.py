"""A remote in memory, without HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from promptstore.errors import (
    RemoteConflictError,
    RemoteNotFoundError,
    RemoteRejectedError,
    RemoteUnreachableError,
)
from promptstore.posthog.content import RemoteContent
from promptstore.posthog.models import RemotePrompt
from promptstore.posthog.sync import RemotePrompts
from tests.sync.project import FakeProject, RefusalError

_T = TypeVar("_T")
_KINDS = {400: RemoteRejectedError, 404: RemoteNotFoundError, 409: RemoteConflictError}


@dataclass
class MemoryRemote(RemotePrompts):
    """The prompts of a project, with faults at chosen calls.

    Attributes:
        project: The project.
        faults: At which call, counted from 1, the answer is lost: ``before`` or ``after`` the work.
        calls: How many calls there were.
        is_native: False, since PostHog holds no files.
    """

    project: FakeProject
    faults: dict[int, str] = field(default_factory=dict)
    calls: int = 0
    is_native: bool = False

    @property
    def is_legacy(self) -> bool:
        return self.project.dialect == "legacy"

    def fetch(self) -> list[RemotePrompt]:
        return self._call(lambda: [self._row(name) for name in sorted(self.project.prompts)])

    def read(self, name: str, version: int | None = None) -> RemotePrompt | None:
        def look() -> RemotePrompt | None:
            try:
                return self._row(name, version)
            except RefusalError:
                return None

        return self._call(look)

    def create(self, name: str, content: RemoteContent, description: str) -> RemotePrompt:
        body: dict[str, Any] = {
            "name": name,
            "prompt": content.text,
            "version_description": description,
        }
        if content.config:
            body["config"] = content.config
        return self._call(
            lambda: RemotePrompt.model_validate(self.project.create(body)), writes=True
        )

    def publish(self, seen: RemotePrompt, content: RemoteContent, description: str) -> RemotePrompt:
        if self.project.dialect == "legacy":
            self._check_unchanged(seen)
            body: dict[str, Any] = {"prompt": content.text}
            return self._call(
                lambda: RemotePrompt.model_validate(self.project.patch(seen.id, body)), writes=True
            )
        body = {
            "base_version": seen.version,
            "prompt": content.text,
            "config": content.config or None,
            "version_description": description,
        }
        return self._call(
            lambda: RemotePrompt.model_validate(self.project.publish(seen.name, body)), writes=True
        )

    def archive(self, seen: RemotePrompt) -> None:
        self._check_unchanged(seen)
        self._call(lambda: self.project.archive(seen.name), writes=True)

    def unarchive(self, name: str) -> RemotePrompt | None:
        if self.project.dialect == "legacy" or not self.project.unarchives:
            return None
        try:
            return self._call(
                lambda: RemotePrompt.model_validate(self.project.unarchive(name)), writes=True
            )
        except RemoteNotFoundError:
            return None

    def remove_label(self, name: str, label: str) -> None:
        self._call(lambda: self.project.remove_label(name, label), writes=True)

    def set_label(self, name: str, label: str, version: int) -> None:
        self._call(lambda: self.project.label(name, label, version), writes=True)

    def _check_unchanged(self, seen: RemotePrompt) -> None:
        if self.read(seen.name) != seen:
            raise RemoteConflictError(request="reading", detail="it moved")

    def _row(self, name: str, version: int | None = None) -> RemotePrompt:
        return RemotePrompt.model_validate(self.project.row(name, version))

    def _call(self, work: Callable[[], _T], *, writes: bool = False) -> _T:
        self.calls += 1
        fault = self.faults.get(self.calls)
        if fault == "before":
            raise RemoteUnreachableError(request="x", detail="lost", may_have_written=writes)
        try:
            result = work()
        except RefusalError as refusal:
            raise _KINDS[refusal.status](
                request="x",
                status=refusal.status,
                detail=str(refusal.body.get("detail")),
                code=refusal.body.get("code"),
            ) from None
        if fault == "after":
            raise RemoteUnreachableError(request="x", detail="lost", may_have_written=writes)
        return result
