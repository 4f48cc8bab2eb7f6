"""The files of a store as resources, and its skills."""

from __future__ import annotations

import base64
import hashlib
import logging
from typing import Any

import pytest
from mcp import Client, types
from pydantic import ConfigDict

from promptstore import PromptStore
from tests.gitrepo import GitRepo
from tests.mcp.conftest import SKILL, TRIAGE, Ask, refusal

GREET = "promptstore:///prompts/greet.yaml"
PDF = "skill://skills/pdf/SKILL.md"


async def listed(client: Client) -> dict[str, types.Resource]:
    return {resource.uri: resource for resource in (await client.list_resources()).resources}


def read(ask: Ask, uri: str) -> str:
    (content,) = ask(lambda client: client.read_resource(uri)).contents
    assert isinstance(content, types.TextResourceContents)
    return content.text


class Anything(types.Result):
    """A result that the SDK has no type for."""

    model_config = ConfigDict(extra="allow")


async def request(client: Client, method: str, **params: Any) -> dict[str, Any]:
    """Ask for what the SDK has no method for, as a client of the extension does."""
    asked = types.Request[dict[str, Any], str](method=method, params=params)
    found = await client.session.send_request(asked, Anything)
    return found.model_dump(by_alias=True)


def test_the_files_of_prompts_and_skills(ask: Ask) -> None:
    found = ask(listed)
    assert list(found) == [
        "promptstore:///prompts/gone.yaml",
        GREET,
        "promptstore:///prompts/support/triage.yaml",
        PDF,
        "skill://skills/pdf/templates/invoice.md",
    ]
    assert {found[uri].mime_type for uri in found if "yaml" in uri} == {"application/yaml"}
    skill = found[PDF]
    assert (skill.name, skill.description) == ("pdf", "Fill in forms.")
    assert skill.mime_type == "text/markdown"


def test_a_file_at_a_version_and_a_label(ask: Ask, repo: GitRepo) -> None:
    PromptStore.open(repo.path).set_label("greet", "production", version=1)
    assert read(ask, GREET) == "prompt: Hello {{ name }}\n"
    assert read(ask, f"{GREET}?version=1") == "prompt: Hi {{ name }}\n"
    assert read(ask, f"{GREET}?label=production") == "prompt: Hi {{ name }}\n"
    assert read(ask, "promptstore:///prompts/support/triage.yaml") == TRIAGE
    assert read(ask, PDF) == SKILL


def test_a_broken_file_can_be_read_and_one_that_is_no_text(ask: Ask, repo: GitRepo) -> None:
    repo.commit({"prompts/broken.yaml": "promt: x\n", "prompts/skills/pdf/a.bin": b"\xff\x00"})
    assert read(ask, "promptstore:///prompts/broken.yaml") == "promt: x\n"
    asked = "skill://skills/pdf/a.bin"
    (content,) = ask(lambda client: client.read_resource(asked)).contents
    assert isinstance(content, types.BlobResourceContents)
    assert base64.b64decode(content.blob) == b"\xff\x00"


@pytest.mark.parametrize(
    "uri",
    [
        "promptstore:///prompts/none.yaml",
        "promptstore:///prompts/../secret.yaml",
        "promptstore:///prompts/%2e%2e/secret.yaml",
        "promptstore:///etc/passwd",
        "promptstore://host/prompts/greet.yaml",
        "file:///etc/passwd",
        f"{GREET}?version=9",
        f"{GREET}?version=x",
        f"{GREET}?version={'9' * 5_000}",
        "promptstore://[",
        f"{GREET}?rev=main",
        f"{GREET}?label=nowhere",
        "skill://skills/pdf/../../greet.yaml",
        "skill://skills/pdf",
    ],
)
def test_what_is_not_served(ask: Ask, repo: GitRepo, uri: str) -> None:
    repo.commit({"secret.yaml": "prompt: secret\n"})
    error = refusal(ask, lambda client: client.read_resource(uri))
    assert (error.code, error.data) == (types.INVALID_PARAMS, {"uri": uri})


def test_the_form_of_uris_and_its_completion(ask: Ask, repo: GitRepo) -> None:
    PromptStore.open(repo.path).set_label("greet", "production", version=1)

    async def complete(client: Client) -> list[list[str]]:
        (template,) = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "promptstore:///prompts/{+name}.yaml{?version,label}"
        reference = types.ResourceTemplateReference(uri=template.uri_template)
        found = []
        for name, typed in (("name", "s"), ("version", ""), ("label", "p"), ("other", "")):
            one = await client.complete(
                reference, {"name": name, "value": typed}, context_arguments={"name": "greet"}
            )
            found.append(one.completion.values)
        return found

    assert ask(complete) == [["support/triage"], ["2", "1"], ["production"], []]


