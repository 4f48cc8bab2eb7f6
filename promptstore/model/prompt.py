"""What a prompt is: what its file says, and which prompt of a store it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    Strict,
    StrictBool,
    ValidationError,
)

from promptstore.model.faults import CONFIG, Fault, KeyPath, faults_of, kind_of, shown, unknown_key
from promptstore.model.parts import Insert, Item, Message, message_faults, templates_of
from promptstore.model.rendering import (
    Program,
    RenderedPrompt,
    contract_of,
    merge_values,
    render_prompt,
)
from promptstore.model.values import (
    MAX_LENGTH,
    NAME_PATTERN,
    JsonObject,
    String,
    adapter_of,
    null_faults,
    unicode_string,
    validated,
)
from promptstore.model.variables import Variable, insert_faults, variable_faults
from promptstore.template import Limits, TemplateKind

KEYS: Final = (
    "id", "description", "template", "variables", "prompt", "messages", "config", "tags",
    "metadata", "deleted", "deleted_reason", "replaced_by",
)  # fmt: skip
"""The keys at the top of a prompt file in their order; ``x-…`` keys are free besides."""

EXTENSION_PREFIX: Final = "x-"
_UUID: Final = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_Tag: TypeAlias = Annotated[str, Strict(), Field(pattern=r"\S"), AfterValidator(unicode_string)]
_Name: TypeAlias = Annotated[
    str, Strict(), Field(pattern=f"^{NAME_PATTERN}$", max_length=MAX_LENGTH)
]


def _declaration(value: Any) -> Any:
    return {} if value is None else value


def _included(value: Any) -> dict[str, Prompt]:
    if isinstance(value, Mapping) and all(isinstance(item, Prompt) for item in value.values()):
        return dict(value)
    raise ValueError("must be a mapping of names to prompts")


def _limits(value: Any) -> Limits:
    if isinstance(value, Limits):
        return value
    raise ValueError(f"must be Limits, not {kind_of(value)}")


def _check(prompt: Prompt) -> Iterable[Fault]:
    return _between_keys(prompt.content)


@validated(_check)
@dataclass(frozen=True, kw_only=True, repr=False)
class Prompt:
    """A prompt: what its file says and, when it was read from a store, which one it is.

    Exactly one of `prompt` and `messages` is set. It is checked when it is made, complete, and
    never changes; the dicts and lists in it are the caller's own.

    Attributes:
        id: A UUID that stays when the file is renamed, where the file has one.
        description: What the prompt is for.
        template: The language of its texts.
        variables: The declared variables by name, or None where the file declares none.
        prompt: The text of a text prompt, as a template.
        messages: The messages of a chat prompt.
        config: Free JSON passed through to the caller: model parameters, tools and so on.
        tags: Words to find it by.
        metadata: Free JSON for people and tools.
        extensions: The file's ``x-…`` keys with their free JSON.
        deleted: Whether the prompt is tombstoned.
        deleted_reason: Why it was deleted.
        replaced_by: The name of the prompt to use instead.
        name: Its name in the store.
        version: The number of the version, or None where history is not known.
        commit: The commit that made this version, or None where history is not known.
        snapshot_commit: The commit whose tree it (and what it includes) was read from, or None
            for files read from a folder.
        blob: The id of the file's content in git.
        label: The label that it was asked for by, or None.
        is_fallback: Whether this is the caller's own fallback, not a prompt of the store.
        is_unchanged: Whether the write that gave this prompt had nothing to change, and so made no
            commit for it.
        warnings: What the write that gave this prompt could not do after its commit, as sentences.
        includes: Every prompt that it includes, directly or not, by name.
        limits: The limits of its renders.
    """

    __pydantic_config__: ClassVar = CONFIG

    id: Annotated[str, Strict(), Field(pattern=_UUID)] | None = None
    description: String | None = None
    template: TemplateKind = "jinja2"
    variables: dict[str, Annotated[Variable, BeforeValidator(_declaration)]] | None = None
    prompt: String | None = None
    messages: Annotated[tuple[Item, ...], Field(min_length=1)] | None = None
    config: JsonObject = field(default_factory=dict)
    tags: tuple[_Tag, ...] = ()
    metadata: JsonObject = field(default_factory=dict)
    extensions: JsonObject = field(default_factory=dict)
    deleted: StrictBool = False
    deleted_reason: String | None = None
    replaced_by: _Name | None = None

    name: str | None = None
    version: int | None = None
    commit: str | None = None
    snapshot_commit: str | None = None
    blob: str | None = None
    label: str | None = field(default=None, compare=False)
    is_fallback: StrictBool = False
    is_unchanged: StrictBool = field(default=False, compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)
    includes: Annotated[Any, BeforeValidator(_included)] = field(
        default_factory=dict, repr=False, compare=False
    )
    limits: Annotated[Any, BeforeValidator(_limits)] = field(
        default=Limits(), repr=False, compare=False
    )

    if TYPE_CHECKING:  # what may stand for each field; pydantic makes it what the field is

        def __init__(
            self,
            *,
            id: str | None = None,  # noqa: A002
            description: str | None = None,
            template: TemplateKind = "jinja2",
            variables: Mapping[str, Variable | Mapping[str, Any] | None] | None = None,
            prompt: str | None = None,
            messages: Sequence[Message | Insert | Mapping[str, Any]] | None = None,
            config: Mapping[str, Any] = ...,
            tags: Sequence[str] = (),
            metadata: Mapping[str, Any] = ...,
            extensions: Mapping[str, Any] = ...,
            deleted: bool = False,
            deleted_reason: str | None = None,
            replaced_by: str | None = None,
            name: str | None = None,
            version: int | None = None,
            commit: str | None = None,
            snapshot_commit: str | None = None,
            blob: str | None = None,
            label: str | None = None,
            is_fallback: bool = False,
            is_unchanged: bool = False,
            includes: Mapping[str, Prompt] = ...,
            limits: Limits = ...,
        ) -> None: ...

    _kept: ClassVar[Prompt | None] = None
    """The prompt that this is a caller's own copy of, where it is one."""

    _program: ClassVar[Program | None] = None

    def __hash__(self) -> int:
        return hash((self.name, self.version, self.blob, self.prompt))

    def __repr__(self) -> str:
        shown = (
            f"{item.name}={value!r}"
            for item in fields(self)
            if item.repr and (value := getattr(self, item.name)) not in (item.default, {}, ())
        )
        return f"Prompt({', '.join(shown)})"

    def __getstate__(self) -> dict[str, Any]:
        # The compiled templates are code: they stay behind and are made again where needed.
        return {name: getattr(self, name) for name in _FIELDS}

    @property
    def is_chat(self) -> bool:
        """Whether this is a chat prompt (it has messages) rather than a text prompt."""
        return self.messages is not None

    @property
    def content(self) -> dict[str, Any]:
        """The prompt as its file says it: plain JSON by key, keys at their default left out."""
        found = _ADAPTER.dump_python(self, mode="json", include=_CONTENT, exclude_defaults=True)
        extensions = found.pop("extensions", {})
        last = {key: found.pop(key) for key in KEYS[-3:] if key in found}
        return {**found, **dict(sorted(extensions.items())), **last}

    @cached_property
    def digest(self) -> str:
        """The identity of its meaning: a SHA-256 over its content and that of all it includes.

        Comments and layout of the file do not count; two prompts with one digest mean the same.
        """
        import hashlib  # most processes never ask

        closure = [self.content, {name: found.content for name, found in self.includes.items()}]
        text = json.dumps(closure, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def contract(self) -> Mapping[str, Variable]:
        """Every declared variable by name: its own, then those that its includes declare."""
        return contract_of(self)

    def render(self, variables: Mapping[str, Any] | None = None, /, **more: Any) -> RenderedPrompt:
        """Fill the prompt with values.

        Args:
            variables: The values by variable name. They are only ever inserted as text: nothing
                in a value can add a message, a role or an include.
            more: Values by keyword, beside those in the mapping.

        Returns:
            The text or the messages, and the identity of what was rendered.

        Raises:
            InvalidArgumentError: The variables are no mapping, or one is given twice.
            VariableError: Values are missing, unknown or of the wrong type; all at once.
            TemplateSyntaxError: A text is not a template of its language.
            IncludeError: An include is missing, deleted, cyclic or too deep.
            RenderError: The template failed, or grew past a limit (`LimitError`).
        """
        return render_prompt(self, merge_values(variables, more))


_FIELDS: Final = tuple(item.name for item in fields(Prompt))
_CONTENT: Final = {*KEYS, "extensions"}
_ADAPTER: Final = adapter_of(Prompt)


def _between_keys(value: Mapping[str, Any]) -> Iterator[Fault]:
    """Find what is wrong between the keys of a prompt, given as plain JSON.

    It need not be valid: what has a wrong type is left to pydantic.
    """
    yield from null_faults(value)
    if "prompt" in value and "messages" in value:
        message = "`prompt` and `messages` exclude each other; keep one."
        yield Fault(("messages",), "missing_key", message)
    if "prompt" not in value and "messages" not in value:
        message = "Neither `prompt:` (a text prompt) nor `messages:` (a chat prompt) is here."
        yield Fault((), "missing_key", message)
    for key in ("deleted_reason", "replaced_by"):
        if key in value and value.get("deleted") is not True:
            message = f"`{key}` belongs to a deleted prompt; add `deleted: true` or remove it."
            yield Fault((key,), "missing_key", message)
    tags, seen = value.get("tags"), set()
    for index, tag in enumerate(tags if isinstance(tags, list) else ()):
        if isinstance(tag, str) and tag in seen:
            message = f"The tag {shown(tag)!r} is here twice."
            yield Fault(("tags", index), "wrong_value", message)
        seen.add(tag if isinstance(tag, str) else None)
    template, declared = value.get("template", "jinja2"), value.get("variables")
    if isinstance(declared, dict):
        yield from variable_faults(declared, template)
    messages = value.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        path = ("messages", index)
        if not isinstance(message, dict):
            continue
        if "insert" not in message:
            yield from message_faults(message, path)
        elif isinstance(message["insert"], str):
            yield from insert_faults(message["insert"], (*path, "insert"), declared, template)


def parse_content(value: Mapping[str, Any]) -> Prompt | list[Fault]:
    """Check what a file says.

    Args:
        value: The plain value of the whole file.

    Returns:
        The prompt without an identity, or everything that is wrong.
    """
    known = {key: item for key, item in value.items() if key in KEYS}
    extensions = {key: item for key, item in value.items() if key.startswith(EXTENSION_PREFIX)}
    faults = [unknown_key((key,), KEYS) for key in value if key not in {**known, **extensions}]
    faults += _between_keys(known)
    try:
        prompt = _ADAPTER.validate_python({**known, "extensions": extensions})
    except ValidationError as error:
        return faults + faults_of(error, KEYS)
    return faults or prompt


def texts(prompt: Prompt) -> list[tuple[KeyPath, str]]:
    """Return every template of a prompt with its path in the file.

    Args:
        prompt: The prompt.

    Returns:
        Pairs of a path, such as ``("messages", 0, "content")``, and a text.
    """
    if prompt.prompt is not None:
        return [(("prompt",), prompt.prompt)]
    return [
        (("messages", index, *path), text)
        for index, message in enumerate(prompt.messages or ())
        if isinstance(message, Message)
        for path, text in templates_of(message)
    ]


def identified(prompt: Prompt, **identity: Any) -> Prompt:
    """Return a prompt under another identity.

    Args:
        prompt: The prompt, whose content stays.
        identity: Fields that are not content, which are taken as they are.
    """
    return _made({name: getattr(prompt, name) for name in _FIELDS} | identity)


def own_copy(prompt: Prompt) -> Prompt:
    """Return a prompt that shares nothing with another caller's that could be changed."""
    kept = prompt._kept or prompt  # noqa: SLF001 - it belongs to this module
    state = kept.__dict__.copy()
    for name in _NOT_SHARED:
        state.pop(name, None)
    state["_kept"] = kept
    return _made(state)


def another_copy(copy: Prompt) -> Prompt:
    """Return what `own_copy` returned once more; nobody may have looked at that yet."""
    return _made(copy.__dict__.copy())


def _made(state: dict[str, Any]) -> Prompt:
    made = object.__new__(Prompt)
    object.__setattr__(made, "__dict__", state)
    return made


_MUTABLE: Final = ("variables", "messages", "config", "metadata", "extensions", "includes")
_NOT_SHARED: Final = (*_MUTABLE, "_program", "digest")


class _CopiedOnce:
    """A field of a caller's own copy, which is copied when it is first asked for.

    Most callers look at few of these fields, and copying them all takes longer than a `get`.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, copy: Prompt | None, _owner: type[Prompt]) -> Any:
        kept = copy._kept if copy else None  # noqa: SLF001 - it belongs to this module
        if copy is None or kept is None:
            return self
        # Threads that ask at once are given one and the same.
        return copy.__dict__.setdefault(self._name, _copied(kept.__dict__[self._name]))


def _copied(value: Any) -> Any:
    """Copy what can be changed; what cannot stays the same object."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([_copied(item) for item in value])
    if isinstance(value, Prompt):
        return own_copy(value)
    if isinstance(value, (Message, Variable)):
        made = object.__new__(type(value))
        for name in value.__slots__:
            object.__setattr__(made, name, _copied(getattr(value, name)))
        return made
    return value


for _name in _MUTABLE:
    setattr(Prompt, _name, _CopiedOnce(_name))
