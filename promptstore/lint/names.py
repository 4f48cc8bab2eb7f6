"""Rules about names, labels and replacements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from promptstore.errors import SyncRefusedError
from promptstore.lint.context import LintContext
from promptstore.lint.findings import Breach, Rule
from promptstore.model.names import SUFFIX

_NAMED: Final = 3

CASE_COLLISION: Final = Rule(
    "PS401",
    "Two names differ only in letter case, which some file systems cannot hold.",
    "On macOS and Windows a checkout keeps only one of the two files. Rename one of them.",
    bad="prompts/Greet.yaml\nprompts/greet.yaml",
    good="prompts/greet.yaml\nprompts/greet-formally.yaml",
)
UNUSABLE_NAME: Final = Rule(
    "PS402",
    "A file looks like a prompt but has no name that can be asked for.",
    "Names are segments of letters, digits, `_`, `-` and `.`, joined by `/`; the file ends with "
    "`.yaml` and is no symbolic link. Rename the file, or move it out of the prompts' folder.",
    bad="prompts/two words.yaml",
    good="prompts/two-words.yaml",
)
DEAD_REPLACEMENT: Final = Rule(
    "PS403",
    "A deleted prompt is replaced by one that is missing or deleted.",
    "Whoever asks for the deleted prompt is sent on to one that cannot be had either. Name the "
    "prompt that is used today.",
    bad="prompt: x\ndeleted: true\nreplaced_by: gone",
    good="prompt: x\ndeleted: true\nreplaced_by: support/reply",
)
LOST_LABEL: Final = Rule(
    "PS404",
    "A label points nowhere.",
    "The label's file on the branch `promptstore/labels` cannot be read, or it points a prompt at "
    "a commit or a version that is not there. A read by that label fails. Set the label again.",
)
REMOTE_NAME: Final = Rule(
    "PS405",
    "A name that the remote cannot hold.",
    "Looked for where `promptstore sync` is set up, for the prompts that take part. PostHog takes "
    "at most 255 letters, digits, `-` and `_`: a `/` becomes `__`, and a name with other marks, "
    "such as `v1.2`, is escaped, which makes it longer. The `names` of the remote give single "
    "prompts other names there, which no other prompt may need. Rename the prompt, or give it a "
    "name there under `names`.",
    bad='names = {"support/reply" = "triage"}   # beside a prompt called triage',
    good='names = {"support/reply" = "old-reply"}',
)


def case_collision(context: LintContext, name: str) -> Iterator[Breach]:
    """Find names that are this one in other letter case."""
    alike = context.by_folded[name.casefold()]
    if len(alike) > 1:
        others = [other for other in alike[: _NAMED + 1] if other != name][:_NAMED]
        more = len(alike) - 1 - len(others)
        shown = " and ".join(map(repr, others)) + (f" and {more} more" if more else "")
        message = f"The name differs from {shown} only in letter case; rename one of them."
        yield Breach(CASE_COLLISION, message)


def unrecognized_files(context: LintContext) -> Iterator[tuple[str, Breach]]:
    """Find files that look like prompts and are none, each with its path."""
    for path in context.unrecognized_files:
        if path.endswith(SUFFIX):
            message = (
                "The file is not read: it is a symbolic link, or its path holds other characters "
                "than letters, digits, '_', '-' and '.'."
            )
        else:
            message = "The file is not read: a prompt's file ends with .yaml. Rename it."
        yield path, Breach(UNUSABLE_NAME, message)


def dead_replacement(context: LintContext, name: str) -> Iterator[Breach]:
    """Find a replacement that cannot be had."""
    target = context.prompt(name).replaced_by
    if target is None:
        return
    if target not in context.known:
        advice = context.hint(target, context.names)
        message = f"There is no prompt {target!r} to replace this one.{advice}"
        yield Breach(DEAD_REPLACEMENT, message, ("replaced_by",))
    elif context.document(target) is not None and context.prompt(target).deleted:
        message = f"{target!r}, which replaces this prompt, is deleted itself."
        yield Breach(DEAD_REPLACEMENT, message, ("replaced_by",))


def remote_name(context: LintContext, name: str) -> Iterator[Breach]:
    """Find a name that a remote of the repository refuses."""
    if not context.settings.spellings:
        return
    document = context.document(name)
    if document is not None and document.prompt.deleted:
        return
    for remote, spell in context.settings.spellings.items():
        try:
            spell(name)
        except SyncRefusedError as error:
            message = f"The remote {remote!r} cannot hold the name {name!r}: {error.reason}"
            yield Breach(REMOTE_NAME, message, place=(1, 1))
