"""Writing what was imported: versions become commits, labels become labels, once.

Each commit says which versions of which source it holds (``Imported:`` at the end of its message),
so that a second import goes on after the last of them, and makes nothing where nothing is new.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from promptstore.errors import HistoryUnavailableError, PromptFileError, PromptNotFoundError
from promptstore.interchange.exporting import keep_sources
from promptstore.interchange.imported import Imported, ImportedVersion, Refused
from promptstore.model.prompt import Prompt, parse_content, texts
from promptstore.posthog.content import map_texts
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore
from promptstore.store.writing import Attribution
from promptstore.template import Source as Template
from promptstore.template import find_includes

_TRAILER: Final = re.compile(r"^Imported: (\S+) (.+)$", re.MULTILINE)
_TRAILING: Final = re.compile(r"[ \t]+$", re.MULTILINE)
_INCLUDE: Final = re.compile(r"""(\{%[-+]?\s*include\s+["'])([^"'\n]+)""")
_START: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Plan:
    """What an import would write.

    Attributes:
        new: Prompts with the versions that are new here.
        unchanged: The names of those that have nothing new.
        refused: What stays out.
    """

    new: tuple[tuple[Imported, tuple[ImportedVersion, ...]], ...]
    unchanged: tuple[Imported, ...]
    refused: tuple[Refused, ...]


def with_prefix(found: Sequence[Imported | Refused], prefix: str) -> list[Imported | Refused]:
    """Put a folder before the names, also where one of the prompts includes another one.

    Args:
        found: What was read.
        prefix: The folder; empty changes nothing.
    """
    folder = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    names = {one.name for one in found if isinstance(one, Imported)}

    def moved(text: str) -> str:
        return _INCLUDE.sub(
            lambda tag: f"{tag[1]}{folder}{tag[2]}" if tag[2] in names else tag[0], text
        )

    return [
        replace(_with_texts(one, moved), name=folder + one.name)
        if isinstance(one, Imported) and folder
        else one
        for one in found
    ]


def without_trailing_spaces(imported: Imported) -> Imported:
    """Return a prompt without the spaces and tabs at the ends of the lines of its texts."""
    return _with_texts(imported, lambda text: _TRAILING.sub("", text))


def _with_texts(imported: Imported, change: Callable[[str], str]) -> Imported:
    """Return a prompt with its templates changed, in every version."""
    versions = []
    for version in imported.versions:
        made = parse_content(map_texts(version.prompt, change))
        versions.append(version if isinstance(made, list) else replace(version, prompt=made))
    return replace(imported, versions=tuple(versions))


def plan_import(
    store: PromptStore, found: Iterable[Imported | Refused], *, replace: bool = False
) -> Plan:
    """Compare what was read with what is here.

    Args:
        store: The store.
        found: What was read.
        replace: Whether a prompt that was written or edited here gets a new version.

    Returns:
        What is new, what is not, and what stays out.
    """
    snapshot = store.snapshot()
    found = list(found)
    known = {*snapshot.names(), *(one.name for one in found if isinstance(one, Imported))}
    new: list[tuple[Imported, tuple[ImportedVersion, ...]]] = []
    unchanged: list[Imported] = []
    refused: list[Refused] = []
    for one in found:
        if isinstance(one, Refused):
            refused.append(one)
            continue
        try:
            here = _Here.look(store, snapshot, one.name)
        except PromptFileError as error:
            refused.append(Refused(one.source or one.name, f"the prompt here is broken: {error}"))
            continue
        versions = _versions_after(one, here)
        if not versions:
            unchanged.append(one)
        elif missing := _missing(one, known):
            reason = f"it includes {', '.join(missing)}, which is neither here nor imported"
            refused.append(Refused(one.source or one.name, reason))
        elif here.prompt is not None and not here.is_imported and not replace:
            reason = (
                f"there is a prompt {one.name} that was written here; "
                "--replace gives it a new version"
            )
            refused.append(Refused(one.source or one.name, reason))
        else:
            new.append((one, versions))
    return Plan(tuple(new), tuple(unchanged), tuple(refused))


def _missing(one: Imported, known: set[str]) -> list[str]:
    """Return what a prompt includes and nobody has."""
    found = (
        name
        for _, text in texts(one.prompt)
        for name in find_includes(Template(text, one.prompt.template))
    )
    return [name for name in dict.fromkeys(found) if name not in known]


@dataclass(frozen=True)
class _Here:
    """What is known of a prompt in the store.

    Attributes:
        prompt: Its newest version, or None.
        keys: The keys of the imported versions by version number, oldest first.
        is_imported: Whether the newest version is an imported one.
    """

    prompt: Prompt | None = None
    keys: dict[int, str] = field(default_factory=dict)
    is_imported: bool = False

    @classmethod
    def look(cls, store: PromptStore, snapshot: Snapshot, name: str) -> _Here:
        """Look at a prompt and its history."""
        prompt = snapshot.read(name, deleted=True) if snapshot.find(name) else None
        try:
            history = store.history(name)[::-1]
        except (PromptNotFoundError, HistoryUnavailableError):
            return cls(prompt)
        keys = {
            version.number: key
            for version in history
            for of, key in _TRAILER.findall(version.message)
            if of == name
        }
        return cls(prompt, keys, bool(history) and history[-1].number in keys)


def _versions_after(one: Imported, here: _Here) -> tuple[ImportedVersion, ...]:
    """Return the versions of a source behind the last one that is here."""
    keys = [version.key for version in one.versions]
    last = list(here.keys.values())[-1:]
    start = keys.index(last[0]) + 1 if last and last[0] in keys else 0
    left = one.versions[start:]
    # What says the same needs no commit, wherever it is from.
    if here.prompt is not None and all(v.prompt.content == here.prompt.content for v in left):
        return ()
    return left


def write_import(
    store: PromptStore, plan: Plan, *, source: str, attribution: Attribution | None = None
) -> list[str]:
    """Write what is new, keep the files that it came from, and point the labels.

    Args:
        store: The store.
        plan: See `plan_import`.
        source: What the prompts come from, for the messages.
        attribution: Who commits.

    Returns:
        The names of the prompts that have a new version.

    Raises:
        PromptStoreError: As for `PromptStore.commit` and `PromptStore.set_labels`.
    """
    given: Attribution = attribution or {}
    changed: dict[str, None] = {}
    for versions in _steps(plan):
        prompts = {name: version.prompt for name, version in versions.items()}
        # An older version may include what came later there; the newest ones are complete.
        written = store.commit(prompts, force=True, **_noted(versions, source, given))
        changed |= {name: None for name, prompt in written.items() if not prompt.is_unchanged}
    new = [one for one, _ in plan.new]
    keep_sources(store, new, given)
    _point_labels(store, [*plan.unchanged, *new], source, given)
    return list(changed)


def _steps(plan: Plan) -> list[dict[str, ImportedVersion]]:
    """Return the commits in the order of their times; plain files go into one, which is last."""
    plain: dict[str, ImportedVersion] = {}
    steps: list[tuple[datetime, dict[str, ImportedVersion]]] = []
    for one, versions in plan.new:
        first, when = versions[0], _START
        if len(one.versions) == 1 and not (first.author or first.authored_at or first.message):
            plain[one.name] = first
            continue
        for version in versions:
            when = max(when, version.authored_at or _START)
            steps.append((when, {one.name: version}))
    steps.sort(key=lambda step: step[0])
    return [*(step for _, step in steps), *([plain] if plain else [])]


def _noted(versions: Mapping[str, ImportedVersion], source: str, given: Attribution) -> Attribution:
    """Return who commits some versions, and what the message says; one has its own author."""
    trailers = "\n".join(f"Imported: {name} {one.key}" for name, one in versions.items())
    (name, version), *others = versions.items()
    what = f"{len(versions)} prompts" if others else name
    text = version.message or given.get("message") or f"Import {what} from {source}"
    noted: Attribution = {**given, "message": f"{text.strip()}\n\n{trailers}"}
    if version.author:
        noted["author"] = version.author
    if version.authored_at:
        noted["authored_at"] = version.authored_at
    return noted


def _point_labels(
    store: PromptStore, imported: Sequence[Imported], source: str, given: Attribution
) -> None:
    """Point each label where the source has it, unless somebody here pointed it elsewhere."""
    wanted: dict[str, dict[str, int]] = {}
    table = store.labels()
    snapshot = store.snapshot()
    for one in imported:
        if not any(version.labels for version in one.versions):
            continue
        here = _Here.look(store, snapshot, one.name)
        numbers = _numbers(one, here)
        for version in one.versions:
            number = numbers.get(version.key)
            for label in version.labels if number is not None else ():
                target = table.targets.get(label, {}).get(one.name)
                is_free = target is None or target.version in numbers.values()
                if number is not None and is_free and (not target or target.version != number):
                    wanted.setdefault(label, {})[one.name] = number
    for label, versions in wanted.items():
        noted: Attribution = {**given, "message": f"Point {label} as {source} does"}
        store.set_labels(label, versions, **noted)


def _numbers(one: Imported, here: _Here) -> dict[str, int]:
    """Return the version here for each key; one that changed nothing is the one before it."""
    by_key = {key: number for number, key in here.keys.items()}
    numbers: dict[str, int] = {}
    last: int | None = None
    for version in one.versions:
        last = by_key.get(version.key, last)
        if last is not None:
            numbers[version.key] = last
    return numbers
