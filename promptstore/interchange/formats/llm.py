"""Templates of the program ``llm``: ``system`` and ``prompt`` with ``$x``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from promptstore.errors import ImportRefusedError
from promptstore.interchange.imported import Draft, rest_of
from promptstore.interchange.templates.flat import choose_kind, read_dollar, write_flat

_CONFIG: Final = ("model", "options", "schema_object", "tools", "extract", "extract_last")
_CODE: Final = ("functions",)
_OUTSIDE: Final = ("fragments", "system_fragments", "attachments", "attachment_types")


def read_llm(value: Mapping[str, Any], name: str) -> Draft:
    """Read a template of ``llm``.

    Raises:
        ImportRefusedError: It has neither a prompt nor a system text.
    """
    draft = Draft(name, "llm")
    found = [(role, value[key]) for role, key in (("system", "system"), ("user", "prompt"))
             if isinstance(value.get(key), str) and value[key]]  # fmt: skip
    if not found:
        raise ImportRefusedError(reason="it has no prompt and no system text")
    pieces = [read_dollar(text) for _, text in found]
    draft.template = kind = choose_kind(pieces)
    for (role, _), split in zip(found, pieces, strict=True):
        draft.say(role, write_flat(split, kind))
    if all(role == "system" for role, _ in found):
        # What is piped in becomes the user's message there.
        draft.messages.append({"role": "user", "content": "{{input}}"})
    defaults = value.get("defaults")
    if isinstance(defaults, dict) and defaults:
        draft.variables = {str(key): {"default": one} for key, one in defaults.items()}
    draft.config = {key: value[key] for key in _CONFIG if value.get(key) is not None}
    for key in _CODE:
        if value.get(key):
            draft.extra[key] = value[key]
            draft.losses.append(f"{key} is code: it is kept as text and never run")
    for key in _OUTSIDE:
        if value.get(key):
            draft.extra[key] = value[key]
            draft.losses.append(f"{key} is not followed and stays a list of names")
    draft.metadata |= rest_of(
        value, "system", "prompt", "defaults", "name", *_CONFIG, *_CODE, *_OUTSIDE
    )
    return draft
