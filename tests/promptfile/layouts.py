"""Random layouts of a prompt's file, with comments everywhere, and random edits of its value."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

WORDS = ["be", "kind", "a", "it's", "{{ q }}", "é", "b,", "yes", "12", "- c", "http://x/y", "(d)"]
PLAIN = ["kind", "be kind", "12", "0.5", "true", "null", "~", "v1.2", "it's", "x:y", "1_000"]
KEYS = ["a", "b", "model", "x y", "'q'", '"k"', "é", "z-1"]
KINDS = ["mapping", "{", "mapping", "list", "list", "["]
TEXTS = ["", " ", "x", "\n", " /pid \nx", "a\n\n", "\ta\n b\n", "- k\n", "'", '"', "\\", "é\u200d"]


class Layout:
    """Writes a random file.

    Args:
        seed: What it depends on.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._count = 0

    def file(self) -> str:
        """Write a file; now and then it is none that can be read."""
        pieces = [f"prompt:{self._scalar(0)}", f"metadata:{self._children(0, 0, [*KINDS[:2]])}"]
        if self._chance(0.5):
            message = f"- role: user{self._behind()}\n  content:{self._scalar(2)}"
            another = f"- content:{self._scalar(2)}  role: system\n"
            pieces[0] = f"messages:{self._behind()}\n{message}{self._gap(0)}{another}"
        if self._chance(0.7):
            pieces.append(f"config:{self._children(0, 0, [*KINDS[:2]])}")
        self._random.shuffle(pieces)
        text = "".join(self._gap(0) + piece for piece in pieces) + self._gap(0)
        if self._chance(0.2):
            text = text.rstrip("\n")
        return text.replace("\n", "\r\n") if self._chance(0.2) else text

    def _chance(self, part: float) -> bool:
        return self._random.random() < part

    def _comment(self) -> str:
        self._count += 1
        return f"# comment {self._count}"

    def _behind(self) -> str:
        return " " * self._random.randint(1, 3) + self._comment() if self._chance(0.4) else ""

    def _gap(self, column: int) -> str:
        """Blank lines and comments, most of them as far in as what follows."""
        lines = ""
        while self._chance(0.35):
            other = self._random.randint(0, column + 3)
            indent = column if self._chance(0.7) else other
            lines += " " * indent + self._comment() + "\n" if self._chance(0.6) else "\n"
        return lines

    def _value(self, column: int, depth: int) -> str:
        if depth < 3 and self._chance(0.5):
            return self._children(column, depth)
        return f"{self._behind()}\n" if self._chance(0.08) else self._scalar(column)

    def _children(self, column: int, depth: int, kinds: list[str] = KINDS) -> str:
        kind = self._random.choice(kinds)
        if kind in ("{", "["):
            return f" {self._flow(column, depth + 1, kind)}{self._behind()}\n"
        inner = column + self._random.randint(1, 4)
        lines = self._mapping(inner, depth) if kind == "mapping" else self._list(inner, depth)
        return f"{self._behind()}\n{self._gap(inner)}{lines}"

    def _keys(self) -> list[str]:
        return self._random.sample(KEYS, self._random.randint(1, 3))

    def _mapping(self, column: int, depth: int) -> str:
        lines = ""
        for key in self._keys():
            lines += self._gap(column) if lines else ""
            lines += f"{' ' * column}{key}{' ' * self._chance(0.1)}:"
            lines += self._value(column, depth + 1)
        return lines

    def _list(self, column: int, depth: int) -> str:
        lines = ""
        for _ in range(self._random.randint(1, 4)):
            lines += self._gap(column) if lines else ""
            if depth < 3 and self._chance(0.3):
                write = self._mapping if self._chance(0.7) else self._list
                lines += f"{' ' * column}- {write(column + 2, depth + 1)[column + 2 :]}"
            else:
                lines += f"{' ' * column}-{self._value(column, depth + 1)}"
        return lines

    def _flow(self, column: int, depth: int, kind: str) -> str:
        is_mapping = kind == "{"
        entries = [f"{key}: " for key in self._keys()] if is_mapping else ["", ""]
        pieces = []
        for entry in entries:
            nested = depth < 3 and self._chance(0.3)
            value = (
                self._flow(column, depth + 1, self._random.choice("{["))
                if nested
                else self._in_line(column, inside=True)
            )
            pieces.append(f"{self._space(column)}{entry}{value}{self._space(column)}")
        whole = ",".join(pieces) + ("," if self._chance(0.2) else "") + self._space(column)
        return f"{{{whole}}}" if is_mapping else f"[{whole}]"

    def _space(self, column: int) -> str:
        if self._chance(0.2):
            return f"{self._behind()}\n{' ' * (column + 2)}"
        return " " if self._chance(0.5) else ""

    def _scalar(self, column: int) -> str:
        if self._chance(0.5):
            return f" {self._block(column)}"
        return f" {self._in_line(column, inside=False)}{self._behind()}\n"

    def _words(self) -> list[str]:
        return [self._random.choice(WORDS) for _ in range(self._random.randint(1, 6))]

    def _in_line(self, column: int, *, inside: bool) -> str:
        style = self._random.choice(["plain", "'", '"'])
        if style == "plain":
            return self._random.choice(PLAIN[:1] if inside else PLAIN)
        words = [word.replace("'", "''" if style == "'" else "'") for word in self._words()]
        if style == '"' and self._chance(0.4):
            words.append(self._random.choice(["\\n", "\\x41", '\\"', "\\u00e9", "\\\\"]))
        breaks = [" ", " ", f"\n{' ' * (column + 2)}", f"\n\n{' ' * (column + 1)}"]
        return style + self._joined(words, breaks) + style

    def _joined(self, words: list[str], breaks: list[str]) -> str:
        text = words[0]
        for word in words[1:]:
            text += self._random.choice(breaks) + word
        return text

    def _block(self, column: int) -> str:
        step = self._random.randint(1, 4)
        digit = str(step) if self._chance(0.3) else ""
        sign = self._random.choice(["", "", "-", "+"])
        header = self._random.choice("|>") + self._random.choice([digit + sign, sign + digit])
        indent = " " * (column + step)
        breaks = [" ", f"\n{indent}", f"\n\n{indent}", f"\n{indent}  ", f"  \n{indent}"]
        body = self._joined(self._words(), breaks)
        blank = "\n" * self._random.choice([0, 0, 1, 2])
        return f"{header}{self._behind()}\n{indent}{body}\n{blank}"


