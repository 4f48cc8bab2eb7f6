"""A prompt and values → text or messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from promptstore.errors import IncludeError, InvalidArgumentError
from promptstore.model.binding import Binder, bind
from promptstore.model.messages import Insert, Message
from promptstore.model.parts import ARGUMENTS
from promptstore.model.variables import Variable
from promptstore.template import (
    Budget,
    Source,
    Template,
    TextFill,
    compile_template,
    fill_with_texts,
)

if TYPE_CHECKING:
    from promptstore.model.prompt import Prompt

_new: Final = object.__new__


@dataclass(slots=True)
class RenderedPrompt:
    """What a render made, and which prompt it was made from.

    Attributes:
        messages: The messages, as the chat APIs take them: dicts with ``role`` and ``content``. A
            text prompt gives one message of the user. The list belongs to the caller.
        prompt: The prompt that was rendered.
    """

    messages: list[dict[str, Any]]
    prompt: Prompt = field(repr=False)

    @property
    def config(self) -> Mapping[str, Any]:
        """The prompt's config, passed through."""
        return self.prompt.config

    @property
    def name(self) -> str | None:
        """The prompt's name."""
        return self.prompt.name

    @property
    def version(self) -> int | None:
        """The prompt's version, or None where history is not known."""
        return self.prompt.version

    @property
    def commit(self) -> str | None:
        """The commit that made this version, or None where history is not known."""
        return self.prompt.commit

    @property
    def snapshot_commit(self) -> str | None:
        """The commit whose tree the prompt and its includes were read from."""
        return self.prompt.snapshot_commit

    @property
    def digest(self) -> str:
        """The identity of meaning of what was rendered."""
        return self.prompt.digest

    @property
    def is_fallback(self) -> bool:
        """Tell whether the caller's own fallback was rendered."""
        return self.prompt.is_fallback

    @property
    def is_chat(self) -> bool:
        """Tell whether it was a chat prompt."""
        return self.prompt.is_chat

    @property
    def text(self) -> str:
        """The text of a rendered text prompt.

        Raises:
            InvalidArgumentError: It was a chat prompt.
        """
        if self.is_chat:
            subject = f"{self.name!r} is" if self.name else "This is"
            raise InvalidArgumentError(
                message=f"{subject} a chat prompt, which has no single text; use .messages"
            )
        text: str = self.messages[0]["content"]
        return text

    def __str__(self) -> str:
        if not self.is_chat:
            return self.text
        return "\n".join(_shown(message) for message in self.messages)


def render_prompt(prompt: Prompt, values: Mapping[str, Any]) -> RenderedPrompt:
    """Fill a prompt with values from a mapping; see `Prompt.render`."""
    program = _program(prompt)
    fill = program.fill_texts
    messages = fill(values) if fill is not None else None
    if messages is None:
        return _render_carefully(prompt, program, values)
    # Calling the class takes longer than these three lines, by a thirtieth of the whole render.
    rendered = _new(RenderedPrompt)
    rendered.messages = messages
    rendered.prompt = prompt
    return rendered


def _render_carefully(
    prompt: Prompt, program: _Program, values: Mapping[str, Any]
) -> RenderedPrompt:
    """Render any prompt, and tell everything that is wrong with the values."""
    bound = program.binder.bind_plainly(values)
    if bound is None:
        bound = bind(
            values,
            program.contract,
            required=program.required,
            used=program.used,
            undeclared=program.undeclared,
            name=prompt.name,
            ignore_unknown=prompt.is_fallback,
        )
    budget = Budget(prompt.limits)
    messages: list[dict[str, Any]] = []
    for item in program.items:
        if isinstance(item, Insert):
            messages.extend(bound.get(item.insert, ()))
        else:
            message = {"role": item.role, "content": item.fill(bound, program.optional, budget)}
            for key, value in item.rest.items():
                message[key] = _fill(value, bound, program.optional, budget)
            messages.append(message)
    return RenderedPrompt(messages, prompt)


class Signature(NamedTuple):
    """How a prompt is called.

    Attributes:
        variables: What a render takes, by name: the declared variables, those of its includes, and
            for a prompt that declares none every name that its texts use.
        required: The names that a render cannot do without.
        undeclared: The names that its texts need and nobody declares, so that every render fails.
    """

    variables: Mapping[str, Variable]
    required: tuple[str, ...]
    undeclared: tuple[str, ...] = ()


