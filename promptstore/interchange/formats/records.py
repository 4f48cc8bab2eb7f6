"""Records of prompt servers: what Langfuse, MLflow, PostHog and OpenAI give for a prompt.

Those of Langfuse are written, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeAlias

from promptstore.errors import ImportRefusedError, InvalidArgumentError
from promptstore.git.commits import parse_signature
from promptstore.history.labels import is_label
from promptstore.interchange.exported import Export, Exported
from promptstore.interchange.formats.common import add_messages, chat_of, translated
from promptstore.interchange.imported import (
    Draft,
    Imported,
    ImportedVersion,
    Refused,
    as_dict,
    as_list,
    rest_of,
    short_key,
    spell_name,
)
from promptstore.interchange.templates.flat import write_flat
from promptstore.template import is_variable_name, split_simple

Record: TypeAlias = Mapping[str, Any]
"""One version of a prompt, as the server has it."""

Reader: TypeAlias = Callable[[Draft, Record], None]
"""Fills a draft from a record."""

_REFERENCE: Final = re.compile(r"@@@langfusePrompt:(.*?)@@@")
_LANGFUSE: Final = (
    "name", "type", "prompt", "config", "version", "labels", "tags", "commitMessage", "createdAt",
    "updatedAt", "createdBy", "id", "projectId", "isActive", "resolutionGraph",
)  # fmt: skip
_POSTHOG: Final = (
    "name", "prompt", "config", "version", "version_description", "labels", "deleted", "is_latest",
    "latest_version", "created_by", "created_at", "updated_at", "id", "first_version_created_at",
    "version_count", "config_schema", "outline", "size_bytes",
)  # fmt: skip
_MLFLOW: Final = (
    "name", "version", "template", "response_format", "model_config", "commit_message", "tags",
    "aliases", "creation_timestamp", "last_updated_timestamp", "user_id", "prompt_type", "uri",
)  # fmt: skip
_OPENAI_TEXT: Final = {"input_text", "output_text", "text"}


def read_langfuse(records: Iterable[Record], name: str) -> list[Imported | Refused]:
    """Read versions of Langfuse's export or API; a reference to another prompt is an include."""
    ordered = _by_number(records)
    newest = {str(record.get("name")): record for record in ordered}
    return group_records(ordered, name, "langfuse", partial(_langfuse, newest))


def read_posthog(records: Iterable[Record], name: str) -> list[Imported | Refused]:
    """Read versions of PostHog's prompts API."""
    return group_records(_by_number(records), name, "posthog", _posthog)


def read_mlflow(records: Iterable[Record], name: str) -> list[Imported | Refused]:
    """Read versions of MLflow's prompt registry, as JSON."""
    return group_records(_by_number(records), name, "mlflow", _mlflow)


def read_openai(records: Iterable[Record], name: str) -> list[Imported | Refused]:
    """Read prompt objects of OpenAI, as they are pasted."""
    return group_records(_by_number(records), name, "openai", _openai)


def group_records(
    records: Iterable[Record], fallback: str, form: str, read: Reader
) -> list[Imported | Refused]:
    """Read records, each of which is one version of a prompt.

    Args:
        records: The records; those of one prompt stand from the oldest to the newest.
        fallback: The name of a prompt that says none.
        form: The format.
        read: Fills the draft of a version from its record.

    Returns:
        The prompts. One that has a version that cannot come in stays out.
    """
    by_name: dict[str, list[Record]] = {}
    for record in records:
        given = record.get("name") or record.get("id") or fallback
        by_name.setdefault(str(given), []).append(record)
    return [_one(name, found, form, read) for name, found in by_name.items()]


def _one(name: str, records: list[Record], form: str, read: Reader) -> Imported | Refused:
    versions: list[ImportedVersion] = []
    losses: list[str] = []
    for record in records:
        draft = Draft(name, form)
        title = f"version {record['version']}: " if len(records) > 1 and "version" in record else ""
        try:
            read(draft, record)
            prompt = draft.finish()
        except ImportRefusedError as error:
            # A version that is left out would give its label and number to another one.
            return Refused(name, f"{title}{error.reason}")
        losses += [f"{title}{loss}" for loss in draft.losses]
        versions.append(_version(draft, prompt, record))
        spare = [label for label in _labels(record) if not is_label(label)]
        losses += [
            f"{title}the label {label!r} is none here" for label in spare if label != "latest"
        ]
    return Imported(spell_name(name), tuple(versions), tuple(dict.fromkeys(losses)), form)


