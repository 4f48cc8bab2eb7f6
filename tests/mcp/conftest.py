from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import pytest
from mcp import Client, MCPError

from promptstore import PromptStore
from promptstore.mcp.access import Access
from promptstore.mcp.server import create_server
from tests.conftest import Fill
from tests.gitrepo import GitRepo
from tests.writing.conftest import configure

_T = TypeVar("_T")

TRIAGE = """\
description: Sort a support ticket.
variables:
  product: {type: string, description: Product name}
  tier: {type: string, enum: [free, pro], default: free}
  limit: {type: integer, description: How many lines, enum: [1, 2]}
messages:
  - role: system
    content: You help customers of {{ product }} ({{ tier }}) in {{ limit }} lines.
  - role: user
    content: Hello
config: {model: gpt-x}
tags: [support]
"""
SKILL = """\
---
name: pdf
description: Fill in forms.
metadata: {since: 2024-01-01, reviewed: yes}
---
# Forms

Take one of `templates/`.
"""
FILES = {
    "prompts/support/triage.yaml": TRIAGE,
    "prompts/greet.yaml": "prompt: Hello {{ name }}\n",
    "prompts/gone.yaml": "prompt: Bye\ndeleted: true\n",
    "prompts/skills/pdf/SKILL.md": SKILL,
    "prompts/skills/pdf/templates/invoice.md": "# Invoice\n",
}


class Ask(Protocol):
    def __call__(
        self, action: Callable[[Client], Awaitable[_T]], *, mode: str = "auto", **access: Any
    ) -> _T: ...


def commit_prompts(repo: GitRepo) -> None:
    configure(repo)
    repo.commit({**FILES, "prompts/greet.yaml": "prompt: Hi {{ name }}\n"}, "First")
    repo.commit(FILES, "Say hello")


@pytest.fixture
def repo(repo: GitRepo, fill: Fill) -> GitRepo:
    return fill(repo, commit_prompts)


@pytest.fixture
def ask(repo: GitRepo) -> Ask:
    """Let a client of the SDK, which is connected to the server in this process, do something."""

    def ask(action: Callable[[Client], Awaitable[_T]], *, mode: str = "auto", **access: Any) -> _T:
        async def run() -> _T:
            server = create_server(lambda _: Access(PromptStore.open(repo.path), **access))
            async with Client(server, mode=mode) as client:
                return await action(client)

        return asyncio.run(run())

    return ask


def refusal(ask: Ask, action: Callable[[Client], Awaitable[object]], **access: Any) -> MCPError:
    """Return the error of what a client asks for."""

    async def fail(client: Client) -> MCPError:
        with pytest.raises(MCPError) as caught:
            await action(client)
        return caught.value

    return ask(fail, **access)
