"""The file of parsed prompts is only a cache: with it, without it and with a broken one alike."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given

from promptstore import Prompt, PromptStore
from promptstore.git import Repository, blob_id
from promptstore.history.contents import ContentCache, contents_file
from promptstore.history.sources import File
from promptstore.promptfile.reader import parse
from promptstore.promptfile.rebuilding import rebuild
from promptstore.promptfile.writer import dumps
from tests.gitrepo import GitRepo
from tests.processes import race
from tests.promptfile.strategies import prompts

DATA = Path(__file__).parent / "data"
SOUND = sorted((DATA / "promptfile/canonical").glob("*.yaml"))
TWO_TEXTS = (b"prompt: one\n", b"prompt: other\n")
OWN = sorted((Path(__file__).parent.parent / "prompts").rglob("*.yaml"))


def assert_rebuilt(data: bytes) -> None:
    document = parse(data)
    stored = json.dumps(document.tree.value)
    assert rebuild(json.loads(stored)).to_prompt() == document.prompt


@pytest.mark.parametrize("file", SOUND + OWN, ids=lambda file: file.stem)
def test_a_prompt_is_rebuilt_as_it_was_parsed(file: Path) -> None:
    assert_rebuilt(file.read_bytes())


@given(prompts())
def test_any_prompt_is_rebuilt_as_it_was_parsed(prompt: Prompt) -> None:
    assert_rebuilt(dumps(prompt).encode())


@pytest.fixture
def filled(repo: GitRepo) -> GitRepo:
    """A repository of sound files and a broken one, whose cache has been written."""
    files: dict[str, str | bytes | None] = {
        f"prompts/p{number}.yaml": file.read_bytes() for number, file in enumerate(SOUND + OWN)
    }
    repo.commit({**files, "prompts/broken.yaml": "prompt: 1\n"})
    listed(repo)
    assert cache(repo).is_file()
    return repo


def cache(repo: GitRepo) -> Path:
    return contents_file(Repository.discover(repo.path).common_dir)


def listed(repo: GitRepo) -> tuple[list[Prompt], list[str]]:
    """Everything that a fresh store reads: the prompts, and what is said of broken files."""
    found, broken = PromptStore.open(repo.path).snapshot().list_readable(deleted=True)
    return found, [str(error) for error in broken]


def lose(file: Path) -> None:
    file.unlink()


def garble(file: Path) -> None:
    file.write_bytes(b"this is no database" * 100)


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def overwrite_the_end(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096:] = b"\xff" * len(data[4096:])
    file.write_bytes(data)


def block(file: Path) -> None:
    file.unlink()
    (file / "in the way").mkdir(parents=True)


def block_the_folder(file: Path) -> None:
    shutil.rmtree(file.parent)
    file.parent.write_text("in the way")


def swap_letters(file: Path) -> None:
    """Change what rows say, so that they are sound JSON, and wrong."""
    execute(file, "UPDATE parsed SET value = CAST(replace(value, 'prompt', 'tpmorp') AS BLOB)")


def write_text(file: Path) -> None:
    execute(file, "UPDATE parsed SET value = CAST(value AS TEXT)")


def let_tombstones_wait(file: Path) -> None:
    execute(file, "UPDATE parsed SET waits = 1 - waits")


def mix_up_rows(file: Path) -> None:
    execute(file, "UPDATE parsed SET (value, check_sum) = (SELECT value, check_sum FROM parsed)")


def execute(file: Path, statement: str) -> None:
    connection = sqlite3.connect(file)
    with connection:
        assert connection.execute(statement).rowcount > 1
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [
        lose,
        garble,
        truncate,
        overwrite_the_end,
        block,
        block_the_folder,
        swap_letters,
        write_text,
        let_tombstones_wait,
        mix_up_rows,
    ],
)
def test_damage_changes_no_answer(filled: GitRepo, damage: Callable[[Path], None]) -> None:
    expected = listed(filled)
    assert len(expected[0]) == len(SOUND + OWN)
    assert len(expected[1]) == 1
    damage(cache(filled))
    assert listed(filled) == expected
    assert listed(filled) == expected


def test_a_row_that_is_found_is_not_parsed_again(filled: GitRepo) -> None:
    file = cache(filled)
    before = file.read_bytes()
    listed(filled)
    assert file.read_bytes() == before


def test_a_broken_file_is_never_kept(filled: GitRepo) -> None:
    connection = sqlite3.connect(cache(filled))
    (count,) = connection.execute("SELECT COUNT(*) FROM parsed").fetchone()
    connection.close()
    assert count == len({file.read_bytes() for file in SOUND + OWN})


GET_ALL_BY_ONE = """
import os, sys
from promptstore import PromptFileError, PromptStore
store = PromptStore.open(sys.argv[1])
snapshot = store.snapshot()
for name in snapshot.names():
    try:
        snapshot.read(name, deleted=True)
    except PromptFileError:
        pass
