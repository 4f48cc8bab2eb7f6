"""A pace for requests of which a remote takes only so many in a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Pace:
    """Lets at most so many steps happen in any minute.

    Args:
        per_minute: How many; 0 sets no bound.
        clock: Tells the time in seconds.
        sleep: Makes a pause.
    """

    def __init__(
        self,
        per_minute: int,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._times: deque[float] = deque(maxlen=per_minute or 1)
        self._is_bound = per_minute > 0

    def keep(self) -> None:
        """Wait until one more step may happen, and count it."""
        if self._is_bound and len(self._times) == self._times.maxlen:
            wait = self._times[0] + 60 - self._clock()
            if wait > 0:
                self._sleep(wait)
        self._times.append(self._clock())
