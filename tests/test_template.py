"""The three template languages: what they mean, and what they refuse."""

from __future__ import annotations

import json
import keyword
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import jinja2.sandbox
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstore.errors import (
    IncludeError,
    LimitError,
    RenderError,
    TemplateError,
    TemplateSyntaxError,
    VariableError,
)
from promptstore.lint.references import find_eaten_line_ends
from promptstore.template import (
    Budget,
    Limits,
    Source,
    TemplateKind,
    compile_template,
    find_includes,
    find_references,
    is_variable_name,
)


def render(
    text: str,
    values: Mapping[str, Any] | None = None,
    *,
    kind: TemplateKind = "jinja2",
    includes: Mapping[str, str | Source] | None = None,
    optional: tuple[str, ...] = (),
    limits: Limits | None = None,
) -> str:
    """Compile and render one text of the prompt `p`."""
    limits = limits or Limits()
    sources = {
        name: found if isinstance(found, Source) else Source(found, "jinja2", name)
        for name, found in (includes or {}).items()
    }
    template = compile_template(Source(text, kind, "p"), sources, limits)
    return template.render(values or {}, optional, Budget(limits))


LANGUAGE: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "a name": ("Hi {{ name }}!", {"name": "Ada"}, "Hi Ada!"),
    "without spaces": ("{{name}}", {"name": "Ada"}, "Ada"),
    "a key": ("{{ user.name }}", {"user": {"name": "Ada"}}, "Ada"),
    "a key that dicts have a method for": ("{{ o.items }}", {"o": {"items": 3}}, "3"),
    "an item": ("{{ xs[0] }}{{ xs[-1] }}", {"xs": [1, 2, 3]}, "13"),
    "a slice": ("{{ xs[1:] }}", {"xs": "abc"}, "bc"),
    "if": ("{% if a %}A{% elif b %}B{% else %}C{% endif %}", {"a": 0, "b": 1}, "B"),
    "inline if": ("{{ 'yes' if a else 'no' }}", {"a": True}, "yes"),
    "for": ("{% for x in xs %}{{ loop.index }}{{ x }},{% endfor %}", {"xs": "ab"}, "1a,2b,"),
    "for with a condition": (
        "{% for x in xs if x > 1 %}{{ x }}{% else %}none{% endfor %}",
        {"xs": [1, 2, 3]},
        "23",
    ),
    "for else": ("{% for x in xs %}{{ x }}{% else %}none{% endfor %}", {"xs": []}, "none"),
    "keys and values": (
        "{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}",
        {"d": {"a": 1, "b": 2}},
        "a=1;b=2;",
    ),
    "loop.cycle": ("{% for x in 'abc' %}{{ loop.cycle('-', '+') }}{% endfor %}", {}, "-+-"),
    "loop.changed": (
        "{% for x in 'aab' %}{% if loop.changed(x) %}{{ x }}{% endif %}{% endfor %}",
        {},
        "ab",
    ),
    "range": ("{% for n in range(2, 8, 3) %}{{ n }}{% endfor %}", {}, "25"),
    "set": ("{% set a = 1 %}{% set b %}x{{ a }}{% endset %}{{ b }}", {}, "x1"),
    "with": ("{% with a = 2 %}{{ a }}{% endwith %}", {}, "2"),
    "arithmetic": ("{{ 7 // 2 + 7 % 2 - 1 * 2 }} {{ 1 / 2 }} {{ -x }}", {"x": 3}, "2 0.5 -3"),
    "joining": ("{{ 'a' ~ 1 ~ x }}", {"x": [2]}, "a1[2]"),
    "comparison": ("{{ 1 < 2 <= 2 and not 3 == 4 and 'a' in 'abc' }}", {}, "True"),
    "filters": ("{{ ' x '|trim|upper }}{{ xs|join(', ') }}", {"xs": [1, 2]}, "X1, 2"),
    "tojson": ("{{ x|tojson }}", {"x": {"é": [None, True, "<&"]}}, '{"é": [null, true, "<&"]}'),
    "tojson with indent": ("{{ x|tojson(2) }}", {"x": [1]}, "[\n  1\n]"),
    "map": ("{{ xs|map(attribute='n')|join }}", {"xs": [{"n": 1}, {"n": 2}]}, "12"),
    "selectattr": (
        "{{ xs|selectattr('on')|map(attribute='n')|list }}",
        {"xs": [{"n": 1, "on": True}, {"n": 2, "on": False}]},
        "[1]",
    ),
    "tests": ("{{ x is defined and x is string and 4 is divisibleby(2) }}", {"x": ""}, "True"),
    "default": ("{{ x|default('none') }}", {}, "none"),
    "raw": ("{% raw %}{{ x }}{% endraw %}", {}, "{{ x }}"),
    "comments": ("a{# {{ x }} #}b", {}, "ab"),
    "methods of texts": (
        "{{ t.strip().lower() }}{{ t.upper() }}{{ 'a,b'.split(',')[1] }}{{ t.replace('A', 'o') }}"
        "{{ ', '.join(['x', 'y']) }}{{ t.startswith(' A') }}{{ t.endswith('b') }}"
        "{{ 'ab cd'.title() }}{{ 'ab'.capitalize() }}{{ 'a\\nb'.splitlines()[1] }}"
        "{{ 'abab'.index('b') }}{{ 'abab'.count('ab') }}{{ 'abab'.rfind('b') }}"
        "{{ 'xax'.lstrip('x') }}{{ 'xax'.rstrip('x') }}{{ 'a-b-c'.rsplit('-', 1)[0] }}"
        "{{ 'a'.ljust(3) }}{{ '7'.zfill(3) }}{{ 'a=b'.partition('=')[2] }}{{ '12'.isdigit() }}"
        "{{ 'a b  c'.split()|length }}{{ 'a,b,c'.split(',', maxsplit=1)|length }}"
        "{{ 'abc'.removeprefix('a') }}{{ 'aXb'.swapcase() }}{{ 'a'.center(3, '*') }}",
        {"t": " Ab "},
        None,
    ),
    "methods of objects": (
        "{% for k, v in d.items() %}{{ k }}{{ v }}{% endfor %}{{ d.keys()|list }}"
        "{{ d.values()|list }}{{ d.get('a') }}{{ d.get('z') }}{{ d.get('z', 5) }}",
        {"d": {"a": 1, "b": 2}},
        "a1b2['a', 'b'][1, 2]1None5",
    ),
    "methods of lists": ("{{ xs.index(3) }}{{ xs.count(1) }}", {"xs": [1, 3, 1]}, "12"),
    "a method although there is a key": (
        "{{ d.items()|list }}",
        {"d": {"items": 3}},
        "[('items', 3)]",
    ),
    "methods in loops": (
        "{% for k, v in labels.items() %}{{ k.lower() }}: {{ ', '.join(v) }};{% endfor %}",
        {"labels": {"A": ["x", "y"]}},
        "a: x, y;",
    ),
    "a namespace": (
        "{% set ns = namespace(n=0, last='') %}{% for x in xs %}{% set ns.n = ns.n + x %}"
        "{% set ns.last = x %}{% endfor %}{{ ns.n }}{{ ns.last }}{{ ns.other is defined }}",
        {"xs": [1, 2, 3]},
        "63False",
    ),
    "a list gathered in a loop": (
        "{% set ns = namespace(found=[]) %}{% for x in xs if x > 1 %}"
        "{% set ns.found = ns.found + [x] %}{% endfor %}{{ ns.found }}",
        {"xs": [1, 2, 3]},
        "[2, 3]",
    ),
    "membership": (
        "{{ 2 in xs }}{{ 5 not in xs }}{{ 'b' in t }}{{ 'a' in d }}{{ [1] in xs }}{{ 2 is in xs }}",
        {"xs": [1, 2], "t": "abc", "d": {"a": 1}},
        "TrueTrueTrueTrueFalseTrue",
    ),
    "words of Python": (
        "{{ class }}{% for from in [1] %}{{ from }}{% endfor %}",
        {"class": "c"},
        "c1",
    ),
    "names of other scripts": (
        "{{ réponse }}{% if नाम %}{{ नाम }}{% endif %}",
        {"réponse": "é", "नाम": "n"},
        "én",
    ),
    "a variable called namespace": ("{{ namespace.x }}", {"namespace": {"x": 1}}, "1"),
    "unique": (
        "{{ xs|unique|list }}{{ 'aAb'|unique|join }}",
        {"xs": [1, 2, 1, "1"]},
        "[1, 2, '1']ab",
    ),
    "sum": (
        "{{ xs|sum }}{{ os|sum('n') }}{{ os|sum(attribute='n', start=1) }}",
        {"xs": [1, 2], "os": [{"n": 1}, {"n": 2}]},
        "334",
    ),
    "the line end behind a block stays with a plus": (
        "Items:{%+ for i in xs +%} {{ i }}{%+ endfor +%}\n{#+ a note +#}\nDone",
        {"xs": [1, 2]},
        "Items: 1 2\n\nDone",
    ),
    "blocks leave no lines": ("a\n  {% if 1 %}\nb\n  {% endif %}\nc\n", {}, "a\nb\nc\n"),
    "a final line end stays": ("{{ 'a' }}\n\n", {}, "a\n\n"),
    "whitespace control": ("a  {{- ' b ' -}}  c{% if 1 -%}  d{% endif %}", {}, "a b cd"),
}


