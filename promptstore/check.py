"""Everything that would break a prompt at run time or mislead its readers, found beforehand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from promptstore.errors import Problem, PromptFileError, TemplateSyntaxError
from promptstore.model import Insert, Prompt, texts
from promptstore.names import SUFFIX, near_matches
from promptstore.promptfile import Document, parse
from promptstore.snapshot import Snapshot
from promptstore.template import Limits, Reference, References, Source, find_references

TEMPLATE_SYNTAX: Final = "PS201"
UNDECLARED_VARIABLE: Final = "PS202"
UNUSED_VARIABLE: Final = "PS203"
MISSING_INCLUDE: Final = "PS301"
DELETED_INCLUDE: Final = "PS302"
CYCLIC_INCLUDE: Final = "PS303"
DEEP_INCLUDE: Final = "PS304"
CHAT_INCLUDE: Final = "PS305"
BROKEN_INCLUDE: Final = "PS306"
CASE_COLLISION: Final = "PS401"
UNUSABLE_NAME: Final = "PS402"
DEAD_REPLACEMENT: Final = "PS403"

MEANINGS: Final = {
    TEMPLATE_SYNTAX: "A text is not a template of its language.",
    UNDECLARED_VARIABLE: "A text uses a variable that the prompt does not declare.",
    UNUSED_VARIABLE: "A declared variable is used nowhere.",
    MISSING_INCLUDE: "A text includes a prompt that does not exist.",
    DELETED_INCLUDE: "A text includes a prompt that is deleted.",
    CYCLIC_INCLUDE: "A text includes itself, directly or not.",
    DEEP_INCLUDE: "Includes are nested too deeply.",
    CHAT_INCLUDE: "A text includes a chat prompt; only a text prompt can be included.",
    BROKEN_INCLUDE: "A text includes a prompt whose file is broken.",
    CASE_COLLISION: "Two names differ only in letter case, which some file systems cannot hold.",
    UNUSABLE_NAME: "A file looks like a prompt but has no name that can be asked for.",
    DEAD_REPLACEMENT: "A deleted prompt is replaced by one that is missing or deleted.",
}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A problem and the file it is in.

    Attributes:
        path: The file's path.
        problem: What is wrong there, with line, column and code.
        name: The prompt's name, or None for a file that has none.
    """

    path: str
    problem: Problem
    name: str | None = None

    def __str__(self) -> str:
        found = self.problem
        return f"{self.path}:{found.line}:{found.column}: {found.code} {found.message}"


def check(snapshot: Snapshot, names: Collection[str] | None = None) -> list[Finding]:
    """Find the problems of prompts of a snapshot.

    Args:
        snapshot: The prompts, as of a commit or of a folder on disk.
        names: Only the problems of these prompts; None is all, and files that have no name.

    Returns:
        The problems, sorted by path, line and column.
    """
    wanted = set(snapshot.names() if names is None else names)
    library = _read(snapshot, wanted)
    findings = [found for found in library.broken if found.name in wanted]
    findings += _collisions(library, wanted)
    if names is None:
        findings += _strays(snapshot)
    for name in library.documents.keys() & wanted:
        findings += (
            Finding(library.paths[name], problem, name)
            for rule in _RULES
            for problem in rule(library, name)
        )
    return sorted(set(findings), key=lambda found: (found.path, found.problem))


@dataclass(frozen=True, slots=True)
class _Text:
    """One template of a prompt, looked through.

    Attributes:
        keys: Its place in the file.
        references: What it uses, or why it is no template.
    """

    keys: tuple[str | int, ...]
    references: References | TemplateSyntaxError


@dataclass(frozen=True, slots=True)
class _Library:
    """The files of a snapshot that matter for some prompts, read once.

    Attributes:
        names: Every name, broken files too.
        paths: The path of each file that was looked at, by name.
        documents: The files that could be read, by name.
        texts: Their templates, by name.
        broken: The problems of the files that could not.
    """

    names: list[str]
    paths: Mapping[str, str]
    documents: Mapping[str, Document]
    texts: Mapping[str, list[_Text]]
    broken: list[Finding]

    def prompt(self, name: str) -> Prompt:
        return self.documents[name].prompt

    def place(self, name: str, text: _Text, line: int) -> tuple[int, int]:
        return self.documents[name].position(text.keys, line)


