from __future__ import annotations

import copy
import pickle
from dataclasses import asdict, replace
from difflib import ndiff
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from pydantic import TypeAdapter

from promptstore.errors import IncludeError, InvalidArgumentError, RenderError, VariableError
from promptstore.model.parts import Insert, Message
from promptstore.model.prompt import Prompt, own_copy, texts
from promptstore.model.rendering import merge_values
from promptstore.model.variables import Variable
from promptstore.model.versions import Version
from promptstore.promptfile.editor import edit
from promptstore.promptfile.reader import loads
from promptstore.promptfile.writer import dumps
from tests.promptfile.strategies import prompts

PARTS = (
    {"type": "text", "text": "What is {{ what }}?"},
    {"type": "image_url", "image_url": {"url": "{{ url }}", "detail": "low"}},
    {"type": "input_audio", "input_audio": {"data": "{{ data }}", "format": "wav"}},
    {"type": "file", "file": {"file_id": "{{ file }}"}},
)


def test_parts_are_rendered_part_by_part() -> None:
    prompt = Prompt(messages=(Message("user", PARTS),))
    rendered = prompt.render(what="{{ this }}", url="https://a/b.png", data="AAA=", file="f-1")
    assert rendered.messages == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is {{ this }}?"},
                {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AAA=", "format": "wav"}},
                {"type": "file", "file": {"file_id": "f-1"}},
            ],
        }
    ]
    assert [keys for keys, _ in texts(prompt)][1] == (
        "messages", 0, "content", 1, "image_url", "url",
    )  # fmt: skip


TOOLS = """\
variables:
  city: {type: string}
messages:
  - role: user
    name: ada
    content:
      - {type: image, source: {type: url, url: "https://a/{{ city }}.png"}, cache_control: {t: e}}
      - {type: document, source: {type: text, data: "{{ city }}"}, title: "On {{ city }}"}
      - {type: hologram, beam: ["{{ city }}", 3]}
  - role: assistant
    content: null
    tool_calls:
      - id: "1"
        type: function
        function: {name: weather, arguments: '{"city": "{{ city }}"}'}
      - {id: "2", type: custom, custom: {name: run, input: "look at {{ city }}"}}
  - role: tool
    content: Sunny in {{ city }}
    tool_call_id: "{{ id }}"
  - role: assistant
    refusal: Not {{ this }}
  - role: assistant
    content:
      - {type: tool_use, id: "3", name: map, input: {at: ["{{ city }}"]}}
  - role: user
    content:
      - {type: tool_result, tool_use_id: "3", content: [{type: text, text: "{{ city }}"}]}
      - {type: tool_result, tool_use_id: "4", content: "{{ city }}", is_error: true}
    cache_control: {type: "{{ literal }}"}
"""
RENDERED = [
    {
        "role": "user",
        "content": [
            {
                "type": "image",
                "source": {"type": "url", "url": "https://a/Rome.png"},
                "cache_control": {"t": "e"},
            },
            {"type": "document", "source": {"type": "text", "data": "Rome"}, "title": "On Rome"},
            {"type": "hologram", "beam": ["Rome", 3]},
        ],
        "name": "ada",
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
            },
            {"id": "2", "type": "custom", "custom": {"name": "run", "input": "look at Rome"}},
        ],
    },
    {"role": "tool", "content": "Sunny in Rome", "tool_call_id": "{{ id }}"},
    {"role": "assistant", "content": None, "refusal": "Not {{ this }}"},
    {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "3", "name": "map", "input": {"at": ["Rome"]}}],
    },
    {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "3",
                "content": [{"type": "text", "text": "Rome"}],
            },
            {"type": "tool_result", "tool_use_id": "4", "content": "Rome", "is_error": True},
        ],
        "cache_control": {"type": "{{ literal }}"},
    },
]


def test_what_chat_apis_take_can_be_written_down() -> None:
    prompt = loads(TOOLS)
    assert prompt.render(city="Rome").messages == RENDERED
    written = dumps(prompt)
    assert loads(written) == prompt
    assert dumps(loads(written)) == written
    assert edit(TOOLS.encode(), prompt) == TOOLS.encode()
    as_python: list[Any] = prompt.content["messages"]
    assert Prompt(messages=tuple(as_python), variables=prompt.variables) == prompt
    with_nulls = [{"content": None, "tool_calls": None, **message} for message in as_python]
    assert Prompt(messages=tuple(with_nulls), variables=prompt.variables) == prompt


