"""The client alone: keys, repeats, pages, errors, and the operations beside prompts."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from promptstore.errors import (
    InvalidArgumentError,
    RemoteAnswerError,
    RemoteConflictError,
    RemoteError,
    RemoteKeyError,
    RemoteNotFoundError,
    RemotePermissionError,
    RemoteRejectedError,
    RemoteServerError,
    RemoteThrottledError,
    RemoteUnreachableError,
)
from promptstore.posthog.client import LogAttribute, PostHogClient, RetryPolicy
from promptstore.posthog.client.retries import RateLimiter
from promptstore.posthog.sync.remote import RemotePrompts

KEY = "phx_a_secret_key"
ROW = {
    "id": "6b6b6b6b-0000-4000-8000-000000000001",
    "name": "a",
    "prompt": "Hi",
    "version": 1,
    "created_by": None,
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "deleted": False,
}
Answer = httpx.Response | Exception


class Script:
    """Answers in turn, and keeps what was asked and how long was paused."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **options: Any) -> PostHogClient:
        transport = httpx.MockTransport(self)
        return PostHogClient(
            "https://host.example/",
            KEY,
            7,
            transport=transport,
            sleep=self.pauses.append,
            **options,
        )


def ok(value: Any = None, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=ROW if value is None else value)


def test_a_request_carries_the_key_and_nothing_else_does(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    script = Script(ok(), httpx.Response(401, json={"detail": f"The key {KEY} is invalid."}))
    with script.client() as client:
        client.get_prompt("a b/c", version=3)
        with pytest.raises(RemoteKeyError) as caught:
            client.get_prompt("a")
    (first, _) = script.asked
    assert first.headers["Authorization"] == f"Bearer {KEY}"
    assert str(first.url) == (
        "https://host.example/api/environments/7/llm_prompts/name/a%20b%2Fc/?version=3"
    )
    said = [str(caught.value), repr(caught.value), repr(client), repr(vars(client)), caplog.text]
    assert KEY not in "".join(said)
    assert "The key [key] is invalid" in str(caught.value)


def test_the_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTHOG_PERSONAL_API_KEY", f" {KEY}\n")
    script = Script(ok())
    client = PostHogClient("https://host.example", transport=httpx.MockTransport(script))
    client.get_prompt("a")
    assert script.asked[0].headers["Authorization"] == f"Bearer {KEY}"
    assert script.asked[0].url.path.startswith("/api/environments/@current/")
    client.close()


@pytest.mark.parametrize("key", ["", "a b", "a\nb", "é"])
def test_what_is_no_key_is_refused_unshown(key: str) -> None:
    with pytest.raises(RemoteKeyError) as caught:
        PostHogClient("https://host.example", key)
    assert not key or key not in str(caught.value).replace("no key", "")


@pytest.mark.parametrize(
    "host",
    [
        "us.posthog.com",
        "ftp://x",
        "https://",
        "https://me:pw@x",
        "https://x:port",
        "https://[::1",
        "https://evil.example\\.posthog.com",
        "http://us.posthog.com",
        "http://192.168.1.2",
        "http://127.0.0.1.evil.example",
    ],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        PostHogClient(host, KEY)
    assert "pw" not in str(caught.value)


ENVELOPE = {"type": "t", "code": "invalid_name", "detail": "Only letters.", "attr": "name"}


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (400, ENVELOPE, RemoteRejectedError, "name: Only letters."),
        (400, {"timestamp": ["This field is required."]}, RemoteRejectedError, "timestamp: This"),
        (400, {"detail": "Not found.", "edit_index": 0}, RemoteRejectedError, "Not found."),
        (401, {"detail": "Invalid."}, RemoteKeyError, "phx_"),
        (403, {"detail": "No scope."}, RemotePermissionError, "llm_prompt:read"),
        (404, {"error": "Log not found"}, RemoteNotFoundError, "Log not found."),
        (405, {"detail": 'Method "DELETE" not allowed.'}, RemoteRejectedError, "DELETE"),
        (409, {"detail": "It changed.", "current_version": 4}, RemoteConflictError, "It changed."),
        (429, {"detail": "Slow down."}, RemoteThrottledError, "Slow down."),
        (500, {"error": "failed", "detail": "why"}, RemoteServerError, "failed: why"),
        (503, "<html>Down</html>", RemoteServerError, "<html>Down</html>"),
        (302, None, RemoteRejectedError, "moved to https://other.example/x"),
    ],
)
def test_an_error_has_the_servers_words(
    status: int, body: Any, kind: type[RemoteError], said: str
) -> None:
    if isinstance(body, str):
        answer = httpx.Response(status, html=body)
    elif body is None:
        answer = httpx.Response(status, headers={"Location": "https://other.example/x?token=1"})
    else:
        answer = httpx.Response(status, json=body)
    client = Script(answer).client(policy=RetryPolicy(attempts=1))
    with client, pytest.raises(kind) as caught:
        client.get_prompt("a")
    assert said in str(caught.value)
    assert "token=1" not in str(caught.value)
    assert caught.value.status == status
    if isinstance(body, dict):
        assert caught.value.code == body.get("code")
        assert caught.value.current_version == body.get("current_version")


