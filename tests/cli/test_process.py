"""The command line as a process of its own: exit codes, pipes, terminals."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.writing.conftest import assert_tidy, configure

PICK = """\
variables:
  n: {type: integer, enum: [1, 2], description: "Which\\e[2J"}
prompt: Take {{ n }}
"""
GREET = "variables:\n  name: {type: string}\nprompt: Hi {{ name }}\n"


@pytest.fixture
def clone(repo: GitRepo) -> GitRepo:
    repo.commit({"prompts/greet.yaml": GREET, "prompts/odd.yaml": 'prompt: "a\\u001b[31mb"\n'})
    return repo


def run(
    *arguments: str, path: Path | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    place = ["-C", str(path)] if path else []
    return subprocess.run(
        [sys.executable, "-m", "promptstore", *place, *arguments],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )


def run_on_terminal(
    path: Path,
    *arguments: str,
    prompt: bytes = b"",
    typed: bytes = b"",
    before_typing: Callable[[], None] = lambda: None,
) -> tuple[int, bytes]:
    """Run with a terminal for stdin, stdout and stderr; give the exit code and what it showed.

    The text is typed once the prompt is seen.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.environ |= {"TERM": "xterm", "COLUMNS": "100"}
        # A shell lets what it runs in the background ignore interrupts, and that is inherited.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execv(
            sys.executable,
            [sys.executable, "-m", "promptstore", "-C", str(path), *arguments],
        )
    shown = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other side is gone
            break
        if not data:
            break
        shown += data
        if typed and prompt in shown:
            before_typing()
            os.write(terminal, typed)
            typed = b""
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


def run_with_errors_on_terminal(*arguments: str, output: Path) -> bytes:
    """Run with stdout in a file and a terminal for stderr; give what the terminal showed."""
    ours, theirs = pty.openpty()
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "promptstore", *arguments],
            stdin=subprocess.DEVNULL, stdout=file, stderr=theirs,
            env={**os.environ, "TERM": "xterm"},
        )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # Linux says so when the other side is gone
            break
    os.close(ours)
    assert process.wait() == 0
    return shown


def test_version_loads_no_command(clone: GitRepo) -> None:
    done = run("--version", environment={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.stdout.startswith(b"promptstore ")
    assert b"typer" not in done.stderr
    assert run("list", "--version").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["render", "greet"], 1, b"error: The values for 'greet' do not fit: 'name' is missing."),
        (["show", "gret"], 1, b"error: There is no prompt 'gret' in main"),
        (["nonsense"], 2, b"No such command"),
        (["list"], 0, b""),
    ],
)
def test_exit_codes(clone: GitRepo, arguments: list[str], code: int, sentence: bytes) -> None:
    done = run(*arguments, path=clone.path)
    assert done.returncode == code
    assert sentence in done.stderr
    assert b"Traceback" not in done.stderr


