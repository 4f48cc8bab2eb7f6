"""``promptstore review``: one comment on what a range of commits does to the prompts.

The pull request is found in the environment of GitHub Actions and GitLab CI, the token in
``GITHUB_TOKEN`` or ``GITLAB_TOKEN``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from promptstore.cli.opening import opened
from promptstore.cli.output import print_error
from promptstore.cli.ranges import check_changes, check_format, compare_ends, ends, print_range
from promptstore.errors import InvalidArgumentError
from promptstore.lint.findings import Finding
from promptstore.review.markdown import comment
from promptstore.review.posting import PullRequest, post, refresh
from promptstore.review.ranges import RangeDiff

_GITHUB: Final = "https://api.github.com"
_REF: Final = re.compile(r"refs/pull/(\d+)/")


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
    examples: Annotated[
        str | None, typer.Option("--render", help="Values to compare renders with.", metavar="FILE")
    ] = None,
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
    """Write the comment of a pull request: what changed, whom it breaks, what is wrong."""
    check_format(output)
    if ".." not in commits:
        raise InvalidArgumentError(message=f"{commits!r} is no range: write BASE..HEAD")
    target = find_pull_request(os.environ, number) if send else None
    with opened(context) as store:
        before, after = ends(store, commits)
        found = compare_ends(before, after, examples)
        findings = check_changes(store, before, after, found)
    if target is None:
        print_range(found, findings, output)
    else:
        print_error(_send(target, found, findings))
    if fail_on_breaking and found.of("breaking"):
        raise typer.Exit(1)


def _send(target: PullRequest, found: RangeDiff, findings: Sequence[Finding]) -> str:
    """Post the comment and say what became of it; nothing is said about a range without prompts."""
    body = comment(found, findings)
    posted = post(target, body) if found.changes else refresh(target, body)
    if posted is None:
        return "nothing to say: no prompt changed"
    return f"{'posted' if posted.is_new else 'updated'} {posted.url}".rstrip()


def find_pull_request(environment: Mapping[str, str], number: int | None) -> PullRequest:
    """Find where the comment goes.

    Args:
        environment: The variables of the environment.
        number: The number of the pull request, or None to find it too.

    Returns:
        The pull request.

    Raises:
        InvalidArgumentError: Something is not known.
    """
    if environment.get("GITHUB_REPOSITORY"):
        return PullRequest(
            "github",
            environment.get("GITHUB_API_URL") or _GITHUB,
            environment["GITHUB_REPOSITORY"],
            number or _github_number(environment),
            _token(environment, "GITHUB_TOKEN"),
        )
    if environment.get("CI_PROJECT_ID"):
        return PullRequest(
            "gitlab",
            environment.get("CI_API_V4_URL") or "https://gitlab.com/api/v4",
            environment["CI_PROJECT_ID"],
            number or _number(environment.get("CI_MERGE_REQUEST_IID", "")),
            _token(environment, "GITLAB_TOKEN"),
        )
    raise InvalidArgumentError(
        message="--post does not know where to: set GITHUB_REPOSITORY=owner/name and GITHUB_TOKEN, "
        "or CI_PROJECT_ID and GITLAB_TOKEN, and name the --pull-request"
    )


def _github_number(environment: Mapping[str, str]) -> int:
    match = _REF.match(environment.get("GITHUB_REF", ""))
    if match:
        return int(match[1])
    event = _event(environment.get("GITHUB_EVENT_PATH", ""))
    found = event.get("pull_request")
    return _number(str(found.get("number", "")) if isinstance(found, dict) else "")


def _event(path: str) -> dict[str, Any]:
    try:
        event = json.loads(Path(path).read_bytes()) if path else {}
    except (OSError, ValueError):
        return {}
    return event if isinstance(event, dict) else {}


def _number(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    raise InvalidArgumentError(message="this is no pull request; name one with --pull-request N")


def _token(environment: Mapping[str, str], name: str) -> str:
    token = environment.get(name, "")
    if not token:
        raise InvalidArgumentError(message=f"--post needs a token in the variable {name}")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidArgumentError(message=f"the variable {name} holds no token")
    return token