@pytest.mark.parametrize(
    "body",
    [b"<html>Log in</html>", b"", b"null", b"[]", b'{"id": 1}', b'{"name": "a"', b'"text"'],
)
def test_an_answer_that_is_none_of_the_api(body: bytes) -> None:
    answer = httpx.Response(200, content=body)
    client = Script(answer).client(policy=RetryPolicy(attempts=1))
    with client, pytest.raises(RemoteAnswerError):
        client.get_prompt("a")


LOST = httpx.ReadError("reset")
REFUSED = httpx.ConnectError("refused")
BUSY = httpx.Response(503, json={"detail": "Busy."})
SLOW = httpx.Response(429, json={"detail": "Slow down."}, headers={"Retry-After": "7"})
Act = Callable[[PostHogClient], object]


def read(client: PostHogClient) -> object:
    return client.get_prompt("a")


def write(client: PostHogClient) -> object:
    return client.publish_prompt("a", base_version=1, prompt="Hi")


@pytest.mark.parametrize(
    ("act", "answers", "pauses"),
    [
        (read, [LOST, ok()], 1),
        (read, [BUSY, REFUSED, ok()], 2),
        (read, [httpx.Response(200, html="<p>"), ok()], 1),
        (read, [SLOW, ok()], 1),
        (write, [REFUSED, ok()], 1),
        (write, [SLOW, SLOW, ok()], 2),
    ],
)
def test_what_is_safe_to_repeat_is_repeated(act: Act, answers: list[Answer], pauses: int) -> None:
    script = Script(*answers)
    with script.client() as client:
        act(client)
    assert len(script.pauses) == pauses
    assert script.answers == []


@pytest.mark.parametrize(
    "answer", [LOST, BUSY, httpx.ReadTimeout("slow"), httpx.Response(200, html="x")]
)
def test_a_write_that_may_have_happened_is_not_repeated(answer: Answer) -> None:
    script = Script(answer)
    with script.client() as client, pytest.raises(RemoteError) as caught:
        write(client)
    assert caught.value.may_have_written
    assert script.pauses == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_a_refusal_is_not_repeated(status: int) -> None:
    script = Script(httpx.Response(status, json={"detail": "No."}))
    with script.client() as client, pytest.raises(RemoteError):
        read(client)
    assert script.pauses == []


def test_repeats_are_bounded_and_spread() -> None:
    script = Script(*[REFUSED] * 9)
    policy = RetryPolicy(attempts=4, first_pause=1, longest_pause=3)
    with script.client(policy=policy) as client, pytest.raises(RemoteUnreachableError):
        read(client)
    assert len(script.asked) == 4
    bounds = [(0, 1), (0, 2), (0, 3)]
    assert all(
        low <= pause <= high for (low, high), pause in zip(bounds, script.pauses, strict=True)
    )


