"""The command line as its users meet it: arguments in, text and exit code out."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from promptstore.cli.app import app
from promptstore.errors import PromptStoreError
from tests.conftest import Fill
from tests.gitrepo import GitRepo
from tests.test_store import label_branch

Run = Callable[..., Result]

GREET = """\
description: Greet.
variables:
  name: {type: string, description: Who}
prompt: Hi {{ name }}
"""
CHAT = """\
variables:
  n: {type: integer}
  xs: {type: array, default: []}
messages:
  - role: system
    content: |
      Count to {{ n }}.{% for x in xs %} {{ x }}{% endfor %}

  - role: user
    content: Go.
config: {temperature: 0}
tags: [maths]
"""


def commit_prompts(repo: GitRepo) -> None:
    repo.commit({"prompts/greet.yaml": "prompt: Hi\n", "prompts/chat.yaml": CHAT}, "First")
    repo.commit({"prompts/greet.yaml": GREET, "prompts/old.yaml": "prompt: Old\n"}, "By name")
    repo.commit({"prompts/old.yaml": "prompt: Old\ndeleted: true\nreplaced_by: greet\n"}, "No old")


@pytest.fixture
def clone(repo: GitRepo, fill: Fill) -> GitRepo:
    """`greet` with two versions, `chat`, and `old`, which is deleted."""
    return fill(repo, commit_prompts)


@pytest.fixture
def run(clone: GitRepo) -> Run:
    """Runs a command in the clone; an error of our own is given back as its text and code 1."""

    def run(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, ["-C", str(clone.path), *arguments], input=stdin)

    return run


def out(result: Result) -> str:
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.stdout


def fails_with(result: Result, sentence: str) -> None:
    assert isinstance(result.exception, PromptStoreError), result.output
    assert sentence in str(result.exception)


class TestList:
    def test_plain_lines_for_other_programs(self, run: Run, clone: GitRepo) -> None:
        time = clone.git("log", "-1", "--format=%cI", "HEAD~1")
        first = clone.git("log", "-1", "--format=%cI", "HEAD~2")
        assert out(run("list")) == f"chat\t1\t\t{first}\t\ngreet\t2\t\t{time}\tGreet.\n"

    @pytest.mark.parametrize(
        ("arguments", "names"),
        [
            ([], ["chat", "greet"]),
            (["gr"], ["greet"]),
            (["--tag", "maths"], ["chat"]),
            (["--search", "WHO"], []),
            (["--search", "count"], ["chat"]),
            (["--deleted"], ["chat", "greet", "old"]),
        ],
    )
    def test_filters(self, run: Run, arguments: list[str], names: list[str]) -> None:
        rows = json.loads(out(run("list", "--json", *arguments)))
        assert [row["name"] for row in rows] == names

    def test_a_broken_file_hides_no_other(self, run: Run, clone: GitRepo) -> None:
        clone.commit({"prompts/broken.yaml": "promt: x\n"})
        result = run("list")
        assert result.exit_code == 1
        assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["chat", "greet"]
        assert "prompts/broken.yaml:1:1: PS107" in result.stderr

    def test_an_empty_repository(self, make_repo: Callable[[str], GitRepo]) -> None:
        empty = make_repo("empty")
        result = CliRunner().invoke(app, ["-C", str(empty.path), "list"])
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == (
            "no prompts under 'prompts' in main (no commits yet); "
            "`promptstore init` makes a first one\n"
        )
        empty.write("prompts/greet.yaml", GREET)
        result = CliRunner().invoke(app, ["-C", str(empty.path), "list"])
        assert "add --worktree" in result.stderr

    def test_nothing_found(self, run: Run) -> None:
        result = run("list", "--tag", "math")
        assert (result.exit_code, result.stdout) == (0, "")
        assert ") is like that\n" in result.stderr

    @pytest.mark.parametrize(
        ("root", "hint"),
        [
            ("promts", "did you mean --root prompts?"),
            ("elsewhere", "`promptstore init` makes one"),
        ],
    )
    def test_a_folder_that_is_not_there(self, run: Run, root: str, hint: str) -> None:
        for arguments in (["--root", root, "list"], ["show", "greet", "--root", root]):
            error = run(*arguments).exception
            assert isinstance(error, PromptStoreError)
            assert f"there is no folder '{root}' in main (" in str(error)
            assert str(error).endswith(hint)

    def test_a_folder_without_prompts(self, run: Run, clone: GitRepo) -> None:
        (clone.path / "empty").mkdir()
        result = run("list", "--root", "empty")
        assert result.exit_code == 0
        assert "no prompts under 'empty'" in result.stderr


class TestShow:
    def test_what_a_person_wants_to_know(self, run: Run, clone: GitRepo) -> None:
        lines = out(run("show", "greet")).splitlines()
        assert lines[0] == "greet (text, version 2)"
        assert "about:    Greet." in lines
        assert f"commit:   {clone.git('rev-parse', 'HEAD~1')}" in lines
        assert "variable: name (string, required) - Who" in lines
        assert lines[-1] == "Hi {{ name }}"

    def test_source_is_the_file_to_the_byte(self, run: Run, clone: GitRepo) -> None:
        clone.commit({"prompts/crlf.yaml": b"prompt: x # c\r\n"})
        assert run("show", "crlf", "--source").stdout_bytes == b"prompt: x # c\r\n"
        assert out(run("show", "greet@1", "--source")) == "prompt: Hi\n"

    def test_json(self, run: Run) -> None:
        shown = json.loads(out(run("show", "old", "--json")))
        assert shown["deleted"] is True
        assert shown["version"] == 2
        assert shown["content"] == {"prompt": "Old", "deleted": True, "replaced_by": "greet"}
        assert set(shown) == {
            "name", "version", "commit", "snapshot_commit", "blob", "digest", "kind", "labels",
            "deleted", "created_at", "created_by", "updated_at", "updated_by", "includes",
            "content",
        }  # fmt: skip

    def test_the_source_of_a_broken_file(self, run: Run, clone: GitRepo) -> None:
        broken = b"promt: \xff\n"
        clone.commit({"prompts/greet.yaml": broken})
        fails_with(run("show", "greet"), "prompts/greet.yaml:1:8: PS101")
        for selector in ("", "@3", "@rev:HEAD"):
            assert run("show", f"greet{selector}", "--source").stdout_bytes == broken

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("gret", "Did you mean 'greet'?"),
            ("greet@7", "its versions are 1 to 2"),
            ("gone@2", "Version 2 of 'gone' removed the file"),
            ("../greet", "is not a prompt name"),
        ],
    )
    def test_no_source(self, run: Run, clone: GitRepo, name: str, sentence: str) -> None:
        clone.commit({"prompts/gone.yaml": "prompt: x\n"})
        clone.commit({"prompts/gone.yaml": None})
        fails_with(run("show", name, "--source"), sentence)

    def test_everything_that_is_set(self, run: Run, clone: GitRepo) -> None:
        text = (
            "template: simple\nvariables:\n"
            "  tier: {type: string, enum: [free, pro], default: free}\n"
            "messages:\n- role: user\n  content: [{type: text, text: 'é {{tier}}'}]\n"
            "config: {model: x, stop: [a]}\n"
        )
        clone.commit({"prompts/full.yaml": text})
        lines = out(run("show", "full")).splitlines()
        assert "template: simple" in lines
        assert 'variable: tier (string, optional, default "free", one of "free", "pro")' in lines
        assert 'config:   model = "x"' in lines
        assert 'config:   stop = ["a"]' in lines
        assert lines[-2:] == ["[user]", '{"type": "text", "text": "é {{tier}}"}']

    def test_includes(self, run: Run, clone: GitRepo) -> None:
        clone.commit({"prompts/with.yaml": "prompt: '{% include \"greet\" %}'\n"})
        assert "includes: greet" in out(run("show", "with")).splitlines()
        assert json.loads(out(run("show", "with", "--json")))["includes"] == ["greet"]

    def test_the_files_on_disk(self, run: Run, clone: GitRepo) -> None:
        clone.write("prompts/greet.yaml", "prompt: draft\n")
        assert "draft" in out(run("show", "greet", "--worktree"))
        assert "draft" not in out(run("show", "greet"))


class TestSelection:
    @pytest.fixture(autouse=True)
    def _names(self, clone: GitRepo) -> None:
        first = clone.git("rev-parse", "HEAD~2")
        files = {
            f"{label}.yaml": f"greet: {{version: 1, commit: {first}}}\n"
            for label in ("prod", "both")
        }
        label_branch(clone, files)
        clone.git("tag", "v1", "HEAD~2")
        clone.git("branch", "both", "HEAD")

    @pytest.mark.parametrize(
        ("selector", "version"),
        [
            ("", 2),
            ("@1", 1),
            ("@version:1", 1),
            ("@prod", 1),
            ("@label:prod", 1),
            ("@v1", 1),
            ("@main~2", 1),
            ("@main", 2),
            ("@rev:main", 2),
            ("@label:both", 1),
            ("@rev:both", 2),
            ("@2100-01-01T00:00Z", 2),
        ],
    )
    def test_selects(self, run: Run, selector: str, version: int) -> None:
        assert json.loads(out(run("show", f"greet{selector}", "--json")))["version"] == version

    @pytest.mark.parametrize(
        ("selector", "sentence"),
        [
            ("@", "selects nothing"),
            ("@both", "write greet@label:both or greet@rev:both"),
            ("@prd", "The labels are: both, prod. `promptstore label list` lists them."),
            ("@prd", "Did you mean greet@prod?"),
            ("@2026-11-01", "A time needs a zone, for example greet@2026-11-01T00:00Z."),
            ("@9", "its versions are 1 to 2"),
            ("@version:x", "'x' is not the number of a version"),
            ("@label:nope", "does not point 'greet' anywhere. There are: both, prod."),
            ("@rev:nope", "names no commit"),
            ("@1999-01-01T00:00Z", "no commit that old"),
        ],
    )
    def test_refuses(self, run: Run, selector: str, sentence: str) -> None:
        fails_with(run("show", f"greet{selector}"), sentence)

    def test_labels_stand_beside_versions(self, run: Run) -> None:
        assert [line.split("\t")[4] for line in out(run("log", "greet")).splitlines()] == [
            "",
            "both, prod",
        ]


class TestRender:
    def test_a_text_prompt_is_printed_exactly(self, run: Run) -> None:
        assert run("render", "greet", "--var", "name=Ada=é").stdout_bytes == "Hi Ada=é".encode()

    def test_messages_stand_under_their_roles(self, run: Run) -> None:
        shown = out(run("render", "chat", "--var", "n=3", "--var", 'xs=["a"]'))
        assert shown == "[system]\nCount to 3. a\n[user]\nGo.\n"

    def test_json(self, run: Run) -> None:
        shown = json.loads(out(run("render", "chat", "--json", "--var", "n=3")))
        assert shown["messages"][0] == {"role": "system", "content": "Count to 3."}
        assert shown["config"] == {"temperature": 0}
        assert (shown["name"], shown["version"]) == ("chat", 1)
        assert (
            json.loads(out(run("render", "greet", "--json", "--var", "name=x")))["text"] == "Hi x"
        )

    @pytest.mark.parametrize("text", ["n: 4\n", '{"n": 4}', "# c\nn: 4\nxs: []\n"])
    def test_values_from_a_file_or_stdin(self, run: Run, tmp_path: Path, text: str) -> None:
        (tmp_path / "values").write_text(text)
        for result in (
            run("render", "chat", "--vars", str(tmp_path / "values")),
            run("render", "chat", "--vars", "-", stdin=text),
        ):
            assert out(result).startswith("[system]\nCount to 4.")

    def test_var_wins_over_vars(self, run: Run) -> None:
        shown = out(run("render", "chat", "--vars", "-", "--var", "n=5", stdin="n: 4\n"))
        assert "Count to 5." in shown

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["chat"], "'n' is missing"),
            (["chat", "--var", "n=three"], "'n' takes an integer as JSON, such as 3, not 'three'"),
            (["chat", "--var", 'n="3"'], "'n' is a string, but must be an integer"),
            (["chat", "--var", "m=1"], "'m' is not a variable of it"),
            (["chat", "--var", "n"], "--var takes NAME=VALUE, not 'n'"),
            (["chat", "--var", f"xs={'[' * 100_000}"], "'xs' takes a list as JSON"),
            (["chat", "--vars", "nope.yaml"], "cannot read nope.yaml: No such file"),
            (["old"], "Use 'greet' instead"),
            (["grete"], "Did you mean 'greet'?"),
        ],
    )
    def test_names_what_is_wrong(self, run: Run, arguments: list[str], sentence: str) -> None:
        fails_with(run("render", *arguments), sentence)

    def test_a_broken_vars_file_names_its_place(self, run: Run) -> None:
        fails_with(run("render", "chat", "--vars", "-", stdin="n: 1\nn: 2\n"), "<stdin>:2:1: PS103")
        fails_with(run("render", "chat", "--vars", "-", stdin="- 1\n"), "must hold a mapping")


class TestLog:
    def test_versions_newest_first(self, run: Run, clone: GitRepo) -> None:
        rows = [line.split("\t") for line in out(run("log", "old")).splitlines()]
        assert [(row[0], row[5]) for row in rows] == [("2", "(deleted) No old"), ("1", "By name")]
        assert rows[0][1] == clone.head()[:7]
        assert rows[0][3] == "Ada Example <ada@example.com>"

    def test_json(self, run: Run, clone: GitRepo) -> None:
        rows = json.loads(out(run("log", "greet", "--json")))
        assert [row["commit"] for row in rows] == clone.versions("prompts/greet.yaml")
        assert rows[0]["message"] == "By name\n"

    def test_a_typo(self, run: Run) -> None:
        fails_with(run("log", "gret"), "Did you mean 'greet'?")


class TestDiff:
    def test_against_the_version_before(self, run: Run) -> None:
        assert out(run("diff", "greet")) == (
            "greet@1 → greet@2\n"
            '  description added: "Greet."\n'
            "  variable 'name' added (string, required)\n"
            "\n"
            "the text:\n"
            "@@ -1 +1 @@\n"
            "-Hi\n"
            "+Hi {{ name }}\n"
        )

    def test_between_two(self, run: Run) -> None:
        found = json.loads(out(run("diff", "old@1", "old@2", "--json")))
        assert found["changes"] == ["deleted (replaced by greet)"]
        assert found["texts"] == []
        assert "nothing changed" in out(run("diff", "old", "old"))

    def test_the_first_version_has_none_before_it(self, run: Run) -> None:
        fails_with(run("diff", "chat"), "no version before version 1")

    def test_the_version_before_on_a_branch_of_its_own(self, run: Run, clone: GitRepo) -> None:
        clone.git("checkout", "--quiet", "-b", "feature", "HEAD~2")
        for text in ("a", "b", "c"):
            clone.commit({"prompts/greet.yaml": f"prompt: {text}\n"})
        clone.git("checkout", "--quiet", "main")
        shown = out(run("diff", "greet@feature"))
        assert shown.startswith("greet@3 → greet@4\n")
        assert shown.endswith("-b\n+c\n")

    def test_the_version_before_removed_the_file(self, run: Run, clone: GitRepo) -> None:
        clone.commit({"prompts/chat.yaml": None})
        clone.commit({"prompts/chat.yaml": CHAT})
        fails_with(run("diff", "chat"), "Version 2 of 'chat' removed the file")

    def test_an_odd_line_end_stays_within_its_line(self, run: Run, clone: GitRepo) -> None:
        clone.commit({"prompts/chat.yaml": 'prompt: "a\\rb\\Lc"\n'})
        assert "+a\rb\u2028c\n" in run("diff", "chat").stdout_bytes.decode()

    def test_a_shallow_clone(self, clone: GitRepo, tmp_path: Path) -> None:
        shallow = clone.clone(tmp_path / "shallow", "--depth=1")
        result = CliRunner().invoke(app, ["-C", str(shallow.path), "diff", "greet"])
        fails_with(result, "git fetch --unshallow")


class TestCheck:
    def test_nothing_to_say(self, run: Run) -> None:
        result = run("check")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr.endswith("prompts: 0 problems\n")

    def test_the_working_tree_or_a_rev(self, run: Run, clone: GitRepo) -> None:
        clone.write("prompts/new.yaml", "prompt: [\n")
        result = run("check")
        assert result.exit_code == 1
        assert result.stdout.startswith("prompts/new.yaml:2:1: PS102 ")
        assert "4 prompts" in result.stderr
        assert run("check", "--rev", "HEAD").exit_code == 0
        assert run("--branch", "main", "check").exit_code == 0
        (row,) = json.loads(run("check", "--json").stdout)
        assert (row["path"], row["name"], row["line"], row["column"], row["code"]) == (
            "prompts/new.yaml", "new", 2, 1, "PS102",
        )  # fmt: skip

    def test_a_bare_repository(self, clone: GitRepo, tmp_path: Path) -> None:
        bare = clone.clone(tmp_path / "bare.git", "--bare")
        assert CliRunner().invoke(app, ["-C", str(bare.path), "check"]).exit_code == 0


class TestInit:
    def init(self, path: Path, *options: str) -> Result:
        return CliRunner().invoke(app, ["-C", str(path), *options, "init"])

    def test_makes_a_store_that_works_as_it_says(self, tmp_path: Path) -> None:
        result = self.init(tmp_path)
        assert result.exit_code == 0
        arguments = ["-C", str(tmp_path), "render", "greeting", "--worktree", "--var", "name=Ada"]
        assert "greets Ada." in CliRunner().invoke(app, arguments).stdout
        assert CliRunner().invoke(app, ["-C", str(tmp_path), "check"]).exit_code == 0
        committed = result.stdout.splitlines()[2].replace(
            "git ", "git -c user.name=A -c user.email=a@b "
        )
        subprocess.run(committed, shell=True, check=True, capture_output=True)
        assert out(CliRunner().invoke(app, ["-C", str(tmp_path), "log", "greeting"]))

    def test_in_a_repository_and_at_another_root(self, repo: GitRepo) -> None:
        assert self.init(repo.path, "--root", "llm/prompts").exit_code == 0
        assert (repo.path / "llm/prompts/greeting.yaml").is_file()
        assert repo.git("status", "--porcelain") == "?? llm/"

    def test_never_overwrites(self, clone: GitRepo, tmp_path: Path) -> None:
        fails_with(self.init(clone.path), "holds prompts already")
        plain = tmp_path / "plain"
        (plain / "prompts").mkdir(parents=True)
        (plain / "prompts/own.yaml").write_text("prompt: x\n")
        fails_with(self.init(plain), "holds prompts already")
        assert not (plain / ".git").exists()

    @pytest.mark.parametrize("root", ["../outside", "/outside"])
    def test_a_root_outside_makes_nothing(self, tmp_path: Path, root: str) -> None:
        fails_with(self.init(tmp_path / "new", "--root", root), "within the repository")
        assert list(tmp_path.iterdir()) == []

    def test_a_file_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "prompts").write_text("not a folder\n")
        fails_with(self.init(tmp_path), "prompts: File exists")

    def test_a_bare_repository(self, tmp_path: Path) -> None:
        bare = GitRepo.init(tmp_path / "bare.git", "--bare")
        fails_with(self.init(bare.path), "clone it and make the store there")

    def test_the_next_commands_work_where_they_are_pasted(self, tmp_path: Path) -> None:
        folder = tmp_path / "my store"
        lines = out(self.init(folder, "--root", "llm")).splitlines()
        render, commit, log = (line.strip() for line in lines[1:])
        for line in (render, log):
            assert line.startswith(f"promptstore -C '{folder}' --root llm ")
        arguments = shlex.split(render)[1:]
        assert "greets Ada." in CliRunner().invoke(app, arguments).stdout
        added = "llm/greeting.yaml llm/prompt.schema.json"
        assert commit.startswith(f"git -C '{folder}' add {added} && git -C ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["list"], "promptstore init"),
        (["--root", "../x", "list"], "within the repository"),
    ],
)
def test_a_place_without_prompts(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    fails_with(CliRunner().invoke(app, ["-C", str(tmp_path), *arguments]), sentence)


def test_a_shallow_clone(clone: GitRepo, tmp_path: Path) -> None:
    shallow = clone.clone(tmp_path / "shallow", "--depth=1")
    rows: Any = json.loads(
        CliRunner().invoke(app, ["-C", str(shallow.path), "list", "--json"]).stdout
    )
    assert [row["version"] for row in rows] == [None, None]
    result = CliRunner().invoke(app, ["-C", str(shallow.path), "log", "greet"])
    fails_with(result, "git fetch --unshallow")


@pytest.mark.parametrize("arguments", [["nonsense"], ["show"], ["list", "--nope"]])
def test_a_call_that_is_not_understood(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


class TestPlace:
    """The options that say where the store is, before a command and behind it."""

    @pytest.mark.parametrize("command", [["list"], ["show", "greet"], ["label", "list"], ["check"]])
    def test_the_place_may_stand_behind_the_command(
        self, run: Run, clone: GitRepo, command: list[str]
    ) -> None:
        usual = run(*command)
        behind = CliRunner().invoke(app, [*command, "-C", str(clone.path), "--root", "prompts"])
        assert (behind.exit_code, behind.stdout) == (usual.exit_code, usual.stdout)

    def test_the_branch_too(self, run: Run, clone: GitRepo) -> None:
        clone.git("branch", "early", "HEAD~1")
        assert "old" in out(run("list", "--branch", "early"))
        assert "old" not in out(run("list"))

    def test_behind_the_command_wins(self, run: Run, clone: GitRepo) -> None:
        assert "greet" in out(
            CliRunner().invoke(app, ["-C", "/", "list", "--repo", str(clone.path)])
        )


class TestNearMatches:
    @pytest.mark.parametrize("command", ["show", "render", "log", "edit", "delete"])
    @pytest.mark.parametrize("name", ["prompts/greet.yaml", "greet.yaml", "./greet"])
    def test_the_path_of_a_file_suggests_its_name(self, run: Run, command: str, name: str) -> None:
        result = run(command, name)
        if name == "./greet":
            fails_with(result, "starts with '.'")
        else:
            fails_with(result, "Did you mean 'greet'?")

    def test_there_are_none_only_where_there_are_none(self, run: Run, clone: GitRepo) -> None:
        fails_with(run("show", "greet@prodution"), "There are no labels; ")
        fails_with(run("label", "list", "prod"), "There are none; `promptstore label set")
        label_branch(clone, {"prod.yaml": f"greet: {{version: 1, commit: {clone.head()}}}\n"})
        fails_with(run("show", "chat@prod"), "No label does. `promptstore label list` lists them, ")


class TestDoctor:
    def test_what_it_looks_at(self, run: Run, clone: GitRepo) -> None:
        facts = {
            (fact["topic"], fact["name"]): fact for fact in json.loads(out(run("doctor", "--json")))
        }
        assert {topic for topic, _ in facts} == {
            "environment", "extras", "store", "caches", "settings"
        }  # fmt: skip
        assert facts["store", "folder"]["value"] == str(clone.path)
        assert facts["store", "prompts"]["value"] == "2, and 1 deleted"
        assert facts["store", "reads"]["value"].startswith("main (")
        assert facts["store", "labels"]["value"] == "none"
        assert facts["settings", "remotes"]["value"] == "none"
        assert facts["environment", "pygit2"]["is_fine"]
        assert all(fact["is_fine"] for fact in facts.values())

    def test_a_shallow_clone(self, clone: GitRepo, tmp_path: Path) -> None:
        clone.git("clone", "--quiet", "--depth=1", f"file://{clone.path}", str(tmp_path / "copy"))
        done = CliRunner().invoke(app, ["doctor", "-C", str(tmp_path / "copy")])
        assert done.exit_code == 1
        assert "store, history: shallow. Versions cannot be counted; `git fetch" in done.stderr

    def test_a_broken_setting_and_no_repository(
        self, run: Run, clone: GitRepo, tmp_path: Path
    ) -> None:
        clone.write("pyproject.toml", "[tool.promptstore]\nselct = []\n")
        result = run("doctor")
        assert result.exit_code == 1
        assert "has no key 'selct'" in result.stderr
        nowhere = CliRunner().invoke(app, ["doctor", "-C", str(tmp_path / "nowhere")])
        assert nowhere.exit_code == 1
        assert "store, repository: " in nowhere.stderr

    def test_a_remote(self, run: Run, clone: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("POSTHOG_PERSONAL_API_KEY", raising=False)
        clone.write(
            ".promptstore.toml", "[remotes.far]\nhost = 'https://posthog.example'\nproject = 1\n"
        )
        shown = out(run("doctor"))
        assert (
            "far at https://posthog.example, its key in POSTHOG_PERSONAL_API_KEY (not set)" in shown
        )
