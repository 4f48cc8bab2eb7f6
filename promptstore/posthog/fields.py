"""The values of PostHog's API as pydantic types: what is taken, and in which words it is refused.

The type of each error is the ``code`` that the API answers with, and its text the ``detail``.
"""

from __future__ import annotations

import json
import re
import uuid
from contextlib import suppress
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from promptstore.history.labels import is_label
from promptstore.model.values import MAX_DEPTH
from promptstore.posthog.content import (
    API_NAME,
    HALF,
    MAX_BYTES,
    MAX_NAME_LENGTH,
    NUL,
    RESERVED_NAME,
    is_deep,
)

MAX_LABEL_LENGTH: Final = 128
MAX_DESCRIPTION_LENGTH: Final = 400
MAX_EDITS: Final = 1_000
NAME_RULE: Final = "Only letters, numbers, hyphens (-) and underscores (_) are allowed."

_TRUE: Final = frozenset({"t", "y", "yes", "true", "on", "1"})
_FALSE: Final = frozenset({"f", "n", "no", "false", "off", "0"})
_ZEROS: Final = re.compile(r"\.0*\s*\Z")
_MAX_DIGITS: Final = 1_000
_INTEGER_BOUND: Final = 1 << 63
_UUID: Final = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}")
_HINT: Final = 'Config must be a JSON object, e.g. {"model": "your-model-name", "temperature": 0}.'


def fault(code: str, detail: str) -> PydanticCustomError:
    """Return the error that refuses a value with a code and a detail."""
    return PydanticCustomError(code, "{detail}", {"detail": detail})


def read_uuid(text: str) -> str | None:
    """Return a UUID in its usual form, from any letter case, with or without dashes; else None."""
    folded = text.lower()
    return str(uuid.UUID(folded)) if _UUID.fullmatch(folded) else None


def check_characters(text: str) -> str:
    """Refuse what no file in UTF-8 can hold."""
    if "\0" in text:
        raise fault("null_characters_not_allowed", "Null characters are not allowed.")
    half = HALF.search(text)
    if half:
        detail = f"Surrogate characters are not allowed: U+{ord(half[0]):X}."
        raise fault("surrogate_characters_not_allowed", detail)
    return text


