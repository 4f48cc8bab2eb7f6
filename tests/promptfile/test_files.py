"""Files found by their name: broken ones with their problems, canonical ones as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from promptstore.errors import InvalidArgumentError, PromptFileError
from promptstore.model.parts import Insert, Message
from promptstore.model.prompt import Prompt
from promptstore.model.variables import Variable
from promptstore.promptfile import codes
from promptstore.promptfile.anyyaml import parse_yaml
from promptstore.promptfile.editor import edit
from promptstore.promptfile.reader import loads
from promptstore.promptfile.writer import dumps

DATA = Path(__file__).parent.parent / "data" / "promptfile"
BROKEN = sorted((DATA / "broken").glob("*.yaml"))
CANONICAL = sorted((DATA / "canonical").glob("*.yaml"))


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_a_broken_file_tells_every_problem_with_its_place(file: Path) -> None:
    with pytest.raises(PromptFileError) as caught:
        loads(file.read_bytes(), file.name)
    told = "".join(f"{p.line}:{p.column} {p.code}\n" for p in caught.value.problems)
    assert told == file.with_suffix(".txt").read_text()
    for problem in caught.value.problems:
        assert problem.message[-1] in ".?"
        assert f"{file.name}:{problem.line}:{problem.column}: {problem.code} " in str(caught.value)


def test_every_code_of_the_reader_has_a_broken_file() -> None:
    told = "".join(file.with_suffix(".txt").read_text() for file in BROKEN)
    used = {line.split()[1] for line in told.splitlines()}
    assert used == set(codes.ALL) - {codes.TOO_LARGE}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompt: x\n#" + "x" * (1 << 20), "at most 1,048,576 are read"),
        ("config: " + "[" * 101 + "]" * 101, "deeper than 100 levels"),
        ("config:\n  a: " + "{a: " * 99 + "1" + "}" * 99, "deeper than 100 levels"),
        ("[" * 5_000, "deeper than 100 levels"),
    ],
    ids=["too large", "lists", "mappings", "very deep"],
)
def test_files_that_are_too_large_or_too_deep(text: str, message: str) -> None:
    with pytest.raises(PromptFileError, match=message) as caught:
        loads(text)
    assert codes.TOO_LARGE in [problem.code for problem in caught.value.problems]


@pytest.mark.parametrize("file", CANONICAL, ids=lambda file: file.stem)
def test_a_canonical_file_stays_as_it_is(file: Path) -> None:
    source = file.read_bytes()
    prompt = loads(source)
    assert dumps(prompt) == source.decode()
    assert edit(source, prompt) == source


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None), ("null", None), ("Null", None), ("", None),
        ("true", True), ("False", False), ("TRUE", True),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("y", "y"),
        ("12", 12), ("-12", -12), ("+12", 12), ("0o17", 15), ("0x1F", 31), ("017", 17),
        ("1_000", "1_000"), ("0b11", "0b11"), ("1:30", "1:30"), ("12:30:45", "12:30:45"),
        ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), ("-1.5E-2", -0.015),
        ("1.2.3", "1.2.3"), ("2024-11-20", "2024-11-20"),
        ("v1", "v1"), ("1.2.3-beta", "1.2.3-beta"), ("=", "="), ("nan", "nan"), ("inf", "inf"),
        ("'12'", "12"), ('"true"', "true"), ("|\n    12\n", "12\n"),
    ],
)  # fmt: skip
def test_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    found = loads(f"prompt: x\nconfig:\n  a: {text}\n").config["a"]
    assert found == value
    assert type(found) is type(value)


def test_a_whole_prompt() -> None:
    prompt = loads(
        """\
description: Sort a ticket.
variables:
  ticket: {type: string, description: What was written}
  tier: {enum: [free, pro], default: free}
  history: {type: messages, default: []}
  note:
messages:
  - role: system
    content: |
      Sort it.
  - insert: history
  - role: user
    content:
      - {type: text, text: "{{ ticket }}"}
      - {type: image_url, image_url: {url: "{{ photo }}", detail: low}}