@pytest.mark.parametrize(("text", "values", "expected"), LANGUAGE.values(), ids=list(LANGUAGE))
def test_the_language(text: str, values: dict[str, Any], expected: str | None) -> None:
    assert expected is None or render(text, values) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{% macro f() %}{% endmacro %}", "macros are not allowed"),
        ("{% import 'a' as b %}", "import is not allowed"),
        ("{% from 'a' import b %}", "import is not allowed"),
        ("{% extends 'a' %}", "extends is not allowed"),
        ("{% block a %}{% endblock %}", "block is not allowed"),
        ("{% call f() %}{% endcall %}", "call blocks are not allowed"),
        ("{% filter upper %}{% endfilter %}", "filter blocks are not allowed"),
        ("{% autoescape true %}{% endautoescape %}", "autoescape is not allowed"),
        ("{% for x in y recursive %}{% endfor %}", "recursive loops are not allowed"),
        ("{% set a.b = 1 %}", "`a` is no namespace; write {% set a = namespace"),
        ("{% set a = namespace() %}{% set a._b = 1 %}", "starts with an underscore"),
        ("{% set a = namespace(x) %}", "takes fields by name only"),
        ("{% set loop = 1 %}", "`loop` cannot be set"),
        ("{% do x %}", "unknown tag 'do'"),
        ("{{ x() }}", "calls are not allowed"),
        ("{{ x.uper() }}", "there is no method 'uper'; did you mean 'upper'"),
        ("{{ x.append(1) }}", "the method 'append' is not allowed, as it changes its value"),
        ("{{ x.format(1) }}", "the method 'format' is not allowed"),
        ("{{ x._y() }}", "there is no method '_y'"),
        ("{{ x.split(*y) }}", "a call takes plain arguments only"),
        ("{{ dict(a=1) }}", "a call takes plain arguments only"),
        ("{{ 1 in x in y }}", "`in` cannot stand in a chain"),
        ("{{ range(*x) }}", "a call takes plain arguments only"),
        ("{{ x._y }}", "starts with an underscore"),
        ("{{ 2 ** 3 }}", r"the operator \*\* is not allowed"),
        ("{{ x|uper }}", "there is no filter 'uper'; did you mean 'upper'"),
        ("{{ x|zzz }}", "there is no filter 'zzz'; there are: abs, "),
        ("{{ x is strin }}", "there is no test 'strin'; did you mean 'string'"),
        ("{{ range }}", "`range` is no value"),
        ("{% for x in y %}{{ loop }}{% endfor %}", "`loop` is no value"),
        ("{{ self.x }}", "`self` is no value"),
        ("{% include x %}", "an include names one prompt"),
        ("{% include ['a', 'b'] %}", "an include names one prompt"),
        ("{% include 'a' ignore missing %}", "neither `ignore missing`"),
        ("{% include 'a' without context %}", "nor `without context`"),
        ("{% include '../a' %}", "'../a' is not a prompt name"),
        ("{% include ('a') %}", "write the name plainly"),
        ("{% include '\\x61' %}", "write the name plainly"),
        ("{{ x", "unexpected end of template"),
        ("{% if x %}", "(?i)unexpected end of template"),
    ],
)
def test_what_is_not_of_the_language_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(TemplateSyntaxError, match=message) as caught:
        render("first line\n\n" + text)
    assert (caught.value.template, caught.value.line) == ("p", 3)


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("{{a}} {{ a }} {{\ta }}", "simple", "1 1 1"),
        ("{{a.b-c}}", "simple", "flat"),
        ("{{ text }}{{list}}{{yes}}{{none}}", "simple", 'é["é"]truenull'),
        ("{% if a %}{# c #}{{ a|b }}{{\n a }}{a}{{}}", "simple", None),
        ("{{a}}\r\n{% x %}\\", "none", None),
    ],
)
def test_the_flat_languages(text: str, kind: TemplateKind, expected: str | None) -> None:
    values = {"a": 1, "a.b-c": "flat", "text": "é", "list": ["é"], "yes": True, "none": None}
    assert render(text, values, kind=kind) == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ x.append }}", "the list has no 'append'"),
        ("{{ x.lower() }}", "the list has no method 'lower'"),
        ("{{ 1.5.split() }}", "the number has no method 'split'"),
        ("{{ t.split(1) }}", "split: must be str, not int"),
        ("{{ t.split('') }}", "empty separator"),
        ("{{ t.join() }}", "join: missing 1 required positional argument"),
        ("{{ t.lower(z=1) }}", "lower: got an unexpected keyword argument 'z'"),
        ("{{ t.index('z') }}", "substring not found"),
        ("{{ x.index(5) }}", "5 is not in list"),
        ("{{ t.split(t.z) }}", "the string has no 'z'"),
        ("{{ xs.nothing.get('a') }}", "the object has no 'nothing'"),
        ("{% set ns = namespace() %}{{ ns }}", "a namespace is no value"),
        ("{% set ns = namespace() %}{{ [ns] }}", "a namespace is no value"),
        ("{% set ns = namespace() %}{{ [ns]|tojson }}", "not JSON"),
        ("{% set ns = namespace() %}{{ ns.x }}", "the value has no 'x'"),
        ("{{ [1, 'a']|sum }}", "the filter 'sum' takes numbers only"),
        ("{{ []|sum(start=[]) }}", "the filter 'sum' takes numbers only"),
    ],
)
def test_a_method_that_cannot_be_called(text: str, message: str) -> None:
    with pytest.raises(RenderError, match=re.escape(message)) as caught:
        render("\n" + text, {"x": [1], "t": "text", "xs": {}})
    assert caught.value.line == 2


