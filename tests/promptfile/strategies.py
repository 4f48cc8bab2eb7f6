"""Random prompts, valid by construction."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from promptstore.model.parts import ROLES, Insert, Message
from promptstore.model.prompt import Prompt
from promptstore.model.variables import MISSING, Variable

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.text(
    st.sampled_from(" \n\t#:-|>'\"{}[]&*!%@`,?\\\r\x00\x07\x85\u2028\ufeffé😀aA01.~<=yn"),
    max_size=20,
)
"""Any text, and often the characters that YAML has plans for."""

words = st.sampled_from(
    ["yes", "no", "on", "off", "y", "n", "null", "~", "true", "1", "1.0", "0x1f", "0o7", "1e3",
     "1_000", "2024-11-20", "12:30:45", "=", "<<", ".inf", "-", "---", "...", "a: b", "a #b", "a:",
     "- a", "? a", "!a", "&a", "*a", "%a", "{{ x }}", "{% x %}", " lead", "trail ", "\tlead", ""]
)  # fmt: skip
strings = texts | words
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | strings,
    lambda items: st.lists(items, max_size=4) | st.dictionaries(strings, items, max_size=4),
    max_leaves=12,
)
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}x", fullmatch=True)
variables = st.one_of(
    st.builds(Variable, type=st.just("string"), description=st.none() | strings),
    st.builds(Variable, type=st.just("string"), default=strings),
    st.builds(Variable, type=st.just("integer"), default=st.integers() | st.just(MISSING)),
    st.builds(Variable, type=st.just("any"), default=json_values, description=strings),
    st.builds(
        Variable,
        type=st.just("string"),
        enum=st.lists(strings, min_size=1, max_size=3, unique=True).map(tuple),
        required=st.none() | st.booleans(),
    ),
    st.builds(Variable, type=st.just("object"), required=st.just(False)),
)
parts = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": strings}),
    st.fixed_dictionaries(
        {"type": st.just("image_url"), "image_url": st.fixed_dictionaries({"url": strings})}
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("input_audio"),
            "input_audio": st.fixed_dictionaries({"data": strings, "format": strings}),
        }
    ),
    st.fixed_dictionaries(
        {"type": st.just("file"), "file": st.fixed_dictionaries({"file_id": strings})}
    ),
)
contents = strings | st.lists(parts, min_size=1, max_size=3).map(tuple)
messages = st.builds(Message, role=st.sampled_from(ROLES), content=contents) | names.map(Insert)


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """Any prompt that a file can hold."""
    content: dict[str, Any] = {}
    if draw(st.booleans()):
        content["prompt"] = draw(strings)
    else:
        content["messages"] = tuple(draw(st.lists(messages, min_size=1, max_size=4)))
    declared = draw(st.none() | st.dictionaries(names, variables, max_size=4))
    if declared is not None:
        for message in content.get("messages", ()):
            if isinstance(message, Insert):
                declared[message.insert] = Variable(type="messages")
    if draw(st.booleans()):
        content |= {"deleted": True, "deleted_reason": draw(st.none() | strings)}
        content["replaced_by"] = draw(st.none() | st.just("support/reply"))
    return Prompt(
        variables=declared,
        template=draw(st.sampled_from(["jinja2", "simple"])) if not declared else "jinja2",
        description=draw(st.none() | strings),
        config=draw(st.dictionaries(strings, json_values, max_size=3)),
        metadata=draw(st.dictionaries(strings, json_values, max_size=2)),
        extensions=draw(st.dictionaries(strings.map("x-{}".format), json_values, max_size=2)),
        tags=tuple(draw(st.lists(strings.filter(str.strip), max_size=3, unique=True))),
        id=draw(st.none() | st.uuids().map(str)),
        **content,
    )
