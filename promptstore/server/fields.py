"""The values of a request: each is read, or refused with the words that clients know."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from promptstore.history.labels import is_label
from promptstore.model.values import MAX_DEPTH
from promptstore.server.content import MAX_BYTES, TextEdit, is_deep, size_of
from promptstore.server.ids import read_uuid
from promptstore.server.problems import RefusedError, invalid, invalid_name, required

_TRUE: Final = frozenset({"t", "y", "yes", "true", "on", "1"})
_FALSE: Final = frozenset({"f", "n", "no", "false", "off", "0"})
_ZEROES: Final = re.compile(r"\.0*\s*\Z")
_MAX_DIGITS: Final = 1_000
_INTEGER_BOUND: Final = 1 << 63
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_API_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_MAX_NAME: Final = 255
_MAX_LABEL: Final = 128
_MAX_DESCRIPTION: Final = 400
_MAX_EDITS: Final = 1_000


def read_object(value: Any) -> Mapping[str, Any]:
    """Take a body that must be a JSON object."""
    if value is None:
        raise invalid("null", "No data provided")
    if not isinstance(value, dict):
        kind = type(value).__name__
        raise invalid("invalid_input", f"Invalid data. Expected a dictionary, but got {kind}.")
    return value


def require(data: Mapping[str, Any], attr: str) -> Any:
    """Take a value that must be there and not null."""
    if attr not in data:
        raise required(attr)
    return _not_null(data[attr], attr)


def read_text(value: Any, attr: str, *, limit: int | None = None, blank: bool = False) -> str:
    """Read a text: a number is taken as its digits, white space around it is dropped."""
    value = _not_null(value, attr)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise invalid("invalid_input", "Not a valid string.", attr)
    text = str(value).strip()
    _check_letters(text, attr)
    if not text and not blank:
        raise invalid("blank", "This field may not be blank.", attr)
    if limit is not None and len(text) > limit:
        raise invalid("max_length", f"Ensure this field has no more than {limit} characters.", attr)
    return text


def read_integer(
    value: Any, attr: str, *, least: int | None = None, most: int | None = None
) -> int:
    """Read an integer: ``"1"`` and ``1.0`` are taken too, a boolean is not."""
    number = _integer(_not_null(value, attr), attr)
    if least is not None and number < least:
        detail = f"Ensure this value is greater than or equal to {least}."
        raise invalid("min_value", detail, attr)
    if most is not None and number > most:
        detail = f"Ensure this value is less than or equal to {most}."
        raise invalid("max_value", detail, attr)
    return number


def read_boolean(value: Any, attr: str) -> bool:
    """Read a boolean, or one of the words that mean one."""
    value = _not_null(value, attr)
    if isinstance(value, (bool, str, int, float)):
        word = str(value).lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise invalid("invalid_input", "Must be a valid boolean.", attr)


def read_json(value: Any, attr: str) -> Any:
    """Read any JSON but null."""
    value = _not_null(value, attr)
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (ValueError, RecursionError):
        raise invalid("invalid_input", "Value must be valid JSON.", attr) from None
    _check_letters(text, attr)
    if "\\u0000" in text and _holds_nul(value):
        raise _no_nul(attr)
    if is_deep(value):
        detail = f"Ensure this value is nested no deeper than {MAX_DEPTH} levels."
        raise invalid("max_depth", detail, attr)
    return value


def read_config(value: Any) -> Mapping[str, Any]:
    """Read a config: a JSON object, or null for none."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(
            "invalid_config",
            'Config must be a JSON object, e.g. {"model": "your-model-name", "temperature": 0}.',
            "config",
        )
    read_json(value, "config")
    if size_of(value) > MAX_BYTES:
        raise invalid("max_size", f"Config must be {MAX_BYTES} bytes or fewer.", "config")
    return value


def read_description(value: Any) -> str | None:
    """Read the description of a version; a blank one is none."""
    attr = "version_description"
    return read_text(value, attr, limit=_MAX_DESCRIPTION, blank=True) or None


def read_edits(value: Any) -> list[TextEdit]:
    """Read a list of edits."""
    value = _not_null(value, "edits")
    if not isinstance(value, list):
        kind = type(value).__name__
        detail = f'Expected a list of items but got type "{kind}".'
        raise invalid("not_a_list", detail, "edits__non_field_errors")
    if not value:
        raise invalid("invalid_input", "At least one edit operation is required.", "edits")
    if len(value) > _MAX_EDITS:
        detail = f"Ensure this field has no more than {_MAX_EDITS} elements."
        raise invalid("max_length", detail, "edits")
    return [_edit(item, index) for index, item in enumerate(value)]