def test_the_server_says_how_long_to_wait() -> None:
    script = Script(SLOW, ok(), httpx.Response(429, json={}, headers={"Retry-After": "3600"}))
    with script.client() as client:
        read(client)
        assert script.pauses == [7.0]
        with pytest.raises(RemoteThrottledError) as caught:
            read(client)
    assert caught.value.retry_after == 3600
    assert script.pauses == [7.0]


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 7),
        ("0.5", 0.5, 0.5),
        ("-3", 0, 0),
        (timedelta(seconds=30), 0, 30),
        (timedelta(hours=-1), 0, 0),
        ("Fri, 31 Dec 1999 23:59:59", 0, 0),
        ("Friday, 31-Dec-99 23:59:59 GMT", 0, 0),
    ],
)
def test_how_long_to_wait_is_seconds_or_a_date(
    header: str | timedelta, least: float, most: float
) -> None:
    if isinstance(header, timedelta):
        header = format_datetime(datetime.now(UTC) + header, usegmt=True)
    script = Script(httpx.Response(429, json={}, headers={"Retry-After": header}), ok())
    with script.client() as client:
        read(client)
    assert least <= script.pauses[0] <= most


@pytest.mark.parametrize("header", ["soon", "", "nan", "inf", "Fri, 99 Dec 1999 23:59:59 GMT"])
def test_what_is_no_time_counts_as_none(header: str) -> None:
    script = Script(httpx.Response(429, json={}, headers={"Retry-After": header}), ok())
    policy = RetryPolicy(first_pause=1)
    with script.client(policy=policy) as client:
        read(client)
    assert 0 <= script.pauses[0] <= 1


def test_a_date_far_away_is_not_waited_for() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    far = httpx.Response(429, json={}, headers={"Retry-After": date})
    script = Script(far)
    with script.client() as client, pytest.raises(RemoteThrottledError) as caught:
        read(client)
    assert 3500 < (caught.value.retry_after or 0) <= 3600
    assert script.pauses == []


def page(names: list[str], following: str | None) -> httpx.Response:
    rows = [ROW | {"name": name} for name in names]
    return ok({"count": 3, "next": following, "previous": None, "results": rows})


def test_pages_are_followed_on_the_same_host() -> None:
    script = Script(page(["a", "b"], "http://inner:8000/api/?limit=2&offset=2"), page(["c"], None))
    with script.client() as client:
        assert [found.name for found in client.list_prompts(page_size=2)] == ["a", "b", "c"]
        assert client.requests == 2
    assert str(script.asked[1].url) == (
        "https://host.example/api/environments/7/llm_prompts/?limit=2&offset=2"
    )


def test_pages_that_never_end_are_noticed() -> None:
    again = "https://host.example/?offset=2"
    script = Script(page(["a"], again), page(["b"], again), page(["b"], again))
    with script.client() as client, pytest.raises(RemoteAnswerError, match="never end"):
        list(client.list_prompts())


@pytest.mark.parametrize(
    ("extra", "dialect"),
    [({}, "legacy"), ({"is_latest": True, "latest_version": 1}, "current")],
)
def test_the_dialect_is_found_by_asking(extra: dict[str, Any], dialect: str) -> None:
    script = Script(page([], None), ok(ROW | extra, 201))
    with script.client() as client:
        assert list(client.list_prompts()) == []
        assert client.dialect is None
        client.create_prompt("a", "Hi")
        assert client.dialect == dialect


def test_nothing_is_removed_for_good() -> None:
    script = Script(httpx.Response(405))
    with script.client() as client, pytest.raises(RemoteRejectedError) as caught:
        client.delete_prompt(str(ROW["id"]))
    assert (caught.value.status, script.asked[0].method) == (405, "DELETE")
    assert script.asked[0].url.path == f"/api/environments/7/llm_prompts/{ROW['id']}/"


