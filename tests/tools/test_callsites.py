"""Calls in Python code: what is found, and what only looks like it."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptstore.lint.callsites import RULES, check_code
from promptstore.lint.check import Settings
from promptstore.lint.context import LintContext
from promptstore.store.store import PromptStore

PROMPTS = {
    "greet": "variables:\n  name: {type: string}\n  tone: {enum: [kind, brief], default: kind}\n"
    "prompt: '{{ name }}{{ tone }}'\n",
    "plain": "prompt: Hello\n",
    "shared/tone": "prompt: Be kind.\n",
    "support/reply": "prompt: \"{{ ticket }}{% include 'shared/tone' %}\"\n",
    "half": "prompt: \"{% include 'lost' %}\"\n",
    "lost": "prompt: [\n",
    "gone": "prompt: x\ndeleted: true\nreplaced_by: greet\n",
}
OPEN = "from promptstore import PromptStore\nstore = PromptStore.open('.')\n"

FIRES: dict[str, tuple[str, list[str]]] = {
    "an unknown name": ("store.get('great')", ["3:1 PS601"]),
    "an unknown name in a render": ("store.render('great', {})", ["3:1 PS601"]),
    "a deleted name": ("store.get('gone')", ["3:1 PS602"]),
    "a missing value": ("store.render('greet', {'tone': 'kind'})", ["3:1 PS603"]),
    "no values": ("store.render('greet')", ["3:1 PS603"]),
    "an unknown value": ("store.render('greet', {'name': 'a', 'nam': 'b'})", ["3:1 PS604"]),
    "a wrong type": ("store.render('greet', {'name': 3})", ["3:1 PS605"]),
    "a value outside of the enum": (
        "store.get('greet').render(name=who, tone='loud')",
        ["3:1 PS605"],
    ),
    "a prompt that was kept": (
        "prompt = store.get('greet')\nprompt.render(nam='x')",
        ["4:1 PS603", "4:1 PS604"],
    ),
    "two prompts by one name, one after the other": (
        "p = store.get('plain')\np.render(a=1)\np = store.get('greet')\np.render()",
        ["4:1 PS604", "6:1 PS603"],
    ),
    "one name in two functions": (
        "def f():\n    p = store.get('plain')\n    p.render(a=1)\n"
        "def g():\n    p = store.get('greet')\n    return p.render()",
        ["5:5 PS604", "8:12 PS603"],
    ),
    "a prompt that was kept in the block around": (
        "p = store.get('plain')\nif p:\n    p.render(a=1)\np = None",
        ["5:5 PS604"],
    ),
    "a prompt that is kept for all functions": (
        "P = store.get('plain')\ndef f():\n    return P.render(a=1)",
        ["5:12 PS604"],
    ),
    "a prompt that is kept in an object": (
        "class A:\n    def __init__(self):\n        self.p = store.get('plain')\n"
        "    def f(self):\n        return self.p.render(a=1)",
        ["7:16 PS604"],
    ),
    "a prompt of a condition": ("if (p := store.get('plain')):\n    p.render(a=1)", ["4:5 PS604"]),
    "a store that may be none": (
        "def f(s: 'PromptStore | None', t: 'Optional[PromptStore]'): pass\n"
        "def g(t: Optional[PromptStore]):\n    t.get('great')",
        ["5:5 PS601"],
    ),
    "a variable of a text that declares none": (
        "store.render('support/reply', {})",
        ["3:1 PS603"],
    ),
    "by keyword, without values": ("store.render(name='greet')", ["3:1 PS603"]),
    "by keyword": ("store.render(name='greet', variables={'name': 1})", ["3:1 PS605"]),
    "inside of a function": (
        "def f(s: PromptStore) -> None:\n    s.get('great')",
        ["4:5 PS601"],
    ),
    "on an attribute": (
        "class A:\n    def __init__(self):\n        self.p = PromptStore.open('.')\n"
        "    def f(self):\n        return self.p.get('great')",
        ["7:16 PS601"],
    ),
    "on a store that is opened in place": ("PromptStore.open('.').get('great')", ["3:1 PS601"]),
    "on a snapshot": ("store.snapshot().get('great')", ["3:1 PS601"]),
    "on a cast": (
        "from typing import cast\np = cast('Prompts', PromptStore.open('.'))\np.get('great')",
        ["5:1 PS601"],
    ),
    "on a cast of what another module made": (
        "from typing import cast\np = cast(PromptStore, make())\np.get('great')",
        ["5:1 PS601"],
    ),
    "by the type of the stubs": ("def f(p: 'Prompts'):\n    p.get('great')", ["4:5 PS601"]),
    "on what another module made": (
        "from app import prompts\nprompts.get('great')",
        ["4:1 PS601"],
    ),
    "a file that is no Python": ("def", ["3:1 PS607"]),
}

SILENT: dict[str, str] = {
    "right calls": (
        "store.get('greet').render(name='a')\nstore.render('greet', {'name': x, 'tone': 'brief'})\n"
        "store.render('support/reply', {'ticket': 't'})"
    ),
    "a name that is no literal": "store.get(name)\nstore.get(f'gre{x}')",
    "values that are not all to be seen": (
        "store.render('greet', values)\nstore.render('greet', {**more})\n"
        "store.get('greet').render(**values)"
    ),
    "a dict": "settings = {}\nsettings.get('great')",
    "the prompts of PostHog's SDK": (
        "from posthog.ai.prompts import Prompts\nprompts = Prompts(personal_api_key='x')\n"
        "prompts.get('great')\ndef f(p: Prompts):\n    p.get('great')"
    ),
    "a dict that is called like a store": "prompts = {'great': 1}\nprompts.get('great')",
    "a prompt that depends": (
        "if x:\n    p = store.get('plain')\nelse:\n    p = store.get('greet')\np.render(a=1)"
    ),
    "a name that means something else by then": (
        "p = store.get('plain')\np.render()\np = page\np.render(a=1)"
    ),
    "a prompt that includes a broken one": "store.render('half', {})\nstore.render('lost', {})",
    "a parameter": "p = store.get('plain')\ndef f(p):\n    p.render(a=1)\nlambda p: p.render(a=1)",
    "the name of a loop": (
        "p = store.get('plain')\nfor p in pages:\n    p.render(a=1)\n"
        "q = store.get('plain')\n[q.render(a=1) for q in pages]\n{q.render(a=1): 1 for q in pages}"
    ),
    "a deleted prompt that is asked for as such": "store.get('gone', deleted=True)",
    "what a comment leaves out": (
        "store.get('great')  # promptstore: ignore PS601\n"
        "def f():\n    # promptstore: ignore\n    store.get('great')"
    ),
    "an escape that there is not": "'\\d'",
    "what renders something else": "page.render('great', {})\nrequest.get('great')",
    "a text in a comment or a docstring": "# store.get('great')\n'store.get(\"great\")'",
    "another version": "store.get('great', version=1)\nstore.get('greet', label='x').render(a=1)",
}


def checked(folder: Path, code: str, *, unused: bool = False) -> list[str]:
    for name, text in PROMPTS.items():
        file = folder / "prompts" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    source = folder / "src/app.py"
    source.parent.mkdir()
    source.write_text(code)
    library = LintContext(PromptStore.open(folder).snapshot(), Settings())
    return [
        f"{found.problem.line}:{found.problem.column} {found.problem.code}"
        if found.name is None
        else f"{found.name} {found.problem.code}"
        for found in check_code(library, [folder / "src"], unused=unused)
    ]


@pytest.mark.parametrize(("code", "expected"), FIRES.values(), ids=list(FIRES))
def test_a_wrong_call_is_found(tmp_path: Path, code: str, expected: list[str]) -> None:
    assert checked(tmp_path, OPEN + code + "\n") == expected


@pytest.mark.parametrize("code", SILENT.values(), ids=list(SILENT))
def test_what_is_right_stays_silent(tmp_path: Path, code: str) -> None:
    assert checked(tmp_path, OPEN + code + "\n") == []


def test_nothing_is_run(tmp_path: Path) -> None:
    assert checked(tmp_path, "raise SystemExit\n" + OPEN + "store.get('great')\n") == ["4:1 PS601"]


def test_folders_that_are_not_ones_own(tmp_path: Path) -> None:
    for folder in (".hidden", "__pycache__", "node_modules", "env"):
        file = tmp_path / "all" / folder / "deep/a.py"
        file.parent.mkdir(parents=True)
        file.write_text("def")
    (tmp_path / "all/env/pyvenv.cfg").write_text("")
    checked(tmp_path, "")
    library = LintContext(PromptStore.open(tmp_path).snapshot(), Settings())
    assert check_code(library, [tmp_path / "all"]) == []


def test_prompts_that_nothing_uses(tmp_path: Path) -> None:
    code = "NAMES = ['greet']\n" + OPEN + "store.get('support/reply')\n"
    assert checked(tmp_path, code, unused=True) == ["half PS606", "plain PS606"]


def test_a_prompt_that_is_kept_on_purpose(tmp_path: Path) -> None:
    file = tmp_path / "prompts/kept.yaml"
    file.parent.mkdir()
    file.write_text("# promptstore: ignore PS606\nprompt: x\n")
    assert (
        checked(tmp_path, "NAMES = ['greet', 'half', 'plain', 'support/reply']\n", unused=True)
        == []
    )


@pytest.mark.parametrize(
    "code", ["x = " + "(" * 5_000, "x = " + "-" * 5_000 + "1", "x\0", "x = " + "1 + " * 5_000 + "1"]
)
def test_code_that_is_hard_to_read(tmp_path: Path, code: str) -> None:
    assert [line.split()[-1] for line in checked(tmp_path, code)] == ["PS607"]


def test_every_rule_has_a_case() -> None:
    fired = {line.split()[-1] for _, lines in FIRES.values() for line in lines}
    assert fired | {"PS606"} == {rule.code for rule in RULES}


def test_a_near_match_is_reported(tmp_path: Path) -> None:
    checked(tmp_path, OPEN + "store.get('great')\n")
    library = LintContext(PromptStore.open(tmp_path).snapshot(), Settings())
    (finding,) = check_code(library, [tmp_path / "src/app.py"])
    assert finding.problem.message == "There is no prompt 'great'. Did you mean 'greet'?"
