"""The characters that nobody sees, or that steer what shows them: one table for all who ask.

The linter reports them, the terminal and the comment on a pull request show them as escapes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["control", "bidi", "invisible"]

_CLASSES: Final[dict[Kind, str]] = {
    "control": r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029",
    "bidi": r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069",
    "invisible": r"\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200d\u2060-\u2065"
    r"\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff",
}
_UNSEEN: Final = re.compile(
    # The flag of a part of a country is a flag and its code in tag characters.
    "(?P<flag>\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f)|"
    + "|".join(f"(?P<{kind}>[{characters}])" for kind, characters in _CLASSES.items())
)
_JOINERS: Final = "\u200c\u200d"
_STYLES: Final = "\ufe0e\ufe0f"
"""These say that the symbol before them is shown as text, or as an emoji."""
_KEYCAP: Final = "\u20e3"
_KEYS: Final = frozenset("0123456789#*")
_SYMBOLS: Final = frozenset({"So", "Sm", "Sk", "Po", "Pd"})


class Unseen(NamedTuple):
    """A character that is not seen as it is.

    Attributes:
        place: Where it stands, from 0.
        character: The character.
        kind: ``control`` steers a terminal, ``bidi`` turns text around, ``invisible`` has no shape.
    """

    place: int
    character: str
    kind: Kind


def find_unseen(text: str) -> Iterator[Unseen]:
    """Yield the characters of a string that are not seen; tabs and line ends aside.

    What belongs to its neighbours is left out: a joiner between two emoji or between letters of a
    script that needs it, the style of a symbol, the tags of a flag.
    """
    for match in _UNSEEN.finditer(text):
        index = match.start()
        if match["flag"] is None and not _belongs(text, index):
            kind: Kind = "control" if match["control"] else "bidi" if match["bidi"] else "invisible"
            yield Unseen(index, match[0], kind)


def show_unseen(text: str, escape: Callable[[str], str] | None = None) -> str:
    r"""Return a string in which the characters that are not seen are written as escapes.

    Args:
        text: The string.
        escape: Writes one character; by default as Python does, such as ``\x1b``.
    """
    write, at = escape or escaped, 0
    pieces: list[str] = []
    for found in find_unseen(text):
        pieces += (text[at : found.place], write(found.character))
        at = found.place + 1
    return "".join([*pieces, text[at:]])


def escaped(character: str) -> str:
    r"""Return a character as an escape, such as ``\x1b`` or ``\u202e``."""
    code = ord(character)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _belongs(text: str, index: int) -> bool:
    before, after = text[index - 1 : index], text[index + 1 : index + 2]
    if text[index] in _STYLES:
        return _is_symbol(before) or (after == _KEYCAP and before in _KEYS)
    return text[index] in _JOINERS and _may_join(before) and _may_join(after)


def _is_symbol(character: str) -> bool:
    if not character or character.isascii():
        return False
    return unicodedata.category(character) in _SYMBOLS or character == "\N{INFORMATION SOURCE}"


def _may_join(character: str) -> bool:
    if not character or character.isascii() or character in _JOINERS:
        return False
    category = unicodedata.category(character)
    is_latin = unicodedata.name(character, "").startswith("LATIN")
    return category in {"So", "Sk", "Mn", "Mc"} or (category[0] == "L" and not is_latin)