def test_an_optional_variable_has_no_methods() -> None:
    with pytest.raises(RenderError, match="'note' is optional and has no value here"):
        render("{{ note.upper() }}", optional=("note",))


def test_json_is_written_for_prompts_not_for_html() -> None:
    value = {"a": "<b> & 'c'", "é": [1.5, None, True]}
    assert render("{{ x|tojson }}", {"x": value}) == json.dumps(value, ensure_ascii=False)
    assert render("{{ x|tojson(2) }}", {"x": value}) == json.dumps(
        value, ensure_ascii=False, indent=2
    )


WORDS = sorted({*keyword.kwlist, *keyword.softkwlist, "loop", "self", "range", "true", "none"})
NAMES = ["a", "_a", "_", "réponse", "नाम", "x1", "a-b", "a.b", "1a", "a b", "ﬁ", "", "b{", "-", "é́"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a {% if 1 %}b{% endif %}\nc", [1]),
        ("{% if 1 %}\r\nb{# c #}\r\n{% endif %}\r\n", [2]),
        ("a{% if 1 +%}\nb{% endif -%}\n{{ c }}\n  {% set d = 1 %}{# e #}\nf{% set g = 1 %}", []),
    ],
)
def test_lines_that_a_tag_joins_are_found(text: str, lines: list[int]) -> None:
    assert find_eaten_line_ends(text) == lines
    whole = len(_LINE_ENDS.findall(text)) - len(_LINE_ENDS.findall(render(text, {"c": "c"})))
    assert whole >= len(lines)


