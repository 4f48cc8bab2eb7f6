"""Langfuse's API: every version of every prompt, by a pair of keys."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from promptstore.errors import (
    InvalidArgumentError,
    MissingExtraError,
    RemoteAnswerError,
    RemoteRejectedError,
    RemoteServerError,
    RemoteThrottledError,
    RemoteUnreachableError,
)
from promptstore.interchange.formats.records import read_langfuse
from promptstore.interchange.imported import Imported, Refused

try:
    import httpx
    from tenacity import (
        RetryCallState,
        retry,
        retry_if_exception_type,
        stop_after_attempt,
        wait_random_exponential,
    )
except ImportError as error:
    raise MissingExtraError(extra="remote", purpose="Reading Langfuse's API") from error

_PAGE: Final = 100
_TIMEOUT: Final = 30.0
_TRIES: Final = 5
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0


def fetch_langfuse(
    address: str, environment: Mapping[str, str] | None = None
) -> list[Imported | Refused]:
    """Fetch all prompts of a project, with their versions and labels.

    Args:
        address: The server's address, such as ``https://cloud.langfuse.com``.
        environment: Where the keys are; None is the environment of the process.

    Returns:
        The prompts.

    Raises:
        InvalidArgumentError: A key is missing.
        RemoteError: The server did not answer, or not with prompts.
    """
    known = os.environ if environment is None else environment
    keys = [known.get(name, "") for name in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")]
    if not all(keys):
        raise InvalidArgumentError(
            message="set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY to the keys of the project"
        )
    with httpx.Client(
        base_url=address.rstrip("/"), auth=(keys[0], keys[1]), timeout=_TIMEOUT
    ) as client:
        records = list(_records(client))
    return read_langfuse(records, "prompt")


def _records(client: httpx.Client) -> Iterator[Mapping[str, Any]]:
    page, pages = 1, 1
    while page <= pages:
        found = _get(client, "/api/public/v2/prompts", {"page": page, "limit": _PAGE})
        pages = found.get("meta", {}).get("totalPages", 1)
        page += 1
        for one in found.get("data", []):
            path = f"/api/public/v2/prompts/{quote(str(one['name']), safe='')}"
            for version in one.get("versions", []):
                # As it is stored: what it refers to is not put in.
                yield _get(client, path, {"version": version, "resolve": "false"})


def _pause(state: RetryCallState) -> float:
    """Return how long to wait: as long as the server asks, or longer each time."""
    error = state.outcome.exception() if state.outcome else None
    asked: float | None = getattr(error, "retry_after", None)
    if asked is not None:
        return min(asked, _LONGEST_PAUSE)
    return wait_random_exponential(_FIRST_PAUSE, _LONGEST_PAUSE)(state)


@retry(
    retry=retry_if_exception_type(
        (RemoteThrottledError, RemoteServerError, RemoteUnreachableError)
    ),
    stop=stop_after_attempt(_TRIES),
    wait=_pause,
    reraise=True,
)
def _get(client: httpx.Client, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
    request = f"GET {path}"
    try:
        answer = client.get(path, params=dict(query))
    except httpx.HTTPError as error:
        raise RemoteUnreachableError(request=request, detail=str(error)) from error
    status = answer.status_code
    if status in (401, 403):
        detail = "the keys are not accepted; look at LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY"
        raise RemoteRejectedError(request=request, detail=detail, status=status)
    if status == 429:
        after = answer.headers.get("Retry-After", "")
        raise RemoteThrottledError(
            request=request,
            detail="too many requests",
            status=status,
            retry_after=float(after) if after.isdigit() else None,
        )
    if status >= 500:
        raise RemoteServerError(request=request, detail="the server failed", status=status)
    try:
        found = answer.raise_for_status().json()
    except (httpx.HTTPStatusError, ValueError) as error:
        detail = "this is no answer of Langfuse"
        raise RemoteAnswerError(request=request, detail=detail, status=status) from error
    if not isinstance(found, dict):
        raise RemoteAnswerError(request=request, detail="no JSON object", status=status)
    return found