def _text(value: Any) -> str:
    """Return a string: a number gives its digits, white space around it is dropped."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise fault("invalid_input", "Not a valid string.")
    return check_characters(str(value).strip())


def _name(text: str) -> str:
    if not text:
        raise fault("blank", "This field may not be blank.")
    if len(text) > MAX_NAME_LENGTH:
        detail = f"Ensure this field has no more than {MAX_NAME_LENGTH} characters."
        raise fault("max_length", detail)
    if not API_NAME.fullmatch(text):
        raise fault("invalid_name", NAME_RULE)
    return text


def _new_name(text: str) -> str:
    if text.lower() == RESERVED_NAME:
        raise fault("reserved_name", f"'{RESERVED_NAME}' is a reserved name and cannot be used.")
    return text


def _integer(value: Any) -> int:
    """Return an integer: ``"1"`` and ``1.0`` are taken too, a boolean is not."""
    text = _ZEROS.sub("", str(value))
    if isinstance(value, (str, int, float)) and len(text) <= _MAX_DIGITS:
        with suppress(ValueError):
            number = int(text)
            if abs(number) < _INTEGER_BOUND:
                return number
    raise fault("invalid_input", "A valid integer is required.")


def _boolean(value: Any) -> bool:
    """Return a boolean, also from the words that mean one."""
    if isinstance(value, (bool, str, int, float)):
        word = str(value).lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    raise fault("invalid_input", "Must be a valid boolean.")


def _not_null(value: Any) -> Any:
    if value is None:
        raise fault("null", "This field may not be null.")
    return value


def _json(value: Any, too_large: str) -> Any:
    """Return any JSON but null that the API and a prompt file can hold."""
    _not_null(value)
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        raise fault("invalid_input", "Value must be valid JSON.") from None
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise fault("max_size", too_large)
    check_characters("\0" if NUL.search(text) else text)
    if is_deep(value):
        detail = f"Ensure this value is nested no deeper than {MAX_DEPTH} levels."
        raise fault("max_depth", detail)
    return value


def _content(value: Any) -> Any:
    return _json(value, f"Prompt payload must be {MAX_BYTES} bytes or fewer.")


def _config(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise fault("invalid_config", _HINT)
    _json(value, f"Config must be {MAX_BYTES} bytes or fewer.")
    return value


def _label(value: Any) -> str:
    label = _text(value)
    if not 0 < len(label) <= MAX_LABEL_LENGTH:
        raise fault("invalid_label_name", "Label names must be between 1 and 128 characters.")
    if label.casefold() == "latest":
        detail = "'latest' is a reserved label. It always points to the newest version."
        raise fault("reserved_label_name", detail)
    if label.isdigit():
        detail = "Label names cannot be numbers only, to avoid confusion with version numbers."
        raise fault("invalid_label_name", detail)
    if not is_label(label):
        detail = (
            "Use lowercase letters, numbers, dots (.), hyphens (-) and underscores (_), starting "
            "and ending with a letter or number."
        )
        raise fault("invalid_label_name", detail)
    return label


def _queried_label(value: Any) -> str:
    if len(_text(value)) > MAX_LABEL_LENGTH:
        detail = f"Ensure this field has no more than {MAX_LABEL_LENGTH} characters."
        raise fault("max_length", detail)
    return _label(value)


def _uuid(text: Any) -> str:
    found = read_uuid(str(text))
    if found is None:
        raise fault("invalid_input", "Must be a valid UUID.")
    return found


def _page_number(least: int, default: int) -> Any:
    """Return what reads ``limit`` or ``offset`` of a list, where anything odd is the default."""

    def read(value: Any) -> int:
        with suppress(ValueError):
            number = int(value)
            return number if least <= number < _INTEGER_BOUND else default
        return default

    return BeforeValidator(read, int | str)


def _absent_where_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


_NAME_PATTERN: Final = r"^[A-Za-z0-9_][A-Za-z0-9_-]*$"
_NEW_NAME_PATTERN: Final = _NAME_PATTERN.replace("^", "^(?![nN][eE][wW]$)")
_LABEL_PATTERN: Final = r"^(?!latest$)(?![0-9]+$)[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$"

# What a validator takes, as the documents of the API show it.
_Natural = Annotated[int, Field(ge=0)]
_NameInput = Annotated[str, Field(pattern=_NAME_PATTERN, max_length=200)] | _Natural
_NewNameInput = Annotated[str, Field(pattern=_NEW_NAME_PATTERN, max_length=200)] | _Natural
_LabelInput = Annotated[str, Field(pattern=_LABEL_PATTERN, max_length=MAX_LABEL_LENGTH)]
_Digits = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}$")]
_CountInput = Annotated[int, Field(ge=1)] | _Digits
_PageSizeInput = Annotated[int, Field(ge=1, le=100)]
_DescriptionInput = Annotated[str, Field(max_length=MAX_DESCRIPTION_LENGTH)] | float
_Word = Literal[0, 1, "t", "y", "yes", "true", "on", "1", "f", "n", "no", "false", "off", "0"]
_AnyJson = str | float | bool | list[Any] | dict[str, Any]

Text = Annotated[str, BeforeValidator(_text, str | int | float)]
"""A string; a number is taken as its digits."""

Name = Annotated[str, AfterValidator(_name), BeforeValidator(_text, _NameInput)]
"""The name of a prompt."""

NewName = Annotated[
    str,
    AfterValidator(_new_name),
    AfterValidator(_name),
    BeforeValidator(_text, _NewNameInput),
]
"""The name of a prompt that is made: ``new`` is reserved."""

Description = Annotated[
    str, Field(max_length=MAX_DESCRIPTION_LENGTH), BeforeValidator(_text, _DescriptionInput)
]
"""What is said about a version."""

Count = Annotated[int, Field(ge=1), BeforeValidator(_integer, _CountInput)]
"""A version's number."""

PageSize = Annotated[int, Field(ge=1, le=100), BeforeValidator(_integer, _PageSizeInput)]
"""How many rows a page has."""

Position = Annotated[int, Field(ge=0), BeforeValidator(_integer, _Natural)]
"""How many rows come before a page."""

Integer = Annotated[int, BeforeValidator(_integer, int)]
"""An integer; the digits of one are taken too."""

Boolean = Annotated[bool, BeforeValidator(_boolean, bool | _Word)]
"""A boolean; the words that mean one are taken too."""

Content = Annotated[Any, BeforeValidator(_content, _AnyJson)]
"""The content of a prompt: any JSON but null."""

Event = Annotated[Any, BeforeValidator(_not_null, dict[str, Any])]
"""The data of an event: any JSON but null."""

Config = Annotated[dict[str, Any], BeforeValidator(_config, dict[str, Any] | None)]
"""The config of a prompt: a JSON object, or null for none."""

Label = Annotated[str, BeforeValidator(_label, _LabelInput)]
"""The name of a label."""

QueriedLabel = Annotated[str, BeforeValidator(_queried_label, _LabelInput)]
"""The name of a label in a query."""

Uuid = Annotated[str, BeforeValidator(_uuid, str)]
"""A UUID in any letter case, with or without dashes."""


class _Blankable:
    """Tells in a JSON schema that a blank string is taken for null."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        value = handler(schema)["anyOf"]
        return {"anyOf": [*value[:-1], {"type": "string", "maxLength": 0}]}


_Value = TypeVar("_Value")
Queried = Annotated[_Value | None, BeforeValidator(_absent_where_blank), _Blankable()]
"""A value of a query, where a blank one counts as none."""

Limit = Annotated[int, _page_number(1, 100)]
"""How many rows a page of a list has; 100 where that is odd."""

Offset = Annotated[int, _page_number(0, 0)]
"""How many rows come before a page of a list; 0 where that is odd."""