def _read(snapshot: Snapshot, wanted: Iterable[str]) -> _Library:
    """Read the files of prompts, and what they include or are replaced by."""
    paths: dict[str, str] = {}
    documents: dict[str, Document] = {}
    looked_through: dict[str, list[_Text]] = {}
    broken: list[Finding] = []
    pending = list(wanted)
    while pending:
        name = pending.pop()
        file = snapshot.find(name)
        if file is None or name in paths:
            continue
        paths[name] = file.path
        try:
            document = documents[name] = parse(file.read(), file.path)
        except PromptFileError as error:
            broken += (Finding(file.path, problem, name) for problem in error.problems)
            continue
        looked_through[name] = _look_through(document.prompt)
        pending += _mentioned(document.prompt, looked_through[name])
    return _Library(snapshot.names(), paths, documents, looked_through, broken)


def _mentioned(prompt: Prompt, looked_through: Iterable[_Text]) -> Iterator[str]:
    if prompt.replaced_by is not None:
        yield prompt.replaced_by
    for text in looked_through:
        if isinstance(text.references, References):
            yield from (include.name for include in text.references.includes)


def _look_through(prompt: Prompt) -> list[_Text]:
    found = []
    for keys, text in texts(prompt):
        references: References | TemplateSyntaxError
        try:
            references = find_references(Source(text, prompt.template))
        except TemplateSyntaxError as error:
            references = error
        found.append(_Text(keys, references))
    return found


def _references(library: _Library, name: str) -> Iterator[tuple[_Text, References]]:
    for text in library.texts.get(name, ()):
        if isinstance(text.references, References):
            yield text, text.references


def _includes(library: _Library, name: str) -> Iterator[tuple[_Text, Reference]]:
    for text, references in _references(library, name):
        for reference in references.includes:
            yield text, reference


def _template_syntax(library: _Library, name: str) -> Iterator[Problem]:
    for text in library.texts[name]:
        error = text.references
        if isinstance(error, TemplateSyntaxError):
            message = error.message[:1].upper() + error.message[1:]
            yield Problem(*library.place(name, text, error.line), TEMPLATE_SYNTAX, message)


def _undeclared_variables(library: _Library, name: str) -> Iterator[Problem]:
    prompt = library.prompt(name)
    if prompt.variables is None or prompt.deleted:
        return
    declared = _declared(library, name)
    for text, references in _references(library, name):
        for variable, line in references.variables:
            if variable not in declared:
                hint = _hint(variable, declared) or f" Add `{variable}:` there."
                message = f"The variable {variable!r} is not declared in `variables:`.{hint}"
                yield Problem(*library.place(name, text, line), UNDECLARED_VARIABLE, message)
    for text, include in _includes(library, name):
        for variable in sorted(_used(library, include.name) - declared):
            message = (
                f"The included prompt {include.name!r} uses the variable {variable!r}, "
                "which neither of the two declares."
            )
            yield Problem(*library.place(name, text, include.line), UNDECLARED_VARIABLE, message)


def _unused_variables(library: _Library, name: str) -> Iterator[Problem]:
    prompt = library.prompt(name)
    if prompt.deleted or any(
        isinstance(text.references, TemplateSyntaxError) for text in library.texts[name]
    ):
        return
    used = _used(library, name)
    for variable in prompt.variables or {}:
        if variable not in used:
            place = library.documents[name].key_position(("variables", variable))
            message = f"The variable {variable!r} is declared but used nowhere; remove it."
            yield Problem(*place, UNUSED_VARIABLE, message)


def _declared(library: _Library, name: str) -> set[str]:
    """Collect what a prompt and its includes declare."""
    found: set[str] = set()
    for reached in _closure(library, name):
        found.update(library.prompt(reached).variables or {})
    prompt = library.prompt(name)
    return found | {item.insert for item in prompt.messages or () if isinstance(item, Insert)}


