"""Writing what was imported: commits, labels, and nothing the second time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptstore.errors import InvalidArgumentError
from promptstore.interchange.imported import Imported, Refused
from promptstore.interchange.recognition import read_path
from promptstore.store.store import PromptStore
from tests.cli.conftest import Run
from tests.cli.test_commands import fails_with, out
from tests.gitrepo import GitRepo
from tests.writing.conftest import assert_tidy, configure

CASES = Path(__file__).parent.parent / "data" / "import"

VERSIONS: list[dict[str, Any]] = [
    {"name": "support/greet", "version": 2, "type": "text", "prompt": "Hello {{name}}",
     "config": {"model": "m"}, "labels": ["production", "latest"], "tags": ["a"],
     "commitMessage": "Kinder", "createdAt": "2024-05-02T10:00:00.000Z",
     "createdBy": "ann@example.com"},
    {"name": "support/greet", "version": 1, "type": "text", "prompt": "Hi {{name}}",
     "config": {}, "labels": ["staging"], "tags": [], "commitMessage": None,
     "createdAt": "2024-05-01T10:00:00.000Z", "createdBy": "API"},
]  # fmt: skip
THIRD = {**VERSIONS[0], "version": 3, "prompt": "Dear {{name}}", "labels": ["production"],
         "commitMessage": "Politer"}  # fmt: skip


def write_versions(sources: Path, *more: dict[str, Any]) -> str:
    first = [{**VERSIONS[0], "labels": []} if more else VERSIONS[0], VERSIONS[1]]
    path = sources / "export.json"
    path.write_text(json.dumps([*more, *first]))
    return str(path)


def rows(run: Run, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(out(run("import", "--json", *arguments)))
    return found


class TestVersions:
    def test_they_become_commits_and_labels(self, run: Run, repo: GitRepo, sources: Path) -> None:
        assert run("import", write_versions(sources)).exit_code == 0
        log = repo.git("log", "--reverse", "--date=iso-strict", "--format=%an|%ae|%ad|%s|%b")
        assert log.replace("\n\n", "\n").splitlines() == [
            "Ada Example|ada@example.com|2024-05-01T10:00:00+00:00|"
            "Import support/greet from langfuse|Imported: support/greet langfuse 1",
            "ann|ann@example.com|2024-05-02T10:00:00+00:00|Kinder|"
            "Imported: support/greet langfuse 2",
        ]
        # The committer is whoever imports, now.
        assert repo.git("log", "-1", "--format=%cn") == "Ada Example"
        assert repo.git("log", "-1", "--format=%ct") > "1714643999"
        store = PromptStore.open(repo.path)
        assert store.get("support/greet", label="production").prompt == "Hello {{name}}"
        assert store.get("support/greet", label="staging").prompt == "Hi {{name}}"
        assert store.get("support/greet").template == "simple"
        assert_tidy(repo)

    def test_a_second_import_changes_nothing(self, run: Run, repo: GitRepo, sources: Path) -> None:
        path = write_versions(sources)
        run("import", path)
        before = repo.git("for-each-ref")
        assert [row["result"] for row in rows(run, path)] == ["unchanged"]
        assert repo.git("for-each-ref") == before

    def test_a_later_import_brings_the_new_ones(
        self, run: Run, repo: GitRepo, sources: Path
    ) -> None:
        run("import", write_versions(sources))
        [row] = rows(run, write_versions(sources, THIRD))
        assert (row["result"], row["versions"]) == ("imported", 1)
        store = PromptStore.open(repo.path)
        assert [version.subject for version in store.history("support/greet")] == [
            "Politer", "Kinder", "Import support/greet from langfuse",
        ]  # fmt: skip
        assert store.get("support/greet", label="production").version == 3

    def test_a_version_that_changes_nothing_has_the_label_of_the_one_before(
        self, run: Run, repo: GitRepo, sources: Path
    ) -> None:
        same = {**VERSIONS[0], "version": 3, "labels": ["production"]}
        path = write_versions(sources, same)
        run("import", path)
        store = PromptStore.open(repo.path)
        assert len(store.history("support/greet")) == 2
        assert store.get("support/greet", label="production").version == 2
        assert [row["result"] for row in rows(run, path)] == ["unchanged"]

    def test_a_label_that_points_at_a_version_of_ours_stays(
        self, run: Run, repo: GitRepo, sources: Path
    ) -> None:
        path = write_versions(sources)
        run("import", path)
        store = PromptStore.open(repo.path)
        store.save("support/greet", "Ours")
        store.set_label("support/greet", "production")
        run("import", path)
        assert PromptStore.open(repo.path).get("support/greet", label="production").version == 3

    def test_an_edit_made_here_is_not_imported_over(
        self, run: Run, repo: GitRepo, sources: Path
    ) -> None:
        run("import", write_versions(sources))
        store = PromptStore.open(repo.path)
        store.save("support/greet", "Ours")
        path = write_versions(sources, THIRD)
        result = run("import", "--json", path)
        [row] = json.loads(result.stdout)
        assert row["result"] == "refused"
        assert "--replace" in row["reason"]
        assert result.exit_code == 1
        assert PromptStore.open(repo.path).get("support/greet").prompt == "Ours"
        assert rows(run, "--replace", path)[0]["result"] == "imported"
        assert PromptStore.open(repo.path).get("support/greet").prompt == "Dear {{name}}"

    def test_a_broken_file_here_is_left_alone(self, run: Run, repo: GitRepo, sources: Path) -> None:
        repo.commit({"prompts/support/greet.yaml": "promt: x\n"})
        [row] = json.loads(run("import", "--json", write_versions(sources)).stdout)
        assert row["result"] == "refused"
        assert row["reason"].startswith("the prompt here is broken: ")


class TestHistory:
    """All versions to Langfuse, and back."""

    def test_what_comes_back_is_the_same(
        self, run: Run, repo: GitRepo, sources: Path, make_repo: Callable[[str], GitRepo]
    ) -> None:
        run("import", write_versions(sources, THIRD))
        written = out(run("export", "support/greet", "--to", "langfuse", "--history"))
        (sources / "back.json").write_text(written)
        other = configure(make_repo("other"))
        result = run("-C", str(other.path), "import", str(sources / "back.json"))
        assert result.exit_code == 0
        first, second = (self.told(one) for one in (repo, other))
        assert second == first
        assert [row[0] for row in first] == ["Dear {{name}}", "Hello {{name}}", "Hi {{name}}"]

    @staticmethod
    def told(repo: GitRepo) -> list[tuple[Any, ...]]:
        """Return what the versions of the prompt say, by whom, when, why, and their labels."""
        store = PromptStore.open(repo.path)
        return [
            (
                store.get("support/greet", version=one.number).prompt,
                one.author,
                store.repository.commit(one.commit).authored_at,
                one.message,
                one.labels,
            )
            for one in store.history("support/greet")
        ]

    def test_a_deleted_version_is_told(self, run: Run, store: PromptStore) -> None:
        store.save("a", "One")
        store.delete("a")
        store.restore("a")
        result = run("export", "a", "--to", "langfuse", "--history")
        assert [record["version"] for record in json.loads(result.stdout)] == [1, 3]
        assert "version 2 is deleted, which has no place there" in result.stderr

    def test_other_formats_know_no_versions(self, run: Run, store: PromptStore) -> None:
        store.save("a", "One")
        fails_with(run("export", "a", "--to", "github", "--history"), "github knows no versions")


TONE = {"name": "shared/tone", "type": "text"}
REPLY = {"name": "reply", "version": 1, "type": "chat", "labels": ["production"]}


class TestReferences:
    """What one prompt of Langfuse has of another one."""

    @pytest.fixture
    def path(self, sources: Path) -> str:
        content = "  @@@langfusePrompt:name=shared/tone|label=production@@@\nGreet {{name}} {%.\n"
        records: list[dict[str, Any]] = [
            {**TONE, "version": 1, "prompt": "Be loud."},
            {**TONE, "version": 2, "prompt": "Be {{tone}}.", "labels": ["production"]},
            {**REPLY, "prompt": [{"role": "system", "content": content}]},
        ]
        file = sources / "export.json"
        file.write_text(json.dumps(records))
        return str(file)

    def test_they_become_includes(self, run: Run, repo: GitRepo, path: str) -> None:
        found = rows(run, "--strict", path)
        assert [(row["name"], row["losses"]) for row in found] == [
            ("shared/tone", []),
            ("reply", []),
        ]
        store = PromptStore.open(repo.path)
        rendered = store.render("reply", tone="kind", name="Ada")
        assert rendered.messages == [{"role": "system", "content": "  Be kind.\nGreet Ada {%.\n"}]
        assert [*store.get("reply").includes] == ["shared/tone"]
        assert [row["result"] for row in rows(run, path)] == ["unchanged", "unchanged"]

    def test_a_folder_before_the_names_is_put_before_those_too(
        self, run: Run, repo: GitRepo, path: str
    ) -> None:
        rows(run, "--prefix", "old", path)
        assert [*PromptStore.open(repo.path).get("old/reply").includes] == ["old/shared/tone"]

    def test_one_to_an_older_version_is_a_loss(self, sources: Path) -> None:
        records = [
            {**TONE, "version": 1, "prompt": "Be loud."},
            {**TONE, "version": 2, "prompt": "Be kind."},
            {**REPLY, "type": "text", "prompt": "@@@langfusePrompt:name=shared/tone|version=1@@@"},
        ]
        (sources / "x.json").write_text(json.dumps(records))
        _, found = read_path(sources / "x.json")
        assert isinstance(found, Imported)
        assert found.losses == (
            "the reference to the version 1 of shared/tone is to its text in the same commit here",
        )
        assert found.prompt.content == {
            "prompt": '{%+ include "shared/tone" +%}',
            "x-langfuse": {"references": ["name=shared/tone|version=1"]},
        }

    def test_a_variable_that_jinja2_cannot_have_keeps_it_out(self, sources: Path) -> None:
        text = "{{a-b}} @@@langfusePrompt:name=x|label=latest@@@"
        (sources / "x.json").write_text(json.dumps({**REPLY, "type": "text", "prompt": text}))
        [found] = read_path(sources / "x.json")
        assert isinstance(found, Refused)
        assert "'a-b' beside a reference to another prompt is no name here" in found.reason


def commit(number: int, parent: int | None, text: str, **more: Any) -> dict[str, Any]:
    """A commit of LangSmith's hub."""
    template = {
        "lc": 1, "type": "constructor", "id": ["langchain", "PromptTemplate"],
        "kwargs": {"template": text, "template_format": "f-string"},
    }  # fmt: skip
    return {
        "commit_hash": f"{number}" * 8,
        "parent_commit_hash": parent and f"{parent}" * 8,
        "full_name": "acme/greet",
        "manifest": template,
        **more,
    }


