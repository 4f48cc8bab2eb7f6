"""All rules, which of them count, and the check that finds what would break or mislead.

The settings stand in ``[tool.promptstore]`` of pyproject.toml; remotes may also have a file.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from promptstore.errors import InvalidArgumentError, Problem, PromptStoreError
from promptstore.history.labels import BRANCH
from promptstore.lint import callsites, contents, references
from promptstore.lint.context import LintContext
from promptstore.lint.findings import SEVERITIES, Finding, Ignores, Rule, Severity, Violation
from promptstore.model.values import SUFFIX, near_matches
from promptstore.promptfile import codes

if TYPE_CHECKING:
    from promptstore.store.store import PromptStore

Check: TypeAlias = Callable[[LintContext, str], Iterator[Violation]]
"""Finds the violations of some rules in the prompt of a name."""

CHECKS: Final[tuple[tuple[Check, tuple[Rule, ...]], ...]] = (
    (contents.not_canonical, (contents.NOT_CANONICAL,)),
    (references.template_syntax, (references.TEMPLATE_SYNTAX,)),
    (references.undeclared_variables, (references.UNDECLARED_VARIABLE,)),
    (references.unused_variables, (references.UNUSED_VARIABLE,)),
    (references.eaten_line_ends, (references.EATEN_LINE_END,)),
    (references.unfit_includes, references.INCLUDE_RULES),
    (references.dead_replacement, (references.DEAD_REPLACEMENT,)),
    (contents.unseen_characters, (contents.INVISIBLE, contents.BIDIRECTIONAL)),
    (contents.look_alikes, (contents.LOOK_ALIKE,)),
    (contents.odd_spaces, (contents.TRAILING_SPACE, contents.DOUBLED_SPACE)),
    (contents.duplicate_texts, (contents.DUPLICATE_TEXT,)),
    (contents.role_order, (contents.ROLE_ORDER,)),
    (contents.empty_messages, (contents.EMPTY_MESSAGE,)),
    (contents.over_budget, (contents.OVER_BUDGET,)),
)
"""What is looked for in each file that can be read, with the rules that it finds violations of."""

SOURCE_CHECKS: Final[tuple[tuple[Check, tuple[Rule, ...]], ...]] = (
    (references.case_collision, (references.CASE_COLLISION,)),
    (references.remote_name, (references.REMOTE_NAME,)),
    (contents.secrets, (contents.SECRET,)),
)
"""What is looked for in every file, be it broken or not."""

_RULES: Final = (
    *(Rule(code, is_fixable=code == codes.UNKNOWN_KEY) for code in codes.ALL),
    *(rule for _, rules in (*CHECKS, *SOURCE_CHECKS) for rule in rules),
    references.UNUSABLE_NAME,
    references.LOST_LABEL,
    *callsites.RULES,
)

RULES: Final[dict[str, Rule]] = {
    rule.code: rule for rule in sorted(_RULES, key=lambda rule: rule.code)
}
"""Every rule by its code."""


def explain(code: str) -> str:
    """Return the page of a rule as Markdown.

    Args:
        code: Its code, letter case aside.

    Returns:
        The page, with one line end at its end.

    Raises:
        InvalidArgumentError: There is no such rule.
    """
    rule = RULES.get(code.upper())
    if rule is None:
        near = near_matches(code, RULES)
        advice = f"; did you mean {near[0]}?" if near else "; `promptstore explain` lists all"
        raise InvalidArgumentError(message=f"there is no rule {code!r}{advice}")
    return rule.page


FILE: Final = "pyproject.toml"
OWN_FILE: Final = ".promptstore.toml"
_LISTS: Final = ("select", "extend-select", "ignore")
_KEYS: Final = (*_LISTS, "severity", "per-prompt-ignores", "characters-per-token", "remotes")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a check goes by.

    Codes may be beginnings: ``PS5`` stands for every code that starts with it.

    Attributes:
        select: The codes to look for, or None for all that are on by default.
        extend_select: Codes to look for besides.
        ignore: Codes to leave out.
        severity: Severities by code or beginning, where they differ from the rule's own.
        per_prompt_ignores: Codes to leave out by pattern of names, such as ``drafts/*``.
        characters_per_token: How many characters are counted as one token of a budget.
        has_remotes: Whether remotes are set up there, whose names must fit too.
        name_encoders: What encodes a name for each remote: by the remote's name, what raises
            `SyncRefusedError` for a name that it cannot hold.
    """

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    per_prompt_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    characters_per_token: float = 4
    has_remotes: bool = False
    name_encoders: Mapping[str, Callable[[str], object]] = field(default_factory=dict)

    def wants(self, code: str, name: str | None) -> bool:
        """Return whether a code is looked for in a prompt.

        Args:
            code: The code.
            name: The prompt's name, or None for a file that has none.
        """
        if code.startswith(self.ignore) or self._is_ignored_for(code, name):
            return False
        if code.startswith(self.extend_select):
            return True
        return RULES[code].is_on if self.select is None else code.startswith(self.select)

    def severity_of(self, code: str) -> Severity:
        """Return how bad a finding of a code is; the longest beginning that is set counts."""
        beginnings = [beginning for beginning in self.severity if code.startswith(beginning)]
        if not beginnings:
            return RULES[code].severity
        return self.severity[max(beginnings, key=len)]

    def finding(self, path: str, problem: Problem, name: str | None) -> Finding:
        """Return a problem of a file as a finding of the severity that is set for its code."""
        return Finding(path, problem, name, self.severity_of(problem.code))

    def _is_ignored_for(self, code: str, name: str | None) -> bool:
        return name is not None and any(
            fnmatchcase(name, pattern) and code.startswith(codes)
            for pattern, codes in self.per_prompt_ignores.items()
        )


