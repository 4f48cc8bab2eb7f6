"""Trying a prompt, with and without a model, and reading an event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptstore.server.app import create_app
from promptstore.server.asking import HttpModel
from promptstore.server.projects import open_projects
from promptstore.server.settings import ProjectSettings
from tests.gitrepo import GitRepo
from tests.server.chatstub import ChatStub, chat_stub, completion
from tests.server.listening import Server, hosting, listening
from tests.server.web.visiting import Page, Visit

TRY = "/try/support/triage"
GOOD = {"variable.product": "Acme", "variable.ticket": "It <b>broke</b>", "action": "show"}


@pytest.fixture
def stub() -> Iterator[ChatStub]:
    with chat_stub() as stub:
        yield stub


@pytest.fixture
def with_model(stub: ChatStub, tmp_path: Path, repo: GitRepo) -> Iterator[tuple[Server, Visit]]:
    """Somebody at a server that has a model."""
    with (
        hosting(tmp_path / "tokens.json", model=HttpModel(stub.url)) as host,
        host.project(repo.path) as server,
        Visit.to(server.url) as visit,
    ):
        visit.sign_in(server.key)
        yield server, visit


def tried(visit: Visit, **typed: str) -> Page:
    named = {f"variable.{key}": value for key, value in typed.items()}
    return visit.send(TRY, None, **GOOD | named)


def test_the_form_follows_from_the_declared_variables(visit: Visit) -> None:
    page = visit.get(TRY)
    assert page.title == "Try support/triage · promptstore"
    for said in (
        "product (needed)",
        "Product name · string",
        "leave out free pro",
        'string, default "free"',
        "integer, default 3",
        "leave out true false",
        "messages, JSON",
        "'product' is missing; 'ticket' is missing",
    ):
        assert said in page.text
    assert '<option value="&#34;pro&#34;">pro</option>' in page.answer.text


def test_the_rendered_messages_the_cost_and_the_arguments_are_shown(visit: Visit) -> None:
    page = tried(visit, tier='"pro"', history='[{"role": "user", "content": "Before"}]')
    assert page.status == 200
    assert "system You gladly help the customers of Acme. Be kind. Be short. Offer a call." in (
        page.text
    )
    assert "user Before" in page.text
    assert "user It <b>broke</b>" in page.text
    # 48 + 19 + 14 characters of the system's, and those of the two users.
    texts = "You gladly help the customers of Acme.\nBe kind.\nBe short.\nOffer a call.\n"
    count = len(texts) + len("Before") + len("It <b>broke</b>\n")
    assert f"{count} characters about {-(-count // 4)} tokens" in page.text
    shown = page.text.split("Arguments for OpenAI ")[1].split(" Arguments for Anthropic ")
    arguments = json.loads(shown[0])
    assert (arguments["model"], arguments["temperature"]) == ("gpt-x", 0.2)
    assert [message["role"] for message in arguments["messages"]] == ["system", "user", "user"]
    assert "max_tokens" in shown[1]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"count": "many"}, "count: this is not a number"),
        ({"count": "1.5"}, "an integer"),
        ({"history": "[{"}, "history: this is not JSON"),
        ({"history": '[{"role": "nobody"}]'}, "has the role"),
        ({"tier": '"gold"'}, "tier"),
        ({"product": ""}, "'product' is missing"),
    ],
)
def test_a_wrong_value_is_told_and_stays_typed(
    visit: Visit, typed: dict[str, str], says: str
) -> None:
    page = tried(visit, **typed)
    assert page.status == 200
    assert says in page.text
    kept = {f"variable.{key}": value for key, value in typed.items() if key != "tier"}
    assert kept.items() <= page.fields.items()


def test_a_version_and_a_label_can_be_tried(visit: Visit) -> None:
    for query in ("version=1", "label=production"):
        url = f"{TRY}?{query}"
        page = visit.send(url, None, **GOOD)
        assert "You help customers of Acme" in page.text
    assert "which production serves" in page.text


def test_a_prompt_that_declares_nothing_takes_its_names(visit: Visit) -> None:
    page = visit.send("/try/greet", None, **{"variable.name": "[Ada"})
    assert "Hello [Ada, how are you?" in page.text
    assert "names none" in page.text
    named = visit.send("/try/greet", page, model="tiny")
    assert '"model": "tiny"' in named.text


def test_the_model_is_asked_and_its_answer_is_text(
    with_model: tuple[Server, Visit], stub: ChatStub
) -> None:
    _, visit = with_model
    stub.answer = lambda _: completion("<script>alert(1)</script> Done")
    page = visit.send(TRY, None, **GOOD | {"action": "run"})
    assert "Answer <script>alert(1)</script> Done" in page.text
    assert "<script>alert" not in page.answer.text
    assert stub.asked[-1]["model"] == "gpt-x"
    assert stub.asked[-1]["messages"][-1]["content"] == "It <b>broke</b>\n"


def test_a_model_that_fails_is_told(with_model: tuple[Server, Visit], stub: ChatStub) -> None:
    _, visit = with_model
    stub.answer = lambda _: (500, b"{}")
    assert "The model did not answer" in visit.send(TRY, None, **GOOD | {"action": "run"}).text
    stub.answer = lambda _: completion("")
    assert "answered nothing" in visit.send(TRY, None, **GOOD | {"action": "run"}).text


def test_asking_the_model_takes_its_scope_and_the_token_of_the_form(
    with_model: tuple[Server, Visit], stub: ChatStub
) -> None:
    server, visit = with_model
    visit.send(TRY, None, **GOOD | {"action": "run", "form_token": "0" * 64})
    with Visit.to(server.url) as reader:
        reader.sign_in(server.key_for("llm_prompt:read"))
        page = reader.send(TRY, None, **GOOD)
        assert (page.status, "Ask the model" in page.text) == (200, False)
        assert reader.send(TRY, page, action="run").status == 403
    assert stub.asked == []


def test_the_model_is_not_asked_where_the_project_does_not_consent(
    stub: ChatStub, repo: GitRepo
) -> None:
    settings = ProjectSettings(id=1, repository=repo.path, ai_consent=False)
    app = create_app(open_projects([settings]), None, model=HttpModel(stub.url))
    with listening(app) as url, Visit.to(url) as visit:
        assert "not approved" in visit.send(TRY, None, **GOOD | {"action": "run"}).text
    assert stub.asked == []


def test_without_a_model_there_is_no_button(visit: Visit) -> None:
    page = visit.get(TRY)
    assert "Ask the model" not in page.text
    told = visit.send(TRY, page, **GOOD | {"action": "run"})
    assert "--model-url" in told.text


EVENT = {"event": "$ai_generation", "properties": {"$ai_input": "What <i>is</i> it?"}}


class TestEvents:
    def test_an_event_is_read_as_text(self, visit: Visit) -> None:
        page = visit.send("/events", event=json.dumps(EVENT), style="posthog")
        assert "What <i>is</i> it?" in page.text
        assert "<i>" not in page.answer.text
        assert json.loads(page.fields["event"]) == EVENT

    @pytest.mark.parametrize(
        ("event", "says"), [("{", "This is no JSON"), ("5", "event"), ("[" * 9_999, "JSON")]
    )
    def test_what_is_none_is_told(self, visit: Visit, event: str, says: str) -> None:
        page = visit.send("/events", event=event, style="complete")
        assert page.status == 200
        assert says in page.text
        assert page.fields["event"] == event

    def test_it_takes_the_scope_of_the_api(self, server: Server) -> None:
        with Visit.to(server.url) as visit:
            visit.sign_in(server.key_for("llm_prompt:read"))
            assert visit.get("/events").status == 403
