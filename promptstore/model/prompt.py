"""What a prompt is: its content, its identity in git, and its rendered form."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, TypeAlias, get_args

from promptstore.errors import IncludeError, InvalidArgumentError
from promptstore.model.values import FrozenDict, freeze, thaw
from promptstore.model.variables import Binder, Variable, bind
from promptstore.template import (
    Budget,
    Limits,
    Source,
    Template,
    TemplateKind,
    TextFill,
    compile_template,
    fill_with_texts,
)

Part: TypeAlias = Mapping[str, Any]
"""One part of a content: ``{"type": "text", "text": …}`` and the like, strings being templates."""

PartType: TypeAlias = Literal["text", "image_url", "input_audio", "file"]
PART_TYPES: Final[tuple[PartType, ...]] = get_args(PartType)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat prompt.

    Attributes:
        role: Who speaks: one of `promptstore.model.variables.ROLES`.
        content: A template, or parts (dicts with a ``type``) whose strings are templates.
    """

    role: str
    content: str | tuple[Part, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.content, str):
            object.__setattr__(self, "content", tuple(freeze(part) for part in self.content))


@dataclass(frozen=True, slots=True)
class Insert:
    """The place in a chat prompt where a list of messages goes.

    Attributes:
        insert: The variable, of type ``messages``, that holds the list.
    """

    insert: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Prompt:
    """A prompt: what its file says and, when it was read from a store, which one it is.

    Exactly one of `prompt` and `messages` is set. Everything in it is immutable, so one object
    can serve every caller.

    Attributes:
        prompt: The text of a text prompt, as a template.
        messages: The messages of a chat prompt.
        template: The language of its texts.
        variables: The declared variables by name, or None where the file declares none.
        description: What the prompt is for.
        config: Free JSON passed through to the caller: model parameters, tools and so on.
        tags: Words to find it by.
        metadata: Free JSON for people and tools.
        extensions: The file's ``x-…`` keys with their free JSON.
        id: A UUID that stays when the file is renamed, where the file has one.
        deleted: Whether the prompt is tombstoned.
        deleted_reason: Why it was deleted.
        replaced_by: The name of the prompt to use instead.
        name: Its name in the store.
        version: The number of the version, or None where history is not known.
        commit: The commit that made this version, or None where history is not known.
        snapshot_commit: The commit whose tree it (and what it includes) was read from, or None
            for files read from a folder.
        blob: The id of the file's content in git.
        created_at: When its first version was committed.
        created_by: The author of its first version, as ``name <email>``.
        updated_at: When this version was committed.
        updated_by: The author of this version, as ``name <email>``.
        labels: The labels that point at this version, sorted.
        is_fallback: Whether this is the caller's own fallback, not a prompt of the store.
        is_unchanged: Whether the write that gave this prompt had nothing to change, and so made no
            commit for it.
        includes: Every prompt that it includes, directly or not, by name.
        limits: The limits of its renders.
    """

    prompt: str | None = None
    messages: tuple[Message | Insert, ...] | None = None
    template: TemplateKind = "jinja2"
    variables: Mapping[str, Variable] | None = None
    description: str | None = None
    config: Mapping[str, Any] = field(default_factory=FrozenDict)
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=FrozenDict)
    extensions: Mapping[str, Any] = field(default_factory=FrozenDict)
    id: str | None = None
    deleted: bool = False
    deleted_reason: str | None = None
    replaced_by: str | None = None

    name: str | None = None
    version: int | None = None
    commit: str | None = None
    snapshot_commit: str | None = None
    blob: str | None = None
    created_at: datetime | None = None
    created_by: str | None = None
    updated_at: datetime | None = None
    updated_by: str | None = None
    labels: tuple[str, ...] = ()
    is_fallback: bool = False
    is_unchanged: bool = field(default=False, compare=False)
    includes: Mapping[str, Prompt] = field(default_factory=FrozenDict, repr=False, compare=False)
    limits: Limits = field(default=Limits(), repr=False, compare=False)
    _program: _Program | None = field(default=None, init=False, repr=False, compare=False)
    _digest: str | None = field(default=None, init=False, repr=False, compare=False)
    _reader: PromptReader | None = field(default=None, init=False, repr=False, compare=False)
    _stored: bytes | None = field(default=None, init=False, repr=False, compare=False)

    if not TYPE_CHECKING:  # where it would say that there is an attribute of any name

        def __getattr__(self, name: str) -> Any:
            """Read what was left for later; see `unread_prompt`."""
            if name in _CONTENT_FIELDS:
                _read_content(self)
            elif name in _FACT_FIELDS:
                _read_facts(self)
            elif name in _OWN_FIELDS:
                object.__setattr__(self, name, _OWN_FIELDS[name])
            else:
                raise AttributeError(f"'Prompt' object has no attribute {name!r}")
            return object.__getattribute__(self, name)

    def __post_init__(self) -> None:
        for name in ("config", "metadata", "extensions"):
            object.__setattr__(self, name, freeze(getattr(self, name)))
        if self.variables is not None:
            object.__setattr__(self, "variables", FrozenDict(self.variables))
        if self.messages is not None:
            object.__setattr__(self, "messages", tuple(self.messages))
        object.__setattr__(self, "tags", tuple(self.tags))

    def __repr__(self) -> str:
        shown = (
            f"{item.name}={value!r}"
            for item in fields(self)
            if item.repr and (value := getattr(self, item.name)) not in (item.default, {}, ())
        )
        return f"Prompt({', '.join(shown)})"

    def __getstate__(self) -> dict[str, Any]:
        # The compiled templates are code: they stay behind and are made again where needed.
        return {item.name: getattr(self, item.name) for item in fields(self) if item.init}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_program", None)
        object.__setattr__(self, "_digest", None)
        object.__setattr__(self, "_reader", None)
        object.__setattr__(self, "_stored", None)

    @property
    def is_chat(self) -> bool:
        """Tell whether this is a chat prompt (it has messages) rather than a text prompt."""
        return self.messages is not None

    @property
    def content(self) -> dict[str, Any]:
        """The prompt as its file says it: plain JSON by key, keys at their default left out."""
        return _content(self)

    @property
    def digest(self) -> str:
        """The identity of its meaning: a SHA-256 over its content and that of all it includes.

        Comments and layout of the file do not count; two prompts with one digest mean the same.
        """
        if self._digest is None:
            object.__setattr__(self, "_digest", _digest(self))
        return self._digest or ""

    @property
    def contract(self) -> Mapping[str, Variable]:
        """Every declared variable by name: its own, then those that its includes declare."""
        return _contract(self)

    def render(self, /, **variables: Any) -> RenderedPrompt:
        """Fill the prompt with values.

        Args:
            variables: The values by variable name. They are only ever inserted as text: nothing
                in a value can add a message, a role or an include.

        Returns:
            The text or the messages, and the identity of what was rendered.

        Raises:
            VariableError: Values are missing, unknown or of the wrong type; all at once.
            TemplateSyntaxError: A text is not a template of its language.
            IncludeError: An include is missing, deleted, cyclic or too deep.
            RenderError: The template failed, or grew past a limit (`LimitError`).
        """
        return render_prompt(self, variables)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a prompt.

    Attributes:
        number: Its number, from 1.
        commit: The commit that made it.
        author: The commit's author, as ``name <email>``.
        committed_at: When it was committed.
        message: The commit's whole message.
        blob: The id of the file's content, or None where the commit removed the file.
        deleted: Whether the prompt is tombstoned in this version, or its file was removed.
        labels: The labels that point at it, sorted.
    """

    number: int
    commit: str
    author: str
    committed_at: datetime
    message: str
    blob: str | None
    deleted: bool
    labels: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The first line of the commit's message."""
        return self.message.strip().split("\n", 1)[0]


