"""Every kind of repository that is met in practice, made for real."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from promptstore import AsyncPromptStore, Limits
from promptstore.errors import (
    HistoryUnavailableError,
    InvalidArgumentError,
    PromptNotFoundError,
    RepositoryError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    UnsupportedRepositoryError,
)
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo

MakeRepo = Callable[[str], GitRepo]


@pytest.fixture
def origin(repo: GitRepo) -> GitRepo:
    """Two versions of `greet`, on main."""
    repo.commit({"prompts/greet.yaml": "prompt: Hi\n"}, "Greet")
    repo.commit({"prompts/greet.yaml": "prompt: Hello\n", "README": "x"}, "Greet in full")
    return repo


def ordinary(origin: GitRepo, tmp: Path) -> Path:
    return origin.clone(tmp / "clone").path


def inside_a_folder(origin: GitRepo, tmp: Path) -> Path:
    return ordinary(origin, tmp) / "prompts"


def git_folder(origin: GitRepo, tmp: Path) -> Path:
    return ordinary(origin, tmp) / ".git"


def bare(origin: GitRepo, tmp: Path) -> Path:
    return origin.clone(tmp / "bare.git", "--bare").path


def linked_worktree(origin: GitRepo, tmp: Path) -> Path:
    origin.git("worktree", "add", "--quiet", "-b", "linked", str(tmp / "linked"))
    return tmp / "linked"


def submodule(origin: GitRepo, tmp: Path) -> Path:
    outer = GitRepo.init(tmp / "outer")
    outer.git("submodule", "--quiet", "add", origin.path.as_uri(), "inner")
    outer.commit({}, "add the submodule")
    return outer.path / "inner"


def packed(origin: GitRepo, tmp: Path) -> Path:
    clone = origin.clone(tmp / "packed")
    clone.git("gc", "--quiet", "--aggressive")
    clone.git("pack-refs", "--all")
    return clone.path


def loose(origin: GitRepo, tmp: Path) -> Path:
    assert not list((origin.path / ".git/objects/pack").iterdir())
    return origin.path


def commit_graph(origin: GitRepo, tmp: Path) -> Path:
    clone = origin.clone(tmp / "graph")
    clone.git("commit-graph", "write", "--reachable", "--changed-paths")
    return clone.path


def alternates(origin: GitRepo, tmp: Path) -> Path:
    origin.git("clone", "--quiet", "--shared", str(origin.path), str(tmp / "shared"))
    return tmp / "shared"


def detached_head(origin: GitRepo, tmp: Path) -> Path:
    clone = origin.clone(tmp / "detached")
    clone.git("checkout", "--quiet", "--detach")
    return clone.path


def sparse_checkout(origin: GitRepo, tmp: Path) -> Path:
    clone = origin.clone(tmp / "sparse")
    clone.git("sparse-checkout", "set", "--cone", "--sparse-index", "elsewhere")
    return clone.path


def split_index(origin: GitRepo, tmp: Path) -> Path:
    clone = origin.clone(tmp / "split")
    clone.git("update-index", "--split-index")
    return clone.path


def old_partial_clone(origin: GitRepo, tmp: Path) -> Path:
    clone = origin.clone(tmp / "partial")
    clone.git("config", "core.repositoryFormatVersion", "1")
    clone.git("config", "extensions.partialClone", "origin")
    return clone.path


def packed_references(origin: GitRepo, tmp: Path) -> Path:
    clone = origin.clone(tmp / "refs")
    clone.git("pack-refs", "--all", "--prune")
    return clone.path


@pytest.mark.parametrize(
    "kind",
    [
        sparse_checkout,
        split_index,
        old_partial_clone,
        packed_references,
        ordinary,
        inside_a_folder,
        git_folder,
        bare,
        linked_worktree,
        submodule,
        packed,
        loose,
        commit_graph,
        alternates,
        detached_head,
    ],
)
def test_a_repository_with_its_whole_history(
    origin: GitRepo, tmp_path: Path, kind: Callable[[GitRepo, Path], Path]
) -> None:
    store = PromptStore.open(kind(origin, tmp_path))
    prompt = store.get("greet")
    assert prompt.prompt == "Hello"
    assert prompt.version == 2
    assert prompt.commit == prompt.snapshot_commit == origin.head()
    assert store.get("greet", version=1).prompt == "Hi"
    assert store.render("greet").text == "Hello"
    assert store.names() == ["greet"]
    assert [version.subject for version in store.history("greet")] == ["Greet in full", "Greet"]


def test_a_detached_head_reads_where_it_stands(origin: GitRepo) -> None:
    origin.git("checkout", "--quiet", "--detach", "HEAD~1")
    assert PromptStore.open(origin.path).get("greet").prompt == "Hi"
    assert PromptStore.open(origin.path, branch="main").get("greet").prompt == "Hello"


@pytest.mark.parametrize("options", [(), ("--bare",)], ids=["ordinary", "bare"])
def test_an_empty_repository(tmp_path: Path, options: tuple[str, ...]) -> None:
    store = PromptStore.open(GitRepo.init(tmp_path / "empty", *options).path)
    assert store.names() == []
    assert store.list() == []
    assert dict(store.snapshot()) == {}
    with pytest.raises(PromptNotFoundError, match=r"main \(no commits yet\)"):
        store.get("greet")
    with pytest.raises(PromptNotFoundError):
        store.get("greet", version=1)
    with pytest.raises(PromptNotFoundError):
        store.history("greet")
    with pytest.raises(RevisionNotFoundError):
        store.get("greet", rev="main")


def test_an_empty_repository_fills_before_the_eyes_of_an_open_store(repo: GitRepo) -> None:
    store = PromptStore.open(repo.path)
    assert store.names() == []
    repo.commit({"prompts/greet.yaml": "prompt: Hi\n"})
    assert store.get("greet").version == 1


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_shallow_clone_gives_no_version_rather_than_a_wrong_one(
    origin: GitRepo, tmp_path: Path, *, is_linked: bool
) -> None:
    shallow = origin.clone(tmp_path / "shallow", "--depth=1")
    path = shallow.path
    if is_linked:
        path = tmp_path / "linked"
        shallow.git("worktree", "add", "--quiet", "-b", "linked", str(path))
    store = PromptStore.open(path)
    prompt = store.get("greet")
    assert (prompt.prompt, prompt.version, prompt.commit) == ("Hello", None, None)
    assert prompt.snapshot_commit == origin.head()
    assert store.render("greet").version is None
    assert [found.name for found in store.list()] == ["greet"]
    for ask in (
        lambda: store.get("greet", version=1),
        lambda: store.history("greet"),
    ):
        with pytest.raises(HistoryUnavailableError, match="git fetch --unshallow"):
            ask()

    shallow.git("fetch", "--quiet", "--unshallow")
    assert store.get("greet").version == 2
    assert PromptStore.open(path).get("greet").version == 2


def test_a_plain_folder_is_read_without_versions(tmp_path: Path) -> None:
    file = tmp_path / "prompts" / "greet.yaml"
    file.parent.mkdir()
    file.write_text("prompt: Hi\n")
    store = PromptStore.open(tmp_path)
    prompt = store.get("greet")
    assert (prompt.prompt, prompt.version, prompt.snapshot_commit) == ("Hi", None, None)
    file.write_text("prompt: Hello\n")
    assert store.render("greet").text == "Hello"
    for ask in (
        lambda: store.get("greet", version=1),
        lambda: store.get("greet", rev="main"),
        lambda: store.history("greet"),
    ):
        with pytest.raises(HistoryUnavailableError, match="plain folder"):
            ask()


@pytest.fixture(params=["a fresh clone", "a clone that was written"])
def read_only_clone(origin: GitRepo, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A clone that nobody may write to, in a folder that everybody may look into."""
    top = Path(tempfile.mkdtemp())
    clone = origin.clone(top / "clone").path
    if request.param == "a clone that was written":
        (clone / ".git/promptstore").mkdir()
    paths = [top, clone, *clone.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield clone
    for path in paths:
        path.chmod(0o755)
    shutil.rmtree(top)


READ_ONLY = """
import ctypes, os, sys
import promptstore.store.writing
from promptstore import Prompt, PromptStore
from promptstore.errors import ReadOnlyError
PromptStore.open(sys.argv[1]).render("greet")  # loads every module while that is still allowed
if os.geteuid() == 0:
    # The superuser may write everywhere: give that up, for files only.
    ctypes.CDLL(None).setfsuid(65534)
store = PromptStore.open(sys.argv[2])
print(store.get("greet").version, len(store.history("greet")), store.names())
try:
    store.save("greet", Prompt(prompt="x"), author="Ada <ada@example.com>")
except ReadOnlyError as error:
    print(str(error).replace(sys.argv[2], "CLONE"))
"""


def test_a_read_only_file_system(origin: GitRepo, read_only_clone: Path) -> None:
    before = sorted(read_only_clone.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(origin.path), str(read_only_clone)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(read_only_clone)},
    )
    assert done.stderr == ""
    found, refused = done.stdout.splitlines()
    assert found == "2 2 ['greet']"
    assert re.fullmatch(
        r"CLONE/\.git/promptstore(/write\.lock)?: this user may not write here\.", refused
    )
    assert sorted(read_only_clone.rglob("*")) == before


