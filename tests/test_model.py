from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from promptstore.errors import IncludeError, InvalidArgumentError, RenderError, VariableError
from promptstore.model.messages import Insert, Message
from promptstore.model.prompt import Prompt
from promptstore.model.rendering import texts
from promptstore.model.variables import Variable
from promptstore.model.versions import Version
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


def test_inserted_messages_are_given_as_they_are() -> None:
    history = [
        {"role": "user", "content": [{"type": "text", "text": "{{ x }}"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "42", "tool_call_id": "1"},
    ]
    prompt = Prompt(messages=(Message("system", "S"), Insert("history"), Insert("history")))
    assert prompt.render(history=history).messages[1:] == history * 2
    assert prompt.render(history=[]).messages == [{"role": "system", "content": "S"}]


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
    version: Any = {"number": 1, "commit": "", "author": "", "committed_at": None, "blob": None}
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
