"""Trying a prompt: a form of its variables, and beside it what a model would read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil
from typing import Annotated, Any, Final, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from promptstore.errors import (
    IncludeError,
    InvalidArgumentError,
    PromptStoreError,
    TemplateSyntaxError,
)
from promptstore.model.prompt import Prompt
from promptstore.model.rendering import RenderedPrompt, signature
from promptstore.model.variables import Variable
from promptstore.review.drafts import settings_of
from promptstore.server.asking import ask, consenting, model_of
from promptstore.server.errors import ApiError, api_error
from promptstore.server.projects import Caller
from promptstore.server.web.pages import Form, Name, Sent, page_router, show
from promptstore.server.web.prompts import Number, select
from promptstore.server.web.sessions import Reads, Visitor

router: Final = page_router()

MAX_SECONDS: Final = 60.0
"""How long the model may take."""

_FIELD: Final = "variable."
_JSON_TYPES: Final = ("array", "object", "messages")
_RUN_SCOPE: Final = "llm_analytics:write"
"""Asking the model costs money, so it takes the scope that the API takes for that."""

_Reader = Annotated[Visitor, Reads]


class Input(NamedTuple):
    """The field of one variable.

    Attributes:
        name: The variable.
        variable: Its declaration.
        kind: How it is asked for: ``choice``, ``number``, ``json`` or ``text``.
        choices: The values to choose from, as JSON, with what is shown for each.
        value: What the field holds.
        fault: Why that is no value, or an empty string.
    """

    name: str
    variable: Variable
    kind: str
    choices: list[tuple[str, str]]
    value: str
    fault: str = ""

    @property
    def is_needed(self) -> bool:
        """Whether a render cannot do without it."""
        return self.variable.needs_value

    @property
    def hint(self) -> str:
        """What is said beside the field."""
        kind = "JSON" if self.kind == "json" else ""
        default = "" if self.variable.default in ("", [], {}) else _shown(self.variable)
        return ", ".join(filter(None, (self.variable.type, kind, default)))


class Tried(NamedTuple):
    """What came of a try.

    Attributes:
        inputs: The fields of the variables.
        rendered: The rendered prompt, or None where it cannot be rendered.
        fault: Why it cannot.
        characters: How many characters the model would read.
        tokens: How many tokens these are, roughly.
        arguments: The arguments for each vendor's API, or why there are none.
    """

    inputs: list[Input]
    rendered: RenderedPrompt | None = None
    fault: str = ""
    characters: int = 0
    tokens: int = 0
    arguments: tuple[tuple[str, str, bool], ...] = ()


@router.get("/try/{name:path}")
def show_try(
    visitor: _Reader, name: Annotated[str, Name], version: Number = None, label: str = ""
) -> Response:
    """Show the form to try a prompt."""
    return _page(visitor, select(visitor.project, name, version, label), Form(), label)


@router.post("/try/{name:path}")
async def send_try(
    visitor: _Reader,
    name: Annotated[str, Name],
    form: Annotated[Form, Sent],
    version: Number = None,
    label: str = "",
) -> Response:
    """Show what a prompt is with some values; or ask the model, and show its answer."""
    prompt = await run_in_threadpool(select, visitor.project, name, version, label)
    answer, fault = "", ""
    if form.wants("run"):
        visitor.require(_RUN_SCOPE)
        tried = await run_in_threadpool(_try, visitor, prompt, form)
        if tried.rendered is not None:
            answer, fault = await _run(visitor, tried.rendered)
    return await run_in_threadpool(_page, visitor, prompt, form, label, answer, fault)


def _page(
    visitor: Visitor, prompt: Prompt, form: Form, label: str, answer: str = "", fault: str = ""
) -> Response:
    tried = _try(visitor, prompt, form)
    return show(
        visitor,
        "try.html",
        name=prompt.name,
        prompt=prompt,
        label=label,
        tried=tried,
        has_model="model" in prompt.config,
        model_name=form.get("model", ""),
        is_typed=bool(form),
        is_stale=form.is_stale,
        can_ask=visitor.request.app.state.model is not None and visitor.may(_RUN_SCOPE),
        answer=answer,
        answer_fault=fault,
    )


async def _run(visitor: Visitor, rendered: RenderedPrompt) -> tuple[str, str]:
    """Return the answer of the model, or why there is none."""
    failed = api_error(500, "model_error", "The model did not answer; the server's log says why.")
    late = api_error(504, "model_timeout", f"The model took longer than {MAX_SECONDS:g} seconds.")
    try:
        consenting(Caller(visitor.project, visitor.author))
        model = model_of(visitor.request)
        answer = await ask(model, rendered, MAX_SECONDS, failed=failed, late=late)
    except ApiError as error:
        return "", str(error.detail)
    return answer, "" if answer else "The model answered nothing."


def _try(visitor: Visitor, prompt: Prompt, form: Mapping[str, str]) -> Tried:
    """Return what came of the values in a form."""
    try:
        inputs = _inputs(prompt, form)
    except (TemplateSyntaxError, IncludeError) as error:
        return Tried([], fault=str(error))
    wrong = next((one for one in inputs if one.fault), None)
    if wrong is not None:
        return Tried(inputs, fault=f"{wrong.name}: {wrong.fault}")
    name = form.get("model", "").strip()
    if name and "model" not in prompt.config:
        prompt = replace(prompt, config={**prompt.config, "model": name})
    try:
        rendered = prompt.render({one.name: _value(one) for one in inputs if one.value != ""})
    except PromptStoreError as error:
        return Tried(inputs, fault=str(error))
    characters = sum(_size(message.get("content")) for message in rendered.messages)
    each = settings_of(visitor.project.store).characters_per_token
    vendors: list[tuple[str, Callable[[], Mapping[str, Any]]]] = [
        ("OpenAI", rendered.openai_chat),
        ("Anthropic", rendered.anthropic),
    ]
    arguments = tuple((vendor, *_arguments(make)) for vendor, make in vendors)
    return Tried(inputs, rendered, "", characters, ceil(characters / each), arguments)


def _arguments(make: Callable[[], Mapping[str, Any]]) -> tuple[str, bool]:
    """Return the arguments as JSON and True, or why there are none and False."""
    try:
        return json.dumps(make(), ensure_ascii=False, indent=2), True
    except PromptStoreError as error:
        return str(error), False


def _inputs(prompt: Prompt, form: Mapping[str, str]) -> list[Input]:
    return [
        _with_fault(Input(name, variable, *_kind(variable), form.get(f"{_FIELD}{name}", "")))
        for name, variable in signature(prompt).variables.items()
    ]


def _kind(variable: Variable) -> tuple[str, list[tuple[str, str]]]:
    values: list[Any] = [True, False] if variable.type == "boolean" else []
    if variable.enum is not None:
        values = [*variable.enum]
    if values:
        texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
        return "choice", list(zip(map(json.dumps, values), texts, strict=True))
    if variable.type in ("integer", "number"):
        return "number", []
    return ("json" if variable.type in _JSON_TYPES else "text"), []


def _with_fault(field: Input) -> Input:
    if field.value == "" or field.kind == "text":
        return field
    try:
        _value(field)
    except InvalidArgumentError as error:
        return field._replace(fault=str(error))
    return field


def _value(field: Input) -> Any:
    """Return the value that a field holds.

    Raises:
        InvalidArgumentError: It is no JSON.
    """
    is_text = field.kind == "text"
    if is_text and (field.variable.type == "string" or field.value.lstrip()[:1] not in ("[", "{")):
        return field.value
    try:
        return json.loads(field.value)
    except (ValueError, RecursionError) as error:
        if is_text:
            return field.value
        what = "a number" if field.kind == "number" else "JSON"
        raise InvalidArgumentError(message=f"this is not {what}: {error}") from None


def _size(content: Any) -> int:
    if isinstance(content, str):
        return len(content)
    if isinstance(content, list):
        return sum(len(part.get("text", "")) for part in content if isinstance(part, dict))
    return 0


def _shown(variable: Variable) -> str:
    if variable.has_default:
        return f"default {json.dumps(variable.default, ensure_ascii=False)}"
    return "" if variable.needs_value else "may be left out"
