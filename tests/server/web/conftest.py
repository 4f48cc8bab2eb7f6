from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.server.listening import Host, Server, hosting
from tests.server.web.visiting import Visit
from tests.writing.conftest import configure

TRIAGE = """\
description: Sort a ticket.
variables:
  product: {type: string, description: Product name}
  tier: {type: string, enum: [free, pro], default: free}
  count: {type: integer, default: 3}
  urgent: {type: boolean, default: false}
  history: {type: messages, default: []}
  ticket: {type: string}
messages:
  - role: system
    content: |
      You help customers of {{ product }}.
      {% include "shared/tone" %}
      {% if tier == "pro" %}
      Offer a call.
      {% endif %}
  - insert: history
  - role: user
    content: |
      {{ ticket }}
config: {model: gpt-x, temperature: 0.2}
tags: [support]
"""
TONE = "prompt: |\n  Be kind.\n  Be short.\ntags: [shared]\n"


def fill(repo: GitRepo) -> GitRepo:
    """Commit prompts with a history, labels and a tombstone."""
    configure(repo)
    files = {
        "prompts/support/triage.yaml": TRIAGE,
        "prompts/shared/tone.yaml": TONE,
        "prompts/greet.yaml": "prompt: Hello {{name}}, how are you?\ntemplate: simple\n",
        "prompts/old.yaml": "prompt: Old\ndeleted: true\ndeleted_reason: Nobody asks\n",
    }
    repo.commit(dict(files), "Begin")
    softer = TRIAGE.replace("You help customers", "You gladly help the customers")
    repo.commit({"prompts/support/triage.yaml": softer}, "Sound glad\n\nCustomers asked for it.")
    store = PromptStore.open(repo.path)
    store.set_label("support/triage", "production", version=1)
    store.set_label("support/triage", "staging", version=2)
    return repo


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> GitRepo:
    """The repository that others are copies of."""
    return fill(GitRepo.init(tmp_path_factory.mktemp("filled") / "repo"))


@pytest.fixture
def repo(filled: GitRepo, tmp_path: Path) -> GitRepo:
    return filled.copy(tmp_path / "repo")


@pytest.fixture(scope="session")
def pages_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A server of one project at a time, whose pages need no number."""
    with hosting(tmp_path_factory.mktemp("pages") / "tokens.json") as host:
        yield host


@pytest.fixture
def server(pages_host: Host, repo: GitRepo) -> Iterator[Server]:
    """The server with the repository as its only project."""
    with pages_host.project(repo.path) as server:
        yield server


@pytest.fixture
def visit(server: Server) -> Iterator[Visit]:
    """Somebody who is signed in and may do everything."""
    with Visit.to(server.url) as visit:
        visit.sign_in(server.key)
        yield visit


@pytest.fixture
def direct(tmp_path: Path, repo: GitRepo) -> Iterator[Visit]:
    """Somebody at a server that takes commits to the branch that it serves."""
    with (
        hosting(tmp_path / "tokens.json", allow_direct=True) as host,
        host.project(repo.path) as server,
        Visit.to(server.url) as visit,
    ):
        visit.sign_in(server.key)
        yield visit
