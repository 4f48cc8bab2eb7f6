"""The README's commands, and the names that the package offers.

Its blocks are run by tests/docs.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import promptstore
from promptstore.store.store import PromptStore

TOP = Path(__file__).parent.parent
README = (TOP / "README.md").read_text(encoding="utf-8")


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 200


def test_the_first_command_renders_a_prompt_of_this_repository() -> None:
    command = re.search(r"<!-- run-command -->\n    .* && \S*promptstore (.*)\n", README)
    assert command
    arguments = [word.strip("'") for word in re.findall(r"(?:[^\s']|'[^']*')+", command[1])]
    assert arguments[:2] == ["render", "translate"]
    values = {"text": "Good morning, {name}!", "language": "French"}
    rendered = PromptStore.open(TOP, worktree=True).render("translate", values)
    assert "Good morning, {name}!" in str(rendered)


def test_the_public_names_are_there_and_documented() -> None:
    assert dir(promptstore) == promptstore.__all__ == sorted(promptstore.__all__)
    for name in promptstore.__all__:
        value = getattr(promptstore, name)
        assert name == "__version__" or value.__doc__
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = promptstore.nope


def test_the_names_for_type_checkers_are_those_at_run_time() -> None:
    source = (TOP / "promptstore" / "__init__.py").read_text(encoding="utf-8")
    declared = set(
        re.findall(r"^    from promptstore\S* import (\w+) as \1$", source, re.MULTILINE)
    )
    assert declared | {"__version__"} == set(promptstore.__all__)