def test_sha256_objects_are_refused_with_the_way_out(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "sha256", "--object-format=sha256")
    repo.commit({"prompts/greet.yaml": "prompt: Hi\n"})
    with pytest.raises(UnsupportedRepositoryError, match=r"SHA-256.*git fast-export"):
        PromptStore.open(repo.path)

    converted = GitRepo.init(tmp_path / "sha1", "--object-format=sha1")
    stream = repo.git("fast-export", "--all")
    converted.git("fast-import", "--quiet", stdin=stream.encode())
    assert PromptStore.open(converted.path).get("greet").prompt == "Hi"


def test_a_reftable_is_refused_with_the_way_out(repo: GitRepo) -> None:
    repo.git("config", "core.repositoryFormatVersion", "1")
    repo.git("config", "extensions.refStorage", "reftable")
    with pytest.raises(UnsupportedRepositoryError, match=r"reftable.*git refs migrate"):
        PromptStore.open(repo.path)


def test_a_partial_clone_fetches_all_that_is_missing_at_once(repo: GitRepo, tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(5)]
    repo.commit({f"prompts/{name}.yaml": f"prompt: {name} of a partial clone\n" for name in names})
    repo.git("config", "uploadpack.allowFilter", "true")
    partial = repo.clone(tmp_path / "partial", "--filter=blob:none", "--no-checkout")
    store = PromptStore.open(partial.path)
    assert store.names() == names
    with pytest.raises(RepositoryError, match="left out of this partial clone") as caught:
        store.list()
    hint = re.search(r"`git (.*?)`", str(caught.value))
    assert hint is not None
    partial.git(*hint[1].split())
    assert [prompt.prompt for prompt in store.list()] == [
        f"{name} of a partial clone" for name in names
    ]