@pytest.mark.parametrize("key", ["name", "tool_calls", "tool_call_id", "refusal", "cache_control"])
def test_an_edit_of_one_key_of_a_message_touches_nothing_else(key: str) -> None:
    source = TOOLS.replace("  - role: tool", "  # why\n  - role: tool").encode()
    prompt = loads(source)
    index = next(n for n, item in enumerate(prompt.messages or ()) if getattr(item, key, None))
    content = prompt.content["messages"]
    wanted: Any = {"name": "eve", "refusal": "No.", "tool_call_id": "9"}.get(key)
    if key == "tool_calls":
        wanted = [{"id": "9", "function": {"name": "f", "arguments": "{}"}}]
    if key == "cache_control":
        wanted = {"type": "other"}
    content[index][key] = wanted
    changed = Prompt(messages=tuple(content), variables=prompt.variables)
    edited = edit(source, changed)
    assert loads(edited) == changed
    assert b"  # why\n" in edited
    gone, come = difference(source, edited)
    assert 1 <= gone <= 5
    assert 1 <= come <= 7


def difference(before: bytes, after: bytes) -> tuple[int, int]:
    lines = list(ndiff(before.decode().splitlines(), after.decode().splitlines()))
    return sum(line[0] == "-" for line in lines), sum(line[0] == "+" for line in lines)


