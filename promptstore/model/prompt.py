"""What a prompt is: its content, its identity in git, and its rendered form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from promptstore.model.messages import Insert, Message
from promptstore.model.rendering import RenderedPrompt, _Program, contract_of, render_prompt
from promptstore.model.values import FrozenDict, freeze, thaw
from promptstore.model.variables import Variable
from promptstore.template import (
    Limits,
    TemplateKind,
)


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
        warnings: What the write that gave this prompt could not do after its commit, as sentences.
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
    warnings: tuple[str, ...] = field(default=(), compare=False)
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
        return contract_of(self)

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
    "warnings": (),
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
