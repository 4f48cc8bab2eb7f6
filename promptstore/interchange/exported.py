"""What an exporter returns: a prompt as a file of another tool, and what cannot be said there."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from promptstore.errors import ExportRefusedError, SyncRefusedError
from promptstore.interchange.templates.jinja import literal, untrimmed
from promptstore.model.parts import MESSAGE_KEYS, Insert, Message
from promptstore.model.prompt import Prompt, texts
from promptstore.posthog.content import encode_content
from promptstore.template import Source as Template
from promptstore.template import find_includes, is_variable_name, split_simple

_RAW: Final = re.compile(r"\{%[-+]?\s*raw\b")


@dataclass(frozen=True)
class Exported:
    """A prompt as a file of another tool.

    Attributes:
        path: The path of the file, from the folder that is written.
        text: Its text, as it is written anew.
        losses: What cannot be said there.
        data: Its bytes: those of the text, or of the file that the prompt came from.
    """

    path: str
    text: str
    losses: tuple[str, ...] = ()
    data: bytes = b""

    def __post_init__(self) -> None:
        if not self.data:
            object.__setattr__(self, "data", self.text.encode())


@dataclass
class Export:
    """A prompt that is being written for another tool.

    Attributes:
        prompt: The prompt.
        format: The format.
        labels: The prompt's labels, where the format has them.
        losses: A sentence for each thing that cannot be said there.
    """

    prompt: Prompt
    format: str
    labels: Sequence[str] = ()
    losses: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the file is called."""
        return self.prompt.name or "prompt"

    def tell(self, what: str) -> None:
        """Add a loss once."""
        if what not in self.losses:
            self.losses.append(what)

    def refuse(self, reason: str) -> ExportRefusedError:
        """Make the error that says why the prompt cannot be written."""
        name = self.prompt.name or "the prompt"
        return ExportRefusedError(name=name, format=self.format, reason=reason)

    def done(self, suffix: str, text: str) -> Exported:
        """Return the file, of the prompt's name with a suffix."""
        return Exported(self.name + suffix, text, tuple(self.losses))

    def leave_out(self, *kept: str) -> None:
        """Record what the prompt says and the format has no place for."""
        known = ("template", "prompt", "messages", f"x-{self.format}", *kept)
        for key in self.prompt.content:
            if key not in known:
                self.tell(f"{key} has no place and is left out")

    def config(self, *kept: str) -> dict[str, Any]:
        """Return these keys of the config, and record the others as lost."""
        config = self.prompt.config
        for key in config:
            if key not in kept:
                self.tell(f"config.{key} has no place and is left out")
        return {key: config[key] for key in kept if key in config}

    def described(self) -> dict[str, Any]:
        """Return the description under its key, where there is one."""
        text = self.prompt.description
        return {} if text is None else {"description": text}

    def refuse_inserts(self) -> None:
        """Refuse lists of messages, for a format that has no place for them.

        Raises:
            ExportRefusedError: There is one.
        """
        for item in self.prompt.messages or ():
            if isinstance(item, Insert):
                raise self.refuse(f"there is no place for the list of messages {item.insert!r}")

    def contents(
        self, message: Message, write: Callable[[str], str], write_image: Callable[[str], str]
    ) -> list[str]:
        """Write the text or the parts of a message, and record its other fields as lost.

        Raises:
            ExportRefusedError: A part is neither text nor an image.
        """
        for key in MESSAGE_KEYS[2:]:
            if getattr(message, key) is not None:
                self.tell(f"{key} of a message has no place and is left out")
        content = message.content
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
        written = []
        for part in parts:
            match part:
                case {"type": "text", "text": str(text)}:
                    written.append(write(text))
                case {"type": "image_url", "image_url": {**image}}:
                    written.append(write_image(str(image.get("url"))))
                case _:
                    kind = part.get("type")
                    raise self.refuse(f"a part of the type {kind} has no place there")
        return written

    def flat_content(self) -> dict[str, Any]:
        """Return what the prompt says with its templates as ``{{name}}`` and nothing else.

        Raises:
            ExportRefusedError: A template has logic.
        """
        prompt = self.prompt
        if prompt.template == "jinja2":
            try:
                value = encode_content(prompt).value
            except SyncRefusedError as error:
                reason = error.reason.partition(", which a remote")[0].rstrip(".")
                raise self.refuse(reason) from error
            return {**prompt.content, "messages" if prompt.is_chat else "prompt": value}
        if prompt.template == "none":
            for _, text in texts(prompt):
                for name in split_simple(text)[1::2]:
                    self.tell(f"the literal text {{{{{name}}}}} is a variable there")
        return prompt.content

    def to_plain_jinja(self, text: str) -> str:
        """Return one of its strings as a template of Jinja2 with its own defaults.

        Raises:
            ExportRefusedError: It includes a prompt, or has a variable that Jinja2 cannot have.
        """
        prompt = self.prompt
        if prompt.template == "none":
            return literal(text)
        if prompt.template == "simple":
            pieces = split_simple(text)
            for variable in pieces[1::2]:
                if not is_variable_name("jinja2", variable):
                    raise self.refuse(f"the variable {variable!r} is no name there")
            return "".join(f"{{{{{p}}}}}" if i % 2 else literal(p) for i, p in enumerate(pieces))
        if find_includes(Template(text)):
            try:
                flat = encode_content(prompt)
            except SyncRefusedError:
                raise self.refuse("it includes a prompt beside logic") from None
            self.tell("what it includes is put in its place")
            whole = zip(_strings(flat.value), texts(prompt), strict=True)
            return next(found for found, (_, one) in whole if one == text)
        if _RAW.search(text):
            raise self.refuse("it has a raw block")
        return untrimmed(text)


def _strings(value: Any) -> list[str]:
    made = Prompt(template="none", **({"prompt": value} if isinstance(value, str)
                                      else {"messages": value}))  # fmt: skip
    return [text for _, text in texts(made)]
