"""What a branch and the labels are at present, asked of git only when they may have moved."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from promptstore.git import Repository
from promptstore.history.labels import LABEL_REFS, labels_commit

if TYPE_CHECKING:
    from promptstore.git.alarm import RefAlarm
    from promptstore.model.prompt import Prompt

_LOOKS_BEFORE_AN_ALARM: Final = 3
"""An alarm costs as much as a few looks, which a short process never saves."""

_MOST_LOOKS: Final = 100
_LOOKS_BEFORE_LOADING: Final = 100
"""What the first alarm of a process loads takes as long as so many looks."""

_SHORT_LIFE: Final = 1.0
"""After an alarm that lived for fewer seconds, the next one is made after twice as many looks: on a
busy branch it would cost more than it saves."""

_MAX_ANSWERS: Final = 50_000

Question: TypeAlias = tuple[str, int | None, str | None, str | datetime | None, bool]
"""What `PromptStore.get` was asked: name, version, label, rev, and whether deleted ones count."""


class Standing(NamedTuple):
    """Where everything stands that an answer depends on.

    Attributes:
        tip: The branch's newest commit, or None where it has none.
        title: The branch's name, or ``HEAD`` where that is detached.
        labels: The newest commit of the labels branch, or None.
        is_shallow: Whether older commits were left out when the repository was cloned.
    """

    tip: str | None
    title: str
    labels: str | None
    is_shallow: bool


class Moment:
    """One standing, and what was answered while it lasted.

    Attributes:
        standing: Where everything stands.
        answers: The prompts that were given, by what was asked.
    """

    __slots__ = ("answers", "standing")

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self.answers: dict[Question, Prompt] = {}

    def keep(self, question: Question, answer: Prompt) -> None:
        """Remember an answer, which must follow from the standing alone."""
        if len(self.answers) >= _MAX_ANSWERS:
            self.answers.clear()
        self.answers[question] = answer


class Present:
    """Tells the present moment of a branch and the labels.

    Threads may share it.

    Args:
        repository: The repository.
        branch: The branch, or None for whatever HEAD is.
        refresh_interval: How old an answer may be, in seconds.
    """

    def __init__(self, repository: Repository, branch: str | None, refresh_interval: float) -> None:
        self._repository = repository
        self._branch = branch
        self._interval = refresh_interval
        self._refs = ("HEAD" if branch is None else f"refs/heads/{branch}", *LABEL_REFS)
        self._looks = 0
        self._looks_before = _looks_before_an_alarm()
        self._alarm_since = 0.0
        self._spare: RefAlarm | None = None
        # What belongs together is one value, so that threads never see half of it.
        self._seen: tuple[RefAlarm | None, float, Moment | None] = (None, 0.0, None)

    def moment(self) -> Moment:
        """Tell the present moment.

        Raises:
            RevisionNotFoundError: The branch is no more.
        """
        alarm, until, moment = self._seen
        if moment is not None and (
            (alarm is not None and alarm.is_quiet()) or (until and time.monotonic() < until)
        ):
            return moment
        return self._look(moment)

    def look_again(self) -> Moment:
        """Tell the present moment, asking git in any case."""
        return self._look(self._seen[2])

    def expire(self) -> None:
        """Ask git in any case when the present moment is wanted next."""
        alarm, _, moment = self._seen
        self._spare = alarm or self._spare
        self._seen = (None, 0.0, moment)

    def _look(self, before: Moment | None) -> Moment:
        until = time.monotonic() + self._interval if self._interval else 0.0
        alarm = self._make_alarm()
        standing = self._standing()
        if before is not None and before.standing == standing:
            moment = before
            self._looks += 1
        else:
            moment = Moment(standing)
            self._looks = 0
        self._seen = (alarm, until, moment)
        return moment

    def _make_alarm(self) -> RefAlarm | None:
        now = time.monotonic()
        alarm = self._seen[0]
        if alarm is not None:
            self._spare = alarm
            lived = now - self._alarm_since
            doubled = min(2 * self._looks_before, _MOST_LOOKS)
            self._looks_before = doubled if lived < _SHORT_LIFE else _looks_before_an_alarm()
        if self._looks < self._looks_before or self._interval:
            return None
        from promptstore.git.alarm import watch_refs

        self._looks = 0
        self._alarm_since = now
        spare, self._spare = self._spare, None
        return watch_refs(self._repository, self._refs, spare)

    def _standing(self) -> Standing:
        repository = self._repository
        if self._branch is None:
            head = repository.head()
            title, tip = head.branch or "HEAD", head.tip
        else:
            title, tip = self._branch, repository.tip(self._branch)
        return Standing(tip, title, labels_commit(repository), repository.is_shallow)


def _looks_before_an_alarm() -> int:
    return _LOOKS_BEFORE_AN_ALARM if "ctypes" in sys.modules else _LOOKS_BEFORE_LOADING
