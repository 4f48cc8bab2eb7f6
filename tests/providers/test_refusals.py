"""What a vendor cannot take: where it stands, and what the error says of it."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from promptstore import Prompt
from promptstore.errors import ProviderError
from tests.providers.test_golden import arguments_for, rendered
from tests.providers.vendors import CHECKS

CONFIG = {"model": "m", "max_tokens": 9}
HI = {"role": "user", "content": "Hi"}


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def call(arguments: str) -> dict[str, Any]:
    function = {"name": "f", "arguments": arguments}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "1", "type": "function", "function": function}],
    }


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
DOCUMENT = {"type": "base64", "media_type": "application/pdf", "data": "QUFB"}
EVERY = tuple(CHECKS)
APART = ("anthropic", "gemini", "bedrock")
"""The vendors that keep instructions apart."""

MESSAGES: list[tuple[tuple[str, ...], list[Any], str, str]] = [
    (EVERY, [HI | {"mood": "good"}], "messages[0].mood", "has no place for `mood`; leave it out"),
    (
        EVERY, [user({"type": "text", "text": "a", "bold": True})],
        "messages[0].content[0].bold", "has no place for `bold`",
    ),
    (
        EVERY, [user({"type": "text"})],
        "messages[0].content[0]", "needs the key `text` here",
    ),
    (
        EVERY, [user({"type": "text", "text": 5})],
        "messages[0].content[0].text", "needs a string here",
    ),
    (
        EVERY, [user({"type": "image_url", "image_url": "cat.png"})],
        "messages[0].content[0].image_url", "needs an object here",
    ),
    (
        EVERY, [user({"type": "image_url", "image_url": {"url": "data:image/png,abc"}})],
        "messages[0].content[0]", "takes a data URL in base64 only",
    ),
    (
        EVERY, [user({"type": "input_audio", "input_audio": {"data": "?", "format": "wav"}})],
        "messages[0].content[0]", "takes data in base64 only",
    ),
    (
        EVERY, [user({"type": "file", "file": {"file_data": "QUFB"}})],
        "messages[0].content[0].file", "needs a data URL, or a `filename` that ends in its type",
    ),
    (
        EVERY, [user({"type": "image", "source": {"type": "ftp"}})],
        "messages[0].content[0].source", "has no place for the type 'ftp'",
    ),
    (
        EVERY, [user({"type": "video", "url": "x"})],
        "messages[0].content[0]", "has no part of the type 'video' here",
    ),
    (
        EVERY, [HI | {"cache_control": {"type": "ephemeral", "ttl": "1d"}}],
        "messages[0].cache_control", "takes {type: ephemeral} with a `ttl` of 5m or 1h, or none",
    ),
    (
        EVERY, [HI, call("{}") | HI],
        "messages[1].tool_calls[0]", "takes this from the assistant only",
    ),
    (
        EVERY, [user({"type": "tool_use", "id": "1", "name": "f", "input": {}})],
        "messages[0].content[0]", "takes this from the assistant only",
    ),
    (
        EVERY,
        [HI, {"role": "assistant", "content": [{"type": "tool_result", "tool_use_id": "1"}]}],
        "messages[1].content[0]", "takes the result of a tool from the user only",
    ),
    (
        EVERY, [HI, {"role": "tool", "content": "4"}],
        "messages[1]", "needs the `tool_call_id` of a result, or its call before it",
    ),
    (
        EVERY, [HI, call("{}"), {"role": "tool", "name": "g", "tool_call_id": "1", "content": ""}],
        "messages[2].name", "needs the name of the call, which is 'f'",
    ),
    (
        EVERY, [HI, {"role": "assistant", "tool_calls": [{"id": "1", "type": "go"}]}],
        "messages[1].tool_calls[0].type", "has no call of the type 'go'",
    ),
    (
        ("openai_chat", *APART), [{"role": "system", "content": [IMAGE]}, HI],
        "messages[0].content[0]", "cannot take an image here",
    ),
    (
        ("openai_chat", "openai_responses"),
        [HI, {"role": "assistant", "content": [IMAGE]}],
        "messages[1].content[0]", "cannot take an image here",
    ),
    (
        ("openai_chat", "openai_responses"),
        [HI, call("{}"), user({"type": "tool_result", "tool_use_id": "1", "is_error": True})],
        "messages[2].content[0]", "has no mark for a failed tool; say so in the result's text",
    ),
    (
        ("openai_chat",),
        [HI, call("{}"), user({"type": "tool_result", "tool_use_id": "1"}) | {"name": "ann"}],
        "messages[2].content[0]", "has no `name` beside the result of a tool",
    ),
    (
        ("openai_chat",), [user({"type": "image", "source": {"type": "file", "file_id": "1"}})],
        "messages[0].content[0]", "takes an image by URL or with its data, not by an id",
    ),
    (
        ("openai_chat",),
        [user({"type": "input_audio", "input_audio": {"data": "QUFB", "format": "ogg"}})],
        "messages[0].content[0]", "takes wav and mp3, not audio/ogg",
    ),
    (
        ("openai_chat",),
        [user({"type": "document", "source": {"type": "url", "url": "https://a.org/b.pdf"}})],
        "messages[0].content[0]", "takes a document by its id or with its data, not by a URL",
    ),
    (
        ("openai_chat", "openai_responses", "gemini"),
        [user({"type": "document", "source": DOCUMENT, "context": "May"})],
        "messages[0].content[0]", "has no place for `context`; leave it out",
    ),
    (
        APART, [{"role": "system", "content": "Be nice."}],
        "messages", "needs a message of the user that says something",
    ),
    (APART, [HI | {"content": ""}], "messages", "needs a message of the user that says something"),
    (
        APART, [HI | {"content": "", "cache_control": {"type": "ephemeral"}}],
        "messages[0].content", "cannot set a cache marker on an empty text",
    ),
    (
        ("openai_responses", *APART),
        [{"role": "system", "name": "boss", "content": "Be nice."}, HI],
        "messages[0].name", "has no names of speakers; say in the text who speaks",
    ),
    (
        APART, [HI, call("[1]")], "messages[1].tool_calls[0]",
        "needs the arguments of 'f' as a JSON object, with each key once",
    ),
    (
        APART, [HI, call('{"a": 1, "a": 2}')], "messages[1].tool_calls[0]",
        "needs the arguments of 'f' as a JSON object, with each key once",
    ),
    (
        ("anthropic",),
        [user({"type": "image_url", "image_url": {"url": "data:image/bmp;base64,QUFB"}})],
        "messages[0].content[0]",
        "takes image/jpeg, image/png, image/gif, image/webp, not image/bmp",
    ),
    (
        ("anthropic",),
        [user({"type": "file", "file": {"filename": "a.csv", "file_data": "QUFB"}})],
        "messages[0].content[0]", "takes PDF and plain text, not text/csv",
    ),
    (
        ("anthropic",),
        [user({"type": "file", "file": {"filename": "a.txt", "file_data": "/w=="}})],
        "messages[0].content[0]", "takes plain text in UTF-8 only",
    ),
    (
        ("gemini",), [HI, {"role": "tool", "tool_call_id": "1", "content": "4"}],
        "messages[1]", "needs the name of the tool; give the call before its result",
    ),
    (
        ("bedrock",),
        [user({"type": "image_url", "image_url": {"url": "data:image/bmp;base64,QUFB"}})],
        "messages[0].content[0]", "takes png, jpeg, gif, webp only",
    ),
    (
        ("bedrock",), [user({"type": "document", "source": DOCUMENT})],
        "messages[0].content[0]", "needs the `title` or `filename` of a document",
    ),
    (
        ("bedrock",), [user({"type": "document", "source": DOCUMENT, "title": "a_b"})],
        "messages[0].content[0]", "needs the `title` or `filename` of a document",
    ),
]  # fmt: skip

FUNCTION = {"name": "f", "parameters": {"type": "object"}}
CONFIGS: list[tuple[tuple[str, ...], dict[str, Any], str, str]] = [
    (EVERY, {"model": None}, "config.model", "needs a model; name one in the prompt's config"),
    (EVERY, {"tone": "nice"}, "config.tone", "has no parameter `tone`; leave it out, or put what"),
    (EVERY, {"tools": [5]}, "config.tools[0]", "needs an object here"),
    (
        EVERY, {"tools": [FUNCTION | {"colour": "red"}]},
        "config.tools[0].colour", "has no place for `colour`; leave it out",
    ),
    (
        EVERY, {"tool_choice": {"type": "function"}},
        "config.tool_choice", "needs the key `name` here",
    ),
    (
        EVERY, {"tool_choice": "perhaps"},
        "config.tool_choice", "has no choice of the type 'perhaps'; put what only this vendor",
    ),
    (
        EVERY, {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
        "config.response_format.json_schema.schema", "needs a JSON Schema here",
    ),
    (
        EVERY, {"response_format": {"type": "xml"}},
        "config.response_format.type", "takes text, json_object or json_schema, not 'xml'",
    ),
    (
        EVERY, {"max_output_tokens": 9},
        "config.max_output_tokens", "takes this once, and `max_tokens` says the same",
    ),
    (
        ("openai_chat",), {"tools": [{"type": "web_search"}]},
        "config.tools[0]", "has no tools but functions and `custom` ones",
    ),
    (
        ("openai_responses",), {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        "config.tools[0]", "has no tool of the type 'web_search_20250305'",
    ),
    (
        ("openai_responses",), {"tools": [{"type": "custom", "custom": {"name": "python"}}]},
        "config.tools[0]", "takes the keys of `custom` beside its `type`",
    ),
    (
        APART, {"tools": [{"type": "web_search"}]},
        "config.tools[0]", "has no tool of the type 'web_search'",
    ),
    (("anthropic",), {"max_tokens": None}, "config.max_tokens", "needs it; add it to the prompt's"),
    (
        ("anthropic", "gemini"), {"reasoning_effort": "none"},
        "config.reasoning_effort", "takes one of",
    ),
    (
        ("gemini", "bedrock"), {"parallel_tool_calls": False},
        "config.parallel_tool_calls", "cannot forbid several calls at once",
    ),
    (
        ("bedrock",), {"tool_choice": "none"},
        "config.tool_choice", "cannot forbid tools; pass `tools=None` instead",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("vendors", "messages", "path", "reason"), MESSAGES)
def test_a_message_that_is_refused(
    vendors: tuple[str, ...], messages: list[Any], path: str, reason: str
) -> None:
    for vendor in CHECKS:
        _, error = arguments_for(vendor, messages, CONFIG)
        if vendor in vendors:
            assert error is not None, vendor
            assert (error.path, error.reason[: len(reason)]) == (path, reason)
        elif error is not None:  # for a reason of its own
            assert error.path.startswith("messages")
            assert error.reason != reason


@pytest.mark.parametrize(("vendors", "config", "path", "reason"), CONFIGS)
def test_a_config_that_is_refused(
    vendors: tuple[str, ...], config: dict[str, Any], path: str, reason: str
) -> None:
    given = {key: value for key, value in (CONFIG | config).items() if value is not None}
    for vendor in vendors:
        _, error = arguments_for(vendor, [HI], given)
        assert error is not None, vendor
        assert (error.path, error.reason[: len(reason)]) == (path, reason)


@pytest.mark.parametrize("vendor", EVERY)
def test_a_section_must_be_an_object(vendor: str) -> None:
    section = vendor.partition("_")[0]
    with pytest.raises(ProviderError, match=rf"^config\.{section}: .* needs an object here\.$"):
        getattr(rendered([HI], CONFIG | {section: "fast"}), vendor)()


@pytest.mark.parametrize("vendor", EVERY)
def test_advice_can_be_followed(vendor: str) -> None:
    """What an error says to do with an unknown parameter works."""
    section = vendor.partition("_")[0]
    arguments, error = arguments_for(vendor, [HI], CONFIG | {section: {"tone": "nice"}})
    assert error is None
    assert arguments.get("tone", arguments.get("config", {}).get("tone")) == "nice"


def test_what_is_given_for_one_call_comes_first() -> None:
    config = CONFIG | {
        "temperature": 0.1,
        "openai": {"temperature": 0.2, "max_completion_tokens": 5},
    }
    prompt = rendered([HI], config)
    assert prompt.openai_chat()["temperature"] == 0.2
    assert "max_tokens" not in prompt.openai_chat()
    own = prompt.openai_chat(model="other", temperature=0.3, max_tokens=7)
    assert own == {
        "model": "other", "messages": [HI], "temperature": 0.3, "max_tokens": 7,
    }  # fmt: skip
    assert "temperature" not in prompt.openai_chat(temperature=None)
    assert rendered([HI], {"openai": {"model": "a"}}).openai_chat(model="b")["model"] == "b"


def test_the_arguments_belong_to_the_caller() -> None:
    tools = [{"type": "function", "function": FUNCTION}]
    prompt = rendered([user({"type": "text", "text": "a"})], CONFIG | {"tools": tools})
    before = prompt.anthropic()
    for found in (prompt.anthropic(), prompt.gemini(), prompt.bedrock(), prompt.openai_chat()):
        _spoil(found)
    assert prompt.anthropic() == before


def _spoil(value: Any) -> None:
    for item in list(value.values()) if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            _spoil(item)
    value.clear()


def test_a_text_prompt_is_a_message_of_the_user() -> None:
    arguments = Prompt(prompt="Hi {{ name }}", config=CONFIG).render(name="Ann").openai_chat()
    assert arguments["messages"] == [{"role": "user", "content": "Hi Ann"}]


def test_messages_added_by_the_caller_are_sent() -> None:
    prompt = rendered([HI], CONFIG)
    prompt.messages.append({"role": "assistant", "content": "Hello"})
    prompt.config["temperature"] = 1
    arguments = prompt.openai_chat()
    assert arguments["messages"] == [HI, {"role": "assistant", "content": "Hello"}]
    assert arguments["temperature"] == 1


def test_the_error_pickles() -> None:
    _, error = arguments_for("openai_chat", [HI], {})
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
