"""A folder with a ``SKILL.md`` is a skill, whose files are no prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptstore import PromptStore
from promptstore.errors import InvalidArgumentError, PromptNotFoundError
from promptstore.lint.check import Settings, check
from promptstore.lint.context import LintContext
from promptstore.store.snapshot import Snapshot
from tests.gitrepo import GitRepo
from tests.writing.conftest import configure

FILES = {
    "prompts/greeting.yaml": "prompt: Hello\n",
    "prompts/skills/tone.yaml": "prompt: Be calm.\n",
    "prompts/skills/pdf/SKILL.md": "---\nname: pdf\ndescription: Reads PDFs.\n---\nRead it.\n",
    "prompts/skills/pdf/example.yaml": "prompt: Not a prompt of the store\n",
    "prompts/skills/pdf/settings.yml": "a: 1\n",
    "prompts/skills/pdf/agents/openai.yaml": "interface: {display_name: PDF}\n",
}
PROMPTS = ["greeting", "skills/tone"]
INSIDE = ["skills/pdf/example", "skills/pdf/agents/openai"]


@pytest.fixture
def store(tmp_path: Path) -> PromptStore:
    repo = configure(GitRepo.init(tmp_path / "repo"))
    repo.commit(FILES)
    return PromptStore.open(repo.path)


@pytest.fixture(params=["committed", "in the working tree", "in a plain folder"])
def snapshot(request: pytest.FixtureRequest, store: PromptStore, tmp_path: Path) -> Snapshot:
    if request.param == "committed":
        return store.snapshot()
    if request.param == "in the working tree":
        return store.working_snapshot()
    for path, text in FILES.items():
        file = tmp_path / "plain" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return PromptStore.open(tmp_path / "plain").working_snapshot()


def test_its_files_are_no_prompts(snapshot: Snapshot) -> None:
    assert snapshot.names() == PROMPTS
    assert sorted(snapshot) == PROMPTS
    assert [prompt.name for prompt in snapshot.list()] == PROMPTS
    assert snapshot.unrecognized() == ()
    for name in INSIDE:
        assert name not in snapshot
        with pytest.raises(PromptNotFoundError, match="lies in the skill 'skills/pdf'"):
            snapshot.read(name)


def test_check_passes_over_them(snapshot: Snapshot) -> None:
    assert check(LintContext(snapshot, Settings())) == []


def test_none_is_found_by_name(store: PromptStore) -> None:
    with pytest.raises(PromptNotFoundError, match="lies in the skill 'skills/pdf'"):
        store.get(INSIDE[0])
    assert store.get("skills/tone").prompt == "Be calm."


def test_no_prompt_is_saved_or_renamed_into_a_skill(store: PromptStore) -> None:
    with pytest.raises(InvalidArgumentError, match="the skill 'skills/pdf', whose files are no"):
        store.save("skills/pdf/deep/new", "Hi")
    with pytest.raises(InvalidArgumentError, match="the skill 'skills/pdf', whose files are no"):
        store.rename("greeting", "skills/pdf/greeting")
    store.save("skills/pdfs", "Hi")
    assert store.names() == ["greeting", "skills/pdfs", "skills/tone"]


def test_the_folder_of_the_prompts_is_no_skill(store: PromptStore) -> None:
    GitRepo(store.path).commit({"prompts/SKILL.md": "What these prompts are for.\n"})
    assert store.names() == PROMPTS
    assert store.get("greeting").prompt == "Hello"
    assert store.working_snapshot().names() == PROMPTS


def test_a_folder_becomes_one_and_is_one_no_more(store: PromptStore) -> None:
    repo = GitRepo(store.path)
    repo.commit({"prompts/skills/pdf/SKILL.md": None})
    assert store.get(INSIDE[0]).version == 1
    assert INSIDE[0] in store.names()
    repo.commit({"prompts/skills/pdf/SKILL.md": "---\nname: pdf\n---\n"})
    assert store.names() == PROMPTS
