"""Content filters: applied as git applies them, or refused; nothing of a stranger's is run."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from promptstore.errors import ConflictError, RepositoryError
from promptstore.model.prompt import Prompt
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.writing.conftest import assert_tidy, configure

FILE = "prompts/greet.yaml"
NEW = Prompt(prompt="new")
ROT = "tr a-zA-Z n-za-mN-ZA-M"
UPPER = "sed 's/Hello/HELLO/'"
"""It leaves alone what it made itself, and a prompt file stays one."""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own configuration."""
    file = tmp_path / "own.gitconfig"
    file.write_text("")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(file))
    return file


def define(file: Path, **commands: str) -> None:
    lines = [f"\t{key} = {quoted(command)}\n" for key, command in commands.items()]
    file.write_text('[filter "x"]\n' + "".join(lines))


def quoted(command: str) -> str:
    escaped = command.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def with_attributes(repo: GitRepo, line: str = "prompts/** filter=x\n") -> PromptStore:
    repo.commit({".gitattributes": line, FILE: "prompt: old\n"})
    return PromptStore.open(repo.path)


def test_a_filter_is_applied_as_git_applies_it(repo: GitRepo, own: Path) -> None:
    undo = "sed 's/^prompt:  /prompt: /'"
    define(own, clean=f"{UPPER} | {undo}", smudge="sed 's/^prompt: /prompt:  /'", required="true")
    store = with_attributes(repo)
    saved = store.save("greet", Prompt(prompt="Hello you"))
    assert (saved.version, saved.prompt) == (2, "HELLO you")
    assert repo.git("show", f"HEAD:{FILE}") == "prompt: HELLO you"
    assert (repo.path / FILE).read_text() == "prompt:  HELLO you\n"
    assert_tidy(repo)


def test_git_finds_nothing_to_commit_afterwards(repo: GitRepo, own: Path) -> None:
    define(own, clean=UPPER, smudge="cat")
    store = with_attributes(repo)
    store.save("greet", Prompt(prompt="Hello %f"))
    store.save("fresh", Prompt(prompt="Hello"))
    assert_tidy(repo)
    # An edit of a person is still seen as one, through the filter.
    repo.write(FILE, "prompt: Hello %f\n")
    assert store.save("greet", Prompt(prompt="Hello again")).version == 3
    repo.write(FILE, "prompt: mine\n")
    with pytest.raises(ConflictError, match="uncommitted edits"):
        store.save("greet", NEW)


def test_a_filter_that_hides_the_text_is_refused_and_the_hint_works(
    repo: GitRepo, own: Path
) -> None:
    define(own, clean=ROT, smudge=ROT, required="true")
    repo.commit({FILE: "prompt: old\n"})
    repo.commit({".gitattributes": "prompts/** filter=x\n"})
    store, head = PromptStore.open(repo.path), repo.head()
    with pytest.raises(RepositoryError, match="is no prompt file") as caught:
        store.save("greet", NEW)
    assert repo.head() == head
    hint = str(caught.value).split("`")[1]
    repo.commit({".gitattributes": f"prompts/** filter=x\n{hint}\n"})
    assert store.save("greet", NEW).version == 2
    assert_tidy(repo)


class TestOfTheRepositoryAlone:
    def test_is_refused_and_the_hint_works(self, repo: GitRepo, own: Path, tmp_path: Path) -> None:
        store = with_attributes(repo)
        mark = tmp_path / "ran"
        repo.git("config", "filter.x.clean", f"touch {mark}; cat")
        head = repo.head()
        with pytest.raises(RepositoryError, match="promptstore does not run") as caught:
            store.save("greet", NEW)
        assert not mark.exists()
        assert repo.head() == head
        repo.git(*shlex.split(str(caught.value).split("`")[1])[1:])
        assert store.save("greet", NEW).version == 2
        assert mark.exists()

    @pytest.mark.parametrize("level", ["local", "worktree"])
    def test_is_never_run_to_read(
        self, repo: GitRepo, own: Path, tmp_path: Path, level: str
    ) -> None:
        with_attributes(repo)
        mark = tmp_path / "ran"
        repo.git("config", "extensions.worktreeConfig", "true")
        for step in ("clean", "smudge", "process"):
            repo.git("config", f"--{level}", f"filter.x.{step}", f"touch {mark}; cat")
        repo.write(FILE, "prompt: edited\n")
        mark.unlink(missing_ok=True)
        for worktree in (False, True):
            store = PromptStore.open(repo.path, worktree=worktree)
            assert store.get("greet").prompt == ("edited" if worktree else "old")
            store.list()
            store.history("greet")
        assert not mark.exists()

    def test_that_says_otherwise_than_the_user_is_refused(self, repo: GitRepo, own: Path) -> None:
        define(own, clean=UPPER, smudge="cat")
        store = with_attributes(repo)
        repo.git("config", "filter.x.smudge", "rm -rf /nothing; cat")
        with pytest.raises(RepositoryError, match="promptstore does not run"):
            store.save("greet", NEW)


class TestFailures:
    @pytest.mark.parametrize("step", ["clean", "smudge"])
    def test_a_required_filter_that_fails(self, repo: GitRepo, own: Path, step: str) -> None:
        store = with_attributes(repo)
        define(
            own, **{"clean": "cat", "smudge": "cat", step: "echo no >&2; false"}, required="true"
        )
        head = repo.head()
        with pytest.raises(RepositoryError, match=rf"'x' \({step}\) failed: no"):
            store.save("greet", NEW)
        assert repo.head() == head
        assert (repo.path / FILE).read_text() == "prompt: old\n"

    def test_one_that_is_not_required_leaves_the_text(self, repo: GitRepo, own: Path) -> None:
        define(own, clean="false", smudge="false")
        store = with_attributes(repo)
        assert store.save("greet", NEW).prompt == "new"
        assert_tidy(repo)

    def test_one_that_only_speaks_the_long_protocol(self, repo: GitRepo, own: Path) -> None:
        store = with_attributes(repo)
        define(own, process="git-lfs filter-process")
        with pytest.raises(RepositoryError, match="not 'process'"):
            store.save("greet", NEW)

    def test_one_that_nobody_knows_is_none(self, repo: GitRepo, own: Path) -> None:
        store = with_attributes(repo)
        assert store.save("greet", NEW).version == 2
        assert_tidy(repo)

    def test_another_encoding_on_disk(self, repo: GitRepo, own: Path) -> None:
        repo.commit({FILE: "prompt: old\n"})
        repo.commit({".gitattributes": "prompts/** working-tree-encoding=UTF-16\n"})
        store = PromptStore.open(repo.path)
        with pytest.raises(RepositoryError, match="asks for UTF-16 on disk") as caught:
            store.save("greet", NEW)
        hint = str(caught.value).split("`")[1]
        repo.commit({".gitattributes": f"prompts/** working-tree-encoding=UTF-16\n{hint}\n"})
        assert store.save("greet", NEW).version == 2


def test_a_bare_repository_does_not_leak_either(repo: GitRepo, own: Path, tmp_path: Path) -> None:
    with_attributes(repo)
    bare = configure(repo.clone(tmp_path / "bare.git", "--bare"))
    define(own, clean=ROT, smudge=ROT, required="true")
    store = PromptStore.open(bare.path)
    with pytest.raises(RepositoryError, match="is no prompt file"):
        store.save("greet", NEW)
    define(own, clean=UPPER, smudge="cat")
    assert store.save("greet", Prompt(prompt="Hello")).prompt == "HELLO"