def _by_number(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: _number(record.get("version")))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _version(draft: Draft, prompt: Any, record: Record) -> ImportedVersion:
    number = record.get("version")
    by = record.get("createdBy", record.get("created_by", record.get("user_id")))
    message = next(
        (
            text
            for key in ("commitMessage", "commit_message", "version_description")
            if isinstance(text := record.get(key), str) and text.strip()
        ),
        None,
    )
    key = f"{draft.format} {number}" if isinstance(number, (int, str)) else short_key(prompt)
    return ImportedVersion(
        prompt,
        key,
        _person(by),
        _time(record.get("createdAt", record.get("created_at", record.get("creation_timestamp")))),
        message,
        tuple(label for label in _labels(record) if is_label(label)),
    )


def _labels(record: Record) -> list[str]:
    found = as_list(record.get("labels", record.get("aliases")))
    names = [one.get("name") if isinstance(one, dict) else one for one in found]
    return [name for name in names if isinstance(name, str)]


def _person(value: Any) -> str | None:
    """Return a person as git knows one, where the record says enough."""
    if isinstance(value, dict):
        email = value.get("email")
        words = (value.get("first_name"), value.get("last_name"))
        name = " ".join(word for word in words if word) or str(email).partition("@")[0]
        value = f"{name} <{email}>" if email else None
    elif isinstance(value, str) and re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", value):
        value = f"{value.partition('@')[0]} <{value}>"
    if not isinstance(value, str):
        return None
    try:
        parse_signature(value)
    except InvalidArgumentError:
        return None
    return value


def _time(value: Any) -> datetime | None:
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _content(draft: Draft, value: Any) -> None:
    """Take a string, or a list of messages."""
    if isinstance(value, str):
        draft.prompt = value
    elif isinstance(value, list):
        add_messages(draft, value)
    else:
        raise ImportRefusedError(reason="its prompt is neither a string nor a list of messages")


def _langfuse(newest: Mapping[str, Record], draft: Draft, record: Record) -> None:
    _content(draft, record.get("prompt"))
    if _REFERENCE.search(repr(record.get("prompt"))):
        _include(draft, newest)
    _config(draft, record.get("config"))
    draft.set_tags(record.get("tags"))
    draft.extra |= rest_of(record, *_LANGFUSE)


def _include(draft: Draft, newest: Mapping[str, Record]) -> None:
    """Write the texts of a draft as templates that include what they refer to."""
    draft.template = "jinja2"

    def write(text: str) -> str:
        pieces = _REFERENCE.split(text)
        return "".join(
            _included(draft, piece, newest) if number % 2 else _with_values(piece)
            for number, piece in enumerate(pieces)
        )

    if draft.prompt is not None:
        draft.prompt = write(draft.prompt)
    draft.messages = [
        {**message, "content": translated(message.get("content"), write)}
        if "content" in message
        else message
        for message in draft.messages
    ]


def _with_values(text: str) -> str:
    pieces = split_simple(text)
    for name in pieces[1::2]:
        if not is_variable_name("jinja2", name):
            raise ImportRefusedError(
                reason=f"the variable {name!r} beside a reference to another prompt is no name here"
            )
    return write_flat(pieces, "jinja2")


def _included(draft: Draft, reference: str, newest: Mapping[str, Record]) -> str:
    """Return the include for a reference such as ``name=tone|label=production``."""
    pairs = (part.partition("=") for part in reference.split("|"))
    asked = {key.strip(): value.strip() for key, _, value in pairs}
    name = asked.get("name", "")
    if not name:
        raise ImportRefusedError(reason=f"reference to a prompt without its name ({reference!r})")
    version, label = asked.get("version"), asked.get("label")
    there = newest.get(name, {})
    if version != str(there.get("version")) and label not in ("latest", *_labels(there)):
        pin = f"version {version}" if version else f"label {label}"
        draft.losses.append(
            f"the reference to the {pin} of {name} is to its text in the same commit here"
        )
        draft.extra.setdefault("references", []).append(reference)
    # Without the signs the tag would take the line end behind it along.
    return f'{{%+ include "{spell_name(name)}" +%}}'


