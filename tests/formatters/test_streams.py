"""Streams: the pieces of an answer are shown as the whole that they are pieces of."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstore import text_repr


def output(pieces: list[Any], key: str = "$ai_output_choices") -> str:
    """Return what is shown of an output, without what stands above it."""
    shown = text_repr({"properties": {key: pieces}}, style="complete").text
    return shown.split("OUTPUT:\n\n", 1)[1]


def chat(**delta: Any) -> dict[str, Any]:
    return {"index": 0, "delta": delta}


def responses(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "item_id": "i1", "output_index": 0, **fields}


def anthropic(index: int, kind: str, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


def gemini(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, **fields}]}


def bedrock(index: int, **delta: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": delta}}


def ollama(*, done: bool = False, **message: Any) -> dict[str, Any]:
    return {"model": "m", "message": {"role": "assistant", **message}, "done": done}


def pydantic_ai(index: int, kind: str, **delta: Any) -> dict[str, Any]:
    return {
        "event_kind": "part_delta", "index": index, "delta": {"part_delta_kind": kind, **delta}
    }  # fmt: skip


def langchain(content: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "AIMessageChunk", "content": content, "id": "run-1", **fields}


HAHA: dict[str, list[Any]] = {
    "chat content": [chat(role="assistant", content="ha"), chat(content="ha")],
    "chat reasoning": [chat(role="assistant", reasoning="ha"), chat(reasoning="ha")],
    "chat reasoning_content": [chat(reasoning_content="ha"), chat(reasoning_content="ha")],
    "chat refusal": [chat(refusal="ha"), chat(refusal="ha")],
    "chat chunks": [
        {"object": "chat.completion.chunk", "id": "c", "choices": [chat(content="ha")]},
        {"object": "chat.completion.chunk", "id": "c", "choices": [chat(content="ha")]},
    ],
    "chat chunks without a mark": [
        {"id": "c", "choices": [chat(content="ha")]},
        {"id": "c", "choices": [chat(content="ha")], "usage": {"total_tokens": 3}},
    ],
    "chat content parts": [
        chat(content=[{"type": "text", "text": "ha"}]),
        chat(content=[{"type": "text", "text": "ha"}]),
    ],
    "completions": [
        {"object": "text_completion", "choices": [{"index": 0, "text": "ha"}]},
        {"object": "text_completion", "choices": [{"index": 0, "text": "ha"}]},
    ],
    "anthropic text": [
        anthropic(0, "text_delta", text="ha"), anthropic(0, "text_delta", text="ha")
    ],
    "anthropic thinking": [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
        anthropic(0, "thinking_delta", thinking="ha"),
        {"type": "ping"},
        anthropic(0, "thinking_delta", thinking="ha"),
        {"type": "content_block_stop", "index": 0},
    ],
    "anthropic whole": [
        {"type": "message_start", "message": {"role": "assistant", "content": [], "id": "m"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        anthropic(0, "text_delta", text="ha"),
        anthropic(0, "text_delta", text="ha"),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"o": 2}},
        {"type": "message_stop"},
    ],
    "responses text": [
        responses("output_text.delta", content_index=0, delta="ha"),
        responses("output_text.delta", content_index=0, delta="ha"),
    ],
    "responses reasoning": [
        responses("reasoning_summary_text.delta", summary_index=0, delta="ha"),
        responses("reasoning_summary_text.delta", summary_index=0, delta="ha"),
    ],
    "gemini": [gemini({"text": "ha"}), gemini({"text": "ha"}, finishReason="STOP")],
    "gemini thought": [
        gemini({"text": "ha", "thought": True}), gemini({"text": "ha", "thought": True})
    ],
    "bedrock": [
        {"messageStart": {"role": "assistant"}}, bedrock(0, text="ha"), bedrock(0, text="ha"),
        {"contentBlockStop": {"contentBlockIndex": 0}}, {"messageStop": {"stopReason": "end_turn"}},
    ],
    "bedrock reasoning": [
        bedrock(0, reasoningContent={"text": "ha"}), bedrock(0, reasoningContent={"text": "ha"})
    ],
    "vercel": [
        {"type": "start", "messageId": "m"}, {"type": "text-start", "id": "t"},
        {"type": "text-delta", "id": "t", "delta": "ha"},
        {"type": "text-delta", "id": "t", "delta": "ha"},
        {"type": "text-end", "id": "t"}, {"type": "finish"},
    ],
    "vercel reasoning": [
        {"type": "reasoning-delta", "id": "r", "delta": "ha"},
        {"type": "reasoning-delta", "id": "r", "delta": "ha"},
    ],
    "vercel full stream": [
        {"type": "text-delta", "id": "t", "text": "ha"},
        {"type": "text-delta", "id": "t", "text": "ha"},
    ],
    "vercel version 4": [
        {"type": "text-delta", "textDelta": "ha"}, {"type": "text-delta", "textDelta": "ha"}
    ],
    "ollama chat": [ollama(content="ha"), ollama(content="ha"), ollama(content="", done=True)],
    "ollama thinking": [ollama(content="", thinking="ha"), ollama(content="", thinking="ha")],
    "ollama generate": [
        {"model": "m", "response": "ha", "done": False},
        {"model": "m", "response": "ha", "done": True},
    ],
    "langchain": [langchain("ha"), langchain("ha")],
    "langchain blocks": [
        langchain([{"type": "text", "text": "ha", "index": 0}]),
        langchain([{"type": "text", "text": "ha", "index": 0}]),
    ],
    "pydantic ai": [
        {"event_kind": "part_start", "index": 0, "part": {"part_kind": "text", "content": ""}},
        pydantic_ai(0, "text", content_delta="ha"),
        pydantic_ai(0, "text", content_delta="ha"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("pieces", HAHA.values(), ids=HAHA)
@pytest.mark.parametrize("key", ["$ai_output_choices", "$ai_output"])
def test_equal_neighbours_are_joined_and_none_is_dropped(pieces: list[Any], key: str) -> None:
    assert "\nhaha" in output(pieces, key)


@pytest.mark.parametrize("name", [name for name in HAHA if "reasoning" in name or "think" in name])
def test_thinking_is_labelled(name: str) -> None:
    assert "[thinking]\n\nhaha" in output(HAHA[name])


def test_equal_thinking_blocks_are_all_shown() -> None:
    block = {"type": "thinking", "thinking": "ha", "signature": "s"}
    said = [{"role": "assistant", "reasoning_content": "ha", "thinking_blocks": [block, block]}]
    assert output(said).count("[thinking]\n\nha\n") == 3


def test_reasoning_does_not_stop_content_from_being_joined() -> None:
    pieces = [chat(content="a"), chat(reasoning="x"), chat(content="b"), chat(reasoning="y")]
    assert output(pieces) == "[1] (index: 0)\n\nab\n\n[thinking]\n\nxy"


def test_an_unknown_event_does_not_stop_a_stream_from_being_joined() -> None:
    pieces = [
        anthropic(0, "text_delta", text="a"),
        {"type": "unheard-of", "note": "here"},
        anthropic(0, "text_delta", text="b"),
    ]
    shown = output(pieces)
    assert "ab" in shown
    assert "note: here" in shown


def call(arguments: str | None = None, **fields: Any) -> dict[str, Any]:
    name = {"name": fields.pop("name")} if "name" in fields else {}
    told = {} if arguments is None else {"arguments": arguments}
    return chat(tool_calls=[{"index": 0, "function": {**name, **told}, **fields}])


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        (
            [
                call('{"city": "Paris"}', name="get_weather"),
                call('{"city": "Rome"}', name="get_weather"),
            ],
            ['get_weather(city="Paris")', 'get_weather(city="Rome")'],
        ),
        ([call("{}", name="a"), call("{}", name="a")], ["a()", "a()"]),
        ([call('{"a": 1}', name="f"), call('{"a": 1}')], ["f(a=1)", "(a=1)"]),
        ([call('{"a":', name="f", id="x"), call('{"a":', name="f", id="y")], ['f({"a":)'] * 2),
        ([call("", name="f", id="x"), call("1}"), call("", id="")], ["f(1})"]),
        ([call('{"a":', name="f"), call(" 1}"), call("")], ["f(a=1)"]),
        ([call("1", name="f"), call("2")], ["f(12)"]),
        ([call('{"a": 1}', name="f"), call(" ")], ["f(a=1)"]),
    ],
)
def test_what_is_one_call_and_what_are_two(pieces: list[Any], calls: list[str]) -> None:
    shown = output(pieces).split("[tool call")[1:]
    assert [text.split("]\n\n")[1].split("\n")[0] for text in shown] == calls


CALLS = {
    "anthropic": [
        {
            "type": "content_block_start", "index": 1,
            "content_block": {"type": "tool_use", "id": "k1", "name": "find", "input": {}},
        },
        anthropic(1, "input_json_delta", partial_json='{"q": '),
        anthropic(1, "input_json_delta", partial_json='"haha"}'),
    ],
    "responses": [
        responses(
            "output_item.added",
            item={"type": "function_call", "id": "i1", "call_id": "k1", "name": "find",
                  "arguments": ""},
        ),
        responses("function_call_arguments.delta", delta='{"q": '),
        responses("function_call_arguments.delta", delta='"haha"}'),
    ],
    "bedrock": [
        {
            "contentBlockStart": {
                "contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "k1", "name": "find"}}
            }
        },
        bedrock(1, toolUse={"input": '{"q": '}),
        bedrock(1, toolUse={"input": '"haha"}'}),
    ],
    "vercel": [
        {"type": "tool-input-start", "toolCallId": "k1", "toolName": "find"},
        {"type": "tool-input-delta", "toolCallId": "k1", "inputTextDelta": '{"q": '},
        {"type": "tool-input-delta", "toolCallId": "k1", "inputTextDelta": '"haha"}'},
    ],
    "langchain": [
        langchain("", tool_call_chunks=[
            {"name": "find", "args": '{"q": ', "id": "k1", "index": 0}
        ]),
        langchain("", tool_call_chunks=[
            {"name": None, "args": '"haha"}', "id": None, "index": 0}
        ]),
    ],
    "pydantic ai": [
        {
            "event_kind": "part_start", "index": 0,
            "part": {"part_kind": "tool-call", "tool_name": "find", "args": '{"q": ',
                     "tool_call_id": "k1"},
        },
        pydantic_ai(0, "tool_call", args_delta='"haha"}', tool_name_delta=None),
    ],
    "gemini": [gemini({"functionCall": {"id": "k1", "name": "find", "args": {"q": "haha"}}})],
    "ollama": [
        ollama(tool_calls=[{"id": "k1", "function": {"name": "find", "arguments": {"q": "haha"}}}]),
        ollama(content="", done=True),
    ],
}  # fmt: skip


@pytest.mark.parametrize("pieces", CALLS.values(), ids=CALLS)
def test_the_pieces_of_a_call_are_joined(pieces: list[Any]) -> None:
    assert '[tool call k1]\n\nfind(q="haha")' in output(pieces)


def test_a_text_that_is_told_again_when_it_is_done_is_shown_again() -> None:
    pieces = [
        responses("output_text.delta", content_index=0, delta="ha"),
        responses("output_text.delta", content_index=0, delta="ha"),
        responses("output_text.done", content_index=0, text="haha"),
        {
            "type": "response.completed",
            "response": {"object": "response", "output": [
                {"type": "message", "role": "assistant",
                 "content": [{"type": "output_text", "text": "haha"}]},
            ]},
        },
    ]  # fmt: skip
    assert output(pieces).count("haha") == 3


def test_the_choices_of_a_stream_are_kept_apart() -> None:
    pieces = [
        {"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "x"}},
        {"index": 0, "delta": {"content": "b"}}, {"index": 1, "delta": {"content": "y"}},
    ]  # fmt: skip
    shown = output(pieces)
    assert "\nab" in shown
    assert "\nxy" in shown


def test_two_streams_are_two_messages() -> None:
    start = {"type": "message_start", "message": {"role": "assistant", "content": []}}
    one, two = anthropic(0, "text_delta", text="one"), anthropic(0, "text_delta", text="two")
    assert output([start, one, start, two]).count("] assistant") == 2
    whole = [gemini({"text": "one"}, finishReason="STOP"), gemini({"text": "two"})]
    assert "onetwo" not in output(whole)


def test_a_stream_may_be_a_string_of_json() -> None:
    shown = text_repr(
        {"properties": {"$ai_output_choices": json.dumps(HAHA["chat content"])}}, style="complete"
    )
    assert "haha" in shown.text


def text_of(kind: str, texts: list[str]) -> list[Any]:
    """Return a stream of a kind whose answer is these texts."""
    say: dict[str, Any] = {
        "chat": lambda text: chat(content=text),
        "reasoning": lambda text: chat(reasoning=text),
        "chunk": lambda text: {
            "id": "c", "object": "chat.completion.chunk", "choices": [chat(content=text)]
        },
        "arguments": lambda text: call(text, id="k"),
        "anthropic": lambda text: anthropic(0, "text_delta", text=text),
        "anthropic thinking": lambda text: anthropic(0, "thinking_delta", thinking=text),
        "anthropic call": lambda text: anthropic(0, "input_json_delta", partial_json=text),
        "responses": lambda text: responses("output_text.delta", content_index=0, delta=text),
        "responses call": lambda text: responses("function_call_arguments.delta", delta=text),
        "responses unknown": lambda text: responses("unheard_of.delta", delta=text),
        "gemini": lambda text: gemini({"text": text}),
        "gemini thought": lambda text: gemini({"text": text, "thought": True}),
        "gemini signed": lambda text: gemini({"text": text, "thoughtSignature": text}),
        "bedrock": lambda text: bedrock(0, text=text),
        "bedrock call": lambda text: bedrock(0, toolUse={"input": text}),
        "bedrock reasoning": lambda text: bedrock(0, reasoningContent={"text": text}),
        "vercel": lambda text: {"type": "text-delta", "id": "t", "delta": text},
        "vercel reasoning": lambda text: {"type": "reasoning-delta", "id": "t", "delta": text},
        "vercel call": lambda text: {
            "type": "tool-input-delta", "toolCallId": "k", "inputTextDelta": text
        },
        "ollama": lambda text: ollama(content=text),
        "ollama generate": lambda text: {"model": "m", "response": text, "done": False},
        "langchain": langchain,
        "langchain call": lambda text: langchain("", tool_call_chunks=[{"args": text, "index": 0}]),
        "langchain event": lambda text: {
            "event": "on_chat_model_stream", "data": {"chunk": langchain(text)}
        },
        "pydantic ai": lambda text: pydantic_ai(0, "text", content_delta=text),
        "pydantic ai call": lambda text: pydantic_ai(0, "tool_call", args_delta=text),
        "over HTTP": lambda text: {
            "event": "content_block_delta", "data": anthropic(0, "text_delta", text=text)
        },
        "over HTTP as a string": lambda text: {
            "event": "content_block_delta",
            "data": json.dumps(anthropic(0, "text_delta", text=text)),
        },
    }  # fmt: skip
    return [say[kind](text) for text in texts]


KINDS = [
    "chat", "reasoning", "chunk", "arguments", "anthropic", "anthropic thinking", "anthropic call",
    "responses", "responses call", "responses unknown", "gemini", "gemini thought", "gemini signed",
    "bedrock", "bedrock call", "bedrock reasoning", "vercel", "vercel reasoning", "vercel call",
    "ollama", "ollama generate", "langchain", "langchain call", "langchain event", "pydantic ai",
    "pydantic ai call", "over HTTP", "over HTTP as a string",
]  # fmt: skip
NOTES = st.sampled_from([{"type": "unheard-of", "note": "«n»"}, {"type": "ping", "note": "«n»"}])


@given(
    st.sampled_from(KINDS),
    st.lists(st.sampled_from(["ha", "«a»", "«b» ", "«a»«a»", "x"]), min_size=2, max_size=8),
    st.lists(st.tuples(st.integers(1, 7), NOTES), max_size=3),
)
def test_a_stream_is_the_text_that_was_cut_in_pieces(
    kind: str, texts: list[str], notes: list[tuple[int, dict[str, Any]]]
) -> None:
    pieces = text_of(kind, texts)
    for place, note in notes:
        pieces.insert(min(place, len(pieces)), note)
    shown = output(pieces)
    assert "".join(texts) in shown
    assert shown.count("«n»") == len(notes)


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(["«a»", "«b»"])), max_size=8))
def test_no_mixture_of_streams_loses_anything(said: list[tuple[str, str]]) -> None:
    shown = output([piece for kind, text in said for piece in text_of(kind, [text])] or [{}])
    for token in ("«a»", "«b»"):
        assert shown.count(token) >= sum(text == token for _, text in said)
