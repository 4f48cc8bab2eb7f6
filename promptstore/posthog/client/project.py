"""A client of one project of PostHog's API, without the operations."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

import httpx

from promptstore.posthog.client.connection import Connection, RetryPolicy
from promptstore.posthog.hosts import is_cloud
from promptstore.posthog.models import Dialect

PUBLISHES_PER_MINUTE: Final = 30


class ProjectClient:
    """A client of one project; use `PostHogClient`, which has the operations.

    Args:
        host: The app's host, for example ``https://us.posthog.com``.
        personal_api_key: The key; None takes it from the environment variable
            ``POSTHOG_PERSONAL_API_KEY``. It appears in no log, error or repr.
        project_id: The project's number, or ``@current`` for that of the key's owner.
        policy: How long a request may take, and how often it is tried.
        publishes_per_minute: How many versions are published in a minute at most; 0 for any number.
            None is what PostHog's cloud allows for a host of it, and any number for another one,
            which says itself when it is too much (status 429).
        transport: What carries the requests; None is the network.
        sleep: How a pause is made.
        clock: Returns the time in seconds.

    Attributes:
        dialect: The generation of the API, or None until an answer told it.
    """

    def __init__(
        self,
        host: str,
        personal_api_key: str | None = None,
        project_id: str | int = "@current",
        *,
        policy: RetryPolicy | None = None,
        publishes_per_minute: int | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dialect: Dialect | None = None
        self._project = str(project_id)
        self._connection = Connection(
            host,
            personal_api_key,
            policy=policy or RetryPolicy(),
            transport=transport,
            sleep=sleep,
            clock=clock,
        )
        if publishes_per_minute is None:
            publishes_per_minute = PUBLISHES_PER_MINUTE if is_cloud(host) else 0
        self._limiter = RateLimiter(publishes_per_minute, clock=clock, sleep=sleep)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(host={self._connection.host!r}, project_id={self._project!r})"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    @property
    def requests(self) -> int:
        """How many requests were sent so far, repeats included."""
        return self._connection.requests

    @property
    def is_promptstore(self) -> bool:
        """Whether the last answer came from a promptstore server."""
        return self._connection.is_promptstore

    def _path(self, *segments: str) -> str:
        below = "/".join(quote(segment, safe="") for segment in segments)
        return f"/api/environments/{quote(self._project, safe='@')}/{below}/"


class RateLimiter:
    """Lets at most so many requests happen in any minute.

    Args:
        per_minute: How many; 0 sets no bound.
        clock: Returns the time in seconds.
        sleep: Makes a pause.
    """

    def __init__(
        self, per_minute: int, *, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._times: deque[float] = deque(maxlen=per_minute)

    def wait(self) -> None:
        """Wait until one more request may be sent, and count it."""
        if self._times and len(self._times) == self._times.maxlen:
            wait = self._times[0] + 60 - self._clock()
            if wait > 0:
                self._sleep(wait)
        self._times.append(self._clock())
