"""What the pieces of each provider's stream look like.

To add a provider, write a function that takes its pieces and put it into `_READERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from promptstore.formatters.complete.model import Fields
from promptstore.formatters.complete.streams import Answer, Stream
from promptstore.formatters.jsontext import load_exact

_Event: TypeAlias = dict[str, Any]

_CHUNKS: Final = ("chat.completion.chunk", "text_completion")
_CHUNK_NAMES: Final = (
    "id", "object", "model", "system_fingerprint", "service_tier", "provider", "modelVersion",
    "responseId",
)  # fmt: skip
_ANTHROPIC: Final = frozenset({
    "message_start", "content_block_start", "content_block_delta", "content_block_stop",
    "message_delta", "message_stop",
})  # fmt: skip
_DELTAS: Final = {
    "text_delta": "text", "thinking_delta": "thinking", "signature_delta": "thinking",
    "input_json_delta": "tool_use", "citations_delta": "text",
}  # fmt: skip
_RESPONSES: Final = {  # of the event: the type of the block, and the string that grows
    "output_text": ("text", "text"),
    "refusal": ("refusal", "refusal"),
    "reasoning": ("thinking", "thinking"),
    "reasoning_text": ("thinking", "thinking"),
    "reasoning_summary": ("thinking", "thinking"),
    "reasoning_summary_text": ("thinking", "thinking"),
    "function_call_arguments": ("tool_call", "arguments"),
    "mcp_call_arguments": ("tool_call", "arguments"),
    "mcp_call.arguments": ("tool_call", "arguments"),
    "custom_tool_call_input": ("tool_call", "arguments"),
}
_PARTS: Final = {
    "output_text": "output_text", "refusal": "refusal", "reasoning_text": "reasoning_text",
    "summary_text": "reasoning_summary_text",
}  # fmt: skip
_GEMINI_WHOLE: Final = ("functionCall", "functionResponse", "inlineData", "fileData")
_BEDROCK: Final = (
    "messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop",
)  # fmt: skip
_UI_STEPS: Final = frozenset(
    {"start", "start-step", "step-start", "finish-step", "step-finish", "finish", "abort"}
)
_UI_KINDS: Final = {
    "text-start": "text", "text-delta": "text", "text-end": "text", "reasoning-start": "thinking",
    "reasoning-delta": "thinking", "reasoning-end": "thinking", "tool-input-start": "tool_call",
    "tool-input-delta": "tool_call", "tool-input-end": "tool_call",
    "tool-call-streaming-start": "tool_call", "tool-call-delta": "tool_call",
}  # fmt: skip
_UI_TEXTS: Final = ("delta", "text", "textDelta", "inputTextDelta", "argsTextDelta")
_STRINGS: Final = {"text": "text", "thinking": "thinking", "tool_call": "arguments"}
_LANGCHAIN: Final = ["langchain", "schema", "messages", "AIMessageChunk"]
_FURTHER: Final = "further pieces of"


def take_piece(stream: Stream, event: _Event) -> bool:
    """Add a piece to a stream.

    Args:
        stream: The stream.
        event: An item of a list of messages, choices or events.

    Returns:
        False where it is no piece of any stream.
    """
    kind, data = event.get("type"), event.get("data")
    if kind is None and event.keys() == {"event", "data"}:  # as sent over HTTP
        inner = load_exact(data) if isinstance(data, str) else data
        if isinstance(inner, dict) and inner.get("type") == event["event"]:
            return take_piece(stream, inner)
    return any(read(stream, event, kind if isinstance(kind, str) else "") for read in _READERS)


def _place(fields: Fields, key: str) -> str:
    """Take the place of a block if it is a number, and return it in either case."""
    place = fields.peek(key)
    return str(fields.any(key) if isinstance(place, int) else place)


def _chat(stream: Stream, event: _Event, kind: str) -> bool:
    """OpenAI's chat chunks and whoever imitates them, and pieces of their choices alone."""
    if isinstance(event.get("delta"), dict) and not kind:
        return _choice(stream, event)
    choices = event.get("choices")
    if not isinstance(choices, list):
        return False
    is_chunk = event.get("object") in _CHUNKS or (stream.answers and not choices)
    if not is_chunk and not (choices and all(map(_is_piece, choices))):
        return False
    fields = Fields(event)
    fields.any("choices")
    stream.identify(event.get("id"))
    for choice in choices:
        if not isinstance(choice, dict) or not _choice(stream, choice):
            stream.others.append(choice)
    stream.facts.add(fields.left, *_CHUNK_NAMES)
    return True


