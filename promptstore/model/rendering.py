"""A prompt and values → text or messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from promptstore.errors import IncludeError, InvalidArgumentError
from promptstore.model.binding import bind
from promptstore.model.messages import MESSAGE_KEYS, Insert, Message
from promptstore.model.parts import ARGUMENTS
from promptstore.model.rendered import RenderedPrompt
from promptstore.model.variables import MISSING, Variable
from promptstore.template import Budget, Source, Template, compile_template

if TYPE_CHECKING:
    from promptstore.model.prompt import Prompt

_Path: TypeAlias = tuple[str | int, ...]

_OTHER_FIELDS: Final = MESSAGE_KEYS[2:]
"""What a message may have besides role and content; it is left out where it is None."""

_ARGUMENTS: Final = frozenset(ARGUMENTS.items())
"""The way from a tool call to what is a template in it."""

_LITERAL_KEYS: Final = frozenset({"type", "id", "tool_use_id", "cache_control"})
"""Keys in a part whose strings are no templates."""


def merge_values(given: Mapping[str, Any] | None, named: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values of a render that were given as one mapping, by keyword, or both.

    Args:
        given: The mapping, or None.
        named: The values given by keyword.

    Returns:
        All of them by variable name.

    Raises:
        InvalidArgumentError: The first is no mapping, or a value is given twice.
    """
    if given is None:
        return named
    if not isinstance(given, Mapping):
        raise InvalidArgumentError(
            message=f"The values of a render are a dict by variable name, or keywords, "
            f"not a {type(given).__name__}."
        )
    twice = [name for name in named if name in given]
    if twice:
        names = ", ".join(map(repr, twice))
        raise InvalidArgumentError(
            message=f"The dict and the keywords both have a value for {names}; give it once."
        )
    return {**given, **named}


def render_prompt(prompt: Prompt, values: Mapping[str, Any]) -> RenderedPrompt:
    """Fill a prompt with values from a mapping; see `Prompt.render`."""
    program = _program(prompt)
    bound = bind(
        values,
        program.variables,
        undeclared=program.undeclared,
        name=prompt.name,
        ignore_unknown=prompt.is_fallback,
    )
    budget = Budget(prompt.limits)

    def fill(template: Template) -> str:
        return template.render(bound, program.optional, budget)

    messages: list[dict[str, Any]] = []
    for item in program.items:
        if isinstance(item, Insert):
            messages += bound.get(item.insert, ())
        else:
            messages.append(_fill(item, fill))
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
    """Return how a prompt is called.

    Args:
        prompt: The prompt, with what it includes.

    Returns:
        The values that it takes and needs.

    Raises:
        TemplateSyntaxError: A text is not a template of its language.
        IncludeError: An include is missing, deleted, cyclic or too deep.
    """
    program = _program(prompt)
    variables = {
        name: variable if name in program.contract else Variable()
        for name, variable in program.variables.items()
    }
    needed = [name for name, variable in program.variables.items() if variable.needs_value]
    return Signature(variables, tuple(needed), program.undeclared)


def texts(prompt: Prompt) -> list[tuple[_Path, str]]:
    """Return every template of a prompt with its place in the file.

    In parts and in the arguments of tool calls, every string is a template but types and ids.

    Args:
        prompt: The prompt, or what its file says.

    Returns:
        Pairs of the path of keys in the file, such as ``("messages", 0, "content")``, and text.
    """
    if prompt.prompt is not None:
        return [(("prompt",), prompt.prompt)]
    found: list[tuple[_Path, str]] = []
    for index, message in enumerate(prompt.messages or ()):
        if isinstance(message, Message):
            found += _templates(_fields(message), ("messages", index))
    return found


def _fields(message: Message) -> dict[str, Any]:
    """Return a message as the chat APIs take it, its texts still templates."""
    others = {key: getattr(message, key) for key in _OTHER_FIELDS}
    return {
        "role": message.role,
        "content": message.content,
        **{key: value for key, value in others.items() if value is not None},
    }


def _templates(value: Any, path: _Path) -> Iterator[tuple[_Path, str]]:
    if isinstance(value, str):
        if _is_template(path[2:]):
            yield path, value
        return
    items: Any = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    for key, item in items:
        yield from _templates(item, (*path, key))


def _is_template(path: _Path) -> bool:
    """Return whether a string at a place in a message is a template."""
    if path[0] == "tool_calls":
        return path[2:] in _ARGUMENTS
    # What a tool was called with may have any keys.
    return path[0] == "content" and ("input" in path or _LITERAL_KEYS.isdisjoint(path))


class _Program(NamedTuple):
    """A prompt made ready to render: everything that does not depend on the values."""

    items: tuple[Any, ...]
    variables: Mapping[str, Variable]
    contract: Mapping[str, Variable]
    undeclared: tuple[str, ...]
    optional: frozenset[str]


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

    items = _compile_items(prompt, compiled)
    contract = contract_of(prompt)
    required = sorted({name for template in templates for name in template.required})
    variables = dict(contract)
    undeclared: tuple[str, ...] = ()
    if prompt.variables is None:
        others = sorted({name for template in templates for name in template.variables})
        for name in others:
            variables.setdefault(name, _NEEDED if name in required else _NOT_NEEDED)
    else:
        undeclared = tuple(name for name in required if name not in contract)
    optional = (
        name
        for name, variable in contract.items()
        if variable.required is False and variable.default is MISSING
    )
    return _Program(items, variables, contract, undeclared, frozenset(optional))


_NEEDED: Final = Variable()
_NOT_NEEDED: Final = Variable(required=False)


def _compile_items(prompt: Prompt, compiled: Callable[[str], Template]) -> tuple[Any, ...]:
    if prompt.prompt is not None:
        return ({"role": "user", "content": compiled(prompt.prompt)},)
    return tuple(
        item if isinstance(item, Insert) else _compile(_fields(item), (), compiled)
        for item in prompt.messages or ()
    )


def _compile(value: Any, path: _Path, compiled: Callable[[str], Template]) -> Any:
    """Copy the fields of a message, with a compiled template for each string that is one."""
    if isinstance(value, str):
        return compiled(value) if _is_template(path) else value
    if isinstance(value, Mapping):
        return {key: _compile(item, (*path, key), compiled) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_compile(item, (*path, index), compiled) for index, item in enumerate(value)]
    return value


def _fill(value: Any, fill: Callable[[Template], str]) -> Any:
    """Copy what `_compile` made, with the text of each template in its place."""
    kind = type(value)
    if kind is dict:
        return {
            key: item if type(item) is str else _fill(item, fill) for key, item in value.items()
        }
    if kind is list:
        return [_fill(item, fill) for item in value]
    return fill(value) if hasattr(value, "render") else value


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
