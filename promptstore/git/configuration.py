"""Opening a repository with git's configuration, wherever the environment says that it is.

libgit2 knows the usual files. What git's variables name beside them is added here, as git(1) and
git-config(1) describe it, so that all of libgit2 follows it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import pygit2
from pygit2.enums import ConfigLevel

from promptstore.errors import InvalidArgumentError, RepositoryError

_FOREIGN: Final = re.compile(r"repository path '(.*)' is not owned by current user")
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\t": r"\t", "\b": r"\b"})


def open_handle(path: str | Path) -> pygit2.Repository:
    """Open a repository with the configuration that git would read at this moment.

    Args:
        path: Its git directory.

    Raises:
        RepositoryError: Another user owns it, and it is not called safe.
        pygit2.GitError: It cannot be opened.
    """
    try:
        handle = pygit2.Repository(str(path))
    except pygit2.GitError as error:
        foreign = _FOREIGN.search(str(error))
        if foreign is None:
            raise
        handle = _open_foreign(str(path), foreign[1])
    _add_named_files(handle.config)
    return handle


def _open_foreign(path: str, checked: str) -> pygit2.Repository:
    """Open the repository of another user where the environment calls it safe."""
    config = pygit2.Config()
    _add_named_files(config)
    if not _is_safe(checked, config):
        raise RepositoryError(
            path=path,
            reason="another user owns this repository, so git does not trust it. If you do: "
            f"`git config --global --add safe.directory {checked}`, or without the git program "
            f"the lines `[safe]` and `directory = {checked}` in the file .gitconfig of your home.",
        )
    # libgit2 has this as a switch of the whole process only.
    pygit2.settings.owner_validation = False
    try:
        return pygit2.Repository(path)
    finally:
        pygit2.settings.owner_validation = True


def _is_safe(checked: str, config: pygit2.Config) -> bool:
    is_safe = False
    for value in config.get_multivar("safe.directory"):
        folder = os.path.expanduser(value or "")  # noqa: PTH111
        if not folder:
            is_safe = False
        elif folder.endswith("/*"):
            is_safe |= checked.startswith(folder[:-1])
        else:
            is_safe |= folder in ("*", checked)
    return is_safe


def _add_named_files(config: pygit2.Config) -> None:
    """Read configuration from where git's environment variables say that it is."""
    environment = os.environ
    if "GIT_CONFIG_GLOBAL" in environment:
        _add(config, environment["GIT_CONFIG_GLOBAL"], ConfigLevel.GLOBAL)
        _add(config, os.devnull, ConfigLevel.XDG)
    if environment.get("GIT_CONFIG_NOSYSTEM", "").lower() in ("1", "true", "yes", "on"):
        _add(config, os.devnull, ConfigLevel.SYSTEM)
    elif "GIT_CONFIG_SYSTEM" in environment:
        _add(config, environment["GIT_CONFIG_SYSTEM"], ConfigLevel.SYSTEM)
    pairs = _named_pairs(environment)
    if pairs:
        # libgit2 reads nothing but files, and keeps what was in one that is gone.
        with NamedTemporaryFile("w", encoding="utf-8", prefix="promptstore-") as file:
            file.write("".join(_as_section(key, value) for key, value in pairs))
            file.flush()
            _add(config, file.name, ConfigLevel.APP)


def _add(config: pygit2.Config, file: str, level: ConfigLevel) -> None:
    # The configuration of a repository refuses this method, which libgit2 allows.
    pygit2.Config.add_file(config, file or os.devnull, level, force=True)


def _named_pairs(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    text = environment.get("GIT_CONFIG_COUNT", "")
    with suppress(ValueError, KeyError):
        numbers = range(int(text or 0))
        return [
            (environment[f"GIT_CONFIG_KEY_{number}"], environment[f"GIT_CONFIG_VALUE_{number}"])
            for number in numbers
        ]
    raise InvalidArgumentError(
        message=f"the environment variable GIT_CONFIG_COUNT={text} needs GIT_CONFIG_KEY_n and "
        "GIT_CONFIG_VALUE_n for each number below it; set or unset them together"
    )


def _as_section(key: str, value: str) -> str:
    section, _, rest = key.partition(".")
    subsection, _, name = rest.rpartition(".")
    head = f'{section} "{subsection.translate(_ESCAPES)}"' if subsection else section
    return f'[{head}]\n\t{name} = "{value.translate(_ESCAPES)}"\n'
