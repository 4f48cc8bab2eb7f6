"""What every command that writes shares: its options, its checks and what it prints.

With ``--json`` one array with an object for each prompt: the keys of
`promptstore.cli.output.identity` and `changed`; with ``--dry-run`` too, `name`, `changed` and
`diff`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, NamedTuple

import typer

from promptstore.cli.inputs import somebody_is_there
from promptstore.cli.opening import settings_of, with_options
from promptstore.cli.output import (
    identity,
    print_diff,
    print_error,
    print_json,
    print_lines,
    version_text,
    visible,
)
from promptstore.compare.sequences import unified_lines
from promptstore.errors import ConflictError, InvalidArgumentError, PromptFileError
from promptstore.git.reading import blob_id
from promptstore.history.sources import File
from promptstore.lint.check import check as find_problems
from promptstore.lint.context import LintContext
from promptstore.lint.findings import Finding
from promptstore.model.names import SUFFIX, check_name
from promptstore.model.prompt import Prompt
from promptstore.store.edits import Edit
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore
from promptstore.store.writing import Attribution

Message = Annotated[
    str | None,
    typer.Option(
        "--message", "-m", help="The commit's message; by default what happened.", metavar="TEXT"
    ),
]
Author = Annotated[
    str | None,
    typer.Option(
        help="Who wrote it, as 'Name <email>'; by default whom git knows.", metavar="PERSON"
    ),
]
Trailers = Annotated[
    list[str] | None,
    typer.Option("--trailer", help="A trailer of the commit's message.", metavar="KEY=VALUE"),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the diff, and write nothing to the branch.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Force = Annotated[
    bool,
    typer.Option("--force", help="Do it though an include is left without what it names."),
]
ExpectedVersion = Annotated[
    int | None,
    typer.Option(help="The version that you have seen; another one is an error.", min=0),
]


class Order(NamedTuple):
    """How a command was told to write.

    Attributes:
        attribution: Who commits, and what the commit says.
        dry_run: Whether the diff is shown instead.
        as_json: Whether JSON is printed.
        force: Whether errors of a prompt are told, and do not stop it.
    """

    attribution: Attribution
    dry_run: bool
    as_json: bool
    force: bool = False


def read_attribution(
    message: str | None, author: str | None, trailers: Sequence[str] | None
) -> Attribution:
    """Read who commits, and what the commit says, from the options.

    Raises:
        InvalidArgumentError: A trailer is not written as ``KEY=VALUE``.
    """
    pairs = [trailer.partition("=") for trailer in trailers or ()]
    for key, equals, value in pairs:
        if not equals:
            raise InvalidArgumentError(message=f"--trailer takes KEY=VALUE, not {key + value!r}")
    return {
        "message": message,
        "author": author,
        "trailers": {key: value for key, _, value in pairs},
    }


def _order(
    message: Message = None,
    author: Author = None,
    trailer: Trailers = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    force: Force = False,
) -> Order:
    return Order(read_attribution(message, author, trailer), dry_run, as_json, force)


def takes_order(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose parameter `order` is read from the options of all that write."""
    return with_options(command, _order, "order")


def expect_all(names: Iterable[str], version: int | None) -> dict[str, int]:
    """Return the version that each prompt must be at."""
    return {} if version is None else dict.fromkeys(names, version)


def confirm(question: str, *, yes: bool) -> None:
    """Ask the person at the terminal whether to go on.

    Args:
        question: What is about to happen, as a question.
        yes: Whether that is answered already.

    Raises:
        InvalidArgumentError: Nobody is there to answer.
        typer.Abort: The answer is no.
    """
    if yes:
        return
    if not somebody_is_there():
        raise InvalidArgumentError(
            message=f"{question} There is no terminal to answer at: add --yes to go on"
        )
    sys.stderr.write(visible(f"{question} [y/N]: ", sys.stderr))
    sys.stderr.flush()
    if sys.stdin.readline().strip().casefold() not in {"y", "yes"}:
        raise typer.Abort


def overlay(store: PromptStore, base: Snapshot, files: Mapping[str, bytes]) -> Snapshot:
    """Return the prompts as they would be with some files, which may be broken."""
    folder = f"{store.root}/" if store.root else ""
    return base.overlaid(
        {
            name: File(f"{folder}{check_name(name)}{SUFFIX}", blob_id(data), partial(bytes, data))
            for name, data in files.items()
        }
    )


def new_problems(
    store: PromptStore, base: Snapshot, after: Snapshot, names: Collection[str]
) -> list[Finding]:
    """Find the problems that a change brings; those that were there before are left out.

    Args:
        store: The store, whose settings say what is looked for.
        base: The prompts before it.
        after: The prompts after it.
        names: The prompts that it is about.

    Returns:
        The problems of these prompts and of those that include them or are replaced by them.
    """
    settings = settings_of(store)
    context = LintContext(after, settings)
    context.only = context.dependents(names)
    found = find_problems(context)
    if not found:
        return []
    before = find_problems(LintContext(base, settings, context.only))
    known = {_gist(finding) for finding in before}
    return [finding for finding in found if _gist(finding) not in known]


def refuse(findings: Sequence[Finding]) -> None:
    """Refuse a change that brings errors, and tell problems of less weight.

    Raises:
        PromptFileError: There are any errors; those of further files are its notes.
    """
    warn(finding for finding in findings if finding.severity != "error")
    by_path: dict[str, list[Finding]] = {}
    for finding in (finding for finding in findings if finding.severity == "error"):
        by_path.setdefault(finding.path, []).append(finding)
    errors = [
        PromptFileError(path=path, problems=[finding.problem for finding in found])
        for path, found in by_path.items()
    ]
    raise_all(errors)


