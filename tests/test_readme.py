"""What the README shows is run, and the names that the package offers are the ones it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import promptstore
from promptstore.cli.app import COMMANDS as NAMES
from promptstore.cli.app import app
from promptstore.cli.label import label_app
from promptstore.promptfile.reader import loads
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.writing.conftest import assert_tidy, configure

TOP = Path(__file__).parent.parent
README = (TOP / "README.md").read_text(encoding="utf-8")


def test_the_example_runs(tmp_path: Path) -> None:
    example = re.search(r"<!-- example -->\n```python\n(.*?)```", README, re.DOTALL)
    assert example
    shown = re.findall(r"^rendered\.config +# (.*)$", example[1], re.MULTILINE)
    program = example[1] + "\nprint(dict(rendered.config))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=TOP, check=False
    )
    assert done.stderr == ""
    assert done.stdout == shown[0].replace('"', "'") + "\n"


def test_the_example_of_writing_runs(repo: GitRepo) -> None:
    example = re.search(r"<!-- write-example -->\n```python\n(.*?)```", README, re.DOTALL)
    assert example
    shown = 'print(saved.version, saved.is_unchanged, error_names, store.get("greet").version)'
    program = example[1].replace("    error.names ", "    error_names = error.names ") + shown
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, cwd=configure(repo).path, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout == "2 False ('greet',) 5\n"
    assert_tidy(repo)


def test_the_prompt_file_is_one_that_can_be_read() -> None:
    file = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert file
    assert loads(file[1]).is_chat


def test_the_first_command_renders_a_prompt_of_this_repository() -> None:
    command = re.search(r"<!-- run-command -->\n    .* && \S*promptstore (.*)\n", README)
    assert command
    arguments = [word.strip("'") for word in re.findall(r"(?:[^\s']|'[^']*')+", command[1])]
    assert arguments[:2] == ["render", "translate"]
    values = {"text": "Good morning, {name}!", "language": "French"}
    rendered = PromptStore.open(TOP, worktree=True).render("translate", values)
    assert "Good morning, {name}!" in str(rendered)


def test_the_event_has_the_text_that_is_shown() -> None:
    event = re.search(r"<!-- event -->\n```json\n(.*?)```", README, re.DOTALL)
    text = re.search(r"<!-- event-text -->\n```text\n(.*?)\n```", README, re.DOTALL)
    assert event
    assert text
    shown = promptstore.text_repr(json.loads(event[1]), style="complete")
    assert shown.text == text[1]


COMMANDS = [[name] for name in NAMES if name not in ("label", "token", "sync")]
COMMANDS += [["label", str(command.name)] for command in label_app.registered_commands]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_is_in_the_table_and_has_help(words: list[str]) -> None:
    assert f"`promptstore {' '.join(words)}" in README
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0
    assert words[-1] in result.stdout


def test_the_public_names_are_there_and_documented() -> None:
    assert dir(promptstore) == promptstore.__all__ == sorted(promptstore.__all__)
    for name in promptstore.__all__:
        value = getattr(promptstore, name)
        assert name == "__version__" or value.__doc__
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = promptstore.nope


def test_the_names_for_type_checkers_are_those_at_run_time() -> None:
    source = (TOP / "promptstore" / "__init__.py").read_text(encoding="utf-8")
    declared = set(
        re.findall(r"^    from promptstore\S* import (\w+) as \1$", source, re.MULTILINE)
    )
    assert declared | {"__version__"} == set(promptstore.__all__)
