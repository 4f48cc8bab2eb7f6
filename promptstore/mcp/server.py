"""The server of the protocol: what answers which request, notices of changes, stdio and HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Final, TypeAlias, TypeVar

from mcp import MCPError, stdio_server, types
from mcp.server import Server, ServerRequestContext
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.caching import CacheHint
from mcp.server.lowlevel import NotificationOptions
from mcp.server.models import InitializationOptions
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
)

from promptstore import __version__
from promptstore.errors import (
    ConflictError,
    InvalidArgumentError,
    InvalidNameError,
    NotFoundError,
    PromptStoreError,
    TemplateError,
)
from promptstore.mcp import prompts, resources, skills, tools
from promptstore.mcp.access import Access
from promptstore.store.store import PromptStore

AccessOf: TypeAlias = Callable[[Any], Access]
"""Gives the access of a request from what its transport says of it: None over stdio."""

_Context: TypeAlias = ServerRequestContext[Any, Any]
_Publish: TypeAlias = Callable[[ServerEvent], Awaitable[None]]
_Params = TypeVar("_Params")
_Result = TypeVar("_Result")

_Scope: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Scope]]
_Send: TypeAlias = Callable[[_Scope], Awaitable[None]]

_log = logging.getLogger("promptstore.mcp")
_INSTRUCTIONS: Final = (
    "Prompts for language models, kept as reviewed YAML files in git. A prompt is rendered by "
    "`prompts/get` or the tool render_prompt. To change one, read it with get_prompt, try the new "
    "text with check_prompt, and give it to propose_change: people review it as a branch."
)
_ACCESS: Final = "promptstore.access"
_FRESH: Final = CacheHint(ttl_ms=5_000, scope="private")
"""How old what was read may be; it is for one sender, as keys differ in what they show."""
_FIXED: Final = CacheHint(ttl_ms=3_600_000, scope="private")
_INTERVAL: Final = 1.0
"""How often git is asked for a new commit while a client waits for notices, in seconds."""
_OF_THE_SENDER: Final = (
    NotFoundError,
    InvalidNameError,
    InvalidArgumentError,
    TemplateError,
    ConflictError,
)


class McpServer(Server[Any]):
    """A server whose lists may change, which it says to clients of older revisions too.

    Attributes:
        stopping: Set to end the streams of notices, which would never end by themselves.
    """

    def __init__(self, name: str, **handlers: Any) -> None:
        super().__init__(name, **handlers)
        self.stopping = asyncio.Event()

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """Return what a client of an older revision is told at first."""
        changes = NotificationOptions(prompts_changed=True, resources_changed=True)
        return super().create_initialization_options(
            notification_options or changes, experimental_capabilities, extensions
        )


def create_server(access_of: AccessOf) -> McpServer:
    """Make the server.

    Args:
        access_of: Gives the store that a request is about, and what its sender may do.
    """

    def handle(
        make: Callable[[Access, _Params], _Result],
    ) -> Callable[[_Context, _Params], Awaitable[_Result]]:
        """Return a handler that answers in a thread, and in the sentences of the library."""

        async def answer(context: _Context, params: _Params) -> _Result:
            access = access_of(context.request)
            try:
                return await asyncio.to_thread(make, access, params)
            except PromptStoreError as error:
                raise _refusal(access, error, getattr(params, "uri", None)) from error

        return answer

    async def watch(context: _Context, seen: Mapping[str, str], publish: _Publish) -> None:
        await _watch(access_of(context.request).store, seen, publish, server.stopping)

    async def listen(
        context: _Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        bus = InMemorySubscriptionBus()
        handler = ListenHandler(bus)
        # A commit that arrives once the client knows that it is heard must not be missed.
        seen = await look(context, params)
        watching = asyncio.create_task(watch(context, seen, bus.publish))
        watching.add_done_callback(lambda _: handler.close())
        try:
            return await handler(context, params)
        finally:
            watching.cancel()

    async def notify(context: _Context, params: types.NotificationParams) -> None:
        """Send notices to a client of an older revision until its connection ends."""

        async def send(event: ServerEvent) -> None:
            if isinstance(event, PromptsListChanged):
                await context.session.send_prompt_list_changed()
            elif isinstance(event, ResourcesListChanged):
                await context.session.send_resource_list_changed()

        await watch(context, await look(context, params), send)

    look = handle(lambda access, _: _files(access.store))
    server = McpServer(
        "promptstore",
        version=__version__,
        instructions=_INSTRUCTIONS,
        cache_hints={
            "prompts/list": _FRESH,
            "resources/list": _FRESH,
            "resources/read": _FRESH,
            "resources/templates/list": _FIXED,
            "tools/list": _FIXED,
            "server/discover": _FIXED,
        },
        on_list_prompts=handle(prompts.list_prompts),
        on_get_prompt=handle(prompts.get_prompt),
        on_completion=handle(_complete),
        on_list_resources=handle(resources.list_resources),
        on_list_resource_templates=handle(resources.list_templates),
        on_read_resource=handle(resources.read_resource),
        on_list_tools=handle(tools.list_tools),
        on_call_tool=handle(tools.call_tool),
        on_subscriptions_listen=listen,
    )
    server.add_notification_handler("notifications/initialized", types.NotificationParams, notify)
    server.extensions[skills.EXTENSION] = skills.SETTINGS
    paged = types.PaginatedRequestParams
    server.add_request_handler("skills/list", paged, handle(skills.list_skills))
    server.add_request_handler("skills/get", skills.SkillParams, handle(skills.get_skill))
    read = handle(skills.read_directory)
    server.add_request_handler("resources/directory/read", skills.DirectoryParams, read)
    server.cache_hints |= {"skills/list": _FRESH, "skills/get": _FRESH}
    return server


def _refusal(access: Access, error: PromptStoreError, uri: str | None) -> MCPError:
    code = types.INVALID_PARAMS if isinstance(error, _OF_THE_SENDER) else types.INTERNAL_ERROR
    return MCPError(code, access.explain(error), {"uri": uri} if uri else None)


def _complete(access: Access, params: types.CompleteRequestParams) -> types.CompleteResult:
    store, reference, argument = access.store, params.ref, params.argument
    if isinstance(reference, types.PromptReference):
        found = prompts.complete_argument(store, reference.name, argument.name, argument.value)
    else:
        given = (params.context and params.context.arguments) or {}
        name = given.get("name", "")
        found = resources.complete_template(store, argument.name, argument.value, name)
    return types.CompleteResult(completion=found)


def serve_stdio(access: Access) -> None:
    """Serve one client over standard input and output, until it goes.

    Args:
        access: What the client may do.
    """
    server = create_server(lambda _: access)

    async def run() -> None:
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    asyncio.run(run())


class HttpEndpoint:
    """Answers the requests of clients, which were let in before.

    It starts with the first request and ends with the event loop.
    """

    def __init__(self) -> None:
        self._server = create_server(lambda request: request.scope[_ACCESS])
        self._manager = StreamableHTTPSessionManager(self._server)
        self._started = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def answer(
        self, access: Access, sender: str, scope: _Scope, receive: _Receive, send: _Send
    ) -> None:
        """Answer one request.

        Args:
            access: What it may do.
            sender: Who sends it; a session belongs to whom it began with.
            scope: The request, as ASGI has it.
            receive: Gives its body.
            send: Takes the answer.
        """
        await self._started.wait()
        user = AuthenticatedUser(AccessToken(token="", client_id=sender, scopes=[]))
        await self._manager.handle_request({**scope, _ACCESS: access, "user": user}, receive, send)

    def end_streams(self) -> None:
        """End the streams of notices, so that the server that listens can stop."""
        self._server.stopping.set()

    async def _run(self) -> None:
        async with self._manager.run():
            self._started.set()
            await asyncio.Event().wait()


async def _watch(
    store: PromptStore, seen: Mapping[str, str], publish: _Publish, stopping: asyncio.Event
) -> None:
    """Publish what differs from the files that were seen, whenever a commit arrives."""
    tip = None
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _INTERVAL)
            return
        try:
            now = await asyncio.to_thread(lambda: store.position().tip)
            if now == tip:
                continue
            files = await asyncio.to_thread(_files, store)
        except PromptStoreError as error:
            _log.warning("no notice of changes: %s", error)
            return
        changed = {uri for uri in seen.keys() | files.keys() if seen.get(uri) != files.get(uri)}
        tip, seen = now, files
        if changed:
            await publish(PromptsListChanged())
            await publish(ResourcesListChanged())
        for uri in sorted(changed):
            await publish(ResourceUpdated(uri))


def _files(store: PromptStore) -> dict[str, str]:
    """Return the blob of every file by its URI."""
    snapshot = store.snapshot()
    names = snapshot.names()
    found = {resources.file_uri(store, name): snapshot.file(name).blob for name in names}
    for skill in skills.skills_of(store).values():
        found |= {file.uri: file.blob for file in skill.files}
    return found