_LINE_ENDS = re.compile(r"\r\n|\n")


@pytest.mark.parametrize("name", [*WORDS, *NAMES])
def test_a_variable_name_is_one_that_the_language_can_call(name: str) -> None:
    text = f"{{{{ {name} }}}}{{% if {name} %}}{{{{ '' ~ {name} }}}}{{% endif %}}"
    try:
        found = render(text, {name: "v"}) == "vv"
    except TemplateError:
        found = False
    assert is_variable_name("jinja2", name) == found
    try:
        alone = render(f"{{{{ {name} }}}}", {name: "v"}) == "v"
    except TemplateError:
        alone = False
    assert is_variable_name("jinja2", name) == alone
    flat = render(f"{{{{{name}}}}} {{{{ {name} }}}}", {name: "v"}, kind="simple") == "v v"
    assert is_variable_name("simple", name) == flat
    assert not is_variable_name("none", name)


@pytest.mark.parametrize("end", ["\r", "\r\n", "\x85", "\u2028", "\x0b"])
def test_every_line_end_survives(end: str) -> None:
    text = f"a{end}{{% if true -%}} {end}b{end}{{%- endif %}}{{{{ 'c' }}}}{end}{end}"
    assert render(text) == f"a{end}bc{end}{end}"


def test_a_block_takes_its_own_line_end_whatever_that_is() -> None:
    for end in ("\n", "\r\n", "\r"):
        text = end.join(["{% if true %}", "X", "{% endif %}", "Y"])
        assert render(text) == f"X{end}Y"


