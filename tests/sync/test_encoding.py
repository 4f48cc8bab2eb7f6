"""What a remote holds of a prompt, and what comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstore.errors import SyncRefusedError
from promptstore.model.messages import Insert, Message
from promptstore.model.prompt import Prompt
from promptstore.model.variables import Variable
from promptstore.posthog.sync.encoding import Wire, decode, encode
from promptstore.promptfile.reader import loads
from promptstore.promptfile.writer import dumps


def back(wire: Wire, onto: Prompt | None = None) -> Prompt:
    return decode(wire, onto, keeps_config=True, as_source=False)


@pytest.mark.parametrize(
    ("kind", "text", "sent"),
    [
        ("simple", "Hi {{ name }}, {{a.b}} {{\tc-d }}", "Hi {{name}}, {{a.b}} {{c-d}}"),
        ("simple", "{{{a}}} {% if %} {# kept #}", "{{{a}}} {% if %} {# kept #}"),
        ("jinja2", "Hi {{ name }}{{\n x }}\n", "Hi {{name}}{{x}}\n"),
        ("jinja2", "a{# a comment #}b", "ab"),
        ("jinja2", "100% {braces} and } {", "100% {braces} and } {"),
        ("none", "Hi {{ name }} {% if %}", "Hi {{ name }} {% if %}"),
        ("simple", "", ""),
    ],
)
def test_variables_are_written_without_spaces(kind: Any, text: str, sent: str) -> None:
    prompt = Prompt(prompt=text, template=kind)
    assert encode(prompt).text == sent
    assert encode(back(encode(prompt))).digest == encode(prompt).digest
    assert encode(back(encode(prompt), prompt)).digest == encode(prompt).digest


def test_what_a_message_says_beside_its_content_is_sent_too() -> None:
    prompt = loads(
        """\
messages:
  - role: user
    content: "{{ a }}"
    name: ada
  - role: assistant
    content: null
    tool_calls:
      - {id: "1", type: function, function: {name: look, arguments: "[{{ b }}]"}}
  - {role: tool, content: "{{ c }}", tool_call_id: "{{ 1 }}"}
  - {role: assistant, refusal: "No {{ way }}", cache_control: {type: ephemeral}}
