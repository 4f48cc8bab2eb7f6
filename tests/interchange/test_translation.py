"""A translated template renders here what its own engine renders.

The results in ``rendered.json`` were made by handlebars 4.7, nunjucks 3.2, liquidjs 10 and mustache
4.2, without the escapes of HTML. Jinja2 and Python's own templates are asked in the test.
"""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptstore.interchange.templates.flat import (
    choose_kind,
    read_dollar,
    read_f_string,
    read_kernel,
    write_flat,
)
from promptstore.interchange.templates.handlebars import translate_handlebars
from promptstore.interchange.templates.jinja import (
    UntranslatableError,
    translate_jinja,
    translate_nunjucks,
    untrimmed,
)
from promptstore.interchange.templates.liquid import translate_liquid
from promptstore.interchange.templates.mustache import tokenize, translate_mustache
from promptstore.model.prompt import Prompt

RENDERED = Path(__file__).parent.parent / "data" / "import" / "rendered.json"
TYPES = {bool: "boolean", str: "string", list: "array"}


def translate(language: str, text: str, values: dict[str, Any]) -> str:
    declared = {name: {"type": TYPES.get(type(value), "any")} for name, value in values.items()}
    match language:
        case "handlebars":
            return translate_handlebars(tokenize(text))
        case "nunjucks":
            return translate_nunjucks(text)
        case "liquid":
            return translate_liquid(text)
    return translate_mustache(text, declared)


def rendered(text: str, values: dict[str, Any]) -> str:
    prompt = Prompt(prompt=text, variables={name: {} for name in values})
    return prompt.render(values).text


@pytest.mark.parametrize("case", json.loads(RENDERED.read_text()), ids=lambda c: f"{c[0]}-{c[1]}")
def test_it_renders_what_its_engine_does(case: tuple[str, str, dict[str, Any], str]) -> None:
    language, text, values, result = case
    assert rendered(translate(language, text, values), values) == result


UNTRANSLATABLE = [
    ("handlebars", "{{@state.name}}", "@state"),
    ("handlebars", "{{^a}}none{{/a}}", "{{^a}}"),
    ("handlebars", "{{upper name}}", "the helper upper"),
    ("handlebars", "{{#if (eq a b)}}x{{/if}}", "a helper within a helper"),
    ("handlebars", "{{#if a}}x", "is not closed"),
    ("handlebars", "x{{/if}}", "closes nothing"),
    ("handlebars", "{{../a}}", "above the top"),
    ("handlebars", "{{@index}}", "outside of its loop"),
    ("handlebars", "{{#each xs as |x|}}{{x}}{{/each}}", "block parameters"),
    ("handlebars", "{{#custom a}}x{{/custom}}", "the block"),
    ("nunjucks", "{{ env.KEY }}", "reads the environment"),
    ("nunjucks", "{% import 'f' as f %}", "import is not allowed"),
    ("liquid", "{% render 'other' %}", "the tag render"),
    ("liquid", "{{ a | date: '%Y' }}", "the filter date"),
    ("liquid", "{% if a and b or c %}x{% endif %}", "and beside or"),
    ("liquid", "{% for i in (1..3) %}x{% endfor %}", "liquid"),
    ("mustache", "{{#unknown}}x{{/unknown}}", "a loop or a condition"),
    ("mustache", "{{>part}}", "partial"),
    ("mustache", "{{=<% %>=}}", "other delimiters"),
]


@pytest.mark.parametrize(("language", "text", "reason"), UNTRANSLATABLE)
def test_what_would_render_differently_is_refused(language: str, text: str, reason: str) -> None:
    with pytest.raises(UntranslatableError) as caught:
        translate(language, text, {})
    assert reason in str(caught.value)


JINJA = st.lists(
    st.sampled_from(
        ["\n", "  ", "a", "{{ x }}", "{% if x %}", "{% if not x %}", "{% endif %}", "{# c #}",
         "{%- if x %}", "{% endif -%}", "{% else %}", "{% for i in xs %}", "{% endfor %}", "{", "}",
         "{% raw %}{{ q }}{% endraw %}", "{% set y = x %}", "{{ y }}"]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(JINJA, st.sampled_from(["", "v"]))
def test_jinja2_renders_as_it_does_by_itself(text: str, value: str) -> None:
    values = {"x": value, "xs": ["1", "2"], "y": "z"}
    environment = jinja2.Environment(keep_trailing_newline=True)
    try:
        expected = environment.from_string(text).render(values)
        translated = translate_jinja(text)
    except (jinja2.TemplateError, UntranslatableError):
        return
    assert rendered(translated, values) == expected
    # Taken out again, it is Jinja2 with its own defaults.
    assert environment.from_string(untrimmed(translated)).render(values) == expected


@given(JINJA, st.sampled_from(["", "v"]))
@example("{% if x %}\n  {% endif %}", "v")
def test_a_template_of_ours_renders_the_same_in_plain_jinja2(text: str, value: str) -> None:
    values = {"x": value, "xs": ["1", "2"], "y": "z"}
    try:
        expected = rendered(text, values)
    except ValueError:
        return
    if "raw" in text:
        return
    environment = jinja2.Environment(keep_trailing_newline=True)
    assert environment.from_string(untrimmed(text)).render(values) == expected


PIECES = st.lists(
    st.sampled_from(["{", "}", "{{", "}}", "$", "$$", "x", " ", "\n", "%", "#", "a b"])
)


def fill_flat(pieces: list[str]) -> str:
    kind = choose_kind([pieces])
    prompt = Prompt(template=kind, prompt=write_flat(pieces, kind), variables={"x": {}})
    return prompt.render(x="V").text


@given(PIECES.map("".join))
def test_an_f_string_gives_what_python_gives(text: str) -> None:
    try:
        pieces = read_f_string(text)
        expected = text.format(x="V")
    except (UntranslatableError, ValueError, KeyError, IndexError):
        return
    assert fill_flat(pieces) == expected


@given(PIECES.map("".join))
def test_dollars_give_what_python_gives(text: str) -> None:
    try:
        expected = string.Template(text).substitute(x="V")
    except (ValueError, KeyError):
        return
    assert fill_flat(read_dollar(text)) == expected


def test_an_f_string_with_literal_braces_around_a_name_stays_literal() -> None:
    pieces = read_f_string("{{{{name}}}} {x}")
    assert choose_kind([pieces]) == "jinja2"
    assert fill_flat(pieces) == "{{name}} V"


@pytest.mark.parametrize("text", ["{x!r}", "{x:>3}", "{x.y}", "{x[0]}", "{}", "{"])
def test_an_f_string_that_formats_is_refused(text: str) -> None:
    with pytest.raises(UntranslatableError):
        read_f_string(text)


def test_semantic_kernel_strings_are_literal() -> None:
    assert fill_flat(read_kernel("{{'{{'}} {{ $x }}")) == "{{ V"
