"""Languages that only put values in: f-strings, ``$x``, and ``{{$x}}`` of Semantic Kernel.

A string is read into pieces: literal text and names in turn, literal text at both ends.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from typing import Final

from promptstore.interchange.templates.jinja import UntranslatableError, literal
from promptstore.template import TemplateKind, is_variable_name, split_simple

_DOLLAR: Final = re.compile(r"\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_KERNEL: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_KERNEL_NAME: Final = re.compile(r"\s*\$([A-Za-z_][A-Za-z0-9_]*)\s*")
_KERNEL_STRING: Final = re.compile(r"""\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*""")


def read_f_string(text: str) -> list[str]:
    """Split an f-string as LangChain writes it.

    Raises:
        UntranslatableError: It formats a value or looks into one.
    """
    pieces = [""]
    try:
        for before, name, form, conversion in string.Formatter().parse(text):
            pieces[-1] += before
            if name is None:
                continue
            if form or conversion or not is_variable_name("jinja2", name):
                raise UntranslatableError(f"f-string: {{{name}…}} is more than a name")
            pieces += [name, ""]
    except ValueError as error:
        if isinstance(error, UntranslatableError):
            raise
        raise UntranslatableError(f"f-string: {error}") from None
    return pieces


def read_dollar(text: str) -> list[str]:
    """Split a string with ``$x`` and ``${x}``; ``$$`` is a dollar."""
    pieces, end = [""], 0
    for found in _DOLLAR.finditer(text):
        pieces[-1] += text[end : found.start()]
        end = found.end()
        if found[1]:
            pieces[-1] += "$"
        else:
            pieces += [found[2] or found[3], ""]
    pieces[-1] += text[end:]
    return pieces


def read_kernel(text: str) -> list[str]:
    """Split a string with ``{{$x}}``.

    Raises:
        UntranslatableError: It calls a function.
    """
    pieces, end = [""], 0
    for found in _KERNEL.finditer(text):
        pieces[-1] += text[end : found.start()]
        end = found.end()
        name, quoted = _KERNEL_NAME.fullmatch(found[1]), _KERNEL_STRING.fullmatch(found[1])
        if name:
            pieces += [name[1], ""]
        elif quoted:
            pieces[-1] += quoted[1] or quoted[2] or ""
        else:
            raise UntranslatableError("semantic-kernel: function call in the template")
    pieces[-1] += text[end:]
    return pieces


def choose_kind(texts: Iterable[Sequence[str]]) -> TemplateKind:
    """Return ``simple`` where all strings can be written in it, else ``jinja2``."""
    fits = all(split_simple(write_flat(pieces, "simple")) == list(pieces) for pieces in texts)
    return "simple" if fits else "jinja2"


def write_flat(pieces: Sequence[str], kind: TemplateKind) -> str:
    """Write pieces as a template of one of our languages."""
    if kind == "simple":
        return "".join(f"{{{{{p}}}}}" if i % 2 else p for i, p in enumerate(pieces))
    return "".join(f"{{{{ {p} }}}}" if i % 2 else literal(p) for i, p in enumerate(pieces))
