"""What a sync may rely on in a remote, whichever it is.

Each remote below is an entry of `REMOTES`: a context manager that gives an empty remote in one of
the dialects. A further one joins by one more entry.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from promptstore.errors import RemoteConflictError, RemoteRejectedError
from promptstore.posthog.client import PostHogClient, RemotePrompt
from promptstore.posthog.content import RemoteContent
from promptstore.posthog.sync import RemotePrompts
from promptstore.posthog.sync.remote import FileContent
from promptstore.server.settings import ProjectSettings
from promptstore.server.tokens import TokenFile
from tests.gitrepo import GitRepo
from tests.server.listening import serving
from tests.sync.listening import listening
from tests.sync.memory import MemoryRemote
from tests.sync.project import Dialect, FakeProject
from tests.writing.conftest import configure

PAGE = 5
"""How many prompts the remotes that are paged through give at once."""


@contextmanager
def in_memory(dialect: Dialect) -> Iterator[RemotePrompts]:
    yield MemoryRemote(FakeProject(dialect))


@contextmanager
def over_http(dialect: Dialect) -> Iterator[RemotePrompts]:
    with listening(FakeProject(dialect)) as server, server.client() as client:
        yield RemotePrompts(client, page_size=PAGE)


class SpeakingById(RemotePrompts):
    """Speaks the dialect `legacy` to a server that serves both."""

    def __init__(self, client: PostHogClient, *, page_size: int) -> None:
        super().__init__(client, page_size=page_size)
        self._own, self._page = client, page_size

    def fetch(self) -> list[RemotePrompt]:
        rows = self._own.list_prompts(order_by="name", page_size=self._page)
        return [_without_versions(row) for row in rows]

    def read(self, name: str, version: int | None = None) -> RemotePrompt | None:
        row = super().read(name, version)
        return row and _without_versions(row)

    def create(self, *arguments: Any) -> RemotePrompt:
        return _without_versions(super().create(*arguments))


def _without_versions(row: RemotePrompt) -> RemotePrompt:
    return row.model_copy(update={"latest_version": None})


@contextmanager
def our_own_server(dialect: Dialect) -> Iterator[RemotePrompts]:
    with tempfile.TemporaryDirectory() as folder:
        repo = configure(GitRepo.init(Path(folder) / "repo"))
        settings = {1: ProjectSettings(1, repo.path, branch="main")}
        with (
            serving(settings, TokenFile(Path(folder) / "tokens.json")) as server,
            PostHogClient(server.url, server.key, 1, publishes_per_minute=0) as client,
        ):
            speaking = SpeakingById if dialect == "legacy" else RemotePrompts
            found = speaking(client, page_size=PAGE)
            assert found.fetch() == []
            yield found


REMOTES: dict[str, Callable[[Dialect], AbstractContextManager[RemotePrompts]]] = {
    "in memory": in_memory,
    "over http": over_http,
    "our own server": our_own_server,
}


@pytest.fixture(params=["legacy", "current"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    found: Dialect = request.param
    return found


@pytest.fixture(params=list(REMOTES))
def remote(dialect: Dialect, request: pytest.FixtureRequest) -> Iterator[RemotePrompts]:
    with REMOTES[request.param](dialect) as made:
        yield made


def _moves(row: RemotePrompt) -> tuple[Any, ...]:
    """Give what tells two states of a prompt apart: which of it moves, each remote decides."""
    return row.id, row.version, row.updated_at


def content(
    remote: RemotePrompts, text: str, config: dict[str, Any] | None = None
) -> RemoteContent:
    if remote.is_native:
        return FileContent({"prompt": text, **({"config": config} if config else {})})
    return RemoteContent(text, config or {})


def text_of(row: RemotePrompt) -> Any:
    return row.prompt if row.content is None else row.content["prompt"]


def config_of(row: RemotePrompt) -> Any:
    return row.config if row.content is None else row.content.get("config")


def contents(remote: RemotePrompts) -> dict[str, Any]:
    return {row.name: text_of(row) for row in remote.fetch()}


def test_an_empty_remote_has_nothing(remote: RemotePrompts) -> None:
    assert list(remote.fetch()) == []
    assert remote.read("a") is None


def test_what_is_created_is_there(remote: RemotePrompts) -> None:
    made = remote.create("a", content(remote, "Hi {{name}}"), "From git")
    assert (made.name, text_of(made), made.version) == ("a", "Hi {{name}}", 1)
    found = remote.read("a")
    assert found is not None
    assert (found.id, text_of(found), found.updated_at) == (made.id, text_of(made), made.updated_at)
    (listed,) = remote.fetch()
    assert (listed.id, text_of(listed)) == (made.id, text_of(made))
    assert listed.created_by is not None
    assert listed.created_by.email


def test_a_text_comes_back_to_the_character(remote: RemotePrompts) -> None:
    texts = [
        "",
        " x ",
        "a\r\nb\rc\n",
        "\t\u2028\ufeff",
        "é😀",
        '[{"role": "user", "content": "x"}]',
    ]
    for number, text in enumerate(texts):
        remote.create(f"t{number}", content(remote, text), "d")
    assert list(contents(remote).values()) == texts


def test_a_name_that_is_taken_is_refused(remote: RemotePrompts) -> None:
    remote.create("a", content(remote, "One"), "d")
    with pytest.raises(RemoteRejectedError) as caught:
        remote.create("a", content(remote, "Two"), "d")
    assert caught.value.code == "unique"
    assert contents(remote) == {"a": "One"}


def test_a_change_is_seen(remote: RemotePrompts) -> None:
    first = remote.create("a", content(remote, "One"), "d")
    second = remote.publish(first, content(remote, "Two"), "d")
    assert text_of(second) == "Two"
    assert contents(remote) == {"a": "Two"}
    assert _moves(second) != _moves(first)


def test_a_change_of_what_has_moved_is_a_conflict(remote: RemotePrompts) -> None:
    first = remote.create("a", content(remote, "One"), "d")
    remote.publish(first, content(remote, "Two"), "d")
    with pytest.raises(RemoteConflictError):
        remote.publish(first, content(remote, "Three"), "d")
    with pytest.raises(RemoteConflictError):
        remote.archive(first)
    assert contents(remote) == {"a": "Two"}


def test_what_is_archived_is_gone_and_its_name_free(remote: RemotePrompts) -> None:
    made = remote.create("a", content(remote, "One"), "d")
    remote.archive(made)
    assert remote.read("a") is None
    assert contents(remote) == {}
    with pytest.raises(RemoteConflictError):
        remote.archive(made)
    remote.create("a", content(remote, "Two"), "d")
    assert contents(remote) == {"a": "Two"}


def test_a_config_is_kept_where_the_remote_says_so(remote: RemotePrompts) -> None:
    made = remote.create("a", content(remote, "One", {"n": 1}), "d")
    assert config_of(made) == ({"n": 1} if not remote.is_legacy else None)
    cleared = remote.publish(made, content(remote, "One"), "d")
    assert not config_of(cleared)


def test_all_pages_are_read(remote: RemotePrompts) -> None:
    for number in range(2 * PAGE + 1):
        remote.create(f"p{number:03}", content(remote, str(number)), "d")
    assert contents(remote) == {f"p{number:03}": str(number) for number in range(2 * PAGE + 1)}


@pytest.mark.parametrize("dialect", ["current"], indirect=True)
class TestWithVersions:
    def test_an_old_version_can_be_read(self, remote: RemotePrompts) -> None:
        first = remote.create("a", content(remote, "One"), "d")
        remote.publish(first, content(remote, "Two"), "d")
        found = remote.read("a", 1)
        assert found is not None
        assert (text_of(found), found.version) == ("One", 1)
        assert remote.read("a", 3) is None

    def test_what_was_archived_comes_back_with_its_versions(self, remote: RemotePrompts) -> None:
        first = remote.create("a", content(remote, "One"), "d")
        second = remote.publish(first, content(remote, "Two"), "d")
        remote.archive(second)
        back = remote.unarchive("a")
        assert back is not None
        assert (back.id, text_of(back)) == (second.id, "Two")
        assert back.version >= 2
        old = remote.read("a", 1)
        assert old is not None
        assert text_of(old) == "One"

    def test_what_never_was_does_not_come_back(self, remote: RemotePrompts) -> None:
        assert remote.unarchive("a") is None
        assert contents(remote) == {}

    def test_a_label_is_set_moved_and_taken_off(self, remote: RemotePrompts) -> None:
        first = remote.create("a", content(remote, "One"), "d")
        remote.publish(first, content(remote, "Two"), "d")
        for number in (1, 2, 2):
            remote.set_label("a", "production", number)
            (row,) = remote.fetch()
            assert row.labels == {"production": number}
        remote.remove_label("a", "production")
        (row,) = remote.fetch()
        assert row.labels == {}