class Content(NamedTuple):
    """What a prompt's file says: the first fields of `Prompt`, as immutable as there."""

    prompt: str | None
    messages: tuple[Message | Insert, ...] | None
    template: TemplateKind
    variables: Mapping[str, Variable] | None
    description: str | None
    config: Mapping[str, Any]
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]
    extensions: Mapping[str, Any]
    id: str | None
    deleted: bool
    deleted_reason: str | None
    replaced_by: str | None

    def to_prompt(self) -> Prompt:
        """Give it as a prompt without an identity."""
        return Prompt(**self._asdict())


class PromptReader(Protocol):
    """What reads those parts of a prompt that were left for later."""

    def read_content(self, blob: str, stored: bytes) -> Content:
        """Give what the file of a blob says, from what was stored of it."""
        ...

    def read_facts(self, name: str, blob: str) -> Mapping[str, Any]:
        """Tell which version a prompt is, who made it and when: every fact, by field."""
        ...


_CONTENT_FIELDS: Final = Content._fields
_FACT_FIELDS: Final = (
    "version", "commit", "created_at", "created_by", "updated_at", "updated_by", "labels",
)  # fmt: skip
_OWN_FIELDS: Final = {
    "_program": None, "_digest": None, "is_fallback": False, "is_unchanged": False,
    "includes": FrozenDict(),
}  # fmt: skip
"""What is as it is in every prompt of a store, and so need not be set in each of thousands."""

_set: Final = object.__setattr__
_new: Final = object.__new__


