"""Prompts in source code: what is found, what is proposed, and what is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptstore.errors import InvalidArgumentError
from promptstore.interchange.scan import Proposal, scan
from promptstore.interchange.scanners.python import scan_python
from promptstore.interchange.scanners.typescript import scan_typescript
from promptstore.store.store import PromptStore
from tests.cli.conftest import Run
from tests.cli.test_commands import fails_with, out
from tests.gitrepo import GitRepo

APP = Path(__file__).parent.parent / "data" / "scan" / "app"


@pytest.fixture(scope="module")
def found() -> dict[str, Proposal]:
    return {one.imported.name if one.imported else one.call: one for one in scan(APP)}


def content(one: Proposal) -> dict[str, object]:
    assert one.imported is not None
    return one.imported.prompt.content


def test_a_constant(found: dict[str, Proposal]) -> None:
    one = found["bot/system_prompt"]
    assert content(one) == {
        "template": "simple",
        "prompt": "You help customers of the shop.\n"
        "Answer in a friendly way and in one paragraph only.\n",
    }
    assert (one.path, one.line) == ("bot.py", 7)
    assert one.call == 'store.render("bot/system_prompt").text'


def test_messages_of_a_call(found: dict[str, Proposal]) -> None:
    one = found["bot/triage"]
    assert content(one)["messages"] == [
        {"role": "system", "content": "You sort tickets of {{name}} into bug or other."},
        {"role": "user", "content": "{{ticket}}"},
    ]
    assert one.call == 'store.render("bot/triage", name=user.name, ticket=ticket).messages'
    assert one.note == "1 items of the list are made at run time: add them as inserts"


def test_instructions_put_together_of_two_strings(found: dict[str, Proposal]) -> None:
    assert content(found["bot/summary-instructions"])["messages"] == [
        {
            "role": "system",
            "content": "Summarise the text in three short lines, and leave every number as it is.",
        }
    ]


def test_a_template_literal_with_another_one_in_it(found: dict[str, Proposal]) -> None:
    one = found["src/chat/system_prompt"]
    assert content(one)["prompt"] == (
        "You help {{name}} with {{items}}.\nAnswer in one short paragraph, and use no `code`."
    )
    assert one.line == 4


def test_a_message_in_typescript(found: dict[str, Proposal]) -> None:
    assert content(found["src/chat/system"])["messages"] == [
        {"role": "system", "content": 'You answer questions about the shop and "nothing" else.'}
    ]


def test_prompt_objects_are_only_named() -> None:
    notes = [one.note for one in scan(APP) if one.imported is None]
    assert [note.split()[0] for note in notes] == ["pmpt_68abc", "pmpt_77def"]


def test_nothing_else_is_found(found: dict[str, Proposal]) -> None:
    assert sorted(one.imported.name for one in found.values() if one.imported) == [
        "bot/summary-instructions", "bot/system_prompt", "bot/triage", "src/chat/system",
        "src/chat/system_prompt",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "`", "`${", "`${`", "'", '"\\', "/*", "`${'`'}", "`a${b}`" * 3, "a ? `x` : `y`"]
)
def test_odd_typescript_is_no_error(text: str) -> None:
    assert scan_typescript(text, "x.ts") == []


def test_python_that_is_none_has_no_prompts() -> None:
    assert scan_python("def x(:", "x.py") == []


def test_the_report_and_writing(run: Run, repo: GitRepo) -> None:
    report = out(run("scan", str(APP)))
    assert "bot.py:16: bot/triage\n    write there: store.render(" in report
    assert "7 found; --write commits the prompts" in report
    assert repo.git("for-each-ref") == ""
    [row] = [row for row in json.loads(out(run("scan", "--json", str(APP)))) if row["line"] == 7]
    assert row["file"].startswith("template: simple\nprompt: |\n  You help customers")
    assert "1 written" in out(run("scan", str(APP), "--write", "--name", "bot/triage"))
    assert PromptStore.open(repo.path).names() == ["bot/triage"]
    assert "4 written, 1 unchanged" in out(run("scan", str(APP), "--write"))
    before = repo.git("for-each-ref")
    assert "0 written, 5 unchanged" in out(run("scan", str(APP), "--write"))
    assert repo.git("for-each-ref") == before


def test_errors(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="no such file or folder"):
        scan(tmp_path / "none")
    fails_with(run("scan", str(APP), "--name", "zz"), "nothing of the name 'zz' was found")
    (tmp_path / "empty.py").write_text("")
    assert out(run("scan", str(tmp_path))) == "0 found\n"
