"""Real repositories for tests, made by the real git program."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FIRST_COMMIT_TIME = 1_700_000_000
AUTHOR = ("Ada Example", "ada@example.com")


@dataclass
class GitRepo:
    """A repository on disk, driven through the git program.

    Each commit is made a minute after the one before, so that ids and orders are the same in
    every run.
    """

    path: Path
    clock: int = field(default=FIRST_COMMIT_TIME)

    @classmethod
    def init(cls, path: Path, *options: str) -> GitRepo:
        path.mkdir(parents=True, exist_ok=True)
        repo = cls(path)
        repo.git("init", "--quiet", "--initial-branch=main", *options)
        return repo

    def copy(self, path: Path) -> GitRepo:
        """Copy this repository, which is quicker than making a like one."""
        return GitRepo(shutil.copytree(self.path, path, symlinks=True), self.clock)

    def become(self, other: GitRepo) -> GitRepo:
        """Make this repository, which is empty, a copy of another."""
        shutil.copytree(other.path, self.path, symlinks=True, dirs_exist_ok=True)
        self.clock = other.clock
        return self

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run git here and give what it prints, without the last line end."""
        name, email = AUTHOR
        self.clock += 60
        settings = [
            f"user.name={name}",
            f"user.email={email}",
            "commit.gpgsign=false",
            "protocol.file.allow=always",
            "advice.detachedHead=false",
            "maintenance.auto=false",
        ]
        options = [word for setting in settings for word in ("-c", setting)]
        done = subprocess.run(
            ["git", *options, *arguments],
            cwd=self.path,
            input=stdin,
            capture_output=True,
            check=False,
            env=_environment(self.clock),
        )
        if done.returncode:
            raise AssertionError(f"git {' '.join(arguments)}: {done.stderr.decode()}")
        return done.stdout.decode().rstrip("\n")

    def write(self, path: str, text: str | bytes) -> Path:
        """Write a file in the working tree."""
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def commit(self, files: Mapping[str, str | bytes | None], message: str = "change") -> str:
        """Commit files by path, None removing one, and give the commit's id."""
        for path, text in files.items():
            if text is None:
                self.git("rm", "--quiet", "--force", path)
            else:
                self.write(path, text)
        written = "\0".join(path for path, text in files.items() if text is not None)
        if written:
            self.git(
                "add", "--force", "--pathspec-from-file=-", "--pathspec-file-nul",
                stdin=written.encode(),
            )  # fmt: skip
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.head()

    def head(self) -> str:
        """Give the id of the commit that HEAD is at."""
        return self.git("rev-parse", "HEAD")

    def versions(self, path: str, rev: str = "HEAD") -> list[str]:
        """Ask git which commits changed a path on the first-parent history, newest first."""
        log = ("log", "--first-parent", "-m", "--no-renames", "--format=%H", rev, "--", path)
        return self.git(*log).split()

    def clone(self, path: Path, *options: str) -> GitRepo:
        """Clone this repository."""
        self.git("clone", "--quiet", *options, self.path.as_uri(), str(path))
        return GitRepo(path, self.clock)


def _environment(clock: int) -> dict[str, str]:
    time = f"{clock} +0100"
    return {**os.environ, "GIT_AUTHOR_DATE": time, "GIT_COMMITTER_DATE": time}