class TestManifests:
    """A series of LangSmith's manifests."""

    def test_they_become_commits(self, run: Run, repo: GitRepo, sources: Path) -> None:
        # Newest first, as the API lists them.
        series = {
            "total": 3,
            "commits": [
                commit(9, 2, "Dear {name}", created_at="2024-05-03T10:00:00Z", tags=["production"]),
                commit(2, 7, "Hello {name}", created_at="2024-05-02T10:00:00Z",
                       description="Kinder", created_by="ann@example.com"),
                commit(7, None, "Hi {name}", created_at="2024-05-01T10:00:00Z",
                       tags=[{"tag_name": "staging"}]),
            ],
        }  # fmt: skip
        path = sources / "commits.json"
        path.write_text(json.dumps(series))
        assert [(row["name"], row["versions"]) for row in rows(run, str(path))] == [("greet", 3)]
        store = PromptStore.open(repo.path)
        texts = [store.get("greet", version=number).prompt for number in (1, 2, 3)]
        assert texts == ["Hi {{name}}", "Hello {{name}}", "Dear {{name}}"]
        log = repo.git("log", "--reverse", "--date=iso-strict", "--format=%an|%ad|%s").splitlines()
        assert log[1] == "ann|2024-05-02T10:00:00+00:00|Kinder"
        assert store.get("greet", label="production").version == 3
        assert store.get("greet", label="staging").version == 1
        assert [row["result"] for row in rows(run, str(path))] == ["unchanged"]

    def test_without_times_parents_say_the_order(self, sources: Path) -> None:
        series = [commit(3, 1, "c"), commit(8, None, "a"), commit(1, 8, "b")]
        (sources / "x.json").write_text(json.dumps(series))
        [found] = read_path(sources / "x.json")
        assert isinstance(found, Imported)
        assert [version.prompt.prompt for version in found.versions] == ["a", "b", "c"]
        assert found.versions[0].key == "langsmith 88888888"

    def test_commits_that_are_their_own_parents_come_in(self, sources: Path) -> None:
        series = [commit(1, 2, "a"), commit(2, 1, "b")]
        (sources / "x.json").write_text(json.dumps(series))
        [found] = read_path(sources / "x.json")
        assert isinstance(found, Imported)
        assert len(found.versions) == 2


