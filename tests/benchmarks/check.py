"""How long `check` and a comparison take: ``python -m tests.benchmarks.check``.

Seconds of processor time, each work once and cold: its own store, nothing read or parsed before.
The goal is that of a check of 1,000 prompts; the hostile files show that no file takes long.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from promptstore.compare.diff import diff_prompts
from promptstore.lint.check import Settings, check
from promptstore.lint.context import LintContext
from promptstore.model.parts import Message
from promptstore.model.prompt import Prompt
from promptstore.review.ranges import compare
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.review.test_scale import thousand

_GOAL: Final = 5.0
_HOSTILE: Final[Mapping[str, Mapping[str, str]]] = {
    "150 KB of spaces at the ends of lines": {"a": "prompt: |\n" + "  x \n" * 37_500},
    "30,000 words of two scripts": {"a": "prompt: |\n" + "  p\u0430ypal\n" * 30_000},
    "20,000 unused variables": {
        "a": "variables:\n" + "".join(f"  v{n}: {{}}\n" for n in range(20_000)) + "prompt: x\n"
    },
    "400 missing includes among 1,500 names": {
        "a": "prompt: |\n" + "".join(f"  {{% include 'x{n}/name' %}}\n" for n in range(400)),
        **{f"n{n}/other-name": "prompt: x\n" for n in range(1_500)},
    },
}


def main() -> None:
    """Print all measurements."""
    with tempfile.TemporaryDirectory() as folder:
        _checks(Path(folder))
    _differences()


def _checks(folder: Path) -> None:
    repo = GitRepo.init(folder / "thousand")
    root = repo.commit({"prompts/first.yaml": "prompt: x\n"})
    repo.commit(thousand())

    def check_all(only: bool = False, path: Path = repo.path) -> None:
        context = LintContext(PromptStore.open(path).snapshot(), Settings())
        context.only = context.dependents(context.names) if only else None
        check(context)

    def review() -> None:
        store = PromptStore.open(repo.path)
        compare(store.snapshot(root), store.snapshot())

    _time(f"check of 1,000 prompts; goal {_GOAL} s", check_all)
    _time("check of the same, as all that changed since a rev", lambda: check_all(only=True))
    _time("comparison of a range that adds them all", review)
    for number, (title, files) in enumerate(_HOSTILE.items()):
        hostile = folder / str(number)
        for name, text in files.items():
            file = hostile / "prompts" / f"{name}.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        _time(f"check of {title}", lambda path=hostile: check_all(path=path))  # type: ignore[misc]


def _differences() -> None:
    lines = Prompt(prompt="x\ny\n" * 5_000), Prompt(prompt="y\nx\n" * 5_000)
    messages = tuple(Message("user", f"Message {number}") for number in range(9_900))
    chats = Prompt(messages=messages), Prompt(messages=messages[::-1])
    _time("difference of 10,000 alternating lines", lambda: diff_prompts(*lines))
    _time("difference of 9,900 reversed messages", lambda: diff_prompts(*chats))


def _time(title: str, work: Callable[[], object]) -> None:
    began = time.process_time()
    work()
    print(f"{time.process_time() - began:7.2f} s  {title}", flush=True)


if __name__ == "__main__":
    main()