def _is_piece(choice: Any) -> bool:
    return isinstance(choice, dict) and isinstance(choice.get("delta"), dict)


def _choice(stream: Stream, choice: _Event) -> bool:
    fields = Fields(choice)
    index = choice.get("index", 0)
    if not isinstance(index, int) or not isinstance(choice.get("delta", {}), dict):
        return False
    delta = Fields(fields.object("delta") or {})
    text = fields.text("text")
    answer = stream.answer(("choice", index), goes_on=not (delta.left or text))
    answer.speak(delta)
    if text:
        answer.add_piece("content", text)
    answer.facts.add(fields.left)
    answer.is_done = bool(choice.get("finish_reason"))
    return True


def _anthropic(stream: Stream, event: _Event, kind: str) -> bool:
    if kind not in _ANTHROPIC and not (kind == "ping" and stream.has("anthropic")):
        return False
    fields = Fields(event)
    fields.take_kind()
    index, message = _place(fields, "index"), fields.object("message")
    answer = (stream.start if kind == "message_start" else stream.answer)("anthropic")
    if message:
        inner = Fields(message)
        inner.choice("type", "message")
        answer.speak(inner)
    delta = Fields(fields.object("delta") or {})
    if kind == "content_block_start":
        whole = Fields(fields.object("content_block") or {})
        block = answer.block(("block", index), whole.take_kind() or "text")
        block.tell({**whole.left, **delta.left})
    elif kind == "content_block_delta" and delta.left:
        what = delta.choice("type", *_DELTAS)
        block = answer.block(("block", index), _DELTAS.get(what, ""))
        block.tell(delta.left)
    else:
        answer.facts.add(delta.left)
    answer.facts.add(fields.left)
    return True


def _responses(stream: Stream, event: _Event, kind: str) -> bool:
    """OpenAI's Responses: pieces are joined; what is told again when it is done is shown again."""
    if not kind.startswith("response."):
        return False
    fields = Fields(event)
    place, item_id = event.get("output_index"), event.get("item_id")
    name = kind.removeprefix("response.")
    number = str(event.get("content_index", event.get("summary_index")))
    key = ("item", place if isinstance(place, int) else str(item_id))
    if name.endswith(".delta") and isinstance(event.get("delta"), str):
        name = name.removesuffix(".delta")
        fields.take_kind()
        answer, delta = stream.answer(key), fields.text("delta")
        what, string = _RESPONSES.get(name, ("", name))
        block = answer.block("call" if what == "tool_call" else (name, number), what)
        block.grow(string, delta)
    elif name == "output_item.added" and (item := fields.object("item")) is not None:
        fields.take_kind()
        inner = Fields(item)
        answer = stream.start(key)
        answer.role = inner.text("role") or inner.kind
        inner.choice("type", answer.role, "message")
        if inner.has("arguments", "name", "call_id"):
            answer.block("call", "tool_call").tell(inner.left)
        else:
            answer.speak(inner)
    elif name.endswith("_part.added") and (part := fields.object("part")) is not None:
        fields.take_kind()
        inner = Fields(part)
        name = _PARTS.get(inner.kind, "")
        answer = stream.answer(key)
        if name:
            inner.take_kind()
        what = _RESPONSES.get(name, ("", ""))[0]
        answer.block((name, number), what).tell(_renamed(inner.left, what))
    else:
        stream.others.append(event)
        return True
    answer.facts.add(fields.left, "item_id")
    return True


