"""A prompt's file: bytes ↔ prompt.

Read strictly, with every fault of the file and its place; written in one canonical style; edited
in place, so that comments, layout and everything that did not change stay as they are.

Each name is loaded when it is first used: a prompt that was parsed before needs no parser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from promptstore.lazy import lazy_names

if TYPE_CHECKING:
    from promptstore.promptfile.editor import edit
    from promptstore.promptfile.formatter import comments_of, format_file
    from promptstore.promptfile.reader import Document, loads, parse, parse_yaml
    from promptstore.promptfile.writer import dumps
    from promptstore.promptfile.yamlwriter import write_flow, write_key

__all__ = [
    "Document",
    "comments_of",
    "dumps",
    "edit",
    "format_file",
    "loads",
    "parse",
    "parse_yaml",
    "write_flow",
    "write_key",
]

_HOME_OF: Final = {
    "Document": "reader",
    "comments_of": "formatter",
    "dumps": "writer",
    "edit": "editor",
    "format_file": "formatter",
    "loads": "reader",
    "parse": "reader",
    "parse_yaml": "reader",
    "write_flow": "yamlwriter",
    "write_key": "yamlwriter",
}

__getattr__ = lazy_names(__name__, _HOME_OF)
