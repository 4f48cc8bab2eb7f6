"""Semantic Kernel: YAML with a template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from typing import Any, Final

from promptstore.errors import ImportRefusedError
from promptstore.interchange.imported import Draft, as_list
from promptstore.interchange.templates.flat import choose_kind, read_kernel, write_flat
from promptstore.interchange.templates.handlebars import translate_handlebars
from promptstore.interchange.templates.jinja import UntranslatableError, translate_jinja
from promptstore.interchange.templates.liquid import translate_liquid
from promptstore.interchange.templates.mustache import tokenize

_FORMAT: Final = "semantic-kernel"
_LOOP: Final = re.compile(
    r"""\{\{\#each\s+(?P<list>\w+)\s*\}\}\s*
    <message\s+role\s*=\s*["']\{\{\s*(?:this\.)?role\s*\}\}["']\s*>\s*
    \{\{\{?\s*(?:this\.)?content\s*\}?\}\}\s*</message>\s*\{\{/each\}\}""",
    re.VERBOSE | re.IGNORECASE,
)
_MESSAGE: Final = re.compile(
    r"""<message\s+role\s*=\s*["'](\w+)["']\s*>(.*?)</message>""", re.DOTALL | re.IGNORECASE
)
_SCALARS: Final = (str, int, float, bool)


def read_kernel_yaml(value: Mapping[str, Any], name: str) -> Draft:
    """Read a prompt function of Semantic Kernel.

    Raises:
        ImportRefusedError: It has no template.
    """
    template = value.get("template")
    if not isinstance(template, str):
        raise ImportRefusedError(reason="semantic-kernel: it has no template")
    draft = Draft(name, _FORMAT)
    for one in as_list(value.get("input_variables")):
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            _declare(draft, one)
    if value.get("output_variable") is not None:
        draft.metadata["output_variable"] = value["output_variable"]
    taken = ("template", "template_format", "input_variables", "output_variable")
    draft.take(value, *taken, config=("execution_settings",))
    with draft.kept_as_source(template):
        _fill(draft, template, str(value.get("template_format", _FORMAT)))
    return draft


def _declare(draft: Draft, one: dict[str, Any]) -> None:
    declared: dict[str, Any] = {}
    if isinstance(one.get("description"), str) and one["description"]:
        declared["description"] = one["description"]
    default = one.get("default")
    if isinstance(default, _SCALARS) and not (default == "" and one.get("is_required")):
        declared["default"] = default
    elif one.get("is_required") is False:
        declared["default"] = ""
    draft.variables[one["name"]] = declared
    if one.get("json_schema"):
        draft.metadata.setdefault("json_schemas", {})[one["name"]] = one["json_schema"]


def _fill(draft: Draft, template: str, form: str) -> None:
    if form == _FORMAT:
        _fill_flat(draft, template)
        return
    draft.template, draft.missing = "jinja2", ""
    if form == "handlebars":
        _split(draft, template, lambda text: translate_handlebars(tokenize(text)))
    elif form == "liquid":
        _split(draft, template, translate_liquid)
    elif form == "jinja2":
        _split(draft, template, translate_jinja)
    else:
        raise UntranslatableError(f"semantic-kernel: the template format {form}")


def _fill_flat(draft: Draft, template: str) -> None:
    found = list(_MESSAGE.finditer(template))
    if found and _MESSAGE.sub("", template).strip():
        raise UntranslatableError("messages within a loop or beside other text")
    texts = [unescape(one[2]) for one in found] or [template]
    pieces = [read_kernel(text) for text in texts]
    draft.template = kind = choose_kind(pieces)
    if not found:
        draft.prompt = write_flat(pieces[0], kind)
    for one, split in zip(found, pieces, strict=False):
        draft.say(one[1], write_flat(split, kind))


def _split(draft: Draft, template: str, translate: Any) -> None:
    """Split a template at its messages; a loop that only passes messages on is an insert."""
    places = [(m.start(), m.end(), "insert", m["list"]) for m in _LOOP.finditer(template)]
    rest = _LOOP.sub("", template)
    places += [
        (m.start(), m.end(), m[1], unescape(m[2]))
        for m in _MESSAGE.finditer(template)
        if not any(start <= m.start() < end for start, end, _, _ in places)
    ]
    if not places:
        draft.prompt = translate(template)
        return
    if _MESSAGE.sub("", rest).strip():
        raise UntranslatableError("messages within a loop or beside other text")
    for _, _, role, text in sorted(places):
        if role == "insert":
            draft.insert(text)
        elif text.strip():
            draft.say(role, translate(text))