def test_a_skill_has_its_front_matter_and_the_digests_of_all_files(ask: Ask) -> None:
    found = ask(lambda client: request(client, "skills/list"))
    (skill,) = found["skills"]
    assert skill["frontmatter"] == {
        "name": "pdf",
        "description": "Fill in forms.",
        "metadata": {"since": "2024-01-01", "reviewed": "yes"},
    }
    files = {PDF: SKILL, "skill://skills/pdf/templates/invoice.md": "# Invoice\n"}
    assert (skill["uri"], skill["resources"]) == (
        PDF,
        [
            {
                "uri": uri,
                "digest": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
                "size": len(text.encode()),
            }
            for uri, text in files.items()
        ],
    )
    assert (found["ttlMs"], found["cacheScope"]) == (5_000, "private")
    assert ask(lambda client: request(client, "skills/get", uri=PDF))["skill"] == skill


def test_a_commit_changes_a_digest(ask: Ask, repo: GitRepo) -> None:
    def digests() -> list[str]:
        (skill,) = ask(lambda client: request(client, "skills/list"))["skills"]
        return [file["digest"] for file in skill["resources"]]

    before = digests()
    repo.commit({"prompts/skills/pdf/templates/invoice.md": "# Bill\n"})
    after = digests()
    assert (after[0], after[1] != before[1]) == (before[0], True)


def test_the_folders_of_a_skill(ask: Ask) -> None:
    def children(uri: str) -> dict[str, str]:
        found = ask(lambda client: request(client, "resources/directory/read", uri=uri))
        return {one["uri"]: one["mimeType"] for one in found["resources"]}

    folder = "inode/directory"
    assert children("skill://skills/pdf") == {
        PDF: "text/markdown",
        "skill://skills/pdf/templates": folder,
    }
    assert children("skill://skills") == {"skill://skills/pdf": folder}


@pytest.mark.parametrize(
    ("method", "uri"),
    [
        ("skills/get", "skill://skills/none/SKILL.md"),
        ("skills/get", "skill://skills/pdf/templates/invoice.md"),
        ("resources/directory/read", PDF),
        ("resources/directory/read", "skill://skills/none"),
    ],
)
def test_no_such_skill_or_folder(ask: Ask, method: str, uri: str) -> None:
    error = refusal(ask, lambda client: request(client, method, uri=uri))
    assert (error.code, uri in error.message) == (types.INVALID_PARAMS, True)


GOOD = "---\nname: one\ndescription: Does it.\n---\n"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"one/SKILL.md": "# None\n"}, "the name in its SKILL.md"),
        ({"one/SKILL.md": GOOD.replace("one", "One")}, "the name in its SKILL.md"),
        ({"two/SKILL.md": GOOD}, "its folder is 'two'"),
        ({"one/SKILL.md": "---\nname: one\n---\n"}, "needs a description"),
        ({"one/SKILL.md": "---\nname: [\n---\n"}, "not YAML"),
        ({"one/SKILL.md": b"\xff"}, "not UTF-8"),
        ({"one/SKILL.md": GOOD, **{f"one/{n}": "" for n in range(512)}}, "more than 512 files"),
        ({"one/SKILL.md": GOOD, "one/large": b"x" * (1 << 24)}, "larger than 16 MiB"),
    ],
)
def test_a_folder_that_is_no_skill(
    ask: Ask,
    repo: GitRepo,
    caplog: pytest.LogCaptureFixture,
    files: dict[str, str | bytes],
    reason: str,
) -> None:
    repo.commit({f"prompts/{path}": text for path, text in files.items()})
    with caplog.at_level(logging.WARNING, "promptstore.mcp"):
        found = ask(lambda client: request(client, "skills/list"))
    assert [skill["uri"] for skill in found["skills"]] == [PDF]
    assert reason in caplog.text


def test_a_skill_in_a_skill_belongs_to_both(ask: Ask, repo: GitRepo) -> None:
    repo.commit({"prompts/skills/pdf/one/SKILL.md": GOOD})
    inner = "skill://skills/pdf/one/SKILL.md"
    found = ask(lambda client: request(client, "skills/list"))
    by_uri = {skill["uri"]: skill for skill in found["skills"]}
    assert set(by_uri) == {PDF, inner}
    assert inner in {file["uri"] for file in by_uri[PDF]["resources"]}
