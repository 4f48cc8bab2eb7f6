"""What every command that writes shares: its options, its checks and what it prints.

With ``--json`` one array with an object for each prompt: the keys of
`promptstore.cli.output.identity` and `changed`; with ``--dry-run`` too, `name`, `changed` and
`diff`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, NamedTuple

import typer

from promptstore.cli.app import AsJson, with_options
from promptstore.cli.inputs import is_confirmed, somebody_is_there
from promptstore.cli.output import (
    identity,
    print_diff,
    print_error,
    print_json,
    print_lines,
    version_text,
)
from promptstore.compare.sequences import unified_lines
from promptstore.errors import ConflictError, InvalidArgumentError, PromptFileError
from promptstore.history.sources import File
from promptstore.lint.findings import Finding
from promptstore.model.prompt import Prompt
from promptstore.review.drafts import new_problems, overlay, settings_of
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
Force = Annotated[
    bool, typer.Option("--force", help="Do it though an include is left without what it names.")
]
ExpectedVersion = Annotated[
    int | None, typer.Option(help="The version that you have seen; another one is an error.", min=0)
]


class Order(NamedTuple):
    """How a command writes.

    Attributes:
        attribution: Who commits, and what the commit says.
        dry_run: Whether the diff is shown instead.
        as_json: Whether JSON is printed.
        force: Whether errors of a prompt are reported, and do not stop it.
    """

    attribution: Attribution
    dry_run: bool
    as_json: bool
    force: bool = False


def _order(
    message: Message = None,
    author: Author = None,
    trailer: Trailers = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> Order:
    pairs = [text.partition("=") for text in trailer or ()]
    for key, equals, value in pairs:
        if not equals:
            raise InvalidArgumentError(message=f"--trailer takes KEY=VALUE, not {key + value!r}")
    trailers = {key: value for key, _, value in pairs}
    return Order({"message": message, "author": author, "trailers": trailers}, dry_run, as_json)


def takes_order(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose parameter `order` is read from the options of all that write."""
    return with_options(command, _order, "order")


def takes_forcible_order(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose parameter `order` is read from those options and ``--force``."""

    def forcible(force: Force = False, *, order: Order) -> Order:
        return order._replace(force=force)

    return with_options(command, with_options(forcible, _order, "order"), "order")


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
    if not is_confirmed(question):
        raise typer.Abort


class Write:
    """One write of prompts: their checks, the commit and what is printed of it.

    Args:
        store: The store, opened to write.
        order: How to write.

    Attributes:
        base: The prompts as they are before it.
    """

    def __init__(self, store: PromptStore, order: Order) -> None:
        self.store = store
        self.order = order
        self.base = store.snapshot()

    def new_problems(self, after: Snapshot, names: Collection[str]) -> list[Finding]:
        """Find the problems that a change of some prompts brings; see `drafts.new_problems`."""
        return new_problems(self.base, after, names, settings_of(self.store))

    def refuse_uncommitted(self, name: str) -> None:
        """Refuse to change a prompt whose file on disk has uncommitted edits.

        The write itself would refuse too, but only after a person has edited the text.

        Raises:
            ConflictError: The file on disk differs from the commit.
        """
        store = self.store
        if store.branch is not None or not store.has_files:
            return
        on_disk, committed = store.working_snapshot().find(name), self.base.find(name)
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

    def commit_files(self, files: Mapping[str, bytes], expected: int | None = None) -> None:
        """Check the files of prompts, commit them and print what came of them.

        Raises:
            PromptFileError: A file, or one that includes it, would have a problem that is new.
            PromptStoreError: As for `PromptStore.commit`.
        """
        after = overlay(self.base, self.store.root, files)
        (warn if self.order.force else refuse)(self.new_problems(after, files))
        self.commit(after, files, expected)

    def commit(self, after: Snapshot, edits: Mapping[str, Edit], expected: int | None) -> None:
        """Commit edits and print what came of them; or show what they would change.

        Args:
            after: The prompts as they would be.
            edits: The edits by prompt name.
            expected: The version that each prompt must be at, or None for any.
        """
        if self.order.dry_run:
            self.show(after, edits)
            return
        written = self.store.commit(
            edits,
            expected_versions=expect_all(edits, expected),
            base=self.base,
            force=self.order.force,
            **self.order.attribution,
        )
        self.print_written(list(written.values()))

    def print_written(self, prompts: Sequence[Prompt]) -> None:
        """Print what came of a write, and on stderr what could not be done after its commit."""
        for warning in dict.fromkeys(warning for prompt in prompts for warning in prompt.warnings):
            print_error(f"warning: {warning}")
        if self.order.as_json:
            print_json([_row(self.store, prompt) for prompt in prompts])
            return
        for prompt in prompts:
            print_lines(_sentence(prompt))

    def changed(self, after: Snapshot, names: Iterable[str]) -> list[str]:
        """Return the names whose file would change."""
        return [name for name in names if _blob(self.base, name) != _blob(after, name)]

    def show(self, after: Snapshot, names: Iterable[str]) -> None:
        """Show what would change, file by file."""
        changed = self.changed(after, names)
        diffs = {name: diff_files(self.base.find(name), after.find(name)) for name in names}
        if self.order.as_json:
            print_json(
                [
                    {"name": name, "changed": name in changed, "diff": text}
                    for name, text in diffs.items()
                ]
            )
            return
        for name, text in diffs.items():
            if name in changed:
                print_diff(text)
            else:
                print_lines(f"{name}: nothing would change")


def refuse(findings: Sequence[Finding]) -> None:
    """Refuse a change that brings errors, and print problems of less weight.

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


def diff_files(before: File | None, after: File | None) -> str:
    """Write the unified diff from one file to another."""
    lines = [*unified_lines(_lines(before), _lines(after))]
    paths = [file.path if file else "/dev/null" for file in (before, after)]
    return "\n".join([f"--- {paths[0]}", f"+++ {paths[1]}", *lines] if lines else [])


def _blob(snapshot: Snapshot, name: str) -> str | None:
    file = snapshot.find(name)
    return file.blob if file else None


def _lines(file: File | None) -> list[str]:
    text = file.read().decode(errors="backslashreplace") if file else ""
    *lines, last = text.split("\n")
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines


def _row(store: PromptStore, prompt: Prompt) -> dict[str, Any]:
    info = store.info(prompt.name or "", rev=prompt.snapshot_commit)
    return identity(prompt, info) | {"changed": not prompt.is_unchanged}


def _sentence(prompt: Prompt) -> str:
    title = f"{prompt.name}@{version_text(prompt.version)}"
    if prompt.is_unchanged:
        return f"{title}: nothing changed"
    deleted = "deleted " if prompt.deleted else ""
    return f"{title}: {deleted}in {(prompt.commit or prompt.snapshot_commit or '')[:7]}"
