"""Proposing a change: a commit on a new branch, and the page that tells how it gets reviewed."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import quote, unquote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from promptstore.errors import ConflictError, PromptFileError
from promptstore.git.objects import Commit
from promptstore.model.prompt import Prompt
from promptstore.server.errors import forbidden, not_found
from promptstore.server.projects import Project
from promptstore.server.web.comparing import comparison
from promptstore.server.web.pages import Form, go, page_router, show
from promptstore.server.web.sessions import Reads, Visitor
from promptstore.store.edits import Edit
from promptstore.store.snapshot import Snapshot

router: Final = page_router()

PREFIX: Final = "propose/"
"""What the branches of proposals begin with; only these are shown."""

_MOST_SHOWN: Final = 100
_LONGEST_WORD: Final = 100
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_-]+")


class Proposal(NamedTuple):
    """A branch that holds a change.

    Attributes:
        branch: Its name.
        commit: Its newest commit.
    """

    branch: str
    commit: Commit


def places(visitor: Visitor, name: str, form: Mapping[str, str]) -> dict[str, Any]:
    """Return what a form is given so that one can choose where its commit goes."""
    word = _UNFIT.sub("-", name)[:_LONGEST_WORD].strip("-") or "prompt"
    return {
        "allow_direct": allows_direct(visitor.request),
        "branch": form.get("branch") or f"{PREFIX}{word}-{secrets.token_hex(3)}",
        "where": form.get("where", "branch"),
        "message": form.get("message", ""),
        "served": served_branch(visitor.project),
    }


def message_of(form: Mapping[str, str]) -> str | None:
    """Return the message of a commit, which is one line; None where none was given."""
    return " ".join(form.get("message", "").split()) or None


def allows_direct(request: Request) -> bool:
    """Return whether pages may commit to the served branch."""
    allowed: bool = request.app.state.allow_direct
    return allowed


def served_branch(project: Project) -> str:
    """Return the branch that the server shows."""
    return project.store.branch or project.store.writable_branch


def commit(
    visitor: Visitor, form: Form, edits: Mapping[str, Edit], base: Snapshot, name: str
) -> Response:
    """Commit edits where a form says, and go on to the page that shows what came of it.

    Args:
        visitor: Who commits.
        form: The form, with the message and the place.
        edits: The edits by prompt name.
        base: The prompts that they were made for.
        name: The prompt that they are about.

    Raises:
        ApiError: The served branch was meant, and this server does not take that (403).
        ConflictError: The prompt changed meanwhile, or there is such a branch.
        PromptStoreError: As for `PromptStore.commit`.
    """
    is_direct = form.get("where") == "direct"
    if is_direct and not allows_direct(visitor.request):
        raise forbidden(
            "This server takes changes on branches of their own only. Whoever runs it can allow "
            "commits to the served branch with `promptstore serve --allow-direct`."
        )
    branch = None if is_direct else form.get("branch", "").strip()
    if branch is not None and not branch.startswith(PREFIX):
        reason = f"the branch of a proposal begins with {PREFIX!r}."
        raise ConflictError(names=[branch], reason=reason)
    done = visitor.project.store.commit(
        edits,
        base=base,
        new_branch=branch,
        message=message_of(form),
        author=visitor.author,
    )
    if branch is not None:
        return go(visitor, f"/proposed/{quote(branch)}", done=name)
    return go(visitor, f"/prompts/{name}", version=done[name].version, done=name)


@router.get("/proposals")
def list_proposals(visitor: Annotated[Visitor, Reads]) -> Response:
    """Show the branches that hold proposals, newest first."""
    found = sorted(
        _proposals(visitor.project), key=lambda one: -one.commit.committed_at.timestamp()
    )
    return show(visitor, "proposals.html", proposals=found[:_MOST_SHOWN], count=len(found))


@router.get("/proposed/{branch:path}")
def show_proposal(visitor: Annotated[Visitor, Reads], branch: str, done: str = "") -> Response:
    """Show what a proposal changes, and how it gets reviewed."""
    store = visitor.project.store
    wanted = unquote(branch)
    found = next((one for one in _proposals(visitor.project) if one.branch == wanted), None)
    if found is None:
        raise not_found(f"There is no proposal {wanted!r}; it may have been merged and taken away.")
    served = served_branch(visitor.project)
    base = store.snapshot()
    if base.commit is not None:
        base = store.snapshot(store.common_ancestor(found.commit.id, base.commit))
    after = store.snapshot(found.commit.id)
    names = sorted(
        name for name in {*base.names(), *after.names()} if _blob(base, name) != _blob(after, name)
    )
    remote = _remote(visitor.project)
    return show(
        visitor,
        "proposed.html",
        proposal=found,
        push=shlex.join(["git", "push", remote[0] if remote else "REMOTE", wanted]),
        merge=shlex.join(["git", "merge", wanted]),
        served=served,
        changes=[(name, *_change(base, after, name)) for name in names[:_MOST_SHOWN]],
        request=pull_request(remote[1], served, wanted) if remote else None,
        done=done,
    )


def _proposals(project: Project) -> Iterator[Proposal]:
    repository = project.store.repository
    branches = repository.handle.branches.local
    for branch in branches:
        found = branches.get(branch) if branch.startswith(PREFIX) else None
        if found is not None:
            yield Proposal(branch, repository.commit(str(found.resolve().target)))


def _remote(project: Project) -> tuple[str, str] | None:
    """Return the remote that branches are pushed to, with its URL."""
    remotes = {one.name: one.url for one in project.store.repository.handle.remotes if one.name}
    name = "origin" if "origin" in remotes else next(iter(remotes), None)
    return None if name is None else (name, remotes[name] or "")


def _blob(snapshot: Snapshot, name: str) -> str | None:
    file = snapshot.find(name)
    return file.blob if file else None


def _change(base: Snapshot, after: Snapshot, name: str) -> tuple[str, dict[str, Any] | None]:
    """Return what happened to a prompt in a word, and what a page shows of it."""
    before, now = _read(base, name), _read(after, name)
    if now is None:
        return ("removed" if after.find(name) is None else "broken"), None
    if before is None:
        return "new", comparison(Prompt(prompt=""), now)
    return "changed", comparison(before, now)


def _read(snapshot: Snapshot, name: str) -> Prompt | None:
    if snapshot.find(name) is None:
        return None
    try:
        return snapshot.read(name, deleted=True)
    except PromptFileError:
        return None


_SCP: Final = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)")
"""How ssh spells the place of a repository, such as ``git@github.com:owner/name.git``."""


class PullRequest(NamedTuple):
    """A page that opens a pull request.

    Attributes:
        forge: Who shows it.
        url: Its URL.
    """

    forge: str
    url: str


def pull_request(remote: str, base: str, branch: str) -> PullRequest | None:
    """Return the page that opens a pull request; None where the forge is not known.

    Args:
        remote: The URL of the remote.
        base: The branch that the change is for.
        branch: The branch that holds the change.
    """
    host, path = _place(remote)
    path = path.strip("/").removesuffix(".git")
    if not host or "/" not in path:
        return None
    place = f"https://{host}/{quote(path)}"
    if "github" in host:
        return PullRequest("GitHub", f"{place}/compare/{quote(base)}...{quote(branch)}?expand=1")
    if "gitlab" in host:
        branches = {
            "merge_request[source_branch]": branch,
            "merge_request[target_branch]": base,
        }
        return PullRequest("GitLab", f"{place}/-/merge_requests/new?{urlencode(branches)}")
    return None


def _place(remote: str) -> tuple[str, str]:
    """Return the host and the path of a remote, without what may be a password."""
    found = _SCP.fullmatch(remote)
    if found is not None:
        return found[1].lower(), found[2]
    try:
        parts = urlsplit(remote)
        port = parts.port if parts.scheme in ("http", "https") else None
    except ValueError:
        return "", ""
    if parts.scheme not in ("http", "https", "ssh", "git") or not parts.hostname:
        return "", ""
    return parts.hostname + (f":{port}" if port else ""), parts.path