def _renamed(part: _Event, what: str) -> _Event:
    return {("thinking" if what == "thinking" and k == "text" else k): v for k, v in part.items()}


def _gemini(stream: Stream, event: _Event, _kind: str) -> bool:
    candidates = event.get("candidates")
    if not isinstance(candidates, list) or not all(isinstance(c, dict) for c in candidates):
        return False
    fields = Fields(event)
    fields.any("candidates")
    stream.identify(event.get("responseId"))
    for number, candidate in enumerate(candidates):
        outer = Fields(candidate)
        content = Fields(outer.object("content") or {})
        index = candidate.get("index", number)
        parts = content.list("parts") or ()
        answer = stream.answer(("candidate", str(index)), goes_on=not parts)
        role = content.text("role")
        if not answer.role:
            answer.role = role
        elif role != "model":
            answer.facts.add({"role": role})
        for part in parts:
            _gemini_part(answer, part)
        answer.facts.add(content.left)
        answer.facts.add(outer.left)
        answer.is_done = bool(candidate.get("finishReason"))
    stream.facts.add(fields.left, *_CHUNK_NAMES)
    return True


def _gemini_part(answer: Answer, part: Any) -> None:
    fields = Fields(part if isinstance(part, dict) else {})
    if not isinstance(fields.peek("text"), str) or fields.has(*_GEMINI_WHOLE):
        answer.add(part)
        return
    kind = "thinking" if fields.peek("thought") is True and fields.flag("thought") else "text"
    answer.add_text(kind, fields.text("text"), fields.left)


def _bedrock(stream: Stream, event: _Event, kind: str) -> bool:
    is_end = "metadata" in event and stream.has("bedrock") and not kind
    if not is_end and not any(isinstance(event.get(key), dict) for key in _BEDROCK):
        return False
    fields = Fields(event)
    start = fields.object("messageStart")
    answer = (stream.start if start is not None else stream.answer)("bedrock")
    answer.speak(Fields(start or {}))
    for key in _BEDROCK[1:]:
        inner = Fields(fields.object(key) or {})
        index = _place(inner, "contentBlockIndex")
        for piece in (inner.object("start"), inner.object("delta")):
            if piece:
                _bedrock_piece(answer, index, Fields(piece))
        answer.facts.add(inner.left)
    answer.facts.add(fields.object("metadata") or {})
    answer.facts.add(fields.left)
    return True


def _bedrock_piece(answer: Answer, index: str, piece: Fields) -> None:
    if (use := piece.object("toolUse")) is not None:
        answer.block(("block", index), "tool_use").tell(use)
    if (thought := piece.object("reasoningContent")) is not None:
        inner = Fields(thought)
        if redacted := inner.any("redactedContent"):
            answer.add({"reasoningContent": {"redactedContent": redacted}})
        text = inner.text("text")
        if text or inner.left:
            block = answer.block(("block", index), "thinking")
            block.grow("thinking", text)
            block.tell(inner.left)
    if left := piece.left:
        answer.block(("block", index), "text").tell(left)


def _vercel(stream: Stream, event: _Event, kind: str) -> bool:
    """The parts of the AI SDK's streams, and whatever else stands between them."""
    what = _UI_KINDS.get(kind)
    is_old = kind == "reasoning" and isinstance(event.get("textDelta"), str)
    if not what and not is_old:
        if kind in _UI_STEPS and (stream.has("ui") or len(event) <= 2):
            rest = {key: value for key, value in event.items() if key != "type"}
            stream.answer("ui").facts.add(rest)
            return True
        if stream.has("ui") and not {"role", "content", "parts"} & event.keys():
            stream.answer("ui").add(event)
            return True
        return False
    fields = Fields(event)
    fields.take_kind()
    what = what or "thinking"
    key = fields.text("toolCallId") if what == "tool_call" else fields.text("id")
    answer = stream.answer("ui")
    is_new = not answer.has(("ui", what, key))
    block = answer.block(("ui", what, key), what)
    name = "id" if is_new or what != "tool_call" else _FURTHER
    block.facts.add({name: key}, name)
    for name in _UI_TEXTS:
        block.grow(_STRINGS[what], fields.text(name))
    block.facts.add(fields.left, "toolName")
    return True