def _posthog(draft: Draft, record: Record) -> None:
    value = record.get("prompt")
    # SDKs of PostHog take strings only, so a chat is often the JSON of one.
    chat = chat_of(value) if isinstance(value, str) else None
    _content(draft, chat or value)
    _config(draft, record.get("config"))
    if record.get("deleted"):
        raise ImportRefusedError(reason="it is deleted there")
    draft.extra = rest_of(record, *_POSTHOG)


def _config(draft: Draft, value: Any) -> None:
    if isinstance(value, dict):
        draft.config = value
    elif value is not None:
        draft.extra["config"] = value


def _mlflow(draft: Draft, record: Record) -> None:
    _content(draft, record.get("template"))
    texts = [draft.prompt or "", *(str(message.get("content")) for message in draft.messages)]
    if any("{%" in text for text in texts):
        draft.template = "jinja2"
    model = record.get("model_config")
    if isinstance(model, dict):
        draft.config = {key: item for key, item in model.items() if item is not None}
    if record.get("response_format") is not None:
        draft.config["response_format"] = record["response_format"]
    if isinstance(record.get("tags"), dict) and record["tags"]:
        draft.metadata["tags"] = record["tags"]
    draft.extra = rest_of(record, *_MLFLOW)


def _openai(draft: Draft, record: Record) -> None:
    """Take a prompt object: instructions, messages, variables, and how the model is called."""
    inner = record.get("prompt")
    body: dict[str, Any] = {**record, **inner} if isinstance(inner, dict) else dict(record)
    if isinstance(body.get("instructions"), str) and body["instructions"]:
        draft.say("developer", body["instructions"])
    given: Any = next((body[k] for k in ("messages", "input") if body.get(k)), [])
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    add_messages(draft, [_openai_message(one) for one in as_list(given)])
    variables = body.get("variables")
    if isinstance(variables, list):
        variables = {
            str(v.get("name") if isinstance(v, dict) else v): v if isinstance(v, dict) else {}
            for v in variables
        }
    for key, one in as_dict(variables).items():
        default = one.get("default") if isinstance(one, dict) else one
        draft.variables[key] = {} if default in (None, "") else {"default": default}
    taken = ("id", "object", "name", "version", "prompt", "instructions", "messages", "input",
             "variables", "created_at", "created_by", "updated_at", "labels", "is_default",
             "commit_message", "description")  # fmt: skip
    draft.describe(body.get("description"))
    draft.config = rest_of(body, *taken)
    if isinstance(record.get("id"), str):
        draft.extra["id"] = record["id"]


def _openai_message(message: Any) -> Any:
    if not isinstance(message, dict) or not isinstance(message.get("content"), list):
        return message
    parts = message["content"]
    if all(isinstance(p, dict) and p.get("type") in _OPENAI_TEXT for p in parts):
        return {**message, "content": "".join(str(part.get("text", "")) for part in parts)}
    found = []
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in _OPENAI_TEXT:
            found.append({"type": "text", "text": part.get("text", "")})
        elif kind == "input_image" and isinstance(part.get("image_url"), str):
            found.append({"type": "image_url", "image_url": {"url": part["image_url"]}})
        else:
            found.append(part)
    return {**message, "content": found}


def write_langfuse(export: Export) -> Exported:
    """Write a version as Langfuse's API takes it.

    Raises:
        ExportRefusedError: A template has logic.
    """
    return export.done(".json", json_text(langfuse_record(export)))


def langfuse_record(export: Export) -> dict[str, Any]:
    """Return a version as Langfuse's API takes it.

    Raises:
        ExportRefusedError: A template has logic.
    """
    prompt, content = export.prompt, export.flat_content()
    export.leave_out("config", "tags")
    found = content.get("prompt")
    if prompt.is_chat:
        found = [
            {"type": "placeholder", "name": one["insert"]} if "insert" in one else one
            for one in content["messages"]
        ]
    return {
        "name": export.name, "type": "chat" if prompt.is_chat else "text", "prompt": found,
        "config": prompt.config, "labels": [*export.labels], "tags": [*prompt.tags],
    }  # fmt: skip


def json_text(value: Any) -> str:
    """Return JSON as a file has it."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