def signature(prompt: Prompt) -> Signature:
    """Tell how a prompt is called.

    Args:
        prompt: The prompt, with what it includes.

    Returns:
        The values that it takes and needs.

    Raises:
        TemplateSyntaxError: A text is not a template of its language.
        IncludeError: An include is missing, deleted, cyclic or too deep.
    """
    program = _program(prompt)
    variables = {name: Variable() for name in program.used} | dict(program.contract)
    needed = [name for name, variable in program.contract.items() if variable.needs_value]
    needed += (name for name in program.required if name not in program.contract)
    return Signature(variables, tuple(needed), program.undeclared)


def texts(prompt: Prompt) -> list[tuple[tuple[str | int, ...], str]]:
    """List every template of a prompt with its place in the file.

    Args:
        prompt: The prompt, or what its file says.

    Returns:
        Pairs of the path of keys in the file, such as ``("messages", 0, "content")``, and text.
    """
    if prompt.prompt is not None:
        return [(("prompt",), prompt.prompt)]
    found: list[tuple[tuple[str | int, ...], str]] = []
    for index, message in enumerate(prompt.messages or ()):
        if isinstance(message, Message):
            found += _leaves(message.content, ("messages", index, "content"))
            for number, call in enumerate(message.tool_calls or ()):
                for key, name in ARGUMENTS.items():
                    if isinstance(call.get(key), dict):
                        path = ("messages", index, "tool_calls", number, key, name)
                        found += _leaves(call[key].get(name), path)
    return found