def test_inserted_messages_are_given_as_they_are() -> None:
    history = [
        {"role": "user", "content": [{"type": "text", "text": "{{ x }}"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "42", "tool_call_id": "1"},
    ]
    prompt = Prompt(messages=(Message("system", "S"), Insert("history"), Insert("history")))
    assert prompt.render(history=history).messages[1:] == history * 2
    assert prompt.render(history=[]).messages == [{"role": "system", "content": "S"}]


def test_the_other_fields_of_a_message_are_rendered() -> None:
    call = {
        "id": "{{ x }}",
        "type": "function",
        "function": {"name": "{{ x }}", "arguments": '{"city": {{ city|tojson }}}'},
    }
    prompt = Prompt(
        messages=(
            Message("user", "{{ city }}", name="{{ x }}"),
            Message("assistant", None, tool_calls=(call,)),
            Message("tool", "{{ city }}", tool_call_id="{{ x }}"),
            Message("assistant", None, refusal="{{ x }}"),
            Message("user", "a", cache_control={"type": "ephemeral"}),
        )
    )
    assert [path for path, _ in texts(prompt)] == [
        ("messages", 0, "content"),
        ("messages", 1, "tool_calls", 0, "function", "arguments"),
        ("messages", 2, "content"),
        ("messages", 4, "content"),
    ]
    function = {"name": "{{ x }}", "arguments": '{"city": "Oslo \\"S\\""}'}
    assert prompt.render(city='Oslo "S"').messages == [
        {"role": "user", "content": 'Oslo "S"', "name": "{{ x }}"},
        {"role": "assistant", "content": None, "tool_calls": [call | {"function": function}]},
        {"role": "tool", "content": 'Oslo "S"', "tool_call_id": "{{ x }}"},
        {"role": "assistant", "content": None, "refusal": "{{ x }}"},
        {"role": "user", "content": "a", "cache_control": {"type": "ephemeral"}},
    ]


def test_types_and_ids_in_parts_are_no_templates() -> None:
    parts = (
        {
            "type": "tool_use",
            "id": "{{ x }}",
            "name": "f",
            "input": {"id": "{{ n }}", "type": ["{{ n }}"], "count": 1},
        },
        {
            "type": "tool_result",
            "tool_use_id": "{{ x }}",
            "content": [{"type": "text", "text": "{{ n }}", "cache_control": {"type": "{{ x }}"}}],
        },
    )
    rendered = Prompt(messages=(Message("user", parts),)).render(n="7")
    assert rendered.messages[0]["content"] == [
        {**parts[0], "input": {"id": "7", "type": ["7"], "count": 1}},
        {
            **parts[1],
            "content": [{"type": "text", "text": "7", "cache_control": {"type": "{{ x }}"}}],
        },
    ]


class TestValues:
    def test_may_be_a_mapping_or_keywords_or_both(self) -> None:
        assert merge_values(None, {"a": 1}) == {"a": 1}
        assert merge_values({"a": 1}, {}) == {"a": 1}
        assert merge_values(MappingProxyType({"a": 1}), {"b": 2}) == {"a": 1, "b": 2}
        assert merge_values({}, {}) == {}

    def test_are_given_once(self) -> None:
        with pytest.raises(InvalidArgumentError, match="both have a value for 'a'; give it once"):
            merge_values({"a": 1}, {"a": 1})

    @pytest.mark.parametrize("given", ["a", ["a"], 5, b"a"])
    def test_are_no_other_thing(self, given: Any) -> None:
        with pytest.raises(InvalidArgumentError, match=f"not a {type(given).__name__}"):
            merge_values(given, {})


class TestRendered:
    def test_its_config_belongs_to_the_caller(self) -> None:
        prompt = Prompt(prompt="Hi", config={"model": "m", "stop": ["a"]})
        rendered = prompt.render()
        rendered.config["model"] = "n"
        rendered.config["stop"].append("b")
        assert rendered.config == {"model": "n", "stop": ["a", "b"]}
        assert prompt.render().config == {"model": "m", "stop": ["a"]}
        assert type(rendered.config) is dict

    def test_its_messages_belong_to_the_caller(self) -> None:
        parts = ({"type": "custom", "text": "a", "more": {"x": [1]}},)
        history = Variable("messages", default=[{"role": "user", "content": "{{ x }}"}])
        prompt = Prompt(
            messages=(Message("user", parts), Insert("history")), variables={"history": history}
        )
        expected = copy.deepcopy(prompt.render().messages)
        rendered = prompt.render()
        rendered.messages[0]["content"][0]["more"]["x"].append(2)
        rendered.messages[1]["content"] = "y"
        assert prompt.render().messages == expected

    def test_knows_what_it_was_made_from(self) -> None:
        prompt = Prompt(prompt="Hi", name="a", version=2, commit="c", snapshot_commit="s")
        rendered = prompt.render()
        assert (rendered.name, rendered.version, rendered.commit) == ("a", 2, "c")
        assert (rendered.snapshot_commit, rendered.digest) == ("s", prompt.digest)
        assert (rendered.label, rendered.is_fallback, rendered.is_chat) == (None, False, False)


class Loud(str):
    """A text that says something else when asked."""

    def __str__(self) -> str:
        return "SHOUT"


def test_a_text_is_put_in_as_it_is() -> None:
    prompt = Prompt(prompt="{{ a }}%", variables={"a": Variable(type="string", description="A")})
    assert prompt.render(a="{{ b }}").text == "{{ b }}%"
    assert prompt.render(a=Loud("loud")).text == "loud%"
    with pytest.raises(VariableError, match="'a' holds half of a surrogate pair"):
        prompt.render(a="\ud800")


class TestContract:
    TONE = Prompt(prompt="Be {{ how }}.", variables={"how": Variable("string", default="kind")})

    def test_an_include_brings_its_variables(self) -> None:
        prompt = Prompt(
            prompt="{% include 'tone' %} {{ x }}",
            variables={"x": Variable("string")},
            includes={"tone": self.TONE},
        )
        assert list(prompt.contract) == ["x", "how"]
        assert prompt.render(x="Hi").text == "Be kind. Hi"
        assert prompt.render(x="Hi", how="brief").text == "Be brief. Hi"
        with pytest.raises(VariableError, match="'how' is an integer"):
            prompt.render(x="Hi", how=3)

    def test_the_own_declaration_wins(self) -> None:
        how = Variable("string", enum=("brief",))
        prompt = Prompt(
            prompt="{% include 'tone' %}", variables={"how": how}, includes={"tone": self.TONE}
        )
        with pytest.raises(VariableError, match="'how' is missing"):
            prompt.render()

    def test_what_the_declaration_lacks_cannot_be_given(self) -> None:
        prompt = Prompt(prompt="{{ x }}{{ y }}", variables={"x": Variable()})
        with pytest.raises(VariableError, match="'y' is used by the template but not declared"):
            prompt.render(x=1, y=2)

    def test_a_declared_variable_that_no_text_uses_may_be_given(self) -> None:
        assert Prompt(prompt="Hi", variables={"x": Variable("string")}).render(x="y").text == "Hi"

    def test_an_optional_variable(self) -> None:
        prompt = Prompt(
            prompt="Hi{% if name %} {{ name }}{% endif %}",
            variables={"name": Variable("string", required=False)},
        )
        assert prompt.render().text == "Hi"
        assert prompt.render(name="Ada").text == "Hi Ada"
        with pytest.raises(RenderError, match="'name' is optional"):
            replace(prompt, prompt="{{ name }}").render()

    def test_a_variable_may_have_any_name(self) -> None:
        prompt = Prompt(prompt="{{self}}{{a.b-c}}", template="simple")
        assert prompt.render(**{"self": "1", "a.b-c": "2"}).text == "12"


@pytest.mark.parametrize(
    ("included", "code", "reason"),
    [
        (Prompt(messages=(Message("user", "x"),)), "PS305", "it is a chat prompt"),
        (
            Prompt(prompt="x", deleted=True, deleted_reason="Old.", replaced_by="c"),
            "PS302",
            r"it is deleted \(Old\.\); use 'c'",
        ),
    ],
)
def test_what_cannot_be_included(included: Prompt, code: str, reason: str) -> None:
    prompt = Prompt(prompt="{% include 'b' %}", includes={"b": included}, name="a")
    with pytest.raises(IncludeError, match=reason) as caught:
        prompt.render()
    assert caught.value.code == code


class TestDigest:
    BASE = Prompt(prompt="Hi", config={"a": 1, "b": 2}, tags=("t",))

    def test_is_of_the_meaning_alone(self) -> None:
        same = Prompt(prompt="Hi", config={"b": 2, "a": 1}, tags=("t",), name="x", version=3)
        assert self.BASE.digest == same.digest

    @pytest.mark.parametrize(
        "change",
        [
            {"prompt": "Hi "},
            {"config": {"a": 1.0, "b": 2}},
            {"config": {"a": True, "b": 2}},
            {"tags": ()},
            {"template": "none"},
            {"variables": {}},
            {"deleted": True},
            {"includes": {"b": Prompt(prompt="x")}},
        ],
    )
    def test_changes_with_it(self, change: dict[str, Any]) -> None:
        assert replace(self.BASE, **change).digest != self.BASE.digest


def test_its_repr_says_what_was_set() -> None:
    assert (
        repr(Prompt(prompt="Hi", name="a", version=2)) == "Prompt(prompt='Hi', name='a', version=2)"
    )


def test_a_chat_has_no_single_text() -> None:
    rendered = Prompt(messages=(Message("user", "Hi"),)).render()
    assert str(rendered) == "[user]\nHi"
    with pytest.raises(InvalidArgumentError, match=r"use \.messages"):
        _ = rendered.text


def test_the_subject_of_a_version() -> None:
    version: Any = {
        "name": "a",
        "number": 1,
        "commit": "",
        "author": "",
        "committed_at": None,
        "blob": None,
    }
    assert Version(**version, deleted=True, message="\nOne\n\nTwo\n").subject == "One"


@given(prompts())
def test_content_is_plain_and_says_everything(prompt: Prompt) -> None:
    assert replace(prompt, name="x", version=1).content == prompt.content
    assert type(prompt.content) is dict


@pytest.mark.parametrize("field", ["config", "metadata", "extensions"])
def test_a_prompt_is_not_nested_deeper_than_a_file_may_be(field: str) -> None:
    deep: dict[str, Any] = {}
    for _ in range(900):
        deep = {"a": deep}
    with pytest.raises(InvalidArgumentError, match="nested deeper than 100 levels"):
        Prompt(prompt="x", **{field: deep})  # type: ignore[arg-type]


def test_a_callers_copy_is_a_whole_prompt() -> None:
    """Whatever takes a prompt as a whole finds the fields that nobody asked for yet."""
    tone = Prompt(prompt="Be kind.", metadata={"by": ["a"]})
    kept = Prompt(
        messages=[Message("user", [{"type": "text", "text": "{{ x }}"}]), Insert("history")],
        variables={"history": {"type": "messages"}, "x": {"enum": [["a"], "b"]}},
        config={"stop": ["x"]},
        metadata={"owner": {"team": "a"}},
        extensions={"x-more": [1]},
        includes={"tone": tone},
        name="a",
    )
    assert own_copy(kept) == kept
    assert hash(own_copy(kept)) == hash(kept)
    assert repr(own_copy(kept)) == repr(kept)
    assert own_copy(kept).content == kept.content
    assert own_copy(kept).digest == kept.digest
    assert asdict(own_copy(kept)) == asdict(kept)
    assert TypeAdapter(Prompt).dump_json(own_copy(kept)) == TypeAdapter(Prompt).dump_json(kept)
    for remake in (
        own_copy,
        copy.copy,
        copy.deepcopy,
        lambda prompt: pickle.loads(pickle.dumps(prompt)),
        lambda prompt: replace(prompt, name="a"),
    ):
        made = remake(own_copy(kept))
        assert made == kept
        assert made.includes == kept.includes
    changed = own_copy(kept)
    changed.config["stop"].append("y")
    changed.includes["tone"].metadata["by"].append("b")
    assert changed.content["config"] == copy.copy(changed).config == {"stop": ["x", "y"]}
    assert kept.config == own_copy(changed).config == {"stop": ["x"]}
    assert tone.metadata == {"by": ["a"]}
