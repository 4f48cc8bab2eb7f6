"""Where a run measures: its repositories, each made when it is first needed."""

from __future__ import annotations

import shutil
from functools import cached_property
from pathlib import Path

from promptstore import PromptStore
from tests.benchmarks.repos import Shape, make_repository, prompt_name


class Places:
    """The repositories of one run.

    Args:
        folder: An empty folder for them.
        quick: Whether they are small.
    """

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.quick = quick
        self.small_shape = Shape(100, 300) if quick else Shape(1_000, 5_000)
        self.large_shape = Shape(300, 1_000) if quick else Shape(10_000, 100_000)

    @cached_property
    def small(self) -> Path:
        """A bare repository of the smaller shape, indexed."""
        return self._indexed("small", self.small_shape)

    @cached_property
    def large(self) -> Path:
        """A bare repository of the larger shape, indexed."""
        return self._indexed("large", self.large_shape)

    @cached_property
    def clone(self) -> Path:
        """A checked-out repository with as many prompts as the larger one, and a short history."""
        shape = Shape(self.large_shape.prompts, 10)
        return make_repository(self.folder / "clone", shape, bare=False)

    def names(self, shape: Shape) -> list[str]:
        """List the names of all prompts of a repository."""
        return [prompt_name(number, flat=shape.flat) for number in range(shape.prompts)]

    def copy(self, of: Path, name: str) -> Path:
        """Copy a repository, to write to the copy."""
        return Path(shutil.copytree(of, self.folder / name))

    def _indexed(self, name: str, shape: Shape) -> Path:
        path = make_repository(self.folder / name, shape)
        assert PromptStore.open(path).get(prompt_name(0)).version
        return path