def test_a_carriage_return_within_quotes_must_be_spelled() -> None:
    with pytest.raises(TemplateSyntaxError, match=r"line 2 .* within quotes is written as \\r\\n"):
        render("a\r\n{{ 'x\r\ny' }}")
    assert render("{{ 'x\\r\\ny' }}") == "x\r\ny"


class TestUndefined:
    def test_a_name_without_a_value(self) -> None:
        for text in ("{{ x }}", "{{ x|upper }}", "{% if x %}{% endif %}", "{{ x.y }}"):
            with pytest.raises(VariableError) as caught:
                render(text)
            assert caught.value.missing == ("x",)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("\n{{ x.y }}", "line 2 of the template: the object has no 'y'"),
            ("\n{{ x['y'] }}", "the object has no 'y'"),
            ("\n{{ xs[5] }}", "the list has no 5"),
            ("\n{{ t.upper }}", "the string has no 'upper'"),
            ("\n{{ xs|map(attribute='z')|list }}", "has no 'z'"),
            ("\n{% if x.y %}{% endif %}", "the object has no 'y'"),
        ],
    )
    def test_a_key_that_is_not_there(self, text: str, message: str) -> None:
        with pytest.raises(RenderError, match=message):
            render(text, {"x": {}, "xs": [1], "t": "text"})

    def test_an_optional_one_counts_as_false_and_cannot_be_printed(self) -> None:
        text = "a{% if note %}{{ note }}{% endif %}{{ note|default('-') }}{{ note is defined }}"
        assert render(text, optional=("note",)) == "a-False"
        assert render(text, {"note": "!"}, optional=("note",)) == "a!!True"
        for printed in ("{{ note }}", "{{ note ~ 1 }}", "{% for x in note %}{% endfor %}"):
            with pytest.raises(RenderError, match="'note' is optional and has no value here"):
                render(printed, optional=("note",))

    def test_which_names_a_template_needs(self) -> None:
        text = "{{ a }}{% if b is defined %}{{ b }}{% endif %}{{ c|d(1) }}{% set e = 1 %}{{ e }}"
        template = compile_template(Source(text), {}, Limits())
        assert template.variables == {"a", "b", "c"}
        assert template.required == {"a"}


