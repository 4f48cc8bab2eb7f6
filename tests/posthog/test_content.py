"""The one codec of content: what the API holds of a prompt, and what comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstore.errors import SyncRefusedError
from promptstore.model.parts import Insert, Message
from promptstore.model.prompt import Prompt
from promptstore.model.variables import Variable
from promptstore.posthog.content import (
    RemoteContent,
    decode_content,
    encode_content,
    new_prompt,
    served_content,
    set_content,
)
from promptstore.posthog.sync.remote import Codec, check_fits
from promptstore.promptfile.reader import loads
from promptstore.promptfile.writer import dumps


def back(content: RemoteContent, onto: Prompt | None = None) -> Prompt:
    return decode_content(content, onto) if onto else new_prompt(content)


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
    assert encode_content(prompt).text == sent
    assert encode_content(back(encode_content(prompt))).digest == encode_content(prompt).digest
    assert (
        encode_content(back(encode_content(prompt), prompt)).digest == encode_content(prompt).digest
    )


def test_what_a_message_says_beside_its_content_is_sent_too() -> None:
    prompt = loads(
        b"""\
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
    codec = Codec()
    sent = codec.encode(prompt)
    first, second, third, last = json.loads(sent.text)
    assert first == {"role": "user", "content": "{{a}}", "name": "ada"}
    assert second.get("content") is None
    assert second["tool_calls"][0]["function"] == {"name": "look", "arguments": "[{{b}}]"}
    assert third == {"role": "tool", "content": "{{c}}", "tool_call_id": "{{ 1 }}"}
    assert (last["refusal"], last["cache_control"]) == ("No {{ way }}", {"type": "ephemeral"})
    values = {"a": "A", "b": "B", "c": "C"}
    for onto in (None, prompt):
        again = codec.decode(sent, onto)
        assert codec.encode(again).digest == sent.digest
        assert again.render(values).messages == prompt.render(values).messages


def test_includes_are_put_in_place() -> None:
    tone = Prompt(prompt="Be kind, {{ who }}.\n")
    prompt = Prompt(prompt='Hi.\n{% include "tone" %}\nBye {{ who }}', includes={"tone": tone})
    rendered = prompt.render(who="Ada").text
    assert encode_content(prompt).text.replace("{{who}}", "Ada") == rendered
    assert encode_content(prompt).text == "Hi.\nBe kind, {{who}}.\nBye {{who}}"


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
    ],
)
def test_what_a_remote_cannot_hold_is_refused(text: str, reason: str) -> None:
    includes = {
        "logic": Prompt(prompt="{% if x %}y{% endif %}"),
        "literal": Prompt(prompt="{{name}}", template="none"),
    }
    with pytest.raises(SyncRefusedError) as caught:
        encode_content(Prompt(name="a", prompt=text, includes=includes))
    assert reason in str(caught.value)


def test_as_source_sends_the_template_as_it_is() -> None:
    prompt = Prompt(prompt="{% if x %}{{ y }}{% endif %}")
    content = encode_content(prompt, as_source=True)
    assert content.text == prompt.prompt
    edited = RemoteContent("{% if x %}{{ z }}{% endif %}")
    again = decode_content(edited, prompt, as_source=True)
    assert (again.template, again.prompt) == ("jinja2", edited.text)


def test_a_chat_prompt_is_the_json_of_its_messages() -> None:
    prompt = Prompt(
        messages=(Message("system", "Be {{ tone }}."), Insert("history"), Message("user", "Hi")),
        variables={"tone": Variable(type="string"), "history": Variable(type="messages")},
    )
    content = encode_content(prompt)
    assert json.loads(content.text) == [
        {"role": "system", "content": "Be {{tone}}."},
        {"insert": "history"},
        {"role": "user", "content": "Hi"},
    ]
    assert back(content).messages == (
        Message("system", "Be {{tone}}."),
        Insert("history"),
        Message("user", "Hi"),
    )


def test_the_layout_of_json_does_not_count() -> None:
    messages = [{"role": "user", "content": "Hi é"}]
    texts = (json.dumps(messages), json.dumps(messages, indent=2, ensure_ascii=False))
    assert len({RemoteContent(text).digest for text in texts}) == 1
    assert RemoteContent("[1, 2]").digest != RemoteContent("[1,2]").digest
    assert RemoteContent("{{ a }}").digest == RemoteContent("{{a}}").digest
    assert RemoteContent("x", {"n": 2.0}).digest == RemoteContent("x", {"n": 2}).digest


def test_a_text_that_happens_to_be_json_stays_a_text_in_git() -> None:
    prompt = Prompt(prompt='[{"role":"user","content":"Hi"}]', template="simple")
    assert back(encode_content(prompt), prompt).prompt == prompt.prompt


def test_what_the_remote_cannot_hold_survives_a_pull() -> None:
    prompt = loads(
        "description: D\nvariables: {name: {type: string}}\ntags: [t]\nx-team: a\n"
        "prompt: Hi {{ name }}\nconfig: {a: 1}\n"
    )
    pulled = back(RemoteContent("Hello {{name}} and {{other}}", {"a": 2}), prompt)
    assert pulled.template == "jinja2"
    assert (pulled.description, pulled.tags, pulled.extensions["x-team"]) == ("D", ("t",), "a")
    assert pulled.config == {"a": 2}
    assert pulled.render(name="A", other="B").text == "Hello A and B"
    assert loads(dumps(pulled)).content == pulled.content


