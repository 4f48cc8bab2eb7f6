"""All rules, in the order of their codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from promptstore.errors import InvalidArgumentError
from promptstore.lint import callsites, characters, contents, files, names, templates
from promptstore.lint.context import LintContext
from promptstore.lint.findings import Breach, Rule
from promptstore.model.names import near_matches

Check: TypeAlias = Callable[[LintContext, str], Iterator[Breach]]
"""Finds the breaches of some rules in the prompt of a name."""

CHECKS: Final[tuple[tuple[Check, tuple[Rule, ...]], ...]] = (
    (files.not_canonical, (files.NOT_CANONICAL,)),
    (templates.template_syntax, (templates.TEMPLATE_SYNTAX,)),
    (templates.undeclared_variables, (templates.UNDECLARED_VARIABLE,)),
    (templates.unused_variables, (templates.UNUSED_VARIABLE,)),
    (templates.eaten_line_ends, (templates.EATEN_LINE_END,)),
    (templates.unfit_includes, templates.INCLUDE_RULES),
    (names.dead_replacement, (names.DEAD_REPLACEMENT,)),
    (characters.unseen_characters, (characters.INVISIBLE, characters.BIDIRECTIONAL)),
    (characters.look_alikes, (characters.LOOK_ALIKE,)),
    (contents.odd_spaces, (contents.TRAILING_SPACE, contents.DOUBLED_SPACE)),
    (contents.duplicate_texts, (contents.DUPLICATE_TEXT,)),
    (contents.role_order, (contents.ROLE_ORDER,)),
    (contents.empty_messages, (contents.EMPTY_MESSAGE,)),
    (contents.over_budget, (contents.OVER_BUDGET,)),
)
"""What is looked for in each file that can be read, with the rules that it finds breaches of."""

SOURCE_CHECKS: Final[tuple[tuple[Check, tuple[Rule, ...]], ...]] = (
    (names.case_collision, (names.CASE_COLLISION,)),
    (names.remote_name, (names.REMOTE_NAME,)),
    (contents.secrets, (contents.SECRET,)),
)
"""What is looked for in every file, be it broken or not."""

_RULES: Final = (
    *files.READING,
    *(rule for _, rules in (*CHECKS, *SOURCE_CHECKS) for rule in rules),
    names.UNUSABLE_NAME,
    names.LOST_LABEL,
    *callsites.RULES,
)

RULES: Final[dict[str, Rule]] = {
    rule.code: rule for rule in sorted(_RULES, key=lambda rule: rule.code)
}
"""Every rule by its code."""


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
        marks.append("`--fix` can fix it")
    parts = [f"## {rule.code}: {rule.title}", f"_{', '.join(marks)}_", rule.page]
    if rule.bad:
        parts += ["Wrong:", f"```yaml\n{rule.bad}\n```", "Right:", f"```yaml\n{rule.good}\n```"]
    return "\n\n".join(parts) + "\n"
