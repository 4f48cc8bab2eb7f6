"""Where a branch becomes a pull request: by the URL of the remote that it is pushed to."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

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
