"""All rules, in the order of their codes."""

from __future__ import annotations

from typing import Final

from promptstore.errors import InvalidArgumentError
from promptstore.lint import (
    callsite_rules,
    characters,
    contents,
    files,
    includes,
    naming,
    variables,
)
from promptstore.lint.rule import Check, Rule
from promptstore.lint.settings import Settings, Severity
from promptstore.model.names import near_matches

CHECKS: Final[tuple[tuple[tuple[Rule, ...], Check], ...]] = (
    ((files.NOT_CANONICAL,), files.not_canonical),
    ((variables.TEMPLATE_SYNTAX,), variables.template_syntax),
    ((variables.UNDECLARED_VARIABLE,), variables.undeclared_variables),
    ((variables.UNUSED_VARIABLE,), variables.unused_variables),
    (includes.RULES, includes.unfit_includes),
    ((naming.DEAD_REPLACEMENT,), naming.dead_replacement),
    ((characters.INVISIBLE,), characters.invisible_characters),
    ((characters.BIDIRECTIONAL,), characters.bidirectional_characters),
    ((characters.LOOK_ALIKE,), characters.look_alikes),
    ((contents.TRAILING_SPACE,), contents.trailing_spaces),
    ((contents.DOUBLED_SPACE,), contents.doubled_spaces),
    ((contents.DUPLICATE_TEXT,), contents.duplicate_texts),
    ((contents.ROLE_ORDER,), contents.role_order),
    ((contents.EMPTY_MESSAGE,), contents.empty_messages),
    ((contents.OVER_BUDGET,), contents.over_budget),
)
"""What is looked for in each file that can be read, with the rules that it finds breaches of."""

SOURCE_CHECKS: Final[tuple[tuple[tuple[Rule, ...], Check], ...]] = (
    ((naming.CASE_COLLISION,), naming.case_collision),
    ((naming.REMOTE_NAME,), naming.remote_name),
    ((contents.SECRET,), contents.secrets),
)
"""What is looked for in every file, be it broken or not."""

RULES: Final[dict[str, Rule]] = {
    rule.code: rule
    for rule in sorted(
        (
            *files.READING,
            files.NOT_CANONICAL,
            variables.TEMPLATE_SYNTAX,
            variables.UNDECLARED_VARIABLE,
            variables.UNUSED_VARIABLE,
            *includes.RULES,
            naming.CASE_COLLISION,
            naming.UNUSABLE_NAME,
            naming.DEAD_REPLACEMENT,
            naming.LOST_LABEL,
            naming.REMOTE_NAME,
            characters.INVISIBLE,
            characters.BIDIRECTIONAL,
            characters.LOOK_ALIKE,
            contents.SECRET,
            contents.TRAILING_SPACE,
            contents.DOUBLED_SPACE,
            contents.DUPLICATE_TEXT,
            contents.ROLE_ORDER,
            contents.EMPTY_MESSAGE,
            contents.OVER_BUDGET,
            *callsite_rules.RULES,
        ),
        key=lambda rule: rule.code,
    )
}
"""Every rule by its code."""


def severity_of(code: str, settings: Settings) -> Severity:
    """Tell how bad a finding of a code is; the longest beginning that is set counts."""
    beginnings = [beginning for beginning in settings.severity if code.startswith(beginning)]
    if not beginnings:
        return RULES[code].severity
    return settings.severity[max(beginnings, key=len)]


def all_pages() -> str:
    """Write the pages of all rules as one Markdown document."""
    head = (
        "# The rules of `promptstore check`\n\n"
        "Made by `promptstore explain --all`. Codes are stable: one that is retired is not given "
        "again.\n"
    )
    return "\n".join([head, *map(explain, RULES)])


def explain(code: str) -> str:
    """Write the page of a rule as Markdown.

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
        advice = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(RULES)}"
        raise InvalidArgumentError(message=f"there is no rule {code!r}{advice}")
    marks: list[str] = [rule.severity]
    if not rule.is_on:
        marks.append("off by default")
    if rule.is_fixable:
        marks.append("`--fix` can mend it")
    parts = [f"## {rule.code}: {rule.title}", f"_{', '.join(marks)}_", rule.page]
    if rule.bad:
        parts += ["Wrong:", f"```yaml\n{rule.bad}\n```", "Right:", f"```yaml\n{rule.good}\n```"]
    return "\n\n".join(parts) + "\n"
