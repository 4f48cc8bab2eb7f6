"""Which format a file has, and reading it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from promptstore.errors import ImportRefusedError, InvalidArgumentError
from promptstore.interchange.formats import records
from promptstore.interchange.formats.dotprompt import read_dotprompt
from promptstore.interchange.formats.github import read_github
from promptstore.interchange.formats.kernel import read_kernel_yaml
from promptstore.interchange.formats.langchain import read_langchain, read_langsmith
from promptstore.interchange.formats.llm import read_llm
from promptstore.interchange.formats.markdown import read_jinja, read_markdown, read_skill
from promptstore.interchange.formats.promptfoo import read_promptfoo
from promptstore.interchange.formats.prompty import read_prompty
from promptstore.interchange.imported import (
    Draft,
    Imported,
    Refused,
    Source,
    single,
    spell_name,
    with_unique_names,
)
from promptstore.model.prompt import parse_content
from promptstore.promptfile.foreign import YamlRules, read_foreign_yaml
from promptstore.template import TEMPLATE_KINDS

_Found = Sequence[Imported | Refused]

_TEXT_READERS: Final[dict[str, Callable[[Source, str], Draft]]] = {
    "github": read_github,
    "prompty": read_prompty,
    "dotprompt": read_dotprompt,
    "markdown": read_markdown,
    "skill": read_skill,
    "jinja": read_jinja,
}
_VALUE_READERS: Final[dict[str, Callable[[Mapping[str, Any], str], Draft | _Found]]] = {
    "langchain": read_langchain,
    "semantic-kernel": read_kernel_yaml,
    "llm": read_llm,
    "promptfoo": read_promptfoo,
}
_RECORD_READERS: Final[dict[str, Callable[[list[Any], str], _Found]]] = {
    "langfuse": records.read_langfuse,
    "mlflow": records.read_mlflow,
    "posthog": records.read_posthog,
    "openai": records.read_openai,
    "langsmith": read_langsmith,
}
FORMATS: Final = (*_TEXT_READERS, *_VALUE_READERS, *_RECORD_READERS)
"""The formats that can be read, as ``--from`` takes them."""

_BY_SUFFIX: Final = {
    ".prompt.yml": "github", ".prompt.yaml": "github", ".prompty": "prompty",
    ".prompt": "dotprompt", ".jinja2": "jinja", ".jinja": "jinja", ".j2": "jinja",
    ".md": "markdown", ".markdown": "markdown", ".txt": "markdown",
}  # fmt: skip
_STRUCTURED: Final = (".yaml", ".yml", ".json")
_PYYAML: Final = {"langchain", "llm", "semantic-kernel", "mlflow"}
_LISTS: Final = ("data", "results", "prompts", "items", "versions", "commits")
_OWN: Final = "promptstore"
_OWN_KEYS: Final = {"variables", "config", "tags", "metadata", "id", "deleted"}
"""Keys of a prompt file that no file of another tool has which could be taken for one."""

_MAX_BYTES: Final = 16 << 20
_ROLE_FILE: Final = {"system", "skill"}
_NO_PROMPTS: Final = re.compile(
    r"(?:readme|license|licence|changelog|contributing|code_of_conduct|security|notice)\b",
    re.IGNORECASE,
)
"""Files of text that lie in every repository."""


def _list_files(path: Path) -> Iterator[tuple[Path, str]]:
    """List the files of a source that could be prompts, with their paths in it."""
    if path.is_file():
        # The folder says what a `system.md` is about.
        generic = path.stem.lower() in {*_ROLE_FILE, "user"}
        yield path, f"{path.absolute().parent.name}/{path.name}" if generic else path.name
        return
    if not path.is_dir():
        raise InvalidArgumentError(message=f"cannot import {path}: there is no such file or folder")
    known = (*_BY_SUFFIX, *_STRUCTURED)
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(one for one in folders if not one.startswith(".")
                            and one not in ("node_modules", "__pycache__"))  # fmt: skip
        for file in sorted(files):
            found = Path(folder, file)
            if file.startswith(".") or _NO_PROMPTS.match(file) or not found.is_file():
                continue
            if file.lower().endswith(known):
                yield found, found.relative_to(path).as_posix()


def read_path(path: Path, form: str | None = None) -> list[Imported | Refused]:
    """Read a file, or all files of a folder that could be prompts.

    Args:
        path: The file or folder.
        form: The format; None recognises it.

    Returns:
        What comes in, names made unique, and what does not.

    Raises:
        InvalidArgumentError: There is no such file, or no such format.
    """
    found: list[Imported | Refused] = []
    for file, title in _list_files(path):
        if file.is_symlink() or file.stat().st_size > _MAX_BYTES:
            reason = "a link" if file.is_symlink() else "larger than 16 MiB"
            found.append(Refused(title, reason))
            continue
        is_guess = path.is_dir() and form is None
        found += read_bytes(title, file.read_bytes(), form, quiet=is_guess)
    return unique(found)


def unique(found: Sequence[Imported | Refused]) -> list[Imported | Refused]:
    """Return what was read, the imported ones first, with unique names."""
    imported = with_unique_names(one for one in found if isinstance(one, Imported))
    return [*imported, *(one for one in found if isinstance(one, Refused))]


def read_bytes(
    path: str, data: bytes, form: str | None = None, *, quiet: bool = False
) -> list[Imported | Refused]:
    """Read the prompts of one file.

    Args:
        path: Its path, from the folder that is imported.
        data: Its content.
        form: The format; None recognises it.
        quiet: Whether a file of no known format, or of our own, is passed over.

    Returns:
        What comes in, and what does not.

    Raises:
        InvalidArgumentError: There is no such format.
    """
    if form is not None and form not in FORMATS:
        raise InvalidArgumentError(
            message=f"there is no format {form!r}; there are {', '.join(FORMATS)}"
        )
    try:
        source = Source.decode(path, data)
        chosen = form or _recognise(source)
        if quiet and chosen in (None, _OWN):
            return []
        if chosen is None:
            raise ImportRefusedError(
                reason="its format is not recognised; name it with --from, one of "
                + ", ".join(FORMATS)
            )
        if chosen == _OWN:
            raise ImportRefusedError(
                reason="it is a prompt file of promptstore: copy it into the prompts' folder and "
                "`promptstore save` it there, or name another format with --from"
            )
        found = _read(source, chosen)
    except ImportRefusedError as error:
        return [Refused(path, error.reason)]
    return [
        replace(one, source=path, data=data if len(found) == 1 else b"")
        if isinstance(one, Imported)
        else Refused(f"{path}: {one.source}", one.reason)
        for one in found
    ]


def _recognise(source: Source) -> str | None:
    """Return the format of a source, or None where it has none that is known."""
    path = source.path.lower()
    if PurePosixPath(path).name == "skill.md":
        return "skill"
    for suffix, form in _BY_SUFFIX.items():
        if path.endswith(suffix):
            return form
    try:
        value = _value(source, "1.2")
    except ImportRefusedError:
        return None
    return _form_of(value)


def _form_of(value: Any) -> str | None:
    listed = _listed(value)
    if listed:
        return _record_form(listed[0])
    if not isinstance(value, dict):
        return None
    keys = value.keys()
    if _is_own(value):
        return _OWN
    if "_type" in keys:
        return "langchain"
    if "prompts" in keys and keys & {"providers", "tests", "defaultTest", "targets"}:
        return "promptfoo"
    if isinstance(value.get("template"), str) and keys & {"template_format", "input_variables"}:
        return "semantic-kernel"
    record = _record_form(value)
    if record:
        return record
    if isinstance(value.get("messages"), list):
        return "github"
    texts = [value.get(key) for key in ("prompt", "system")]
    if any(isinstance(text, str) for text in texts):
        return "llm"
    return None


def _is_own(value: Mapping[str, Any]) -> bool:
    """Return whether this is a prompt file of promptstore, which needs no import."""
    messages = value.get("messages")
    has_insert = isinstance(messages, list) and any(
        isinstance(one, dict) and "insert" in one for one in messages
    )
    if has_insert or ("template" in value and value["template"] in TEMPLATE_KINDS):
        return True
    if not all(isinstance(key, str) for key in value) or isinstance(parse_content(value), list):
        return False
    if messages is not None:  # GitHub's have a description and `{{name}}`, too
        return "{%" in repr(messages) or not _OWN_KEYS.isdisjoint(value)
    return "{{" in str(value.get("prompt")) or not {"description", *_OWN_KEYS}.isdisjoint(value)


def _record_form(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    keys = value.keys()
    manifest = value.get("manifest", value)
    if isinstance(manifest, dict) and "lc" in manifest:
        return "langsmith"
    if str(value.get("id", "")).startswith("pmpt_") or (
        "instructions" in keys and keys & {"input", "model", "variables", "tools"}
    ):
        return "openai"
    if "prompt" in keys and keys & {"version_description", "is_latest", "latest_version"}:
        return "posthog"
    if "prompt" in keys and (value.get("type") in ("text", "chat") or "commitMessage" in keys):
        return "langfuse"
    if "template" in keys and "name" in keys:
        return "mlflow"
    return None


def _listed(value: Any) -> list[Any] | None:
    """Return the records that a value is a list of, a page of an API among them."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        for key in _LISTS:
            found = value.get(key)
            if isinstance(found, list) and found and _record_form(found[0]):
                return found
    return None


