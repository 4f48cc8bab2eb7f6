"""How many requests a sync of many prompts makes."""

from __future__ import annotations

import pytest

from promptstore.posthog.sync import SyncRules
from promptstore.posthog.sync.remote import RemotePrompts
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.sync.conftest import Pair, file
from tests.sync.listening import listening
from tests.sync.project import FakeProject


@pytest.mark.parametrize(
    ("count", "pages"), [(105, 2), pytest.param(1_000, 10, marks=pytest.mark.slow)]
)
def test_no_more_requests_than_there_are_pages_and_changes(
    repo: GitRepo, count: int, pages: int
) -> None:
    texts = {f"prompts/team{n % 9}/p{n:04}.yaml": file(f"Text {n}") for n in range(count)}
    repo.commit(texts)
    with listening(FakeProject()) as server, server.client() as client:
        pair = Pair(
            repo,
            PromptStore.open(repo.path),
            server.project,
            RemotePrompts(client),
            SyncRules(),
        )
        assert pair.run().is_clean
        assert client.requests == 1 + count
        state = repo.git("rev-parse", "refs/promptstore/remotes/posthog")
        assert pair.run().results == []
        assert client.requests == 1 + count + pages
        assert repo.git("rev-parse", "refs/promptstore/remotes/posthog") == state
        server.project.edit("team0__p0000", "Edited there")
        repo.commit({"prompts/team1/p0001.yaml": file("Edited here")})
        assert pair.run().is_clean
        assert client.requests == 1 + count + 2 * pages + 1
        assert pair.text("team0/p0000") == "Edited there"
        assert server.project.texts()["team1__p0001"] == "Edited here"
