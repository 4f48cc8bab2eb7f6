"""Each rule: files that break it, with the exact place, and files that look like it but do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptstore.check import MEANINGS, check
from promptstore.promptfile import codes
from promptstore.store import PromptStore

TONE = {"shared/tone": "prompt: Be kind.\n"}

FIRES: dict[str, tuple[dict[str, str], list[str]]] = {
    "a file that is no YAML": (
        {"a": "prompt: [\n"},
        ["a.yaml:2:1 PS102"],
    ),
    "every problem of a broken file": (
        {"a": "promt: x\ntags: a\n"},
        ["a.yaml:1:1 PS107", "a.yaml:2:7 PS109"],
    ),
    "template syntax, on the line of the block": (
        {"a": "description: x\nprompt: |\n  one\n  {% if %}\n  three\n"},
        ["a.yaml:4:3 PS201"],
    ),
    "template syntax in a quoted text": (
        {"a": "messages:\n  - role: user\n    content: '{{ x'\n"},
        ["a.yaml:3:14 PS201"],
    ),
    "template syntax in a part": (
        {
            "a": "messages:\n  - role: user\n    content:\n"
            "      - type: text\n        text: '{% x %}'\n"
        },
        ["a.yaml:5:15 PS201"],
    ),
    "an undeclared variable": (
        {"a": "variables:\n  x: {}\nprompt: |\n  {{ x }}\n\n  {{ y }}\n"},
        ["a.yaml:6:3 PS202"],
    ),
    "an undeclared variable of an include": (
        {"a": "variables: {}\nprompt: |\n  {% include 'b' %}\n", "b": "prompt: '{{ y }}'\n"},
        ["a.yaml:3:3 PS202"],
    ),
    "an unused variable": (
        {"a": "variables:\n  x: {}\n  unused: {type: string}\nprompt: '{{ x }}'\n"},
        ["a.yaml:3:3 PS203"],
    ),
    "a missing include": (
        {"a": "prompt: |\n  x\n  {% include 'shared/tune' %}\n", **TONE},
        ["a.yaml:3:3 PS301"],
    ),
    "a deleted include": (
        {"a": "prompt: \"{% include 'b' %}\"\n", "b": "prompt: x\ndeleted: true\n"},
        ["a.yaml:1:9 PS302"],
    ),
    "includes that go round": (
        {"a": "prompt: \"{% include 'b' %}\"\n", "b": "prompt: \"{% include 'a' %}\"\n"},
        ["a.yaml:1:9 PS303", "b.yaml:1:9 PS303"],
    ),
    "a text that includes itself": (
        {"a": "prompt: \"{% include 'a' %}\"\n"},
        ["a.yaml:1:9 PS303"],
    ),
    "includes that are nested too deep": (
        {f"i{n:02}": f"prompt: \"{{% include 'i{n + 1:02}' %}}\"\n" for n in range(11)}
        | {"i11": "prompt: end\n"},
        ["i00.yaml:1:9 PS304"],
    ),
    "an included chat prompt": (
        {
            "a": "prompt: \"{% include 'b' %}\"\n",
            "b": "messages:\n  - {role: user, content: x}\n",
        },
        ["a.yaml:1:9 PS305"],
    ),
    "an include of a broken file": (
        {"a": "prompt: \"{% include 'b' %}\"\n", "b": "prompt: [\n"},
        ["a.yaml:1:9 PS306", "b.yaml:2:1 PS102"],
    ),
    "names that differ in case only": (
        {"Greet": "prompt: x\n", "greet": "prompt: x\n"},
        ["greet.yaml:1:1 PS401"],
    ),
    "a replacement that is missing": (
        {"a": "prompt: x\ndeleted: true\nreplaced_by: nope\n"},
        ["a.yaml:3:14 PS403"],
    ),
    "a replacement that is deleted": (
        {
            "a": "prompt: x\ndeleted: true\nreplaced_by: b\n",
            "b": "prompt: x\ndeleted: true\n",
        },
        ["a.yaml:3:14 PS403"],
    ),
}

STAYS_SILENT: dict[str, dict[str, str]] = {
    "a text full of braces in the language none": {"a": "template: none\nprompt: '{% if {{ x'\n"},
    "a text that only looks like Jinja2": {"a": "template: simple\nprompt: '{% if {{ x y }}'\n"},
    "no declaration at all": {"a": "prompt: '{{ x }}'\n"},
    "a variable of a loop": {
        "a": "variables:\n  xs: {type: array}\nprompt: '{% for x in xs %}{{ x }}{% endfor %}'\n"
    },
    "a variable that only an include uses": {
        "a": "variables:\n  y: {}\nprompt: \"{% include 'b' %}\"\n",
        "b": "prompt: '{{ y }}'\n",
    },
    "a variable that the include declares": {
        "a": "variables: {}\nprompt: \"{% include 'b' %}\"\n",
        "b": "variables:\n  y: {}\nprompt: '{{ y }}'\n",
    },
    "a variable that only an insert uses": {
        "a": "variables:\n  h: {type: messages}\nmessages:\n  - insert: h\n"
    },
    "an include in a comment": {"a": "prompt: \"{# {% include 'nope' %} #}\"\n"},
    "an include between raw": {"a": "prompt: \"{% raw %}{% include 'nope' %}{% endraw %}\"\n"},
    "an include by two": {
        "a": "prompt: \"{% include 'shared/tone' %}{% include 'shared/tone' %}\"\n",
        "b": "prompt: \"{% include 'shared/tone' %}\"\n",
        **TONE,
    },
    "includes that are just not too deep": {
        f"i{n:02}": f"prompt: \"{{% include 'i{n + 1:02}' %}}\"\n" for n in range(10)
    }
    | {"i10": "prompt: end\n"},
    "faults of a deleted prompt's text": {
        "a": "variables:\n  unused: {}\nprompt: \"{{ y }}{% include 'nope' %}\"\ndeleted: true\n"
    },
    "the same name in two folders": {"a/greet": "prompt: x\n", "b/greet": "prompt: x\n"},
    "a replacement that is there": {
        "a": "prompt: x\ndeleted: true\nreplaced_by: b\n",
        "b": "prompt: x\n",
    },
}


def found(folder: Path, files: dict[str, str]) -> list[str]:
    for name, text in files.items():
        file = folder / "prompts" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    findings = check(PromptStore.open(folder).snapshot())
    return [
        f"{finding.path.removeprefix('prompts/')}:{finding.problem.line}:{finding.problem.column} "
        f"{finding.problem.code}"
        for finding in findings
    ]


@pytest.mark.parametrize(("files", "expected"), FIRES.values(), ids=list(FIRES))
def test_a_rule_fires(tmp_path: Path, files: dict[str, str], expected: list[str]) -> None:
    assert found(tmp_path, files) == expected


@pytest.mark.parametrize("files", STAYS_SILENT.values(), ids=list(STAYS_SILENT))
def test_a_rule_stays_silent(tmp_path: Path, files: dict[str, str]) -> None:
    assert found(tmp_path, files) == []


@pytest.mark.parametrize("case", sorted(FIRES.keys() - {"names that differ in case only"}))
def test_one_prompt_has_the_problems_that_it_has_among_all(tmp_path: Path, case: str) -> None:
    files, expected = FIRES[case]
    assert found(tmp_path, files) == expected
    snapshot = PromptStore.open(tmp_path).snapshot()
    for name in files:
        of_all = [finding for finding in check(snapshot) if finding.name == name]
        assert check(snapshot, [name]) == of_all


def test_a_name_in_the_other_letter_case_is_a_problem_of_whichever_is_asked_about(
    tmp_path: Path,
) -> None:
    assert found(tmp_path, {"Greet": "prompt: x\n", "greet": "prompt: x\n"})
    snapshot = PromptStore.open(tmp_path).snapshot()
    for name in ("Greet", "greet"):
        assert [finding.name for finding in check(snapshot, [name])] == [name]


def test_files_that_cannot_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "prompts/.git").mkdir(parents=True)
    for path in ("a.yml", "two words.yaml", ".hidden.yaml", "notes.txt", ".git/x.yaml"):
        (tmp_path / "prompts" / path).write_text("prompt: x\n")
    (tmp_path / "prompts" / "link.yaml").symlink_to(tmp_path / "prompts" / "a.yml")
    assert found(tmp_path, {"fine": "prompt: x\n"}) == [
        ".hidden.yaml:1:1 PS402",
        "a.yml:1:1 PS402",
        "link.yaml:1:1 PS402",
        "two words.yaml:1:1 PS402",
    ]


def test_near_misses_are_told(tmp_path: Path) -> None:
    found(
        tmp_path,
        {
            "a": "variables:\n  ticket: {}\n"
            "prompt: \"{{ ticket }}{{ tickt }}{% include 'shared/tune' %}\"\n",
            **TONE,
        },
    )
    messages = [finding.problem.message for finding in check(PromptStore.open(tmp_path).snapshot())]
    assert "Did you mean 'ticket'?" in messages[0]
    assert "Did you mean 'shared/tone'?" in messages[1]


def test_every_code_has_a_meaning_and_a_case() -> None:
    fired = {line.split()[-1] for _, lines in FIRES.values() for line in lines} | {"PS402"}
    assert fired >= MEANINGS.keys()
    assert not MEANINGS.keys() & codes.MEANINGS.keys()
    assert all(meaning.endswith(".") for meaning in [*MEANINGS.values(), *codes.MEANINGS.values()])