def _used(library: _Library, name: str) -> set[str]:
    """Collect what a prompt and its includes use."""
    used: set[str] = set()
    for reached in _closure(library, name):
        for _, references in _references(library, reached):
            used.update(reference.name for reference in references.variables)
        messages = library.prompt(reached).messages or ()
        used.update(item.insert for item in messages if isinstance(item, Insert))
    return used


def _closure(library: _Library, name: str) -> list[str]:
    """List a prompt and everything that it includes, directly or not."""
    found: dict[str, None] = {}
    pending = [name]
    while pending:
        reached = pending.pop()
        if reached in library.documents and reached not in found:
            found[reached] = None
            pending += (include.name for _, include in _includes(library, reached))
    return list(found)


def _unfit_includes(library: _Library, name: str) -> Iterator[Problem]:
    if library.prompt(name).deleted:
        return
    for text, include in _includes(library, name):
        fault = _include_fault(library, name, include.name)
        if fault:
            code, message = fault
            yield Problem(*library.place(name, text, include.line), code, message)


def _include_fault(library: _Library, name: str, target: str) -> tuple[str, str] | None:
    if target not in library.names:
        hint = _hint(target, library.names)
        return MISSING_INCLUDE, f"There is no prompt {target!r} to include.{hint}"
    if target not in library.documents:
        return BROKEN_INCLUDE, f"The included prompt {target!r} has a broken file."
    included = library.prompt(target)
    if included.deleted:
        instead = f" Use {included.replaced_by!r} instead." if included.replaced_by else ""
        return DELETED_INCLUDE, f"The included prompt {target!r} is deleted.{instead}"
    if included.is_chat:
        return CHAT_INCLUDE, f"{target!r} is a chat prompt; only a text prompt can be included."
    if name in _closure(library, target):
        return CYCLIC_INCLUDE, f"{target!r} includes {name!r} in turn; includes cannot go round."
    depth = Limits().max_include_depth
    if _depth(library, name, depth + 1) > depth:
        return DEEP_INCLUDE, f"Includes are nested deeper than {depth} from here on."
    return None


def _depth(library: _Library, name: str, most: int) -> int:
    """Measure how deep the includes of a prompt go, at the most so far."""
    level, depth = {name}, 0
    while level and depth < most:
        level = {include.name for at in level for _, include in _includes(library, at)}
        depth += bool(level)
    return depth


def _dead_replacement(library: _Library, name: str) -> Iterator[Problem]:
    target = library.prompt(name).replaced_by
    if target is None:
        return
    place = library.documents[name].position(("replaced_by",))
    if target not in library.names:
        message = (
            f"There is no prompt {target!r} to replace this one.{_hint(target, library.names)}"
        )
        yield Problem(*place, DEAD_REPLACEMENT, message)
    elif target in library.documents and library.prompt(target).deleted:
        message = f"{target!r}, which replaces this prompt, is deleted itself."
        yield Problem(*place, DEAD_REPLACEMENT, message)


def _collisions(library: _Library, wanted: Collection[str]) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for name in library.names:
        other = first.setdefault(name.casefold(), name)
        if other != name and not {name, other}.isdisjoint(wanted):
            at, twin = (name, other) if name in wanted else (other, name)
            message = f"The name differs from {twin!r} only in letter case; rename one of them."
            problem = Problem(1, 1, CASE_COLLISION, message)
            yield Finding(library.paths[at], problem, at)


def _strays(snapshot: Snapshot) -> Iterator[Finding]:
    for path in snapshot.strays():
        if path.endswith(SUFFIX):
            message = (
                "The file is not read: it is a symbolic link, or its path holds other characters "
                "than letters, digits, '_', '-' and '.'."
            )
        else:
            message = "The file is not read: a prompt's file ends with .yaml. Rename it."
        yield Finding(path, Problem(1, 1, UNUSABLE_NAME, message))


def _hint(wrong: str, known: Iterable[str]) -> str:
    near = near_matches(wrong, known)
    return f" Did you mean {near[0]!r}?" if near else ""


_RULES: Final[tuple[Callable[[_Library, str], Iterator[Problem]], ...]] = (
    _template_syntax,
    _undeclared_variables,
    _unused_variables,
    _unfit_includes,
    _dead_replacement,
)
