"""LangChain's prompt files and LangSmith's manifests; read as JSON, never loaded as objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

from promptstore.errors import ImportRefusedError
from promptstore.interchange.formats.common import translated
from promptstore.interchange.formats.records import group_records
from promptstore.interchange.imported import Draft, Imported, Refused, as_dict, as_list, rest_of
from promptstore.interchange.templates.flat import choose_kind, read_f_string, write_flat
from promptstore.interchange.templates.jinja import translate_jinja
from promptstore.interchange.templates.mustache import translate_mustache

_ROLES: Final = {
    "SystemMessagePromptTemplate": "system", "HumanMessagePromptTemplate": "user",
    "AIMessagePromptTemplate": "assistant", "SystemMessage": "system", "HumanMessage": "user",
    "AIMessage": "assistant", "ChatMessagePromptTemplate": "", "ChatMessage": "",
}  # fmt: skip
_CHAT: Final = {"ChatPromptTemplate", "StructuredPrompt"}


def read_langchain(value: Mapping[str, Any], name: str) -> Draft:
    """Read a file with ``_type``.

    Raises:
        ImportRefusedError: It is of another kind, or points at other files.
    """
    kind = value.get("_type", "prompt")
    if kind == "few_shot":
        raise ImportRefusedError(reason="few-shot examples and example prompt")
    if kind != "prompt" or not isinstance(value.get("template"), str):
        raise ImportRefusedError(reason=f"langchain: a prompt of the type {kind} without template")
    draft = Draft(name, "langchain")
    taken = ("_type", "template", "template_format", "input_variables", "partial_variables",
             "validate_template", "input_types", "output_parser", "metadata", "tags")  # fmt: skip
    _declare(draft, value)
    draft.set_tags(value.get("tags"))
    draft.metadata |= value["metadata"] if isinstance(value.get("metadata"), dict) else {}
    draft.extra = rest_of(value, *taken)
    if value.get("output_parser"):
        draft.extra["output_parser"] = value["output_parser"]
    form = str(value.get("template_format", "f-string"))
    _fill(draft, [(None, value["template"], form)])
    return draft


def read_langsmith(commits: Iterable[Mapping[str, Any]], name: str) -> list[Imported | Refused]:
    """Read manifests (``lc``), alone or within commits of the hub, which become versions."""
    return group_records(_in_order(commits), name, "langsmith", _langsmith)


def _in_order(commits: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return commits as records, from the oldest to the newest."""
    records = [_record(commit) for commit in commits]
    parents = {one["version"]: one["parent"] for one in records if one["parent"]}

    def place(record: Mapping[str, Any]) -> tuple[str, int]:
        depth, parent = 0, record["parent"]
        while parent in parents and depth < len(records):
            depth, parent = depth + 1, parents[parent]
        return record["created_at"] or "", depth + (record["parent"] is not None)

    return sorted(records, key=place)


def _record(commit: Mapping[str, Any]) -> dict[str, Any]:
    """Return a commit as the records of other servers are; a manifest alone is one too."""
    facts = commit if "manifest" in commit else {}
    tags = [tag.get("tag_name", tag.get("name")) if isinstance(tag, Mapping) else tag
            for tag in as_list(facts.get("tags"))]  # fmt: skip

    def word(*keys: str) -> str | None:
        found = (facts.get(key) for key in keys)
        return next((one for one in found if isinstance(one, str) and one), None)

    owner, _, repo = (word("full_name") or "").rpartition("/")
    return {
        "name": word("repo") or repo or word("name"),
        "owner": word("owner") or owner or None,
        "version": word("commit_hash"),
        "parent": word("parent_commit_hash", "parent"),
        "created_at": word("created_at"),
        "created_by": facts.get("created_by"),
        "commit_message": word("commit_message", "description"),
        "labels": tags,
        "manifest": facts.get("manifest", commit),
    }


def _langsmith(draft: Draft, record: Mapping[str, Any]) -> None:
    """Take a manifest.

    Raises:
        ImportRefusedError: It is no prompt, or holds a secret or an object that only code makes.
    """
    kind, inner = _object(record["manifest"])
    if kind == "RunnableSequence":
        kind, inner = _sequence(draft, inner)
    found: list[tuple[Any, Any, str]] = []
    if kind == "PromptTemplate":
        found = [(None, inner.get("template"), str(inner.get("template_format", "f-string")))]
    elif kind in _CHAT:
        found = [_message(draft, one) for one in as_list(inner.get("messages"))]
    else:
        raise ImportRefusedError(reason=f"langsmith: a {kind} is no prompt")
    _declare(draft, inner)
    schema = inner.get("schema_") or inner.get("schema")
    if schema:
        draft.config["response_format"] = {"type": "json_schema", "json_schema": schema}
    if record["owner"] is not None:
        draft.extra["owner"] = record["owner"]
    _fill(draft, found)


