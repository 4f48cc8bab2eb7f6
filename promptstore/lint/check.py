"""All rules, and the check that finds what would break a prompt or mislead its readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

from promptstore.errors import InvalidArgumentError, Problem, PromptStoreError
from promptstore.history.labels import BRANCH
from promptstore.lint import callsites, contents, references
from promptstore.lint.context import LintContext
from promptstore.lint.findings import Finding, Ignores, Rule, Violation
from promptstore.model.values import SUFFIX, near_matches
from promptstore.promptfile import codes

if TYPE_CHECKING:
    from promptstore.lint.settings import Settings
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
