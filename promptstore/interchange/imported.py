"""What an importer returns: prompts with their versions, and what could not come along."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from promptstore.errors import ImportRefusedError, InvalidArgumentError, TemplateError
from promptstore.interchange.templates.jinja import UntranslatableError
from promptstore.model.parts import Message
from promptstore.model.prompt import Prompt, parse_content, texts
from promptstore.model.values import MAX_LENGTH
from promptstore.model.variables import VARIABLE_TYPES
from promptstore.promptfile.writer import dumps
from promptstore.template import Source as Template
from promptstore.template import TemplateKind, find_references, is_variable_name

ROLES: Final = {"model": "assistant", "bot": "assistant", "ai": "assistant", "human": "user"}
"""Roles of other tools, by the role that they are here."""

NOT_TRANSLATED: Final = "NOT TRANSLATED, kept as source with `template: none`: "
"""How the loss of a template begins that renders nothing here."""

_COMPACT_JSON: Final = {"dotprompt", "promptfoo", "semantic-kernel"}
_OUTSIDE: Final = re.compile(r"\$\{(?:env|file):[^}]*\}")


@dataclass(frozen=True)
class Source:
    """One file of another tool.

    Attributes:
        path: Its path, from the folder that is imported.
        text: Its text, every line end a line feed, without a byte order mark.
    """

    path: str
    text: str

    @classmethod
    def decode(cls, path: str, data: bytes) -> Source:
        """Return a source of the bytes of a file.

        Raises:
            ImportRefusedError: They are no UTF-8, or UTF-16 without its mark.
        """
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            raise ImportRefusedError(reason=f"not UTF-8 at byte {error.start}") from None
        if "\0" in text:
            raise ImportRefusedError(reason="no text: it holds a NUL character")
        return cls(path, text.replace("\r\n", "\n").replace("\r", "\n"))


@dataclass(frozen=True)
class ImportedVersion:
    """One version of a prompt of another tool.

    Attributes:
        prompt: What it says.
        key: What names this version there, or the digest of the prompt.
        author: Who wrote it, as ``Name <email>``, where that is known.
        authored_at: When, with a time zone, where that is known.
        message: What its author said about it.
        labels: Its labels there.
    """

    prompt: Prompt
    key: str = ""
    author: str | None = None
    authored_at: datetime | None = None
    message: str | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imported:
    """A prompt of another tool as one of ours.

    Attributes:
        name: Its name here.
        versions: Its versions, oldest first.
        losses: Each thing that did not come along, or not unchanged.
        format: The format that it comes from.
        source: The path of the file that it comes from.
        data: That file, where it holds this prompt only.
    """

    name: str
    versions: tuple[ImportedVersion, ...]
    losses: tuple[str, ...] = ()
    format: str = ""
    source: str = ""
    data: bytes = field(default=b"", repr=False)

    @property
    def prompt(self) -> Prompt:
        """The newest version."""
        return self.versions[-1].prompt

    @property
    def is_translated(self) -> bool:
        """Whether every version means here what it meant there."""
        return not any(loss.startswith(NOT_TRANSLATED) for loss in self.losses)


@dataclass(frozen=True)
class Refused:
    """A source that does not come in.

    Attributes:
        source: The path of the file, with the prompt's name where it holds several.
        reason: What stands in the way.
    """

    source: str
    reason: str


@dataclass
class Draft:
    """A prompt in the making; `finish` checks it.

    Attributes:
        name: Its name in the source, which may need another spelling.
        template: The language of its texts here.
        missing: What the source prints for a variable that is not given: ``""``, or None for an
            error.
        losses: Each thing that does not come along.
    """

    name: str
    format: str
    template: TemplateKind = "simple"
    description: str | None = None
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    prompt: str | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    missing: str | None = None
    losses: list[str] = field(default_factory=list)

    @contextmanager
    def kept_as_source(self, source: str) -> Iterator[None]:
        """Keep a string as it is, and say so, where it cannot be translated in this block."""
        try:
            yield
        except UntranslatableError as error:
            self.losses.append(f"{NOT_TRANSLATED}{error}")
            self.template, self.messages, self.prompt = "none", [], source
            if self.variables:
                self.metadata["variables"], self.variables = self.variables, {}

    def take(self, value: Mapping[str, Any], *known: str, config: Sequence[str] = ()) -> None:
        """Take the description and the config of a source; what else it says is metadata.

        Args:
            value: What the source says, by key.
            *known: Keys that are read elsewhere.
            config: Keys of the config.
        """
        self.describe(value.get("description"))
        self.config = {key: value[key] for key in config if value.get(key) is not None}
        self.metadata |= rest_of(value, "description", *known, *config)

    def say(self, role: str, content: Any, **more: Any) -> None:
        """Add a message; one that says nothing is dropped and told."""
        role = ROLES.get(role.lower(), role.lower())
        if content in (None, "", []) and not more:
            self.losses.append(f"a message of the role {role} without content is dropped")
            return
        message = {"role": role, "content": content, **more}
        self.messages.append({key: value for key, value in message.items() if value is not None})

    def insert(self, name: str, *, optional: bool = True) -> None:
        """Add the place of a list of messages."""
        self.messages.append({"insert": name})
        declared = self.variables.setdefault(name, {})
        declared["type"] = "messages"
        if optional:
            declared.setdefault("default", [])

    def describe(self, value: Any) -> None:
        """Take a description, whatever it is there."""
        if isinstance(value, str) and value.strip():
            self.description = value
        elif value not in (None, ""):
            self.metadata["description"] = value

    def set_tags(self, value: Any) -> None:
        """Take tags where they are a list of strings, else as metadata."""
        if isinstance(value, list) and all(isinstance(tag, str) and tag.strip() for tag in value):
            self.tags = list(dict.fromkeys(value))
        elif value:
            self.metadata["tags"] = value

    def finish(self) -> Prompt:
        """Check everything and return the prompt.

        Raises:
            ImportRefusedError: It says nothing, or is no valid prompt.
        """
        if self.prompt is None and not self.messages:
            raise ImportRefusedError(reason="it has no text and no messages")
        self._tell_references()
        inserts = {message.get("insert") for message in self.messages}
        for unfit in [
            key
            for key in self.variables
            if key not in inserts and not is_variable_name(self.template, key)
        ]:
            self.losses.append(f"the variable {unfit!r} is no name here and stays in metadata")
            self.metadata.setdefault("variables", {})[unfit] = self.variables.pop(unfit)
        try:
            prompt = self._checked(self._content())
            used = _names_used(prompt)
        except TemplateError as error:
            raise ImportRefusedError(reason=f"its template is none here: {error}") from error
        undeclared = sorted(used - self.variables.keys()) if self.variables else []
        for name in undeclared:
            self.variables[name] = {} if self.missing is None else {"default": self.missing}
        return self._checked(self._content()) if undeclared else prompt

    def _content(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "description": self.description,
            "template": self.template,
            "variables": self.variables or None,
            "prompt": self.prompt,
            "messages": self.messages or None,
            "config": self.config or None,
            "tags": self.tags or None,
            "metadata": self.metadata or None,
            f"x-{self.format}": self.extra or None,
        }
        return {key: value for key, value in found.items() if value is not None}

    def _checked(self, content: Mapping[str, Any]) -> Prompt:
        found = parse_content(content)
        if isinstance(found, list):
            raise ImportRefusedError(reason=" ".join(fault.message for fault in found).rstrip("."))
        try:
            dumps(found)
        except InvalidArgumentError as error:
            raise ImportRefusedError(reason=str(error).rstrip(".")) from error
        return found

    def _tell_references(self) -> None:
        written = f"{self.prompt}{self.messages}"
        if self.format in _COMPACT_JSON and self.template == "jinja2" and "|tojson" in written:
            self.losses.append(
                "JSON that a template writes has a space behind each `:` and `,` here"
            )
        for key, value in (("config", self.config), ("metadata", self.metadata)):
            for found in sorted(set(_OUTSIDE.findall(repr(value)))):
                self.losses.append(f"{found} in {key} is not followed and stays a string")


def declare(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a declaration with the keys that ours has, from one of another tool."""
    declared: dict[str, Any] = {}
    kind = str(found.get("type", found.get("kind", ""))).lower()
    kind = _TYPES.get(kind, kind)
    if kind in VARIABLE_TYPES:
        declared["type"] = kind
    if isinstance(found.get("description"), str):
        declared["description"] = found["description"]
    if isinstance(found.get("enum"), list) and found["enum"]:
        declared["enum"] = found["enum"]
    if found.get("default") is not None:
        declared["default"] = found["default"]
    return declared


