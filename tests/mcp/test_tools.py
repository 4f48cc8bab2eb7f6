"""The tools of an agent."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, types

from promptstore import PromptStore
from promptstore.mcp.access import Access
from promptstore.mcp.server import create_server
from promptstore.mcp.tools import call_tool
from tests.gitrepo import GitRepo
from tests.mcp.conftest import TRIAGE, Ask, refusal

WRITE = "propose_change"
NAMES = [
    "search_prompts",
    "get_prompt",
    "prompt_history",
    "diff_prompt",
    "render_prompt",
    "check_prompt",
    WRITE,
]


def call(ask: Ask, tool: str, arguments: dict[str, Any], **access: Any) -> dict[str, Any]:
    found = ask(lambda client: client.call_tool(tool, arguments), **access)
    assert not found.is_error, found.content
    result: dict[str, Any] = found.structured_content or {}
    return result


def failure(ask: Ask, tool: str, arguments: dict[str, Any], **access: Any) -> str:
    """Return what a model reads of a call that fails."""
    found = ask(lambda client: client.call_tool(tool, arguments), **access)
    assert found.is_error
    (content,) = found.content
    assert isinstance(content, types.TextContent)
    return content.text


def test_the_tools_say_what_they_take(ask: Ask) -> None:
    async def tools(client: Client) -> dict[str, types.Tool]:
        return {tool.name: tool for tool in (await client.list_tools()).tools}

    found = ask(tools)
    assert list(found) == NAMES
    assert [name for name, tool in found.items() if not _reads_only(tool)] == [WRITE]
    assert found["get_prompt"].input_schema["required"] == ["name"]
    assert list(ask(tools, may_write=False)) == NAMES[:-1]


def _reads_only(tool: types.Tool) -> bool:
    return tool.annotations is not None and tool.annotations.read_only_hint is True


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({}, ["greet", "support/triage"]),
        ({"query": "TICKET"}, ["support/triage"]),
        ({"prefix": "support/"}, ["support/triage"]),
        ({"tag": "support"}, ["support/triage"]),
        ({"deleted": True}, ["gone", "greet", "support/triage"]),
        ({"limit": 1}, ["greet"]),
    ],
)
def test_search(ask: Ask, arguments: dict[str, Any], names: list[str]) -> None:
    found = call(ask, "search_prompts", arguments)
    assert [row["name"] for row in found["prompts"]] == names
    assert found["total"] == (2 if arguments.get("limit") else len(names))


def test_search_tells_of_broken_files(ask: Ask, repo: GitRepo) -> None:
    repo.commit({"prompts/broken.yaml": "promt: x\n"})
    (sentence,) = call(ask, "search_prompts", {})["broken"]
    assert "prompts/broken.yaml" in sentence
    assert "did you mean 'prompt'" in sentence.lower()


def test_a_prompt_at_any_version_or_label(ask: Ask, repo: GitRepo) -> None:
    PromptStore.open(repo.path).set_label("greet", "production", version=1)
    newest = call(ask, "get_prompt", {"name": "greet"})
    assert (newest["version"], newest["source"]) == (2, "prompt: Hello {{ name }}\n")
    for selected in ({"version": 1}, {"label": "production"}):
        found = call(ask, "get_prompt", {"name": "greet", **selected})
        assert (found["version"], found["labels"]) == (1, ["production"])
        assert found["source"] == "prompt: Hi {{ name }}\n"
    labelled = call(ask, "search_prompts", {"label": "production"})
    assert [(row["name"], row["version"]) for row in labelled["prompts"]] == [("greet", 1)]


def test_a_prompt_says_its_variables_and_that_it_is_deleted(ask: Ask) -> None:
    found = call(ask, "get_prompt", {"name": "support/triage"})
    assert found["variables"]["tier"] == {
        "type": "string",
        "required": False,
        "description": None,
        "enum": ["free", "pro"],
        "default": "free",
    }
    assert found["source"] == TRIAGE
    assert call(ask, "get_prompt", {"name": "gone"})["deleted"] is True


def test_history(ask: Ask) -> None:
    found = call(ask, "prompt_history", {"name": "greet"})
    assert [(row["number"], row["message"]) for row in found["versions"]] == [
        (2, "Say hello\n"),
        (1, "First\n"),
    ]
    assert found["versions"][0]["author"] == "Ada Example <ada@example.com>"
    short = call(ask, "prompt_history", {"name": "greet", "limit": 1})
    assert (len(short["versions"]), short["total"]) == (1, 2)


@pytest.mark.parametrize(
    "ends", [{}, {"before": 1}, {"before": "1", "after": "2"}, {"before": "old", "after": 2}]
)
def test_diff(ask: Ask, repo: GitRepo, ends: dict[str, Any]) -> None:
    PromptStore.open(repo.path).set_label("greet", "old", version=1)
    found = call(ask, "diff_prompt", {"name": "greet", **ends})
    assert (found["before"]["version"], found["after"]["version"]) == (1, 2)
    (text,) = found["texts"]
    assert "-Hi {{ name }}\n+Hello {{ name }}" in text["diff"]


def test_there_is_nothing_before_the_first_version(ask: Ask) -> None:
    assert "no version before version 1" in failure(ask, "diff_prompt", {"name": "support/triage"})


def test_render(ask: Ask) -> None:
    found = call(ask, "render_prompt", {"name": "greet", "variables": {"name": "Ada"}})
    assert (found["text"], found["version"]) == ("Hello Ada", 2)
    old = {"name": "greet", "variables": {"name": "Ada"}, "version": 1}
    assert call(ask, "render_prompt", old)["text"] == "Hi Ada"
    values = {"product": "Acme", "limit": 1}
    chat = call(ask, "render_prompt", {"name": "support/triage", "variables": values})
    assert chat["messages"][0]["role"] == "system"
    assert chat["config"] == {"model": "gpt-x"}
    assert "text" not in chat
    assert "'name' is missing" in failure(ask, "render_prompt", {"name": "greet"})


def test_check(ask: Ask, repo: GitRepo) -> None:
    before = repo.git("rev-parse", "main")
    good = call(ask, "check_prompt", {"name": "greet", "source": "prompt: Hey {{ name }}\n"})
    assert good == {"ok": True, "findings": []}
    bad = call(ask, "check_prompt", {"name": "greet", "source": "promt: Hey\n"})
    assert bad["ok"] is False
    assert {finding["name"] for finding in bad["findings"]} == {"greet"}
    assert repo.git("rev-parse", "main") == before


def test_a_proposal_is_a_commit_on_a_new_branch(ask: Ask, repo: GitRepo) -> None:
    before = repo.git("rev-parse", "main")
    change = {"name": "greet", "source": "prompt: Hey {{ name }}\n", "message": "Be brief"}
    found = call(ask, WRITE, change, author="Eve <eve@example.com>")
    branch = found["branch"]
    assert branch.startswith("propose/greet-")
    assert repo.git("log", "-1", "--format=%an %s", branch).strip() == "Eve Be brief"
    assert repo.git("rev-parse", f"{branch}^") == before == repo.git("rev-parse", "main")
    assert found["commit"] == repo.git("rev-parse", branch).strip()
    assert "+Hey {{ name }}" in found["diff"]["texts"][0]["diff"]
    assert repo.git("status", "--porcelain") == ""
    assert "Choose another name" in failure(ask, WRITE, change)


def test_a_new_prompt_is_proposed_under_a_chosen_name(ask: Ask, repo: GitRepo) -> None:
    change = {"name": "a/new", "source": "prompt: x\n", "message": "New", "expected_version": 0}
    found = call(ask, WRITE, {**change, "branch": "mine"})
    assert (found["branch"], found["diff"]) == ("mine", None)
    assert repo.git("show", "mine:prompts/a/new.yaml") == "prompt: x"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": "promt: x\n"}, "did you mean 'prompt'"),
        ({"source": "prompt: \"{% include 'no' %}\"\n"}, "'no'"),
        ({"source": "prompt: Hello {{ name }}\n"}, "nothing to propose"),
        ({"branch": "main"}, "there is a branch 'main' already"),
        ({"branch": "promptstore/labels"}, "promptstore/labels"),
        ({"branch": "a..b"}, "cannot be the name of a branch"),
        ({"expected_version": 7}, "version 7 was expected"),
    ],
)
def test_what_is_not_proposed(ask: Ask, repo: GitRepo, change: dict[str, Any], words: str) -> None:
    sound = {"name": "greet", "source": "prompt: Hey {{ name }}\n", "message": "Be brief"}
    assert words in failure(ask, WRITE, {**sound, **change})
    assert repo.git("branch", "--format=%(refname:short)").split() == ["main"]


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("get_prompt", {"name": "greet", "version": 10**30}, "its versions are 1 to 2"),
        ("diff_prompt", {"name": "greet", "before": 10**30}, "its versions are 1 to 2"),
        ("diff_prompt", {"name": "greet", "after": "9" * 5_000}, "label"),
        ("check_prompt", {"name": "greet", "source": "\ud800"}, "surrogate"),
        (WRITE, {"name": "greet", "source": "\ud800", "message": "x"}, "surrogate"),
    ],
)
def test_what_no_prompt_can_be_is_told(
    repo: GitRepo, tool: str, arguments: dict[str, Any], words: str
) -> None:
    found = call_tool(
        Access(PromptStore.open(repo.path)),
        types.CallToolRequestParams(name=tool, arguments=arguments),
    )
    assert found.is_error
    (content,) = found.content
    assert isinstance(content, types.TextContent)
    assert words in content.text


def test_a_command_to_copy_runs_nothing_else(ask: Ask) -> None:
    change = {"name": "greet", "source": "prompt: x\n", "message": "x", "branch": "a;$IFS`id`"}
    assert "git push origin 'a;$IFS`id`'`" in call(ask, WRITE, change)["next"]


def test_who_may_only_read_proposes_nothing(ask: Ask, repo: GitRepo) -> None:
    change = {"name": "greet", "source": "prompt: x\n", "message": "x"}
    assert "llm_prompt:write" in failure(ask, WRITE, change, may_write=False)
    assert repo.git("branch", "--format=%(refname:short)").split() == ["main"]


def test_a_call_that_is_wrong(ask: Ask) -> None:
    sentence = failure(ask, "get_prompt", {"nme": "greet", "version": 0})
    assert all(word in sentence for word in ("name: Field required", "nme: ", "version: "))
    error = refusal(ask, lambda client: client.call_tool("drop_table", {}))
    assert (error.code, "search_prompts" in error.message) == (types.INVALID_PARAMS, True)


def test_errors_are_the_sentences_of_the_library(ask: Ask) -> None:
    assert "Did you mean 'greet'?" in failure(ask, "get_prompt", {"name": "great"})
    asked = {"name": "greet", "label": "production"}
    assert "production" in failure(ask, "get_prompt", asked)
    both = {"name": "greet", "version": 1, "label": "production"}
    assert "exclude each other" in failure(ask, "get_prompt", both)


@pytest.mark.parametrize("kind", ["folder", "bundle"])
def test_a_store_without_git(repo: GitRepo, tmp_path: Path, kind: str) -> None:
    place = tmp_path / kind
    if kind == "bundle":
        place = place.with_suffix(".bundle")
        place.write_bytes(PromptStore.open(repo.path).bundle().encode())
    else:
        shutil.copytree(repo.path / "prompts", place / "prompts")

    async def use() -> None:
        server = create_server(lambda _: Access(PromptStore.open(place)))
        async with Client(server) as client:
            names = [prompt.name for prompt in (await client.list_prompts()).prompts]
            assert names == ["greet", "support/triage"]
            uris = [resource.uri for resource in (await client.list_resources()).resources]
            assert uris[1:] == [
                "promptstore:///prompts/greet.yaml",
                "promptstore:///prompts/support/triage.yaml",
            ]
            found = await client.call_tool("get_prompt", {"name": "support/triage"})
            assert (found.structured_content or {})["source"] == TRIAGE
            change = {"name": "greet", "source": "prompt: x\n", "message": "x"}
            refused = await client.call_tool("propose_change", change)
            assert refused.is_error

    asyncio.run(use())
