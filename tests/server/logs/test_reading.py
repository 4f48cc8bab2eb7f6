"""``logs/attributes``, ``logs/values`` and ``logs/query`` over entries that were sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.server.logs.sending import Logs, group, iso, now_ns, record

HOUR = 3_600_000_000_000
RANGE = {"date_from": "-2d"}


def test_keys_come_in_the_order_of_the_contract(logs: Logs) -> None:
    logs.keep(
        *[record(**{"http.user": "x", "user_id": "1"}) for _ in range(3)],
        *[record(username="a") for _ in range(5)],
        record(user="me"),
        record(other="me"),
    )
    # First the key itself, then whole words, then the more frequent one.
    assert logs.keys(search="USER") == ["user", "http.user", "user_id", "username"]
    assert logs.attributes(search="user", limit=2, offset=1) == {
        "results": [
            {"name": name, "propertyFilterType": "log_attribute", "matchedOn": "key"}
            for name in ("http.user", "user_id")
        ],
        "count": 4,
    }
    assert logs.keys() == ["username", "http.user", "user_id", "other", "user"]
    assert logs.attributes(offset=50) == {"results": [], "count": 5}


def test_keys_of_resources(logs: Logs) -> None:
    logs.keep(record(a="1"), pod="p1")
    assert logs.attributes(attribute_type="resource")["results"] == [
        {"name": name, "propertyFilterType": "log_resource_attribute", "matchedOn": "key"}
        for name in ("pod", "service.name")
    ]
    assert logs.keys(attribute_type="whatever") == ["a"]


def test_keys_are_narrowed_by_time_service_severity_and_resource(logs: Logs) -> None:
    logs.keep(record(old="1", time=now_ns() - 30 * HOUR))
    logs.keep(record(fresh="1", severityText="ERROR"), service="pay", pod="p1")
    logs.keep(record(calm="1"), service="web", pod="p2")
    assert logs.keys() == ["calm", "fresh"]
    assert logs.keys(dateRange=RANGE) == ["calm", "fresh", "old"]
    assert logs.keys(dateRange={"date_from": "-31h", "date_to": "-29h"}) == ["old"]
    assert logs.keys(serviceNames=["pay"]) == ["fresh"]
    level = {"key": "level", "type": "log", "value": ["error"]}
    assert logs.keys(filterGroup=group(level)) == ["fresh"]
    assert logs.keys(filterGroup=group(level | {"operator": "is_not"})) == ["calm"]
    pod = {"key": "pod", "type": "log_resource_attribute", "value": "p2"}
    for span in ({"date_from": "-1h"}, RANGE):
        assert logs.keys(filterGroup=group(pod), dateRange=span) == ["calm"]
    # What a roll-up cannot know narrows nothing.
    calm = {"key": "calm", "type": "log_attribute", "value": "2"}
    assert logs.keys(filterGroup=group(calm)) == ["calm", "fresh"]


def test_keys_by_their_values(logs: Logs) -> None:
    logs.keep(record(route="/checkout", note="x"), record(checkout_id="9"), record(route="/other"))
    assert logs.keys(search="checkout") == ["checkout_id"]
    found = logs.attributes(search="checkout", search_values="TRUE")
    assert found["count"] == 2
    assert found["results"][1] == {
        "name": "route",
        "propertyFilterType": "log_attribute",
        "matchedOn": "value",
        "matchedValue": "/checkout",
    }
    # Three characters are too few to look through all values.
    assert logs.keys(search="/ch", search_values="true") == []


@pytest.mark.parametrize(
    "odd",
    [
        {"limit": "x", "offset": "y"},
        {"dateRange": "{", "serviceNames": "{", "filterGroup": "["},
        {"dateRange": "5", "serviceNames": "[1]", "filterGroup": "5"},
        {"dateRange": {"date_from": "soon"}},
        {"dateRange": {"date_from": 5}},
        {"dateRange": "[" * 100_00},
        {"filterGroup": group({"key": "a", "type": "log_attribute", "operator": "sounds_like"})},
        {"filterGroup": group({"key": "nope", "type": "log", "value": "x"})},
        {"filterGroup": {"type": "OR", "values": []}},
        {"attribute_type": "?", "search_values": "yes"},
        {"limit": -1, "offset": -1},
        {"limit": 10**30},
    ],
    ids=range(12),
)
def test_odd_parameters_count_as_left_out(logs: Logs, odd: dict[str, Any]) -> None:
    logs.keep(record(a="1"))
    assert logs.keys(**odd) == ["a"]


def test_values(logs: Logs) -> None:
    logs.keep(
        *[record(route="/pay") for _ in range(3)], record(route="/a"), record(route="/b"),
        record(other="/c"), pod="p1",
    )  # fmt: skip
    assert logs.values("route") == ["/pay", "/a", "/b"]
    assert logs.values("route", limit=1, offset=1) == ["/a"]
    assert logs.values("route", value="AY") == ["/pay"]
    assert logs.values("pod", attribute_type="resource") == ["p1"]
    assert logs.values("nope") == []
    missing = logs.client.get("values")
    assert (missing.status_code, missing.json()) == (400, {"error": "key is required"})


def test_an_entry_as_it_is_found(logs: Logs) -> None:
    at = now_ns()
    trace, span = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
    sent = record("timeout", time=at, route="/pay", severityNumber=17, traceId=trace, spanId=span)
    logs.keep(sent | {"flags": 1, "eventName": "pool"}, pod="p1")
    page = logs.page(searchTerm="TIME")
    (row,) = page["results"]
    assert row.pop("uuid")[14] == "7"
    assert row.pop("observed_timestamp") >= row["timestamp"]
    assert row == {
        "timestamp": iso(at),
        "body": "timeout",
        "severity_text": "error",
        "severity_number": 17,
        "level": "error",
        "trace_id": trace,
        "span_id": span,
        "trace_flags": 1,
        "attributes": {"route": "/pay"},
        "resource_attributes": {"pod": "p1", "service.name": "checkout"},
        "event_name": "pool",
    }
    assert page["columns"][:2] == ["uuid", "timestamp"]
    assert (page["hasMore"], page["nextCursor"]) == (False, None)
    assert page["query"] == {"searchTerm": "TIME"}
    (bare,) = logs.page(excludeAttributes=True)["results"]
    assert "attributes" not in bare
    assert "resource_attributes" not in bare


@pytest.mark.parametrize("order", ["latest", "earliest"])
def test_pages_hold_each_entry_once(logs: Logs, order: str) -> None:
    at = now_ns()
    # Many of one microsecond: only the id tells them apart.
    logs.keep(*[record(str(number), time=at - number // 10 * 1_000) for number in range(50)])
    seen: list[dict[str, Any]] = []
    cursor = None
    for _ in range(8):
        page = logs.page(limit=7, orderBy=order, **({"after": cursor} if cursor else {}))
        seen += page["results"]
        cursor = page["nextCursor"]
        if not page["hasMore"]:
            break
    assert len({row["uuid"] for row in seen}) == len(seen) == 50
    times = [row["timestamp"] for row in seen]
    assert times == sorted(times, reverse=order == "latest")


FILTERS: list[tuple[dict[str, Any], set[str]]] = [
    ({"key": "n", "operator": "exact", "value": "5"}, {"a"}),
    ({"key": "n", "operator": "exact", "value": ["5", "70"]}, {"a", "b"}),
    ({"key": "n", "operator": "is_not", "value": ["5"]}, {"b", "c"}),
    ({"key": "n", "operator": "gt", "value": 6}, {"b"}),
    ({"key": "n", "operator": "lt", "value": "6"}, {"a"}),
    ({"key": "n", "operator": "is_set"}, {"a", "b"}),
    ({"key": "n", "operator": "is_not_set"}, {"c"}),
    ({"key": "w", "operator": "icontains", "value": "ÉCOL"}, {"a"}),
    ({"key": "w", "operator": "not_icontains", "value": "école"}, {"b", "c"}),
    ({"key": "w", "operator": "regex", "value": "^x.y$"}, {"b"}),
    ({"key": "w", "operator": "not_regex", "value": "^x.y$"}, {"a", "c"}),
    ({"key": "w", "operator": "starts_with", "value": "x"}, {"b"}),
    ({"key": "w", "operator": "ends_with", "value": "le"}, {"a"}),
    ({"key": "w", "operator": "exact", "value": "x' OR 1=1 --"}, set()),
    ({"key": "w'] OR 1=1 --", "operator": "is_set"}, set()),
    ({"key": "message", "type": "log", "operator": "exact", "value": "c"}, {"c"}),
    ({"key": "service_name", "type": "log", "operator": "exact", "value": "checkout"}, {*"abc"}),
    ({"key": "pod", "type": "log_resource_attribute", "operator": "exact", "value": "q"}, set()),
    ({"key": "d", "operator": "is_date_after", "value": "2026-01-01"}, {"b"}),
]


@pytest.mark.parametrize(("one", "found"), FILTERS, ids=range(len(FILTERS)))
def test_filters(logs: Logs, one: dict[str, Any], found: set[str]) -> None:
    logs.keep(
        record("a", n="5", w="L'école", d="2025-02-01"),
        record("b", n="70", w="x'y", d="2026-02-01T00:00:00Z"),
        record("c"),
    )
    assert set(logs.bodies(filterGroup=group({"type": "log_attribute", **one}))) == found


def test_entries_are_narrowed(logs: Logs) -> None:
    logs.keep(record("old", time=now_ns() - 30 * HOUR))
    logs.keep(record("bad", severityText="Fatal"), service="pay")
    logs.keep(record("fine"), service="web")
    assert set(logs.bodies()) == {"bad", "fine"}
    assert set(logs.bodies(dateRange=RANGE)) == {"bad", "fine", "old"}
    assert logs.bodies(severityLevels=["fatal", "critical"]) == ["bad"]
    assert logs.bodies(serviceNames=["web"]) == ["fine"]
    assert logs.bodies(searchTerm="100%'; DROP TABLE entries") == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"query": {"limit": 0}}, "greater than or equal to 1"),
        ({"query": {"limit": 1001}}, "less than or equal to 1000"),
        ({"query": {"after": "x"}}, "is no cursor"),
        ({"query": {"after": "e30="}}, "is no cursor"),
        ({"query": {"filterGroup": group({"key": "a", "type": "x"})}}, "no 'a' of 'x'"),
        (
            {
                "query": {
                    "filterGroup": group({"key": "a", "type": "log_attribute", "operator": "~"})
                }
            },
            "no operator '~'",
        ),
        (
            {
                "query": {
                    "filterGroup": group(
                        {"key": "a", "type": "log_attribute", "operator": "regex", "value": "("}
                    )
                }
            },
            "regular expression",
        ),
        ({}, "No query provided"),
    ],
)
def test_a_question_that_is_none(logs: Logs, body: dict[str, Any], words: str) -> None:
    logs.keep(record("x", a="b"))
    answer = logs.client.post("query", json=body)
    assert answer.status_code == 400
    assert words in json.dumps(answer.json())


def test_projects_do_not_see_each_other(logs: Logs, host: Any, repo: Any) -> None:
    logs.keep(record("mine", mine="1"))
    with host.project(repo.path) as other, other.client() as client:
        base = f"{other.url}/api/environments/@current/logs"
        assert client.get(f"{base}/attributes").json() == {"results": [], "count": 0}
        assert client.post(f"{base}/query", json={"query": {}}).json()["results"] == []
        values = client.get(f"{base}/values", params={"key": "mine"}).json()
        assert values["results"] == []
