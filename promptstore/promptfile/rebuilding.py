"""The plain value of a file that was found sound → what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from promptstore.model.messages import Insert, Message
from promptstore.model.prompt import Content
from promptstore.model.values import FrozenDict, freeze
from promptstore.model.variables import Variable

_READERS: Final = (
    "promptfile/yamlreader.py", "promptfile/yamlparser.py",
    "promptfile/scalars.py", "promptfile/schema.py", "model/names.py", "model/variables.py",
)  # fmt: skip


_NOTHING: Final = FrozenDict()


def rebuild(value: Mapping[str, Any]) -> Content:
    """Tell what a file says, of which the plain value was found sound.

    Args:
        value: The plain value of the whole file.

    Returns:
        What it says; the same each time.
    """
    variables, messages = value.get("variables"), value.get("messages")
    return Content(
        prompt=value.get("prompt"),
        messages=None if messages is None else tuple(map(_rebuilt_message, messages)),
        template=value.get("template", "jinja2"),
        variables=None
        if variables is None
        else FrozenDict({name: _rebuilt_variable(found) for name, found in variables.items()}),
        description=value.get("description"),
        config=freeze(value.get("config", _NOTHING)),
        tags=tuple(value.get("tags", ())),
        metadata=freeze(value.get("metadata", _NOTHING)),
        extensions=freeze({key: value[key] for key in value if key.startswith("x-")}),
        id=value.get("id"),
        deleted=value.get("deleted", False),
        deleted_reason=value.get("deleted_reason"),
        replaced_by=value.get("replaced_by"),
    )


def _rebuilt_message(value: Mapping[str, Any]) -> Message | Insert:
    return Insert(value["insert"]) if "insert" in value else Message(**value)


def _rebuilt_variable(value: Mapping[str, Any] | None) -> Variable:
    return Variable(**value) if value else Variable()


def fingerprint() -> str:
    """Tell apart the ways to read a file: where it is equal, every file means the same.

    Returns:
        A word made of the code that reads, so that nobody has to remember to change it.
    """
    check_sum = 0
    for file in _code_that_reads():
        check_sum = crc32(file.read_bytes(), check_sum)
    return f"{check_sum:08x}"


def _code_that_reads() -> Iterator[Path]:
    package = Path(__file__).parents[1]
    yield from (package / name for name in _READERS)
    parser = find_spec("ruamel.yaml")
    if parser is not None and parser.origin is not None:
        yield Path(parser.origin)
