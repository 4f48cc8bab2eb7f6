"""What the API does in git, and what git does in the API."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from promptstore.posthog.content import encode_name
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.server.listening import Server, rows_of
from tests.writing.conftest import assert_tidy

GRACE = "Grace Hopper <grace@example.com>"


def subjects(repo: GitRepo, branch: str = "main") -> list[str]:
    return repo.git("log", "--format=%s", branch).splitlines()


def test_each_write_is_a_commit_by_the_user_of_the_key(
    server: Server, client: httpx.Client, repo: GitRepo
) -> None:
    client.headers["Authorization"] = f"Bearer {server.key_for(user=GRACE)}"
    client.post("", json={"name": "a", "prompt": "One", "version_description": "First words"})
    client.patch("name/a", json={"base_version": 1, "prompt": "Two"})
    client.post("name/a/archive")
    client.post("name/a/unarchive")
    assert subjects(repo) == ["Restore a", "Delete a", "Update a", "First words", "Sum up"]
    assert set(repo.git("log", "-4", "--format=%an <%ae>").splitlines()) == {GRACE}
    assert (repo.path / "prompts/a.yaml").read_text() == "template: simple\nprompt: Two\n"
    assert_tidy(repo)


def test_a_label_is_a_move_on_the_labels_branch(client: httpx.Client, repo: GitRepo) -> None:
    made = client.put("name/summarise/labels/production", json={"version": 1})
    assert made.status_code == 201
    again = client.put("name/summarise/labels/production", json={"version": 1})
    assert (again.status_code, again.json()) == (200, made.json())
    assert subjects(repo, "promptstore/labels") == ["Point production at summarise version 1"]
    assert PromptStore.open(repo.path).get("summarise", label="production").version == 1
    assert client.delete("name/summarise/labels/production").status_code == 204
    assert client.delete("name/summarise/labels/production").status_code == 404


def test_what_people_commit_is_there_at_the_next_request(
    client: httpx.Client, repo: GitRepo
) -> None:
    assert client.get("name/fresh").status_code == 404
    repo.commit({"prompts/fresh.yaml": "prompt: Hello\n"}, "Say hello\n\nAs asked for.")
    found = client.get("name/fresh").json()
    assert (found["prompt"], found["version"], found["is_latest"]) == ("Hello", 1, True)
    (row,) = rows_of(client.get("", params={"search": "Hello"}))
    assert row["version_description"] == "Say hello\n\nAs asked for."
    assert (row["created_by"]["first_name"], row["created_by"]["email"]) == (
        "Ada",
        "ada@example.com",
    )
    repo.commit({"prompts/fresh.yaml": None})
    assert client.get("name/fresh").status_code == 404


def test_an_id_survives_versions_archives_and_renames(client: httpx.Client, repo: GitRepo) -> None:
    first = client.post("", json={"name": "a", "prompt": "One"}).json()["id"]
    client.patch("name/a", json={"base_version": 1, "prompt": "Two"})
    client.post("name/a/archive")
    assert client.post("name/a/unarchive").json()["id"] == first
    renamed = client.patch(first, json={"name": "b"})
    assert (renamed.json()["id"], renamed.json()["name"]) == (first, "b")
    store = PromptStore.open(repo.path)
    assert store.get("b").id == first
    assert store.get("a", deleted=True).replaced_by == "b"
    assert subjects(repo)[0] == "Rename a to b"
    assert client.get(first).json()["name"] == "b"
    assert client.get(f"name/{first}").json()["name"] == "b"
    assert client.get("name/a").status_code == 404


def test_a_name_that_is_used_again_gets_another_id(client: httpx.Client) -> None:
    first = client.post("", json={"name": "a", "prompt": "One"}).json()["id"]
    client.patch(first, json={"name": "b"})
    second = client.post("", json={"name": "a", "prompt": "New"}).json()["id"]
    assert second != first
    assert client.get(first).json()["name"] == "b"
    assert client.get(second).json()["name"] == "a"


def test_ids_are_the_same_on_a_clone(client: httpx.Client, repo: GitRepo, tmp_path: Path) -> None:
    from promptstore.server.projects import Project
    from promptstore.server.reading import find_by_name
    from promptstore.server.settings import ProjectSettings

    repo.clone(tmp_path / "clone", "--bare")
    cloned = Project(ProjectSettings(7, tmp_path / "clone"))
    there = find_by_name(cloned, "summarise")
    assert cloned.id_of(there.snapshot, there.prompt) == client.get("name/summarise").json()["id"]


def test_the_id_in_a_file_is_the_id(client: httpx.Client, repo: GitRepo) -> None:
    own = "0A1B2C3D-0000-4000-8000-00000000ABCD"
    repo.commit({"prompts/own.yaml": f"prompt: x\nid: {own.lower()}\n"})
    assert client.get("name/own").json()["id"] == own.lower()
    assert client.get(own).json()["name"] == "own"
    assert client.get(own.replace("-", "")).json()["name"] == "own"


CHAT = """\
# Kept by every write.
messages:
  - role: system
    content: Be {{ tone }}
  - insert: history
  - role: user
    content: |
      Line – one
      “two”