_TYPES: Final = {
    "str": "string", "text": "string", "image": "string", "file": "string", "date": "string",
    "int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object",
    "thread": "messages",
}  # fmt: skip


def _names_used(prompt: Prompt) -> set[str]:
    found = {item.insert for item in prompt.messages or () if not isinstance(item, Message)}
    if prompt.template == "none":
        return found
    for _, text in texts(prompt):
        references = find_references(Template(text, prompt.template))
        found |= {reference.name for reference in references.variables}
    return found


def spell_name(text: str) -> str:
    """Return a name here that is as near to one of another tool as can be."""
    segments = []
    for segment in re.split(r"[/\\]+", text.strip()):
        spelled = re.sub(r"[^A-Za-z0-9_.-]+", "-", segment).strip("-").lstrip(".-")
        if spelled:
            segments.append(spelled)
    return "/".join(segments)[:MAX_LENGTH].rstrip("/-") or "prompt"


def with_unique_names(found: Iterable[Imported]) -> list[Imported]:
    """Number the names that would be the same, or differ in case only."""
    taken: set[str] = set()
    made = []
    for one in found:
        name, number = one.name, 2
        while name.casefold() in taken:
            name, number = f"{one.name}-{number}", number + 1
        taken.add(name.casefold())
        made.append(one if name == one.name else replace(one, name=name))
    return made


def short_key(prompt: Prompt) -> str:
    """Return what names a version that its source gives no number."""
    return prompt.digest[:16]


def single(draft: Draft) -> Imported:
    """Return a finished draft as a prompt with one version."""
    prompt = draft.finish()
    version = ImportedVersion(prompt, short_key(prompt))
    losses = tuple(dict.fromkeys(draft.losses))
    return Imported(spell_name(draft.name), (version,), losses, draft.format)


def as_dict(value: Any) -> dict[str, Any]:
    """Return a mapping; what is none is taken for an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a list; what is none is taken for an empty one."""
    return value if isinstance(value, list) else []


def rest_of(value: Mapping[str, Any], *taken: str) -> dict[str, Any]:
    """Return what a mapping holds besides some keys, without nulls."""
    return {key: item for key, item in value.items() if key not in taken and item is not None}