def test_a_text_can_be_had_where_the_history_cannot_be_read(repo: GitRepo) -> None:
    first = repo.commit({"prompts/greet.yaml": "prompt: Hi\n"})
    repo.commit({"prompts/greet.yaml": "prompt: Hello\n"})
    (repo.path / ".git/objects" / first[:2] / first[2:]).unlink()
    store = PromptStore.open(repo.path)
    assert store.names() == ["greet"]
    prompt = store.get("greet")
    assert prompt.render().text == "Hello"
    assert prompt.version is None
    with pytest.raises(RepositoryError, match=first):
        store.info("greet")
    with pytest.raises(RepositoryError, match=first):
        store.get("greet", version=1)


def test_neither_a_repository_nor_a_folder_of_prompts(tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFoundError, match="promptstore init"):
        PromptStore.open(tmp_path)
    with pytest.raises(RepositoryNotFoundError, match="there is no such path"):
        PromptStore.open(tmp_path / "nowhere")


def test_a_branch_that_is_not_there(origin: GitRepo) -> None:
    for branch in ("nope", "main\0", "main~1", "x" * 5_000):
        with pytest.raises(RevisionNotFoundError, match="no such branch"):
            PromptStore.open(origin.path, branch=branch)


@pytest.mark.parametrize("root", ["../prompts", "/prompts", "a/../b", "a\\b"])
def test_a_root_may_not_leave_the_repository(origin: GitRepo, root: str) -> None:
    with pytest.raises(InvalidArgumentError, match="within the repository"):
        PromptStore.open(origin.path, root=root)


