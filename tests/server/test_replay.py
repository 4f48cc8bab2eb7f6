"""What PostHog's own server answered, replayed: both generations at once, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pygit2
import pytest

from promptstore.server.settings import ProjectSettings
from promptstore.server.tokens import TokenFile
from tests.data.posthog_api import replay
from tests.server.differences import DIFFERENCES, Scenario, adapted, by_the_rules, key_of
from tests.server.listening import Server, serving

DATA = Path(__file__).parent.parent / "data" / "posthog_api"
SCENARIOS = replay.load([str(path) for path in sorted(DATA.glob("*.jsonl"))])
DIFFERENT = [scenario for scenario in SCENARIOS if key_of(scenario) in DIFFERENCES]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one empty project for each scenario."""
    folder = tmp_path_factory.mktemp("replay")
    projects = {}
    for number in range(1, len(SCENARIOS) + len(DIFFERENT) + 1):
        pygit2.init_repository(str(folder / str(number)), bare=True, initial_head="main")
        projects[number] = ProjectSettings(number, folder / str(number))
    with serving(projects, TokenFile(folder / "tokens.json")) as server:
        yield server


@pytest.fixture(scope="module")
def keys(server: Server) -> dict[str, str]:
    """Keys for all projects, by the one scope that each has."""
    everywhere = tuple(range(1, len(SCENARIOS) + len(DIFFERENT) + 1))
    scopes = ("llm_prompt:read", "llm_prompt:write", "logs:read")
    return {scope: server.key_for(scope, projects=everywhere) for scope in scopes}


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    """The numbers of projects that nothing was written to yet."""
    return count(1)


def play(server: Server, keys: dict[str, str], number: int, scenario: Scenario) -> Any:
    """Replay a scenario in a project of its own."""
    context = replay.Context(
        base_url=server.url,
        token=server.key_for(projects=(number,)),
        project=str(number),
        read_token=keys["llm_prompt:read"],
        write_token=keys["llm_prompt:write"],
        other_token=keys["logs:read"],
        project_token=f"phc_project_{number}",
        allow_extra=scenario["dialect"] == "seed",
    )
    send = replay.HttpSender(server.url, timeout=60)
    try:
        return replay.replay_scenario(send, scenario, context)
    finally:
        send.connection.close()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=map(key_of, SCENARIOS))
def test_a_scenario(
    server: Server, keys: dict[str, str], numbers: Iterator[int], scenario: Scenario
) -> None:
    result = play(server, keys, next(numbers), adapted(scenario))
    assert result.skipped is None
    assert result.ok, (result.step, result.where, result.diffs)


@pytest.mark.parametrize("scenario", DIFFERENT, ids=map(key_of, DIFFERENT))
def test_a_listed_difference_is_one(
    server: Server, keys: dict[str, str], numbers: Iterator[int], scenario: Scenario
) -> None:
    assert not play(server, keys, next(numbers), by_the_rules(scenario)).ok


def test_all_scenarios_are_replayed_and_all_differences_are_of_one() -> None:
    assert len(SCENARIOS) == 121
    assert {key_of(scenario) for scenario in DIFFERENT} == DIFFERENCES.keys()
