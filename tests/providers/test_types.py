"""What a type checker says of the arguments, with the vendors' SDKs and without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
WRONG = """\
openai.OpenAI().responses.create(**rendered.anthropic())
anthropic.Anthropic().messages.create(**rendered.openai_chat())
rendered.trace_attributes("xray")
"""
LACKING = """\
[mypy]
strict = True
[mypy-openai.*,anthropic.*,google.*]
follow_imports = skip
"""


def mypy(folder: Path, program: str, config: str, cache: str = "") -> list[int]:
    """Return the lines of a program that mypy finds fault with."""
    cache_dir = Path(__file__).parents[2] / ".mypy_cache" / cache
    (folder / "program.py").write_text(program)
    (folder / "mypy.ini").write_text(config)
    done = subprocess.run(
        [
            sys.executable, "-m", "mypy", "program.py", "--no-error-summary",
            "--hide-error-context", f"--cache-dir={cache_dir}",
        ],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    errors = [line for line in done.stdout.splitlines() if " error: " in line]
    assert all(line.startswith("program.py:") for line in errors), done.stdout
    return sorted({int(line.split(":")[1]) for line in errors})


def test_with_the_sdks(tmp_path: Path) -> None:
    first = CALLS.count("\n") + 1
    assert mypy(tmp_path, CALLS + WRONG, "[mypy]\nstrict = True\n") == [first, first + 1, first + 2]


def test_without_the_sdks(tmp_path: Path) -> None:
    assert mypy(tmp_path, CALLS, LACKING, "lacking") == []
