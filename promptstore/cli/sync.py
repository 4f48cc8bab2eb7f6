"""``promptstore sync``: a store and a remote in step.

With ``--json`` one object: `remote`, `steps` (each with `name`, `direction`, `verb`, `reason`, and
after a push or pull `outcome` and `note`), `refused` (reasons by name), `configs_kept` (prompts
whose config the remote has no place for, so that it stays in git) and `requests`; after a push or
pull also `labels`, in the form of the steps.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Annotated, Any, Final

import typer

from promptstore.cli.app import AsJson, opened, with_options
from promptstore.cli.inputs import is_confirmed, somebody_is_there
from promptstore.cli.output import (
    print_diff,
    print_error,
    print_json,
    print_lines,
    print_table,
    progress_bar,
)
from promptstore.errors import InvalidArgumentError, MassDeletionError
from promptstore.posthog.hosts import ALLOWED_SETTING, check_allowed
from promptstore.posthog.sync import (
    Comparison,
    RemotePrompts,
    Report,
    Result,
    Step,
    Sync,
    SyncOptions,
    chosen,
    is_held,
)
from promptstore.posthog.sync.settings import RemoteSettings, choose_remote, load_remotes

app = typer.Typer(
    name="sync",
    help="Keep the prompts in step with a remote, such as PostHog.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_HELD: Final = " without a tombstone, so only with --allow-delete"
_SIGNS: Final = {"push": "→ remote", "pull": "← remote", "conflict": "conflict"}
_WORTH_SHOWING: Final = 10
_WORTH_NAMING: Final = 5

RemoteName = Annotated[
    str | None, typer.Option("--remote", help="The remote, if there are several.", metavar="NAME")
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", help="Only prompts that fit, such as 'support/*'.", metavar="PATTERN"),
]
AsSource = Annotated[
    bool, typer.Option("--as-source", help="Send templates as they are, logic too.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Delete even more than a third of the prompts.")
]
AllowDelete = Annotated[
    bool,
    typer.Option("--allow-delete", help="Delete here what is gone from there without a tombstone."),
]
Prefer = Annotated[
    str | None,
    typer.Option("--prefer", help="The side that wins conflicts: local or remote.", metavar="SIDE"),
]
Branch = Annotated[
    str | None,
    typer.Option(
        "--branch",
        help="Commit the remote's side of conflicts on this branch, for a pull request.",
        metavar="NAME",
    ),
]
Labels = Annotated[bool, typer.Option("--labels", help="Bring the labels over too.")]


Opened = AbstractContextManager[Sync]


@contextmanager
def _session(
    context: typer.Context,
    remote: RemoteName = None,
    only: Only = None,
    as_source: AsSource = False,
) -> Iterator[Sync]:
    """Open the store and the remote for one command."""
    from promptstore.posthog.client import PostHogClient, RetryPolicy  # needs an extra

    with opened(context) as store:
        settings = choose_remote(load_remotes(store.path), remote)
        check_allowed(settings.host, store.repository.configured(ALLOWED_SETTING))
        rules = replace(
            settings.rules,
            only=tuple(only or settings.rules.only),
            as_source=as_source or settings.rules.as_source,
        )
        with PostHogClient(
            settings.host,
            _key(settings),
            settings.project,
            policy=RetryPolicy(timeout=settings.timeout),
            publishes_per_minute=settings.publishes_per_minute,
        ) as client:
            yield Sync(store, RemotePrompts(client), settings.name, rules)


def _key(settings: RemoteSettings) -> str:
    key = os.environ.get(settings.key_env, "").strip()
    if not key:
        raise InvalidArgumentError(
            message=f"the key of the remote {settings.name!r} is not there: set the environment "
            f"variable {settings.key_env} to a personal API key (it starts with phx_)"
        )
    return key


def _takes_session(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose parameter `session` is opened from the options of all of them."""
    return with_options(command, _session, "session")