def _ollama(stream: Stream, event: _Event, _kind: str) -> bool:
    message, text = event.get("message"), event.get("response")
    if not isinstance(event.get("done"), bool) or not isinstance(message or text, dict | str):
        return False
    fields = Fields(event)
    done = fields.flag("done")
    inner = Fields(fields.object("message") or {})
    calls, images = inner.list("tool_calls"), inner.list("images")
    text = fields.text("response")
    answer = stream.answer("ollama", goes_on=not (text or inner.has("content", "thinking")))
    answer.speak(inner)
    answer.add_piece("content", text)
    for key, values in (("tool_calls", calls), ("images", images)):
        if values:
            answer.add({key: values})
    answer.facts.add(fields.left, "model")
    answer.is_done = done
    return True


def _langchain(stream: Stream, event: _Event, kind: str) -> bool:
    data = event.get("data")
    if event.get("event") == "on_chat_model_stream" and isinstance(data, dict):
        around = {key: value for key, value in event.items() if key not in ("event", "data")}
        chunk, rest = data.get("chunk"), {k: v for k, v in data.items() if k != "chunk"}
        if isinstance(chunk, dict) and _langchain(stream, chunk, str(chunk.get("type"))):
            stream.facts.add({**around, **rest}, "name", "run_id")
            return True
        return False
    names, inner = event.get("id"), event.get("kwargs")
    is_dumped = isinstance(names, list) and names[-1:] == ["AIMessageChunk"]
    if is_dumped and isinstance(inner, dict):
        known = {"type": "constructor", "id": _LANGCHAIN, "kwargs": inner}
        rest = {key: value for key, value in event.items() if known.get(key) != value}
        stream.facts.add(rest)
        event, kind = inner, "AIMessageChunk"
    if kind != "AIMessageChunk":
        return False
    fields = Fields(event)
    fields.choice("type", "AIMessageChunk")
    stream.identify(event.get("id"))
    answer = stream.answer("langchain")
    answer.role = answer.role or "ai"
    pieces = fields.list("tool_call_chunks")
    calls, bad = fields.list("tool_calls"), fields.list("invalid_tool_calls")
    stream.facts.add({"id": fields.any("id")}, "id")
    answer.speak(fields)
    for piece in pieces or ():
        answer.add_call(piece)
    for call in [*(calls or ()), *(bad or ())]:
        answer.add(call)
    return True


def _pydantic_ai(stream: Stream, event: _Event, _kind: str) -> bool:
    what = event.get("event_kind")
    if what not in ("part_start", "part_delta"):
        return False
    fields = Fields(event)
    fields.any("event_kind")
    index = _place(fields, "index")
    is_first = what == "part_start" and index == "0"
    answer = (stream.start if is_first else stream.answer)("pydantic_ai")
    part = Fields(fields.object("part") or {})
    delta = Fields(fields.object("delta") or {})
    guess = delta.choice("part_delta_kind", "text", "thinking", "tool_call").replace("_", "-")
    block = answer.block(("part", index), part.take_kind() or guess)
    block.grow("tool_name", part.text("tool_name") + delta.text("tool_name_delta"))
    for name in ("content", "args", "signature"):
        block.grow(name, part.text(name) + delta.text(f"{name}_delta"))
    block.facts.add(part.left)
    block.facts.add({_FURTHER: delta.text("tool_call_id"), **delta.left}, _FURTHER)
    answer.facts.add(fields.left)
    return True


_READERS: Final[Sequence[Callable[[Stream, _Event, str], bool]]] = (
    _pydantic_ai, _anthropic, _responses, _chat, _gemini, _bedrock, _ollama, _langchain,
    _vercel,
)  # fmt: skip
