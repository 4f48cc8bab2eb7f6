"""The requests that change prompts, and the values in them as pydantic types.

The type of each error is the ``code`` that the API answers with, and its text the ``detail``.
"""

from __future__ import annotations

import json
import re
import uuid
from contextlib import suppress
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from promptstore.model.values import MAX_DEPTH, is_deep
from promptstore.posthog.content import (
    API_NAME,
    MAX_BYTES,
    MAX_NAME_LENGTH,
    RESERVED_NAME,
)
from promptstore.posthog.models import example

MAX_DESCRIPTION_LENGTH: Final = 400
MAX_EDITS: Final = 1_000
INTEGER_BOUND: Final = 1 << 63
NAME_RULE: Final = "Only letters, numbers, hyphens (-) and underscores (_) are allowed."

NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""How JSON writes the character NUL, which no remote and no file holds."""

HALF: Final = re.compile(r"[\ud800-\udfff]")
"""Half of a character, which UTF-8 cannot write."""

_TRUE: Final = frozenset({"t", "y", "yes", "true", "on", "1"})
_FALSE: Final = frozenset({"f", "n", "no", "false", "off", "0"})
_ZEROS: Final = re.compile(r"\.0*\s*\Z")
_MAX_DIGITS: Final = 1_000
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


def read_text(value: Any) -> str:
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


def read_integer(value: Any) -> int:
    """Return an integer: ``"1"`` and ``1.0`` are taken too, a boolean is not."""
    text = _ZEROS.sub("", str(value))
    if isinstance(value, (str, int, float)) and len(text) <= _MAX_DIGITS:
        with suppress(ValueError):
            number = int(text)
            if abs(number) < INTEGER_BOUND:
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


# What a validator takes, as the documents of the API show it.
_NAME_PATTERN: Final = r"^[A-Za-z0-9_][A-Za-z0-9_-]*$"
_NEW_NAME_PATTERN: Final = _NAME_PATTERN.replace("^", "^(?![nN][eE][wW]$)")
_Natural = Annotated[int, Field(ge=0)]
_NameInput = Annotated[str, Field(pattern=_NAME_PATTERN, max_length=200)] | _Natural
_NewNameInput = Annotated[str, Field(pattern=_NEW_NAME_PATTERN, max_length=200)] | _Natural
_Digits = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}$")]
_CountInput = Annotated[int, Field(ge=1)] | _Digits
_DescriptionInput = Annotated[str, Field(max_length=MAX_DESCRIPTION_LENGTH)] | float
_Word = Literal[0, 1, "t", "y", "yes", "true", "on", "1", "f", "n", "no", "false", "off", "0"]
_AnyJson = str | float | bool | list[Any] | dict[str, Any]

Text = Annotated[str, BeforeValidator(read_text, str | int | float)]
"""A string; a number is taken as its digits."""

Name = Annotated[str, AfterValidator(_name), BeforeValidator(read_text, _NameInput)]
"""The name of a prompt."""

NewName = Annotated[
    str,
    AfterValidator(_new_name),
    AfterValidator(_name),
    BeforeValidator(read_text, _NewNameInput),
]
"""The name of a prompt that is made: ``new`` is reserved."""

Description = Annotated[
    str, Field(max_length=MAX_DESCRIPTION_LENGTH), BeforeValidator(read_text, _DescriptionInput)
]
"""What is said about a version."""

Count = Annotated[int, Field(ge=1), BeforeValidator(read_integer, _CountInput)]
"""A version's number."""

Boolean = Annotated[bool, BeforeValidator(_boolean, bool | _Word)]
"""A boolean; the words that mean one are taken too."""

Content = Annotated[Any, BeforeValidator(_content, _AnyJson)]
"""The content of a prompt: any JSON but null."""

Event = Annotated[Any, BeforeValidator(_not_null, dict[str, Any])]
"""The data of an event: any JSON but null."""

Config = Annotated[dict[str, Any], BeforeValidator(_config, dict[str, Any] | None)]
"""The config of a prompt: a JSON object, or null for none."""

Format: TypeAlias = Literal["json", "source", "native", ""]
"""How a content is given: as the API does, as the file writes it, or the whole file."""

FORMAT: Any = Field(
    "json",
    description="`source`: templates as the file writes them. `native`: the whole file as JSON.",
)
"""The field of a query that says so."""


class Edit(BaseModel):
    """One replacement in a content.

    Attributes:
        old: The text that must be there exactly once.
        new: What it becomes.
    """

    old: str = Field(pattern=r"\S", description="Must match exactly once.")
    new: str = Field(pattern=r"\S")

    @field_validator("old", "new")
    @classmethod
    def _strip(cls, text: str) -> str:
        return check_characters(text).strip()


class CreateRequest(BaseModel):
    """Make a prompt."""

    model_config = example(
        {
            "name": "summarise",
            "prompt": "Summarise: {{text}}",
            "version_description": "First words",
        }
    )

    name: NewName
    prompt: Content
    config: Config = Field(default_factory=dict)
    version_description: Description | None = None
    deleted: Boolean = Field(False, description="Whether it is made as a tombstone.")


class PublishRequest(BaseModel):
    """Make a new version of a prompt."""

    model_config = example(
        {
            "base_version": 1,
            "prompt": "Summarise: {{text}}",
            "version_description": "Shorter",
        }
    )

    prompt: Content = None
    edits: list[Edit] = Field([], max_length=MAX_EDITS)
    config: Config = Field(default_factory=dict)
    base_version: Count = Field(
        description="The version that the change was made for; it must be the newest one."
    )
    version_description: Description = ""

    @field_validator("edits")
    @classmethod
    def _not_empty(cls, edits: list[Edit]) -> list[Edit]:
        if not edits:
            raise fault("invalid_input", "At least one edit operation is required.")
        return edits

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = self.model_fields_set
        if {"prompt", "edits"} <= given:
            raise fault("invalid_input", "Provide either 'prompt' or 'edits', not both.")
        if not given & {"prompt", "edits", "config"}:
            raise fault("invalid_input", "Either 'prompt', 'edits' or 'config' is required.")
        return self


class UpdateRequest(BaseModel):
    """Change a prompt by its id; what is left out stays."""

    model_config = example({"prompt": "Summarise: {{text}}"})

    name: Name = ""
    prompt: Content = None
    deleted: Boolean = False


class ReplaceRequest(BaseModel):
    """Change the name and the content of a prompt by its id."""

    model_config = example({"name": "summarise", "prompt": "Summarise: {{text}}"})

    name: Name
    prompt: Content
    deleted: Boolean = False


class DuplicateRequest(BaseModel):
    """Make a prompt with the newest content of another one."""

    model_config = example({"new_name": "summarise-2"})

    new_name: NewName


class LabelRequest(BaseModel):
    """Point a label at a version."""

    model_config = example({"version": 2})

    version: Count


class FormatQuery(BaseModel):
    """How a content is given, in a request and in an answer."""

    format: Format = FORMAT
