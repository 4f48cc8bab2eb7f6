"""What a prompt file may say: plain values → every fault that they have."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from promptstore.model.binding import UnfitValueError, fit
from promptstore.model.messages import PART_TYPES, ROLES
from promptstore.model.names import is_name
from promptstore.model.variables import VARIABLE_TYPES, Variable, VariableType
from promptstore.promptfile import codes
from promptstore.promptfile.problems import KeyPath
from promptstore.promptfile.scalars import shown
from promptstore.template import TEMPLATE_KINDS

Report = Callable[[KeyPath, str, str], None]
"""Takes the path of what is wrong, a code and a sentence."""

KEYS: Final = (
    "id", "description", "template", "variables", "prompt", "messages", "config", "tags",
    "metadata", "deleted", "deleted_reason", "replaced_by",
)  # fmt: skip
"""The keys at the top of a prompt file; ``x-…`` keys are free besides."""

EXTENSION_PREFIX: Final = "x-"
_VARIABLE_KEYS: Final = ("type", "description", "enum", "default", "required")
_MESSAGE_KEYS: Final = ("role", "content", "insert")
NESTED_KEYS: Final = (*_VARIABLE_KEYS, *_MESSAGE_KEYS)
"""The keys of a variable's declaration and of a message."""

PART_FIELDS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "image_url": (("url",), ("url", "detail")),
    "input_audio": (("data", "format"), ("data", "format")),
    "file": ((), ("file_id", "file_data", "filename")),
}
"""The fields of a part by its type: those that it needs, and those that it may have."""

_KnownKeys: TypeAlias = Mapping[str, None]
"""Keys in the order in which an error lists them; looking one up takes no time."""

_AT_TOP: Final = dict.fromkeys(KEYS)
_OF_VARIABLE: Final = dict.fromkeys(_VARIABLE_KEYS)
_OF_MESSAGE: Final = dict.fromkeys(_MESSAGE_KEYS)
_OF_INSERT: Final = dict.fromkeys(("insert",))
_JINJA_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_SIMPLE_NAME: Final = re.compile(r"(?!_)[\w.-]+")
_JINJA_RULE: Final = "a letter, then letters, digits and '_'"
_SIMPLE_RULE: Final = "letters, digits, '_', '.' and '-', not starting with '_'"
_OF_TYPE: Final = {kind: Variable(type=kind) for kind in VARIABLE_TYPES}
_TAKEN_WORDS: Final = frozenset(keyword.kwlist) | {"true", "false", "none", "loop", "range", "self"}


def check_content(value: Mapping[str, Any], report: Report) -> None:
    """Check what a file says.

    Args:
        value: The plain value of the whole file.
        report: Told of every fault. Where there is none, `rebuild` makes a prompt of the value.
    """
    _check_keys(value, (), _AT_TOP, report, free=EXTENSION_PREFIX)
    _check_texts(value, report)
    template, declared = "jinja2", None
    if "template" in value:
        template = _one_of(value["template"], ("template",), TEMPLATE_KINDS, report)
    if "variables" in value:
        declared = _check_variables(value["variables"], template, report)
    if "messages" in value:
        _check_messages(value["messages"], _Inserts(declared, template), report)
    _check_tombstone(value, report)
    for key in ("config", "metadata"):
        if key in value:
            _mapping(value[key], (key,), report)
    if "tags" in value:
        _check_tags(value["tags"], report)
    if "id" in value:
        _check_id(value["id"], report)
    if "deleted" in value:
        _boolean(value["deleted"], ("deleted",), report)


def _check_keys(
    value: Mapping[str, Any],
    path: KeyPath,
    known: _KnownKeys,
    report: Report,
    free: str = "\0",
) -> None:
    if value.keys() <= known.keys():
        return
    for key in value:
        if key not in known and not key.startswith(free):
            near = get_close_matches(shown(key), known, n=1, cutoff=0.65)
            hint = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(known)}."
            report((*path, key), codes.UNKNOWN_KEY, f"The key {shown(key)!r} is not known; {hint}")


def _check_texts(value: Mapping[str, Any], report: Report) -> None:
    for key in ("prompt", "description", "deleted_reason", "replaced_by"):
        if key in value:
            _text(value[key], (key,), report)
    if "prompt" in value and "messages" in value:
        message = "`prompt` and `messages` exclude each other; keep one."
        report(("messages",), codes.MISSING_KEY, message)
    if "prompt" not in value and "messages" not in value:
        message = "Neither `prompt:` (a text prompt) nor `messages:` (a chat prompt) is here."
        report((), codes.MISSING_KEY, message)


def _text(value: Any, path: KeyPath, report: Report) -> str:
    if isinstance(value, str):
        return value
    message = f"{_named(path)} must be a text, not {_kind(value)}{_quotes(value)}."
    report(path, codes.WRONG_VALUE, message)
    return ""