"""
FORK = "if os.fork() == 0:\n    sys.exit()\nos.wait()"


@pytest.mark.parametrize("ending", ["", "sys.exit(1)", "del store", "snapshot = 1 / 0", FORK])
def test_what_was_parsed_is_kept_however_the_process_ends(filled: GitRepo, ending: str) -> None:
    lose(cache(filled))
    code = f"{GET_ALL_BY_ONE}\n{ending}"
    done = subprocess.run([sys.executable, "-c", code, str(filled.path)], capture_output=True)
    assert done.returncode == (1 if ending in ("sys.exit(1)", "snapshot = 1 / 0") else 0)
    assert b"Exception ignored" not in done.stderr
    connection = sqlite3.connect(cache(filled))
    (count,) = connection.execute("SELECT COUNT(*) FROM parsed").fetchone()
    connection.close()
    assert count == len({file.read_bytes() for file in SOUND + OWN})


@pytest.mark.parametrize("keeps", [True, False])
def test_a_prepared_file_is_read_once(filled: GitRepo, keeps: bool) -> None:
    data = next(data for data in map(Path.read_bytes, SOUND) if b"include" not in data)
    reads: list[bytes] = []

    def read() -> bytes:
        reads.append(data)
        return data

    file = File("one.yaml", blob_id(data), read)
    contents = ContentCache(filled.path / ".git" if keeps else None)
    document = contents.prepare(file)
    assert contents.has(file.blob)
    for _ in range(3):
        stored = contents.waiting(file.blob)
        assert (stored is not None) == keeps
        contents.foresee([file.blob])
        assert contents.has(file.blob)
    assert contents.read_prompt(file) == document.prompt
    assert len(reads) == 1


def test_it_lies_in_the_git_directory_alone(filled: GitRepo) -> None:
    assert filled.git("status", "--porcelain", "--ignored") == ""


def test_threads_and_processes_read_the_same(filled: GitRepo) -> None:
    expected = listed(filled)
    lose(cache(filled))
    assert race([lambda: listed(filled)] * 2) == [expected] * 2
    lose(cache(filled))
    store = PromptStore.open(filled.path)
    answers: list[list[Prompt]] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(store.snapshot().list_readable(deleted=True)[0])
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected[0]] * 4


FIELDS = [field.name for field in dataclasses.fields(Prompt) if field.init]


def unread(repo: GitRepo) -> dict[str, Prompt]:
    """Every prompt as the file of parsed prompts gives it, nothing read of it yet."""
    return {prompt.name or "": prompt for prompt in listed(repo)[0]}


@pytest.fixture
def parsed(filled: GitRepo) -> dict[str, Prompt]:
    """Every prompt as a parse gives it."""
    lose(cache(filled))
    found = unread(filled)
    assert {prompt.version for prompt in found.values()} == {1}
    return found


def test_what_is_read_later_is_what_was_parsed(filled: GitRepo, parsed: dict[str, Prompt]) -> None:
    for field in FIELDS:
        for name, prompt in unread(filled).items():
            assert getattr(prompt, field) == getattr(parsed[name], field)


def test_an_unread_prompt_is_used_like_any_other(
    filled: GitRepo, parsed: dict[str, Prompt]
) -> None:
    uses: list[Callable[[Prompt], object]] = [
        repr,
        copy.copy,
        copy.deepcopy,
        lambda prompt: prompt.digest,
        lambda prompt: prompt.content,
        lambda prompt: pickle.loads(pickle.dumps(prompt)),
        lambda prompt: dataclasses.replace(prompt, name="other"),
    ]
    for use in uses:
        for name, prompt in unread(filled).items():
            assert use(prompt) == use(parsed[name])


def test_an_unread_prompt_has_no_other_attributes(filled: GitRepo) -> None:
    prompt = next(iter(unread(filled).values()))
    with pytest.raises(AttributeError, match="'Prompt' object has no attribute 'text'"):
        _ = prompt.text  # type: ignore[attr-defined]
    with pytest.raises(dataclasses.FrozenInstanceError):
        prompt.version = 2  # type: ignore[misc]


def test_threads_may_read_one_prompt_at_once(filled: GitRepo, parsed: dict[str, Prompt]) -> None:
    for name, prompt in unread(filled).items():
        start = threading.Barrier(4)
        seen: list[tuple[object, ...]] = []

        def look(prompt: Prompt = prompt, start: threading.Barrier = start) -> None:
            start.wait()
            seen.append((prompt.content, prompt.version, prompt.updated_by))  # noqa: B023

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        known = parsed[name]
        assert seen == [(known.content, known.version, known.updated_by)] * 4


def test_what_was_written_is_found_though_the_file_was_empty_before(repo: GitRepo) -> None:
    one, other = (File("a.yaml", blob_id(data), partial(bytes, data)) for data in TWO_TEXTS)
    contents = ContentCache(repo.path / ".git")
    assert contents.read(one).prompt == "one"
    contents.prepare(other)
    contents.save()
    assert [contents.waiting(other.blob) for _ in range(3)] == [b'{"prompt":"other"}'] * 3


def test_what_another_process_writes_does_not_change_what_is_read(repo: GitRepo) -> None:
    one, other = (File("a.yaml", blob_id(data), partial(bytes, data)) for data in TWO_TEXTS)
    ours, theirs = ContentCache(repo.path / ".git"), ContentCache(repo.path / ".git")
    assert ours.read(one).prompt == "one"
    theirs.prepare(other)
    theirs.save()
    assert ours.read(other) == theirs.read(other) == parse(TWO_TEXTS[1]).content
