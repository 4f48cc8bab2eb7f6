"""``promptstore translate`` and ``promptstore logs`` against a server, and the client's methods."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from promptstore.cli.app import app
from promptstore.errors import RemoteKeyError, RemoteNotFoundError
from promptstore.posthog.client import PostHogClient
from promptstore.posthog.logmodels import LogsQuery
from tests.server.chatstub import ChatStub, completion
from tests.server.logs.sending import Logs, record
from tests.server.logs.test_explain import GOOD


@pytest.fixture(autouse=True)
def key(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTHOG_PERSONAL_API_KEY", logs.server.key)
    monkeypatch.setenv("PROMPTSTORE_HOST", logs.server.url)


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_translate(stub: ChatStub) -> None:
    stub.answer = lambda _: completion("Bonjour")
    assert run("translate", "Good morning", "--to", "fr") == "Bonjour\n"
    assert "into French." in stub.prompt
    assert json.loads(run("translate", "Hi", "--json"))["translation"] == "Bonjour"


def test_logs_attributes(logs: Logs) -> None:
    logs.keep(record("x", route="/pay", user="me"), pod="p1")
    logs.keep(record("x", other="1"), service="web")
    assert run("logs", "attributes") == "other\t\nroute\t\nuser\t\n"
    assert run("logs", "attributes", "--service", "web") == "other\t\n"
    assert run("logs", "attributes", "/pay", "--values") == "route\t/pay\n"
    assert run("logs", "attributes", "--resource", "--limit", "1") == "service.name\t\n"
    found = json.loads(run("logs", "attributes", "us", "--json"))
    assert (found["count"], found["results"][0]["name"]) == (1, "user")


def test_logs_query_and_explain(logs: Logs, stub: ChatStub) -> None:
    logs.keep(record("it broke", severityText="error"), record("fine"))
    line = run("logs", "query", "BROKE", "--level", "error")
    time, level, service, body, uuid = line.rstrip("\n").split("\t")
    assert (level, service, body) == ("error", "checkout", "it broke")
    page = json.loads(run("logs", "query", "--limit", "1", "--json"))
    rest = json.loads(run("logs", "query", "--after", page["nextCursor"], "--json"))
    both = {one["body"] for one in page["results"] + rest["results"]}
    assert both == {"it broke", "fine"}
    field = {"field": "body", "value": "it broke", "significance": "", "attribute_type": "log"}
    stub.answer = lambda _: completion(json.dumps(GOOD | {"key_fields": [field]}))
    text = run("logs", "explain", uuid, time)
    assert text.startswith("The pool of checkout is exhausted (error)\n\nPayments probably fail.\n")
    assert "Do now: Restart - Frees them\n" in text
    assert "Field: body = it broke\n" in text
    asked = len(stub.asked)
    assert (
        json.loads(run("logs", "explain", uuid, time, "--json"))["severity_assessment"] == "error"
    )
    assert len(stub.asked) == asked
    run("logs", "explain", uuid, time, "--refresh")
    assert len(stub.asked) == asked + 1
    with pytest.raises(RemoteNotFoundError, match="Log not found"):
        run("logs", "explain", "01a227c1-fb3f-750d-a713-49f1e96b87f8", time)


def test_a_local_server_may_need_no_key(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTHOG_PERSONAL_API_KEY")
    # This one does: the error is that of the server, not of a missing key here.
    with pytest.raises(RemoteKeyError, match="is invalid"):
        run("logs", "query")
    with pytest.raises(RemoteKeyError, match="POSTHOG_PERSONAL_API_KEY"):
        run("logs", "query", "--host", "https://prompts.example.com")


def test_the_methods_of_the_client(logs: Logs) -> None:
    logs.keep(record("a", route="/pay"), record("b", route="/x"))
    with PostHogClient(logs.server.url) as client:
        values = client.log_values("route", search="PAY")
        assert [one.name for one in values.results] == ["/pay"]
        (entry,) = client.query_logs(LogsQuery(search_term="b", limit=1)).results
        assert (entry.body, entry.attributes) == ("b", {"route": "/x"})
        assert len(client.query_logs().results) == 2