class TestFolder:
    def test_all_cases_come_in_as_one_commit_and_pass_the_check(
        self, run: Run, repo: GitRepo, sources: Path
    ) -> None:
        left_out = shutil.ignore_patterns("*.expected.yaml", "*.refused.txt", "rendered.json")
        shutil.copytree(CASES, sources / "all", ignore=left_out)
        found = rows(run, str(sources / "all"))
        assert repo.git("rev-list", "--count", "HEAD") == "1"
        by_name = {row["name"]: row for row in found}
        assert by_name["dotprompt/roles"]["losses"] == []
        assert run("check").exit_code == 0

    def test_a_dry_run_writes_nothing(self, run: Run, repo: GitRepo) -> None:
        result = run("import", "--dry-run", str(CASES / "ghmodels"))
        assert "with losses\tempty-message\tgithub\t" in result.stdout
        assert "refused\t\t\tnot-yaml.prompt.yml\tnot YAML: the whole file is a template" in (
            result.stdout
        )
        assert "nothing was written" in result.stdout
        assert repo.git("for-each-ref") == ""

    def test_strict_writes_nothing_and_fails_on_a_loss(self, run: Run, repo: GitRepo) -> None:
        result = run("import", "--strict", str(CASES / "ghmodels" / "empty-message.prompt.yml"))
        assert result.exit_code == 1
        assert repo.git("for-each-ref") == ""
        whole = run("import", "--strict", str(CASES / "ghmodels" / "plain.prompt.yml"))
        assert whole.exit_code == 0
        assert repo.git("rev-list", "--count", "HEAD") == "1"

    def test_names_that_would_be_the_same_get_numbers(self, run: Run, sources: Path) -> None:
        for name in ("a b.prompt", "a-b.prompt", "A-B.prompt.yml"):
            text = "messages: [{role: user, content: hi}]" if name.endswith("yml") else "hi"
            (sources / name).write_text(text)
        names = [row["name"] for row in rows(run, str(sources))]
        assert names == ["A-B", "a-b-2", "a-b-3"]

    def test_a_prefix_and_spaces_at_line_ends(self, run: Run, repo: GitRepo, sources: Path) -> None:
        (sources / "x.md").write_text("one  \ntwo\t\n")
        run("import", "--prefix", "old", "--strip-trailing-spaces", str(sources))
        assert PromptStore.open(repo.path).get("old/x").prompt == "one\ntwo\n"
        assert (
            rows(run, "--prefix", "old", "--strip-trailing-spaces", str(sources))[0]["result"]
            == "unchanged"
        )

    @pytest.mark.parametrize(
        "text",
        [
            "description: Greet\nprompt: Hi\n",
            "prompt: Hi {{ name }}\n",
            "variables: {name: {type: string}}\nprompt: Hi {{ name }}\n",
            "messages: [{role: user, content: '{% if x %}Hi{% endif %}'}]\n",
            "tags: [a]\nmessages: [{role: user, content: Hi}]\n",
        ],
    )
    def test_a_prompt_file_of_ours_is_not_taken_for_another(
        self, run: Run, sources: Path, text: str
    ) -> None:
        (sources / "ours.yaml").write_text(text)
        found = run("import", "--json", str(sources / "ours.yaml"))
        assert found.exit_code == 1
        [row] = json.loads(found.stdout)
        assert row["result"] == "refused"
        assert "it is a prompt file of promptstore" in row["reason"]
        assert rows(run, str(sources)) == []
        assert "`promptstore import FILE` says why" in run("import", str(sources)).stderr

    def test_what_every_repository_has_is_passed_over(self, run: Run, sources: Path) -> None:
        for name in ("README.md", "LICENSE.txt", "package.json", ".hidden.md", "ours.yaml"):
            (sources / name).write_text('{"template": "simple", "prompt": "x"}')
        (sources / "node_modules").mkdir()
        (sources / "node_modules" / "x.prompt").write_text("hi")
        assert rows(run, str(sources)) == []

    def test_a_partial_that_is_nowhere_keeps_its_prompt_out(
        self, run: Run, repo: GitRepo, sources: Path
    ) -> None:
        (sources / "p.prompt").write_text("Hi {{>tone}}")
        [row] = json.loads(run("import", "--json", str(sources)).stdout)
        assert row["reason"] == "it includes _tone, which is neither here nor imported"
        (sources / "_tone.prompt").write_text("kind {{name}}")
        assert [row["result"] for row in rows(run, str(sources))] == ["imported", "imported"]
        prompt = PromptStore.open(repo.path).get("p")
        assert prompt.render(name="N").messages == [{"role": "user", "content": "Hi kind N"}]

    def test_a_loud_line_for_what_is_not_translated(self, run: Run, repo: GitRepo) -> None:
        result = run("import", str(CASES / "dotprompt" / "state.prompt"))
        assert "warning: state: NOT TRANSLATED" in result.stderr
        assert PromptStore.open(repo.path).get("state").template == "none"

    def test_errors(self, run: Run, sources: Path) -> None:
        fails_with(run("import", str(sources / "none")), "there is no such file or folder")
        (sources / "x.yaml").write_text("a: 1")
        fails_with(run("import", "--from", "nope", str(sources)), "there is no format 'nope'")
        result = run("import", str(sources / "x.yaml"))
        assert "its format is not recognised" in result.stdout
        assert result.exit_code == 1


def test_a_time_of_a_commit_needs_a_zone(store: PromptStore) -> None:
    from datetime import datetime

    naive = datetime(2024, 1, 1)
    with pytest.raises(InvalidArgumentError, match="has no time zone"):
        store.save("x", "Hi", authored_at=naive)


def test_the_time_of_a_commit_keeps_its_zone(store: PromptStore, repo: GitRepo) -> None:
    from datetime import datetime

    store.save("x", "Hi", authored_at=datetime.fromisoformat("2024-01-02T03:04:05-03:30"))
    assert repo.git("log", "-1", "--format=%aI") == "2024-01-02T03:04:05-03:30"
