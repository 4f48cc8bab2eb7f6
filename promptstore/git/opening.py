"""What stands in the way of a repository: damage, other owners, settings of the environment.

libgit2 knows git's usual files of configuration. What git's variables name beside them is added, as
git(1) and git-config(1) describe it, so that all of libgit2 follows it.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import pygit2
from pygit2.enums import ConfigLevel

from promptstore.errors import (
    InvalidArgumentError,
    ReadOnlyError,
    RepositoryError,
    UnsupportedRepositoryError,
)

_NOT_OWNED: Final = re.compile(r"repository path '(.*)' is not owned by current user")
_PARTS: Final = ("HEAD", "objects", "refs")
"""What makes a folder a git directory, for git and for libgit2."""

_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\t": r"\t", "\b": r"\b"})
_OPENING: Final = threading.Lock()


_ADVICE: Final[tuple[tuple[str, Callable[[str], RepositoryError]], ...]] = (
    (
        "read-only file system",
        lambda path: ReadOnlyError(path=path, reason="the file system is read-only."),
    ),
    (
        "refstorage",
        lambda path: UnsupportedRepositoryError(
            path=path,
            reason="its references are kept as a reftable, which libgit2 cannot read. "
            "Convert it with `git refs migrate --ref-format=files`.",
        ),
    ),
    (
        "objectformat",
        lambda path: UnsupportedRepositoryError(
            path=path,
            reason="its objects are named by SHA-256, which libgit2 cannot read. Convert it with "
            "`git init --object-format=sha1 NEW` and "
            "`git fast-export --all | git -C NEW fast-import`.",
        ),
    ),
    (
        "extension: 'link'",
        lambda path: UnsupportedRepositoryError(
            path=path,
            reason="its index is split, which libgit2 cannot read. Join it with "
            "`git config core.splitIndex false && git update-index --no-split-index`.",
        ),
    ),
    (
        "extension: 'sdir'",
        lambda path: UnsupportedRepositoryError(
            path=path,
            reason="its index is sparse, which libgit2 cannot read. Make it whole with "
            "`git sparse-checkout reapply --no-sparse-index`.",
        ),
    ),
)

_DAMAGED: Final = ("corrupt", "malformed", "mismatch", "invalid")


def explain(path: Path, error: Exception) -> RepositoryError:
    """Return the error of ours for one of libgit2 or of the operating system."""
    text = str(error).rstrip(".")
    folded = text.lower().replace(" ", "")
    for sign, make in _ADVICE:
        if sign.replace(" ", "") in folded:
            return make(str(path))
    damage = any(word in folded for word in _DAMAGED)
    advice = " Check the repository with `git fsck`." if damage else ""
    return RepositoryError(path=str(path), reason=f"git says: {text}.{advice}")


def open_untrusted(
    git_dir: Path, error: Exception, open_it: Callable[[], pygit2.Repository]
) -> pygit2.Repository:
    """Open a git directory that libgit2 refuses, where the environment tells git to trust it.

    Args:
        git_dir: The git directory.
        error: Why libgit2 refuses it.
        open_it: Opens it.

    Raises:
        UnsupportedRepositoryError: Its format cannot be read by libgit2.
        RepositoryError: It cannot be opened, for example because another user owns it.
    """
    not_owned = _NOT_OWNED.search(str(error))
    if not_owned is None:
        raise explain(git_dir, error) from error
    if not _is_trusted(not_owned[1]):
        raise RepositoryError(
            path=str(git_dir),
            reason="another user owns this repository, so git does not trust it. If you do: "
            f"`git config --global --add safe.directory {not_owned[1]}`, or without the git "
            f"program the lines `[safe]` and `directory = {not_owned[1]}` in ~/.gitconfig.",
        ) from error
    # libgit2 knows the trust that files tell of, not that of the environment.
    with _OPENING:
        checks = pygit2.settings.owner_validation
        pygit2.settings.owner_validation = False
        try:
            return open_it()
        finally:
            pygit2.settings.owner_validation = checks


def _is_trusted(path: str) -> bool:
    return any(
        trusted in ("*", path) or (trusted.endswith("/*") and path.startswith(trusted[:-1]))
        for trusted in _safe_directories()
    )


def _safe_directories() -> list[str]:
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
    """Read more configuration from where git's environment variables say that it is."""
    environment = os.environ
    if "GIT_CONFIG_GLOBAL" in environment:
        _add(config, environment["GIT_CONFIG_GLOBAL"], ConfigLevel.GLOBAL)
        _add(config, os.devnull, ConfigLevel.XDG)
    if environment.get("GIT_CONFIG_NOSYSTEM", "").lower() in ("1", "true", "yes", "on"):
        _add(config, os.devnull, ConfigLevel.SYSTEM)
    elif "GIT_CONFIG_SYSTEM" in environment:
        _add(config, environment["GIT_CONFIG_SYSTEM"], ConfigLevel.SYSTEM)
    text = "".join(_as_section(key, value) for key, value in _named_pairs(environment))
    if not text:
        return
    try:
        # libgit2 reads nothing but files, and keeps what was in one that is gone.
        with NamedTemporaryFile("w", encoding="utf-8", prefix="promptstore-") as file:
            file.write(text)
            file.flush()
            _add(config, file.name, ConfigLevel.APP)
    except FileNotFoundError:  # a container may have no place for one
        _add(config, _file_in_memory(text), ConfigLevel.APP)


@cache
def _file_in_memory(text: str) -> str:
    """Return the path of a file that holds a text as long as this process lives.

    libgit2 looks at it again later, when its number must not stand for another file.
    """
    descriptor = os.memfd_create("promptstore")
    os.write(descriptor, text.encode())
    return f"/proc/self/fd/{descriptor}"


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


def refuse_damaged(path: Path) -> None:
    """Check that what git would find first is whole: it passes over what is not.

    Args:
        path: The resolved path that it is looked for from.

    Raises:
        RepositoryError: It is damaged.
    """
    if (path / "config").is_file():
        _refuse_incomplete(path)
    for folder in (path, *path.parents):
        found = folder / ".git"
        if found.is_file():
            _refuse_dead_link(found)
            return
        if found.is_dir() and any((found / part).exists() for part in _PARTS):
            _refuse_incomplete(found)
            return


def _refuse_incomplete(git_dir: Path) -> None:
    missing = [part for part in _PARTS if not (git_dir / part).exists()]
    if not missing or len(missing) == len(_PARTS):
        return
    mend = {
        "HEAD": f"`echo 'ref: refs/heads/main' > {git_dir}/HEAD`",
        "objects": f"`mkdir {git_dir}/objects`",
        "refs": f"`mkdir {git_dir}/refs`",
    }
    raise RepositoryError(
        path=str(git_dir),
        reason=f"this git directory is damaged: it holds no {' and no '.join(missing)}. Clone it "
        f"anew, or run {' and '.join(mend[part] for part in missing)}, after which `git fsck` says "
        "what else is missing.",
    )


def _refuse_dead_link(file: Path) -> None:
    text = file.read_text(errors="replace").strip()
    target = Path(file.parent, text.removeprefix("gitdir:").strip())
    if not text.startswith("gitdir:") or not target.exists():
        raise RepositoryError(
            path=str(file),
            reason=f"this file names no git directory, but {text[:200]!r}. For a linked worktree "
            "run `git worktree repair` in the main clone, for a submodule `git submodule update "
            "--init` in the repository around it.",
        )
