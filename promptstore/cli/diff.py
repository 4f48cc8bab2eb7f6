"""What changed: ``promptstore diff``, ``review``, ``difftool``; what git merges: ``merge-driver``.

With ``--json`` `diff` prints one object: `before` and `after` (each `name`, `version`, `commit`),
`changes` (a sentence each) and `texts` (each `title` and `diff`); for a range `base`, `head`,
`prompts` and `findings`. `review` finds the pull request in the environment of GitHub Actions and
GitLab CI, the token in ``GITHUB_TOKEN`` or ``GITLAB_TOKEN``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from promptstore.cli.app import AsJson, check_choice, complete_name, opened
from promptstore.cli.inputs import get_selected, read_file, read_input, write_back
from promptstore.cli.output import (
    print_command,
    print_diff,
    print_error,
    print_exactly,
    print_json,
    print_lines,
    version_text,
)
from promptstore.compare.diff import PromptDiff, diff_prompts
from promptstore.compare.merge import Sides, merge_files
from promptstore.compare.sequences import unified
from promptstore.errors import (
    HistoryUnavailableError,
    InvalidArgumentError,
    PromptFileError,
    VersionNotFoundError,
)
from promptstore.lint.findings import Finding
from promptstore.model.prompt import Prompt
from promptstore.model.values import is_name, near_matches
from promptstore.promptfile.reader import loads
from promptstore.review.drafts import check_changes
from promptstore.review.markdown import comment
from promptstore.review.posting import find_pull_request, post, refresh
from promptstore.review.ranges import PromptChange, RangeDiff, compare
from promptstore.review.reports import (
    annotation,
    change_annotation,
    diff_as_json,
    finding_as_json,
    range_as_json,
    sarif,
)
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore

_FORMATS: Final = ("terminal", "markdown", "json", "github", "sarif")

Examples = Annotated[
    str | None,
    typer.Option("--render", help="Of a range: values to compare renders with.", metavar="FILE"),
]


def diff(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            help="The prompt, with what is meant behind an @; or a range BASE..HEAD.",
            metavar="NAME[@VERSION]|RANGE",
            autocompletion=complete_name,
        ),
    ] = None,
    other: Annotated[
        str | None,
        typer.Argument(
            help="What to compare it with; the version before it when left out.",
            metavar="NAME[@VERSION]",
            autocompletion=complete_name,
        ),
    ] = None,
    as_json: AsJson = False,
    output: Annotated[
        str, typer.Option("--format", help="Of a range: terminal, markdown, json, github or sarif.")
    ] = "terminal",
    examples: Examples = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Of a range: fail when it breaks a call.")
    ] = False,
    worktree: Annotated[
        bool,
        typer.Option("--worktree", help="To the files on disk; without a name, of all prompts."),
    ] = False,
) -> None:
    """Show what changed between two versions or commits.

    With one name since the version before, with two from the first to the second. BASE..HEAD in
    place of a name shows every prompt that changed between two revs, and what that does to its
    callers. --worktree compares with the files on disk: what a commit would change.
    """
    check_choice("--format", output, _FORMATS)
    if name is None and not worktree:
        raise InvalidArgumentError(message="name a prompt, a range BASE..HEAD, or --worktree")
    if other is not None and worktree:
        raise InvalidArgumentError(message="--worktree is what a prompt is compared with; name one")
    with opened(context) as store:
        pair = _range(store, name, worktree=worktree)
        if pair:
            changed = _compare(*pair, examples)
            _print_range(changed, (), "json" if as_json else output)
            if exit_code and changed.of("breaking"):
                raise typer.Exit(1)
            return
        assert name is not None
        if worktree:
            before = get_selected(store, name, deleted=True)
            after = store.working_snapshot().read(str(before.name), deleted=True)
        else:
            _refuse_selector(store, name, other)
            after = get_selected(store, other or name, deleted=True)
            before = get_selected(store, name, deleted=True) if other else _previous(store, after)
    found = diff_prompts(before, after)
    if as_json:
        keys = ("name", "version", "commit")
        ends = {"before": before, "after": after}
        sides = {end: {key: getattr(side, key) for key in keys} for end, side in ends.items()}
        print_json({**sides, **diff_as_json(found)})
        return
    titles = (f"{side.name}@{version_text(side.version)}" for side in (before, after))
    print_lines(" → ".join(titles))
    _print_diff(found)


def _refuse_selector(store: PromptStore, name: str, other: str | None) -> None:
    """Refuse a version or a label in the place of a second prompt, with what was meant."""
    if other is None or other in store.names():
        return
    if other.isdigit() or other in store.labels().targets:
        meant = f"{name.partition('@')[0]}@{other}"
        raise InvalidArgumentError(
            message=f"there is no prompt {other!r}: write `promptstore diff {name} {meant}`"
        )


def _print_diff(found: PromptDiff, nothing: str = "nothing changed") -> None:
    """Print what changed, a sentence for each change and then each text, or that nothing did."""
    for change in found.changes:
        print_lines(f"  {change}")
    for text in found.texts:
        print_lines(f"\n{text.title}:")
        print_diff(text.diff)
    if found.is_empty and nothing:
        print_lines(f"  {nothing}")


def _range(
    store: PromptStore, name: str | None, *, worktree: bool
) -> tuple[Snapshot, Snapshot] | None:
    """Return the two ends that are compared, or None where it is one prompt."""
    if name is None:
        return store.snapshot(), store.working_snapshot()
    if ".." not in name or worktree or (is_name(name) and name in store.names()):
        return None
    return _ends(store, name)


def _previous(store: PromptStore, prompt: Prompt) -> Prompt:
    """Read the version before, on the history that this one was read from."""
    name, version = prompt.name or "", prompt.version
    if version is None:
        store.history(name)  # says why versions cannot be counted here
        raise HistoryUnavailableError(reason="name two prompts to compare.")
    if version == 1:
        raise InvalidArgumentError(
            message=f"{name!r} has no version before version 1; name two to compare"
        )
    # Another branch may count other versions, so git is asked for the parent, not for a number.
    parent = store.snapshot(f"{prompt.commit}^")
    if name not in parent.names():
        raise VersionNotFoundError(name=name, version=version - 1, latest=version, removed=True)
    return parent.read(name, deleted=True)


def _ends(store: PromptStore, text: str) -> tuple[Snapshot, Snapshot]:
    """Return the prompts at the two ends of a range; an end that is left out is HEAD.

    ``BASE...HEAD`` stands for what HEAD changed since it left BASE.
    """
    base, dots, head = text.partition("...") if "..." in text else text.partition("..")
    base, head = base or "HEAD", head or "HEAD"
    if len(dots) == 3:
        base = store.common_ancestor(base, head)
    return store.snapshot(base), store.snapshot(head)


def _compare(before: Snapshot, after: Snapshot, examples: str | None) -> RangeDiff:
    """Compare the ends of a range, with renders of the values in a file."""
    values = read_file(examples) if examples else {}
    known = {*before.names(), *after.names()}
    for name in values:
        if name not in known:
            near = near_matches(name, known)
            advice = f" Did you mean {near[0]!r}?" if near else ""
            message = f"{examples}: there is no prompt {name!r} to render.{advice}"
            raise InvalidArgumentError(message=message)
    return compare(before, after, values)


def _print_range(found: RangeDiff, findings: Sequence[Finding], output: str) -> None:
    if output == "markdown":
        print_exactly(comment(found, findings))
    elif output == "json":
        rows = [finding_as_json(finding) for finding in findings]
        print_json({**range_as_json(found), "findings": rows})
    elif output == "sarif":
        print_json(sarif(findings, found.changes))
    elif output == "github":
        for line in (*map(change_annotation, found.changes), *map(annotation, findings)):
            print_command(line)
    else:
        _print_text(found, findings)


def _print_text(found: RangeDiff, findings: Sequence[Finding]) -> None:
    if not found.changes:
        print_lines("no prompt changed")
    for change in found.changes:
        _print_change(change)
    for finding in findings:
        print_lines(str(finding))


def _print_change(change: PromptChange) -> None:
    name = f"{change.old_name} → {change.name}" if change.old_name else change.name
    why = "; ".join(change.judgement.reasons)
    print_lines(f"{change.judgement.impact}: {name} {change.kind} ({why})")
    if change.via:
        print_lines(f"  by {' → '.join(change.via)}")
        return
    for problem in change.problems:
        print_lines(f"  line {problem.line}: {problem.code} {problem.message}")
    _print_diff(change.diff, nothing="")
    for render in change.renders:
        print_lines(f"\n{render.title}:")
        print_diff(unified(render.before, render.after) if render.differs else f" {render.before}")
    print_lines("")


def review(
    context: typer.Context,
    commits: Annotated[
        str,
        typer.Argument(
            help="BASE..HEAD, or BASE...HEAD from where the two parted.", metavar="RANGE"
        ),
    ],
    output: Annotated[
        str, typer.Option("--format", help="markdown, terminal, json, github or sarif.")
    ] = "markdown",
    examples: Examples = None,
    send: Annotated[
        bool, typer.Option("--post", help="Send it to the pull request, or update it there.")
    ] = False,
    number: Annotated[
        int | None,
        typer.Option("--pull-request", help="Its number; found in CI by itself.", metavar="N"),
    ] = None,
    fail_on_breaking: Annotated[
        bool, typer.Option("--fail-on-breaking", help="Fail when a call breaks.")
    ] = False,
) -> None:
    """Write the comment of a pull request.

    What changed, and which calls it breaks. Findings of `promptstore check` that the range brings
    are in it, too. --format terminal is for people, the default for GitHub and GitLab.
    """
    check_choice("--format", output, _FORMATS)
    if ".." not in commits:
        raise InvalidArgumentError(message=f"{commits!r} is no range: write BASE..HEAD")
    target = find_pull_request(os.environ, number) if send else None
    with opened(context) as store:
        before, after = _ends(store, commits)
        found = _compare(before, after, examples)
        findings = check_changes(store, before, after, found)
    if target is None:
        _print_range(found, findings, output)
    else:
        # Nothing is posted about a range without prompts, but an older comment is brought up to it.
        posted = (post if found.changes else refresh)(target, comment(found, findings))
        result = posted and f"{'posted' if posted.is_new else 'updated'} {posted.url}".rstrip()
        print_error(result or "nothing to say: no prompt changed")
    if fail_on_breaking and found.of("breaking"):
        raise typer.Exit(1)


_WITH_HEADER = 7


def difftool(
    arguments: Annotated[
        list[str],
        typer.Argument(
            help="What git gives: PATH OLD HEX MODE NEW HEX MODE [NEW_PATH], or OLD NEW."
        ),
    ],
) -> None:
    """Show what changed in a prompt file, for `git diff`.

    Once: `git config diff.promptstore.command "promptstore difftool"`, and in .gitattributes
    `prompts/**/*.yaml diff=promptstore`.
    """
    if len(arguments) >= _WITH_HEADER:
        path, old, new = arguments[0], arguments[1], arguments[4]
        # Git names the new path of a rename behind all that.
        path = " → ".join([path, *arguments[_WITH_HEADER : _WITH_HEADER + 1]])
    elif len(arguments) == 2:
        old, new = arguments
        path = new
    elif len(arguments) == 1:
        print_lines(f"{arguments[0]} has conflicts")
        return
    else:
        raise InvalidArgumentError(message="git gives 7 arguments; by hand give OLD and NEW")
    _print_difference(path, read_input(old), read_input(new))


def _print_difference(path: str, old: bytes, new: bytes) -> None:
    print_lines(f"prompt {path}")
    before, after = _prompt(old), _prompt(new)
    if isinstance(before, Prompt) and isinstance(after, Prompt):
        nothing = "its content is the same" if old == new else "only comments or the layout changed"
        _print_diff(diff_prompts(before, after), nothing)
        return
    # A new, a removed or a broken file is shown by its lines.
    for title, side in (("before", before), ("after", after)):
        if isinstance(side, PromptFileError):
            print_lines(f"  {title} it is broken: {side.problems[0].message}")
    print_diff(unified(old.decode(errors="replace"), new.decode(errors="replace")))


def _prompt(data: bytes) -> Prompt | PromptFileError | None:
    if not data:
        return None
    try:
        return loads(data)
    except PromptFileError as error:
        return error


def merge_driver(
    base: Annotated[str, typer.Argument(help="%O: the file that both started from.")],
    ours: Annotated[str, typer.Argument(help="%A: our file, which is overwritten.")],
    theirs: Annotated[str, typer.Argument(help="%B: their file.")],
    path: Annotated[str, typer.Argument(help="%P: the path of the result.")] = "prompt.yaml",
    size: Annotated[int, typer.Argument(help="%L: how long conflict markers are.")] = 7,
) -> None:
    """Merge two edits of one prompt, for `git merge`.

    Fields, variables and messages are merged one by one.
    Once: `git config merge.promptstore.driver "promptstore merge-driver %O %A %B %P %L"`, and in
    .gitattributes `prompts/**/*.yaml merge=promptstore`. Where both sides changed the same thing
    it falls back to lines, with the usual conflict markers.
    """
    sides = Sides(*map(read_input, (base, ours, theirs)))
    merged = merge_files(sides, path, marker_size=size)
    write_back(Path(ours), merged.data)
    if not merged.is_clean:
        if b"<" * size not in merged.data:
            print_error(
                f"{path}: merged by lines, but it can no longer be read; fix it and git add"
            )
        raise typer.Exit(1)
