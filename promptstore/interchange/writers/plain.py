"""Formats that hold strings with ``{{name}}``: GitHub, Langfuse, promptfoo and Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from promptstore.errors import ExportRefusedError
from promptstore.interchange.readers.github import CONFIG as GITHUB_CONFIG
from promptstore.interchange.writers.texts import (
    Exported,
    Losses,
    flat_content,
    front_matter,
    mapped,
    to_plain_jinja,
)
from promptstore.model.parts import Message
from promptstore.model.prompt import Prompt
from promptstore.promptfile.writer import write_entry

_NUNJUCKS: Final = frozenset({
    "abs", "capitalize", "default", "dictsort", "dump", "first", "float", "indent", "int", "join",
    "last", "length", "list", "lower", "reject", "replace", "reverse", "round", "select",
    "selectattr", "sort", "string", "sum", "title", "trim", "truncate", "upper", "wordcount",
})  # fmt: skip


def write_github(prompt: Prompt, name: str, _labels: Sequence[str]) -> Exported:
    """Write a ``.prompt.yml``.

    Raises:
        ExportRefusedError: A template has logic, or an insert stands among the messages.
    """
    losses = Losses("github")
    content = flat_content(prompt, losses)
    _refuse_inserts(prompt, losses)
    losses.leave_out(prompt, "description", "config", "metadata", "variables")
    losses.leave_keys("config", prompt.config, *GITHUB_CONFIG)
    metadata = dict(prompt.metadata)
    found: dict[str, Any] = {}
    if isinstance(metadata.get("name"), str):
        found["name"] = metadata.pop("name")
    if prompt.description is not None:
        found["description"] = prompt.description
    found |= {key: prompt.config[key] for key in GITHUB_CONFIG if key in prompt.config}
    if isinstance(found.get("jsonSchema"), (dict, list)):
        found["jsonSchema"] = json.dumps(found["jsonSchema"], ensure_ascii=False, indent=2)
    if content.get("variables"):
        found["variables"] = content["variables"]
    if "messages" in content:
        found["messages"] = content["messages"]
    else:
        losses.tell("a text prompt becomes the message of a user")
        found["messages"] = [{"role": "user", "content": content["prompt"]}]
    found |= {key: value for key, value in metadata.items() if key not in found}
    text = "".join(write_entry(key, value) for key, value in found.items())
    return Exported(f"{name}.prompt.yml", text, tuple(losses.found))


def _refuse_inserts(prompt: Prompt, losses: Losses) -> None:
    for item in prompt.messages or ():
        if not isinstance(item, Message):
            reason = f"there is no place for the list of messages {item.insert!r}"
            raise ExportRefusedError(
                name=prompt.name or "the prompt", format=losses.format, reason=reason
            )


def write_langfuse(prompt: Prompt, name: str, labels: Sequence[str]) -> Exported:
    """Write a version as Langfuse's API takes it.

    Raises:
        ExportRefusedError: A template has logic.
    """
    losses = Losses("langfuse")
    found = langfuse_record(prompt, name, labels, losses)
    return Exported(f"{name}.json", json_text(found), tuple(losses.found))


def langfuse_record(
    prompt: Prompt, name: str, labels: Sequence[str], losses: Losses
) -> dict[str, Any]:
    """Return a version as Langfuse's API takes it.

    Args:
        prompt: The prompt as of the version.
        name: Its name.
        labels: The labels of the version.
        losses: Takes what cannot be said there.

    Raises:
        ExportRefusedError: A template has logic.
    """
    content = flat_content(prompt, losses)
    losses.leave_out(prompt, "config", "tags")
    found: dict[str, Any] = {"name": name, "type": "chat" if prompt.is_chat else "text"}
    if prompt.is_chat:
        found["prompt"] = [
            {"type": "placeholder", "name": one["insert"]} if "insert" in one else one
            for one in content["messages"]
        ]
    else:
        found["prompt"] = content["prompt"]
    return found | {"config": prompt.config, "labels": [*labels], "tags": [*prompt.tags]}


def json_text(value: Any) -> str:
    """Return JSON as a file has it."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def write_promptfoo(prompt: Prompt, name: str, _labels: Sequence[str]) -> Exported:
    """Write a configuration of promptfoo with one prompt.

    Raises:
        ExportRefusedError: A template includes another prompt, or an insert is among the messages.
    """
    losses = Losses("promptfoo")
    _refuse_inserts(prompt, losses)
    losses.leave_out(prompt, "config")
    content = mapped(prompt, lambda text: _nunjucks(to_plain_jinja(prompt, text, losses), losses))
    if prompt.is_chat:
        raw = json.dumps(content["messages"], ensure_ascii=False, indent=2)
    else:
        raw = content["prompt"]
    one: dict[str, Any] = {"label": name, "raw": raw}
    if prompt.config:
        one["config"] = prompt.config
    extra = prompt.extensions.get("x-promptfoo")
    one |= extra if isinstance(extra, dict) else {}
    losses.tell("providers and tests are yours to add")
    text = write_entry("prompts", [one]) + "providers: []\n"
    return Exported(f"{name}.promptfooconfig.yaml", text, tuple(losses.found))


def _nunjucks(text: str, losses: Losses) -> str:
    def change(found: re.Match[str]) -> str:
        tag = re.sub(r"\|\s*tojson\b", "|dump", found[0])
        for used in re.findall(r"\|\s*(\w+)", tag):
            if used not in _NUNJUCKS:
                losses.tell(f"the filter {used} is none of nunjucks")
        return tag

    return re.sub(r"\{%.*?%\}|\{\{.*?\}\}", change, text, flags=re.DOTALL)


def write_markdown(prompt: Prompt, name: str, _labels: Sequence[str]) -> Exported:
    """Write Markdown: the text as it is, with front matter where there is more to say.

    Raises:
        ExportRefusedError: There is more than one message.
    """
    losses = Losses("markdown")
    losses.leave_out(prompt, "description", "tags", "metadata", "config")
    losses.leave_keys("config", prompt.config, "model", "tools")
    path, text = f"{name}.md", prompt.prompt
    if text is None:
        messages = prompt.messages or ()
        only = messages[0] if len(messages) == 1 else None
        if not isinstance(only, Message) or not isinstance(only.content, str):
            raise ExportRefusedError(
                name=name, format="markdown", reason="it has more than one text"
            )
        if only.role not in ("system", "user"):
            losses.tell(f"the role {only.role} is left out")
        path = f"{name}/{only.role}.md" if only.role in ("system", "user") else path
        text = only.content
    if prompt.template != "none":
        losses.tell("variables and logic are plain text there")
    front: dict[str, Any] = {}
    if prompt.description is not None:
        front["description"] = prompt.description
    if prompt.tags:
        front["tags"] = [*prompt.tags]
    front |= {key: prompt.config[key] for key in ("model", "tools") if key in prompt.config}
    front |= _others(prompt.metadata, front)
    head = front_matter(front)
    if head and text.startswith("\n"):
        losses.tell("the empty lines before its text are left out")
    elif not head and text.startswith("---"):
        head = "---\n---\n"
    return Exported(path, f"{head}\n{text}" if front else head + text, tuple(losses.found))


def _others(value: Mapping[str, Any], taken: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key not in taken}
