"""The client: one method for each operation of PostHog's prompts API and its neighbours."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import parse_qsl, quote, urlsplit

import httpx

from promptstore.errors import RemoteAnswerError
from promptstore.model.values import thaw
from promptstore.posthog.remote.answers import (
    Dialect,
    LogAttributes,
    LogExplanation,
    PromptHistory,
    RemotePrompt,
    TextRepresentation,
    Translation,
    read_history,
    read_log_attributes,
    read_log_explanation,
    read_prompt,
    read_text_representation,
    read_translation,
    reading,
)
from promptstore.posthog.remote.connection import Connection, Patience
from promptstore.posthog.remote.pace import Pace
from promptstore.posthog.remote.requests import ContentMode, EventType, TextReprOptions

PAGE_SIZE: Final = 100
PUBLISHES_PER_MINUTE: Final = 30
_CLOUD: Final = "posthog.com"
_UNSET: Final[Any] = object()


class PostHogClient:
    """A client of PostHog's prompts API, in the cloud, self-hosted or by ``promptstore serve``.

    Use it in a ``with`` statement, or call `close` at the end.

    Args:
        host: The app's host, for example ``https://us.posthog.com``.
        personal_api_key: The key; None takes it from the environment variable
            ``POSTHOG_PERSONAL_API_KEY``. It appears in no log, error or repr.
        project_id: The project's number, or ``@current`` for that of the key's owner.
        patience: How long to wait and how often to try.
        publishes_per_minute: How many versions are published in a minute at most; 0 for any number.
            None is what PostHog's cloud allows for a host of it, and any number for another one,
            which says itself when it is too much (status 429).
        transport: What carries the requests; None is the network.
        sleep: How a pause is made.
        clock: Tells the time in seconds, for the pace of publishing.

    Attributes:
        dialect: The generation of the API, or None until an answer told it.
    """

    def __init__(
        self,
        host: str,
        personal_api_key: str | None = None,
        project_id: str | int = "@current",
        *,
        patience: Patience | None = None,
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
            patience=patience or Patience(),
            transport=transport,
            sleep=sleep,
        )
        if publishes_per_minute is None:
            publishes_per_minute = PUBLISHES_PER_MINUTE if _is_cloud(host) else 0
        self._pace = Pace(publishes_per_minute, clock=clock, sleep=sleep)

    def __repr__(self) -> str:
        return f"PostHogClient(host={self._connection.host!r}, project_id={self._project!r})"

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

    def list_prompts(
        self,
        *,
        search: str | None = None,
        label: str | None = None,
        created_by_id: int | None = None,
        order_by: str | None = None,
        content: ContentMode | None = None,
        page_size: int = PAGE_SIZE,
        offset: int | None = None,
    ) -> Iterator[RemotePrompt]:
        """List all active prompts, each at its newest version, page by page.

        All filters need the dialect ``current``.

        Args:
            search: Only prompts whose name or content holds it.
            label: Only prompts that have this label, at the version it points at.
            created_by_id: Only prompts whose version this account made.
            order_by: A field such as ``name``, with ``-`` before it for the other way round.
            content: How much of the content to give; None is all of it.
            page_size: How many prompts to ask for at once.
            offset: How many prompts to skip; None is none.

        Yields:
            The prompts.
        """
        query: dict[str, Any] | None = {
            "search": search,
            "label": label,
            "created_by_id": created_by_id,
            "order_by": order_by,
            "content": content,
            "limit": page_size,
            "offset": offset,
        }
        path = self._path("llm_prompts")
        seen = -1
        while query is not None:
            request = f"GET {path}"
            answer = self._connection.send("GET", path, query=query, is_read=True)
            with reading(request):
                rows = [read_prompt(row) for row in answer["results"]]
                following = answer["next"]
            self._learn(rows[:1])
            yield from rows
            query = _query_of(request, following) if following else None
            place = _offset_of(request, query) if query else 0
            if query is not None and place <= seen:
                raise RemoteAnswerError(
                    request=request, status=200, detail="the pages of the list go round in circles"
                )
            seen = place

    def get_prompt(
        self,
        name: str,
        *,
        version: int | None = None,
        label: str | None = None,
        content: ContentMode | None = None,
        resolve: bool | None = None,
    ) -> RemotePrompt:
        """Get a prompt by its name, at the newest version unless one is named.

        Args:
            name: Its name on the remote.
            version: The number of a version.
            label: The version that this label points at. Not together with a version.
            content: How much of the content to give; None is all of it.
            resolve: Whether references to other prompts are put in place, where the server has
                them; None is the server's yes.

        Raises:
            RemoteNotFoundError: There is no such prompt, version or label, or the server is busy.
        """
        query = {"version": version, "label": label, "content": content, "resolve": resolve}
        return self._prompt("GET", self._named(name), query=query, is_read=True)

    def get_prompt_by_id(self, prompt_id: str) -> RemotePrompt:
        """Get a prompt by its id; dialect ``seed`` only."""
        return self._prompt("GET", self._path("llm_prompts", prompt_id), is_read=True)

    def get_history(
        self,
        name: str,
        *,
        version: int | None = None,
        version_id: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        before_version: int | None = None,
    ) -> PromptHistory:
        """Get a prompt and a page of its versions, newest first; dialect ``current`` only.

        Args:
            name: Its name on the remote.
            version: The version whose content is given; None is the newest one.
            version_id: The same by its id.
            limit: How many versions the page holds, 1 to 100; None is the server's 50.
            offset: How many versions to skip, for the next page.
            before_version: Only versions older than this one, for the next page. Not together with
                an offset.
        """
        path = self._path("llm_prompts", "resolve", "name", name)
        query = {
            "version": version,
            "version_id": version_id,
            "limit": limit,
            "offset": offset,
            "before_version": before_version,
        }
        answer = self._connection.send("GET", path, query=query, is_read=True)
        with reading(f"GET {path}"):
            return read_history(answer)

    def create_prompt(
        self,
        name: str,
        prompt: Any,
        *,
        config: Mapping[str, Any] | None = None,
        version_description: str | None = None,
        deleted: bool | None = None,
    ) -> RemotePrompt:
        """Create a prompt.

        Args:
            name: Letters, digits, ``-`` and ``_``, at most 255.
            prompt: Its content: a text, or any JSON but null.
            config: Free JSON beside it; dialect ``current`` only, the other leaves it out.
            version_description: What to say about the version, at most 400 characters; likewise.
            deleted: Whether it is archived from the beginning; dialect ``seed`` only, the other
                leaves it out.

        Raises:
            RemoteRejectedError: The name is taken (code ``unique``) or no name, or it is too large.
        """
        body = {"name": name, "prompt": thaw(prompt)}
        if config is not None:
            body["config"] = thaw(config)
        if version_description is not None:
            body["version_description"] = version_description
        if deleted is not None:
            body["deleted"] = deleted
        return self._prompt("POST", self._path("llm_prompts"), body=body)

    def update_prompt(
        self,
        prompt_id: str,
        *,
        name: str | None = None,
        prompt: Any = _UNSET,
        deleted: bool | None = None,
    ) -> RemotePrompt:
        """Change a prompt in place; dialect ``seed`` only.

        The last writer wins: nothing tells of a change that came in between.

        Args:
            prompt_id: The prompt's id.
            name: Its new name.
            prompt: Its new content.
            deleted: True archives it.
        """
        body: dict[str, Any] = {}
        if name is not None:
            body["name"] = name
        if prompt is not _UNSET:
            body["prompt"] = thaw(prompt)
        if deleted is not None:
            body["deleted"] = deleted
        return self._prompt("PATCH", self._path("llm_prompts", prompt_id), body=body)

    def delete_prompt(self, prompt_id: str) -> None:
        """Ask to remove a prompt for good, which the API always refuses.

        It is part of the API all the same. `update_prompt` with ``deleted=True`` and
        `archive_prompt` do what is meant.

        Args:
            prompt_id: The prompt's id.

        Raises:
            RemoteRejectedError: Nothing is removed for good (status 405).
        """
        self._connection.send("DELETE", self._path("llm_prompts", prompt_id))

    def publish_prompt(
        self,
        name: str,
        *,
        base_version: int,
        prompt: Any = _UNSET,
        edits: Sequence[tuple[str, str]] | None = None,
        config: Mapping[str, Any] | None = _UNSET,
        version_description: str | None = None,
    ) -> RemotePrompt:
        """Publish a new version of a prompt; dialect ``current`` only.

        At most so many are published in a minute as the client was told; others wait.

        Args:
            name: Its name on the remote.
            base_version: The newest version that the caller has seen.
            prompt: Its new content. Not together with edits.
            edits: Pairs of a text that is there once, and what replaces it.
            config: Its new config; None clears it, leaving it out keeps it.
            version_description: What to say about the version, at most 400 characters.

        Raises:
            RemoteConflictError: There is a newer version by now; the error tells which.
        """
        body: dict[str, Any] = {"base_version": base_version}
        if prompt is not _UNSET:
            body["prompt"] = thaw(prompt)
        if edits is not None:
            body["edits"] = [{"old": old, "new": new} for old, new in edits]
        if config is not _UNSET:
            body["config"] = thaw(config)
        if version_description is not None:
            body["version_description"] = version_description
        self._pace.keep()
        return self._prompt("PATCH", self._named(name), body=body)

    def archive_prompt(self, name: str) -> None:
        """Archive all versions of a prompt and delete its labels; dialect ``current`` only."""
        self._connection.send("POST", f"{self._named(name)}archive/", body={})

    def unarchive_prompt(self, name: str) -> None:
        """Bring an archived prompt back with all its versions; the newest servers only.

        Raises:
            RemoteNotFoundError: There is no such prompt, or the server cannot do this.
        """
        self._connection.send("POST", f"{self._named(name)}unarchive/", body={})

    def duplicate_prompt(self, name: str, new_name: str) -> RemotePrompt:
        """Copy a prompt's newest content under another name; dialect ``current`` only."""
        return self._prompt("POST", f"{self._named(name)}duplicate/", body={"new_name": new_name})

    def set_label(self, name: str, label: str, version: int) -> None:
        """Point a label at a version; dialect ``current`` only."""
        self._connection.send("PUT", self._labelled(name, label), body={"version": version})

    def remove_label(self, name: str, label: str) -> None:
        """Take a label off a prompt; dialect ``current`` only."""
        self._connection.send("DELETE", self._labelled(name, label))

    def text_repr(
        self,
        event_type: EventType,
        data: Mapping[str, Any],
        options: TextReprOptions | None = None,
    ) -> TextRepresentation:
        """Turn an event into readable text.

        Args:
            event_type: ``$ai_generation``, ``$ai_span``, ``$ai_embedding`` or ``$ai_trace``.
            data: The event: its ``id`` and ``properties``, or its ``trace`` and ``hierarchy``.
            options: Options of the layout, such as ``{"max_length": 1000}``.
        """
        path = self._path("llm_analytics", "text_repr")
        body = {"event_type": event_type, "data": thaw(data)}
        if options is not None:
            body["options"] = options
        # Nothing is stored there, so it may be asked again.
        answer = self._connection.send("POST", path, body=body, is_read=True)
        with reading(f"POST {path}"):
            return read_text_representation(answer)

    def translate(self, text: str, target_language: str | None = None) -> Translation:
        """Translate a text by a model; it costs, so it is not repeated after a fault.

        Args:
            text: The text, at most 10,000 characters.
            target_language: A code such as ``fr``; None is the server's ``en``.
        """
        path = self._path("llm_analytics", "translate")
        body = {"text": text}
        if target_language is not None:
            body["target_language"] = target_language
        answer = self._connection.send("POST", path, body=body)
        with reading(f"POST {path}"):
            return read_translation(answer)

    def log_attributes(
        self,
        *,
        search: str | None = None,
        attribute_type: Literal["log", "resource"] | None = None,
        date_range: Mapping[str, Any] | None = None,
        service_names: Sequence[str] | None = None,
        filter_group: Mapping[str, Any] | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> LogAttributes:
        """List the keys that log records have.

        Args:
            search: Only keys that hold it.
            attribute_type: Whether keys of records or of resources are listed; None is records.
            date_range: For example ``{"date_from": "-1h"}``.
            service_names: Only records of these services.
            filter_group: Only records that fit this group of filters.
            limit: How many to list; None is the server's 100.
            offset: How many to skip.
        """
        path = self._path("logs", "attributes")
        query = {
            "search": search,
            "attribute_type": attribute_type,
            "dateRange": _json_or_none(date_range),
            "serviceNames": _json_or_none(service_names),
            "filterGroup": _json_or_none(filter_group),
            "limit": limit,
            "offset": offset,
        }
        answer = self._connection.send("GET", path, query=query, is_read=True)
        with reading(f"GET {path}"):
            return read_log_attributes(answer)

    def explain_log(
        self, uuid: str, timestamp: str, *, force_refresh: bool = False
    ) -> LogExplanation:
        """Let a model explain one log record; it costs, so it is not repeated after a fault.

        Args:
            uuid: The record's id.
            timestamp: Its time as ISO 8601.
            force_refresh: Whether to ask the model even where an answer is stored.
        """
        path = self._path("logs", "explainLogWithAI")
        body = {"uuid": uuid, "timestamp": timestamp, "force_refresh": force_refresh}
        answer = self._connection.send("POST", path, body=body)
        with reading(f"POST {path}"):
            return read_log_explanation(answer)

    def _prompt(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        is_read: bool = False,
    ) -> RemotePrompt:
        answer = self._connection.send(method, path, query=query, body=body, is_read=is_read)
        with reading(f"{method} {path}", wrote=not is_read):
            prompt = read_prompt(answer)
        self._learn([prompt])
        return prompt

    def _learn(self, prompts: Sequence[RemotePrompt]) -> None:
        """Take the dialect from an answer, the first of which settles it."""
        for prompt in prompts:
            self.dialect = self.dialect or prompt.dialect

    def _named(self, name: str) -> str:
        return self._path("llm_prompts", "name", name)

    def _labelled(self, name: str, label: str) -> str:
        return self._path("llm_prompts", "name", name, "labels", label)

    def _path(self, *segments: str) -> str:
        below = "/".join(quote(segment, safe="") for segment in segments)
        return f"/api/environments/{quote(self._project, safe='@')}/{below}/"


def _is_cloud(host: str) -> bool:
    """Tell whether a host is one of PostHog's cloud."""
    name = urlsplit(host).hostname or ""
    return name == _CLOUD or name.endswith(f".{_CLOUD}")


def _query_of(request: str, url: Any) -> dict[str, Any]:
    """Take the query of the next page: the key goes to the configured host only."""
    if not isinstance(url, str):
        raise RemoteAnswerError(request=request, status=200, detail="`next` is no URL")
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _offset_of(request: str, query: Mapping[str, Any]) -> int:
    with reading(request):
        return int(query.get("offset", 0))


def _json_or_none(value: Any) -> str | None:
    return None if value is None else json.dumps(thaw(value), ensure_ascii=False)
