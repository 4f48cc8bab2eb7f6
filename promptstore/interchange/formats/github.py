"""GitHub Models, read and written: ``.prompt.yml``."""

from __future__ import annotations

import json
from typing import Any, Final

from promptstore.errors import ImportRefusedError
from promptstore.interchange.exported import Export, Exported
from promptstore.interchange.formats.common import add_messages
from promptstore.interchange.imported import Draft, Source, declare
from promptstore.promptfile.foreign import read_foreign_yaml
from promptstore.promptfile.writer import write_mapping

_CONFIG: Final = ("model", "modelParameters", "responseFormat", "jsonSchema", "tools")


def read_github(source: Source, name: str) -> Draft:
    """Read a ``.prompt.yml``.

    Raises:
        ImportRefusedError: It is not YAML, or says nothing.
    """
    found = read_foreign_yaml(source.text, "1.2")
    value = found.value
    if not isinstance(value, dict):
        raise ImportRefusedError(reason="no mapping of keys at its top")
    draft = Draft(name, "github", losses=found.losses)
    draft.take(value, "variables", "system", "messages", "prompt", config=_CONFIG)
    variables = value.get("variables")
    if isinstance(variables, list):
        variables = {str(v.get("name")): v for v in variables if isinstance(v, dict)}
    if isinstance(variables, dict):
        draft.variables = {
            key: declare(one) if isinstance(one, dict) else {} for key, one in variables.items()
        }
    if isinstance(value.get("system"), str):
        draft.say("system", value["system"])
    messages = value.get("messages")
    if messages is None and isinstance(value.get("prompt"), str):
        draft.prompt = value["prompt"]
    elif not isinstance(messages, list):
        raise ImportRefusedError(reason="its messages are no list")
    else:
        add_messages(draft, messages)
    schema = draft.config.get("jsonSchema")
    if isinstance(schema, str):
        try:
            draft.config["jsonSchema"] = json.loads(schema)
        except ValueError:
            draft.losses.append("jsonSchema is not JSON and stays a string")
    return draft


def write_github(export: Export) -> Exported:
    """Write a ``.prompt.yml``.

    Raises:
        ExportRefusedError: A template has logic, or an insert stands among the messages.
    """
    content = export.flat_content()
    export.refuse_inserts()
    export.leave_out("description", "config", "metadata", "variables")
    config = export.config(*_CONFIG)
    metadata = export.prompt.metadata
    found: dict[str, Any] = {}
    if isinstance(metadata.get("name"), str):
        found["name"] = metadata["name"]
    found |= export.described() | config
    if isinstance(found.get("jsonSchema"), (dict, list)):
        found["jsonSchema"] = json.dumps(found["jsonSchema"], ensure_ascii=False, indent=2)
    if content.get("variables"):
        found["variables"] = content["variables"]
    if "messages" not in content:
        export.tell("a text prompt becomes the message of a user")
        content["messages"] = [{"role": "user", "content": content["prompt"]}]
    found["messages"] = content["messages"]
    found |= {key: value for key, value in metadata.items() if key not in found}
    return export.done(".prompt.yml", write_mapping(found))
