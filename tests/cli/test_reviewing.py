"""The commands of a review as their users meet them: check, explain, format, diff, review."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from promptstore.cli.app import app
from promptstore.errors import InvalidArgumentError
from promptstore.lint.check import RULES, Settings, explain, read_settings
from promptstore.lint.findings import all_pages
from tests.gitrepo import GitRepo

TOP = Path(__file__).parents[2]
REPLY = "variables:\n  ticket: {type: string}\nprompt: |\n  Answer {{ ticket }}.\n"


def run(repo: GitRepo, *arguments: str, **environment: str) -> Result:
    options = {"GITHUB_ACTIONS": "", **environment}
    return CliRunner().invoke(app, ["-C", str(repo.path), *arguments], env=options)


def out(result: Result) -> str:
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.stdout


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> GitRepo:
    repo = GitRepo.init(tmp_path_factory.mktemp("made"))
    repo.commit({
        "prompts/reply.yaml": REPLY,
        "prompts/mail.yaml": "prompt: \"{% include 'reply' %}\"\n",
        "prompts/other.yaml": "prompt: 'x '\n",
    })  # fmt: skip
    new = REPLY.replace("ticket", "question").replace("Answer", "Answer briefly:")
    repo.commit({"prompts/reply.yaml": new})
    return repo


@pytest.fixture
def changed(made_once: GitRepo, tmp_path: Path) -> GitRepo:
    """A repository whose last commit breaks `reply`, and by it `mail`."""
    return made_once.copy(tmp_path / "repo")


class TestCheck:
    def test_only_what_differs_and_what_includes_it(self, changed: GitRepo) -> None:
        changed.commit({"prompts/reply.yaml": "prompt: x\ndeleted: true\n"})
        assert "PS505" in out(run(changed, "check"))
        result = run(changed, "check", "--since", "HEAD~1")
        assert [line.split(" ")[:2] for line in out(result).splitlines()] == [
            ["prompts/mail.yaml:1:9:", "PS302"]
        ]
        assert result.stderr.startswith("2 prompts in ")

    def test_only_some_files(self, changed: GitRepo) -> None:
        assert out(run(changed, "check", str(changed.path / "prompts/reply.yaml"))) == ""
        result = run(changed, "check", str(changed.path / "prompts/other.yaml"))
        assert result.exit_code == 1

    def test_only_some_folders(self, changed: GitRepo) -> None:
        changed.write("prompts/support/a.yaml", "prompt: 'x '\n")
        changed.write("prompts/support/b.yml", "prompt: x\n")
        shown = out(run(changed, "check", str(changed.path / "prompts/support")))
        assert re.findall("(?m)^prompts/(.*?):.*(PS...)", shown) == [
            ("support/a.yaml", "PS505"),
            ("support/b.yml", "PS402"),
        ]
        folder = str(changed.path / "prompts/support")
        assert out(run(changed, "format", folder)) == "changed prompts/support/a.yaml\n"
        assert "there is no such file or folder" in str(
            run(changed, "format", folder + "x").exception
        )

    def test_files_that_are_no_prompts(self, changed: GitRepo) -> None:
        stray = changed.write("prompts/two words.yaml", "prompt: x\n")
        assert "two words.yaml:1:1: PS402" in out(run(changed, "check", str(stray)))
        assert out(run(changed, "check", str(changed.path / "prompts/reply.yaml"))) == ""
        result = run(changed, "check", str(changed.path / "nope.yaml"))
        assert "nope.yaml: there is no such file or folder" in str(result.exception)

    def test_severity_decides_about_the_exit_code(self, changed: GitRepo) -> None:
        assert run(changed, "check").exit_code == 1
        assert run(changed, "check", "--fail-on", "error").exit_code == 0
        changed.write("pyproject.toml", '[tool.promptstore]\nseverity = {PS505 = "note"}\n')
        assert run(changed, "check").exit_code == 0
        assert run(changed, "check", "--fail-on", "note").exit_code == 1

    def test_options_win_over_the_settings(self, changed: GitRepo) -> None:
        changed.write("pyproject.toml", '[tool.promptstore]\nignore = ["PS5"]\n')
        assert run(changed, "check").exit_code == 0
        changed.write("pyproject.toml", '[tool.promptstore]\nselect = ["PS1"]\n')
        assert run(changed, "check").exit_code == 0
        assert run(changed, "check", "--select", "PS505").exit_code == 1
        assert run(changed, "check", "--select", "PS5", "--ignore", "PS505").exit_code == 0

    def test_names_must_fit_the_remotes_of_the_sync(self, changed: GitRepo) -> None:
        long = "v" + ".1" * 90
        names = ("v1.2", "new", long, f"drafts/{long}", "support/reply", "taken")
        changed.commit({f"prompts/{name}.yaml": "prompt: x\n" for name in names})
        assert "PS405" not in out(run(changed, "check"))
        changed.write(
            "pyproject.toml",
            "[tool.promptstore.remotes.posthog]\nhost = 'https://us.posthog.com'\n"
            "only = ['v*', 'new', 'taken', 'support/*']\nnames = {'new' = 'taken'}\n",
        )
        shown = out(run(changed, "check", "--select", "PS4"))
        wrong = ["prompts/taken.yaml", f"prompts/{long}.yaml"]
        assert re.findall("(.*):1:1: PS405 ", shown) == wrong
        assert f"The remote 'posthog' cannot hold the name '{long}': " in shown

    def test_a_table_that_is_not_known(self, changed: GitRepo) -> None:
        changed.write(".promptstore.toml", "[chekc]\nignor = ['PS5']\n")
        for command in ("check", "doctor"):
            result = run(changed, command)
            assert result.exit_code == 1
            said = result.stderr + str(result.exception)
            assert ".promptstore.toml: the file has no key 'chekc'; only [remotes.NAME]" in said

    def test_fix_mends_what_is_safe(self, changed: GitRepo) -> None:
        changed.write("pyproject.toml", '[tool.promptstore]\nextend-select = ["PS112"]\n')
        changed.write("prompts/typo.yaml", "# why\npromt: 'Hello'\n")
        result = run(changed, "check", "--fix", "--ignore", "PS505")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "prompts/typo.yaml: fixed" in result.stderr
        assert (changed.path / "prompts/typo.yaml").read_text() == "# why\nprompt: Hello\n"
        assert (changed.path / "prompts/other.yaml").read_text() == 'prompt: "x "\n'

    def test_fix_leaves_other_files_alone(self, changed: GitRepo) -> None:
        mine = changed.write("prompts/mine.yaml", "promt: x\n")
        yours = changed.write("prompts/yours.yaml", "promt: x\n")
        result = run(changed, "check", "--fix", str(mine))
        assert (result.exit_code, mine.read_text()) == (0, "prompt: x\n")
        assert yours.read_text() == "promt: x\n"
        run(changed, "check", "--fix", "--since", "HEAD")
        assert yours.read_text() == "prompt: x\n"

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_fix_takes_any_line_end(self, changed: GitRepo, end: str) -> None:
        file = changed.path / "prompts/odd.yaml"
        file.write_bytes(f"# why{end}promt: x{end}tgas: [a]{end}".encode())
        assert run(changed, "check", "--fix", str(file)).exit_code == 0
        assert file.read_bytes() == f"# why{end}prompt: x{end}tags: [a]{end}".encode()

    def test_without_fix_nothing_is_written(self, changed: GitRepo) -> None:
        changed.write("prompts/typo.yaml", "promt: x\n")
        run(changed, "check")
        assert (changed.path / "prompts/typo.yaml").read_text() == "promt: x\n"

    def test_annotations(self, changed: GitRepo) -> None:
        assert out(run(changed, "check", "--format", "github")) == (
            "::warning file=prompts/other.yaml,line=1,col=9,title=PS505::"
            "The line ends with spaces, which reach the model; remove them.\n"
        )

    def test_calls_in_code(self, changed: GitRepo) -> None:
        changed.write(
            "src/app.py", "from promptstore import PromptStore\nPromptStore.open().get('repl')\n"
        )
        source = str(changed.path / "src")
        shown = out(run(changed, "check", "--code", source, "--unused", "--ignore", "PS505"))
        assert "src/app.py:2:1: PS601 There is no prompt 'repl'. Did you mean 'reply'?" in shown
        assert "prompts/mail.yaml:1:1: PS606 warning: " in shown

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--format", "xml"), ("--fail-on", "never"), ("--unused",), ("--fix", "--rev", "HEAD"),
            ("--rev", "HEAD", "--worktree"), ("--select", "PS9"), ("--ignore", "E501"),
        ],
    )  # fmt: skip
    def test_a_call_that_means_nothing(self, changed: GitRepo, arguments: tuple[str, ...]) -> None:
        result = run(changed, "check", *arguments)
        assert isinstance(result.exception, InvalidArgumentError)


SETTINGS: dict[str, tuple[str, str]] = {
    "no TOML": ("[tool.promptstore\n", "is no TOML"),
    "an unknown key": (
        "[tool.promptstore]\nselct = []\n",
        "has no key 'selct'; did you mean 'select'",
    ),
    "a key like none": ("[tool.promptstore]\nzebra = []\n", "'zebra'; the keys are select, "),
    "no list": ('[tool.promptstore]\nselect = "PS1"\n', "'select' .* must be a list of codes"),
    "no code": (
        '[tool.promptstore]\nignore = ["E501"]\n',
        "'ignore' .*: no rule has the code 'E501'",
    ),
    "a code that there is not": (
        '[tool.promptstore]\nselect = ["PS1", "PS2O3"]\n',
        "'select' .* the code 'PS2O3'; did you mean PS203?",
    ),
    "an empty code": ('[tool.promptstore]\nignore = [""]\n', "no rule has the code ''"),
    "a severity of no rule": (
        '[tool.promptstore]\nseverity = {PS999 = "note"}\n',
        "'severity' .*: no rule has the code 'PS999'",
    ),
    "no severity": ('[tool.promptstore]\nseverity = {PS1 = "bad"}\n', "'severity' .* must be"),
    "no table": ("[tool]\npromptstore = 1\n", "must be a table"),
    "no number": ("[tool.promptstore]\ncharacters-per-token = 0\n", "must be a number above 0"),
    "no patterns": (
        "[tool.promptstore]\nper-prompt-ignores = {a = 1}\n",
        "per-prompt-ignores.a' .* must be",
    ),
}


@pytest.mark.parametrize(("text", "message"), SETTINGS.values(), ids=list(SETTINGS))
def test_settings_that_mean_nothing(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(InvalidArgumentError, match=message):
        read_settings(tmp_path)


def test_settings_of_another_tool(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == Settings()
    (tmp_path / "pyproject.toml").write_text("tool = 1\n")
    assert read_settings(tmp_path) == Settings()
    (tmp_path / "pyproject.toml").write_text("[tool.other]\nselect = 1\n")
    assert read_settings(tmp_path) == Settings()


class TestExplain:
    def test_a_code(self, repo: GitRepo) -> None:
        assert out(run(repo, "explain", "ps203")) == explain("PS203")

    def test_all_codes(self, repo: GitRepo) -> None:
        rows = [line.split("\t")[0] for line in out(run(repo, "explain")).splitlines()]
        assert rows == list(RULES)

    def test_a_code_that_there_is_not(self, repo: GitRepo) -> None:
        result = run(repo, "explain", "PS2O3")
        assert "did you mean PS203?" in str(result.exception)

    def test_every_page(self, repo: GitRepo) -> None:
        assert run(repo, "explain", "--all").stdout == all_pages()


class TestFormat:
    def test_writes_and_reports(self, changed: GitRepo) -> None:
        assert run(changed, "format", "--check").exit_code == 1
        assert out(run(changed, "format")) == "changed prompts/other.yaml\n"
        assert run(changed, "format", "--check").exit_code == 0

    def test_only_some_files(self, changed: GitRepo) -> None:
        assert out(run(changed, "format", str(changed.path / "prompts/reply.yaml"))) == ""

    def test_a_bare_clone_has_nothing_to_write(self, changed: GitRepo, tmp_path: Path) -> None:
        bare = changed.clone(tmp_path / "bare.git", "--bare")
        assert "needs files on disk" in str(run(bare, "format").exception)
        assert "needs files on disk" in str(run(bare, "check", "--fix").exception)
        assert run(bare, "check").exit_code == 1

    def test_a_broken_file_is_reported(self, changed: GitRepo) -> None:
        changed.write("prompts/bad.yaml", "prompt: [\n")
        result = run(changed, "format")
        assert result.exit_code == 1
        assert "prompts/bad.yaml" in result.stderr
        assert "changed prompts/other.yaml" in result.stdout


class TestRange:
    def test_terminal(self, changed: GitRepo) -> None:
        assert out(run(changed, "diff", "HEAD~1..HEAD")) == (
            "breaking: reply changed (new required variable 'question'; "
            "variable 'ticket' removed)\n"
            "  variable 'question' added (string, required)\n"
            "  variable 'ticket' removed\n"
            "\n"
            "the text:\n"
            "@@ -1 +1 @@\n"
            "-Answer {{ ticket }}.\n"
            "+Answer briefly: {{ question }}.\n"
            "\n"
            "breaking: mail affected (new required variable 'question'; "
            "variable 'ticket' removed)\n"
            "  by mail → reply\n"
        )

    def test_json(self, changed: GitRepo) -> None:
        found = json.loads(out(run(changed, "diff", "HEAD~1..", "--json")))
        assert found["head"] == changed.head()
        assert [(row["name"], row["kind"], row["impact"]) for row in found["prompts"]] == [
            ("reply", "changed", "breaking"),
            ("mail", "affected", "breaking"),
        ]
        assert found["prompts"][1]["via"] == ["mail", "reply"]

    def test_annotations(self, changed: GitRepo) -> None:
        lines = out(run(changed, "diff", "HEAD~1..HEAD", "--format", "github")).splitlines()
        assert lines[0].startswith(
            "::error file=prompts/reply.yaml,line=1,title=breaking%3A reply::changed: "
        )

    def test_sarif(self, changed: GitRepo) -> None:
        log = json.loads(out(run(changed, "diff", "HEAD~1..HEAD", "--format", "sarif")))
        assert [result["ruleId"] for result in log["runs"][0]["results"]] == ["breaking"] * 2

    def test_examples(self, changed: GitRepo, tmp_path: Path) -> None:
        examples = tmp_path / "examples.yaml"
        examples.write_text("reply: {ticket: Lost}\n")
        shown = out(run(changed, "diff", "HEAD~1..HEAD", "--render", str(examples)))
        assert "example 1 fails now: " in shown

    def test_examples_of_a_prompt_that_there_is_not(self, changed: GitRepo, tmp_path: Path) -> None:
        examples = tmp_path / "examples.yaml"
        examples.write_text("repli: {ticket: Lost}\n")
        for command in ("diff", "review"):
            result = run(changed, command, "HEAD~1..HEAD", "--render", str(examples))
            assert isinstance(result.exception, InvalidArgumentError)
            assert "no prompt 'repli' to render. Did you mean 'reply'?" in str(result.exception)

    def test_an_example_that_renders_nowhere(self, changed: GitRepo, tmp_path: Path) -> None:
        examples = tmp_path / "examples.yaml"
        examples.write_text("reply: {tickets: Lost}\n")
        shown = out(run(changed, "diff", "HEAD~1..HEAD", "--render", str(examples)))
        assert "\nneither side renders with example 1:\n" in shown
        assert "'ticket' is missing" in shown

    def test_json_cannot_command_a_runner(self, changed: GitRepo) -> None:
        changed.commit({"prompts/reply.yaml": "prompt: 'x ##[set-output name=a]b'\n"})
        shown = out(run(changed, "diff", "HEAD~1..HEAD", "--json"))
        assert "##[" not in shown
        assert "##[set-output" in json.loads(shown)["prompts"][0]["texts"][0]["diff"]

    def test_three_dots_leave_out_what_the_base_changed(self, changed: GitRepo) -> None:
        changed.git("checkout", "--quiet", "-b", "feature", "HEAD~1")
        changed.commit({"prompts/new.yaml": "prompt: new\n"})
        two = json.loads(out(run(changed, "diff", "main..feature", "--json")))
        three = json.loads(out(run(changed, "diff", "main...feature", "--json")))
        assert [row["name"] for row in three["prompts"]] == ["new"]
        assert len(two["prompts"]) == 3

    def test_a_prompt_whose_name_holds_dots(self, changed: GitRepo) -> None:
        changed.commit({"prompts/a..b.yaml": "prompt: x\n"})
        changed.commit({"prompts/a..b.yaml": "prompt: y\n"})
        assert out(run(changed, "diff", "a..b")).startswith("a..b@1 → a..b@2\n")

    def test_the_exit_code_on_request(self, changed: GitRepo) -> None:
        assert run(changed, "diff", "HEAD~1..HEAD").exit_code == 0
        assert run(changed, "diff", "HEAD~1..HEAD", "--exit-code").exit_code == 1
        assert run(changed, "diff", "HEAD..HEAD", "--exit-code").exit_code == 0

    def test_a_rev_that_there_is_not(self, changed: GitRepo) -> None:
        assert "nope" in str(run(changed, "diff", "nope..HEAD").exception)

    def test_revs_without_a_common_history(self, changed: GitRepo) -> None:
        changed.git("checkout", "--quiet", "--orphan", "lonely")
        changed.commit({"prompts/a.yaml": "prompt: x\n"})
        result = run(changed, "diff", "main...lonely")
        assert "no history in common" in str(result.exception)

    def test_a_shallow_clone_names_what_it_lacks(self, changed: GitRepo, tmp_path: Path) -> None:
        base = changed.git("rev-parse", "HEAD~1")
        shallow = changed.clone(tmp_path / "shallow", "--depth=1")
        result = run(shallow, "review", f"{base}..HEAD")
        assert "the clone is shallow; `git fetch --unshallow`" in str(result.exception)
        shallow.git("fetch", "--quiet", "--depth=1", "origin", base)
        assert "2 breaking" in out(run(shallow, "review", f"{base}..HEAD"))
        result = run(shallow, "review", f"{base}...HEAD")
        assert "no history in common" in str(result.exception)
        assert "the clone is shallow" in str(result.exception)

    def test_a_merge_is_compared_with_the_parent_that_is_named(self, changed: GitRepo) -> None:
        changed.git("checkout", "--quiet", "-b", "feature", "HEAD~1")
        changed.commit({"prompts/new.yaml": "prompt: new\n"})
        changed.git("checkout", "--quiet", "main")
        changed.git("merge", "--quiet", "--no-edit", "feature")
        of_main = json.loads(out(run(changed, "diff", "HEAD^1..HEAD", "--json")))["prompts"]
        of_feature = json.loads(out(run(changed, "diff", "HEAD^2..HEAD", "--json")))["prompts"]
        assert [row["name"] for row in of_main] == ["new"]
        assert [row["name"] for row in of_feature] == ["reply", "mail"]


class TestReview:
    def test_a_comment(self, changed: GitRepo) -> None:
        shown = out(run(changed, "review", "HEAD~1..HEAD"))
        assert shown.startswith("<!-- promptstore review -->\n\n### Prompts: 2 breaking\n")
        assert "| 🔴 **breaking** | <code>reply</code> | changed |" in shown
        assert "(by <code>mail</code> → <code>reply</code>)" in shown
        assert re.search("Answer<ins> briefly&#58;</ins>", shown)

    def test_problems_of_what_it_touches(self, changed: GitRepo) -> None:
        changed.commit({"prompts/reply.yaml": "prompt: 'x '\n"})
        shown = out(run(changed, "review", "HEAD~1..HEAD"))
        assert "PS505" in shown
        assert "other" not in shown

    def test_a_new_file_that_is_no_prompt(self, changed: GitRepo) -> None:
        changed.commit({"prompts/old.yml": "prompt: x\n"})
        changed.commit({"prompts/new.yml": "prompt: x\n", "prompts/reply.yaml": REPLY})
        shown = out(run(changed, "review", "HEAD~1..HEAD"))
        assert "PS402 in <code>prompts&#47;new&#46;yml</code>" in shown
        assert "old&#46;yml" not in shown
        assert out(run(changed, "check", "--since", "HEAD~1")).splitlines() == [
            "prompts/new.yml:1:1: PS402 The file is not read: a prompt's file ends with .yaml. "
            "Rename it."
        ]

    def test_nothing(self, changed: GitRepo) -> None:
        assert "nothing changed" in out(run(changed, "review", "HEAD..HEAD"))

    def test_it_fails_on_request(self, changed: GitRepo) -> None:
        assert run(changed, "review", "HEAD~1..HEAD").exit_code == 0
        assert run(changed, "review", "HEAD~1..HEAD", "--fail-on-breaking").exit_code == 1

    def test_no_range(self, changed: GitRepo) -> None:
        assert "is no range" in str(run(changed, "review", "HEAD").exception)


class TestTypes:
    def test_schema(self, repo: GitRepo) -> None:
        assert json.loads(out(run(repo, "schema")))["title"] == "A prompt of promptstore"

    def test_stubs_become_stale(self, changed: GitRepo, tmp_path: Path) -> None:
        file = str(tmp_path / "typings/prompts.pyi")
        assert run(changed, "stubs", "-o", file, "--check").exit_code == 1
        assert run(changed, "stubs", "-o", file).exit_code == 0
        assert run(changed, "stubs", "-o", file, "--check").exit_code == 0
        changed.write("prompts/new.yaml", "prompt: x\n")
        result = run(changed, "stubs", "-o", file, "--check")
        assert result.exit_code == 1
        assert "is stale; write it again" in result.stderr
