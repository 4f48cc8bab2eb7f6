"""Liquid → Jinja2, in the part that both have."""

from __future__ import annotations

import re
from typing import Final

from promptstore.interchange.templates.jinja import UntranslatableError, literal, translate_jinja

_TOKEN: Final = re.compile(
    r"\{%-?\s*raw\s*-?%\}(.*?)\{%-?\s*endraw\s*-?%\}"
    r"|\{%-?\s*comment\s*-?%\}.*?\{%-?\s*endcomment\s*-?%\}"
    r"|\{(%|\{)(-?)(.*?)(-?)(?:%|\})\}",
    re.DOTALL,
)
_FILTERS: Final = {
    "upcase": "upper", "downcase": "lower", "strip": "trim", "size": "length", "json": "tojson",
    "first": "first", "last": "last", "join": "join", "capitalize": "capitalize", "sort": "sort",
    "reverse": "reverse", "uniq": "unique", "abs": "abs",
}  # fmt: skip
_LOOP: Final = {
    "forloop.index0": "loop.index0", "forloop.index": "loop.index", "forloop.first": "loop.first",
    "forloop.last": "loop.last", "forloop.length": "loop.length",
}  # fmt: skip
_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_OPERAND: Final = re.compile(r"""-?\d+(?:\.\d+)?|true|false|"[^"\\]*"|'[^'\\]*'""")
_COMPARISON: Final = re.compile(r"(.+?)\s*(==|!=|<>|<=|>=|<|>|\bcontains\b)\s*(.+)")
_FOR: Final = re.compile(r"([A-Za-z_]\w*)\s+in\s+(\S+)")
_PIPE: Final = re.compile(r"""\|(?=(?:[^"']|"[^"]*"|'[^']*')*$)""")


def translate_liquid(text: str) -> str:
    """Translate a template of Liquid.

    Raises:
        UntranslatableError: It uses what Jinja2 has not, or what would mean something else there.
    """
    written: list[str] = []
    ends: list[str] = []
    end = 0
    for found in _TOKEN.finditer(text):
        written.append(literal(text[end : found.start()]))
        end = found.end()
        if found[1] is not None:
            written.append(literal(found[1]))
        elif found[2] == "{":
            written.append(f"{{{{{found[3]} {_value(found[4])} {found[5]}}}}}")
        elif found[2] == "%":
            inner = _tag(found[4].strip(), ends)
            written.append(f"{{%{found[3] or '+'} {inner} {found[5] or '+'}%}}")
    written.append(literal(text[end:]))
    if ends:
        raise UntranslatableError("liquid: a block is not closed")
    return translate_jinja("".join(written))


def _tag(text: str, ends: list[str]) -> str:
    name, _, rest = text.partition(" ")
    rest = rest.strip()
    if name in ("if", "unless"):
        ends.append(f"end{name}")
        condition = _condition(rest)
        return f"if {condition}" if name == "if" else f"if not ({condition})"
    if name in ("elsif", "elseif"):
        return f"elif {_condition(rest)}"
    if name == "else":
        return "else"
    loop = _FOR.fullmatch(rest) if name == "for" else None
    if loop:
        ends.append("endfor")
        return f"for {loop[1]} in {_operand(loop[2])}"
    if name in ("endif", "endunless", "endfor") and ends and ends.pop() == name:
        return "endfor" if name == "endfor" else "endif"
    if name == "assign" and "=" in rest and not any(one == "endfor" for one in ends):
        variable, _, value = rest.partition("=")
        return f"set {variable.strip()} = {_value(value)}"
    raise UntranslatableError(f"liquid: the tag {name}")


def _condition(text: str) -> str:
    if re.search(r"\band\b", text) and re.search(r"\bor\b", text):
        # Liquid reads these from the right.
        raise UntranslatableError("liquid: and beside or")
    pieces = re.split(r"\s+(and|or)\s+", text)
    return " ".join(p if i % 2 else _comparison(p) for i, p in enumerate(pieces))


def _comparison(text: str) -> str:
    found = _COMPARISON.fullmatch(text.strip())
    if not found:
        value = _operand(text.strip())
        if value in ("true", "false"):
            return value
        # In Liquid an empty string, a list without items and 0 are true.
        return f"({value} is defined and {value} is not none and {value} is not false)"
    left, sign, right = found.groups()
    if right in ("blank", "empty", "nil", "null"):
        return _emptiness(_operand(left), sign, right)
    if sign == "contains":
        return f"{_operand(right)} in {_operand(left)}"
    return f"{_operand(left)} {'!=' if sign == '<>' else sign} {_operand(right)}"


def _emptiness(value: str, sign: str, what: str) -> str:
    if sign not in ("==", "!=") or what == "blank":
        raise UntranslatableError(f"liquid: {sign} {what}")
    if what == "empty":
        return f"{value}|length {sign} 0"
    return f"{value} is {'not ' if sign == '!=' else ''}none"


def _operand(text: str) -> str:
    text = text.strip()
    if text in _LOOP:
        return _LOOP[text]
    if text.endswith(".size") and _PATH.fullmatch(text):
        return f"{text[:-5]}|length"
    if _OPERAND.fullmatch(text) or (_PATH.fullmatch(text) and not text.startswith("forloop")):
        return text
    raise UntranslatableError(f"liquid: {text}")


def _value(text: str) -> str:
    first, *filters = _PIPE.split(text)
    value = _operand(first)
    for one in filters:
        name, _, given = one.strip().partition(":")
        arguments = [_operand(argument) for argument in given.split(",")] if given else []
        if name.strip() == "default" and len(arguments) == 1:
            value = f"{value}|default({arguments[0]}, true)"
        elif name.strip() in _FILTERS:
            value = f"{value}|{_FILTERS[name.strip()]}"
            value += f"({', '.join(arguments)})" if arguments else ""
        else:
            raise UntranslatableError(f"liquid: the filter {name.strip()}")
    return value
