"""The vendors' own clients take the arguments, at run time and for a type checker.

mypy checks the calls of this file as it checks all tests. Each SDK is loaded by the fixture of its
client, as they take longer than collecting all tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from promptstore.errors import InvalidArgumentError
from promptstore.model.rendering import RenderedPrompt
from tests.providers.loopback import Vendor, serving
from tests.providers.test_golden import CASES, read, rendered

if TYPE_CHECKING:
    import anthropic
    import google.genai
    import openai


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with serving() as vendor:
        yield vendor


@pytest.fixture(scope="module")
def openai_client(vendor: Vendor) -> Iterator[openai.OpenAI]:
    import openai

    with openai.OpenAI(base_url=vendor.url, api_key="key", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def anthropic_client(vendor: Vendor) -> Iterator[anthropic.Anthropic]:
    import anthropic

    with anthropic.Anthropic(base_url=vendor.url, api_key="key", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def gemini_client(vendor: Vendor) -> Iterator[google.genai.Client]:
    import google.genai

    options = google.genai.types.HttpOptions(base_url=vendor.url)
    with google.genai.Client(api_key="key", http_options=options) as client:
        yield client


@pytest.fixture(scope="module")
def bedrock_client(vendor: Vendor) -> Iterator[Any]:
    import boto3
    import botocore.config

    client = boto3.client(
        "bedrock-runtime", endpoint_url=vendor.url, region_name="eu-west-1",
        aws_access_key_id="id", aws_secret_access_key="secret",
        config=botocore.config.Config(retries={"max_attempts": 0}),
    )  # fmt: skip
    yield client
    client.close()


def accepted(name: str) -> list[Any]:
    """Return the cases that a vendor takes."""
    return [case for case in CASES if "refused" not in read("golden", f"{case}.{name}")]


def prompt_of(case: str) -> RenderedPrompt:
    found = read("cases", case)
    return rendered(found["messages"], found["config"])


@pytest.mark.parametrize("case", accepted("openai_chat"))
def test_openai_chat(vendor: Vendor, openai_client: openai.OpenAI, case: str) -> None:
    completion = openai_client.chat.completions.create(**prompt_of(case).openai_chat())
    assert completion.choices[0].message.content == "ok"
    assert vendor.bodies[-1] == read("golden", f"{case}.openai_chat")


@pytest.mark.parametrize("case", accepted("openai_responses"))
def test_openai_responses(vendor: Vendor, openai_client: openai.OpenAI, case: str) -> None:
    response = openai_client.responses.create(**prompt_of(case).openai_responses())
    assert response.output_text == "ok"
    assert vendor.bodies[-1] == read("golden", f"{case}.openai_responses")


@pytest.mark.parametrize("case", accepted("anthropic"))
def test_anthropic(vendor: Vendor, anthropic_client: anthropic.Anthropic, case: str) -> None:
    message = anthropic_client.messages.create(**prompt_of(case).anthropic())
    assert message.stop_reason == "end_turn"
    expected = read("golden", f"{case}.anthropic")
    assert vendor.bodies[-1] == expected.pop("extra_body", {}) | expected


@pytest.mark.parametrize("case", accepted("gemini"))
def test_gemini(vendor: Vendor, gemini_client: google.genai.Client, case: str) -> None:
    answer = gemini_client.models.generate_content(**prompt_of(case).gemini())
    assert answer.text == "ok"
    contents = read("golden", f"{case}.gemini")["contents"]
    assert kinds(vendor.bodies[-1]["contents"], "parts") == kinds(contents, "parts")


@pytest.mark.parametrize("case", accepted("bedrock"))
def test_bedrock(vendor: Vendor, bedrock_client: Any, case: str) -> None:
    answer = bedrock_client.converse(**prompt_of(case).bedrock())
    assert answer["stopReason"] == "end_turn"
    messages = read("golden", f"{case}.bedrock")["messages"]
    assert kinds(vendor.bodies[-1]["messages"], "content") == kinds(messages, "content")


def kinds(messages: list[dict[str, Any]], parts: str) -> list[tuple[str, list[str]]]:
    """Return who says what kind of part; the SDK writes the rest in its own way."""
    return [
        (
            message["role"],
            [key.replace("_", "").lower() for part in message[parts] for key in part],
        )
        for message in messages
    ]


def test_what_is_for_the_transport_goes_beside_the_arguments(
    vendor: Vendor, openai_client: openai.OpenAI
) -> None:
    raw = openai_client.chat.completions.with_raw_response.create(
        **prompt_of("text").openai_chat(), timeout=5, extra_headers={"X-Trace": "1"}
    )
    assert raw.http_request.headers["X-Trace"] == "1"
    assert vendor.bodies[-1] == read("golden", "text.openai_chat")


def test_arguments_for_another_client(
    openai_client: openai.OpenAI, anthropic_client: anthropic.Anthropic
) -> None:
    prompt = prompt_of("text")
    with pytest.raises(TypeError):
        openai_client.responses.create(**prompt.anthropic())  # type: ignore[call-overload]
    chat = rendered([{"role": "user", "content": "Hi"}], {"model": "m"}).openai_chat()
    with pytest.raises(TypeError):
        anthropic_client.messages.create(**chat)  # type: ignore[call-overload]
    with pytest.raises(InvalidArgumentError):
        prompt.trace_attributes("xray")  # type: ignore[arg-type]
