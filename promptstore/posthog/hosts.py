"""The key of a remote, and where it may go: PostHog's cloud, this machine, allowed hosts."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from contextlib import suppress
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from promptstore.errors import InvalidArgumentError, RemoteKeyError

KEY_VARIABLE: Final = "POSTHOG_PERSONAL_API_KEY"
"""The environment variable that holds the key where none is given."""

ALLOWED_VARIABLE: Final = "PROMPTSTORE_ALLOWED_HOSTS"
"""The environment variable with the hosts that a repository's files may name, by commas."""

ALLOWED_SETTING: Final = "promptstore.allowedHost"
"""The same as a setting of git, which may be there several times."""

_CLOUD: Final = "posthog.com"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")


def split_host(host: str) -> SplitResult:
    """Return the parts of a host's URL.

    Raises:
        InvalidArgumentError: It is none, or the key would leave this machine unencrypted.
    """
    try:
        parts = urlsplit(host)
        is_url = parts.scheme in ("http", "https") and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        is_url = False
    if not is_url or not _NAME.fullmatch(parts.hostname or ""):
        raise InvalidArgumentError(
            message="the host is a URL such as https://us.posthog.com, without a name or password"
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise InvalidArgumentError(
            message=f"the key would go to {parts.hostname} unencrypted; write https:// "
            "(http:// is for this machine only)"
        )
    return parts


def find_key(key: str | None) -> str:
    """Return a key without the white space around it.

    Args:
        key: The key; None takes it from the environment.

    Raises:
        RemoteKeyError: There is none, or it cannot be one.
    """
    found = (os.environ.get(KEY_VARIABLE, "") if key is None else key).strip()
    if not found:
        raise RemoteKeyError(request="Connecting", detail="there is no key")
    if not found.isascii() or not found.isprintable() or " " in found:
        raise RemoteKeyError(request="Connecting", detail="the key holds what no key holds")
    return found


def is_cloud(host: str) -> bool:
    """Return whether the URL of a host is one of PostHog's cloud."""
    name = split_host(host).hostname or ""
    return name == _CLOUD or name.endswith(f".{_CLOUD}")


def find_proxy(host: str) -> str | None:
    """Return the URL of the proxy that the environment names for the URL of a host.

    Raises:
        InvalidArgumentError: It is no URL of a proxy that can be used.
    """
    from urllib.request import getproxies, proxy_bypass  # slow to import

    parts, proxies = split_host(host), getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    if not found or proxy_bypass(parts.netloc):
        return None
    url = found if "://" in found else f"http://{found}"
    try:
        proxy = urlsplit(url)
        known = ["http", "https", *(["socks5", "socks5h"] if find_spec("socksio") else [])]
        is_usable = proxy.scheme in known and proxy.hostname and proxy.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise InvalidArgumentError(
            message=f"the proxy that the environment names for {parts.scheme}:// cannot be used: "
            "it is a URL that begins with http:// or https://, or, after "
            "`pip install 'httpx[socks]'`, with socks5://"
        )
    return url


def check_allowed(host: str, allowed: Collection[str]) -> None:
    """Refuse a host that a repository names and its user does not know.

    A file of the repository can be changed by anybody whose change is merged, or only looked at: it
    must not decide where a key goes.

    Args:
        host: The host's URL.
        allowed: The names of hosts that the user allows, beside those of the environment.

    Raises:
        InvalidArgumentError: It is no host of PostHog's cloud, and is not allowed.
    """
    name = split_host(host).hostname or ""
    given = re.split(r"[,\s]+", os.environ.get(ALLOWED_VARIABLE, ""))
    if not is_cloud(host) and name not in {one.lower() for one in (*allowed, *given)}:
        raise InvalidArgumentError(
            message=f"the repository's configuration would send your key to {name}, which is not "
            f"PostHog's cloud. If you trust that host: `git config --global --add "
            f"{ALLOWED_SETTING} {name}`, or name it in the environment variable {ALLOWED_VARIABLE}"
        )


def _is_loopback(name: str) -> bool:
    with suppress(ValueError):
        return ip_address(name).is_loopback
    return name == "localhost"
