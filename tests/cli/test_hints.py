"""What somebody sees who meets the commands for the first time, and hints that are followed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer import Context
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from promptstore.cli.app import COMMANDS, app
from promptstore.errors import PromptFileError
from promptstore.promptfile.reader import loads
from promptstore.store.store import PromptStore
from tests.cli.conftest import Run
from tests.gitrepo import GitRepo

GROUPS = ("bundle", "label", "logs", "token", "sync")


@pytest.mark.parametrize("group", ["", *GROUPS])
def test_no_summary_is_cut_off(group: str) -> None:
    shown = CliRunner().invoke(app, [*group.split(), "--help"], terminal_width=80).stdout
    commands = shown.partition("Commands:")[2]
    assert len(commands.splitlines()) > 2
    assert "..." not in commands


def test_arguments_are_written_as_one_way() -> None:
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    context = Context(root, info_name="promptstore")
    for name in sorted(
        COMMANDS.keys() - {*GROUPS, "difftool", "merge-driver", "translate", "scan"}
    ):
        command = root.get_command(context, name)
        assert command
        usage = " ".join(command.collect_usage_pieces(Context(command, context, name)))
        assert re.fullmatch(
            r"(\[OPTIONS\]|[\[{][A-Z]+(\[@VERSION\])?(\|RANGE)?[\]}](\.\.\.)?| )+", usage
        ), f"{name} {usage}"


def test_a_new_repository_is_told_of(tmp_path: Path, write: Run) -> None:
    here = write("init", str(tmp_path / "new"))
    assert (
        f"Made a git repository and prompts/greeting.yaml in {tmp_path / 'new'}. Next:"
        in here.stdout
    )
    again = write("--root", "more", "init", str(tmp_path / "new"))
    assert "Made more/greeting.yaml" in again.stdout
    assert "git repository" not in again.stdout


def test_the_way_to_a_store_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "a shop"
    folder.mkdir()
    error = CliRunner().invoke(app, ["-C", str(folder), "list"]).exception
    hint = re.search(r"`promptstore init '(.*?)'` makes a store there", str(error))
    assert hint is not None
    assert CliRunner().invoke(app, ["init", hint[1]]).exit_code == 0
    assert PromptStore.open(folder, worktree=True).names() == ["greeting"]


def test_an_empty_repository(repo: GitRepo) -> None:
    listed = CliRunner().invoke(app, ["-C", str(repo.path), "list"])
    assert listed.stderr.endswith("; `promptstore init` makes a first one\n")


@pytest.mark.parametrize("command", ["check", "format"])
def test_a_name_in_place_of_a_path(write: Run, command: str) -> None:
    error = write(command, "greet").exception
    assert str(error) == (
        "greet: there is no such file or folder. Did you mean prompts/greet.yaml?"
    )
    assert write(command, "prompts/greet.yaml").exit_code == 0


def test_a_missing_value_says_how_to_give_it(write: Run) -> None:
    error = write("render", "greet").exception
    assert getattr(error, "__notes__", None) == [
        "Give each value with --var, such as --var name=VALUE."
    ]
    assert write("render", "greet", "--var", "name=VALUE").exit_code == 0


def test_a_time_before_the_first_label(write: Run) -> None:
    write("label", "set", "greet", "production")
    error = write("show", "greet@production", "--at", "2001-02-03").exception
    assert re.fullmatch(
        r"'production' was no label at 2001-02-03 00:00\S*\. There were no labels then; "
        "`promptstore label log` shows each move.",
        str(error),
    )
    listed = write("label", "list", "--at", "2001-02-03")
    assert listed.stderr.startswith("There were no labels then; ")


def test_labels_of_a_shallow_clone(write: Run, written: GitRepo, tmp_path: Path) -> None:
    write("label", "set", "greet", "production")
    written.commit({"prompts/greet.yaml": "prompt: Hello\n"}, "Second")
    copy = GitRepo(tmp_path / "copy")
    written.git("clone", "--quiet", "--depth=1", f"file://{written.path}", str(copy.path))
    error = CliRunner().invoke(app, ["-C", str(copy.path), "show", "greet@production"]).exception
    hints = re.findall("`(git fetch .*?)`", str(error))
    assert len(hints) == 2
    copy.git(*hints[1].split()[1:])
    error = CliRunner().invoke(app, ["-C", str(copy.path), "render", "greet@production"]).exception
    assert "`git fetch --unshallow" in str(error)
    copy.git(*hints[0].split()[1:])
    shown = CliRunner().invoke(app, ["-C", str(copy.path), "show", "greet@production"])
    assert "version 1, production" in shown.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("set", "beta", "greet"),
        ("set", "staging", "greet@1", "other"),
        ("set", "staging", "other", "greet@1"),
        ("remove", "staging", "greet"),
        ("remove", "staging", "greet", "other"),
        ("rollback", "staging", "greet"),
    ],
)
def test_a_label_before_its_prompts(write: Run, written: GitRepo, words: tuple[str, ...]) -> None:
    assert write("label", "set", "greet", "other", "staging").exit_code == 0
    written.commit({"prompts/greet.yaml": "prompt: Hello\n"}, "Second")
    assert write("label", "set", "greet", "staging").exit_code == 0
    hint = re.fullmatch(
        "the label comes last: `promptstore (.*)`", str(write("label", *words).exception)
    )
    assert hint is not None
    assert write(*hint[1].split()).exit_code == 0


def test_a_label_that_is_called_like_a_prompt(write: Run) -> None:
    assert write("label", "set", "greet", "other").exit_code == 0
    assert write("label", "set", "other", "greet").exit_code == 0
    assert write("label", "remove", "greet", "other").exit_code == 0
    error = write("label", "set", "latest", "greet").exception
    assert str(error).startswith("There is no prompt 'latest'")


def test_a_deleted_prompt_says_how_to_bring_it_back(write: Run) -> None:
    write("delete", "greet", "--yes")
    error = write("render", "greet").exception
    hints = re.search(
        r"\(`promptstore (show greet)`\) or for an earlier version \((greet@1)\); "
        "`promptstore (restore greet)` brings it back",
        str(error),
    )
    assert hints is not None
    assert "deleted=True" in str(error)
    assert "and welcome." in write(*hints[1].split()).stdout
    assert write("render", hints[2], "--var", "name=Ada").stdout == "Hi Ada\nand welcome.\n"
    assert write(*hints[3].split()).exit_code == 0
    assert write("render", "greet", "--var", "name=Ada").exit_code == 0


def test_a_bare_clone_has_no_files_to_read(written: GitRepo, tmp_path: Path) -> None:
    bare = written.clone(tmp_path / "bare.git", "--bare")
    shown = ["-C", str(bare.path), "show", "other"]
    error = CliRunner().invoke(app, [*shown, "--worktree"]).exception
    assert str(error).endswith("open it without --worktree (worktree=True)")
    assert CliRunner().invoke(app, shown).exit_code == 0


def test_a_version_is_the_same_at_any_time(write: Run) -> None:
    error = write("show", "greet@1", "--at", "today 23:59").exception
    assert str(error) == (
        "--at takes a label or a name alone: 'greet@1' is the same at any time, so leave --at out"
    )
    assert write("show", "greet@1").exit_code == 0


def test_a_time_before_the_first_commit(write: Run) -> None:
    error = write("show", "greet", "--at", "2001-02-03").exception
    assert str(error).endswith("(the branch has no commit that old). Name a later time.")
    assert write("show", "greet", "--at", "2099-02-03").exit_code == 0


@pytest.mark.parametrize("variables", ["[name]", "{name: string}"])
def test_variables_that_are_written_too_short(variables: str) -> None:
    with pytest.raises(PromptFileError) as caught:
        loads(f"variables: {variables}\nprompt: Hi\n", "a.yaml")
    hint = re.search("must be a mapping of keys such as (.*), not", str(caught.value))
    assert hint is not None
    corrected = variables.replace("string" if "{" in variables else "[name]", hint[1])
    loads(f"variables: {corrected}\nprompt: Hi\n", "a.yaml")


@pytest.mark.parametrize("command", ["check", "format", "save"])
def test_a_path_that_was_mistyped(write: Run, command: str) -> None:
    for typed in ("prompts/greet.yml", "prompts/gret.yaml", "gret"):
        assert "Did you mean prompts/greet.yaml?" in str(write(command, typed).exception)
    assert "Did you mean" not in str(write(command, "prompts/zebra.yaml").exception)


def test_a_label_in_the_place_of_its_prompt(write: Run) -> None:
    assert write("label", "set", "greet", "production").exit_code == 0
    hint = re.search(r"Did you mean (\S+)\?", str(write("show", "production@greet").exception))
    assert hint is not None
    assert write("show", hint[1]).exit_code == 0


def test_a_folder_without_labels_is_told_of_none_to_set(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "greet.yaml").write_text("prompt: Hi\n")
    listed = CliRunner().invoke(app, ["-C", str(tmp_path), "label", "list"])
    assert "There are no labels, and" in listed.stderr
    assert "label set" not in listed.stderr


def test_a_store_is_made_in_a_folder(write: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "is a file; name a folder" in str(write("init", str(tmp_path / "file")).exception)


def test_a_source_is_no_json(write: Run) -> None:
    assert "exclude each other" in str(write("show", "greet", "--json", "--source").exception)


def test_a_version_in_the_place_of_a_second_prompt(write: Run) -> None:
    assert write("label", "set", "greet", "production").exit_code == 0
    for typed in ("1", "production"):
        error = write("diff", "greet@1", typed).exception
        hint = re.search(r"write `promptstore (.*?)`", str(error))
        assert hint is not None
        assert write(*hint[1].split()).exit_code == 0


def test_what_is_deleted_is_named_where_nothing_else_is(write: Run) -> None:
    assert write("delete", "shared/tone", "--yes").exit_code == 0
    listed = write("list", "shared/")
    assert (listed.stdout, listed.exit_code) == ("", 0)
    assert "add --deleted" in listed.stderr
    assert "shared/tone" in write("list", "shared/", "--deleted").stdout
    assert "--deleted" not in write("list", "zebra").stderr


def test_an_export_of_nothing(repo: GitRepo) -> None:
    error = CliRunner().invoke(app, ["-C", str(repo.path), "export", "--to", "github"]).exception
    assert "there is no prompt in main" in str(error)
