"""Requests and answers of PostHog's API that are about texts and log entries."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from promptstore.posthog.fields import Text

MAX_TEXT: Final = 10_000
"""How many characters a text to translate may have."""


def _example(value: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [value]})


class TranslateRequest(BaseModel):
    """A text to translate."""

    model_config = _example({"text": "Good morning", "target_language": "fr"})

    text: Annotated[Text, Field(pattern=r"\S", max_length=MAX_TEXT, description="The text.")]
    target_language: Annotated[
        Text, Field(pattern=r"\S", max_length=10, description="A code such as `fr`.")
    ] = "en"


class Translation(BaseModel):
    """A text in another language."""

    model_config = _example(
        {"translation": "Bonjour", "detected_language": None, "provider": "openai"}
    )

    translation: str
    detected_language: None = None
    provider: Literal["openai"] = "openai"
