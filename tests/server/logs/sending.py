"""Sends log entries to a server, and asks about them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.server.listening import Server

TYPE = {"content-type": "application/json"}


def now_ns() -> int:
    return time.time_ns()


def attribute(key: str, value: Any) -> dict[str, Any]:
    """Write an attribute as OTLP's JSON does."""
    if isinstance(value, str):
        return {"key": key, "value": {"stringValue": value}}
    return {"key": key, "value": value}


def record(body: str = "", *, time: Any = None, **attributes: Any) -> dict[str, Any]:
    """Write a record as OTLP's JSON does; `severity` and ids may be among the attributes."""
    made: dict[str, Any] = {
        "timeUnixNano": str(now_ns() if time is None else time),
        "body": {"stringValue": body},
    }
    for key in ("severityText", "severityNumber", "traceId", "spanId", "eventName"):
        if key in attributes:
            made[key] = attributes.pop(key)
    made["attributes"] = [attribute(key, value) for key, value in attributes.items()]
    return made


def export(records: Sequence[Any], service: str = "checkout", **resource: str) -> dict[str, Any]:
    """Write a request as OTLP's JSON does."""
    attributes = [attribute(key, value) for key, value in resource.items()]
    attributes.append(attribute("service.name", service))
    scope_logs = [{"scope": {"name": "tests"}, "logRecords": list(records)}]
    return {"resourceLogs": [{"resource": {"attributes": attributes}, "scopeLogs": scope_logs}]}


@dataclass
class Logs:
    """A client of the logs of one project."""

    client: httpx.Client
    server: Server

    @property
    def sender(self) -> dict[str, str]:
        """The header of who sends entries."""
        return {"authorization": f"Bearer phc_project_{self.server.project}"}

    def send(
        self, content: Any, path: str = "/v1/logs", headers: Mapping[str, str] = TYPE
    ) -> httpx.Response:
        """Send what a request holds."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        url = self.server.url + path
        return self.client.post(url, content=data, headers={**self.sender, **headers})

    def keep(self, *records: Mapping[str, Any], service: str = "checkout", **more: str) -> None:
        """Send records that are kept."""
        answer = self.send(export(records, service, **more))
        assert (answer.status_code, answer.json()) == (200, {})

    def keys(self, **query: Any) -> list[str]:
        """List the names of keys."""
        return [row["name"] for row in self.attributes(**query)["results"]]

    def attributes(self, **query: Any) -> dict[str, Any]:
        """List keys."""
        return self._get("attributes", query)

    def values(self, key: str, **query: Any) -> list[str]:
        """List the values of a key."""
        found = self._get("values", {"key": key, **query})
        return [row["name"] for row in found["results"]]

    def page(self, **query: Any) -> dict[str, Any]:
        """List entries."""
        answer = self.client.post("query", json={"query": query})
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    def bodies(self, **query: Any) -> list[str]:
        """List the bodies of entries."""
        return [row["body"] for row in self.page(**query)["results"]]

    def _get(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        params = {
            key: value if isinstance(value, (str, int)) else json.dumps(value)
            for key, value in query.items()
        }
        answer = self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def iso(nanoseconds: int) -> str:
    """Write a time as the answers do."""
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    micro = nanoseconds // 1_000 % 1_000_000
    return moment.replace(microsecond=micro).isoformat(timespec="microseconds")[:-6] + "Z"


def group(*filters: Mapping[str, Any]) -> dict[str, Any]:
    """Write a group of filters as a page of logs does."""
    return {"type": "AND", "values": [{"type": "AND", "values": list(filters)}]}
