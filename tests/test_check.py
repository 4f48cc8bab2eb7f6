"""Each rule: files that break it, with the exact place, and files that look like it but do not."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import pytest

from promptstore.errors import SyncRefusedError
from promptstore.lint import context as context_module
from promptstore.lint.callsites import RULES as CALL_SITE_RULES
from promptstore.lint.check import MAX_SHOWN, RULES, Settings, check, check_labels
from promptstore.lint.context import LintContext
from promptstore.lint.findings import Finding, Rule, Violation, all_pages
from promptstore.promptfile import codes
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore
from tests.counting import CountingSnapshot
from tests.gitrepo import GitRepo
from tests.test_store import label_branch

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
        ["Greet.yaml:1:1 PS401", "greet.yaml:1:1 PS401"],
    ),
    "a replacement that is missing": (
        {"a": "prompt: x\ndeleted: true\nreplaced_by: nope\n"},
        ["a.yaml:3:14 PS403"],
    ),
    "a zero-width space": (
        {"a": 'prompt: "one\\ntwo\\u200bthree"\n'},
        ["a.yaml:1:9 PS501"],
    ),
    "a text hidden in the description of a tool": (
        {"a": "prompt: x\nconfig:\n  tools:\n    - {name: a, description: 'one\u200btwo'}\n"},
        ["a.yaml:4:30 PS501"],
    ),
    "a comment that is shown in another order": (
        {"a": "# Paid by\u202e eno\nprompt: x\n"},
        ["a.yaml:1:10 PS502"],
    ),
    "a text hidden in tag characters": (
        {"a": "prompt: |\n  one\n  two\U000e0041\n"},
        ["a.yaml:3:3 PS501"],
    ),
    "a right-to-left override": (
        {"a": 'prompt: "pay \\u202eeno"\n'},
        ["a.yaml:1:9 PS502"],
    ),
    "a Cyrillic letter in a Latin word": (
        {"a": "prompt: Write to p\u0430ypal.\n"},
        ["a.yaml:1:9 PS503"],
    ),
    "an access key in a text": (
        {"a": "prompt: |\n  Use AKIA" + "Q" * 16 + ".\n"},
        ["a.yaml:2:7 PS504"],
    ),
    "a token in the config": (
        {"a": "prompt: x\nconfig:\n  key: ghp_" + "a1B2" * 9 + "\n"},
        ["a.yaml:3:8 PS504"],
    ),
    "a key behind an escape": (
        {"a": 'prompt: "Use this:\\nAKIA' + "Q" * 16 + '\\nThanks."\n'},
        ["a.yaml:1:21 PS504"],
    ),
    "a key written as an escape": (
        {"a": 'prompt: "Use \\x41KIA' + "Q" * 16 + '"\n'},
        ["a.yaml:1:9 PS504"],
    ),
    "a key in a comment and one in a key": (
        {"a": "prompt: x  # AKIA" + "Q" * 16 + "\nconfig: {AKIA" + "Z" * 16 + ": 1}\n"},
        ["a.yaml:1:14 PS504", "a.yaml:2:10 PS504"],
    ),
    "two keys in one line of a block": (
        {"a": "prompt: |\n  x\n  AKIA" + "Q" * 16 + " AKIA" + "Z" * 16 + "\n"},
        ["a.yaml:3:3 PS504", "a.yaml:3:24 PS504"],
    ),
    "a style behind a letter": (
        {"a": "prompt: x\ufe0f\n"},
        ["a.yaml:1:9 PS501"],
    ),
    "conflict markers of git": (
        {"a": "<<<<<<< HEAD\nprompt: x\n=======\nprompt: y\n>>>>>>> b\n"},
        ["a.yaml:1:1 PS102"],
    ),
    "a password in the address of a broken file": (
        {"a": "promt: redis://user:hunter22@host/0\n"},
        ["a.yaml:1:1 PS107", "a.yaml:1:8 PS504"],
    ),
    "a space behind a text": (
        {"a": 'prompt: "Answer: "\n'},
        ["a.yaml:1:9 PS505"],
    ),
    "two spaces between words": (
        {"a": "prompt: |\n  one\n  two  three\n"},
        ["a.yaml:3:3 PS506"],
    ),
    "two spaces in the message behind unfinished code": (
        {"a": "messages:\n  - {role: user, content: '```'}\n  - {role: user, content: one  two}\n"},
        ["a.yaml:3:27 PS506"],
    ),
    "two spaces behind code with another fence in it": (
        {"a": "prompt: |\n  ```\n  ~~~  x\n  ```\n  one  two\n"},
        ["a.yaml:5:3 PS506"],
    ),
    "an include that is too deep, beside one that is not": (
        {
            "a": "prompt: |\n  {% include 'shared/tone' %}\n  {% include 'i00' %}\n",
            **{f"i{n:02}": f"prompt: \"{{% include 'i{n + 1:02}' %}}\"\n" for n in range(10)},
            "i10": "prompt: end\n",
            **TONE,
        },
        ["a.yaml:3:3 PS304"],
    ),
    "the same long text twice": (
        {
            "a": f"prompt: {'word ' * 20}\n",
            "b": f"messages:\n  - {{role: user, content: {'word ' * 20}}}\n",
        },
        ["a.yaml:1:9 PS507", "b.yaml:2:27 PS507"],
    ),
    "the same long text in two layouts": (
        {
            "a": "prompt: >\n" + "  word word word\n" * 7,
            "b": 'prompt: "' + "\\x77ord " * 20 + 'word"\n',
            "c": f"prompt: {'word ' * 22}\ndeleted: true\n",
        },
        ["a.yaml:1:9 PS507", "b.yaml:1:9 PS507"],
    ),
    "a system message behind the user's": (
        {"a": "messages:\n  - {role: user, content: x}\n  - {role: system, content: y}\n"},
        ["a.yaml:3:12 PS508"],
    ),
    "a tool that answers nothing": (
        {"a": "messages:\n  - {role: tool, content: x}\n"},
        ["a.yaml:2:12 PS508"],
    ),
    "a message without a word": (
        {"a": "messages:\n  - {role: user, content: ' '}\n"},
        ["a.yaml:2:27 PS505", "a.yaml:2:27 PS509"],
    ),
    "more tokens than the budget, includes counted": (
        {
            "a": "x-promptstore: {max_tokens: 10}\nprompt: \"{% include 'b' %}\"\n",
            "b": f"prompt: {'abcd' * 10}\n",
        },
        ["a.yaml:1:29 PS510"],
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
    "a control character written as an escape": {"a": 'prompt: "\\x1b[2J"\n'},
    "a file that is just small enough": {"a": "prompt: |\n" + "  0123456789abcde\n" * 58_000},
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
    "an emoji made of several, and Persian": {
        "a": "prompt: \U0001f468\u200d\U0001f469\u200d\U0001f467 "
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645\n"
    },
    "a symbol as a text, a keycap and a flag": {
        "a": "prompt: \u2714\ufe0e 1\ufe0f\u20e3 \U0001f3f4"
        + "".join(chr(0xE0000 + ord(letter)) for letter in "gbsct")
        + "\U000e007f\n"
    },
    "an escape between an address and a name": {
        "a": 'prompt: "Read https://example.com\\nuser:abcdef@example.org is the contact.\\t."\n'
    },
    "Russian beside English": {
        "a": "prompt: Write \u043f\u0440\u0438\u0432\u0435\u0442 to them.\n"
    },
    "a formula with Greek letters": {"a": "prompt: f(x) = \u03b1x + \u03bdy, in \u03bcs\n"},
    "addresses with placeholders": {
        "a": "prompt: |\n  redis://user:password@host\n  redis://<user>:<word>@host\n"
        "  redis://$USER:$WORD@host\n  redis://u:***@host\n  http://localhost:8000/@me\n"
    },
    "Arabic without a mark": {"a": "prompt: \u0645\u0631\u062d\u0628\u0627\n"},
    "words that only begin like a key": {
        "a": "prompt: Never print a key such as AKIA, sk-ant-, ghp_ or https://user:{password}@host\n"
    },
    "indented lists, tables and code": {
        "a": "prompt: |\n  - one\n    - two\n  a  b  c\n  ```\n  x  = 1\n  ```\n  |  a  |\n"
    },
    "tags that stand alone on a line": {
        "a": "variables:\n  x: {}\nprompt: |\n  {% if x %}\n  y\n  {% endif %}\n"
    },
    "two spaces in tags": {
        "a": "prompt: |\n  a {% if x %} b {%  else  %} c {% endif %}\n  {# one  two\n"
        "  three  four #}\n  {{ x  }} {{ x | default('a  b') }}\n"
    },
    "a long text twice in one prompt": {
        "a": "messages:\n" + f"  - {{role: user, content: {'word ' * 20}}}\n" * 2
    },
    "a word with hyphens that begins like a key": {
        "a": "prompt: Use the class sk-button-primary-with-icon-and-label.\n"
    },
    "the same short text twice": {"a": "prompt: Hello\n", "b": "prompt: Hello\n"},
    "a long text of a deleted prompt": {
        "a": f"prompt: {'word ' * 20}\n",
        "b": f"prompt: {'word ' * 20}\ndeleted: true\n",
    },
    "system, developer, then a conversation": {
        "a": "messages:\n  - {role: system, content: a}\n  - {role: developer, content: b}\n"
        "  - {role: user, content: c}\n  - {role: assistant, content: d}\n"
        "  - {role: tool, content: e}\n"
    },
    "just as many tokens as the budget": {
        "a": f"x-promptstore: {{max_tokens: 10}}\nprompt: {'abcd' * 10}\n"
    },
    "a budget of another kind": {"a": "x-promptstore: {max_tokens: few}\nprompt: x y z\n"},
    "metadata that looks like a budget": {"a": "metadata: {max_tokens: 1}\nprompt: x y z\n"},
    "a name that no remote is asked about": {"a.b/c": "prompt: x\n"},
    "a replacement that is there": {
        "a": "prompt: x\ndeleted: true\nreplaced_by: b\n",
        "b": "prompt: x\n",
    },
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = folder / "prompts" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def checked(
    folder: Path, settings: Settings | None = None, only: Collection[str] | None = None
) -> list[Finding]:
    return check(LintContext(PromptStore.open(folder).snapshot(), settings or Settings(), only))


def found(folder: Path, files: dict[str, str], settings: Settings | None = None) -> list[str]:
    write(folder, files)
    findings = checked(folder, settings)
    return [
        f"{finding.path.removeprefix('prompts/')}:{finding.problem.line}:{finding.problem.column} "
        f"{finding.problem.code}"
        for finding in findings
    ]


@pytest.mark.parametrize("files", STAYS_SILENT.values(), ids=list(STAYS_SILENT))
def test_a_rule_stays_silent(tmp_path: Path, files: dict[str, str]) -> None:
    assert found(tmp_path, files) == []


@pytest.mark.parametrize("case", sorted(FIRES))
def test_a_rule_fires_alone_as_among_all(tmp_path: Path, case: str) -> None:
    files, expected = FIRES[case]
    assert found(tmp_path, files) == expected
    together = checked(tmp_path)
    for name in files:
        of_all = [finding for finding in together if finding.name == name]
        assert checked(tmp_path, only=[name]) == of_all


@pytest.mark.parametrize("piece", ["{%", "sk-a-", "eyJaaaaaaaaaaa-", "- "])
def test_no_text_makes_a_check_slow(tmp_path: Path, piece: str) -> None:
    text = piece * (200_000 // len(piece))
    source = f"# promptstore: ignore PS203\nprompt: |\n  {text}\nx-a: '\n\n  {text}'\n"
    began = time.process_time()
    found(tmp_path, {"a": source})
    assert time.process_time() - began < 8


HOSTILE: dict[str, tuple[dict[str, str], str, int]] = {
    "spaces at the ends of lines": ({"a": "prompt: |\n" + "  x \n" * 3_000}, "PS505", 3_000),
    "words of two scripts": (
        {"a": "prompt: |\n  " + "p\u0430ypal " * 3_000 + "x\n"},
        "PS503",
        3_000,
    ),
    "invisible characters": ({"a": "prompt: |\n" + "  a\u200bb\n" * 3_000}, "PS501", 3_000),
    "unused variables": (
        {"a": "variables:\n" + "".join(f"  v{n}: {{}}\n" for n in range(2_000)) + "prompt: x\n"},
        "PS203",
        2_000,
    ),
    "missing includes": (
        {"a": "prompt: |\n" + "".join(f"  {{% include 'x{n}/name' %}}\n" for n in range(300))}
        | {f"n{n}/other-name": "prompt: x\n" for n in range(200)},
        "PS301",
        300,
    ),
}


@pytest.mark.parametrize(("files", "code", "count"), HOSTILE.values(), ids=list(HOSTILE))
def test_of_many_findings_in_a_file_the_first_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], code: str, count: int
) -> None:
    located = spy(monkeypatch, LintContext, "locate")
    compared = spy(monkeypatch, context_module, "near_matches")
    write(tmp_path, files)
    findings = checked(tmp_path, Settings(select=(code,)))
    assert len(findings) == MAX_SHOWN + 1 if code != "PS503" else len(findings) == 2
    messages = [finding.problem.message for finding in findings]
    assert f"And {count - MAX_SHOWN} more in this file." in messages
    assert len(located) == MAX_SHOWN
    assert sum(len(wrong) * sum(map(len, known)) for wrong, known in compared) <= 4_000_000


def test_a_flood_of_findings_hides_no_secret(tmp_path: Path) -> None:
    text = "prompt: |\n" + "  x \n" * 500 + "  AKIA" + "Q" * 16 + "\n"
    assert "a.yaml:502:3 PS504" in found(tmp_path, {"a": text})


def spy(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[tuple[Any, ...]]:
    """Note the arguments of every call of a function, which goes on doing what it does."""
    calls: list[tuple[Any, ...]] = []
    function = getattr(owner, name)

    def noting(*arguments: Any) -> Any:
        calls.append(arguments)
        return function(*arguments)

    monkeypatch.setattr(owner, name, noting)
    return calls


@pytest.mark.parametrize("only", [None, 40])
def test_each_file_is_read_and_parsed_once_however_many_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: int | None
) -> None:
    names = [f"team{number}/reply" for number in range(80)]
    word = "  a long text that is worth being shared by all prompts of a store, as it is the same\n"
    files = {
        name: f"prompt: |\n{word}  {{% include '{names[number // 2]}' %}}\n"
        if number
        else "prompt: x\n"
        for number, name in enumerate(names)
    }
    write(tmp_path, files)
    parsed = spy(monkeypatch, context_module, "parse")
    snapshot = CountingSnapshot(PromptStore.open(tmp_path).snapshot())
    context = LintContext(cast("Snapshot", snapshot), Settings())
    if only is not None:
        context.only = context.dependents(names[:only])
    assert check(context)
    assert max(snapshot.reads.values()) == 1
    assert len(parsed) == len(names)


def test_where_things_stand(tmp_path: Path) -> None:
    write(tmp_path, {"a": "prompt: |\n  one\n    two\nconfig:\n  b: {c: [1, 2]}\n"})
    context = LintContext(PromptStore.open(tmp_path).snapshot(), Settings())
    rule = RULES["PS501"]
    assert context.locate("a", Violation(rule, "", ("prompt",))) == (2, 3)
    assert context.locate("a", Violation(rule, "", ("prompt",), 2)) == (3, 5)
    assert context.locate("a", Violation(rule, "", ("config", "b", "c", 1))) == (5, 14)
    assert context.locate("a", Violation(rule, "", ("config", "b", "c"), is_key=True)) == (5, 7)
    assert context.locate("a", Violation(rule, "", place=(7, 8))) == (7, 8)


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


def test_near_misses_are_reported(tmp_path: Path) -> None:
    found(
        tmp_path,
        {
            "a": "variables:\n  ticket: {}\n"
            "prompt: \"{{ ticket }}{{ tickt }}{% include 'shared/tune' %}\"\n",
            **TONE,
        },
    )
    messages = [finding.problem.message for finding in checked(tmp_path)]
    assert "Did you mean 'ticket'?" in messages[0]
    assert "Did you mean 'shared/tone'?" in messages[1]


def refuses_dots(name: str) -> str:
    if "." in name:
        raise SyncRefusedError(name=name, reason="it has a dot.")
    return name


def test_a_name_that_the_remote_cannot_hold(tmp_path: Path) -> None:
    settings = Settings(name_encoders={"far": refuses_dots, "near": str})
    files = {"a.b": "prompt: x\n", "a/b": "prompt: x\n", "a.c": "prompt: x\ndeleted: true\n"}
    assert found(tmp_path, files, settings) == ["a.b.yaml:1:1 PS405"]


def test_canonical_form_is_looked_for_on_request(tmp_path: Path) -> None:
    files = {"a": 'prompt: "Hello"\n', "b": "prompt: Hello\n"}
    assert found(tmp_path, files) == []
    assert found(tmp_path, files, Settings(extend_select=("PS112",))) == ["a.yaml:1:1 PS112"]


EATEN = """\
variables: {x: {}}
prompt: |
  one{% if x %} two{% endif %}
  {% if x %}
  three{% if x %} four{% endif +%}
  {% endif %}{# alone #}
  five {# six #}
  seven{% raw %}{% endraw -%}
  {{ x }}
"""


def test_eaten_line_ends_are_looked_for_on_request(tmp_path: Path) -> None:
    files = {"a": EATEN, "b": EATEN.replace("prompt", "template: none\nprompt")}
    settings = Settings(select=("PS204",))
    assert found(tmp_path, files, settings) == ["a.yaml:3:3 PS204", "a.yaml:7:3 PS204"]
    assert "PS204" not in "".join(found(tmp_path, files))


IGNORED: dict[str, tuple[str, list[str]]] = {
    "at the end of the line": ('prompt: "x "  # promptstore: ignore PS505\n', []),
    "a family": ('prompt: "x "  # promptstore: ignore PS5\n', []),
    "two codes and a reason": (
        'prompt: "x "  # promptstore: ignore PS203, PS505 - it ends a line\n',
        [],
    ),
    "a code that is misspelt": (
        'prompt: "x "  # promptstore: ignore PSS05\n',
        ["a.yaml:1:9 PS505"],
    ),
    "at the line that begins a block": (
        "messages:\n  - role: user\n    content: |  # promptstore: ignore PS506\n      a\n\n"
        "      b  c\n  - content: |-\n      d  e\n    role: user\n",
        ["a.yaml:8:7 PS506"],
    ),
    "above the line that begins a block": (
        "messages:\n  # promptstore: ignore PS506\n  - content: |\n      a  b\n    role: user\n",
        [],
    ),
    "in a text, where it is no comment": (
        "prompt: |\n  # promptstore: ignore-file\n  a  b # promptstore: ignore\n",
        ["a.yaml:3:3 PS506"],
    ),
    "a fault for which the file cannot be read": (
        "# promptstore: ignore\npromt: x  # promptstore: ignore PS107\n",
        ["a.yaml:2:1 PS107"],
    ),
    "another code": ('prompt: "x "  # promptstore: ignore PS506\n', ["a.yaml:1:9 PS505"]),
    "every code": ('prompt: "x "  # promptstore: ignore\n', []),
    "in the whole file": (
        '# promptstore: ignore PS505, PS203\nvariables:\n  x: {}\nprompt: "x "\n',
        [],
    ),
    "on the line above": (
        "variables:\n  # promptstore: ignore PS203\n  x: {}\n  y: {}\nprompt: z\n",
        ["a.yaml:4:3 PS203"],
    ),
    "a comment that only mentions it": (
        'prompt: "x "  # promptstore ignores PS505\n',
        ["a.yaml:1:9 PS505"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), IGNORED.values(), ids=list(IGNORED))
def test_a_comment_leaves_findings_out(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert found(tmp_path, {"a": text}) == expected


def test_a_tombstone_is_looked_at_when_its_replacement_changes(tmp_path: Path) -> None:
    files = {
        "a": "prompt: x\ndeleted: true\nreplaced_by: b\n",
        "b": "prompt: x\ndeleted: true\n",
        "c": "prompt: \"{% include 'a' %}\"\n",
    }
    write(tmp_path, files)
    library = LintContext(PromptStore.open(tmp_path).snapshot(), Settings())
    assert library.dependents({"b"}) == {"a", "b"}
    assert library.dependents({"a"}) == {"a", "c"}


def test_a_variable_is_not_called_unused_where_not_all_can_be_read(tmp_path: Path) -> None:
    text = "variables:\n  x: {}\nprompt: \"{% include 'b' %}\"\n"
    settings = Settings(select=("PS203",))
    for number, other in enumerate(("", "prompt: [\n", "prompt: '{% if x %}'\n", "prompt: y\n")):
        files = {"a": text, "b": other} if other else {"a": text}
        expected = ["a.yaml:2:3 PS203"] if other == "prompt: y\n" else []
        assert found(tmp_path / str(number), files, settings) == expected


SELECTED: dict[str, tuple[Settings, list[str]]] = {
    "the defaults": (Settings(), ["PS203", "PS505"]),
    "one code": (Settings(select=("PS203",)), ["PS203"]),
    "a family": (Settings(select=("PS5",)), ["PS505"]),
    "all but one": (Settings(ignore=("PS505",)), ["PS203"]),
    "ignored although selected": (Settings(select=("PS2",), ignore=("PS203",)), []),
    "left out for a folder": (Settings(per_prompt_ignores={"drafts/*": ("PS2",)}), ["PS505"]),
    "left out for another folder": (
        Settings(per_prompt_ignores={"live/*": ("PS2",)}),
        ["PS203", "PS505"],
    ),
}


@pytest.mark.parametrize(("settings", "expected"), SELECTED.values(), ids=list(SELECTED))
def test_settings_select_codes(tmp_path: Path, settings: Settings, expected: list[str]) -> None:
    files = {"drafts/a": 'variables:\n  x: {}\nprompt: "y "\n'}
    assert [line.split()[-1] for line in found(tmp_path, files, settings)] == expected


def test_a_severity_can_be_set(tmp_path: Path) -> None:
    write(tmp_path, {"a": 'prompt: "x "\n'})
    assert [finding.severity for finding in checked(tmp_path)] == ["warning"]
    settings = Settings(severity={"PS505": "error"})
    assert [finding.severity for finding in checked(tmp_path, settings)] == ["error"]


def test_of_several_severities_the_closest_counts(tmp_path: Path) -> None:
    write(tmp_path, {"a": 'prompt: "x  y "\n'})
    settings = Settings(severity={"PS5": "error", "PS505": "note"})
    findings = checked(tmp_path, settings)
    assert {found.problem.code: found.severity for found in findings} == {
        "PS505": "note",
        "PS506": "error",
    }


def test_only_some_prompts_are_looked_at(tmp_path: Path) -> None:
    write(tmp_path, {"a": 'prompt: "x "\n', "b": 'prompt: "y "\n'})
    findings = checked(tmp_path, only={"b", "gone"})
    assert [finding.name for finding in findings] == ["b"]


def test_labels_that_point_nowhere(repo: GitRepo) -> None:
    repo.commit({"prompts/a.yaml": "prompt: x\n", "prompts/b.yaml": "prompt: y\n"})
    store = PromptStore.open(repo.path)
    store.set_label("a", "live", version=1, author="Ada Example <ada@example.com>")
    store.set_label("b", "live", version=1, author="Ada Example <ada@example.com>")
    # A label still reads the version of a file that was removed later.
    repo.commit({"prompts/b.yaml": None})
    assert check_labels(store, Settings()) == []
    text = "".join(f"{name}: {{version: 1, commit: {'f' * 40}}}\n" for name in ("a", "b"))
    label_branch(repo, {"live.yaml": text, "odd.yaml": "[\n"})
    findings = check_labels(store, Settings())
    assert [(finding.path, finding.problem.code) for finding in findings] == [
        ("promptstore/labels:live.yaml", "PS404"),
        ("promptstore/labels:live.yaml", "PS404"),
        ("promptstore/labels:odd.yaml", "PS404"),
    ]
    assert "cannot be read for 'a': " in findings[0].problem.message
    assert check_labels(store, Settings(ignore=("PS404",))) == []


def test_every_rule_has_a_page_and_a_case() -> None:
    fired = {line.split()[-1] for _, lines in FIRES.values() for line in lines}
    elsewhere = {
        "PS112",
        "PS204",
        "PS402",
        "PS404",
        "PS405",
        *(rule.code for rule in CALL_SITE_RULES),
    }
    assert fired >= RULES.keys() - elsewhere - set(codes.ALL)
    assert RULES.keys() >= set(codes.ALL)
    assert [key for key, rule in RULES.items() if key != rule.code] == []
    assert re.findall(r"^## (\w+): .+[.]$", all_pages(), re.MULTILINE) == list(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_a_page_says_what_the_rule_is(rule: Rule) -> None:
    marks = [rule.severity, "off by default", "`--fix` can fix it"]
    is_true = [True, not rule.is_on, rule.is_fixable]
    heading, said, reason, *_ = rule.page.split("\n\n")
    assert heading == f"## {rule.code}: {rule.title}"
    assert said == f"_{', '.join(itertools.compress(marks, is_true))}_"
    assert reason.rstrip() == rule.reason
    assert "\n" not in rule.reason


EXAMPLES = {
    code: re.findall(r"^```yaml\n(.*?)^```$", rule.page, re.MULTILINE | re.DOTALL)
    for code, rule in RULES.items()
    if "```yaml" in rule.page
    and code < "PS6"
    and code
    not in ("PS101", "PS301", "PS302", "PS303", "PS401", "PS402", "PS403", "PS405", "PS504")
}


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_examples_of_a_page_are_true(tmp_path: Path, code: str) -> None:
    settings = Settings(select=(code,))
    wrong = found(tmp_path / "bad", {"a": EXAMPLES[code][0]}, settings)
    assert {line.split()[-1] for line in wrong} == {code}
    assert found(tmp_path / "good", {"a": EXAMPLES[code][1]}, settings) == []


CHAT = "messages:\n  - {role: user, content: x}\n"
INCLUDES_B = "prompt: \"{% include 'b' %}\"\n"

FIXED: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "PS101": ({"a": 'prompt: "\x1b[2J"\n'}, {"a": 'prompt: "\\x1b[2J"\n'}),
    "PS106": ({"a": "prompt: |\n" + "  0123456789abcde\n" * 60_000}, {"a": "prompt: x\n"}),
    "PS301": ({"a": INCLUDES_B}, {"a": INCLUDES_B, "b": "prompt: x\n"}),
    "PS302": (
        {"a": INCLUDES_B, "b": "prompt: x\ndeleted: true\n"},
        {"a": INCLUDES_B, "b": "prompt: x\ndeleted: false\n"},
    ),
    "PS303": ({"a": INCLUDES_B, "b": INCLUDES_B}, {"a": INCLUDES_B, "b": "prompt: x\n"}),
    "PS304": (
        FIRES["includes that are nested too deep"][0],
        STAYS_SILENT["includes that are just not too deep"],
    ),
    "PS305": ({"a": INCLUDES_B, "b": CHAT}, {"a": INCLUDES_B, "b": "prompt: x\n"}),
    "PS306": ({"a": INCLUDES_B, "b": "prompt: [\n"}, {"a": INCLUDES_B, "b": "prompt: x\n"}),
    "PS401": (
        {"Greet": "prompt: x\n", "greet": "prompt: x\n"},
        {"Greet": "prompt: x\n", "greet2": "prompt: x\n"},
    ),
    "PS402": ({"two words": "prompt: x\n"}, {"two-words": "prompt: x\n"}),
    "PS403": (
        {"a": "prompt: x\ndeleted: true\nreplaced_by: b\n"},
        {"a": "prompt: x\ndeleted: true\nreplaced_by: b\n", "b": "prompt: x\n"},
    ),
    "PS504": (
        {"a": "prompt: Use AKIA" + "Q" * 16 + ".\n"},
        {"a": "prompt: Use {{ key }}.\n"},
    ),
    "PS507": (
        dict.fromkeys("ab", f"prompt: {'word ' * 20}\n"),
        {"a": "prompt: \"{% include 'b' %}\"\n", "b": f"prompt: {'word ' * 20}\n"},
    ),
}
"""Rules whose page has no pair of files to try: the files that break them, and the same fixed."""


@pytest.mark.parametrize("code", FIXED)
def test_a_finding_goes_when_it_is_fixed(tmp_path: Path, code: str) -> None:
    before, after = FIXED[code]
    assert code in {line.split()[-1] for line in found(tmp_path / "before", before)}
    assert found(tmp_path / "after", after) == []


SILENT_ELSEWHERE = {
    "PS101": "a control character written as an escape",
    "PS106": "a file that is just small enough",
    "PS301": "an include in a comment",
    "PS302": "an include by two",
    "PS303": "an include by two",
    "PS304": "includes that are just not too deep",
    "PS305": "an include by two",
    "PS306": "an include by two",
    "PS401": "the same name in two folders",
    "PS403": "a replacement that is there",
    "PS504": "words that only begin like a key",
    "PS507": "the same short text twice",
}
"""Rules whose page has no pair of files to try, with the case in which they stay silent."""


def test_every_rule_has_a_case_in_which_it_stays_silent() -> None:
    assert set(SILENT_ELSEWHERE.values()) <= STAYS_SILENT.keys()
    # Tests of their own: unrecognized files, labels, names of a remote, and the calls in code.
    others = {"PS402", "PS404", "PS405", *(rule.code for rule in CALL_SITE_RULES)}
    assert EXAMPLES.keys() | SILENT_ELSEWHERE.keys() | others == RULES.keys()
    assert EXAMPLES.keys() | FIXED.keys() | others == RULES.keys()