def test_a_text_that_means_something_else_in_jinja_becomes_simple() -> None:
    pulled = back(RemoteContent("{{a-b}} {% odd"), Prompt(prompt="Hi {{ name }}"))
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
        content = encode_content(prompt, as_source=as_source)
    except SyncRefusedError:
        return
    for onto in (None, prompt):
        again = Codec(as_source=as_source).decode(content, onto)
        kept = loads(dumps(again))
        assert encode_content(kept, as_source=as_source).digest == content.digest


@given(TEXTS, JSON)
def test_what_comes_in_goes_out_to_the_character(text: str, config: dict[str, Any]) -> None:
    pulled = back(RemoteContent(text, config))
    sent = encode_content(loads(dumps(pulled)))
    assert sent.digest == encode_content(pulled).digest
    if not pulled.is_chat and " }}" not in text and "{{ " not in text and "\t" not in text:
        assert sent.text == text


@given(TEXTS, JSON)
def test_a_prompt_of_the_remotes_own_form_keeps_its_digest(
    text: str, config: dict[str, Any]
) -> None:
    first = back(RemoteContent(text, config))
    assert (
        back(encode_content(first)).digest
        == back(encode_content(back(encode_content(first)))).digest
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (RemoteContent("a\0b"), "its text holds NUL"),
        (RemoteContent("a\ud800b"), "half a character"),
        (RemoteContent('"' * 500_001), "1,000,004 bytes as JSON"),
        (RemoteContent("", {"a": "\0"}), "its config holds NUL"),
    ],
)
def test_what_a_remote_cannot_store_is_refused(content: RemoteContent, reason: str) -> None:
    with pytest.raises(SyncRefusedError, match=reason):
        check_fits("a", content)


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", "u0000"])
def test_how_json_writes_nul_is_only_a_text(text: str) -> None:
    check_fits("a", RemoteContent(text, {"key": text}))


@pytest.mark.parametrize("text", ["\0", "\\\0", "\\\\\0"])
def test_nul_is_found_behind_any_backslashes(text: str) -> None:
    with pytest.raises(SyncRefusedError, match="NUL"):
        check_fits("a", RemoteContent(text))


@pytest.mark.parametrize(
    "text", ["{% if x %}{{ y }}{% endif %}", "{{ x | upper }}", "{% broken", '{% include "gone" %}']
)
def test_logic_is_served_as_source_and_marked(text: str) -> None:
    content = served_content(Prompt(prompt=text))
    assert (content.value, content.is_source) == (text, True)
    assert not served_content(Prompt(prompt="Hi {{ name }}")).is_source


TONE = Prompt(prompt="Be kind.\n")
INCLUDING = Prompt(prompt='{% include "tone" %}\nHi {{  name }}, {{ x }}', includes={"tone": TONE})


@pytest.mark.parametrize("as_source", [False, True])
@pytest.mark.parametrize(
    "prompt",
    [
        INCLUDING,
        Prompt(prompt="Hi {{  name }}"),
        Prompt(messages=(Message("user", "{{ a }}"),)),
        set_content(Prompt(prompt="", template="simple"), {"a": [1, "{{ b }}"]}),
    ],
)
def test_the_same_content_changes_nothing(prompt: Prompt, as_source: bool) -> None:
    content = encode_content(prompt)
    sent = RemoteContent(content.text, {"top_p": 1})
    again = decode_content(sent, prompt, as_source=as_source)
    assert again.content == {**prompt.content, "config": {"top_p": 1}}


def test_only_what_is_edited_is_edited() -> None:
    prompt = Prompt(prompt="Hi {{  name }}, {{ x }}.", variables={"name": Variable(type="string")})
    edited = decode_content(RemoteContent("Hello {{name}}, {{x}} {{ y }}."), prompt)
    assert edited.prompt == "Hello {{  name }}, {{ x }} {{ y }}."
    assert dict(edited.variables or {}) == {
        "name": Variable(type="string"),
        "x": Variable(type="string"),
        "y": Variable(type="string"),
    }


def test_logic_that_is_edited_stays_logic() -> None:
    prompt = Prompt(prompt="{% if vip %}Dear{% endif %} {{ name }}", variables={})
    edited = decode_content(
        RemoteContent("{% for x in xs %}{{ x }}{% endfor %} {{ name }}"), prompt, as_source=True
    )
    assert edited.template == "jinja2"
    assert {name: one.type for name, one in (edited.variables or {}).items()} == {
        "xs": "any",
        "name": "string",
    }


def test_json_that_is_no_list_of_messages_is_marked_and_comes_back() -> None:
    made = set_content(Prompt(prompt="", template="simple"), {"a": [1, None]})
    assert (made.prompt, made.extensions) == ('{"a": [1, null]}', {"x-posthog-json": True})
    assert encode_content(loads(dumps(made))).value == {"a": [1, None]}
    assert set_content(made, "text").extensions == {}
    by_hand = Prompt(prompt="no json", extensions={"x-posthog-json": True})
    assert encode_content(by_hand).value == "no json"
