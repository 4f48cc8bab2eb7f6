"""The client: one method for each operation of PostHog's prompts API and its neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlsplit

from promptstore.errors import RemoteAnswerError
from promptstore.posthog.client.events import EventsClient
from promptstore.posthog.models import PromptHistory, PromptPage, RemotePrompt
from promptstore.posthog.queries import ContentMode

PAGE_SIZE: Final = 100
MAX_PAGES: Final = 10_000
_UNSET: Final[Any] = object()


class PostHogClient(EventsClient):
    """A client of PostHog's prompts API, in the cloud, self-hosted or by ``promptstore serve``.

    Use it in a ``with`` statement, or call `close` at the end.

    Args:
        host: The app's host, for example ``https://us.posthog.com``.
        personal_api_key: The key; None takes it from the environment variable
            ``POSTHOG_PERSONAL_API_KEY``. It appears in no log, error or repr.
        project_id: The project's number, or ``@current`` for that of the key's owner.
        policy: How long a request may take, and how often it is tried.
        publishes_per_minute: How many versions are published in a minute at most; 0 for any number.
            None is what PostHog's cloud allows for a host of it, and any number for another one,
            which says itself when it is too much (status 429).
        transport: What carries the requests; None is the network. Another one keeps to the
            ``deadline`` among a request's extensions itself.
        sleep: How a pause is made.
        clock: Returns the time in seconds.

    Attributes:
        host: The host's URL.
        dialect: The generation of the API, or None until an answer told it.
        is_promptstore: Whether the last answer came from a promptstore server.
        requests: How many requests were sent so far, repeats included.
    """

    def list_prompts(
        self,
        *,
        search: str | None = None,
        label: str | None = None,
        created_by_id: int | None = None,
        order_by: str | None = None,
        content: ContentMode | None = None,
        form: Literal["native"] | None = None,
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
            form: ``native`` asks a promptstore server for what the files say; PostHog ignores it.
            page_size: How many prompts to ask for at once.
            offset: How many prompts to skip; None is none.

        Yields:
            The prompts.
        """
        query: dict[str, Any] = {
            "search": search,
            "label": label,
            "created_by_id": created_by_id,
            "order_by": order_by,
            "content": content,
            "format": form,
            "limit": page_size,
            "offset": offset,
        }
        path = self._path("llm_prompts")
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            page = self._read(PromptPage, "GET", path, query=query, is_read=True)
            yield from page.results
            if not page.next:
                return
            if page.next in seen:
                break
            seen.add(page.next)
            # Only the query counts: the key goes to the configured host alone.
            query = dict(parse_qsl(urlsplit(page.next).query, keep_blank_values=True))
        raise RemoteAnswerError(
            request=f"GET {path}", status=200, detail="the pages of the list never end"
        )

    def get_prompt(
        self,
        name: str,
        *,
        version: int | None = None,
        label: str | None = None,
        content: ContentMode | None = None,
        form: Literal["native"] | None = None,
        resolve: bool | None = None,
    ) -> RemotePrompt:
        """Get a prompt by its name, at the newest version unless one is named.

        Args:
            name: Its name on the remote.
            version: The number of a version.
            label: The version that this label points at. Not together with a version.
            content: How much of the content to give; None is all of it.
            form: ``native`` asks a promptstore server for what the file says; PostHog ignores it.
            resolve: Whether references to other prompts are put in place, where the server has
                them; None is the server's yes.

        Raises:
            RemoteNotFoundError: There is no such prompt, version or label, or the server is busy.
        """
        query = {
            "version": version,
            "label": label,
            "content": content,
            "format": form,
            "resolve": resolve,
        }
        return self._read(RemotePrompt, "GET", self._named(name), query=query, is_read=True)

    def get_prompt_by_id(self, prompt_id: str) -> RemotePrompt:
        """Get a prompt by its id; dialect ``legacy`` only."""
        return self._read(RemotePrompt, "GET", self._path("llm_prompts", prompt_id), is_read=True)

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
        return self._read(PromptHistory, "GET", path, query=query, is_read=True)

    def create_prompt(
        self,
        name: str,
        prompt: Any,
        *,
        config: Mapping[str, Any] | None = None,
        version_description: str | None = None,
        deleted: bool | None = None,
        form: Literal["native"] | None = None,
    ) -> RemotePrompt:
        """Create a prompt.

        Args:
            name: Letters, digits, ``-`` and ``_``, at most 255.
            prompt: Its content: a text, or any JSON but null.
            config: Free JSON beside it; dialect ``current`` only, the other leaves it out.
            version_description: What to say about the version, at most 400 characters; likewise.
            deleted: Whether it is archived from the beginning; dialect ``legacy`` only, the other
                leaves it out.
            form: ``native`` where the content is what a file says; for promptstore servers only.

        Raises:
            RemoteRejectedError: The name is taken (code ``unique``) or no name, or it is too large.
        """
        free = None if config is None else dict(config)
        more = _given(config=free, version_description=version_description, deleted=deleted)
        body = {"name": name, "prompt": prompt, **more}
        return self._read(
            RemotePrompt, "POST", self._path("llm_prompts"), query={"format": form}, body=body
        )

    def update_prompt(
        self,
        prompt_id: str,
        *,
        name: str | None = None,
        prompt: Any = _UNSET,
        deleted: bool | None = None,
    ) -> RemotePrompt:
        """Change a prompt in place; dialect ``legacy`` only.

        The last writer wins: nothing tells of a change that came in between.

        Args:
            prompt_id: The prompt's id.
            name: Its new name.
            prompt: Its new content.
            deleted: True archives it.
        """
        body = _given(name=name, deleted=deleted)
        if prompt is not _UNSET:
            body["prompt"] = prompt
        return self._read(RemotePrompt, "PATCH", self._path("llm_prompts", prompt_id), body=body)

    def delete_prompt(self, prompt_id: str) -> None:
        """Ask to remove a prompt for good, which the API always refuses.

        It is part of the API all the same. `update_prompt` with ``deleted=True`` and
        `archive_prompt` do what is meant.

        Args:
            prompt_id: The prompt's id.

        Raises:
            RemoteRejectedError: Nothing is removed for good (status 405).
        """
        self._send("DELETE", self._path("llm_prompts", prompt_id))

    def publish_prompt(
        self,
        name: str,
        *,
        base_version: int,
        prompt: Any = _UNSET,
        edits: Sequence[tuple[str, str]] | None = None,
        config: Mapping[str, Any] | None = _UNSET,
        version_description: str | None = None,
        form: Literal["native"] | None = None,
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
            form: ``native`` where the content is what a file says; for promptstore servers only.

        Raises:
            RemoteConflictError: There is a newer version by now; the error tells which.
        """
        body = {"base_version": base_version, **_given(version_description=version_description)}
        if prompt is not _UNSET:
            body["prompt"] = prompt
        if edits is not None:
            body["edits"] = [{"old": old, "new": new} for old, new in edits]
        if config is not _UNSET:
            body["config"] = None if config is None else dict(config)
        self._limiter.wait()
        return self._read(
            RemotePrompt, "PATCH", self._named(name), query={"format": form}, body=body
        )

    def archive_prompt(self, name: str) -> None:
        """Archive all versions of a prompt and delete its labels; dialect ``current`` only."""
        self._send("POST", f"{self._named(name)}archive/", body={})

    def unarchive_prompt(self, name: str) -> None:
        """Bring an archived prompt back with all its versions; the newest servers only.

        Raises:
            RemoteNotFoundError: There is no such prompt, or the server cannot do this.
        """
        self._send("POST", f"{self._named(name)}unarchive/", body={})

    def duplicate_prompt(self, name: str, new_name: str) -> RemotePrompt:
        """Copy a prompt's newest content under another name; dialect ``current`` only."""
        return self._read(
            RemotePrompt, "POST", f"{self._named(name)}duplicate/", body={"new_name": new_name}
        )

    def set_label(self, name: str, label: str, version: int) -> None:
        """Point a label at a version; dialect ``current`` only."""
        self._send("PUT", self._labelled(name, label), body={"version": version})

    def remove_label(self, name: str, label: str) -> None:
        """Take a label off a prompt; dialect ``current`` only."""
        self._send("DELETE", self._labelled(name, label))

    def _named(self, name: str) -> str:
        return self._path("llm_prompts", "name", name)

    def _labelled(self, name: str, label: str) -> str:
        return self._path("llm_prompts", "name", name, "labels", label)


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