"""
    )
    sent = encode(prompt)
    first, second, third, last = json.loads(sent.text)
    assert first == {"role": "user", "content": "{{a}}", "name": "ada"}
    assert second["content"] is None
    assert second["tool_calls"][0]["function"] == {"name": "look", "arguments": "[{{b}}]"}
    assert third == {"role": "tool", "content": "{{c}}", "tool_call_id": "{{ 1 }}"}
    assert (last["refusal"], last["cache_control"]) == ("No {{ way }}", {"type": "ephemeral"})
    for onto in (None, prompt):
        again = back(sent, onto)
        assert encode(again).digest == sent.digest
        values = {"a": "A", "b": "B", "c": "C"}
        assert again.render(values).messages == prompt.render(values).messages


def test_includes_are_put_in_place() -> None:
    tone = Prompt(prompt="Be kind, {{ who }}.\n")
    prompt = Prompt(prompt='Hi.\n{% include "tone" %}\nBye {{ who }}', includes={"tone": tone})
    rendered = prompt.render(who="Ada").text
    assert encode(prompt).text.replace("{{who}}", "Ada") == rendered
    assert encode(prompt).text == "Hi.\nBe kind, {{who}}.\nBye {{who}}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{% if x %}y{% endif %}", "--as-source"),
        ("{{ x | upper }}", "--as-source"),
        ("{{ x.y }}", "--as-source"),
        ("{% for x in xs %}{{ x }}{% endfor %}", "--as-source"),
        ('{% include "logic" %}', "of the included 'logic' has logic"),
        ('{% include "nowhere" %}', "nowhere"),
        ("{% raw %}{{ x }}{% endraw %}", "--as-source"),
        ("{{ true }}", "--as-source"),
        ("{% if", "line 1"),
        ('{% include "literal" %}', "would be read as the variable 'name'"),
        ("a\0b", "NUL"),
        ('"' * 500_001, "1,000,004 bytes as JSON"),
    ],
)
def test_what_a_remote_cannot_hold_is_refused(text: str, reason: str) -> None:
    includes = {
        "logic": Prompt(prompt="{% if x %}y{% endif %}"),
        "literal": Prompt(prompt="{{name}}", template="none"),
    }
    with pytest.raises(SyncRefusedError) as caught:
        encode(Prompt(name="a", prompt=text, includes=includes))
    assert reason in str(caught.value)


def test_as_source_sends_the_template_as_it_is() -> None:
    prompt = Prompt(prompt="{% if x %}{{ y }}{% endif %}")
    wire = encode(prompt, as_source=True)
    assert wire.text == prompt.prompt
    edited = Wire("{% if x %}{{ z }}{% endif %}")
    again = decode(edited, prompt, keeps_config=True, as_source=True)
    assert (again.template, again.prompt) == ("jinja2", edited.text)


def test_a_chat_prompt_is_the_json_of_its_messages() -> None:
    prompt = Prompt(
        messages=(Message("system", "Be {{ tone }}."), Insert("history"), Message("user", "Hi")),
        variables={"tone": Variable(type="string"), "history": Variable(type="messages")},
    )
    wire = encode(prompt)
    assert json.loads(wire.text) == [
        {"role": "system", "content": "Be {{tone}}."},
        {"insert": "history"},
        {"role": "user", "content": "Hi"},
    ]
    assert back(wire).messages == (
        Message("system", "Be {{tone}}."),
        Insert("history"),
        Message("user", "Hi"),
    )


def test_the_layout_of_json_does_not_count() -> None:
    messages = [{"role": "user", "content": "Hi é"}]
    texts = (json.dumps(messages), json.dumps(messages, indent=2, ensure_ascii=False))
    assert len({Wire(text).digest for text in texts}) == 1
    assert Wire("[1, 2]").digest != Wire("[1,2]").digest
    assert Wire("{{ a }}").digest == Wire("{{a}}").digest
    assert Wire("x", {"n": 2.0}).digest == Wire("x", {"n": 2}).digest


def test_a_text_that_happens_to_be_json_stays_a_text_in_git() -> None:
    prompt = Prompt(prompt='[{"role":"user","content":"Hi"}]', template="simple")
    assert back(encode(prompt), prompt).prompt == prompt.prompt


def test_what_the_remote_cannot_hold_survives_a_pull() -> None:
    prompt = loads(
        "description: D\nvariables: {name: {type: string}}\ntags: [t]\nx-team: a\n"
        "prompt: Hi {{ name }}\nconfig: {a: 1}\n"
    )
    pulled = back(Wire("Hello {{name}} and {{other}}", {"a": 2}), prompt)
    assert pulled.template == "jinja2"
    assert (pulled.description, pulled.tags, pulled.extensions["x-team"]) == ("D", ("t",), "a")
    assert pulled.config == {"a": 2}
    assert pulled.render(name="A", other="B").text == "Hello A and B"
    assert loads(dumps(pulled)).content == pulled.content


def test_a_text_that_means_something_else_in_jinja_becomes_simple() -> None:
    pulled = back(Wire("{{a-b}} {% odd"), Prompt(prompt="Hi {{ name }}"))
    assert pulled.template == "simple"
    assert pulled.render(**{"a-b": "1"}).text == "1 {% odd"


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.lists(
    st.sampled_from(["{{", "}}", "{{name}}", "{{ a.b }}", "{%", "{#", "[", '"', "\n", "\r", "x"])
).map("".join)
JSON = st.dictionaries(
    st.text(max_size=5).filter(lambda key: "\0" not in key),
    st.integers(-9, 9) | st.booleans() | st.none() | st.floats(-9, 9) | TEXTS,
    max_size=3,
)
MESSAGES = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), TEXTS), min_size=1
).map(tuple)
KINDS = st.sampled_from(["simple", "none", "jinja2"])
PROMPTS = st.builds(Prompt, prompt=TEXTS, template=KINDS, config=JSON) | st.builds(
    Prompt, messages=MESSAGES, template=KINDS, config=JSON
)


@given(PROMPTS, st.booleans())
def test_what_goes_out_comes_back_to_the_same_digest(prompt: Prompt, as_source: bool) -> None:
    try:
        wire = encode(prompt, as_source=as_source)
    except SyncRefusedError:
        return
    for onto in (None, prompt):
        again = decode(wire, onto, keeps_config=True, as_source=as_source)
        kept = loads(dumps(again))
        assert encode(kept, as_source=as_source).digest == wire.digest


@given(TEXTS, JSON)
def test_what_comes_in_goes_out_to_the_character(text: str, config: dict[str, Any]) -> None:
    pulled = back(Wire(text, config))
    sent = encode(loads(dumps(pulled)))
    assert sent.digest == encode(pulled).digest
    if not pulled.is_chat and " }}" not in text and "{{ " not in text and "\t" not in text:
        assert sent.text == text


@given(TEXTS, JSON)
def test_a_prompt_of_the_remotes_own_form_keeps_its_digest(
    text: str, config: dict[str, Any]
) -> None:
    first = back(Wire(text, config))
    assert back(encode(first)).digest == back(encode(back(encode(first)))).digest
