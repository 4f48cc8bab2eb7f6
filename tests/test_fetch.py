"""Fetching: what is served is always a good commit of the remote, whatever goes wrong."""

from __future__ import annotations

import gc
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE
from tempfile import TemporaryDirectory
from typing import Any

import pygit2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygit2.enums import CredentialType

from promptstore import PromptStore
from promptstore.errors import (
    FetchError,
    InvalidArgumentError,
    LabelNotFoundError,
    PromptStoreError,
    ReadOnlyError,
    RevisionNotFoundError,
)
from promptstore.git.fetch import Callbacks, RemoteUrl, without_secrets
from promptstore.git.reading import is_url
from promptstore.store.fetching import pause
from tests.githttp import GitServer, git_server
from tests.gitrepo import GitRepo
from tests.processes import fork

PATIENCE = 20.0
FILE = "prompts/a.yaml"


def prompt(text: str) -> dict[str, str | bytes | None]:
    return {FILE: f"prompt: {text}\n"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def remote(make_repo: Callable[[str], GitRepo]) -> GitRepo:
    """A repository that others push to."""
    remote = make_repo("remote")
    remote.git("config", "user.name", "Ada")
    remote.git("config", "user.email", "ada@example.com")
    remote.commit(prompt("one"))
    return remote


@pytest.fixture
def server(remote: GitRepo) -> Iterator[GitServer]:
    with git_server(remote.path) as server:
        yield server


def wait_for(is_so: Callable[[], bool]) -> None:
    """Look again until something is so; what takes too long fails."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        os.sched_yield()


def text(store: PromptStore, **which: Any) -> str | None:
    return store.get("a", **which).prompt


def test_a_url_is_mirrored_and_fetched_when_told(remote: GitRepo, server: GitServer) -> None:
    store = PromptStore.open(server.url)
    assert text(store) == "one"
    remote.commit(prompt("two"))
    assert text(store) == "one"
    status = store.fetch()
    assert text(store) == "two"
    assert status.commit == remote.head()
    assert status.place == f"origin/HEAD ({remote.head()[:7]})"
    assert status.error is status.refused is None
    assert status.age is not None
    assert 0 <= status.age < 60
    assert [version.number for version in store.history("a")] == [2, 1]
    remote.git("tag", "v1")
    remote.git("branch", "feature/x")
    store.fetch()
    assert text(store, rev="v1") == text(store, rev="feature/x") == "two"


def test_labels_come_along(remote: GitRepo, server: GitServer) -> None:
    there = PromptStore.open(remote.path)
    there.set_label("a", "production")
    store = PromptStore.open(server.url)
    remote.commit(prompt("two"))
    store.fetch()
    assert text(store, label="production") == "one"
    there.set_label("a", "production")
    there.set_label("a", "staging", version=1)
    assert text(store, label="production") == "one"
    store.fetch()
    assert text(store, label="production") == "two"
    there.remove_label("a", "staging")
    store.fetch()
    with pytest.raises(LabelNotFoundError):
        store.get("a", label="staging")


def test_a_branch_of_a_remote_is_read_from_a_clone(remote: GitRepo, tmp_path: Path) -> None:
    there = PromptStore.open(remote.path)
    clone = remote.clone(tmp_path / "clone")
    clone.git("branch", "promptstore/labels", "HEAD")
    there.set_label("a", "production")
    store = PromptStore.open(clone.path, branch="origin/main")
    remote.commit(prompt("two"))
    assert text(store) == "one"
    store.fetch()
    assert text(store) == "two"
    # The remote's labels, not those of the clone's own branch.
    assert text(store, label="production") == "one"
    assert clone.head() != remote.head()
    assert PromptStore.open(clone.path).get("a").prompt == "one"
    with pytest.raises(ReadOnlyError, match="origin/main follows a remote"):
        store.save("a", "three")
    with pytest.raises(ReadOnlyError, match="origin/main follows a remote"):
        store.set_label("a", "staging")
    with pytest.raises(RevisionNotFoundError):
        PromptStore.open(clone.path, branch="origin/nope")
    clone.git("fsck", "--strict")


def test_a_clone_that_reads_its_own_branch_can_fetch_too(remote: GitRepo, tmp_path: Path) -> None:
    clone = remote.clone(tmp_path / "clone")
    store = PromptStore.open(clone.path)
    remote.commit(prompt("two"))
    remote.git("branch", "other")
    store.fetch()
    assert text(store) == "one"
    assert text(store, rev="origin/main") == text(store, rev="origin/other") == "two"
    with pytest.raises(FetchError, match=r"no remote 'origin'.*git remote add origin URL"):
        PromptStore.open(remote.path).fetch()


def test_the_background_fetches_and_reads_do_not_wait(remote: GitRepo, server: GitServer) -> None:
    PromptStore.open(server.url)  # makes the mirror
    remote.commit(prompt("two"))
    server.gate.clear()
    server.asked.clear()
    store = PromptStore.open(server.url, fetch_interval=0.01)
    assert server.asked.wait(PATIENCE)
    assert text(store) == "one"  # while the answer is held back
    server.gate.set()
    wait_for(lambda: text(store) == "two")
    remote.commit(prompt("three"))
    wait_for(lambda: text(store) == "three")


def test_a_clone_with_an_interval_reads_what_its_branch_follows(
    remote: GitRepo, tmp_path: Path
) -> None:
    clone = remote.clone(tmp_path / "clone")
    clone.git("branch", "--quiet", "work", "--track", "origin/main")
    for branch in (None, "main", "work", "origin/main"):
        store = PromptStore.open(clone.path, branch=branch, fetch_interval=1000)
        assert store.branch == "origin/main"
    remote.commit(prompt("two"))
    store = PromptStore.open(clone.path, fetch_interval=0.01)
    wait_for(lambda: text(store) == "two")


def test_a_bad_commit_is_not_served_unless_that_is_wanted(
    remote: GitRepo, server: GitServer, caplog: pytest.LogCaptureFixture
) -> None:
    store = PromptStore.open(server.url)
    remote.commit({"prompts/b.yaml": "prompt: '{{ oh'\n"})
    bad = remote.commit(prompt("two"))
    for _ in range(2):
        with pytest.raises(FetchError, match=r"not served.*prompts/b\.yaml:1:9: PS201"):
            store.fetch()
    status = store.status()
    assert status.refused == bad
    assert "PS201" in str(status.error)
    assert text(store) == "one"
    assert store.names() == ["a"]
    assert len([one for one in caplog.records if "not served" in one.getMessage()]) == 1
    # A new process serves the last good one, too.
    assert PromptStore.open(server.url).names() == ["a"]
    assert PromptStore.open(server.url, on_bad="serve").names() == ["a", "b"]
    remote.commit({"prompts/b.yaml": "prompt: Oh.\n"})
    status = store.fetch()
    assert status.error is status.refused is None
    assert store.names() == ["a", "b"]


@pytest.mark.parametrize(
    "bad",
    [
        {"prompts/shared.yaml": None},
        {"prompts/a.yaml": "prompt: x\nprompt: y\n"},
        {"prompts/a.yaml": "prompt: '{{ unknown }}'\nvariables: {}\n"},
        {"prompts/A.yaml": "prompt: x\n"},
        {"pyproject.toml": "[tool.promptstore]\nselect = 3\n"},
    ],
    ids=["lost include", "double key", "undeclared", "letter case", "settings"],
)
def test_what_check_finds_is_not_served(
    remote: GitRepo, server: GitServer, bad: dict[str, str | None]
) -> None:
    remote.commit(
        {"prompts/shared.yaml": "prompt: Hi\n", FILE: "prompt: '{% include \"shared\" %}'\n"}
    )
    store = PromptStore.open(server.url)
    good = remote.head()
    remote.commit(dict(bad))
    with pytest.raises(FetchError, match="not served"):
        store.fetch()
    assert store.status().commit == good
    assert store.render("a").text == "Hi"


def test_the_settings_of_the_repository_count(remote: GitRepo, server: GitServer) -> None:
    store = PromptStore.open(server.url)
    remote.commit({"pyproject.toml": '[tool.promptstore]\nignore = ["PS201"]\n', **prompt("'{{'")})
    store.fetch()
    assert text(store) == "{{"


def test_a_label_on_a_bad_commit_is_not_served(remote: GitRepo, server: GitServer) -> None:
    store = PromptStore.open(server.url)
    remote.commit(prompt("'{{'"))
    PromptStore.open(remote.path).set_label("a", "production")
    remote.commit(prompt("three"))
    with pytest.raises(FetchError, match="PS201"):
        store.fetch()
    assert text(store) == "one"
    with pytest.raises(LabelNotFoundError):
        store.get("a", label="production")
    PromptStore.open(remote.path).set_label("a", "production")
    store.fetch()
    assert text(store, label="production") == text(store) == "three"


def test_it_is_told_where_the_labels_alone_are_bad(remote: GitRepo, server: GitServer) -> None:
    writer, store = PromptStore.open(remote.path), PromptStore.open(server.url)
    tip = store.status().commit
    remote.commit(prompt("'{{'"))
    writer.set_label("a", "production")
    remote.git("reset", "--quiet", "--hard", str(tip))
    with pytest.raises(FetchError, match="origin/promptstore/labels"):
        store.fetch()
    status = store.status()
    assert (status.commit, status.refused) == (tip, remote.git("rev-parse", "promptstore/labels"))


def test_a_first_commit_that_is_bad_is_an_error(remote: GitRepo, server: GitServer) -> None:
    remote.commit(prompt("'{{'"))
    with pytest.raises(FetchError, match=r"PS201.* in Python with on_bad='serve'"):
        PromptStore.open(server.url)
    assert text(PromptStore.open(server.url, on_bad="serve")) == "{{"


def test_history_that_was_rewritten_is_followed(remote: GitRepo, server: GitServer) -> None:
    remote.commit(prompt("two"))
    store = PromptStore.open(server.url)
    remote.git("reset", "--quiet", "--hard", "HEAD~1")
    remote.commit(prompt("other"))
    store.fetch()
    assert text(store) == "other"
    assert [version.commit for version in store.history("a")] == remote.versions(FILE)


def test_a_branch_that_is_gone_is_served_on(remote: GitRepo, server: GitServer) -> None:
    store = PromptStore.open(server.url, branch="main")
    assert store.branch == "origin/main"
    remote.git("checkout", "--quiet", "-b", "a/b")
    remote.git("branch", "-D", "main")
    with pytest.raises(FetchError, match=r"no branch 'main' at http://127"):
        store.fetch()
    assert text(store) == "one"
    with pytest.raises(FetchError, match="no branch 'nope'"):
        PromptStore.open(server.url, branch="nope")
    # A branch may become a folder of branches.
    remote.git("branch", "main")
    store.fetch()
    remote.git("checkout", "--quiet", "main")
    remote.git("branch", "-D", "a/b")
    remote.git("branch", "a")
    store.fetch()
    assert text(store, rev="origin/a") == "one"


@pytest.mark.parametrize("fault", ["refuse", "cut", "gone"])
def test_a_remote_that_fails_changes_nothing(
    remote: GitRepo, server: GitServer, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    store = PromptStore.open(server.url)
    served = store.status().commit
    remote.commit({**prompt("two"), "assets.bin": os.urandom(100_000)})
    if fault == "gone":
        server.stop()
    server.fault = fault
    for _ in range(2):
        with pytest.raises(FetchError, match=r"127\.0\.0\.1"):
            store.fetch()
    assert store.status().commit == served
    assert store.status().error
    assert text(store) == "one"
    assert len([one for one in caplog.records if "nothing new" in one.getMessage()]) == 1
    assert text(PromptStore.open(server.url)) == "one"
    if fault == "gone":
        with pytest.raises(FetchError):
            PromptStore.open(server.url, root="other")
        return
    server.fault = ""
    assert store.fetch().error is None
    assert text(store) == "two"


def test_a_full_disk_changes_nothing(remote: GitRepo, server: GitServer) -> None:
    store = PromptStore.open(server.url)
    remote.commit({**prompt("two"), "assets.bin": os.urandom(2_000_000)})

    def fetch(output: int) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        try:
            store.fetch()
        except PromptStoreError as error:
            os.write(output, f"{type(error).__name__} {text(store)} ".encode())
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        store.fetch()
        os.write(output, str(text(store)).encode())

    child = fork(fetch)
    assert child.read() == b"FetchError one two"
    assert child.wait() == 0
    assert text(store) == "two"
    GitRepo(store.path).git("fsck", "--strict")


def test_one_process_fetches_once_at_a_time(remote: GitRepo, server: GitServer) -> None:
    stores = [PromptStore.open(server.url, root=root) for root in ("prompts", "prompts", ".")]
    server.busiest = 0
    threads = [threading.Thread(target=store.fetch) for store in stores * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.busiest == 1


def test_processes_share_a_mirror(remote: GitRepo, server: GitServer) -> None:
    folder = PromptStore.open(server.url).path
    known = {remote.head(): "one"}
    # All are made before the server, a thread of this process, runs git: a fork keeps git's pipes.
    ready, go = os.pipe()

    def serve(output: int) -> None:
        os.read(ready, 1)
        store = PromptStore.open(server.url, fetch_interval=0.001)
        seen = set()
        while "last" not in seen:
            prompt = store.get("a")
            seen.add(prompt.prompt)
            os.write(output, f"{prompt.snapshot_commit} {prompt.prompt}\n".encode())
        for _ in range(3):
            store.fetch()

    children = [fork(serve) for _ in range(3)]
    os.write(go, bytes(len(children)))
    for number in range(10):
        known[remote.commit(prompt(f"text {number}"))] = f"text {number}"
    known[remote.commit(prompt("last"))] = "last"
    for child in children:
        seen = {tuple(line.split(" ", 1)) for line in child.read().decode().splitlines()}
        assert child.wait() == 0
        assert seen <= known.items()
    os.close(ready)
    os.close(go)
    assert list(folder.parent.glob("*.git")) == [folder]
    GitRepo(folder).git("fsck", "--strict")


def test_a_fork_goes_on_fetching(remote: GitRepo, server: GitServer) -> None:
    store = PromptStore.open(server.url, fetch_interval=0.01)

    def serve(output: int) -> None:
        wait_for(lambda: text(store) == "two")
        os.write(output, b"seen")

    child = fork(serve)
    remote.commit(prompt("two"))
    assert child.read() == b"seen"
    assert child.wait() == 0
    wait_for(lambda: text(store) == "two")


def test_nobody_fetches_for_a_store_that_is_gone(server: GitServer) -> None:
    def running() -> int:
        gc.collect()  # stores of other tests too are parts of cycles
        return sum(one.name == "promptstore-fetch" for one in threading.enumerate())

    wait_for(lambda: running() == 0)
    store = PromptStore.open(server.url, fetch_interval=1000)
    assert running() == 1
    del store
    wait_for(lambda: running() == 0)


def test_a_process_may_end_in_the_middle_of_a_fetch(remote: GitRepo, server: GitServer) -> None:
    PromptStore.open(server.url)
    remote.commit(prompt("two"))
    server.gate.clear()
    server.asked.clear()
    script = (
        "import sys; from promptstore import PromptStore\n"
        "store = PromptStore.open(sys.argv[1], fetch_interval=1)\n"
        "sys.stdin.readline(); print(store.get('a').prompt)"
    )
    command = [sys.executable, "-c", script, server.url]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as process:
        wait_for(lambda: server.packs > 1)
        assert process.communicate("\n", timeout=PATIENCE) == ("one\n", "")
    assert process.returncode == 0
    server.gate.set()
    assert PromptStore.open(server.url).fetch().commit == remote.head()


def test_a_shallow_clone_is_left_to_git(remote: GitRepo, tmp_path: Path) -> None:
    remote.commit(prompt("two"))
    clone = remote.clone(tmp_path / "shallow", "--depth=1")
    store = PromptStore.open(clone.path, branch="origin/main")
    assert store.fetch().error is None  # there is nothing to bring
    remote.commit(prompt("three"))
    with pytest.raises(FetchError, match="shallow") as caught:
        store.fetch()
    assert (text(store), store.get("a").version) == ("two", None)
    clone.git("fsck", "--strict")
    clone.git(*str(caught.value).split("`")[1].split()[1:])
    store.fetch()
    assert (text(store), store.get("a").version) == ("three", 3)


def test_the_background_is_told_to_fetch(remote: GitRepo, server: GitServer) -> None:
    store = PromptStore.open(server.url, fetch_interval=100_000)
    wait_for(lambda: store.status().error is None)
    remote.commit(prompt("two"))
    store.fetch(wait=False)
    wait_for(lambda: text(store) == "two")
    without = PromptStore.open(server.url)
    remote.commit(prompt("three"))
    assert without.fetch(wait=False).commit == remote.head()


def test_failures_are_answered_with_longer_pauses() -> None:
    assert pause(60, 0, 0.5) == 60
    assert pause(60, 2, 0.5) == 240
    assert pause(60, 50, 0.5) == 900
    assert pause(3600, 5, 0.5) == 3600
    assert pause(60, 0, 0.0) == pytest.approx(48)
    assert pause(60, 0, 1.0) == pytest.approx(72)


def test_a_token_of_the_environment_is_shown_to_who_asks(
    server: GitServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.token = "s3cret"
    with pytest.raises(FetchError, match="PROMPTSTORE_GIT_TOKEN"):
        PromptStore.open(server.url)
    with_login = server.url.replace("http://", "http://ada:s3cret@")
    assert text(PromptStore.open(with_login)) == "one"
    monkeypatch.setenv("PROMPTSTORE_GIT_TOKEN", "wrong")
    with pytest.raises(FetchError, match=r"127\.0\.0\.1"):
        PromptStore.open(server.url).fetch()
    monkeypatch.setenv("PROMPTSTORE_GIT_TOKEN", "s3cret")
    assert PromptStore.open(server.url).fetch().error is None
    written = [one.read_bytes() for one in (tmp_path / "cache").rglob("*") if one.is_file()]
    assert not any(b"s3cret" in data for data in written)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_secret_is_never_shown_to_where_a_redirect_leads(
    remote: GitRepo, server: GitServer, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    with git_server(remote.path) as thief:
        thief.token = "wanted"
        server.elsewhere = thief.url.replace("127.0.0.1", host)
        monkeypatch.setenv("PROMPTSTORE_GIT_TOKEN", "s3cret")
        for url in (server.url, server.url.replace("http://", "http://ada:s3cret@")):
            with pytest.raises(FetchError, match=r"127\.0\.0\.1") as caught:
                PromptStore.open(url)
            assert "s3cret" not in str(caught.value)
        assert thief.asked.is_set()
        assert thief.logins == []


def test_a_tag_that_git_cannot_have_beside_another_stops_nothing(
    remote: GitRepo, server: GitServer
) -> None:
    remote.git("tag", "v1")
    store = PromptStore.open(server.url)
    remote.git("tag", "--delete", "v1")
    remote.git("tag", "v1/x")
    remote.git("tag", "v2")
    remote.commit(prompt("two"))
    assert store.fetch().error is None
    assert (text(store), text(store, rev="v2")) == ("two", "one")


def test_a_remote_may_have_a_slash_in_its_name(remote: GitRepo, tmp_path: Path) -> None:
    clone = remote.clone(tmp_path / "clone")
    clone.git("remote", "rename", "origin", "team/prompts")
    PromptStore.open(remote.path).set_label("a", "production")
    stores = [
        PromptStore.open(clone.path, branch="team/prompts/main"),
        PromptStore.open(clone.path, fetch_interval=3600),
    ]
    for store in stores:
        assert store.fetch().error is None
        assert text(store, label="production") == "one"
    remote.commit(prompt("two"))
    stores[0].fetch()
    assert [text(store) for store in stores] == ["two", "two"]


def test_a_local_branch_never_passes_for_one_of_a_remote(remote: GitRepo, tmp_path: Path) -> None:
    clone = remote.clone(tmp_path / "clone")
    store = PromptStore.open(clone.path, branch="origin/main")
    assert text(store) == "one"
    other = clone.commit(prompt("proposed"))
    clone.git("update-ref", "refs/heads/origin/main", other)
    assert text(store) == "one"


def shown_token(url: RemoteUrl, asked: str = "") -> str | None:
    """The secret that a server is shown which asks for one."""
    try:
        kind = CredentialType.USERPASS_PLAINTEXT
        found = Callbacks(url).credentials(asked or url.text, None, kind)
    except pygit2.Passthrough:
        return None
    assert isinstance(found, pygit2.UserPass)
    user, secret = found.credential_tuple
    assert user == "x-access-token"
    return secret


def test_a_token_is_shown_to_its_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTSTORE_GIT_TOKEN", "s3cret")
    url = RemoteUrl("https://git.example.com/x.git", is_given=True)
    assert shown_token(url) == "s3cret"
    assert shown_token(url, "https://other.example.com/x.git") is None
    for text in ("http://git.example.com/x.git", "ssh://git.example.com/x.git", "/x.git"):
        assert shown_token(RemoteUrl(text, is_given=True)) is None
    with pytest.raises(pygit2.Passthrough):
        Callbacks(url).credentials(url.text, None, CredentialType.DEFAULT)
    key = Callbacks(RemoteUrl("git@x:y.git", is_given=True)).credentials(
        "ssh://x", "git", CredentialType.SSH_KEY
    )
    assert isinstance(key, pygit2.KeypairFromAgent)


@pytest.mark.parametrize(
    ("named", "text", "is_shown"),
    [
        ("git.example.com", "https://git.example.com/x.git", True),
        ("GIT.example.com:443", "https://Git.Example.com/x.git", True),
        ("git.example.com", "https://git.example.com:443/x.git", True),
        ("git.example.com:8443", "https://git.example.com:8443/x.git", True),
        ("git.example.com", "https://git.example.com:8443/x.git", False),
        ("git.example.com", "https://git.example.com.evil.example/x.git", False),
        ("git.example.com", "https://git.example.com@evil.example/x.git", False),
        ("git.example.com", "https://git.example.com#@evil.example/x.git", False),
        ("git.example.com", "https://git.example.com?@evil.example/x.git", False),
        ("git.example.com", "https://example.com/x.git", False),
        ("git.example.com", "http://git.example.com/x.git", False),
    ],
)
@pytest.mark.parametrize("is_given", [True, False])
def test_a_token_with_a_host_is_shown_to_that_one(
    monkeypatch: pytest.MonkeyPatch, named: str, text: str, is_shown: bool, is_given: bool
) -> None:
    monkeypatch.setenv("PROMPTSTORE_GIT_TOKEN", "s3cret")
    monkeypatch.setenv("PROMPTSTORE_GIT_TOKEN_HOST", named)
    assert shown_token(RemoteUrl(text, is_given)) == ("s3cret" if is_shown else None)


@pytest.mark.parametrize("end", "?#")
def test_a_secret_is_not_shown_to_a_host_behind_another(
    remote: GitRepo, server: GitServer, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    with git_server(remote.path) as thief:
        thief.token = "wanted"
        host = server.url.partition("://")[2].partition("/")[0]
        behind = f"{host}{end}@{thief.url.partition('://')[2]}"
        monkeypatch.setenv("PROMPTSTORE_GIT_TOKEN", "s3cret")
        monkeypatch.setenv("PROMPTSTORE_GIT_TOKEN_HOST", host)
        for url in (f"http://{behind}", f"http://ada:s3cret@{behind}"):
            with pytest.raises(FetchError):
                PromptStore.open(url)
        # To libgit2 the first host is a user with a password, which it sends.
        sent = [b64decode(login.removeprefix("Basic ")) for login in thief.logins]
        assert thief.asked.is_set()
        assert not any(b"s3cret" in login for login in sent)


def test_a_token_is_not_shown_to_who_is_named_by_a_repository(
    remote: GitRepo, server: GitServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clone = remote.clone(tmp_path / "clone")
    clone.git("remote", "set-url", "origin", server.url)
    server.token = "s3cret"
    monkeypatch.setenv("PROMPTSTORE_GIT_TOKEN", "s3cret")
    store = PromptStore.open(clone.path)
    with pytest.raises(FetchError) as caught:
        store.fetch()
    with pytest.raises(FetchError, match="PROMPTSTORE_GIT_TOKEN_HOST="):
        PromptStore.open(clone.path, branch="origin/main").fetch()
    assert server.logins == []
    found = re.search("set (PROMPTSTORE_GIT_TOKEN_HOST)=(\\S+) to say so", str(caught.value))
    assert found is not None
    monkeypatch.setenv(found[1], found[2])
    assert PromptStore.open(clone.path).fetch().error is None


@pytest.mark.skipif(shutil.which("openssl") is None, reason="a certificate is made by openssl")
def test_a_certificate_of_nobody_is_refused(remote: GitRepo, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    server = GitServer(remote.path)
    server.use_tls(certificate, key)
    server.start()
    try:
        with pytest.raises(FetchError, match="certificate"):
            PromptStore.open(server.url)
        assert server.packs == 0
    finally:
        server.stop()


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def sshd() -> str | None:
    found = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
    return found if found and os.geteuid() == 0 else None


@pytest.mark.skipif(sshd() is None, reason="there is no server of ssh that could be started")
def test_ssh_asks_the_agent_and_knows_its_host(
    remote: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("host", "user"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(make, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    Path("/run/sshd").mkdir(exist_ok=True)
    settings = [f"Port={port}", "ListenAddress=127.0.0.1", "StrictModes=no", "UsePAM=no"]
    settings += [f"HostKey={tmp_path}/host", f"AuthorizedKeysFile={tmp_path}/user.pub"]
    options = [word for setting in settings for word in ("-o", setting)]
    known = tmp_path / "home/.ssh/known_hosts"
    known.parent.mkdir(parents=True)
    script = (
        "import sys; from promptstore import PromptStore as S; print(S.open(sys.argv[1]).names())"
    )
    url = f"ssh://root@127.0.0.1:{port}{remote.path}"
    agent = ["ssh-agent", "sh", "-c", 'ssh-add -q "$1" && shift && exec "$@"', "sh"]
    command = [*agent, str(tmp_path / "user"), sys.executable, "-c", script, url]
    environment = {**os.environ, "HOME": str(tmp_path / "home")}
    with subprocess.Popen([str(sshd()), "-D", "-f", os.devnull, *options]) as server:
        try:
            wait_for(lambda: listens(port))
            for name, word in (("user", "hostkey"), ("host", "['a']")):
                key = " ".join((tmp_path / f"{name}.pub").read_text().split()[:2])
                known.write_text(f"[127.0.0.1]:{port} {key}\n")
                done = subprocess.run(command, env=environment, capture_output=True, text=True)
                assert word in done.stdout + done.stderr
        finally:
            server.terminate()


def test_urls_are_told_from_paths() -> None:
    urls = ["https://x/y.git", "ssh://git@x/y", "git@github.com:x/y.git", "file:///x"]
    assert all(map(is_url, urls))
    assert not any(map(is_url, [".", "/x/y", "prompts", "C:\\x", "C:/x", "a@b", "x/y@z:w"]))
    assert without_secrets("https://ada:pw@x:8/y.git") == "https://x:8/y.git"
    assert without_secrets("ssh://git:pw@x/y") == "ssh://git@x/y"
    assert without_secrets("https://x/y.git?private_token=pw#pw") == "https://x/y.git"
    with pytest.raises(FetchError, match="no URL") as caught:
        PromptStore.open("https://ada:pw@[::1")
    assert "pw" not in str(caught.value)


def test_what_cannot_be_fetched_is_said(tmp_path: Path, repo: GitRepo) -> None:
    (tmp_path / "plain/prompts").mkdir(parents=True)
    with pytest.raises(FetchError, match="no repository"):
        PromptStore.open(tmp_path / "plain").fetch()
    with pytest.raises(InvalidArgumentError, match="above 0"):
        PromptStore.open(repo.path, fetch_interval=0)
    with pytest.raises(InvalidArgumentError, match="'keep' or 'serve'"):
        PromptStore.open(repo.path, on_bad="maybe")  # type: ignore[arg-type]
    with pytest.raises(FetchError, match="there is no branch 'x"):
        PromptStore.open(repo.path.as_uri(), branch="x" * 5_000)
    with pytest.raises(FetchError, match="file:///no/such"):
        PromptStore.open("file:///no/such/repo")
    status = PromptStore.open(repo.path).status()
    assert (status.commit, status.age, status.error) == (None, None, None)
    assert datetime.now(UTC).tzinfo is UTC


events = st.lists(
    st.tuples(
        st.sampled_from(["good", "bad", "rewrite", "gone", "back", "label", "nothing"]),
        st.sampled_from(["", "", "refuse", "cut"]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=15)
@given(events=events)
def test_whatever_happens_a_good_commit_of_the_remote_is_served(
    events: list[tuple[str, str]],
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(Path(folder, "cache")))
        remote = GitRepo.init(Path(folder, "remote"))
        remote.git("config", "user.name", "Ada")
        remote.git("config", "user.email", "ada@example.com")
        remote.commit(prompt("start"))
        there = PromptStore.open(remote.path, branch="main")
        with git_server(remote.path) as server:
            store = PromptStore.open(server.url, branch="main")
            for number, (event, fault) in enumerate(events):
                grow(remote, there, event, number)
                before = answers(store)
                server.fault = fault
                try:
                    store.fetch()
                except FetchError:
                    assert answers(store) == before
                    is_bad = "'{{" in remote.git("show", f"HEAD:{FILE}")
                    assert fault or is_bad or not remote.git("branch", "--list", "main")
                else:
                    assert answers(store) == answers(there)
        GitRepo(store.path).git("fsck", "--strict")


def grow(remote: GitRepo, there: PromptStore, event: str, number: int) -> None:
    if not remote.git("branch", "--list", "main"):
        if event != "back":
            return
        remote.git("checkout", "--quiet", "-B", "main")
    if event == "good":
        remote.commit(prompt(f"text {number}"))
    elif event == "bad":
        remote.commit(prompt(f"'{{{{ {number}'"))
    elif event == "rewrite":
        remote.commit(prompt(f"lost {number}"))
        remote.write(FILE, f"prompt: rewritten {number}\n")
        remote.git("commit", "--quiet", "--all", "--amend", "--message", "rewritten")
    elif event == "gone":
        remote.git("checkout", "--quiet", "--detach")
        remote.git("branch", "--quiet", "-D", "main")
    elif event == "label" and "'{{" not in remote.git("show", f"HEAD:{FILE}"):
        there.set_label("a", "production")


def answers(store: PromptStore) -> list[object]:
    table = store.labels().targets
    labelled = text(store, label="production") if "production" in table else None
    return [text(store), store.position().tip, store.history("a"), table, labelled]