@app.command("status")
@_takes_session
def status(session: Opened, as_json: AsJson = False) -> None:
    """Show how far both sides are apart.

    The exit code is 1 when there are conflicts.
    """
    with session as sync:
        _show(sync.compare(), _print_status, as_json=as_json)


@app.command("plan")
@_takes_session
def plan(session: Opened, as_json: AsJson = False) -> None:
    """Show what a push and a pull would do, prompt by prompt.

    The exit code is 1 when there are conflicts.
    """
    with session as sync:
        _show(sync.compare(), _print_plan, as_json=as_json)


@app.command("push")
@_takes_session
def push(
    session: Opened,
    prefer: Prefer = None,
    allow_delete: AllowDelete = False,
    labels: Labels = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring git's changes to the remote.

    The exit code is 1 when conflicts are left, or a prompt could not be pushed.
    """
    if prefer == "remote":
        raise InvalidArgumentError(
            message="a push cannot take the remote's side; `promptstore sync pull --prefer remote` "
            "does"
        )
    options = SyncOptions(
        directions=["push"], prefer=_side(prefer), allow_delete=allow_delete, confirmed=yes
    )
    with session as sync:
        _run(sync, options, labelled=labels, dry_run=dry_run, as_json=as_json)


@app.command("pull")
@_takes_session
def pull(
    session: Opened,
    prefer: Prefer = None,
    branch: Branch = None,
    allow_delete: AllowDelete = False,
    labels: Labels = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring the remote's changes to git.

    Each becomes a commit of the person who made it. Texts that changed on both sides are merged
    where the changes do not touch. The exit code is 1 when conflicts are left, or a prompt could
    not be pulled.
    """
    if prefer is not None and branch is not None:
        raise InvalidArgumentError(message="--prefer and --branch exclude each other")
    options = SyncOptions(
        directions=["pull"],
        prefer=_side(prefer),
        branch=branch,
        allow_delete=allow_delete,
        confirmed=yes,
    )
    with session as sync:
        _run(sync, options, labelled=labels, dry_run=dry_run, as_json=as_json)


def _side(text: str | None) -> Any:
    if text not in (None, "local", "remote"):
        raise InvalidArgumentError(message=f"--prefer takes local or remote, not {text!r}")
    return text


def _show(both: Comparison, show: Callable[[Comparison], None], *, as_json: bool) -> None:
    """Show a plan; a conflict in it that no pull merges is a failure."""
    if as_json:
        print_json(_planned(both))
    else:
        show(both)
    if any(_is_open(both, step) for step in both.steps):
        raise typer.Exit(1)


def _run(sync: Sync, options: SyncOptions, *, labelled: bool, dry_run: bool, as_json: bool) -> None:
    """Do one sync with progress, and print what came of it."""
    both = sync.compare()
    if dry_run:
        merges = both.merges if "pull" in options.directions else {}
        planned = replace(both, steps=tuple(chosen(both, options)), merges=merges)
        _show(planned, _print_plan, as_json=as_json)
        return
    done = _applied(sync, both, options).results
    labels = sync.bring_labels(options) if labelled and not both.api.is_legacy else []
    if labelled and both.api.is_legacy:
        print_error(f"{sync.name} has no labels")
    if as_json:
        rows = {"steps": [*map(_result, done)], "labels": [*map(_result, labels)]}
        print_json(_planned(both) | rows)
    else:
        _print_report(both, [*done, *labels])
    if not Report([*done, *labels]).is_clean:
        raise typer.Exit(1)


def _applied(sync: Sync, both: Comparison, options: SyncOptions) -> Report:
    try:
        with _progress(both, options) as advance:
            return sync.apply(both, options, advance)
    except MassDeletionError as error:
        if not somebody_is_there():
            raise
        print_error(str(error))
        if not is_confirmed("Delete them?"):
            raise typer.Exit(1) from None
    return _applied(sync, both, replace(options, confirmed=True))


@contextmanager
def _progress(both: Comparison, options: SyncOptions) -> Iterator[Callable[[Result], None]]:
    """Show a bar on stderr while much is done; else nothing."""
    total = len(chosen(both, options))
    if not sys.stderr.isatty() or total < _WORTH_SHOWING:
        yield lambda _result: None
        return
    with progress_bar() as bar:
        task = bar.add_task("Syncing", total=total)
        yield lambda _result: bar.advance(task)


def _is_open(both: Comparison, step: Step) -> bool:
    """Return whether a step is a conflict that a pull does not merge by itself."""
    return step.direction == "conflict" and step.name not in both.merges


def _planned(both: Comparison) -> dict[str, Any]:
    return {
        "remote": both.state.remote,
        "steps": [_row(step) | {"merges": step.name in both.merges} for step in both.steps],
        "refused": dict(sorted(both.refused.items())),
        "configs_kept": _configs_kept(both),
        "requests": both.api.requests,
    }


def _result(result: Result) -> dict[str, Any]:
    return _row(result.step) | {"outcome": result.outcome, "note": result.note}


def _row(step: Step) -> dict[str, Any]:
    return {key: getattr(step, key) for key in ("name", "direction", "verb", "reason")}


def _print_status(both: Comparison) -> None:
    print_lines(f"{both.state.remote}: {_counted(both)}")
    _print_left_out(both)


def _print_plan(both: Comparison) -> None:
    rows = [
        (
            "merge" if step.name in both.merges else _SIGNS[step.direction],
            step.verb,
            step.name,
            step.reason + (_HELD if is_held(step, both, SyncOptions()) else ""),
        )
        for step in both.steps
    ]
    if rows:
        print_table(["Where to", "What", "Prompt", "Why"], rows)
    _print_left_out(both)
    _print_conflicts(both)
    print_error(f"{both.state.remote}: {_counted(both)}")


def _print_report(both: Comparison, results: Sequence[Result]) -> None:
    rows = [(found.outcome, found.step.name, found.note) for found in results]
    if rows:
        print_table(["", "Prompt", "What"], rows)
    _print_left_out(both)
    _print_conflicts(both, {found.step.name for found in results if found.outcome == "conflict"})
    counts = Counter(found.outcome for found in results)
    told = [f"{counts[word]} {word}" for word in ("done", "held", "conflict", "failed")
            if counts[word]]  # fmt: skip
    print_error(f"{both.state.remote}: {', '.join(told) or 'nothing to do'}")


def _print_left_out(both: Comparison) -> None:
    """Print which prompts take no part, and of which the remote takes only a part."""
    for name, reason in sorted(both.refused.items()):
        print_error(f"left out: {name}: {reason}")
    kept = _configs_kept(both)
    if kept:
        shown = ", ".join(kept[:_WORTH_NAMING]) + (", …" if len(kept) > _WORTH_NAMING else "")
        print_error(f"{both.state.remote} has no place for configs; these stay in git: {shown}")


def _configs_kept(both: Comparison) -> list[str]:
    """List the prompts whose config the remote cannot hold."""
    if not both.api.is_legacy:
        return []
    alive = {name: item.prompt for name, item in both.local.items() if not item.prompt.deleted}
    return sorted(name for name, prompt in alive.items() if prompt.config)


def _print_conflicts(both: Comparison, names: set[str] | None = None) -> None:
    """Show both sides of each conflict, as a diff from git's to the remote's."""
    for step in both.steps:
        is_asked = names is None or step.name in names
        if is_asked and _is_open(both, step):
            print_lines(f"\n{step.name}: {step.reason}")
            print_diff(both.show(step.name))


def _counted(both: Comparison) -> str:
    merges = [step for step in both.steps if step.name in both.merges]
    counts = [
        (sum(step.direction == "push" for step in both.steps), "to push"),
        (sum(step.direction == "pull" for step in both.steps), "to pull"),
        (len(merges), "to merge"),
        (sum(step.direction == "conflict" for step in both.steps) - len(merges), "in conflict"),
        (len(both.refused), "left out"),
    ]
    return ", ".join(f"{count} {word}" for count, word in counts if count) or "in step"