def raise_all(errors: Sequence[PromptFileError]) -> None:
    """Raise the first error, with the others as its notes; nothing where there is none."""
    if not errors:
        return
    for other in errors[1:]:
        errors[0].add_note(f"error: {other}")
    raise errors[0]


def warn(findings: Iterable[Finding]) -> None:
    """Print problems that a change brings and that do not stop it."""
    for finding in findings:
        print_error(f"warning: {replace(finding, severity='error')}")


def refuse_uncommitted(store: PromptStore, base: Snapshot, name: str) -> None:
    """Refuse to change a prompt whose file on disk has uncommitted edits.

    The write itself would refuse too, but only after a person has edited the text.

    Raises:
        ConflictError: The file on disk differs from the commit.
    """
    if store.branch is not None or not store.has_files:
        return
    on_disk, committed = store.working_snapshot().find(name), base.find(name)
    if on_disk is None or (committed and on_disk.blob == committed.blob):
        return
    raise ConflictError(
        names=[name],
        reason=f"{on_disk.path} has uncommitted edits. `promptstore save {on_disk.path}` "
        f"commits them, `git restore {on_disk.path}` drops them."
        if committed
        else f"{on_disk.path} is there on disk, but not committed. "
        f"`promptstore save {on_disk.path}` commits it.",
    )


def write_files(
    store: PromptStore,
    base: Snapshot,
    files: Mapping[str, bytes],
    expected: Mapping[str, int],
    order: Order,
) -> None:
    """Check the files of prompts, commit them and print what came of them.

    Raises:
        PromptFileError: A file, or one that includes it, would have a problem that is new.
        PromptStoreError: As for `PromptStore.commit`.
    """
    after = overlay(store, base, files)
    problems = new_problems(store, base, after, files)
    if order.force:
        warn(problems)
    else:
        refuse(problems)
    carry_out(store, base, after, files, expected, order)


def carry_out(
    store: PromptStore,
    base: Snapshot,
    after: Snapshot,
    edits: Mapping[str, Edit],
    expected: Mapping[str, int],
    order: Order,
) -> None:
    """Commit edits and print what came of them; or show what they would change.

    Args:
        store: The store.
        base: The prompts that the edits were made for.
        after: The prompts as they would be.
        edits: The edits by prompt name.
        expected: The version that a prompt must be at, by name.
        order: How to write.
    """
    if order.dry_run:
        show_changes(base, after, edits, as_json=order.as_json)
        return
    written = store.commit(
        edits, expected_versions=expected, base=base, force=order.force, **order.attribution
    )
    print_written(store, list(written.values()), as_json=order.as_json)


def print_written(store: PromptStore, prompts: Sequence[Prompt], *, as_json: bool) -> None:
    """Print what came of a write, and on stderr what could not be done after its commit."""
    for warning in dict.fromkeys(warning for prompt in prompts for warning in prompt.warnings):
        print_error(f"warning: {warning}")
    if as_json:
        print_json([_row(store, prompt) for prompt in prompts])
        return
    for prompt in prompts:
        print_lines(_sentence(prompt))


def changes(base: Snapshot, after: Snapshot, names: Iterable[str]) -> list[str]:
    """List the names whose file would change."""
    return [name for name in names if _blob(base, name) != _blob(after, name)]


def show_changes(base: Snapshot, after: Snapshot, names: Collection[str], *, as_json: bool) -> None:
    """Show what would change, file by file."""
    changed = set(changes(base, after, names))
    diffs = {name: diff_files(base.find(name), after.find(name)) for name in names}
    if as_json:
        rows = [
            {"name": name, "changed": name in changed, "diff": text} for name, text in diffs.items()
        ]
        print_json(rows)
        return
    for name, text in diffs.items():
        if name in changed:
            print_diff(text)
        else:
            print_lines(f"{name}: nothing would change")


def diff_files(before: File | None, after: File | None) -> str:
    """Write the unified diff from one file to another."""
    lines = [*unified_lines(_text_lines(before), _text_lines(after))]
    paths = [file.path if file else "/dev/null" for file in (before, after)]
    return "\n".join([f"--- {paths[0]}", f"+++ {paths[1]}", *lines] if lines else [])


def _gist(finding: Finding) -> tuple[str, str, str]:
    """Return what a problem is, without the line that an edit may have moved it to."""
    return finding.path, finding.problem.code, finding.problem.message


def _blob(snapshot: Snapshot, name: str) -> str | None:
    file = snapshot.find(name)
    return file.blob if file else None


def _text_lines(file: File | None) -> list[str]:
    return list(_read_lines(file.read().decode(errors="backslashreplace"))) if file else []


def _read_lines(text: str) -> Iterator[str]:
    *lines, last = text.split("\n")
    yield from lines
    if last:
        yield f"{last}\n\\ No newline at end of file"


def _row(store: PromptStore, prompt: Prompt) -> dict[str, Any]:
    info = store.info(prompt.name or "", rev=prompt.snapshot_commit)
    return identity(prompt, info) | {"changed": not prompt.is_unchanged}


def _sentence(prompt: Prompt) -> str:
    title = f"{prompt.name}@{version_text(prompt.version)}"
    if prompt.is_unchanged:
        return f"{title}: nothing changed"
    deleted = "deleted " if prompt.deleted else ""
    return f"{title}: {deleted}in {(prompt.commit or prompt.snapshot_commit or '')[:7]}"