def read_name(value: Any, attr: str = "name", *, reserved: bool = True) -> str:
    """Read the name of a prompt, as the API spells it.

    Args:
        value: The value.
        attr: The field that it is from.
        reserved: Whether the reserved name ``new`` is refused.
    """
    name = read_text(value, attr, limit=_MAX_NAME)
    if not _API_NAME.fullmatch(name):
        raise invalid_name(attr)
    if reserved and name.casefold() == "new":
        raise invalid("reserved_name", "'new' is a reserved name and cannot be used.", attr)
    return name


def read_label(text: str, attr: str | None = None) -> str:
    """Read the name of a label."""
    label = text.strip()
    refused = _label_problem(label)
    if refused is None:
        return label
    code, detail = refused
    raise invalid(code, detail, attr)


def query_integer(
    query: Mapping[str, str], attr: str, *, least: int | None = None, most: int | None = None
) -> int | None:
    """Read an integer of the query; a blank one counts as none."""
    text = query.get(attr)
    return None if not text else read_integer(text, attr, least=least, most=most)


def query_choice(query: Mapping[str, str], attr: str, choices: Sequence[str], default: str) -> str:
    """Read a word of the query that must be one of some."""
    text = query.get(attr) or default
    if text not in choices:
        raise invalid("invalid_choice", f'"{text}" is not a valid choice.', attr)
    return text


def query_label(query: Mapping[str, str]) -> str | None:
    """Read the label of the query; a blank one counts as none."""
    text = (query.get("label") or "").strip()
    if not text:
        return None
    if len(text) > _MAX_LABEL:
        detail = f"Ensure this field has no more than {_MAX_LABEL} characters."
        raise invalid("max_length", detail, "label")
    return read_label(text, "label")


def query_uuid(query: Mapping[str, str], attr: str) -> str | None:
    """Read a UUID of the query; a blank one counts as none."""
    text = query.get(attr)
    if not text:
        return None
    found = read_uuid(text)
    if found is None:
        raise invalid("invalid_input", "Must be a valid UUID.", attr)
    return found


def page_number(query: Mapping[str, str], attr: str, *, default: int, least: int) -> int:
    """Read ``limit`` or ``offset`` of a list, where anything odd means the default."""
    try:
        number = int(query.get(attr, ""))
    except ValueError:
        return default
    return number if least <= number < _INTEGER_BOUND else default


def _not_null(value: Any, attr: str) -> Any:
    if value is None:
        raise invalid("null", "This field may not be null.", attr)
    return value


def _integer(value: Any, attr: str) -> int:
    text = _ZEROES.sub("", str(value))
    if isinstance(value, (str, int, float)) and len(text) <= _MAX_DIGITS:
        with suppress(ValueError):
            number = int(text)
            if abs(number) < _INTEGER_BOUND:
                return number
    raise invalid("invalid_input", "A valid integer is required.", attr)


def _check_letters(text: str, attr: str) -> None:
    if "\0" in text:
        raise _no_nul(attr)
    half = _SURROGATE.search(text)
    if half:
        detail = f"Surrogate characters are not allowed: U+{ord(half[0]):X}."
        raise invalid("surrogate_characters_not_allowed", detail, attr)


def _no_nul(attr: str) -> RefusedError:
    return invalid("null_characters_not_allowed", "Null characters are not allowed.", attr)


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(item) for pair in value.items() for item in pair)
    return isinstance(value, list) and any(map(_holds_nul, value))


def _edit(item: Any, index: int) -> TextEdit:
    if not isinstance(item, dict):
        raise invalid("invalid_input", f"Edit {index} must be an object.", "edits")
    texts = []
    for key in ("old", "new"):
        text = item.get(key)
        if not isinstance(text, str) or not text.strip():
            detail = f"Edit {index} needs a text that is not blank as {key!r}."
            raise invalid("invalid_input", detail, "edits")
        _check_letters(text, "edits")
        texts.append(text.strip())
    return TextEdit(*texts)


def _label_problem(label: str) -> tuple[str, str] | None:
    if not 0 < len(label) <= _MAX_LABEL:
        return "invalid_label_name", "Label names must be between 1 and 128 characters."
    if label.casefold() == "latest":
        return (
            "reserved_label_name",
            "'latest' is a reserved label. It always points to the newest version.",
        )
    if label.isdigit():
        return (
            "invalid_label_name",
            "Label names cannot be numbers only, to avoid confusion with version numbers.",
        )
    if is_label(label):
        return None
    return (
        "invalid_label_name",
        "Use lowercase letters, numbers, dots (.), hyphens (-) and underscores (_), starting and "
        "ending with a letter or number.",
    )
