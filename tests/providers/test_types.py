"""What a type checker says of the arguments where no vendor's SDK is installed.

With the SDKs, mypy checks the calls of `test_clients` as it checks all tests.
"""

from __future__ import annotations

from pathlib import Path

from tests.checkers import run_mypy

CALLS = """\
import anthropic
import google.genai
import openai

from promptstore import Prompt

rendered = Prompt(prompt="Hi", config={"model": "m", "max_tokens": 9}).render()
chat = openai.OpenAI().chat.completions.create(**rendered.openai_chat(temperature=1))
print(chat.choices[0].message.content)
response = openai.OpenAI().responses.create(**rendered.openai_responses())
print(response.output_text)
message = anthropic.Anthropic().messages.create(**rendered.anthropic())
print(message.stop_reason)
answer = google.genai.Client().models.generate_content(**rendered.gemini())
print(answer.text)
print(rendered.openai_chat()["messages"], rendered.anthropic()["messages"])
print(rendered.gemini()["config"], rendered.bedrock()["modelId"])
rendered.trace_attributes("otel")
"""


def test_without_the_sdks(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(CALLS)
    assert run_mypy(tmp_path, "program.py") == ""