config: {temperature: 0.2, stop: [END]}
tags: [support, "24/7"]
metadata: {owner: team-a}
x-acme: [1]
"""
    )
    assert prompt == Prompt(
        description="Sort a ticket.",
        variables={
            "ticket": Variable("string", "What was written"),
            "tier": Variable(enum=("free", "pro"), default="free"),
            "history": Variable("messages", default=[]),
            "note": Variable(),
        },
        messages=(
            Message("system", "Sort it.\n"),
            Insert("history"),
            Message(
                "user",
                (
                    {"type": "text", "text": "{{ ticket }}"},
                    {"type": "image_url", "image_url": {"url": "{{ photo }}", "detail": "low"}},
                ),
            ),
        ),
        config={"temperature": 0.2, "stop": ["END"]},
        tags=("support", "24/7"),
        metadata={"owner": "team-a"},
        extensions={"x-acme": [1]},
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "Neither `prompt:`"),
        ({"description": "x"}, "Neither `prompt:`"),
        ({"prompt": "x", "messages": (Message("user", "y"),)}, "exclude each other"),
        ({"prompt": "half \ud800"}, "half of a surrogate pair"),
        ({"prompt": "x", "config": {"a": float("nan")}}, "nan, which JSON does not have"),
        ({"prompt": "x", "config": {"a": object()}}, "holds a object"),
        ({"prompt": "x", "config": {"a": 10**4300}}, "more than 4,300 digits"),
        ({"prompt": "x", "tags": ("",)}, "is empty"),
        ({"prompt": "x", "variables": {"a-b": Variable()}}, "cannot be a variable"),
        ({"messages": [{"role": "boss", "content": "x"}]}, "'boss'"),
        ({"promt": "x"}, "did you mean 'prompt'"),
    ],
)
def test_what_no_file_can_hold_is_no_prompt(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        Prompt(**fields)


WITHOUT_C = """
import sys, pathlib
sys.modules["ruamel.yaml.cyaml"] = None
from promptstore.errors import PromptFileError
from promptstore.promptfile.reader import loads
for path in map(pathlib.Path, sys.argv[1:]):
    try:
        print(path.name, loads(path.read_bytes()).digest)
    except PromptFileError as error:
        print(path.name, sorted({problem.code for problem in error.problems}))
"""


def test_the_pure_python_parser_gives_the_same_answers() -> None:
    """Some platforms have no wheel of the parser in C."""
    files = [str(file) for file in (*CANONICAL, *BROKEN)]
    command = [sys.executable, "-c", WITHOUT_C, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    expected = [f"{file.name} {loads(file.read_bytes()).digest}" for file in CANONICAL]
    for file in BROKEN:
        codes_told = {line.split()[1] for line in file.with_suffix(".txt").read_text().splitlines()}
        expected.append(f"{file.name} {sorted(codes_told)}")
    assert done.stdout.splitlines() == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("config: {stop: [END, STOP]}", {"config": {"stop": ["END", "STOP"]}}),
        ("enum: [x1, yy]", {"enum": ["x1", "yy"]}),
        ("a: [?x]\nb: {?y: 1}", {"a": ["?x"], "b": {"?y": 1}}),
        ("a: [http://x/y, ok?]", {"a": ["http://x/y", "ok?"]}),
        ("a: [b:, {c:}]", {"a": [{"b": None}, {"c": None}]}),
        ("a: b\t# c", {"a": "b"}),
        ("%YAML 1.2\n---\na: b", {"a": "b"}),
        ("a: |\n  x\n   ", {"a": "x\n \n"}),
        ("a: |\n  x", {"a": "x\n"}),
        ("a: |-\n  x", {"a": "x"}),
        ("a: >+\n  x", {"a": "x\n"}),
    ],
)
def test_what_yaml_1_2_says(text: str, value: Any) -> None:
    assert parse_yaml(text) == value


def test_parse_yaml_is_as_strict() -> None:
    assert parse_yaml("a: [1, yes]\n") == {"a": [1, "yes"]}
    assert parse_yaml('{"a": 1.5}') == {"a": 1.5}
    with pytest.raises(PromptFileError, match=r"values\.yaml:2:1: PS103"):
        parse_yaml("a: 1\na: 2\n", "values.yaml")


def test_faults_are_counted_no_further_than_a_hundred() -> None:
    with pytest.raises(PromptFileError) as caught:
        loads("prompt: x\ntags:\n" + "- 1\n" * 5000)
    assert len(caught.value.problems) == 100


def test_a_long_key_survives() -> None:
    prompt = Prompt(prompt="x", config={"k" * 2000: {"j" * 2000: 1}})
    assert loads(dumps(prompt)) == prompt


def test_json_is_yaml_too_with_its_own_escapes() -> None:
    assert parse_yaml('{"face": "\\ud83d\\ude00"}') == {"face": "😀"}
    with pytest.raises(PromptFileError):
        parse_yaml('{"half": "\\ud83d"}')
