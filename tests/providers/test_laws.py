"""Nothing that messages say is lost: it is as often in the arguments, or an error says why not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.providers.test_golden import arguments_for
from tests.providers.vendors import CHECKS, as_json

WORDS = ["<ant>", "<bee>", "<cow>"]
"""Few, so that one is often said twice, and none is part of another or of an API's own words."""
DATA = ["QUFBQUFB", "QkJCQkJC"]
PARAMETERS = [
    "temperature", "top_p", "top_k", "seed", "stop", "user", "verbosity", "reasoning_effort",
    "service_tier", "prompt_cache_key", "unheard_of",
]  # fmt: skip
CONFIG = {"model": "m", "max_tokens": 9}

words = st.sampled_from(WORDS)
data = st.sampled_from(DATA)
strings = st.lists(words, min_size=0, max_size=3).map(" ".join)


def some(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    plain = {
        key: value if isinstance(value, st.SearchStrategy) else st.just(value)
        for key, value in required.items()
    }
    return st.fixed_dictionaries(plain, optional=optional)


details = st.sampled_from(["auto", "low", "high"])
citations = st.just({"enabled": True})
marker = st.sampled_from([{"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])
sources = st.one_of(
    some({"type": "base64", "media_type": "application/pdf", "data": data}),
    some({"type": "url", "url": words.map("https://example.org/{}.pdf".format)}),
    some({"type": "file", "file_id": words}),
    some({"type": "text", "media_type": "text/plain", "data": strings}),
    some({"type": "content", "content": st.lists(some({"type": "text", "text": words}))}),
)
user_parts = st.one_of(
    some({"type": "text", "text": strings}, cache_control=marker, note=words),
    some({
        "type": "image_url",
        "image_url": some({"url": words.map("https://example.org/{}.png".format)}, detail=details),
    }),
    some({
        "type": "image_url",
        "image_url": some({"url": data.map("data:image/png;base64,{}".format)}),
    }),
    some({"type": "input_audio", "input_audio": some({"data": data, "format": "wav"})}),
    some({"type": "file", "file": some({"file_id": words}, filename=words)}),
    some({"type": "file", "file": some(
        {"file_data": data.map("data:application/pdf;base64,{}".format)}, filename=words
    )}),
    some({"type": "document", "source": sources}, title=words, context=words, citations=citations),
    some({"type": words, "of_nobody": words}),
    some({"type": "tool_use", "id": "call_1", "name": words, "input": some({"q": words})}),
    some({"type": "tool_result", "tool_use_id": "call_1", "content": words}),
)  # fmt: skip
assistant_parts = st.one_of(
    some({"type": "text", "text": strings}),
    some({"type": "refusal", "refusal": words}),
    some({"type": "thinking", "thinking": words, "signature": words}),
    some({"type": "redacted_thinking", "data": words}),
)
calls = some(
    {
        "id": "call_1",
        "type": "function",
        "function": some({"name": words, "arguments": words.map('{{"q": "{}"}}'.format)}),
    }
) | some({"id": "call_1", "type": "custom", "custom": some({"name": words, "input": strings})})
content = strings | st.lists(user_parts, min_size=1, max_size=3)
answers = strings | st.lists(assistant_parts, min_size=1, max_size=3)
instructors = st.sampled_from(["system", "developer", "user"])
result_parts = st.lists(user_parts, min_size=1, max_size=2)
messages = st.one_of(
    some({"role": instructors, "content": strings}, cache_control=marker),
    some({"role": st.sampled_from(["system", "user"]), "content": content}, name=words),
    some(
        {"role": "assistant", "content": answers},
        tool_calls=st.lists(calls, min_size=1, max_size=2), refusal=words, note=words,
        audio=some({"id": words}, transcript=words),
    ),
    some({"role": "assistant", "content": st.lists(some(
        {"type": "tool_use", "id": "call_1", "name": words, "input": some({"q": words, "r": words})}
    ), min_size=1, max_size=2)}),
    some({"role": "tool", "tool_call_id": "call_1", "content": strings | result_parts}),
    some({"role": "user", "content": st.lists(some(
        {"type": "tool_result", "tool_use_id": "call_1", "content": strings | result_parts},
        is_error=st.booleans(),
    ), min_size=1, max_size=2)}, name=words),
)  # fmt: skip


def said(value: Any) -> str:
    return json.dumps(as_json(value), ensure_ascii=False)


@pytest.mark.parametrize("vendor", CHECKS)
@given(history=st.lists(messages, min_size=1, max_size=4))
def test_nothing_that_is_said_is_lost(vendor: str, history: list[dict[str, Any]]) -> None:
    arguments, error = arguments_for(vendor, history, CONFIG)
    if error is not None:
        assert error.path.startswith("messages")
    else:
        before, after = said(history), said(arguments)
        assert [w for w in (*WORDS, *DATA) if after.count(w) < before.count(w)] == []
        CHECKS[vendor](arguments)


@pytest.mark.parametrize("vendor", CHECKS)
@given(config=st.dictionaries(st.sampled_from(PARAMETERS), words, max_size=3))
def test_a_parameter_is_passed_on_or_refused(vendor: str, config: dict[str, Any]) -> None:
    arguments, error = arguments_for(vendor, [{"role": "user", "content": "Hi"}], CONFIG | config)
    if error is not None:
        assert error.path.removeprefix("config.") in config
    else:
        before, after = said(config), said(arguments)
        assert [w for w in WORDS if after.count(w) < before.count(w)] == []