class Edit:
    """One random edit.

    Args:
        seed: What it depends on.
        value: The value of the whole file; its key `metadata`, and more, is edited.

    Attributes:
        path: The way to what is changed, added or removed.
        kind: `set`, `add` or `remove`.
        value: The new value of the whole file.
    """

    def __init__(self, seed: int, value: dict[str, Any]) -> None:
        self._random = Random(seed)
        self.value = copy.deepcopy(value)
        free = [path for path in _paths(self.value) if path[0] in ("metadata", "config")]
        others = [path for path in _paths(self.value) if path[0] in ("prompt", "messages")]
        self.path = self._random.choice(free if self._chance(0.6) else others)
        *above, last = self.path
        holder: Any = self.value
        for step in above:
            holder = holder[step]
        kinds = ["set", "set", "add", "remove"]
        if self.path[-1] in ("metadata", "prompt", "messages", "role", "content"):
            kinds = ["set"]
        elif len(self.path) == 1:
            kinds = ["remove"]
        elif self.path[0] == "messages":
            kinds = ["add", "remove", "set"]
        self.kind = self._random.choice(kinds)
        if self.kind == "set":
            holder[last] = self._new(last, holder[last])
        elif self.kind == "remove":
            del holder[last]
            if not holder:
                self.path, self.kind = tuple(above), "set"
                if self.path == ("messages",):
                    holder.append({"role": "user", "content": "new"})
        elif isinstance(holder, list):
            holder.insert(last, self._new(last, None))
        else:
            self.path = (*above, "new")
            holder["new"] = self._new("new", None)

    def _chance(self, part: float) -> bool:
        return self._random.random() < part

    def _new(self, key: Any, old: Any) -> Any:
        text = self._random.choice([*TEXTS, "new", "new words\nof two lines\n"])
        if self.path[0] == "messages" and isinstance(key, int):
            return {"role": self._random.choice(["user", "system"]), "content": text}
        if key == "messages":
            return [*old, {"role": "assistant", "content": text}]
        if key == "role":
            return "assistant"
        if key == "metadata" and len(self.path) == 1:
            return {**old, "new": text}
        if isinstance(old, str) and old and self._chance(0.6):
            return self._reworded(old)
        if key in ("content", "prompt") and self.path[0] in ("messages", "prompt"):
            return text
        others = [text, text, 7, None, True, [], {}, ["new", {"n": text}], {"n": [text], "m": text}]
        return self._random.choice(others)

    def _reworded(self, old: str) -> str:
        words = old.split(" ")
        place = self._random.randrange(len(words))
        how = self._random.choice(["other", "none", "more", "end", "line"])
        if how == "end":
            return old.rstrip("\n") + "\n" * self._random.randint(0, 3)
        new = {"other": ["other"], "none": [], "more": [words[place], "more"]}
        words[place : place + 1] = new.get(how, [words[place] + "\nline"])
        return " ".join(words)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if not isinstance(value, (dict, list)):
        return found
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        found += _paths(item, (*path, key))
    return found