def test_output_is_utf_8_whatever_the_locale(clone: GitRepo) -> None:
    done = run(
        "render", "greet", "--var", "name=é\r\n", path=clone.path,
        environment={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.stdout == "Hi é\r\n".encode()


def test_a_reader_that_goes_away_is_no_traceback(clone: GitRepo) -> None:
    clone.commit({f"prompts/{n:0200}.yaml": "prompt: x\n" for n in range(500)})
    command = [sys.executable, "-m", "promptstore", "-C", str(clone.path), "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_missing_extra_names_what_to_install() -> None:
    program = (
        "import sys, importlib.util as util\n"
        "real = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'typer' else real(name, *rest)\n"
        "sys.argv = ['promptstore', 'list']\n"
        "from promptstore.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 1
    assert re.search(rb"needs more: pip install .*\[cli\]", done.stderr)


class TestTerminal:
    def test_a_missing_value_is_asked_for(self, clone: GitRepo) -> None:
        code, shown = run_on_terminal(
            clone.path, "render", "greet", prompt=b"name: ", typed=b"Ada\n"
        )
        assert code == 0
        assert b"name" in shown
        assert shown.replace(b"\r\n", b"\n").endswith(b"Hi Ada\n")

    def test_a_value_that_does_not_fit_is_asked_for_again(self, clone: GitRepo) -> None:
        clone.commit({"prompts/pick.yaml": PICK})
        code, shown = run_on_terminal(
            clone.path, "render", "pick", prompt=b"Which\\x1b[2J: ", typed=b"4\n2\n"
        )
        assert code == 0
        assert b"n (integer, as JSON) (one of 1, 2) - Which\\x1b[2J: " in shown
        assert b"'n' is 4, which is none of 1, 2" in shown
        assert shown.replace(b"\r\n", b"\n").endswith(b"Take 2\n")
        assert b"\x1b" not in shown

    def test_what_is_used_and_not_declared_is_asked_for(self, clone: GitRepo) -> None:
        clone.commit({"prompts/open.yaml": "prompt: Hi {{ who }}\n"})
        code, shown = run_on_terminal(clone.path, "render", "open", prompt=b"who: ", typed=b"Ada\n")
        assert (code, shown.endswith(b"Hi Ada\r\n")) == (0, True)

    def test_nothing_is_asked_where_something_else_is_wrong(self, clone: GitRepo) -> None:
        code, shown = run_on_terminal(clone.path, "render", "greet", "--var", "nam=Ada")
        assert code == 1
        assert b"did you mean 'name'?" in shown
        assert b"name: " not in shown

    def test_a_table_has_heads(self, clone: GitRepo) -> None:
        code, shown = run_on_terminal(clone.path, "list")
        assert code == 0
        assert b"NAME" in shown
        assert b"\t" not in shown
        assert re.search(rb" \d{4}-\d\d-\d\d \d\d:\d\d ", shown)

    def test_a_long_history_shows_its_progress(self, repo: GitRepo, tmp_path: Path) -> None:
        lines = ["commit refs/heads/main", "committer Ada <ada@example.com> 1 +0000", "data 1", "x"]
        first = ["M 100644 inline prompts/a.yaml", "data 10", "prompt: x\n"]
        stream = "\n".join([*lines, *first, *(lines * 1_500), ""])
        repo.git("fast-import", "--quiet", stdin=stream.encode())
        output = tmp_path / "list"
        shown = run_with_errors_on_terminal("-C", str(repo.path), "list", output=output)
        assert b"Indexing the history" in shown
        assert output.read_bytes().startswith(b"a\t")
        _, shown = run_on_terminal(repo.path, "list")
        assert b"Indexing the history" not in shown

    def test_control_characters_are_shown_and_not_obeyed(self, clone: GitRepo) -> None:
        _, shown = run_on_terminal(clone.path, "show", "odd")
        assert b"a\\x1b[31mb" in shown
        assert b"a\x1b[31mb" not in shown
        assert b"a\x1b[31mb" in run("show", "odd", path=clone.path).stdout

    def test_errors_cannot_steer_the_terminal_either(self, clone: GitRepo) -> None:
        gone = 'prompt: x\ndeleted: true\ndeleted_reason: "a\\e[31mb"\n'
        clone.commit({"prompts/gone.yaml": gone})
        code, shown = run_on_terminal(clone.path, "render", "gone")
        assert code == 1
        assert b"a\\x1b[31mb" in shown
        assert b"\x1b" not in shown

    def test_a_source_is_shown_safely(self, clone: GitRepo) -> None:
        clone.commit({"prompts/raw.yaml": "prompt: a\x1b[31mb \u202e\n"})
        _, shown = run_on_terminal(clone.path, "show", "raw", "--source")
        assert shown == b"prompt: a\\x1b[31mb \\u202e\r\n"

    def test_a_diff_is_coloured_unless_that_is_not_wanted(
        self, clone: GitRepo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clone.commit({"prompts/odd.yaml": "prompt: b\n"})
        _, shown = run_on_terminal(clone.path, "diff", "odd")
        assert b"\x1b[32m+b\x1b[0m\r\n" in shown
        monkeypatch.setenv("NO_COLOR", "1")
        _, shown = run_on_terminal(clone.path, "diff", "odd")
        assert b"+b\r\n" in shown
        assert b"\x1b" not in shown

    def test_an_interrupt_ends_it(self, clone: GitRepo) -> None:
        code, _ = run_on_terminal(clone.path, "render", "greet", prompt=b"name: ", typed=b"\x03")
        assert code == 130


class TestQuestions:
    @pytest.fixture(autouse=True)
    def _known(self, clone: GitRepo) -> None:
        configure(clone)

    @pytest.mark.parametrize(
        ("typed", "code", "version"),
        [(b"y\n", 0, 2), (b"n\n", 1, 1), (b"\n", 1, 1), (b"\x04", 1, 1)],
    )
    def test_a_deletion(self, clone: GitRepo, typed: bytes, code: int, version: int) -> None:
        question = b"Delete greet? [y/N]: "
        ended, shown = run_on_terminal(clone.path, "delete", "greet", prompt=question, typed=typed)
        assert question in shown
        assert (ended, len(clone.versions("prompts/greet.yaml"))) == (code, version)
        assert (b"greet@2: deleted in " in shown) is (code == 0)
        assert_tidy(clone)

    def test_nothing_is_asked_after_a_yes(self, clone: GitRepo) -> None:
        code, shown = run_on_terminal(clone.path, "delete", "greet", "--yes")
        assert (code, b"Delete" in shown) == (0, False)

    def test_a_move_of_a_protected_label(self, clone: GitRepo) -> None:
        assert run("label", "set", "greet", "production", path=clone.path).returncode == 0
        clone.commit({"prompts/greet.yaml": "prompt: x\n"})
        question = "Move production: greet@1 → greet@2? [y/N]: ".encode()
        for typed, version in ((b"n\n", b"1"), (b"y\n", b"2")):
            _, shown = run_on_terminal(
                clone.path, "label", "set", "greet", "production", prompt=question, typed=typed
            )
            assert question in shown
            listed = run("label", "list", path=clone.path).stdout
            assert listed.split(b"\t")[:3] == [b"production", b"greet", version]

    def test_a_label_that_moved_while_the_question_stood(self, clone: GitRepo) -> None:
        assert run("label", "set", "greet", "production", path=clone.path).returncode == 0
        for text in ("x", "y"):
            clone.commit({"prompts/greet.yaml": f"prompt: {text}\n"})

        def move() -> None:
            store = PromptStore.open(clone.path)
            store.set_label("greet", "production", version=2)

        code, shown = run_on_terminal(
            clone.path, "label", "set", "greet", "production",
            prompt=b"[y/N]: ", typed=b"y\n", before_typing=move,
        )  # fmt: skip
        assert code == 1
        assert b"points at version 2 by now, not at version 1" in shown.replace(b"\r\n", b" ")

    def test_an_interrupt_at_the_question(self, clone: GitRepo) -> None:
        code, _ = run_on_terminal(clone.path, "delete", "greet", prompt=b"[y/N]: ", typed=b"\x03")
        assert code == 130
        assert len(clone.versions("prompts/greet.yaml")) == 1


class TestEditor:
    @pytest.fixture(autouse=True)
    def _known(self, clone: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
        configure(clone)
        for variable in ("VISUAL", "EDITOR"):
            monkeypatch.delenv(variable, raising=False)

    def test_it_has_the_terminal(
        self, clone: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        editor = tmp_path / "editor"
        editor.write_text('#!/bin/sh\nprintf "line? "\nread line\nprintf "%s\\n" "$line" >> "$1"\n')
        editor.chmod(0o755)
        monkeypatch.setenv("EDITOR", str(editor))
        code, shown = run_on_terminal(
            clone.path, "edit", "greet", prompt=b"line? ", typed=b"# typed\n"
        )
        assert (code, b"greet@2: in " in shown) == (0, True)
        assert clone.git("show", "HEAD:prompts/greet.yaml") == GREET + "# typed"
        assert_tidy(clone)

    def test_an_error_names_the_file_that_keeps_the_text(self, clone: GitRepo) -> None:
        done = run("edit", "greet", path=clone.path, environment={"EDITOR": "echo 'a: b' | tee"})
        lines = done.stderr.decode().splitlines()
        assert done.returncode == 1
        assert lines[0].startswith("error: prompts/greet.yaml:1:1: PS107 ")
        kept = re.fullmatch(
            r"The text is kept in (\S+); `promptstore edit greet` goes.*", lines[-1]
        )
        assert kept
        assert Path(kept[1]).read_text() == "a: b\n"

    def test_every_broken_file_is_reported(self, clone: GitRepo) -> None:
        files = [str(clone.write(f"prompts/{name}.yaml", "a: b\n")) for name in ("x", "y")]
        done = run("save", *files, path=clone.path)
        lines = done.stderr.decode().splitlines()
        assert [line for line in lines if line.startswith("error: ")] == [
            line for line in lines if re.match(r"error: \S+/prompts/[xy]\.yaml:1:1: PS107 ", line)
        ]
        assert len([line for line in lines if line.startswith("error: ")]) == 2


def test_a_command_loads_no_other(clone: GitRepo) -> None:
    code = (
        "import sys; from promptstore.cli.app import app; app(['list'], standalone_mode=False); "
        "print(sorted(name for name in sys.modules if name.startswith('promptstore.cli.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, cwd=clone.path, text=True
    )
    assert "'promptstore.cli.reading'" in done.stdout
    assert "'promptstore.cli.check'" not in done.stdout


@pytest.mark.parametrize(
    ("shell", "line", "found"),
    [
        ("bash", "-C {} show gr", b"greet"),
        ("zsh", "delete -C {} gr", b"greet"),
        ("fish", "label remove -C {} gr", b"greet"),
        ("fish", "-C {} label remove greet pro", b"production"),
        ("bash", "list -C {} gr", b"greet"),
        ("bash", "-C {} render greet@", b"greet@production"),
    ],
)
def test_completion_knows_names_and_labels(
    clone: GitRepo, shell: str, line: str, found: bytes
) -> None:
    PromptStore.open(configure(clone).path).set_label("greet", "production")
    words = f"promptstore {line.format(clone.path)}"
    done = subprocess.run(
        [sys.executable, "-c", "from promptstore.cli.app import app; app(prog_name='promptstore')"],
        capture_output=True,
        check=False,
        env={
            **os.environ,
            "_PROMPTSTORE_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
            "_TYPER_COMPLETE_ARGS": words,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        },
    )
    assert found in done.stdout, done.stderr


def test_a_shell_is_given_its_script() -> None:
    script = run("--show-completion")
    assert script.returncode == 0
    assert b"_COMPLETE=complete_" in script.stdout