class TestIncludes:
    def test_are_put_in_their_place(self) -> None:
        includes = {"tone": "Be {{ how }}.\n", "outer": "<{% include 'tone' %}>"}
        assert render("a\n{% include 'tone' %}\nb", {"how": "kind"}, includes=includes) == (
            "a\nBe kind.\nb"
        )
        assert render("{% include 'outer' %}", {"how": "x"}, includes=includes) == "<Be x.\n>"

    def test_see_what_stands_around_them_and_keep_what_they_set(self) -> None:
        includes = {"i": "{{ n }}{% set n = 9 %}{{ n }}"}
        text = "{% for n in range(2) %}{% include 'i' %}{{ n }};{% endfor %}"
        assert render(text, includes=includes) == "090;191;"

    def test_of_the_flat_languages(self) -> None:
        includes = {
            "s": Source("{{x}} {{a.b}} {% y %} {{ n }}", "simple", "s"),
            "r": Source("{{x}} {% y %}", "none", "r"),
        }
        text = "{% for n in [7] %}{% include 's' %}|{% include 'r' %}{% endfor %}"
        values = {"x": [True], "a.b": "flat", "n": 1}
        assert render(text, values, includes=includes) == "[true] flat {% y %} 7|{{x}} {% y %}"

    def test_count_for_the_variables(self) -> None:
        source = Source("{% include 'i' %}{{ a }}")
        sources = {
            "i": Source("{{ b }}{{ c|default(1) }}{% include 's' %}"),
            "s": Source("{{d}}", "simple"),
        }
        template = compile_template(source, sources, Limits())
        assert template.variables == {"a", "b", "c", "d"}
        assert template.required == {"a", "b", "d"}
        assert template.includes == ("i",)

    @pytest.mark.parametrize(
        ("includes", "code", "chain"),
        [
            ({}, "PS301", ("p",)),
            ({"a": "{% include 'b' %}"}, "PS301", ("p", "a")),
            ({"a": "{% include 'a' %}"}, "PS303", ("p", "a")),
            ({"a": "{% include 'p' %}", "p": ""}, "PS303", ("p", "a")),
            ({"a": "{% include 'b' %}", "b": "\n{% include 'a' %}"}, "PS303", ("p", "a", "b")),
        ],
    )
    def test_that_cannot_be_followed(
        self, includes: dict[str, str], code: str, chain: tuple[str, ...]
    ) -> None:
        with pytest.raises(IncludeError) as caught:
            render("{% if false %}{% include 'a' %}{% endif %}", includes=includes)
        assert (caught.value.code, caught.value.chain) == (code, chain)

    def test_that_are_nested_too_deep(self) -> None:
        includes = {f"i{n}": f"{{% include 'i{n + 1}' %}}" for n in range(20)} | {"i20": "end"}
        with pytest.raises(IncludeError, match="nested deeper than 10"):
            render("{% include 'i0' %}", includes=includes)
        assert render("{% include 'i0' %}", includes=includes, limits=Limits(max_include_depth=30))

    def test_that_multiply_are_stopped(self) -> None:
        twice = "{{% include '{0}' %}}{{% include '{0}' %}}"
        includes = {f"i{n}": twice.format(f"i{n + 1}") for n in range(30)} | {"i30": "end"}
        with pytest.raises(IncludeError, match="more than 500 texts"):
            render(twice.format("i0"), includes=includes, limits=Limits(max_include_depth=40))

    @pytest.mark.parametrize(
        "text",
        [
            "{% include 'a/b-c.d' %}",
            '{%- include "a/b-c.d" -%}',
            "{%+ include 'a/b-c.d' +%}",
            "{%\n include\n'a/b-c.d'%}",
            "{%include'a/b-c.d'%}",
            "{% if x %}{% for y in z %}{% include 'a/b-c.d' %}{% endfor %}{% endif %}",
        ],
    )
    def test_are_found_by_a_quick_look(self, text: str) -> None:
        assert find_includes(Source(text)) == ("a/b-c.d",)
        assert find_includes(Source(text, "simple")) == ()
        sources = {"a/b-c.d": Source("x")}
        assert compile_template(Source(text), sources, Limits()).includes == ("a/b-c.d",)


