"""YAML 1.2 by either parser of ruamel.yaml: the same values, and hostile texts refused at once."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from promptstore.errors import PromptFileError
from promptstore.model.prompt import Prompt
from promptstore.promptfile import codes
from promptstore.promptfile.anyyaml import parse_yaml
from promptstore.promptfile.problems import YamlError
from promptstore.promptfile.reader import MAX_BYTES, compose_in_c, read_yaml
from promptstore.promptfile.writer import dumps, write_entry, write_flow
from promptstore.promptfile.yamlparser import compose_purely
from tests.promptfile.layouts import Layout
from tests.promptfile.strategies import prompts, strings

FRAGMENTS = [
    " ", "  ", "    ", "\n", "\n\n", "\n ", "\n  ", "\n    ", "\t", "\r\n", "# c", "#", " #", ": ",
    ":", " : ", "- ", "-", "-1", "|", "|-", "|+", "|\n", "|2\n", ">", ">-\n", ">+\n", ">1-\n", "[",
    "]", "{", "}", "[]", "{}", "[a, b]", ", ", ",", "{a: b, c: [d]}", '"', "'", "''", '"a\\n"',
    "\\", "\\\n", "\\x41", "\\u0041", "\\ud83d", "\\U00110000", '"\\/"', '"a":b', "null", "~",
    "1.5", "0x1f", "---\n", "...\n", "%YAML 1.1\n", "%YAML 1.2\n", "%TAG ! x\n", "%", "&a ", "*a",
    "!t ", "! ", "&", "*", "!", "**b**", "? ", "?", "?x", "\n? ", "\n: ", "@", "`", "é", "\xa0",
    "key", "a: b\n", "a:\n", "  a: b\n", "- a\n", "- a: b\n", "\n- ", "\n  - ", "\n- - ", "a:b",
    "x: |\n  t\n", "x: |-\n  # t\n   u\n\n\n", "http://x", ".", "(", "=", "<<: ",
]  # fmt: skip
noise = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)
around = st.sampled_from(["@", "a: @", "a: [@]", "{@}", "- @", "a: [@, @]", "@\nb: @"])
texts = st.builds(lambda whole, found: whole.replace("@", found), around, noise)
"""Fragments of YAML, alone, within something, and twice."""


def outcome(compose: Callable[[str], Node | None], text: str) -> Any:
    """What a parser says of a text: its values, None where it refuses, or a fault of all."""
    try:
        root = compose(text)
    except YAMLError:
        return None
    except YamlError as error:
        return error.problems[0].code
    return () if root is None else value_of(root)


def value_of(node: Node) -> Any:
    if isinstance(node, MappingNode):
        return {"pairs": [(value_of(key), value_of(value)) for key, value in node.value]}
    if isinstance(node, SequenceNode):
        return [value_of(item) for item in node.value]
    return node.value, getattr(node, "style", None) or ""


@settings(max_examples=100)
@given(texts | prompts().map(dumps) | st.integers(0, 1 << 32).map(lambda n: Layout(n).file()))
@example("a: [b:, {c:}, ?x, {?y: 1}]\n")
@example("a: [?# b\n c, ?*d, ?!e]\n")
@example("a: [::]\n")
def test_both_parsers_say_the_same(text: str) -> None:
    ended = text if text.endswith(("\n", "\r")) else text + "\n"
    quick, pure = outcome(compose_in_c, ended), outcome(compose_purely, ended)
    assert quick is None or pure is None or quick == pure


@given(prompts())
def test_both_parsers_read_what_is_written(prompt: Prompt) -> None:
    text = dumps(prompt)
    quick, pure = outcome(compose_in_c, text), outcome(compose_purely, text)
    assert quick is not None
    assert quick == pure


@given(strings)
def test_any_string_survives_by_either_parser(text: str) -> None:
    written = f"a:\n{write_entry(text, [text, {'b': text}], '  ')}"
    written += f"b: {write_flow([text, {text: text}])}\n"
    for compose in (compose_in_c, compose_purely):
        root = compose(written)
        assert root is not None
        found = {value for value, _ in scalars_of(value_of(root))}
        assert found == {"a", "b", text}


def scalars_of(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, tuple) and isinstance(value[0], str):
        yield value[0], value[1]
    else:
        for item in value["pairs"] if isinstance(value, dict) else value:
            yield from scalars_of(item)


def bomb() -> str:
    lines = ['x-a: &a ["lol"]']
    for above, name in zip("abcdefg", "bcdefgh", strict=True):
        lines.append(f"x-{name}: &{name} [{', '.join([f'*{above}'] * 9)}]")
    return "\n".join(lines)


def deep_lines() -> str:
    return "".join(" " * depth + "a:\n" for depth in range(1400))[:MAX_BYTES]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(bomb(), codes.ANCHOR_OR_TAG, id="aliases of aliases"),
        pytest.param("a: &a [*a]", codes.ANCHOR_OR_TAG, id="an alias of itself"),
        pytest.param(
            "a: [http://x, &a b]", codes.ANCHOR_OR_TAG, id="only the pure parser reads on"
        ),
        pytest.param("a: !!python/name:os.system x", codes.ANCHOR_OR_TAG, id="a tag"),
        pytest.param("[" * MAX_BYTES, codes.TOO_LARGE, id="brackets"),
        pytest.param("{a: " * (MAX_BYTES // 4), codes.TOO_LARGE, id="braces"),
        pytest.param("a: [http://x, " + "[" * 100_000, codes.TOO_LARGE, id="both parsers"),
        pytest.param("a: " + "[[], " * 200_000, codes.TOO_LARGE, id="flow in flow"),
        pytest.param("- " * (MAX_BYTES // 2), codes.TOO_LARGE, id="dashes"),
        pytest.param("? " * (MAX_BYTES // 2), codes.TOO_LARGE, id="question marks"),
        pytest.param(deep_lines(), codes.TOO_LARGE, id="lines"),
        pytest.param("a: b" + "\n" * MAX_BYTES, codes.TOO_LARGE, id="one byte too many"),
    ],
)
def test_a_hostile_text_is_refused_before_anything_is_built(text: str, code: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(PromptFileError) as caught:
            parse_yaml(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert {problem.code for problem in caught.value.problems} == {code}
    assert peak < 8 * MAX_BYTES


def test_one_megabyte_of_spaces_is_read() -> None:
    assert parse_yaml("a: b" + " " * (MAX_BYTES - 4)) == {"a": "b"}


def test_every_anchor_alias_and_tag_is_reported_with_its_place() -> None:
    with pytest.raises(YamlError) as caught:
        read_yaml("a: &x 1\nb: [*x, !t 2]\nc: '&y'\n")
    places = [(problem.line, problem.column) for problem in caught.value.problems]
    assert places == [(1, 4), (2, 5), (2, 9)]


@pytest.mark.parametrize("text", ['a: "\\ud83d"', 'a: "\\U00110000"', "|\n  a", "a: [b\n"])
def test_neither_parser_reads_what_is_no_text(text: str) -> None:
    assert outcome(compose_in_c, f"{text}\n") is None
    assert outcome(compose_purely, f"{text}\n") is None
