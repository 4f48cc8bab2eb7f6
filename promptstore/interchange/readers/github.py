"""GitHub Models: ``.prompt.yml``."""

from __future__ import annotations

import json
from typing import Any, Final

from promptstore.errors import ImportRefusedError
from promptstore.interchange.imported import Draft, Imported, Source, declare, rest_of, single
from promptstore.interchange.readers.chat import add_messages
from promptstore.promptfile.foreign import read_foreign_yaml

FORMAT: Final = "github"
CONFIG: Final = ("model", "modelParameters", "responseFormat", "jsonSchema", "tools")


def read_github(source: Source, name: str) -> list[Imported]:
    """Read a ``.prompt.yml``.

    Raises:
        ImportRefusedError: It is not YAML, or says nothing.
    """
    found = read_foreign_yaml(source.text, "1.2")
    if not isinstance(found.value, dict):
        raise ImportRefusedError(reason="no mapping of keys at its top")
    return [single(_draft(found.value, name), found.losses)]


def _draft(value: dict[str, Any], name: str) -> Draft:
    draft = Draft(name, FORMAT)
    draft.describe(value.get("description"))
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
    draft.config = {key: value[key] for key in CONFIG if value.get(key) is not None}
    schema = draft.config.get("jsonSchema")
    if isinstance(schema, str):
        try:
            draft.config["jsonSchema"] = json.loads(schema)
        except ValueError:
            draft.losses.append("jsonSchema is not JSON and stays a string")
    taken = ("description", "variables", "system", "messages", "prompt", *CONFIG)
    draft.metadata |= rest_of(value, *taken)
    return draft