def test_an_archived_prompt_is_made_or_brought_back() -> None:
    script = Script(ok(ROW | {"deleted": True}, 201), ok())
    with script.client() as client:
        assert client.create_prompt("a", "Hi", deleted=True).deleted
        assert body_of(script) == {"name": "a", "prompt": "Hi", "deleted": True}
        client.unarchive_prompt("a")
    assert script.asked[1].url.path == "/api/environments/7/llm_prompts/name/a/unarchive/"


def test_what_the_server_says_hides_the_key_everywhere() -> None:
    echo = {"detail": KEY, "code": KEY, "attr": KEY}
    script = Script(httpx.Response(400, json=echo))
    with script.client() as client, pytest.raises(RemoteRejectedError) as caught:
        client.get_prompt("a")
    facts = vars(caught.value)
    assert KEY not in f"{caught.value} {caught.value!r} {facts}"
    assert (caught.value.code, caught.value.attr) == ("[key]", "[key]")


def test_the_key_goes_to_no_other_host() -> None:
    away = httpx.Response(301, headers={"Location": "https://evil.example/api/"})
    script = Script(away)
    with script.client() as client, pytest.raises(RemoteRejectedError, match="moved to"):
        client.get_prompt("a")
    assert [request.url.host for request in script.asked] == ["host.example"]


@pytest.mark.parametrize(
    ("host", "paced"),
    [
        ("https://us.posthog.com", True),
        ("https://eu.posthog.com/", True),
        ("https://posthog.example.org", False),
        ("https://notposthog.com", False),
        ("http://127.0.0.1:8000", False),
    ],
)
def test_only_the_cloud_has_a_pace_that_is_known(host: str, paced: bool) -> None:
    script = Script(*[ok() for _ in range(31)])
    transport = httpx.MockTransport(script)
    clock = [0.0]
    with PostHogClient(
        host, KEY, 1, transport=transport, sleep=script.pauses.append, clock=lambda: clock[0]
    ) as client:
        for _ in range(31):
            write(client)
    assert script.pauses == ([60.0] if paced else [])


def body_of(script: Script) -> Any:
    return json.loads(script.asked[-1].content)