def _leaves(value: Any, path: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        return [] if path[-1] == "type" else [(path, value)]
    if isinstance(value, dict):
        pairs: Any = value.items()
    elif isinstance(value, (list, tuple)):
        pairs = enumerate(value)
    else:
        return []
    return [leaf for key, item in pairs for leaf in _leaves(item, (*path, key))]


class _CompiledMessage(NamedTuple):
    role: str
    fill: Callable[[Mapping[str, Any], frozenset[str], Budget], Any]
    rest: Mapping[str, Any]


class _Program(NamedTuple):
    """A prompt made ready to render: everything that does not depend on the values."""

    items: tuple[_CompiledMessage | Insert, ...]
    contract: Mapping[str, Variable]
    required: tuple[str, ...]
    used: tuple[str, ...]
    undeclared: tuple[str, ...]
    optional: frozenset[str]
    binder: Binder
    fill_texts: TextFill | None


def _program(prompt: Prompt) -> _Program:
    # The copies that callers are given share the program of the prompt that is kept.
    kept = prompt._kept or prompt  # noqa: SLF001 - both memos belong to this module
    program = kept._program  # noqa: SLF001
    if program is None:
        program = _prepare(kept)
        object.__setattr__(kept, "_program", program)
    return program


def _prepare(prompt: Prompt) -> _Program:
    _refuse_unfit_includes(prompt)
    sources = {
        name: Source(text=included.prompt or "", kind=included.template, name=name)
        for name, included in prompt.includes.items()
    }
    templates: list[Template] = []

    def compiled(text: str) -> Template:
        source = Source(text=text, kind=prompt.template, name=prompt.name)
        templates.append(compile_template(source, sources, prompt.limits))
        return templates[-1]

    items = tuple(_compile_item(item, compiled) for item in _items(prompt))
    contract = contract_of(prompt)
    used = sorted({name for template in templates for name in template.variables})
    required = sorted({name for template in templates for name in template.required})
    is_closed = prompt.variables is not None
    undeclared = tuple(n for n in required if n not in contract) if is_closed else ()
    return _Program(
        items=items,
        contract=contract,
        required=() if is_closed else tuple(required),
        used=() if is_closed else tuple(used),
        undeclared=undeclared,
        binder=Binder(contract, () if is_closed else used, undeclared),
        optional=frozenset(
            name
            for name, variable in contract.items()
            if variable.required is False and not variable.has_default
        ),
        fill_texts=_fill_texts(prompt, templates, contract),
    )


def _fill_texts(
    prompt: Prompt, templates: Sequence[Template], contract: Mapping[str, Variable]
) -> TextFill | None:
    """Give the quick way to render a prompt, or None where it needs more than a text for each name.

    Returns:
        What fills its messages.
    """
    used = {name for template in templates for name in template.variables}
    if contract.keys() != (used if prompt.variables is not None else set()):
        return None
    if not all(_is_needed_text(variable) for variable in contract.values()):
        return None
    items = _items(prompt)
    roles = [
        item.role
        for item in items
        if isinstance(item, Message) and isinstance(item.content, str) and not _rest(item, str)
    ]
    if not roles or len(roles) != len(items):
        return None
    pairs = list(zip(roles, templates, strict=True))
    return fill_with_texts(pairs, len(used), prompt.limits.max_output)


def _is_needed_text(variable: Variable) -> bool:
    return variable.type == "string" and variable.enum is None and variable.needs_value


def _items(prompt: Prompt) -> tuple[Message | Insert, ...]:
    if prompt.prompt is not None:
        return (Message(role="user", content=prompt.prompt),)
    return prompt.messages or ()


def _compile_item(item: Message | Insert, compiled: Any) -> _CompiledMessage | Insert:
    if isinstance(item, Insert):
        return item
    if isinstance(item.content, str):
        return _CompiledMessage(item.role, compiled(item.content).render, _rest(item, compiled))
    content = None if item.content is None else [_compile_part(p, compiled) for p in item.content]
    return _CompiledMessage(item.role, partial(_fill, content), _rest(item, compiled))


def _rest(message: Message, compiled: Any) -> dict[str, Any]:
    """Return the fields beside role and content that a message has, templates compiled."""
    calls = [_compile_call(call, compiled) for call in message.tool_calls or ()]
    found = {
        "name": message.name,
        "tool_calls": calls or None,
        "tool_call_id": message.tool_call_id,
        "refusal": message.refusal,
        "cache_control": message.cache_control,
    }
    return {key: value for key, value in found.items() if value is not None}


def _compile_call(call: Mapping[str, Any], compiled: Any) -> dict[str, Any]:
    made = dict(call)
    for key, name in ARGUMENTS.items():
        if isinstance(call.get(key), dict):
            inner = call[key]
            made[key] = {**inner, name: _compile_part(inner.get(name), compiled)}
    return made


def _compile_part(value: Any, compiled: Any) -> Any:
    if isinstance(value, str):
        return compiled(value)
    if isinstance(value, dict):
        return {
            key: item if key == "type" else _compile_part(item, compiled)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_compile_part(item, compiled) for item in value]
    return value


def _fill(content: Any, values: Mapping[str, Any], optional: frozenset[str], budget: Budget) -> Any:
    if isinstance(content, Template):
        return content.render(values, optional, budget)
    if isinstance(content, dict):
        return {key: _fill(item, values, optional, budget) for key, item in content.items()}
    if isinstance(content, list):
        return [_fill(item, values, optional, budget) for item in content]
    return content


def contract_of(prompt: Prompt) -> Mapping[str, Variable]:
    """Return every declared variable by name: the prompt's own, then those of its includes."""
    contract: dict[str, Variable] = dict(prompt.variables or {})
    for included in prompt.includes.values():
        for name, variable in (included.variables or {}).items():
            contract.setdefault(name, variable)
    for item in prompt.messages or ():
        if isinstance(item, Insert):
            contract.setdefault(item.insert, Variable(type="messages"))
    return contract


def _refuse_unfit_includes(prompt: Prompt) -> None:
    for name, included in prompt.includes.items():
        if included.is_chat:
            reason, code = "it is a chat prompt, and only a text prompt can be included", "PS305"
        elif included.deleted:
            why = f" ({included.deleted_reason})" if included.deleted_reason else ""
            instead = f"; use {included.replaced_by!r}" if included.replaced_by else ""
            reason, code = f"it is deleted{why}{instead}", "PS302"
        else:
            continue
        raise IncludeError(
            target=name, chain=[prompt.name or "this prompt"], reason=reason, code=code
        )


def _shown(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return f"[{message.get('role')}]\n{text}"
