"""Bytes inside of JSON are counted, and words in the place of bytes are shown."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from promptstore import text_repr

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4).decode()
LONG = base64.b64encode(bytes(range(256)) * 4).decode()
SIZE = 1032

WORDS = ["__REDACTED__", "redacted-by-litellm", "uploads/cat/one", "omitted", "AAAA", "//server"]

PLACES: dict[str, Any] = {
    "anthropic": lambda data: {
        "type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}
    },
    "anthropic document": lambda data: {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": data},
    },
    "bedrock": lambda data: {"image": {"format": "png", "source": {"bytes": data}}},
    "gemini": lambda data: {"inlineData": {"mimeType": "image/png", "data": data}},
    "gemini text": lambda data: {"inlineData": {"mimeType": "text/csv", "data": data}},
    "langchain": lambda data: {"type": "image", "base64": data, "mime_type": "image/png"},
    "mcp image": lambda data: {"type": "image", "data": data, "mimeType": "image/png"},
    "mcp resource": lambda data: {
        "type": "resource", "resource": {"uri": "file:///a.png", "mimeType": "image/png",
                                         "blob": data},
    },
    "ollama": lambda data: {"role": "user", "content": "Look.", "images": [data]},
    "openai audio": lambda data: {
        "type": "input_audio", "input_audio": {"data": data, "format": "wav"}
    },
    "openai file": lambda data: {"type": "file", "file": {"filename": "a", "file_data": data}},
    "openai image": lambda data: {
        "type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}
    },
    "openai b64_json": lambda data: {"b64_json": data},
    "otel": lambda data: {
        "type": "blob", "modality": "image", "mime_type": "image/png", "content": data
    },
    "pydantic ai": lambda data: {"type": "binary", "media_type": "image/png", "content": data},
    "pydantic ai content": lambda data: {"kind": "binary", "media_type": "image/png", "data": data},
    "responses": lambda data: {
        "type": "input_image", "image_url": f"data:image/png;base64,{data}"
    },
    "responses file": lambda data: {"type": "input_file", "filename": "a", "file_data": data},
    "redacted thinking": lambda data: {"type": "redacted_thinking", "data": data},
    "vercel": lambda data: {"type": "image", "image": data},
    "vercel file": lambda data: {"type": "file", "data": data, "mediaType": "image/png"},
}  # fmt: skip


def shown(part: Any) -> str:
    said = [part] if "role" in part else [{"role": "user", "content": [part]}]
    return text_repr({"properties": {"$ai_input": said}}, style="complete").text


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("word", WORDS)
def test_a_word_in_the_place_of_bytes_is_shown(place: Any, word: str) -> None:
    assert word in shown(place(word))


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("data", [PNG, LONG], ids=["PNG", "long"])
def test_bytes_are_counted_wherever_they_stand(place: Any, data: str) -> None:
    text = shown(place(data))
    assert data[:40] not in text
    assert f"{len(base64.b64decode(data)):,} bytes" in text


@pytest.mark.parametrize(
    "part",
    [
        {"type": "unheard-of", "x": [PNG]},
        {"type": "text", "text": PNG},
        {"type": "text", "text": f"![](data:image/png;base64,{PNG}) and more"},
        {"type": "tool_use", "name": "f", "input": {"image": PNG}},
        {"type": "tool_result", "tool_use_id": "t", "content": PNG},
        {"type": "text", "text": "a", "signature": PNG},
        {"role": "user", "content": f"x\n\ndata:image/png;base64,{PNG}\n"},
        {"role": "user", "content": [], "other": {"deep": [f"data:image/png;base64,{PNG}"]}},
    ],
)
def test_long_bytes_are_counted_in_unknown_places_too(part: Any) -> None:
    text = shown(part)
    assert PNG[:40] not in text
    assert f"{SIZE:,} bytes" in text


@pytest.mark.parametrize(
    "text",
    ["a" * 3000, "A" * 3000, "0123456789abcdef" * 40, "some/path/of/words" * 40, "Nn9-" * 20],
)
def test_long_words_are_no_bytes(text: str) -> None:
    assert text in shown({"type": "text", "text": text})


@pytest.mark.parametrize(
    ("url", "facts"),
    [
        (
            "data:application/pdf;name=report-q3.pdf;base64,JVBERi0xLjc=",
            "application/pdf;name=report-q3.pdf, 8 bytes",
        ),
        ("data:application/pdf;name=report-q3.pdf;base64,AAAA", "report-q3.pdf"),
        ("data:text/plain;charset=utf-8;base64,SGVsbG8=", "text/plain;charset=utf-8, 5 bytes"),
        ("data:image/png;base64,iVBORw0KGgo%3D", "image/png, 8 bytes"),
        ("data:text/plain,hello", "data:text/plain,hello"),
    ],
)
def test_the_parameters_of_a_data_url_are_shown(url: str, facts: str) -> None:
    for part in (
        {"type": "file", "file": {"file_data": url}},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "unheard-of", "x": url},
    ):
        assert facts in shown(part)


def test_numbers_are_bytes_only_where_they_can_be() -> None:
    assert "2 bytes" in shown({"type": "image", "image": [137, 80]})
    assert "300" in shown({"type": "image", "image": [137, 300]})