def _one_of(value: Any, path: KeyPath, choices: tuple[Any, ...], report: Report) -> Any:
    if value in choices and not isinstance(value, bool):
        return value
    near = get_close_matches(shown(str(value)), choices, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; it is one of {', '.join(choices)}."
    report(path, codes.WRONG_VALUE, f"{_named(path)} cannot be {shown(repr(value))}{hint}")
    return choices[0]


def _boolean(value: Any, path: KeyPath, report: Report) -> bool:
    if isinstance(value, bool):
        return value
    report(path, codes.WRONG_VALUE, f"{_named(path)} must be true or false, not {_kind(value)}.")
    return False


def _mapping(value: Any, path: KeyPath, report: Report) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return value
    report(
        path, codes.WRONG_VALUE, f"{_named(path)} must be a mapping of keys, not {_kind(value)}."
    )
    return None


def _check_tags(value: Any, report: Report) -> None:
    if not isinstance(value, list):
        report(("tags",), codes.WRONG_VALUE, f"`tags` must be a list, not {_kind(value)}.")
        return
    tags: set[str] = set()
    for index, item in enumerate(value):
        tag = _text(item, ("tags", index), report)
        if isinstance(item, str) and (not tag.strip() or tag in tags):
            fault = "is here twice" if tag in tags else "is empty"
            report(("tags", index), codes.WRONG_VALUE, f"The tag {shown(tag)!r} {fault}.")
        tags.add(tag)


def _check_id(value: Any, report: Report) -> None:
    text = _text(value, ("id",), report)
    try:
        is_uuid = str(UUID(text)) == text
    except ValueError:
        is_uuid = False
    if text and not is_uuid:
        message = "`id` must be a UUID in lower case, such as 497f6eca-6276-4993-bfeb-53cbbbba6f08."
        report(("id",), codes.WRONG_VALUE, message)


def _check_tombstone(value: Mapping[str, Any], report: Report) -> None:
    if value.get("deleted") is not True:
        for key in ("deleted_reason", "replaced_by"):
            if key in value:
                message = f"`{key}` belongs to a deleted prompt; add `deleted: true` or remove it."
                report((key,), codes.MISSING_KEY, message)
    replaced_by = value.get("replaced_by")
    if isinstance(replaced_by, str) and not is_name(replaced_by):
        message = f"{shown(replaced_by)!r} is not the name of a prompt."
        report(("replaced_by",), codes.WRONG_VALUE, message)


def _check_variables(value: Any, template: str, report: Report) -> dict[str, str] | None:
    """Check the declarations, and give the type of each variable."""
    path: KeyPath = ("variables",)
    found = _mapping(value, path, report)
    if found is None:
        return None
    if template == "none":
        message = "A prompt with `template: none` has no variables."
        report(path, codes.BAD_VARIABLE, message)
    types: dict[str, str] = {}
    for name, declared in found.items():
        _check_variable_name(name, template, (*path, name), report)
        types[name] = _check_variable(declared, (*path, name), report)
    return types


def _check_variable_name(name: str, template: str, path: KeyPath, report: Report) -> None:
    is_simple = template == "simple"
    if not (_SIMPLE_NAME if is_simple else _JINJA_NAME).fullmatch(name):
        rule = _SIMPLE_RULE if is_simple else _JINJA_RULE
        fault = f"cannot be a variable: its name is {rule}."
        report(path, codes.BAD_VARIABLE, f"{shown(name)!r} {fault}")
    elif not is_simple and (name in _TAKEN_WORDS or name.lower() in _TAKEN_WORDS):
        message = f"{name!r} cannot be a variable: the word means something else in a template."
        report(path, codes.BAD_VARIABLE, message)


def _check_variable(value: Any, path: KeyPath, report: Report) -> str:
    """Check a declaration, and give the variable's type."""
    declared = _mapping({} if value is None else value, path, report)
    if declared is None:
        return "any"
    _check_keys(declared, path, _OF_VARIABLE, report)
    kind: VariableType = "any"
    if "type" in declared:
        kind = _one_of(declared["type"], (*path, "type"), VARIABLE_TYPES, report)
    if "description" in declared:
        _text(declared["description"], (*path, "description"), report)
    allowed = _enum(declared["enum"], kind, path, report) if "enum" in declared else None
    if "required" in declared:
        _check_required(declared, path, report)
    if "default" in declared and (fault := _misfit(declared["default"], kind, allowed)):
        report((*path, "default"), codes.BAD_VARIABLE, f"The default {fault}.")
    return kind


def _enum(values: Any, kind: VariableType, path: KeyPath, report: Report) -> tuple[Any, ...] | None:
    """Check the values that are allowed, and give them where there are some."""
    path = (*path, "enum")
    if not isinstance(values, list) or not values:
        report(path, codes.BAD_VARIABLE, "`enum` must be a list of at least one value.")
        return None
    for index, value in enumerate(values):
        fault = _misfit(value, kind)
        if fault:
            report((*path, index), codes.BAD_VARIABLE, f"The value {fault}.")
    return tuple(values)


def _check_required(declared: Mapping[str, Any], path: KeyPath, report: Report) -> None:
    required = _boolean(declared["required"], (*path, "required"), report)
    if required and "default" in declared:
        message = "A variable with a default is never required; remove `required` or `default`."
        report((*path, "required"), codes.BAD_VARIABLE, message)


def _misfit(value: Any, kind: VariableType, allowed: tuple[Any, ...] | None = None) -> str:
    is_plain = kind == "string" and type(value) is str and value.isascii()
    if is_plain and (allowed is None or value in allowed):
        return ""  # as nearly all are
    variable = _OF_TYPE[kind] if allowed is None else Variable(type=kind, enum=allowed)
    try:
        fit(variable, value)
    except UnfitValueError as unfit:
        return str(unfit)
    return ""


class _Inserts(NamedTuple):
    """What decides which variables may be inserted.

    Attributes:
        declared: The type of each declared variable, or None where none need be.
        template: The language of the prompt's texts, which decides what a name is.
    """

    declared: Mapping[str, str] | None
    template: str


def _check_messages(value: Any, inserts: _Inserts, report: Report) -> None:
    if not isinstance(value, list) or not value:
        what = "an empty list" if value == [] else _kind(value)
        message = f"`messages` must be a list of at least one message, not {what}."
        report(("messages",), codes.WRONG_VALUE, message)
        return
    for index, item in enumerate(value):
        _check_message(item, ("messages", index), inserts, report)


def _check_message(value: Any, path: KeyPath, inserts: _Inserts, report: Report) -> None:
    found = _mapping(value, path, report)
    if found is None:
        return
    if "insert" in found:
        _check_keys(found, path, _OF_INSERT, report)
        _check_insert(found["insert"], (*path, "insert"), inserts, report)
        return
    _check_keys(found, path, _OF_MESSAGE, report)
    for key in ("role", "content"):
        if key not in found:
            report(path, codes.MISSING_KEY, f"A message needs `{key}:`.")
    if "role" in found:
        _one_of(found["role"], (*path, "role"), ROLES, report)
    if "content" in found:
        _check_content(found["content"], (*path, "content"), report)


def _check_insert(value: Any, path: KeyPath, inserts: _Inserts, report: Report) -> None:
    name = _text(value, path, report)
    if not isinstance(value, str):
        return
    if inserts.declared is None:
        _check_variable_name(name, inserts.template, path, report)
    elif name not in inserts.declared:
        add = f"add `{shown(name)}: {{type: messages}}`"
        message = f"{shown(name)!r} is not declared in `variables:`; {add}."
        report(path, codes.BAD_INSERT, message)
    elif (kind := inserts.declared[name]) != "messages":
        message = f"{shown(name)!r} has the type {kind}; an insert needs the type messages."
        report(path, codes.BAD_INSERT, message)


def _check_content(value: Any, path: KeyPath, report: Report) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, list) or not value:
        what = f"must be a text or a list of parts, not {_kind(value)}{_quotes(value)}"
        report(path, codes.WRONG_VALUE, f"{_named(path)} {what}.")
        return
    for index, item in enumerate(value):
        _check_part(item, (*path, index), report)


