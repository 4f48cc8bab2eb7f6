"""``llm_analytics/text_repr``: what `text_repr` prints, and the refusals that clients know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gitrepo import GitRepo
from tests.server.listening import Server

CASES = Path(__file__).parents[1] / "data" / "text_repr.jsonl"
URL = "/api/projects/@current/llm_analytics/text_repr/"
EVENT = {"id": "g1", "event": "$ai_generation", "properties": {"$ai_input": "Hi"}}
TRACE = {"trace": {"id": "t1"}, "hierarchy": []}


@pytest.fixture
def client(lasting: tuple[Server, GitRepo]) -> Iterator[httpx.Client]:
    server, _ = lasting
    with server.client(server.key_for("llm_analytics:write")) as client:
        yield client


def test_the_text_is_that_of_posthog(client: httpx.Client) -> None:
    seen = 0
    for line in CASES.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        if case["compare"] != "exact" or case["kind"] == "evaluation":
            continue
        kind = f"$ai_{case['kind']}"
        answer = client.post(
            URL, json={"event_type": kind, "data": case["input"], "options": case["options"]}
        )
        if answer.status_code == 400:
            # An event in a case may lack the id that the endpoint asks for.
            assert "require" in answer.json()["detail"]
            continue
        assert answer.json()["text"] == case["expected_text"]
        assert answer.json()["metadata"]["truncated"] == case["expected_truncated"]
        seen += 1
    assert seen > 100


def test_metadata(client: httpx.Client) -> None:
    answer = client.post(URL, json={"event_type": "$ai_generation", "data": EVENT})
    assert answer.json()["metadata"] == {
        "event_type": "$ai_generation",
        "event_id": "g1",
        "trace_id": None,
        "rendering": "detailed",
        "char_count": len(answer.json()["text"]),
        "truncated": False,
    }


def test_a_state_that_cannot_be_written_as_json_is_shown(client: httpx.Client) -> None:
    state = f"[0x{'f' * 3600}]"
    event = {"id": "s1", "event": "$ai_span", "properties": {"$ai_input_state": state}}
    answer = client.post(URL, json={"event_type": "$ai_span", "data": event})
    assert answer.status_code == 200
    assert state in answer.json()["text"]


def test_words_for_options_and_options_that_there_are_not(client: httpx.Client) -> None:
    options = {"include_line_numbers": "yes", "truncate_buffer": "100", "max_depth": 3, "nope": 1}
    body = {"event_type": "$ai_generation", "data": EVENT, "options": options}
    answer = client.post(URL, json=body)
    assert answer.json()["text"].startswith("L1: ---")


REQUIRED = "This field is required."
NULL = "This field may not be null."


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, {"event_type": [REQUIRED], "data": [REQUIRED]}),
        ({"event_type": "$ai_span"}, {"data": [REQUIRED]}),
        ({"event_type": "foo", "data": {}}, {"event_type": ['"foo" is not a valid choice.']}),
        ({"event_type": "$ai_span", "data": None}, {"data": [NULL]}),
        (
            {"event_type": "$ai_span", "data": {}, "options": []},
            {
                "options": {
                    "non_field_errors": ["Invalid data. Expected a dictionary, but got list."]
                }
            },
        ),
        (
            {
                "event_type": "$ai_span",
                "data": {},
                "options": {"max_length": "x", "truncated": "x", "truncate_buffer": None},
            },
            {
                "options": {
                    "max_length": ["A valid integer is required."],
                    "truncated": ["Must be a valid boolean."],
                    "truncate_buffer": [NULL],
                }
            },
        ),
    ],
)
def test_all_faults_of_the_fields_at_once(
    client: httpx.Client, body: dict[str, Any], refusal: dict[str, Any]
) -> None:
    answer = client.post(URL, json=body)
    assert (answer.status_code, answer.json()) == (400, refusal)


@pytest.mark.parametrize(
    ("kind", "data", "detail"),
    [
        ("$ai_span", {"id": "x"}, "$ai_span events require 'properties' object in data field"),
        ("$ai_span", 5, "$ai_span events require 'properties' object in data field"),
        ("$ai_generation", {"properties": {}}, "$ai_generation events require an 'id' field"),
        (
            "$ai_trace",
            {"trace": {}, "hierarchy": []},
            "Trace events require 'trace' object and 'hierarchy' array in data field",
        ),
        (
            "$ai_trace",
            {"trace": {"properties": {}}, "hierarchy": []},
            "Trace events require an ID (trace.id or trace.properties.$ai_trace_id)",
        ),
    ],
)
def test_data_without_what_the_answer_tells(
    client: httpx.Client, kind: str, data: Any, detail: str
) -> None:
    answer = client.post(URL, json={"event_type": kind, "data": data})
    refusal = {"type": "validation_error", "code": "invalid_input", "detail": detail, "attr": None}
    assert (answer.status_code, answer.json()) == (400, refusal)


@pytest.mark.parametrize("properties", [None, [], "x"])
def test_properties_that_are_none(client: httpx.Client, properties: Any) -> None:
    body = {"event_type": "$ai_span", "data": {"id": "x", "properties": properties}}
    assert client.post(URL, json=body).status_code == 400


def test_half_a_surrogate_pair_is_no_error(client: httpx.Client) -> None:
    data = {"id": "\ud800", "properties": {"$ai_input": "\ud800" * 2000}}
    raw = json.dumps({"event_type": "$ai_generation", "data": data})
    answer = client.post(URL, content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert answer.json()["metadata"]["event_id"] == "\ud800"


def test_an_id_that_is_nested_deeply_is_refused(client: httpx.Client) -> None:
    deep = "[" * 900 + "]" * 900
    for data in (
        f'{{"id": {deep}, "properties": {{}}}}',
        f'{{"id": 1, "properties": {{"$ai_trace_id": {deep}}}}}',
    ):
        raw = f'{{"event_type": "$ai_span", "data": {data}}}'
        answer = client.post(URL, content=raw, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


def test_a_trace(client: httpx.Client) -> None:
    answer = client.post(URL, json={"event_type": "$ai_trace", "data": TRACE})
    assert answer.json()["text"].startswith("TRACE\n====")
