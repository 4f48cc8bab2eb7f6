"""Which prompt ran, as OpenTelemetry, PostHog and Langfuse want it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from promptstore import Prompt, PromptStore
from promptstore.errors import InvalidArgumentError
from promptstore.model.rendering import RenderedPrompt
from tests.gitrepo import GitRepo
from tests.providers.loopback import serving
from tests.writing.conftest import configure


@pytest.fixture
def labelled(repo: GitRepo) -> RenderedPrompt:
    store = PromptStore.open(configure(repo).path)
    store.save("support/greet", Prompt(prompt="Hello {{ name }}", config={"model": "m"}))
    store.save("support/greet", Prompt(prompt="Hi {{ name }}", config={"model": "m"}))
    store.set_label("support/greet", "production", version=2)
    store.save("support/greet", Prompt(prompt="Hey {{ name }}", config={"model": "m"}))
    return store.render("support/greet", {"name": "Ann"}, label="production")


def test_the_label_that_was_asked_for_is_known(labelled: RenderedPrompt) -> None:
    assert (labelled.text, labelled.version, labelled.label) == ("Hi Ann", 2, "production")


def test_opentelemetry(labelled: RenderedPrompt) -> None:
    assert labelled.trace_attributes("otel") == {
        "gen_ai.prompt.name": "support/greet",
        "gen_ai.prompt.version": "2",
        "promptstore.prompt.digest": labelled.digest,
        "promptstore.prompt.label": "production",
    }


def test_posthog(labelled: RenderedPrompt) -> None:
    assert labelled.trace_attributes("posthog") == {
        "$ai_prompt_name": "support/greet",
        "$ai_prompt_version": 2,
        "promptstore_prompt_digest": labelled.digest,
        "promptstore_prompt_label": "production",
    }


def test_what_is_not_known_is_left_out() -> None:
    rendered = Prompt(prompt="Hi").render()
    assert rendered.trace_attributes("otel") == {"promptstore.prompt.digest": rendered.digest}


@pytest.mark.parametrize("form", ["otel", "posthog", "langfuse"])
def test_a_fallback_is_marked(repo: GitRepo, form: Any) -> None:
    rendered = PromptStore.open(configure(repo).path).get("gone", fallback="Hi").render()
    attributes = rendered.trace_attributes(form)
    assert [key for key, value in attributes.items() if value is True] == [
        "promptstore_prompt_is_fallback" if form == "posthog" else "promptstore.prompt.is_fallback"
    ]


def test_an_unknown_form() -> None:
    rendered = Prompt(prompt="Hi").render()
    with pytest.raises(InvalidArgumentError, match="for 'xray'; give one of otel, posthog, lang"):
        rendered.trace_attributes("xray")  # type: ignore[arg-type]


PROGRAM = """
import json, sys

from langfuse import Langfuse
from langfuse.openai import OpenAI
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from promptstore import PromptStore

url, path = sys.argv[1:]
exporter = InMemorySpanExporter()
langfuse = Langfuse(public_key="pk", secret_key="sk", base_url=url, span_exporter=exporter)
store = PromptStore.open(path)
labelled = store.render("support/greet", name="Ann", label="production")
fallback = store.get("gone", fallback="Hi").render()
with OpenAI(base_url=url, api_key="key", max_retries=0) as client:
    for rendered in (labelled, fallback):
        arguments = rendered.openai_chat(model="m")
        client.chat.completions.create(**arguments, langfuse_prompt=rendered)
langfuse.flush()
print(json.dumps([dict(span.attributes) for span in exporter.get_finished_spans()]))
"""
"""Langfuse's client for OpenAI patches OpenAI's own, so it runs in a process of its own."""


def test_langfuse_reads_a_rendered_prompt(labelled: RenderedPrompt, repo: GitRepo) -> None:
    with serving() as vendor:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, vendor.url, str(repo.path)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    linked, fallback = (
        {key: value for key, value in span.items() if ".prompt." in key}
        for span in json.loads(done.stdout)
    )
    assert linked == {
        "langfuse.observation.prompt.name": "support/greet",
        "langfuse.observation.prompt.version": 2,
    }
    assert fallback == {}
    assert labelled.trace_attributes("langfuse") == linked | {
        "promptstore.prompt.digest": labelled.digest,
        "promptstore.prompt.label": "production",
    }


def test_langfuse_is_not_told_of_a_fallback(repo: GitRepo) -> None:
    rendered = PromptStore.open(configure(repo).path).get("gone", fallback="Hi").render()
    assert rendered.trace_attributes("langfuse") == {
        "promptstore.prompt.digest": rendered.digest,
        "promptstore.prompt.is_fallback": True,
    }


def test_no_sdk_is_loaded() -> None:
    program = (
        "import sys; from promptstore import Prompt;"
        "r = Prompt(prompt='Hi', config={'model': 'm', 'max_tokens': 1}).render();"
        "r.openai_chat(); r.openai_responses(); r.anthropic(); r.gemini(); r.bedrock();"
        "r.trace_attributes('otel');"
        "names = {'openai', 'anthropic', 'google.genai', 'boto3', 'langfuse', 'opentelemetry'};"
        "print(sorted(names & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
