"""A prompt's file: bytes ↔ prompt.

Read strictly, with every fault of the file and its place; written in one canonical style; edited
in place, so that comments, layout and everything that did not change stay as they are.
"""

from __future__ import annotations

from promptstore.promptfile.editor import edit
from promptstore.promptfile.formatter import comments_of, format_file
from promptstore.promptfile.jsonschema import file_schema
from promptstore.promptfile.reader import Document, loads, parse, parse_yaml
from promptstore.promptfile.writer import dumps

__all__ = [
    "Document",
    "comments_of",
    "dumps",
    "edit",
    "file_schema",
    "format_file",
    "loads",
    "parse",
    "parse_yaml",
]
