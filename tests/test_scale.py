"""A repository of the size that a team has after some years; see also tests/benchmarks."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo

SIZES = [
    pytest.param((1_000, 5_000), id="1,000 prompts, 5,000 commits"),
    pytest.param((10_000, 30_000), id="10,000 prompts, 30,000 commits", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module", params=SIZES)
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many prompts in folders of 50, many commits of which every tenth is a merge."""
    prompts, commits = request.param
    repo = GitRepo.init(tmp_path_factory.mktemp("large") / "repo")
    chance = random.Random(5)
    stream: list[str] = []
    for number in range(1, commits + 1):
        is_side = number % 10 == 9
        branch = "side" if is_side else "main"
        stream += [f"commit refs/heads/{branch}", f"mark :{number}"]
        stream += [f"committer Ada <ada@example.com> {1_600_000_000 + number} +0000"]
        stream += ["data 6", "change"]
        if number > 1:
            # After a side commit main goes on from before it, and merges it.
            stream.append(f"from :{number - 2 if number % 10 == 0 else number - 1}")
        if number % 10 == 0:
            stream.append(f"merge :{number - 1}")
        for index in range(prompts) if number == 1 else [chance.randrange(prompts)]:
            text = f"description: Number {index}.\nprompt: Hello {{{{ name }}}}, {number}\n"
            path = f"prompts/team{index // 50}/p{index}.yaml"
            stream += [f"M 100644 inline {path}", f"data {len(text)}", text]
    repo.git("fast-import", "--quiet", "--force", stdin="\n".join([*stream, ""]).encode())
    return repo.path


def test_reads_of_a_large_repository_agree_with_git(large: Path) -> None:
    store = PromptStore.open(large)
    repo = GitRepo(large)
    prompts = store.list()
    assert len(prompts) == len(store.names()) == len(store.snapshot()) >= 1_000
    for prompt in random.Random(7).sample(prompts, 25):
        name = prompt.name or ""
        expected = repo.versions(f"prompts/{name}.yaml", "main")
        assert [version.commit for version in store.history(name)] == expected
        assert (prompt.version, prompt.commit) == (len(expected), expected[0])
        assert store.get(name, version=1).commit == expected[-1]
        assert store.render(name, {"name": "Ada"}).text.startswith("Hello Ada, ")


def test_a_second_store_starts_from_the_index(large: Path) -> None:
    told: list[tuple[int, int]] = []
    assert PromptStore.open(large).get("team0/p1").version
    store = PromptStore.open(large, progress=lambda done, total: told.append((done, total)))
    assert store.get("team0/p1").version
    assert told == []
