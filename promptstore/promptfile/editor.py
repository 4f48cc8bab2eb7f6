"""A change of a prompt → the smallest change of its file.

The result is read again before it is given away: where an odd layout defeats a small change, the
keys that differ are written anew, and at last the whole file.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Any, Final

from promptstore.errors import PromptFileError
from promptstore.model.prompt import Prompt
from promptstore.promptfile.problems import YamlError
from promptstore.promptfile.reader import loads, parse, read_yaml
from promptstore.promptfile.scalareditor import difference
from promptstore.promptfile.writer import dumps
from promptstore.promptfile.yamleditor import apply, find_splices, rewrite_key, same
from promptstore.promptfile.yamlplaces import LayoutError, Splice

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
        InvalidArgumentError: No file can hold the prompt.
    """
    document = parse(source, path)
    present, wanted = document.prompt.content, prompt.content
    if same(present, wanted):
        return source
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
    three = (written, present, wanted)
    if all(isinstance(value, list) for value in three) and len(set(map(len, three))) == 1:
        return [_merged(*items) for items in zip(*three, strict=True)]
    if not all(isinstance(value, dict) for value in three):
        return wanted
    merged = {
        key: _merged(value, present.get(key), wanted[key]) if key in wanted else value
        for key, value in written.items()
        if key in wanted or key not in present
    }
    return merged | {key: value for key, value in wanted.items() if key not in written}


def _edited(text: str, present: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    """Change a text in the smallest steps that succeed."""
    edited = _changed(text, wanted)
    if edited is not None:
        return edited
    for key in [*present, *(key for key in wanted if key not in present)]:
        if key in present and key in wanted and same(present[key], wanted[key]):
            continue
        present = {name: value for name, value in present.items() if name != key}
        present |= {key: wanted[key]} if key in wanted else {}
        edited = _changed(text, present)
        if edited is None:
            edited = _changed(text, present, key)
        if edited is None:
            return None
        text = edited
    return text


def _changed(text: str, wanted: dict[str, Any], key: str | None = None) -> str | None:
    """Change a text node by node, or write one key anew; None where the result is not right."""
    lines = _Lines(text)
    try:
        tree = read_yaml(lines.unix)
        if key is None:
            splices = find_splices(lines.unix, tree.root, tree.value, wanted)
        else:
            splices = rewrite_key(lines.unix, tree.root, key, wanted)
        edited = lines.apply(splices)
        found = read_yaml(edited)
    except (LayoutError, YamlError):
        return None
    return edited if not found.problems and same(found.value, wanted) else None


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
        edited = apply(self._text, list(map(self._placed, splices)))
        ended = edited.removesuffix(self.line_end)
        return edited if self._is_ended or ended.endswith(("\n", "\r")) else ended

    def _placed(self, splice: Splice) -> Splice:
        """Find the characters that differ in the text itself."""
        start, end = splice.start, splice.end
        change = difference(self.unix[start:end], splice.text)
        text = splice.text[change.new_start : change.new_end].replace("\n", self.line_end)
        return Splice(self._place(start + change.start), self._place(start + change.end), text)

    def _place(self, at: int) -> int:
        return at + bisect_left(self._pairs, at)
