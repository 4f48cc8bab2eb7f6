"""Commands that write prompts: new, edit, save, delete, restore."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from promptstore.cli.app import app
from promptstore.errors import ConflictError, PromptStoreError
from promptstore.store.store import PromptStore
from tests.cli.conftest import GREET, Run, UseEditor
from tests.cli.test_commands import fails_with, out
from tests.gitrepo import GitRepo
from tests.writing.conftest import assert_tidy, configure

REPLACE_HI = "sed -i 's/Hi/Hello/' \"$1\""
BREAK = "echo 'promt: x' > \"$1\""


def notes(result: Result) -> str:
    assert isinstance(result.exception, PromptStoreError), result.output
    return "\n".join(result.exception.__notes__)


def kept_file(result: Result) -> Path:
    found = re.search(r" text is kept in (\S+);", notes(result))
    assert found
    return Path(found[1])


def subjects(repo: GitRepo) -> list[str]:
    return repo.git("log", "--format=%s").splitlines()


class TestSave:
    def test_what_was_edited_on_disk_becomes_one_commit(self, write: Run, written: GitRepo) -> None:
        written.write("prompts/greet.yaml", GREET.replace("Hi", "Hello"))
        written.write("prompts/deep/er/new.yaml", "prompt: New # as it is\n")
        result = write("save", "prompts/greet.yaml", "prompts/deep/er/new.yaml")
        commit = written.head()[:7]
        assert out(result) == f"greet@2: in {commit}\ndeep/er/new@1: in {commit}\n"
        assert written.git("log", "-1", "--format=%B") == (
            "Change 2 prompts\n\n- Update greet\n- Create deep/er/new"
        )
        assert written.git("show", "HEAD:prompts/deep/er/new.yaml") == "prompt: New # as it is"
        assert_tidy(written)

    def test_a_staged_edit_too(self, write: Run, written: GitRepo) -> None:
        written.write("prompts/greet.yaml", "prompt: staged\n")
        written.git("add", ".")
        assert out(write("save", "prompts/greet.yaml")).startswith("greet@2: ")
        assert_tidy(written)

    def test_a_path_is_read_from_where_one_stands(
        self, write: Run, written: GitRepo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        written.write("prompts/shared/tone.yaml", "prompt: kinder\n")
        monkeypatch.chdir(written.path / "prompts/shared")
        assert out(write("save", "tone.yaml")).startswith("shared/tone@2: ")
        written.write("prompts/shared/tone.yaml", "prompt: kindest\n")
        assert out(write("save", "../shared/tone.yaml")).startswith("shared/tone@3: ")
        (tmp_path / "link").symlink_to(written.path, target_is_directory=True)
        written.write("prompts/shared/tone.yaml", "prompt: kind\n")
        monkeypatch.chdir(tmp_path)
        result = write("-C", "link", "save", "link/prompts/shared/tone.yaml")
        assert out(result).startswith("shared/tone@4: ")

    def test_line_ends_are_committed_as_git_would(self, write: Run, written: GitRepo) -> None:
        written.git("config", "core.autocrlf", "true")
        written.write("prompts/windows.yaml", "prompt: Hi\r\n")
        assert write("save", "prompts/windows.yaml").exit_code == 0
        assert written.git("show", "HEAD:prompts/windows.yaml") == "prompt: Hi"
        assert (written.path / "prompts/windows.yaml").read_bytes() == b"prompt: Hi\r\n"
        assert written.git("status", "--porcelain") == ""

    def test_nothing_changed(self, write: Run, written: GitRepo) -> None:
        head = written.head()
        assert out(write("save", "prompts/greet.yaml")) == "greet@1: nothing changed\n"
        assert written.head() == head

    def test_from_elsewhere_and_from_stdin(
        self, write: Run, written: GitRepo, tmp_path: Path
    ) -> None:
        (tmp_path / "x.yaml").write_text(GREET)
        assert out(write("save", str(tmp_path / "x.yaml"), "--name", "a/b")).startswith("a/b@1: ")
        assert written.git("show", "HEAD:prompts/a/b.yaml") + "\n" == GREET
        assert out(write("save", "-", "--name", "a/b", stdin="prompt: x\n")).startswith("a/b@2: ")
        assert_tidy(written)

    def test_who_and_why(self, write: Run, written: GitRepo) -> None:
        who = ["--author", "Grace <g@example.com>", "-m", "Because", "--trailer", "Ticket=P=7"]
        assert out(write("save", "-", "--name", "x", *who, stdin="prompt: x\n"))
        assert written.git("log", "-1", "--format=%an <%ae>|%cn|%B") == (
            "Grace <g@example.com>|Ada Example|Because\n\nTicket: P=7"
        )
        fails_with(
            write("save", "-", "--name", "y", "--trailer", "Ticket", stdin="prompt: x\n"),
            "--trailer takes KEY=VALUE, not 'Ticket'",
        )

    def test_json(self, write: Run, written: GitRepo) -> None:
        written.write("prompts/greet.yaml", "prompt: x\n")
        rows = json.loads(out(write("save", "--json", "prompts/greet.yaml", "prompts/other.yaml")))
        assert [(row["name"], row["version"], row["changed"]) for row in rows] == [
            ("greet", 2, True),
            ("other", 1, False),
        ]
        assert rows[0]["commit"] == written.head()

    def test_a_dry_run_shows_the_diff_of_the_file(self, write: Run, written: GitRepo) -> None:
        head = written.head()
        written.write("prompts/greet.yaml", GREET.replace("  and welcome.\n", ""))
        written.write("prompts/new.yaml", "prompt: New")
        paths = ["prompts/greet.yaml", "prompts/new.yaml", "prompts/other.yaml"]
        shown = out(write("save", "--dry-run", *paths))
        assert shown == (
            "--- prompts/greet.yaml\n"
            "+++ prompts/greet.yaml\n"
            "@@ -1,5 +1,4 @@\n"
            " # What everybody reads first.\n"
            " prompt: |\n"
            "   Hi {{ name }}\n"
            "-  and welcome.\n"
            " config: {temperature: 0.2}  # low on purpose\n"
            "--- /dev/null\n"
            "+++ prompts/new.yaml\n"
            "@@ -0,0 +1 @@\n"
            "+prompt: New\n"
            "\\ No newline at end of file\n"
            "other: nothing would change\n"
        )
        rows = json.loads(out(write("save", "--dry-run", "--json", *paths)))
        assert [(row["name"], row["changed"]) for row in rows] == [
            ("greet", True), ("new", True), ("other", False),
        ]  # fmt: skip
        assert rows[0]["diff"] in shown
        assert written.head() == head
        assert written.git("status", "--porcelain") == " M prompts/greet.yaml\n?? prompts/new.yaml"

    def test_every_broken_file_is_reported_and_none_is_committed(
        self, write: Run, written: GitRepo
    ) -> None:
        head = written.head()
        written.write("prompts/a.yaml", "prompt: fine\n")
        written.write("prompts/b.yaml", "promt: x\n")
        written.write("prompts/c.yaml", "prompt: [\n")
        result = write("save", "prompts/a.yaml", "prompts/b.yaml", "prompts/c.yaml")
        fails_with(result, "prompts/b.yaml:1:1: PS107 The key 'promt' is not known")
        assert notes(result).startswith("error: prompts/c.yaml:2:1: PS102 ")
        assert written.head() == head

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("prompt: |\n  a\n  {% if %}\n", "prompts/x.yaml:3:3: PS201"),
            ("variables: {a: {type: string}}\nprompt: '{{ b }}'\n", "PS202"),
            ("prompt: '{% include \"shared/tune\" %}'\n", "Did you mean 'shared/tone'?"),
        ],
    )
    def test_what_would_break_a_render_is_refused(
        self, write: Run, written: GitRepo, text: str, fault: str
    ) -> None:
        fails_with(write("save", "-", "--name", "x", stdin=text), fault)
        assert subjects(written) == ["First"]

    def test_problems_that_were_there_before_stop_nothing(
        self, write: Run, written: GitRepo
    ) -> None:
        written.commit({"prompts/x.yaml": "variables: {a: {type: string}}\nprompt: x\n"})
        written.commit({"prompts/broken.yaml": "promt: x\n"})
        text = "# more lines\n\nvariables: {a: {type: string}}\nprompt: y\n"
        assert out(write("save", "-", "--name", "x", stdin=text)).startswith("x@2: ")

    def test_the_settings_say_what_is_refused(self, write: Run, written: GitRepo) -> None:
        text = "messages:\n  - {role: user, content: ''}\n"
        fails_with(
            write("save", "-", "--name", "other", stdin=text), "prompts/other.yaml:2:27: PS509"
        )
        written.write("pyproject.toml", '[tool.promptstore]\nignore = ["PS509"]\n')
        assert write("save", "-", "--name", "other", stdin=text).exit_code == 0
        written.write("pyproject.toml", '[tool.promptstore]\nseverity = {PS505 = "error"}\n')
        fails_with(write("save", "-", "--name", "other", stdin="prompt: 'x '\n"), "PS505")

    def test_a_change_that_breaks_a_prompt_that_includes_it(
        self, write: Run, written: GitRepo
    ) -> None:
        written.commit({"prompts/user.yaml": "prompt: '{% include \"other\" %}'\n"})
        text = "messages: [{role: user, content: Go}]\n"
        fails_with(
            write("save", "-", "--name", "other", stdin=text), "prompts/user.yaml:1:9: PS305"
        )

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["prompts/gret.yaml"], "no such file. Did you mean prompts/greet.yaml?"),
            (["greet"], "Did you mean prompts/greet.yaml?"),
            (["greet.yaml"], "Did you mean prompts/greet.yaml?"),
            (["nothing-like-it.yaml"], "cannot read nothing-like-it.yaml: there is no such file."),
            (["prompts/shared"], "is a folder: name files, for example prompts/shared/*.yaml"),
            (["README.yaml"], "README.yaml lies outside of"),
            (["prompts/x.yml"], "must end with .yaml"),
            (["prompts/link.yaml"], "prompts/link.yaml is a symbolic link"),
            (["-"], "add --name NAME"),
            (["a", "b", "--name", "x"], "--name names one file, and 2 are given"),
            (["nope", "--name", "x"], "cannot read nope: No such file"),
            (["prompts/greet.yaml", "--name", "../x"], "is not a prompt name"),
            (["prompts/a b.yaml"], "'a b' is not a prompt name: it holds ' '"),
        ],
    )
    def test_files_that_are_none(
        self, write: Run, written: GitRepo, arguments: list[str], sentence: str
    ) -> None:
        for path in ("README.yaml", "prompts/x.yml", "prompts/a b.yaml"):
            written.write(path, "prompt: x\n")
        (written.path / "prompts/link.yaml").symlink_to("greet.yaml")
        fails_with(write("save", *arguments), sentence)

    def test_a_version_that_was_not_expected(self, write: Run, written: GitRepo) -> None:
        written.write("prompts/greet.yaml", "prompt: x\n")
        fails_with(
            write("save", "prompts/greet.yaml", "--expected-version", "3"),
            "'greet': it is at version 1 by now, and version 3 was expected",
        )
        assert out(write("save", "prompts/greet.yaml", "--expected-version", "1"))
        assert write("save", "prompts/greet.yaml", "--expected-version", "-1").exit_code == 2

    def test_another_branch(self, write: Run, written: GitRepo) -> None:
        written.git("branch", "side")
        written.write("prompts/greet.yaml", "prompt: x\n")
        assert out(write("--branch", "side", "save", "prompts/greet.yaml")).startswith("greet@2: ")
        assert written.git("log", "-1", "--format=%s", "side") == "Update greet"
        assert subjects(written) == ["First"]
        assert written.git("status", "--porcelain") == " M prompts/greet.yaml"
        fails_with(write("--branch", "sid", "save", "prompts/greet.yaml"), "no such branch")

    def test_another_root(self, written: GitRepo, write: Run) -> None:
        written.write("llm/x.yaml", "prompt: x\n")
        assert out(write("--root", "llm", "save", "llm/x.yaml")).startswith("x@1: ")

    def test_a_bare_repository(self, write: Run, written: GitRepo, tmp_path: Path) -> None:
        bare = configure(written.clone(tmp_path / "bare.git", "--bare"))
        place = ["-C", str(bare.path)]
        assert out(write(*place, "save", "prompts/greet.yaml", "--name", "new"))
        assert bare.git("log", "-1", "--format=%s") == "Create new"
        fails_with(write(*place, "save", "prompts/greet.yaml"), "add --name NAME")

    def test_a_place_that_cannot_be_written(
        self, write: Run, written: GitRepo, tmp_path: Path
    ) -> None:
        (tmp_path / "plain/prompts").mkdir(parents=True)
        for command in (["save", "x.yaml"], ["new", "x"], ["delete", "x"], ["restore", "x"]):
            fails_with(write("-C", str(tmp_path / "plain"), *command), "Run `git init` in it")
        written.git("checkout", "--quiet", "--detach")
        fails_with(write("edit", "greet"), "HEAD is detached")


class TestNew:
    @pytest.mark.parametrize("kind", [[], ["--chat"]], ids=["text", "chat"])
    def test_a_skeleton_renders_and_has_no_problems(
        self, write: Run, written: GitRepo, kind: list[str]
    ) -> None:
        assert out(write("new", "x", "--no-edit", *kind)).startswith("x@1: ")
        assert write("check").exit_code == 0
        prompt = PromptStore.open(written.path).get("x")
        assert prompt.is_chat is bool(kind)
        assert "Ada" in str(prompt.render(**dict.fromkeys(prompt.contract, "Ada")))
        assert subjects(written)[0] == "Create x"
        assert_tidy(written)

    def test_an_editor_opens_on_the_skeleton(
        self, write: Run, written: GitRepo, use_editor: UseEditor
    ) -> None:
        use_editor("sed -i 's/one friendly/two friendly/' \"$1\"")
        assert out(write("new", "a/x")).startswith("a/x@1: ")
        assert "two friendly" in written.git("show", "HEAD:prompts/a/x.yaml")
        assert_tidy(written)

    @pytest.mark.parametrize("script", ["true", ': > "$1"', 'echo > "$1"'])
    def test_an_unchanged_or_empty_text_is_not_committed(
        self, write: Run, written: GitRepo, use_editor: UseEditor, script: str
    ) -> None:
        use_editor(script)
        result = write("new", "x", "--json")
        assert (result.exit_code, result.stdout) == (0, "[]\n")
        assert "so nothing is committed" in result.stderr
        assert subjects(written) == ["First"]

    def test_a_broken_text_is_kept_and_gone_on_with(
        self, write: Run, written: GitRepo, use_editor: UseEditor
    ) -> None:
        use_editor(BREAK)
        result = write("new", "x")
        fails_with(result, "prompts/x.yaml:1:1: PS107")
        assert "`promptstore new x` goes on with it" in notes(result)
        kept = kept_file(result)
        assert kept.read_text() == "promt: x\n"
        use_editor("sed -i 's/promt/prompt/' \"$1\"")
        result = write("new", "x", "--chat")
        assert f"going on with the text kept in {kept}" in result.stderr
        assert out(result).startswith("x@1: ")
        assert not kept.exists()
        assert written.git("show", "HEAD:prompts/x.yaml") == "prompt: x"

    def test_somebody_else_made_it_meanwhile(
        self, write: Run, written: GitRepo, use_editor: UseEditor
    ) -> None:
        use_editor(
            "echo 'prompt: mine' > \"$1\"; "
            "echo 'prompt: theirs' > prompts/x.yaml; git add .; git commit --quiet -m Theirs"
        )
        result = write("new", "x")
        assert isinstance(result.exception, ConflictError)
        assert "`promptstore edit x` opens the one that is there now" in notes(result)
        assert kept_file(result).read_text() == "prompt: mine\n"
        use_editor("sed -i 's/theirs/ours/' \"$1\"")
        assert f"kept in {kept_file(result)}" in write("edit", "x").stderr
        assert written.git("show", "HEAD:prompts/x.yaml") == "prompt: ours"

    @pytest.mark.parametrize("file", ["-", "x.yaml"])
    def test_from_a_file(self, write: Run, written: GitRepo, file: str) -> None:
        written.write("x.yaml", GREET)
        assert out(write("new", "x", "--from", file, stdin=GREET)).startswith("x@1: ")
        assert written.git("show", "HEAD:prompts/x.yaml") + "\n" == GREET

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["greet", "--no-edit"], "already: `promptstore edit greet` changes it"),
            (["old", "--no-edit"], "already: it is deleted; `promptstore restore old` brings it"),
            (["broken", "--no-edit"], "already: `promptstore edit broken` changes it"),
            (["Greet", "--no-edit"], "in letter case"),
            (["a b"], "is not a prompt name"),
            (["x", "--from", "nope.yaml"], "cannot read nope.yaml: No such file"),
            (["x", "--from", "-"], "<stdin>:1:1: PS"),
            (["x", "--from", "-", "--chat"], "--from takes the whole file"),
            (["x"], "no terminal to open an editor on"),
            (["draft", "--no-edit"], "`promptstore save prompts/draft.yaml` commits it"),
        ],
    )
    def test_names_what_is_wrong(
        self, write: Run, written: GitRepo, use_editor: UseEditor,
        arguments: list[str], sentence: str,
    ) -> None:  # fmt: skip
        written.commit({"prompts/old.yaml": "prompt: x\ndeleted: true\n"})
        written.commit({"prompts/broken.yaml": "promt: x\n"})
        written.write("prompts/draft.yaml", "prompt: x\n")
        fails_with(write("new", *arguments, stdin="promt: x\n"), sentence)

    def test_a_dry_run(self, write: Run, written: GitRepo) -> None:
        shown = out(write("new", "x", "--from", "-", "--dry-run", stdin="prompt: x\n"))
        assert shown == "--- /dev/null\n+++ prompts/x.yaml\n@@ -0,0 +1 @@\n+prompt: x\n"
        assert_tidy(written)

    def test_the_first_prompt_of_an_empty_repository(
        self, make_repo: Callable[[str], GitRepo]
    ) -> None:
        empty = configure(make_repo("empty"))
        result = CliRunner().invoke(app, ["-C", str(empty.path), "new", "x", "--no-edit"])
        assert out(result).startswith("x@1: ")
        assert_tidy(empty)

    def test_nobody_to_commit_as(self, write: Run, written: GitRepo) -> None:
        written.git("config", "--unset", "user.name")
        fails_with(write("new", "x", "--no-edit"), "git config user.name NAME")


class TestEdit:
    def test_only_what_was_changed(
        self, write: Run, written: GitRepo, use_editor: UseEditor
    ) -> None:
        use_editor(REPLACE_HI)
        assert out(write("edit", "greet", "-m", "Warmer")).startswith("greet@2: ")
        assert written.git("show", "HEAD:prompts/greet.yaml") + "\n" == GREET.replace("Hi", "Hello")
        assert subjects(written) == ["Warmer", "First"]
        assert list(written.path.rglob("edits/**/*.yaml")) == []
        assert_tidy(written)

    def test_nothing_changed(self, write: Run, written: GitRepo, use_editor: UseEditor) -> None:
        use_editor("true")
        result = write("edit", "greet")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == "greet: nothing was changed, so nothing is committed\n"
        assert subjects(written) == ["First"]

    def test_a_broken_text_is_kept_until_it_is_fixed(
        self, write: Run, written: GitRepo, use_editor: UseEditor
    ) -> None:
        use_editor("sed -i 's/{{ name }}/{{ name/' \"$1\"")
        result = write("edit", "greet")
        fails_with(result, "prompts/greet.yaml:4:3: PS201")
        kept = kept_file(result)
        assert "Hi {{ name\n" in kept.read_text()
        use_editor("true")
        again = write("edit", "greet")
        fails_with(again, "PS201")
        assert kept_file(again) == kept
        use_editor("sed -i 's/{{ name/{{ name }}!/' \"$1\"")
        assert out(write("edit", "greet")).startswith("greet@2: ")
        assert not kept.exists()

    def test_an_editor_that_fails(
        self, write: Run, written: GitRepo, use_editor: UseEditor
    ) -> None:
        use_editor(f"{REPLACE_HI}; exit 3")
        result = write("edit", "greet")
        fails_with(result, "ended with the code 3, so nothing was committed")
        assert "Hello" in kept_file(result).read_text()
        assert subjects(written) == ["First"]

    def test_somebody_else_was_faster(
        self, write: Run, written: GitRepo, use_editor: UseEditor
    ) -> None:
        use_editor(
            f"{REPLACE_HI}; git commit --quiet --allow-empty -m Unrelated; "
            "echo 'prompt: Theirs' > prompts/greet.yaml; git commit --quiet -am Theirs"
        )
        result = write("edit", "greet")
        assert isinstance(result.exception, ConflictError)
        assert "`promptstore edit greet` opens the one that is there now" in notes(result)
        kept = kept_file(result)
        # Going on with the old text would take back what the other did, so the new one is opened.
        use_editor("sed -i 's/Theirs/Ours/' \"$1\"")
        result = write("edit", "greet")
        assert f"an edit of an older text is kept in {kept}" in result.stderr
        assert out(result).startswith("greet@3: ")
        assert written.git("show", "HEAD:prompts/greet.yaml") == "prompt: Ours"
        assert "Hello" in kept.read_text()

    def test_another_prompt_changed_meanwhile(
        self, write: Run, written: GitRepo, use_editor: UseEditor
    ) -> None:
        use_editor(
            f"{REPLACE_HI}; echo 'prompt: x' > prompts/other.yaml; git commit --quiet -am Theirs"
        )
        assert out(write("edit", "greet")).startswith("greet@2: ")
        assert subjects(written) == ["Update greet", "Theirs", "First"]
        assert_tidy(written)

    def test_a_broken_file_can_be_fixed(
        self, write: Run, written: GitRepo, use_editor: UseEditor
    ) -> None:
        written.commit({"prompts/greet.yaml": "promt: x\n"})
        use_editor("sed -i 's/promt/prompt/' \"$1\"")
        assert out(write("edit", "greet")).startswith("greet@3: ")
        assert out(write("show", "greet")).startswith("greet (text, version 3)")

    def test_uncommitted_edits_are_reported_before_the_editor_opens(
        self, write: Run, written: GitRepo, use_editor: UseEditor
    ) -> None:
        written.write("prompts/greet.yaml", "prompt: mine\n")
        use_editor("touch opened")
        fails_with(write("edit", "greet"), "`promptstore save prompts/greet.yaml` commits them")
        assert not (written.path / "opened").exists()
        written.write("prompts/greet.yaml", GREET.replace("\n", "\r\n"))
        written.git("config", "core.autocrlf", "true")
        assert write("edit", "greet").exit_code == 0
        assert (written.path / "opened").exists()

    def test_a_dry_run_keeps_the_text(
        self, write: Run, written: GitRepo, use_editor: UseEditor
    ) -> None:
        use_editor(REPLACE_HI)
        result = write("edit", "greet", "--dry-run")
        assert "-  Hi {{ name }}\n+  Hello {{ name }}\n" in out(result)
        assert "`promptstore edit greet` goes on with it" in result.stderr
        assert subjects(written) == ["First"]
        use_editor("true")
        assert out(write("edit", "greet")).startswith("greet@2: ")

    @pytest.mark.parametrize(
        ("set_up", "said"),
        [
            (["EDITOR"], "editor"),
            (["EDITOR", "VISUAL"], "visual"),
            (["EDITOR", "VISUAL", "core.editor"], "config"),
            (["EDITOR", "VISUAL", "core.editor", "GIT_EDITOR"], "git"),
        ],
    )
    def test_the_editor_is_the_one_of_git(
        self, write: Run, written: GitRepo, monkeypatch: pytest.MonkeyPatch,
        set_up: list[str], said: str,
    ) -> None:  # fmt: skip
        monkeypatch.setenv("TERM", "xterm")
        words = {
            "EDITOR": "editor",
            "VISUAL": "visual",
            "core.editor": "config",
            "GIT_EDITOR": "git",
        }
        for variable in set_up:
            editor = f"echo 'prompt: {words[variable]}' | tee"
            if variable == "core.editor":
                written.git("config", variable, editor)
            else:
                monkeypatch.setenv(variable, editor)
        assert out(write("edit", "greet"))
        assert written.git("show", "HEAD:prompts/greet.yaml") == f"prompt: {said}"

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [("gret", "Did you mean 'greet'?"), ("../x", "is not a prompt name"), ("greet", "EDITOR")],
    )
    def test_names_what_is_wrong(
        self, write: Run, use_editor: UseEditor, name: str, sentence: str
    ) -> None:
        fails_with(write("edit", name), sentence)


class TestDelete:
    def test_many_in_one_commit(self, write: Run, written: GitRepo) -> None:
        arguments = ["--reason", "Old.", "--replaced-by", "shared/tone", "--yes"]
        result = write("delete", "greet", "other", *arguments)
        commit = written.head()[:7]
        assert out(result) == f"greet@2: deleted in {commit}\nother@2: deleted in {commit}\n"
        assert written.git("show", "HEAD:prompts/greet.yaml") == (
            GREET + "deleted: true\ndeleted_reason: Old.\nreplaced_by: shared/tone"
        )
        fails_with(write("render", "greet"), "was deleted on")
        assert_tidy(written)

    def test_without_a_terminal_it_wants_a_yes(self, write: Run, written: GitRepo) -> None:
        result = write("delete", "greet")
        fails_with(result, "Delete greet? There is no terminal to answer at: add --yes to go on")
        assert result.exit_code == 1
        assert subjects(written) == ["First"]

    def test_what_is_deleted_already_needs_none(self, write: Run) -> None:
        assert write("delete", "greet", "--yes").exit_code == 0
        assert out(write("delete", "greet")) == "greet@2: nothing changed\n"

    def test_a_dry_run(self, write: Run, written: GitRepo) -> None:
        shown = out(write("delete", "other", "--reason", "Old.", "--dry-run"))
        assert shown.endswith(" prompt: Other\n+deleted: true\n+deleted_reason: Old.\n")
        assert subjects(written) == ["First"]

    def test_prompts_that_include_it_are_reported(self, write: Run, written: GitRepo) -> None:
        written.commit({"prompts/user.yaml": "prompt: '{% include \"other\" %}'\n"})
        fails_with(write("delete", "other", "--yes"), "it is included by 'user'")
        result = write("delete", "other", "--yes", "--force")
        assert out(result).startswith("other@2: deleted")
        assert "warning: prompts/user.yaml:1:9: PS302" in result.stderr

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["gret"], "Did you mean 'greet'?"),
            (["greet", "othr"], "Did you mean 'other'?"),
            (["greet", "--replaced-by", "othr"], "Did you mean 'other'?"),
            (["greet", "--expected-version", "2"], "is at version 1 by now"),
        ],
    )
    def test_names_what_is_wrong(
        self, write: Run, written: GitRepo, arguments: list[str], sentence: str
    ) -> None:
        fails_with(write("delete", "--yes", *arguments), sentence)
        assert subjects(written) == ["First"]


class TestRestore:
    @pytest.fixture(autouse=True)
    def _history(self, written: GitRepo) -> None:
        """`greet` has a second version, and `other` is deleted."""
        written.commit({"prompts/greet.yaml": "prompt: Second\n"})
        written.commit({"prompts/other.yaml": "prompt: Other\ndeleted: true\n"})

    def test_a_deleted_prompt(self, write: Run, written: GitRepo) -> None:
        assert out(write("restore", "other")) == f"other@3: in {written.head()[:7]}\n"
        assert written.git("show", "HEAD:prompts/other.yaml") == "prompt: Other"
        assert subjects(written)[0] == "Restore other"
        assert_tidy(written)

    @pytest.mark.parametrize("arguments", [["greet@1"], ["greet", "--version", "1"]])
    def test_an_old_version(self, write: Run, written: GitRepo, arguments: list[str]) -> None:
        assert out(write("restore", *arguments)).startswith("greet@3: ")
        assert written.git("show", "HEAD:prompts/greet.yaml") + "\n" == GREET
        assert subjects(written)[0] == "Restore greet to version 1"

    def test_the_version_of_a_label(self, write: Run, written: GitRepo) -> None:
        assert out(write("label", "set", "greet@1", "staging"))
        assert out(write("restore", "greet@staging")).startswith("greet@3: ")
        assert written.git("show", "HEAD:prompts/greet.yaml") + "\n" == GREET

    def test_nothing_to_restore(self, write: Run) -> None:
        assert out(write("restore", "greet")) == "greet@2: nothing changed\n"

    def test_a_dry_run(self, write: Run, written: GitRepo) -> None:
        assert out(write("restore", "other", "--dry-run")).endswith("\n-deleted: true\n")
        assert subjects(written)[0] == "change"

    def test_an_include_that_is_gone_is_reported(self, write: Run, written: GitRepo) -> None:
        old = "prompt: '{% include \"other\" %}'\ndeleted: true\n"
        written.commit({"prompts/user.yaml": old})
        fails_with(write("restore", "user"), "Cannot include 'other': it is deleted")
        result = write("restore", "user", "--force")
        assert out(result).startswith("user@2: ")
        assert "warning: prompts/user.yaml:1:9: PS302" in result.stderr

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["gret"], "Did you mean 'greet'?"),
            (["greet@9"], "its versions are 1 to 2"),
            (["greet@1", "--version", "1"], "say --version or greet@N, not both"),
            (["greet@main"], "takes a version or a label"),
            (["greet@label:live"], "does not point 'greet' anywhere"),
            (["greet", "--version", "1", "--expected-version", "1"], "is at version 2 by now"),
        ],
    )
    def test_names_what_is_wrong(self, write: Run, arguments: list[str], sentence: str) -> None:
        fails_with(write("restore", *arguments), sentence)