def bomb(pulled: list[int]) -> Iterator[bytes]:
    """Yield gzip that unpacks to 4.7 GB of zeros: one packed megabyte, again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    yield packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(4_700):
        pulled.append(len(piece))
        yield piece


@pytest.mark.parametrize("act", [read, write])
def test_a_small_answer_does_not_unpack_to_gigabytes(act: Act) -> None:
    pulled: list[int] = []
    answer = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=bomb(pulled))
    script = Script(answer)
    client = script.client(policy=RetryPolicy(attempts=1))
    with client, pytest.raises(RemoteAnswerError, match="more than 67,108,864 bytes") as caught:
        act(client)
    assert len(pulled) == 65
    assert caught.value.may_have_written == (act is write)
    assert script.asked[0].headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("encoding", ["gzip, gzip", "deflate", "br", "zstd"])
def test_only_one_layer_of_gzip_is_unpacked(encoding: str) -> None:
    pulled: list[int] = []
    answer = httpx.Response(200, headers={"Content-Encoding": encoding}, content=bomb(pulled))
    client = Script(answer).client(policy=RetryPolicy(attempts=1))
    with client, pytest.raises(RemoteAnswerError, match="an encoding that was not asked for"):
        read(client)
    assert pulled == []


def test_retries_and_pauses_end_at_the_deadline() -> None:
    now = [0.0]
    slow = httpx.Response(429, json={}, headers={"Retry-After": "40"})
    script = Script(slow, slow, ok())
    transport = httpx.MockTransport(script)

    def sleep(seconds: float) -> None:
        now[0] += seconds

    policy = RetryPolicy(deadline=60)
    with (
        PostHogClient(
            "https://host.example",
            KEY,
            transport=transport,
            policy=policy,
            sleep=sleep,
            clock=lambda: now[0],
        ) as client,
        pytest.raises(RemoteThrottledError),
    ):
        read(client)
    assert now == [40.0]
    assert script.asked[1].extensions["deadline"] == 60.0


def test_pages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptstore.posthog.client.client.MAX_PAGES", 3)
    pages = [page(["a"], f"https://host.example/?offset={number}") for number in range(1, 9)]
    script = Script(*pages)
    with script.client() as client, pytest.raises(RemoteAnswerError, match="never end"):
        list(client.list_prompts())
    assert len(script.asked) == 3


def test_text_repr() -> None:
    script = Script(ok({"text": "INPUT:\n", "metadata": {"char_count": 7, "truncated": False}}))
    with script.client() as client:
        found = client.text_repr("$ai_generation", {"id": "1", "properties": {}}, {"max_length": 9})
    assert (found.text, found.metadata["char_count"]) == ("INPUT:\n", 7)
    assert body_of(script)["options"] == {"max_length": 9}
    assert script.asked[0].url.path == "/api/environments/7/llm_analytics/text_repr/"


def test_translate() -> None:
    answer = {"translation": "Bonjour", "detected_language": None, "provider": "openai"}
    script = Script(ok(answer))
    with script.client() as client:
        found = client.translate("Hello", "fr")
    assert (found.translation, found.detected_language) == ("Bonjour", None)
    assert body_of(script) == {"text": "Hello", "target_language": "fr"}


def test_log_attributes() -> None:
    rows = [{"name": "level", "propertyFilterType": "log_attribute"}]
    script = Script(ok({"results": rows, "count": 5}), ok(rows))
    with script.client() as client:
        found = client.log_attributes(search="lev", date_range={"date_from": "-1h"}, limit=1)
        oldest = client.log_attributes()
    assert (found.results, found.count) == (
        [LogAttribute.model_validate(rows[0])],
        5,
    )
    assert oldest.count == 1
    query = dict(script.asked[0].url.params)
    assert query == {"search": "lev", "dateRange": '{"date_from": "-1h"}', "limit": "1"}


def test_explain_log() -> None:
    answer = {
        "headline": "The disk is full",
        "severity_assessment": "critical",
        "impact_summary": "Nothing is saved.",
        "probable_causes": [{"hypothesis": "Logs", "confidence": "high", "reasoning": "Size"}],
        "immediate_actions": [{"action": "Rotate", "priority": "now", "why": "Space"}],
        "technical_explanation": "ENOSPC",
        "key_fields": [],
    }
    script = Script(ok(answer))
    with script.client() as client:
        found = client.explain_log("u", "2026-01-01T00:00:00Z", force_refresh=True)
    assert found.probable_causes[0].hypothesis == "Logs"
    assert body_of(script)["force_refresh"] is True


def test_publishing_keeps_a_pace() -> None:
    now = [0.0]
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    pace = RateLimiter(30, clock=lambda: now[0], sleep=sleep)
    for _ in range(30):
        pace.wait()
    assert pauses == []
    now[0] = 20.0
    pace.wait()
    assert pauses == [40.0]
    unbound = RateLimiter(0, clock=lambda: now[0], sleep=sleep)
    for _ in range(100):
        unbound.wait()
    assert pauses == [40.0]


@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_a_server_that_refuses_to_bring_a_prompt_back_cannot(status: int) -> None:
    script = Script(httpx.Response(status, json={"detail": "No."}))
    with script.client() as client:
        assert RemotePrompts(client).unarchive("a") is None


def test_reading_for_a_sync_puts_no_reference_in_place() -> None:
    script = Script(ok())
    with script.client() as client:
        RemotePrompts(client).read("a")
    assert dict(script.asked[0].url.params) == {"resolve": "false"}