def _check_part(value: Any, path: KeyPath, report: Report) -> None:
    found = _mapping(value, path, report)
    if found is None:
        return
    if "type" not in found:
        report(path, codes.MISSING_KEY, f"A part needs `type:`, one of {', '.join(PART_TYPES)}.")
        return
    kind = _one_of(found["type"], (*path, "type"), PART_TYPES, report)
    if kind != found["type"]:
        return
    _check_keys(found, path, dict.fromkeys(("type", kind)), report)
    if kind not in found:
        report(path, codes.MISSING_KEY, f"A part of the type {kind} needs `{kind}:`.")
    elif kind == "text":
        _text(found["text"], (*path, "text"), report)
    else:
        _check_part_fields(kind, found[kind], (*path, kind), report)


def _check_part_fields(kind: str, value: Any, path: KeyPath, report: Report) -> None:
    found = _mapping(value, path, report)
    if found is None:
        return
    needed, known = PART_FIELDS[kind]
    _check_keys(found, path, dict.fromkeys(known), report)
    for key in needed:
        if key not in found:
            report(path, codes.MISSING_KEY, f"`{kind}` needs `{key}:`.")
    if not needed and not {"file_id", "file_data"} & found.keys():
        report(path, codes.MISSING_KEY, f"`{kind}` needs `file_id:` or `file_data:`.")
    for key in known:
        if key in found:
            _text(found[key], (*path, key), report)


def _named(path: KeyPath) -> str:
    words = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    return f"`{''.join(words).removeprefix('.')}`"


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
    }
    return names.get(type(value), "a mapping")


def _quotes(value: Any) -> str:
    if value is None:
        return '; write "" for an empty text'
    if isinstance(value, (bool, int, float)):
        return "; put it in quotes"
    return "; a text that starts with a bracket or a brace needs quotes"
