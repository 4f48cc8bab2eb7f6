"""Templates of ours as other tools read them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from promptstore.errors import ExportRefusedError, SyncRefusedError
from promptstore.interchange.templates.common import literal
from promptstore.model.prompt import Prompt, texts
from promptstore.posthog.content import encode_content
from promptstore.promptfile.writer import write_entry
from promptstore.template import Source as Template
from promptstore.template import find_includes, is_variable_name, split_simple

TAG: Final = re.compile(r"\{%.*?%\}|\{#.*?#\}|\{\{.*?\}\}", re.DOTALL)
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
class Losses:
    """What cannot be said in another format.

    Attributes:
        format: The format.
        found: A sentence for each thing.
    """

    format: str
    found: list[str] = field(default_factory=list)

    def tell(self, what: str) -> None:
        """Add a thing once."""
        if what not in self.found:
            self.found.append(what)

    def leave_out(self, prompt: Prompt, *kept: str) -> None:
        """Record what a prompt says and the format has no place for."""
        for key in prompt.content:
            known = ("template", "prompt", "messages", f"x-{self.format}", *kept)
            if key not in known:
                self.tell(f"{key} has no place and is left out")

    def leave_keys(self, what: str, value: dict[str, Any], *kept: str) -> None:
        """Record which keys of a mapping have no place."""
        for key in value:
            if key not in kept:
                self.tell(f"{what}.{key} has no place and is left out")


def mapped(prompt: Prompt, change: Callable[[str], str]) -> dict[str, Any]:
    """Return what a prompt says, with each of its templates changed."""
    content = prompt.content
    for path, text in texts(prompt):
        place: Any = content
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = change(text)
    return content


def flat_content(prompt: Prompt, losses: Losses) -> dict[str, Any]:
    """Return what a prompt says with its templates as ``{{name}}`` and nothing else.

    Raises:
        ExportRefusedError: A template has logic.
    """
    if prompt.template == "jinja2":
        try:
            value = encode_content(prompt).value
        except SyncRefusedError as error:
            raise ExportRefusedError(
                name=prompt.name or "the prompt", format=losses.format, reason=_reason(error)
            ) from error
        return {**prompt.content, "messages" if prompt.is_chat else "prompt": value}
    if prompt.template == "none":
        for _, text in texts(prompt):
            for name in split_simple(text)[1::2]:
                losses.tell(f"the literal text {{{{{name}}}}} is a variable there")
    return prompt.content


def _reason(error: SyncRefusedError) -> str:
    return error.reason.partition(", which a remote")[0].rstrip(".")


def to_plain_jinja(prompt: Prompt, text: str, losses: Losses) -> str:
    """Return a string as a template of Jinja2 with its own defaults.

    Raises:
        ExportRefusedError: It includes a prompt, or has a variable that Jinja2 cannot have.
    """
    name = prompt.name or "the prompt"
    if prompt.template == "none":
        return literal(text)
    if prompt.template == "simple":
        pieces = split_simple(text)
        for variable in pieces[1::2]:
            if not is_variable_name("jinja2", variable):
                reason = f"the variable {variable!r} is no name there"
                raise ExportRefusedError(name=name, format=losses.format, reason=reason)
        return "".join(f"{{{{{p}}}}}" if i % 2 else literal(p) for i, p in enumerate(pieces))
    if find_includes(Template(text)):
        try:
            flat = encode_content(prompt)
        except SyncRefusedError:
            reason = "it includes a prompt beside logic"
            raise ExportRefusedError(name=name, format=losses.format, reason=reason) from None
        losses.tell("what it includes is put in its place")
        whole = zip(_strings(flat.value), texts(prompt), strict=True)
        return next(found for found, (_, one) in whole if one == text)
    if _RAW.search(text):
        raise ExportRefusedError(name=name, format=losses.format, reason="it has a raw block")
    return untrimmed(text)


def _strings(value: Any) -> list[str]:
    made = Prompt(template="none", **({"prompt": value} if isinstance(value, str)
                                      else {"messages": value}))  # fmt: skip
    return [text for _, text in texts(made)]


def untrimmed(text: str) -> str:
    """Write a template so that a tag takes no line end and no indent along by itself."""
    written, end = "", 0
    for found in TAG.finditer(text):
        written += text[end : found.start()]
        end = found.end()
        tag = found[0]
        if tag.startswith("{{"):
            written += tag
            continue
        if tag[2] == "+":
            tag = tag[:2] + tag[3:]
        elif tag[2] != "-":
            # The line as it stands in the text: a tag before it may have taken its line end.
            before = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
            written = written if before.strip() else written[: len(written) - len(before)]
        if tag[-3] == "+":
            tag = tag[:-3] + tag[-2:]
        elif tag[-3] != "-" and text.startswith("\n", end):
            end += 1
        written += tag
    return written + text[end:]


def front_matter(value: dict[str, Any]) -> str:
    """Write a mapping between two lines of dashes; nothing where it is empty."""
    lines = "".join(write_entry(key, item) for key, item in value.items())
    return f"---\n{lines}---\n" if lines else ""
