"""A typed module made from the prompts, so that a type checker finds a wrong call."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from promptstore.errors import PromptFileError, TemplateError
from promptstore.model.prompt import Prompt
from promptstore.model.rendering import Signature, signature
from promptstore.model.variables import Variable, VariableType
from promptstore.store.snapshot import Snapshot

_HEAD: Final = '''\
"""The prompts of this repository, for type checkers: made by `promptstore stubs`, not by hand."""

# ruff: noqa
# mypy: disable-error-code="override"
# pyright: reportIncompatibleMethodOverride=false

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NotRequired, TypedDict, overload

from promptstore import Prompt, PromptStore, RenderedPrompt

'''
_TYPES: Final[dict[VariableType, str]] = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "array": "list[Any] | tuple[Any, ...]",
    "object": "Mapping[str, Any]",
    "messages": "list[dict[str, Any]]",
    "any": "Any",
}
_SELECTION: Final = (
    "version: int | None = ..., label: str | None = ..., rev: str | datetime | None = ..., "
    "fallback: Prompt | str | None = ..."
)


def write_stubs(snapshot: Snapshot) -> str:
    """Write the typed module.

    Args:
        snapshot: The prompts. Those that are deleted, broken or cannot be rendered are left out,
            so that a call of them is found too.

    Returns:
        The source of a stub file: a class for each prompt, and ``Prompts``, the store with a
        ``get`` and a ``render`` for each name.
    """
    found = dict(_renderable(snapshot))
    classes = _class_names(found)
    parts = [_HEAD + _names(found)]
    parts += (_prompt(name, *found[name], classes[name]) for name in found)
    parts.append(_store(found, classes))
    return "\n".join(parts)


def _renderable(snapshot: Snapshot) -> Iterator[tuple[str, tuple[Prompt, Signature]]]:
    for name in snapshot.names():
        try:
            prompt = snapshot.read(name, deleted=True)
            if not prompt.deleted:
                yield name, (prompt, signature(prompt))
        except (PromptFileError, TemplateError):
            continue


def _class_names(names: Mapping[str, Any]) -> dict[str, str]:
    """Return for each prompt a class name of its own."""
    classes: dict[str, str] = {}
    taken = {"Prompts", "Prompt", "PromptStore", "RenderedPrompt", "Name", "Mapping", "Any"}
    taken |= {"Literal", "NotRequired", "TypedDict"}
    for name in names:
        words = re.split(r"[^A-Za-z0-9]+", name)
        base = "".join(word[:1].upper() + word[1:] for word in words) or "Unnamed"
        base = f"Prompt{base}" if base[0].isdigit() or keyword.iskeyword(base) else base
        chosen, number = base, 2
        while chosen in taken or f"{chosen}Values" in taken:
            chosen, number = f"{base}{number}", number + 1
        taken |= {chosen, f"{chosen}Values"}
        classes[name] = chosen
    return classes


def _names(names: Mapping[str, Any]) -> str:
    if not names:
        return "Name = Literal[()]\n"
    items = "".join(f"    {name!r},\n" for name in names)
    return f"Name = Literal[\n{items}]\n"


def _prompt(name: str, prompt: Prompt, called: Signature, class_name: str) -> str:
    return (
        f"{_values(called, f'{class_name}Values')}\n"
        f"class {class_name}(Prompt):\n"
        f'    """{_documented(name, prompt)}"""\n\n'
        f"    def render({', '.join(_parameters(called))}) -> RenderedPrompt: ...\n"
    )


def _parameters(called: Signature) -> list[str]:
    named = [
        f"{variable}: {_type(declared)}{'' if variable in called.required else ' = ...'}"
        for variable, declared in sorted(
            called.variables.items(), key=lambda item: item[0] not in called.required
        )
        if _is_argument(variable)
    ]
    # A name with a dot or a dash can only be given by `**`.
    rest = ["**more: Any"] if len(named) < len(called.variables) else []
    return ["self", "/", *(["*", *named] if named else []), *rest]


def _values(called: Signature, class_name: str) -> str:
    types = {
        name: _type(declared) if name in called.required else f"NotRequired[{_type(declared)}]"
        for name, declared in called.variables.items()
    }
    items = "".join(f"        {name!r}: {written},\n" for name, written in types.items())
    content = "{\n" + items + "    }" if items else "{}"
    return f"{class_name} = TypedDict(\n    {class_name!r},\n    {content},\n)\n"


def _is_argument(name: str) -> bool:
    is_plain = name.isidentifier() and not keyword.iskeyword(name)
    return is_plain and name != "self" and not name.startswith("__")


def _store(found: Mapping[str, tuple[Prompt, Signature]], classes: Mapping[str, str]) -> str:
    lines = [
        "class Prompts(PromptStore):",
        '    """The store; cast what `PromptStore.open` gives."""',
    ]
    # One signature alone may not be an overload.
    overload = ["    @overload"] if len(found) > 1 else []
    for name, class_name in classes.items():
        parameters = f"self, name: Literal[{name!r}], *, {_SELECTION}, deleted: bool = ..."
        lines += ["", *overload, f"    def get({parameters}) -> {class_name}: ..."]
    for name, class_name in classes.items():
        optional = "" if found[name][1].required else " | None = ..."
        values = f"variables: {class_name}Values{optional}"
        parameters = f"self, name: Literal[{name!r}], {values}, *, {_SELECTION}"
        lines += ["", *overload, f"    def render({parameters}) -> RenderedPrompt: ..."]
    return "\n".join(lines) + "\n"


def _type(variable: Variable) -> str:
    if variable.enum is not None and all(
        isinstance(value, (str, int)) or value is None for value in variable.enum
    ):
        return f"Literal[{', '.join(map(repr, variable.enum))}]"
    return _TYPES[variable.type]


def _documented(name: str, prompt: Prompt) -> str:
    text = f"{name}: {prompt.description}" if prompt.description else f"{name}."
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line.replace("\\", "\\\\").replace('"', "'")
