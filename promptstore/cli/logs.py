"""The commands that ask a server: ``promptstore logs`` and ``translate``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from promptstore.cli.app import AsJson
from promptstore.cli.output import print_json, print_lines, print_table

if TYPE_CHECKING:
    from promptstore.posthog.client import PostHogClient


_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_NO_KEY: Final = "none"

Host = Annotated[
    str,
    typer.Option(
        "--host",
        help="The server's URL. The key is in POSTHOG_PERSONAL_API_KEY; a server on this machine "
        "may need none.",
        envvar="PROMPTSTORE_HOST",
        metavar="URL",
    ),
]
OfProject = Annotated[
    str, typer.Option("--project", help="The project: a number, or @current.", metavar="ID")
]


DEFAULT_HOST: Final = "http://127.0.0.1:8000"
"""Where `promptstore serve` listens."""


def client_of(host: str, project: str) -> PostHogClient:
    """Return a client of a server."""
    from promptstore.posthog.client import KEY_VARIABLE, PostHogClient, RetryPolicy

    # A server of this machine may ask nobody for a key.
    is_local = (urlsplit(host).hostname or "") in _LOOPBACK
    key = None if os.environ.get(KEY_VARIABLE) or not is_local else _NO_KEY
    # A model may take a minute.
    return PostHogClient(host, key, project, policy=RetryPolicy(timeout=90.0))


logs_app = typer.Typer(
    name="logs",
    help="List and explain the log entries of a server.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Since = Annotated[
    str, typer.Option(help="How far back, such as -1h, -30M or 2026-08-24T14:00:00Z.")
]
Services = Annotated[
    list[str] | None, typer.Option("--service", help="Only this service; again for more.")
]
Limit = Annotated[int, typer.Option(help="How many.", min=1, max=1000)]


@logs_app.command("attributes")
def attributes(
    search: Annotated[str, typer.Argument(help="What the key holds.")] = "",
    resource: Annotated[
        bool, typer.Option("--resource", help="Keys of what sent the entries.")
    ] = False,
    values: Annotated[
        bool, typer.Option("--values", help="Keys with a value that holds it, too.")
    ] = False,
    since: Since = "-1h",
    service: Services = None,
    limit: Limit = 100,
    host: Host = DEFAULT_HOST,
    project: OfProject = "@current",
    as_json: AsJson = False,
) -> None:
    """List the keys that the attributes of entries have."""
    with client_of(host, project) as client:
        found = client.log_attributes(
            search=search,
            attribute_type="resource" if resource else "log",
            date_range={"date_from": since},
            service_names=service or [],
            limit=limit,
            search_values=values,
        )
    if as_json:
        print_json(found.model_dump(by_alias=True, exclude_none=True))
    else:
        print_table(
            ["key", "value"], [[row.name, row.matched_value or ""] for row in found.results]
        )


@logs_app.command("query")
def query(
    search: Annotated[str, typer.Argument(help="What the body holds.")] = "",
    level: Annotated[
        list[str] | None, typer.Option(help="Only this severity; again for more.")
    ] = None,
    since: Since = "-1h",
    service: Services = None,
    limit: Limit = 100,
    after: Annotated[str | None, typer.Option(help="The cursor that --json shows.")] = None,
    host: Host = DEFAULT_HOST,
    project: OfProject = "@current",
    as_json: AsJson = False,
) -> None:
    """List entries, the latest first.

    Each with the time and the id that `explain` takes.
    """
    from promptstore.posthog.logmodels import LogsQuery

    asked: dict[str, Any] = {
        "dateRange": {"date_from": since},
        "severityLevels": level or [],
        "serviceNames": service or [],
        "searchTerm": search,
        "limit": limit,
        "after": after,
    }
    with client_of(host, project) as client:
        page = client.query_logs(LogsQuery.model_validate(asked))
    if as_json:
        print_json(page.model_dump(by_alias=True))
        return
    rows = [
        [
            one.timestamp,
            one.level,
            one.resource_attributes.get("service.name", ""),
            one.body,
            one.uuid,
        ]
        for one in page.results
    ]
    print_table(["time", "level", "service", "body", "id"], rows)


@logs_app.command("explain")
def explain(
    uuid: Annotated[str, typer.Argument(help="The id of the entry.")],
    timestamp: Annotated[str, typer.Argument(help="Its time.")],
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask the model even where an answer is kept.")
    ] = False,
    host: Host = DEFAULT_HOST,
    project: OfProject = "@current",
    as_json: AsJson = False,
) -> None:
    """Explain an entry by the model of the server."""
    with client_of(host, project) as client:
        found = client.explain_log(uuid, timestamp, force_refresh=refresh)
    if as_json:
        print_json(found.model_dump())
        return
    lines = [f"{found.headline} ({found.severity_assessment})", "", found.impact_summary, ""]
    lines += [
        f"Cause ({one.confidence}): {one.hypothesis} - {one.reasoning}"
        for one in found.probable_causes
    ]
    lines += [f"Do {one.priority}: {one.action} - {one.why}" for one in found.immediate_actions]
    lines += [f"Field: {one.field} = {one.value}" for one in found.key_fields]
    print_lines("\n".join([*lines, "", found.technical_explanation]))


def translate(
    text: Annotated[str, typer.Argument(help="The text.")],
    to: Annotated[str, typer.Option(help="The language, such as fr.", metavar="CODE")] = "en",
    host: Host = DEFAULT_HOST,
    project: OfProject = "@current",
    as_json: AsJson = False,
) -> None:
    """Translate text by the model of a server."""
    with client_of(host, project) as client:
        found = client.translate(text, to)
    if as_json:
        print_json(found.model_dump())
    else:
        print_lines(found.translation)