def test_other_roots(origin: GitRepo) -> None:
    origin.commit({"apps/bot/prompts/greet.yaml": "prompt: Bot\n", "top.yaml": "prompt: Top\n"})
    assert PromptStore.open(origin.path, root="apps/bot/prompts/").get("greet").prompt == "Bot"
    assert PromptStore.open(origin.path, root=".").get("top").prompt == "Top"
    assert PromptStore.open(origin.path, root="nowhere").names() == []


def test_a_store_pickles_as_its_place(
    origin: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is unpickled elsewhere, as in another process, is opened there as the store was."""
    (origin.path / "prompts/greet.yaml").write_text("prompt: Not committed\n")
    origin.git("branch", "old", "HEAD~1")
    bundle = tmp_path / "some.bundle"
    bundle.write_bytes(PromptStore.open(origin.path).bundle().encode())
    monkeypatch.chdir(origin.path)
    stores = [
        PromptStore.open(),
        PromptStore.open("prompts", branch="old", limits=Limits(max_output=7)),
        PromptStore.open(".", worktree=True, refresh_interval=1),
        PromptStore.open(bundle),
    ]
    pickled = pickle.dumps([*stores, AsyncPromptStore(stores[0])])
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(pickled)
    for one, other in zip(stores, again, strict=False):
        assert other.get("greet") == one.get("greet")
        assert (other.path, other.branch) == (one.path, one.branch)
        assert other.get("greet").limits == one.get("greet").limits
    assert [store.get("greet").prompt for store in again[:3]] == ["Hello", "Hi", "Not committed"]
    assert again[4].store.get("greet").version == 2
    bundle.unlink()
    with pytest.raises(RepositoryNotFoundError):
        pickle.loads(pickled)
    snapshot = stores[0].snapshot()
    with pytest.raises(InvalidArgumentError, match=r"`dict\(snapshot\)`.*pickle the store"):
        pickle.dumps(snapshot)
    assert pickle.loads(pickle.dumps(dict(snapshot))) == snapshot


def test_worktree_true_needs_a_working_tree(origin: GitRepo, tmp_path: Path) -> None:
    path = bare(origin, tmp_path)
    with pytest.raises(InvalidArgumentError, match="bare"):
        PromptStore.open(path, worktree=True)


def test_commits_in_other_encodings_and_with_odd_times(repo: GitRepo) -> None:
    """Old tools wrote Latin-1 without saying so, and clocks and zones of every kind."""
    stream = (
        b"commit refs/heads/main\ncommitter J\xe9r\xf4me <j@example.com> 5 +1400\n"
        b"data 5\ncaf\xe9\n\nM 100644 inline prompts/a.yaml\ndata 9\nprompt: x\n"
        b"commit refs/heads/main\ncommitter J <j@example.com> 4 -1200\nencoding ISO-8859-1\n"
        b"data 5\ncaf\xe9\n\nM 100644 inline prompts/a.yaml\ndata 9\nprompt: y\n"
    )
    repo.git("fast-import", "--quiet", stdin=stream)
    newest, oldest = PromptStore.open(repo.path).history("a")
    assert newest.subject == "café"
    assert oldest.subject == "caf\ufffd"
    assert oldest.author == "J\ufffdr\ufffdme <j@example.com>"
    assert newest.committed_at.isoformat() == "1969-12-31T12:00:04-12:00"


def test_a_symbolic_link_is_no_prompt_and_leads_nowhere(origin: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("prompt: secret\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key.yaml").write_text("prompt: secret\n")
    (origin.path / "prompts" / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (origin.path / "prompts" / "folder").symlink_to(tmp_path / "secrets")
    origin.git("add", ".")
    origin.commit({}, "links")
    for worktree in (False, True):
        store = PromptStore.open(origin.path, worktree=worktree)
        assert store.names() == ["greet"]
        for name in ("link", "folder/key"):
            with pytest.raises(PromptNotFoundError):
                store.get(name)
