"""The vendors' own clients take the arguments, at run time and for a type checker.

mypy checks the calls of this file as it checks all tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import boto3
import botocore.config
import google.genai
import openai
import pytest

from promptstore.model.rendered import RenderedPrompt
from tests.providers.loopback import Vendor, serving
from tests.providers.test_golden import CASES, read, rendered


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with serving() as vendor:
        yield vendor


def accepted(name: str) -> list[Any]:
    """Return the cases that a vendor takes."""
    return [case for case in CASES if "refused" not in read("golden", f"{case}.{name}")]


def prompt_of(case: str) -> RenderedPrompt:
    found = read("cases", case)
    return rendered(found["messages"], found["config"])


@pytest.mark.parametrize("case", accepted("openai_chat"))
def test_openai_chat(vendor: Vendor, case: str) -> None:
    with openai.OpenAI(base_url=vendor.url, api_key="key", max_retries=0) as client:
        completion = client.chat.completions.create(**prompt_of(case).openai_chat())
    assert completion.choices[0].message.content == "ok"
    assert vendor.bodies[-1] == read("golden", f"{case}.openai_chat")


@pytest.mark.parametrize("case", accepted("openai_responses"))
def test_openai_responses(vendor: Vendor, case: str) -> None:
    with openai.OpenAI(base_url=vendor.url, api_key="key", max_retries=0) as client:
        response = client.responses.create(**prompt_of(case).openai_responses())
    assert response.output_text == "ok"
    assert vendor.bodies[-1] == read("golden", f"{case}.openai_responses")


@pytest.mark.parametrize("case", accepted("anthropic"))
def test_anthropic(vendor: Vendor, case: str) -> None:
    with anthropic.Anthropic(base_url=vendor.url, api_key="key", max_retries=0) as client:
        message = client.messages.create(**prompt_of(case).anthropic())
    assert message.stop_reason == "end_turn"
    expected = read("golden", f"{case}.anthropic")
    assert vendor.bodies[-1] == expected.pop("extra_body", {}) | expected


@pytest.mark.parametrize("case", accepted("gemini"))
def test_gemini(vendor: Vendor, case: str) -> None:
    options = google.genai.types.HttpOptions(base_url=vendor.url)
    with google.genai.Client(api_key="key", http_options=options) as client:
        answer = client.models.generate_content(**prompt_of(case).gemini())
    assert answer.text == "ok"
    contents = read("golden", f"{case}.gemini")["contents"]
    assert [len(content["parts"]) for content in vendor.bodies[-1]["contents"]] == [
        len(content["parts"]) for content in contents
    ]


@pytest.mark.parametrize("case", accepted("bedrock"))
def test_bedrock(vendor: Vendor, case: str) -> None:
    client = boto3.client(
        "bedrock-runtime", endpoint_url=vendor.url, region_name="eu-west-1",
        aws_access_key_id="id", aws_secret_access_key="secret",
        config=botocore.config.Config(retries={"max_attempts": 0}),
    )  # fmt: skip
    answer = client.converse(**prompt_of(case).bedrock())
    client.close()
    assert answer["stopReason"] == "end_turn"
    messages = read("golden", f"{case}.bedrock")["messages"]
    assert [message["role"] for message in vendor.bodies[-1]["messages"]] == [
        message["role"] for message in messages
    ]


def test_openai_streams(vendor: Vendor) -> None:
    """What is for the transport goes beside the arguments."""
    with openai.OpenAI(base_url=vendor.url, api_key="key", max_retries=0) as client:
        raw = client.chat.completions.with_raw_response.create(
            **prompt_of("text").openai_chat(), timeout=5, extra_headers={"X-Trace": "1"}
        )
    assert raw.http_request.headers["X-Trace"] == "1"
