"""Git's configuration, wherever the environment says that it is.

libgit2 knows the usual files. What git's variables name beside them is added here, as git(1) and
git-config(1) describe it, so that all of libgit2 follows it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from tempfile import NamedTemporaryFile
from typing import Final

import pygit2
from pygit2.enums import ConfigLevel

from promptstore.errors import InvalidArgumentError

_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\t": r"\t", "\b": r"\b"})


def safe_directories() -> list[str]:
    """List the folders of other users that the environment tells git to trust.

    Those in git's usual files are known to libgit2.
    """
    config = pygit2.Config()
    add_environment(config)
    trusted = [os.path.expanduser(path or "") for path in config.get_multivar("safe.directory")]  # noqa: PTH111
    # An empty value takes back what was said before.
    last = max((at for at, path in enumerate(trusted) if not path), default=-1)
    return trusted[last + 1 :]


def add_environment(config: pygit2.Config) -> None:
    """Read more configuration from where git's environment variables say that it is.

    Args:
        config: The configuration of a repository, which from then on holds all of it.

    Raises:
        InvalidArgumentError: ``GIT_CONFIG_COUNT`` and what belongs to it do not fit together.
    """
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