class TestErrorsAtRunTime:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{{ 1 / 0 }}", "division by zero"),
            ("{{ 'a' + 1 }}", r"the operator \+ works between numbers only"),
            ("{{ 'a' * 3 }}", r"the operator \* works between numbers only"),
            ("{{ '%s' % 1 }}", "the operator % works between numbers only"),
            ("{% for x in 5 %}{% endfor %}", "not iterable"),
            ("{{ range('a') }}", "integer"),
            ("{{ -'a' }}", "bad operand type"),
            ("{{ [1, 'a']|sort }}", "not supported between"),
            ("{{ 1|tojson(99) }}", "indent from 0 to 16"),
        ],
    )
    def test_tell_their_line(self, text: str, message: str) -> None:
        with pytest.raises(RenderError, match=message) as caught:
            render(f"one\ntwo\n{text}\nfour")
        assert (caught.value.line, caught.value.template) == (3, "p")

    def test_in_an_included_text_tell_that_text(self) -> None:
        includes = {"i": "one\n{{ x.y }}", "o": "\n\n\n{% include 'i' %}"}
        with pytest.raises(RenderError) as caught:
            render("\n{% include 'o' %}", {"x": {}}, includes=includes)
        assert (caught.value.line, caught.value.template) == (2, "i")


class TestLimits:
    @pytest.mark.parametrize(
        ("text", "setting"),
        [
            ("{% for n in range(9) %}{{ x }}{% endfor %}", "max_output"),
            ("{{ x }}{{ x }}{{ x }}{{ x }}", "max_output"),
            ("{{ x ~ x ~ x ~ x ~ x ~ x ~ x ~ x ~ x }}", "max_output"),
            (
                "{% for a in range(20) %}{% for b in range(20) %}{% endfor %}{% endfor %}",
                "max_steps",
            ),
            ("{{ range(101)|length }}", "max_steps"),
        ],
    )
    def test_stop_a_render(self, text: str, setting: str) -> None:
        limits = Limits(max_output=100, max_steps=100)
        with pytest.raises(LimitError, match=setting):
            render(text, {"x": "x" * 100}, limits=limits)

    def test_are_shared_by_the_contents_of_a_prompt(self) -> None:
        limits = Limits(max_output=10)
        template, budget = compile_template(Source("12345{{ x }}"), {}, limits), Budget(limits)
        assert template.render({"x": "6"}, (), budget) == "123456"
        with pytest.raises(LimitError, match="more than 10 characters"):
            template.render({"x": "6"}, (), budget)


names = st.from_regex(r"[a-z]{1,3}", fullmatch=True)
pieces = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["{", "}", "{{ ", " }}", "%", "\r\n", "\n"]
)


@given(st.lists(pieces | names.map("{{{{ {} }}}}".format), max_size=6).map("".join))
def test_the_quick_path_gives_what_jinja_gives(text: str) -> None:
    """A text without logic never loads Jinja2; one that also prints an empty text does."""
    values = {name: f"<{name}>" for name in ("a", "ab", "abc", "b", "x", "xy", "xyz")}

    def attempt(template: str) -> str:
        try:
            return render(template, values)
        except TemplateError as error:
            return type(error).__name__

    assert attempt(text) == attempt("{{ '' }}" + text)


def test_the_language_means_what_plain_jinja_means() -> None:
    plain = jinja2.sandbox.ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for name, (text, values, _) in LANGUAGE.items():
        if name not in {"a key that dicts have a method for", "tojson"}:
            assert render(text, values) == plain.from_string(text).render(values), name


def test_substitution_alone_never_loads_jinja() -> None:
    program = (
        "import sys\n"
        "from promptstore.model.prompt import Prompt\n"
        "assert Prompt(prompt='Hi {{ name }}').render(name='Ada').text == 'Hi Ada'\n"
        "print('jinja2' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_find_references_tells_names_and_includes_with_their_lines() -> None:
    text = "{{ a }}\n{% for x in b %}\n{{ x }}{{ a }}\n{% include 'i' %}\n{% endfor %}"
    references = find_references(Source(text))
    assert references.variables == [("a", 1), ("b", 2), ("a", 3)]
    assert references.includes == [("i", 4)]
    assert find_references(Source("{{a}}\n{{ b.c }}", "simple")).variables == [("a", 1), ("b.c", 2)]
    assert find_references(Source("{{a}}", "none")).variables == []