"""
CHAT_JSON: list[dict[str, Any]] = [
    {"role": "system", "content": "Be {{ tone }}"},
    {"insert": "history"},
    {"role": "user", "content": "Line – one\n“two”\n"},
]


def test_a_chat_prompt_is_a_json_text_and_stays_one(client: httpx.Client, repo: GitRepo) -> None:
    repo.commit({"prompts/chat.yaml": CHAT})
    text = client.get("name/chat").json()["prompt"]
    assert json.loads(text) == [
        {"role": "system", "content": "Be {{tone}}"},
        *CHAT_JSON[1:],
    ]
    body = {"base_version": 1, "prompt": text.replace("Be ", "Stay ")}
    assert client.patch("name/chat", json=body).json()["version"] == 2
    assert (repo.path / "prompts/chat.yaml").read_text() == CHAT.replace("Be ", "Stay ")


def test_the_whole_prompt_is_given_on_request(client: httpx.Client, repo: GitRepo) -> None:
    repo.commit({"prompts/chat.yaml": CHAT})
    native = client.get("name/chat", params={"format": "native"}).json()
    assert native["content"] == {"messages": CHAT_JSON}
    assert (native["git_name"], native["commit"]) == ("chat", repo.head())
    assert client.get(native["id"], params={"format": "native"}).json() == native
    assert client.get("name/chat", params={"format": "yaml"}).status_code == 404


def test_json_that_is_no_list_of_messages_stays_json(client: httpx.Client) -> None:
    made = client.post("", json={"name": "obj", "prompt": {"a": [1, None]}}).json()
    assert made["prompt"] == '{"a": [1, null]}'
    assert client.get(made["id"]).json()["prompt"] == {"a": [1, None]}
    client.patch("name/obj", json={"base_version": 1, "prompt": "text"})
    assert client.get(made["id"]).json()["prompt"] == "text"


def test_comments_and_everything_else_of_a_file_survive_a_publish(
    client: httpx.Client, repo: GitRepo
) -> None:
    file = "# Why\ndescription: Greets\nprompt: Hi {{ name }}  # short\nconfig:\n  top_p: 1\n"
    repo.commit({"prompts/greet.yaml": file})
    client.patch("name/greet", json={"base_version": 1, "prompt": "Hello {{ name }}"})
    expected = file.replace("Hi ", "Hello ")
    assert (repo.path / "prompts/greet.yaml").read_text() == expected


def test_a_text_that_is_no_template_of_the_file_is_refused(
    client: httpx.Client, repo: GitRepo
) -> None:
    repo.commit({"prompts/greet.yaml": "prompt: Hi {{ name }}\n"})
    refused = client.patch("name/greet", json={"base_version": 1, "prompt": "{% if %}"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_template")
    assert client.post("", json={"name": "free", "prompt": "{% if %} {{"}).status_code == 201


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("support/triage", "support__triage"),
        ("v1.2", "-v1_d2"),
        ("snake_case/a.b", "-snake_ucase__a_db"),
        ("snake_case", "snake_case"),
    ],
)
def test_names_of_git_are_spelled_so_that_the_api_can_hold_them(
    client: httpx.Client, repo: GitRepo, name: str, spelled: str
) -> None:
    repo.commit({f"prompts/{name}.yaml": "prompt: Hi\n"})
    assert spelled in {row["name"] for row in rows_of(client.get(""))}
    for asked in (spelled, name.replace("/", "%2F")):
        assert client.get(f"name/{asked}").json()["name"] == spelled
    written = client.patch(f"name/{spelled}", json={"base_version": 1, "prompt": "Ho"})
    assert written.json()["version"] == 2
    assert "Ho" in (repo.path / f"prompts/{name}.yaml").read_text()


def test_a_prompt_in_a_folder_is_made_by_its_spelling(client: httpx.Client, repo: GitRepo) -> None:
    made = client.post("", json={"name": encode_name("team/new.one"), "prompt": "x"})
    assert made.json()["name"] == "-team__new_done"
    assert (repo.path / "prompts/team/new.one.yaml").is_file()


def test_a_broken_file_hides_no_other_prompt(
    client: httpx.Client, repo: GitRepo, caplog: pytest.LogCaptureFixture
) -> None:
    repo.commit({"prompts/broken.yaml": "prompt: [\n"})
    assert [row["name"] for row in rows_of(client.get(""))] == ["summarise"]
    assert "left out of a list: prompts/broken.yaml:2:1" in caplog.text
    answer = client.get("name/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "broken_prompt_file")
    assert "prompts/broken.yaml:2:1" in answer.json()["detail"]


def test_work_on_disk_is_not_overwritten(client: httpx.Client, repo: GitRepo) -> None:
    repo.write("prompts/summarise.yaml", "prompt: My draft\n")
    body = {"base_version": 1, "prompt": "x"}
    answer = client.patch("name/summarise", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert client.get("name/summarise").json()["version"] == 1
    assert (repo.path / "prompts/summarise.yaml").read_text() == "prompt: My draft\n"


def test_an_included_prompt_is_not_taken_away(client: httpx.Client, repo: GitRepo) -> None:
    files = {
        "prompts/part.yaml": "prompt: Kind\n",
        "prompts/a/b.yaml": "prompt: '{% include \"part\" %}'\n",
    }
    repo.commit(files)
    own = client.get("name/part").json()["id"]
    for refused in (
        client.post("name/part/archive"),
        client.patch(own, json={"deleted": True}),
        client.patch(own, json={"name": "piece"}),
    ):
        assert (refused.status_code, refused.json()["referencing_prompts"]) == (409, ["a__b"])


def test_a_tombstone_by_id_is_an_archive(client: httpx.Client, repo: GitRepo) -> None:
    own = client.get("name/summarise").json()["id"]
    client.put("name/summarise/labels/production", json={"version": 1})
    answer = client.patch(own, json={"deleted": True})
    assert (answer.status_code, answer.json()["deleted"]) == (200, True)
    assert "etag" not in answer.headers
    assert subjects(repo)[0] == "Delete summarise"
    assert client.get(own).status_code == client.get("name/summarise").status_code == 404
    assert "summarise" not in PromptStore.open(repo.path).labels().targets.get("production", {})
    restored = client.post("name/summarise/unarchive").json()
    assert (restored["id"], restored["labels"]) == (own, [])


def test_the_last_words_of_a_prompt_are_kept(client: httpx.Client, repo: GitRepo) -> None:
    own = client.get("name/summarise").json()["id"]
    client.patch(own, json={"prompt": "Last words", "deleted": True})
    assert PromptStore.open(repo.path).get("summarise", deleted=True).prompt == "Last words"
    assert len(subjects(repo)) == 2


def test_an_archived_name_goes_on_counting_without_its_labels(client: httpx.Client) -> None:
    client.put("name/summarise/labels/production", json={"version": 1})
    client.post("name/summarise/archive")
    for query in ({}, {"version": 1}, {"label": "production"}):
        assert client.get("name/summarise", params=query).status_code == 404
    made = client.post("", json={"name": "summarise", "prompt": "Anew"}).json()
    assert (made["version"], made["labels"], made["prompt"]) == (3, [], "Anew")
    assert client.get("name/summarise", params={"label": "production"}).status_code == 404


def test_unarchive_needs_an_archived_prompt(client: httpx.Client) -> None:
    assert client.post("name/summarise/unarchive").json()["code"] == "unique"
    assert client.post("name/nope/unarchive").status_code == 404


def test_a_version_says_when_it_was_made_and_the_prompt_when_it_was(
    client: httpx.Client, repo: GitRepo
) -> None:
    repo.commit({"prompts/summarise.yaml": "prompt: Newer\n"})
    times = repo.git("log", "--reverse", "--format=%ct").splitlines()
    first, second = (int(time) for time in times)
    by_name = client.get("name/summarise").json()
    by_id = client.get(by_name["id"]).json()

    def seconds(text: str) -> float:
        return datetime.fromisoformat(text).timestamp()

    assert seconds(by_name["created_at"]) == seconds(by_name["updated_at"]) == second
    assert seconds(by_name["first_version_created_at"]) == first
    assert seconds(by_id["created_at"]) == first
    assert seconds(by_id["updated_at"]) == second


def test_diff_tells_what_changed(client: httpx.Client) -> None:
    body = {"base_version": 1, "prompt": "Sum it up: {{text}}", "config": {"top_p": 1}}
    client.patch("name/summarise", json=body)
    change = client.get("name/summarise/diff", params={"from": 1, "to": 2}).json()
    assert change["changes"] == ["config.top_p added: 1"]
    (text,) = change["texts"]
    assert text["diff"].splitlines()[1:] == ["-Sum up: {{text}}", "+Sum it up: {{text}}"]
    assert client.get("name/summarise/diff").json() == change
    assert client.get("name/summarise/diff", params={"to": 9}).status_code == 404
    assert client.get("name/summarise/diff", params={"to": 0}).status_code == 400


@pytest.mark.parametrize("deleted", [True, "true", "yes", 1])
def test_a_prompt_can_be_made_as_a_tombstone(
    client: httpx.Client, repo: GitRepo, deleted: object
) -> None:
    made = client.post("", json={"name": "a", "prompt": "Old", "deleted": deleted})
    assert (made.status_code, made.json()["deleted"], made.json()["version"]) == (201, True, 1)
    assert client.get("name/a").status_code == 404
    assert PromptStore.open(repo.path).get("a", deleted=True).prompt == "Old"
    assert client.post("", json={"name": "a", "prompt": "New"}).json()["version"] == 2
    taken = client.post("", json={"name": "summarise", "prompt": "x", "deleted": deleted})
    assert (taken.status_code, taken.json()["code"]) == (400, "unique")


def test_nothing_is_deleted_for_good(client: httpx.Client) -> None:
    own = client.get("name/summarise").json()["id"]
    for text in (own, "0d1f7a52-3c52-4c5b-9f3c-6a2f0d3b7e10", "no-id"):
        answer = client.delete(text)
        assert (answer.status_code, answer.content) == (405, b"")
        assert answer.headers["allow"] == "GET, HEAD, PATCH, PUT"
    assert client.get(own).status_code == 200


@pytest.mark.parametrize("body", ["{", "[]", "null", '{"name": ""}', '{"deleted": "maybe"}'])
def test_an_unknown_id_is_told_before_the_body_is_looked_at(
    client: httpx.Client, body: str
) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("0d1f7a52-3c52-4c5b-9f3c-6a2f0d3b7e10", "no-id"):
        assert client.patch(path, content=body, headers=headers).status_code == 404
    known = client.get("name/summarise").json()["id"]
    assert client.patch(known, content=body, headers=headers).status_code == 400


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        (
            {"version": 2},
            "No prompt matching 'summarise' at version 2. "
            "Fetch without a version to get the latest version.",
        ),
        (
            {"label": "staging"},
            "No prompt matching 'summarise' with label 'staging'. "
            "Fetch without a label to get the latest version.",
        ),
    ],
)
def test_a_missing_version_or_label_says_what_to_do(
    client: httpx.Client, query: dict[str, Any], detail: str
) -> None:
    answer = client.get("name/summarise", params=query)
    assert (answer.status_code, answer.json()) == (404, {"detail": detail})


def test_a_double_underscore_makes_a_folder(client: httpx.Client, repo: GitRepo) -> None:
    made = client.post("", json={"name": "a__b", "prompt": "x"}).json()
    assert made["name"] == "a__b"
    assert (repo.path / "prompts/a/b.yaml").is_file()
    assert client.get("name/a%2Fb").json()["id"] == made["id"]


def test_a_read_by_name_tells_who_made_the_version(client: httpx.Client) -> None:
    person = client.get("name/summarise").json()["created_by"]
    assert (person["first_name"], person["email"]) == ("Ada", "ada@example.com")


@pytest.mark.parametrize(
    "description",
    [
        "Shorter\n\nRemote-Id: 7",
        "Shorter\n\nRemote-Id: 7\nand more",
        "Shorter\n \t\nSigned-off-by: Eve <eve@example.com>",
        "Shorter\u2028\u2028Remote-Id: 7",
        "Shorter\r\rRemote-Id : 7",
    ],
)
def test_a_description_brings_no_trailers(
    client: httpx.Client, repo: GitRepo, description: str
) -> None:
    body = {"base_version": 1, "prompt": "New", "version_description": description}
    made = client.patch("name/summarise", json=body)
    assert made.status_code == 200
    assert repo.git("log", "-1", "--format=%(trailers)") == ""
    shown = made.json()["version_description"]
    assert [line.split() for line in shown.splitlines() if line.strip()] == [
        line.split() for line in description.splitlines() if line.strip()
    ]


def test_a_branch_in_the_way_of_the_labels_is_named(client: httpx.Client, repo: GitRepo) -> None:
    repo.git("branch", "promptstore")
    refused = client.put("name/summarise/labels/production", json={"version": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "'promptstore'" in refused.json()["detail"]
    repo.git("branch", "-m", "promptstore", "other")
    assert client.put("name/summarise/labels/production", json={"version": 1}).is_success
