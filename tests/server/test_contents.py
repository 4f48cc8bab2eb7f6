"""How a content is given and taken: filled by SDKs, as written, as the whole file, rendered."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.server.listening import rows_of

TONE = "prompt: 'Be {{ mood }}. '\n"
SPACED = "prompt: '{% include \"tone\" %}Hi {{  name }}'\n"
LOGIC = "prompt: 'Hi {% if vip %}dear {% endif %}{{ name }}'\n"
CHAT = """\
# Kept.
description: Sorts tickets
variables:
  name: {type: string, default: you}
  count: {type: integer}
  history: {type: messages, default: []}
messages:
  - role: system
    content: Hi {{ name }}, {{ count }}
  - insert: history
config: {model: m}
tags: [a]
"""


@pytest.fixture(autouse=True)
def _files(repo: GitRepo) -> None:
    repo.commit(
        {
            "prompts/tone.yaml": TONE,
            "prompts/spaced.yaml": SPACED,
            "prompts/logic.yaml": LOGIC,
            "prompts/team/chat.yaml": CHAT,
        }
    )


@pytest.mark.parametrize(
    ("name", "query", "prompt", "template"),
    [
        ("spaced", "", "Be {{mood}}. Hi {{name}}", None),
        ("spaced", "?format=json", "Be {{mood}}. Hi {{name}}", None),
        ("spaced", "?format=source", '{% include "tone" %}Hi {{  name }}', "jinja2"),
        ("logic", "", "Hi {% if vip %}dear {% endif %}{{ name }}", "jinja2"),
        ("logic", "?content=none", None, "jinja2"),
    ],
)
def test_a_template_is_given_as_sdks_fill_it_or_marked_as_source(
    client: httpx.Client, name: str, query: str, prompt: str | None, template: str | None
) -> None:
    found = client.get(f"name/{name}{query}").json()
    assert (found.get("prompt"), found.get("template")) == (prompt, template)
    if "content" not in query:
        by_id = client.get(f"{found['id']}{query}").json()
        assert by_id["prompt"] == prompt
        listed = {row["name"]: row for row in rows_of(client.get(query))}
        assert (listed[name]["prompt"], listed[name].get("template")) == (prompt, template)


def test_the_formats_of_one_prompt_have_their_own_etags(client: httpx.Client) -> None:
    forms = ("json", "source", "native")
    etags = {client.get(f"name/spaced?format={form}").headers["etag"] for form in forms}
    assert len(etags) == 3


def test_edits_apply_to_what_is_read_and_keep_what_is_not_edited(
    client: httpx.Client, repo: GitRepo
) -> None:
    edits = [{"old": "Hi {{name}}", "new": "Hello {{name}}"}]
    made = client.patch("name/logic", json={"base_version": 1, "edits": edits})
    assert (made.status_code, made.json()["edit_index"]) == (400, 0)
    repo.commit({"prompts/plain.yaml": "prompt: 'Hi {{  name }}'\n"})
    made = client.patch("name/plain", json={"base_version": 1, "edits": edits})
    assert made.json()["prompt"] == "Hello {{name}}"
    assert (repo.path / "prompts/plain.yaml").read_text() == "prompt: 'Hello {{  name }}'\n"


def test_what_was_read_and_is_sent_back_changes_nothing(
    client: httpx.Client, repo: GitRepo
) -> None:
    before = repo.head()
    for name in ("spaced", "logic", "team__chat"):
        text = client.get(f"name/{name}").json()["prompt"]
        body = {"base_version": 1, "prompt": text}
        assert client.patch(f"name/{name}", json=body).json()["version"] == 1
    assert repo.head() == before


def test_a_native_content_is_the_whole_file(client: httpx.Client, repo: GitRepo) -> None:
    rows = {row["name"]: row for row in rows_of(client.get("?format=native"))}
    assert rows["team__chat"] == client.get("name/team__chat?format=native").json()
    native = rows["team__chat"]
    assert (native["git_name"], native["latest_version"]) == ("team/chat", 1)
    content = native["content"]
    assert content["variables"]["count"] == {"type": "integer"}

    content["description"] = "Sorts tickets well"
    body = {"base_version": 1, "prompt": content}
    made = client.patch("name/team__chat?format=native", json=body)
    assert made.json()["version"] == 2
    expected = CHAT.replace("Sorts tickets", "Sorts tickets well")
    assert (repo.path / "prompts/team/chat.yaml").read_text() == expected

    copy = {"name": "team__v", "prompt": content}
    assert client.post("?format=native", json=copy).status_code == 201
    store = PromptStore.open(repo.path)
    assert store.get("team/v").content == store.get("team/chat").content


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"prompt": "text"}, "is the object of a file"),
        ({"prompt": {"promt": "x"}}, "did you mean"),
        ({"prompt": {"prompt": "x", "deleted": True}}, "Archive"),
        ({"prompt": {"prompt": "x"}, "config": {"a": 1}}, "config stands in"),
    ],
)
def test_a_native_content_that_is_no_file_is_refused(
    client: httpx.Client, repo: GitRepo, more: dict[str, Any], says: str
) -> None:
    before = repo.head()
    refused = client.patch("name/logic?format=native", json={"base_version": 1, **more})
    assert (refused.status_code, refused.json()["type"]) == (400, "validation_error")
    assert says in refused.json()["detail"]
    assert repo.head() == before


def test_render_fills_a_prompt(client: httpx.Client) -> None:
    body = {"variables": {"vip": True, "name": "{{ vip }}"}}
    assert client.post("name/logic/render", json=body).json() == {
        "name": "logic",
        "version": 1,
        "digest": client.post("name/logic/render", json=body).json()["digest"],
        "messages": [{"role": "user", "content": "Hi dear {{ vip }}"}],
        "text": "Hi dear {{ vip }}",
        "config": {},
    }
    history = [{"role": "assistant", "content": "Ho"}]
    body = {"variables": {"count": 2, "history": history}}
    chat = client.post("name/team__chat/render", json=body).json()
    assert chat["messages"] == [{"role": "system", "content": "Hi you, 2"}, *history]
    assert (chat["text"], chat["config"]) == (None, {"model": "m"})


def test_render_takes_a_version_or_a_label(client: httpx.Client) -> None:
    client.put("name/logic/labels/production", json={"version": 1})
    client.patch("name/logic", json={"base_version": 1, "prompt": "Bye {{ name }}"})
    for chosen, text in (
        ({}, "Bye A"),
        ({"version": 1}, "Hi A"),
        ({"label": "production"}, "Hi A"),
    ):
        variables = {"name": "A"} | ({"vip": False} if chosen else {})
        body = {"variables": variables, **chosen}
        assert client.post("name/logic/render", json=body).json()["text"] == text
    missing = client.post("name/logic/render", json={"variables": {}, "label": "staging"})
    assert missing.status_code == 404
    both = client.post("name/logic/render", json={"version": 1, "label": "production"})
    assert both.status_code == 400


def test_render_tells_every_wrong_variable_at_once(client: httpx.Client) -> None:
    body = {"variables": {"count": "two", "nmae": "A", "history": 1}}
    refused = client.post("name/team__chat/render", json=body)
    assert refused.status_code == 400
    told = refused.json()
    assert (told["code"], told["attr"]) == ("invalid_variables", "variables")
    assert (told["unknown"], told["invalid"].keys()) == (["nmae"], {"count", "history"})
    assert client.post("name/logic/render", json={}).json()["missing"] == ["name", "vip"]


def test_render_writes_nothing_and_needs_to_read_only(client: httpx.Client, repo: GitRepo) -> None:
    before = repo.head()
    client.post("name/logic/render", json={"variables": {"vip": 1, "name": "x"}})
    assert repo.head() == before
    assert client.post("name/nope/render", json={}).status_code == 404