def read_settings(folder: Path) -> Settings:
    """Read the settings of the repository that a folder is the top of.

    Args:
        folder: The top of the working tree.

    Returns:
        The settings; the defaults where there is no such file or table.

    Raises:
        InvalidArgumentError: The file is no TOML, or a setting means nothing.
    """
    return _settings(read_table(folder / FILE), str(folder / FILE))


def parse_settings(text: str, file: str) -> Settings:
    """Read the settings from the text of a file.

    Args:
        text: The text.
        file: What the file is called, for errors.

    Raises:
        InvalidArgumentError: The file is no TOML, or a setting means nothing.
    """
    return _settings(_parse(text, file), file)


def read_table(file: Path) -> dict[str, Any]:
    """Read what `FILE` or `OWN_FILE` says about promptstore; nothing where there is no file.

    Raises:
        InvalidArgumentError: It cannot be read, is no TOML, or has a key that is not known.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(message=f"cannot read {file}: {error}") from error
    return _parse(text, str(file))


def _parse(text: str, file: str) -> dict[str, Any]:
    try:
        whole = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidArgumentError(message=f"{file} is no TOML: {error}") from error
    if Path(file).name == OWN_FILE:
        rest = f"only [remotes.NAME] stands here, and the rest in [tool.promptstore] of {FILE}"
        return _known(whole, ("remotes",), f"{file}: the file", rest)
    tools = whole.get("tool", {})
    table = tools.get("promptstore", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise _unfit(file, "tool.promptstore", "a table")
    return _known(table, _KEYS, f"{file}: [tool.promptstore]", f"the keys are {', '.join(_KEYS)}")


def _known(table: dict[str, Any], keys: Sequence[str], place: str, advice: str) -> dict[str, Any]:
    for key in table:
        if key not in keys:
            near = near_matches(key, keys)
            hint = f"did you mean {near[0]!r}?" if near else advice
            raise InvalidArgumentError(message=f"{place} has no key {key!r}; {hint}")
    return table


def _settings(table: dict[str, Any], file: str) -> Settings:
    select, extend, ignore = (_codes(table.get(key, ()), key, file) for key in _LISTS)
    return Settings(
        select=select if "select" in table else None,
        extend_select=extend,
        ignore=ignore,
        severity=_severity(table.get("severity", {}), file),
        per_prompt_ignores=_by_pattern(table.get("per-prompt-ignores", {}), file),
        characters_per_token=_positive(table.get("characters-per-token", 4), file),
        has_remotes="remotes" in table,
    )


def checked_codes(codes: Sequence[str], where: str) -> tuple[str, ...]:
    """Refuse codes, and beginnings of codes, that no rule has.

    Args:
        codes: Codes such as ``PS203``, or beginnings such as ``PS2``.
        where: Where they stand, for the error.

    Returns:
        The same codes.

    Raises:
        InvalidArgumentError: No rule has one of them.
    """
    for code in codes:
        if not code or not any(known.startswith(code) for known in RULES):
            near = near_matches(code, RULES)
            advice = f"did you mean {near[0]}?" if near else "`promptstore explain` lists them"
            raise InvalidArgumentError(message=f"{where}: no rule has the code {code!r}; {advice}")
    return tuple(codes)


def _codes(value: Any, key: str, file: str) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)) and all(isinstance(code, str) for code in value):
        return checked_codes(value, f"{file}: {key!r} in [tool.promptstore]")
    raise _unfit(file, key, 'a list of codes such as "PS203" or "PS5"')


def _severity(value: Any, file: str) -> dict[str, Severity]:
    if not isinstance(value, dict) or not all(word in SEVERITIES for word in value.values()):
        raise _unfit(file, "severity", f"a table from code to one of {', '.join(SEVERITIES)}")
    checked_codes(list(value), f"{file}: 'severity' in [tool.promptstore]")
    return value


def _by_pattern(value: Any, file: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise _unfit(file, "per-prompt-ignores", "a table from pattern to a list of codes")
    return {
        pattern: _codes(codes, f"per-prompt-ignores.{pattern}", file)
        for pattern, codes in value.items()
    }


def _positive(value: Any, file: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and 0 < value < inf:
        return float(value)
    raise _unfit(file, "characters-per-token", "a number above 0")


def _unfit(file: str, key: str, wanted: str) -> InvalidArgumentError:
    return InvalidArgumentError(message=f"{file}: {key!r} in [tool.promptstore] must be {wanted}")


MAX_SHOWN: Final = 50
"""How many findings of one code are shown of one file; how many more there are is said."""

_MAX_LOCATED: Final = 1_000
"""How many are looked up in a file with comments that may hide them."""


def check(context: LintContext) -> list[Finding]:
    """Find the problems of the prompts that are looked at, or of all.

    Others are read only as far as these need them.

    Args:
        context: The prompts, as of a commit or of a folder on disk.

    Returns:
        The problems, sorted by path, line and column. Files without a usable name are among them
        when all prompts are looked at.
    """
    findings: set[Finding] = set()
    for name in context.chosen:
        findings |= set(_of_prompt(context, name))
    if context.only is None:
        findings |= set(check_unrecognized_files(context))
    return sorted(findings)


def check_unrecognized_files(context: LintContext) -> list[Finding]:
    """Find the files that look like prompts and have no name that can be asked for.

    Args:
        context: The prompts.

    Returns:
        The problems, sorted by path.
    """
    settings = context.settings
    return [
        settings.finding(path, Problem(1, 1, violation.rule.code, violation.message), None)
        for path, violation in sorted(references.unrecognized_files(context))
        if settings.wants(violation.rule.code, None)
    ]


def check_labels(store: PromptStore, settings: Settings) -> list[Finding]:
    """Find the labels that point nowhere, by reading each.

    Args:
        store: The store.
        settings: Whether they are looked for, and how bad it is.

    Returns:
        The problems, sorted by label and name. Their path is that of the label's file on its
        branch.
    """
    code = references.LOST_LABEL.code
    if not settings.wants(code, None):
        return []
    table = store.labels()
    found = [
        (label, f"The label {label!r} cannot be read: {error}")
        for label, error in table.broken.items()
    ]
    for label, targets in table.targets.items():
        found += ((label, message) for message in _lost_targets(store, label, targets))
    return [
        settings.finding(f"{BRANCH}:{label}{SUFFIX}", Problem(1, 1, code, text), None)
        for label, text in sorted(found)
    ]


def _of_prompt(context: LintContext, name: str) -> Iterator[Finding]:
    source, settings = context.source(name), context.settings
    ignores = Ignores(source) if "promptstore:" in source else None
    # A comment cannot make a file readable, so it hides no fault of reading.
    for problem in (*context.faults(name), *_problems(context, name, ignores)):
        if settings.wants(problem.code, name):
            yield settings.finding(context.file(name).path, problem, name)


def _problems(context: LintContext, name: str, ignores: Ignores | None) -> Iterator[Problem]:
    """Locate the violations of a prompt, at most so many of each code, and how many more."""
    shown, located, left_out = Counter[str](), Counter[str](), Counter[str]()
    last: dict[str, Problem] = {}
    for violation in _violations(context, name):
        code = violation.rule.code
        located[code] += 1
        if shown[code] == MAX_SHOWN or located[code] > _MAX_LOCATED:
            left_out[code] += 1
            continue
        problem = Problem(*context.locate(name, violation), code, violation.message)
        if ignores is None or not ignores.hides(problem):
            shown[code] += 1
            last[code] = problem
            yield problem
    for code, count in left_out.items():
        place = (last[code].line, last[code].column) if code in last else (1, 1)
        yield Problem(*place, code, f"And {count} more in this file.")


def _violations(context: LintContext, name: str) -> Iterator[Violation]:
    checks = SOURCE_CHECKS if context.document(name) is None else (*SOURCE_CHECKS, *CHECKS)
    for find, rules in checks:
        if any(context.settings.wants(rule.code, name) for rule in rules):
            yield from find(context, name)


def _lost_targets(store: PromptStore, label: str, names: Iterable[str]) -> Iterator[str]:
    for name in sorted(names):
        try:
            store.get(name, label=label, deleted=True)
        except PromptStoreError as error:
            yield f"The label {label!r} cannot be read for {name!r}: {error}"
