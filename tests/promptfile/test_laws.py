"""Laws that hold for every prompt and every text."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from promptstore.errors import PromptFileError
from promptstore.model.parts import Message
from promptstore.model.prompt import Prompt
from promptstore.promptfile.editor import edit
from promptstore.promptfile.reader import loads
from promptstore.promptfile.writer import dumps
from tests.promptfile.strategies import json_values, prompts, strings

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(prompts())
def test_a_prompt_survives_its_file(prompt: Prompt) -> None:
    text = dumps(prompt)
    assert loads(text) == prompt
    assert loads(text.encode()).digest == prompt.digest
    assert text.endswith("\n")


@given(prompts())
def test_writing_twice_changes_nothing(prompt: Prompt) -> None:
    text = dumps(prompt)
    assert dumps(loads(text)) == text


@given(any_text | strings)
def test_any_text_survives_everywhere(text: str) -> None:
    prompt = Prompt(
        messages=(
            Message(role="user", content=text),
            Message(role="user", content=({"type": "text", "text": text},)),
        ),
        description=text,
        config={text: [text, {"nested": text}]},
    )
    assert loads(dumps(prompt)) == prompt


@given(prompts(), st.sampled_from([(1, 1), (1, 2)]))
def test_other_readers_see_the_same_texts(prompt: Prompt, version: tuple[int, int]) -> None:
    """Numbers are left out: the two versions of YAML write some of them differently."""
    text = dumps(prompt)
    reader = YAML(typ="safe", pure=True)
    reader.version = version
    assert only_texts(reader.load(text)) == only_texts(prompt.content)


def only_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: only_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [only_texts(item) for item in value]
    return value if isinstance(value, (str, bool)) or value is None else 0


@given(prompts())
def test_an_unchanged_prompt_changes_no_byte(prompt: Prompt) -> None:
    source = dumps(prompt).encode()
    assert edit(source, loads(source)) == source


def write_wrapped(content: Any) -> str:
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.width = 60
    return dumped(writer, content)


def write_indented(content: Any) -> str:
    writer = YAML()
    writer.indent(mapping=4, sequence=4, offset=2)
    return dumped(writer, content)


def dumped(writer: YAML, content: Any) -> str:
    stream = io.StringIO()
    writer.dump(content, stream)
    return stream.getvalue()


def write_json(content: Any) -> str:
    return json.dumps(content, indent=4)


def write_crlf(content: Any) -> str:
    return write_wrapped(content).replace("\n", "\r\n")


layouts = st.sampled_from([write_wrapped, write_indented, write_json, write_crlf])


@given(prompts(), prompts(), layouts)
def test_an_edit_says_what_was_wanted_in_any_layout(
    before: Prompt, after: Prompt, layout: Any
) -> None:
    source = layout(before.content).encode()
    try:
        present = loads(source)
    except PromptFileError:
        # Another writer may put characters into a file that this project refuses.
        return
    assert edit(source, present) == source
    assert loads(edit(source, after)) == after


@given(prompts(), prompts())
def test_an_edit_of_our_own_files_says_what_was_wanted(before: Prompt, after: Prompt) -> None:
    edited = edit(dumps(before).encode(), after)
    assert loads(edited) == after
    assert edit(edited, after) == edited


@given(prompts(), st.data())
def test_comments_outside_of_a_change_survive(prompt: Prompt, data: st.DataObject) -> None:
    lines = dumps(prompt).splitlines(keepends=True)
    tops = [n for n, line in enumerate(lines) if line[:1] not in " -\n#\t"]
    places = data.draw(st.lists(st.sampled_from(tops), unique=True, max_size=4))
    for number in sorted(places, reverse=True):
        lines.insert(number, f"# comment {number}\n")
    source = "".join(lines).encode()
    try:
        present = loads(source)
    except PromptFileError:
        return
    if present != prompt:
        return  # a line of a text looked like the start of a key
    changed = loads(dumps(prompt))
    changed = type(changed)(**{**vars_of(changed), "description": data.draw(strings)})
    edited = edit(source, changed).decode()
    assert loads(edited) == changed
    for number in places:
        assert f"# comment {number}\n" in edited


def vars_of(prompt: Prompt) -> dict[str, Any]:
    return prompt.__getstate__()


@given(json_values)
@settings(max_examples=50)
def test_reading_never_fails_but_with_its_own_error(value: Any) -> None:
    with pytest.raises(PromptFileError):
        loads(write_json([value]))