def _object(value: Any) -> tuple[str, Mapping[str, Any]]:
    """Return the class and the arguments of a serialised object, which is never made."""
    if not isinstance(value, Mapping) or value.get("type") != "constructor":
        raise ImportRefusedError(reason="langsmith: an object that only its program can load")
    names = as_list(value.get("id")) or [""]
    inner = value.get("kwargs")
    return str(names[-1]), inner if isinstance(inner, Mapping) else {}


def _sequence(draft: Draft, inner: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Take a prompt with the model behind it."""
    steps = [inner.get("first"), *as_list(inner.get("middle")), inner.get("last")]
    kind, prompt = _object(steps[0])
    for step in steps[1:]:
        if not isinstance(step, Mapping):
            continue
        bound = as_dict(step.get("kwargs"))
        model = bound.get("bound", step)
        plain = _plain(model.get("kwargs") if isinstance(model, Mapping) else {})
        more = _plain(bound.get("kwargs")) if "bound" in bound else {}
        draft.config |= {**plain, **more}
        draft.losses.append(
            f"{(as_list(step.get('id')) or ['a step'])[-1]} becomes config; it is not called"
        )
    return kind, prompt


def _plain(value: Any) -> dict[str, Any]:
    """Return arguments without what only a program can make, secrets among it."""
    found = value if isinstance(value, Mapping) else {}
    return {key: item for key, item in found.items() if not _is_object(item)}


def _is_object(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "lc" in value or any(map(_is_object, value.values()))
    return isinstance(value, list) and any(map(_is_object, value))


def _message(draft: Draft, value: Any) -> tuple[Any, Any, str]:
    kind, inner = _object(value)
    if kind == "MessagesPlaceholder":
        name = str(inner.get("variable_name"))
        draft.variables[name] = {"type": "messages"}
        if inner.get("optional"):
            draft.variables[name]["default"] = []
        return ("insert", name, "")
    if kind not in _ROLES:
        raise ImportRefusedError(reason=f"langsmith: a message of the kind {kind}")
    role = _ROLES[kind] or str(inner.get("role"))
    template = inner.get("prompt")
    if isinstance(template, list):
        parts: list[dict[str, Any]] = []
        form = "f-string"
        for one in template:
            what, made = _object(one)
            form = str(made.get("template_format", form))
            text = made.get("template")
            if what == "ImagePromptTemplate" and isinstance(text, dict):
                parts.append({"type": "image_url", "image_url": dict(text)})
            else:
                parts.append({"type": "text", "text": text})
        return role, parts, form
    if template is None:
        return role, inner.get("content"), "literal"
    _, made = _object(template)
    return role, made.get("template"), str(made.get("template_format", "f-string"))


def _declare(draft: Draft, value: Mapping[str, Any]) -> None:
    """Declare the variables, where the source says anything of them but their names."""
    partial = value.get("partial_variables")
    if isinstance(partial, Mapping) and partial:
        for name in as_list(value.get("input_variables")):
            draft.variables.setdefault(str(name), {})
        for name, given in partial.items():
            if _is_object(given):
                draft.losses.append(
                    f"the value of {name!r} is made by a program; it is required here"
                )
                draft.variables[name] = {}
            else:
                draft.variables[name] = {"default": given}


def _fill(draft: Draft, found: list[tuple[Any, Any, str]]) -> None:
    """Translate all strings into one language, the plainest that they fit."""
    source = "\n\n".join(str(content) for _, content, _ in found)
    with draft.kept_as_source(source):
        forms = {form for _, _, form in found if form not in ("", "literal")}
        if forms <= {"f-string"}:
            _fill_flat(draft, found)
        else:
            draft.template = "jinja2"
            for role, content, form in found:
                _put(draft, role, content, lambda text, form=form: _logic(draft, text, form))


def _fill_flat(draft: Draft, found: list[tuple[Any, Any, str]]) -> None:
    pieces: list[list[str]] = []

    def split(text: str, form: str) -> list[str]:
        return [text] if form == "literal" else read_f_string(text)

    def note(text: str, form: str) -> str:
        pieces.append(split(text, form))
        return text

    for _, content, form in found:
        translated(content, partial(note, form=form))
    draft.template = kind = choose_kind(pieces)
    for role, content, form in found:
        _put(draft, role, content, lambda text, form=form: write_flat(split(text, form), kind))


def _logic(draft: Draft, text: str, form: str) -> str:
    if form == "mustache":
        return translate_mustache(text, draft.variables)
    if form == "jinja2":
        return translate_jinja(text)
    kept = [text] if form == "literal" else read_f_string(text)
    return write_flat(kept, "jinja2")


def _put(draft: Draft, role: Any, content: Any, translate: Any) -> None:
    if role == "insert":
        draft.messages.append({"insert": content})
    elif role is None:
        draft.prompt = translate(content)
    else:
        draft.say(role, translated(content, translate))