def _value(source: Source, rules: YamlRules) -> Any:
    if source.path.lower().endswith(".json") or re.match(r"\s*[\[{]", source.text):
        try:
            return json.loads(source.text)
        except (ValueError, RecursionError) as error:
            if source.path.lower().endswith(".json"):
                raise ImportRefusedError(reason=f"not JSON: {error}") from None
    return read_foreign_yaml(source.text, rules).value


def _read(source: Source, form: str) -> _Found:
    name = _name(source.path)
    if form in _TEXT_READERS:
        return [single(_TEXT_READERS[form](source, name))]
    value = _value(source, "1.1" if form in _PYYAML else "1.2")
    if form in _RECORD_READERS:
        listed = _listed(value) or [value]
        if not all(isinstance(one, dict) for one in listed):
            raise ImportRefusedError(reason="no list of records")
        return _RECORD_READERS[form](listed, name)
    if not isinstance(value, dict):
        raise ImportRefusedError(reason="no mapping of keys at its top")
    found = _VALUE_READERS[form](value, name)
    return [single(found)] if isinstance(found, Draft) else found


def _name(path: str) -> str:
    """Return the name that a file has here."""
    lower = path.lower()
    suffixes = sorted((*_BY_SUFFIX, *_STRUCTURED, ".prompt.md"), key=len, reverse=True)
    suffix = next((one for one in suffixes if lower.endswith(one)), "")
    name = PurePosixPath(path[: len(path) - len(suffix)] if suffix else path)
    if name.name.lower() in _ROLE_FILE and len(name.parts) > 1:
        name = name.parent
    return spell_name(name.as_posix())