def unread_prompt(reader: PromptReader, content: Content | bytes, **known: Any) -> Prompt:
    """Make a prompt of a store, of which the rest is read when it is first asked for.

    Most callers want the content of one prompt or the names of many. Reading all about ten
    thousand takes ten times as long as making them in this way.

    Args:
        reader: What reads the rest.
        content: What its file says, or what is stored of that, which is known to be sound.
        known: What else is known. The name, the commit, the blob and the limits must be.

    Returns:
        The prompt.
    """
    made = _new(Prompt)
    _set(made, "_reader", reader)
    if isinstance(content, bytes):
        _set(made, "_stored", content)
    else:
        _set(made, "_stored", None)
        _take_content(made, content)
    for name, value in known.items():
        _set(made, name, value)
    return made


def _read_content(prompt: Prompt) -> None:
    reader, stored = prompt._reader, prompt._stored  # noqa: SLF001 - they belong to this module
    # Where they are not there, another thread has just read it.
    if reader is not None and stored is not None:
        _take_content(prompt, reader.read_content(prompt.blob or "", stored))
        _set(prompt, "_stored", None)


def _read_facts(prompt: Prompt) -> None:
    reader = prompt._reader  # noqa: SLF001 - it belongs to this module
    if reader is not None:
        facts = reader.read_facts(prompt.name or "", prompt.blob or "")
        for name, value in facts.items():
            _set(prompt, name, value)


def _take_content(prompt: Prompt, content: Content) -> None:
    for name, value in zip(_CONTENT_FIELDS, content, strict=True):
        _set(prompt, name, value)


def render_prompt(prompt: Prompt, values: Mapping[str, Any]) -> RenderedPrompt:
    """Fill a prompt with values from a mapping; see `Prompt.render`."""
    program = prompt._program or _program(prompt)  # noqa: SLF001 - the memo belongs to this module
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
            fill = item.fill
            messages.append({"role": item.role, "content": fill(bound, program.optional, budget)})
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


def texts(prompt: Prompt | Content) -> list[tuple[tuple[str | int, ...], str]]:
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
    program = prompt._program  # noqa: SLF001 - the memo belongs to this module
    if program is None:
        program = _prepare(prompt)
        object.__setattr__(prompt, "_program", program)
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
    contract = _contract(prompt)
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
        item.role for item in items if isinstance(item, Message) and isinstance(item.content, str)
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
        return _CompiledMessage(item.role, compiled(item.content).render)
    parts = [_compile_part(part, compiled) for part in item.content]
    return _CompiledMessage(item.role, partial(_fill, parts))


def _compile_part(value: Any, compiled: Any) -> Any:
    if isinstance(value, str):
        return compiled(value)
    if isinstance(value, dict):
        return {
            key: item if key == "type" else _compile_part(item, compiled)
            for key, item in value.items()
        }
    return value


def _fill(content: Any, values: Mapping[str, Any], optional: frozenset[str], budget: Budget) -> Any:
    if isinstance(content, Template):
        return content.render(values, optional, budget)
    if isinstance(content, dict):
        return {key: _fill(item, values, optional, budget) for key, item in content.items()}
    if isinstance(content, list):
        return [_fill(item, values, optional, budget) for item in content]
    return content


def _contract(prompt: Prompt) -> Mapping[str, Variable]:
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


def _digest(prompt: Prompt) -> str:
    import hashlib

    closure = [prompt.content, {name: found.content for name, found in prompt.includes.items()}]
    text = json.dumps(closure, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _content(prompt: Prompt) -> dict[str, Any]:
    content: dict[str, Any] = {
        "id": prompt.id,
        "description": prompt.description,
        "template": None if prompt.template == "jinja2" else prompt.template,
        "variables": None
        if prompt.variables is None
        else {name: _variable(variable) for name, variable in prompt.variables.items()},
        "prompt": prompt.prompt,
        "messages": None
        if prompt.messages is None
        else [_message(message) for message in prompt.messages],
        "config": thaw(prompt.config) or None,
        "tags": list(prompt.tags) or None,
        "metadata": thaw(prompt.metadata) or None,
        **{key: thaw(prompt.extensions[key]) for key in sorted(prompt.extensions)},
        "deleted": prompt.deleted or None,
        "deleted_reason": prompt.deleted_reason,
        "replaced_by": prompt.replaced_by,
    }
    return {
        key: value
        for key, value in content.items()
        if value is not None or key in prompt.extensions
    }


def _variable(variable: Variable) -> dict[str, Any]:
    fields_: dict[str, Any] = {} if variable.type == "any" else {"type": variable.type}
    if variable.description is not None:
        fields_["description"] = variable.description
    if variable.enum is not None:
        fields_["enum"] = [thaw(value) for value in variable.enum]
    if variable.has_default:
        fields_["default"] = thaw(variable.default)
    if variable.required is not None:
        fields_["required"] = variable.required
    return fields_


def _message(message: Message | Insert) -> dict[str, Any]:
    if isinstance(message, Insert):
        return {"insert": message.insert}
    content = message.content
    return {
        "role": message.role,
        "content": content if isinstance(content, str) else [thaw(part) for part in content],
    }


def _shown(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return f"[{message.get('role')}]\n{text}"
