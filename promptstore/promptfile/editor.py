"""A change of a prompt → the smallest change of its file.

The result is read again before it is given away: where an odd layout defeats a small change, the
keys that differ are written anew, and at last the whole file.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Final

from promptstore.errors import PromptFileError
from promptstore.model.prompt import Prompt
from promptstore.promptfile.problems import YamlError
from promptstore.promptfile.reader import loads, parse
from promptstore.promptfile.writer import checked_content, dumps, plain_content
from promptstore.promptfile.yamleditor import (
    LayoutError,
    Splice,
    apply,
    find_splices,
    rewrite_key,
    same,
)
from promptstore.promptfile.yamlreader import Tree, read_yaml

_LINE_END: Final = re.compile(r"\r\n?|\n")


def edit(source: bytes, prompt: Prompt, path: str = "<prompt>") -> bytes:
    """Change a prompt's file so that it says what a prompt says.

    Args:
        source: The file's present content.
        prompt: What it shall say; its identity in git does not count.
        path: The file's path, for errors.

    Returns:
        The new content; the same bytes where nothing changes.

    Raises:
        PromptFileError: The present content cannot be read.
        InvalidArgumentError: The prompt is no valid one.
    """
    document = parse(source, path)
    present = document.prompt.content
    if same(present, plain_content(prompt)):
        return source
    wanted = checked_content(prompt)
    text = source.decode()
    edited = _edited(text, document.tree.value, _merged(document.tree.value, present, wanted))
    if edited is None or not _says(edited, wanted):
        edited = dumps(prompt).replace("\n", _Lines(text).line_end)
    return edited.encode()


def _says(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return same(loads(text).content, wanted)
    except PromptFileError:
        return False


def _merged(written: Any, present: Any, wanted: Any) -> Any:
    """Work out what a file shall say: what is written out at its default stays."""
    if same(present, wanted):
        return written
    if not (isinstance(written, dict) and isinstance(present, dict) and isinstance(wanted, dict)):
        return wanted
    merged = {
        key: _merged(value, present.get(key), wanted[key]) if key in wanted else value
        for key, value in written.items()
        if key in wanted or key not in present
    }
    return merged | {key: value for key, value in wanted.items() if key not in written}


def _edited(text: str, present: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    """Change a text in the smallest steps that succeed."""
    edited = _attempt(
        text, wanted, lambda tree, unix: find_splices(unix, tree.root, present, wanted)
    )
    if edited is not None:
        return edited
    for key in [*present, *wanted]:
        if key in present and key in wanted and same(present[key], wanted[key]):
            continue
        step = {name: value for name, value in present.items() if name != key}
        step |= {key: wanted[key]} if key in wanted else {}
        ways: list[Callable[[Tree, str], list[Splice]]] = [
            lambda tree, unix: find_splices(unix, tree.root, tree.value, step),
            lambda tree, unix: rewrite_key(unix, tree.root, key, step),
        ]
        for way in ways:
            edited = _attempt(text, step, way)
            if edited is not None:
                break
        else:
            return None
        text, present = edited or text, step
    return text


def _attempt(
    text: str, wanted: dict[str, Any], way: Callable[[Tree, str], list[Splice]]
) -> str | None:
    """Change a text; None where the result says something else."""
    lines = _Lines(text)
    try:
        edited = lines.apply(way(read_yaml(lines.unix), lines.unix))
        tree = read_yaml(edited)
    except (LayoutError, YamlError):
        return None
    return edited if not tree.problems and same(tree.value, wanted) else None


class _Lines:
    """A text of which the line ends stay as they are.

    Attributes:
        unix: The text with LF line ends and one at its end.
        line_end: The line end that most of its lines have.
    """

    def __init__(self, text: str) -> None:
        count = text.count("\r\n")
        self.line_end = "\r\n" if 2 * count > text.count("\n") else "\n"
        self._is_ended = text.endswith(("\n", "\r"))
        self._text = text if self._is_ended else text + self.line_end
        self.unix = _LINE_END.sub("\n", self._text)
        pairs = (match.start() for match in re.finditer("\r\n", self._text))
        self._pairs = [start - number for number, start in enumerate(pairs)]

    def apply(self, splices: list[Splice]) -> str:
        """Replace characters of the text by their places in `unix`."""
        edited = apply(
            self._text,
            [
                Splice(
                    self._place(splice.start),
                    self._place(splice.end),
                    splice.text.replace("\n", self.line_end),
                )
                for splice in splices
            ],
        )
        ended = edited.removesuffix(self.line_end)
        return edited if self._is_ended or ended.endswith(("\n", "\r")) else ended

    def _place(self, at: int) -> int:
        return at + bisect_left(self._pairs, at)
