"""The file of parsed prompts is only a cache: with it, without it and with a broken one alike."""

from __future__ import annotations

import gc
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given

from promptstore import Prompt, PromptStore
from promptstore.errors import PromptFileError
from promptstore.git.reading import blob_id
from promptstore.history.cache import ContentCache, contents_file, private_folder
from promptstore.history.sources import File
from promptstore.model.parts import Message
from promptstore.model.prompt import parse_content
from promptstore.model.variables import Variable
from promptstore.promptfile.reader import loads
from promptstore.promptfile.writer import dumps
from tests.gitrepo import GitRepo
from tests.processes import race
from tests.promptfile.strategies import prompts

DATA = Path(__file__).parent / "data"
SOUND = sorted((DATA / "promptfile/canonical").glob("*.yaml"))
OWN = sorted((Path(__file__).parent.parent / "prompts").rglob("*.yaml"))


def assert_stored(data: bytes) -> None:
    prompt = loads(data)
    assert parse_content(json.loads(json.dumps(prompt.content))) == prompt


@pytest.mark.parametrize("file", SOUND + OWN, ids=lambda file: file.stem)
def test_a_prompt_is_read_from_its_content_as_it_was_parsed(file: Path) -> None:
    assert_stored(file.read_bytes())


@given(prompts())
def test_any_prompt_is_read_from_its_content_as_it_was_parsed(prompt: Prompt) -> None:
    assert_stored(dumps(prompt).encode())


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def filled(repo: GitRepo) -> GitRepo:
    """A repository of sound files and a broken one, whose cache has been written."""
    files: dict[str, str | bytes | None] = {
        f"prompts/p{number}.yaml": file.read_bytes() for number, file in enumerate(SOUND + OWN)
    }
    repo.commit({**files, "prompts/broken.yaml": "prompt: 1\n"})
    listed(repo)
    assert cache().is_file()
    return repo


def cache() -> Path:
    file = contents_file()
    assert file is not None
    return file


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
    execute(file, "UPDATE parsed SET content = CAST(replace(content, 'e', 'i') AS BLOB)")


def store_strings(file: Path) -> None:
    execute(file, "UPDATE parsed SET content = CAST(content AS TEXT)")


def mix_up_rows(file: Path) -> None:
    execute(
        file, "UPDATE parsed SET (content, check_sum) = (SELECT content, check_sum FROM parsed)"
    )


def store_what_is_no_prompt(file: Path) -> None:
    plant(file, b'{"prompt": 1}')


def store_what_is_no_json(file: Path) -> None:
    plant(file, b"prompt")


def store_a_list(file: Path) -> None:
    plant(file, b"[]")


def plant(file: Path, content: bytes) -> None:
    """Let every row say something else, with the check sum that belongs to it."""
    connection = sqlite3.connect(file)
    with connection:
        for (key,) in connection.execute("SELECT blob FROM parsed").fetchall():
            row = (content, crc32(content, crc32(key)), key)
            connection.execute("UPDATE parsed SET content = ?, check_sum = ? WHERE blob = ?", row)
    connection.close()


def open_to_all(file: Path) -> None:
    """Let the folder be one that others can write, so that what it says counts for nothing."""
    plant(file, b'{"prompt": "planted"}')
    file.parent.chmod(0o777)


def make_older(file: Path) -> None:
    plant(file, b'{"prompt": "planted"}')
    execute(file, "UPDATE parsed SET format = format - 1")


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
        store_strings,
        mix_up_rows,
        store_what_is_no_prompt,
        store_what_is_no_json,
        store_a_list,
        make_older,
        open_to_all,
    ],
)
def test_damage_changes_no_answer(filled: GitRepo, damage: Callable[[Path], None]) -> None:
    expected = listed(filled)
    assert len(expected[0]) == len(SOUND + OWN)
    assert len(expected[1]) == 1
    damage(cache())
    assert listed(filled) == expected
    assert listed(filled) == expected


def test_a_row_that_is_found_is_not_parsed_again(filled: GitRepo) -> None:
    file = cache()
    before = file.read_bytes()
    listed(filled)
    assert file.read_bytes() == before


def test_a_broken_file_is_never_kept(filled: GitRepo) -> None:
    connection = sqlite3.connect(cache())
    (count,) = connection.execute("SELECT COUNT(*) FROM parsed").fetchone()
    connection.close()
    assert count == len({file.read_bytes() for file in SOUND + OWN})


GET_ALL_BY_ONE = """
import os, sys
from promptstore import PromptStore
from promptstore.errors import PromptFileError
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
    lose(cache())
    code = f"{GET_ALL_BY_ONE}\n{ending}"
    done = subprocess.run([sys.executable, "-c", code, str(filled.path)], capture_output=True)
    assert done.returncode == (1 if ending in ("sys.exit(1)", "snapshot = 1 / 0") else 0)
    assert b"Exception ignored" not in done.stderr
    connection = sqlite3.connect(cache())
    (count,) = connection.execute("SELECT COUNT(*) FROM parsed").fetchone()
    connection.close()
    assert count == len({file.read_bytes() for file in SOUND + OWN})


def test_rows_that_a_repository_brings_along_are_not_looked_at(
    filled: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = listed(filled)
    plant(cache(), b'{"prompt": "planted"}')
    brought = filled.path / ".git" / "promptstore"
    brought.mkdir(exist_ok=True)
    shutil.copy(cache(), brought / cache().name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "fresh"))
    assert listed(filled) == expected


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may chown")
def test_rows_of_another_user_are_not_looked_at(filled: GitRepo) -> None:
    expected = listed(filled)
    folder = cache().parent
    plant(cache(), b'{"prompt": "planted"}')
    os.chown(folder, 12345, 12345)
    assert private_folder() is None
    assert listed(filled) == expected


def test_nobody_else_may_look_into_the_folder(filled: GitRepo) -> None:
    assert cache().parent.stat().st_mode & 0o777 == 0o700


def test_without_a_home_there_is_no_file(filled: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = listed(filled)
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
    assert private_folder() is None
    assert listed(filled) == expected


def test_a_broken_file_is_parsed_once(repo: GitRepo) -> None:
    reads: list[bytes] = []

    def read() -> bytes:
        reads.append(b"prompt: 1\n")
        return reads[-1]

    contents = ContentCache()
    for path in ("a.yaml", "b.yaml"):
        with pytest.raises(PromptFileError, match=f"{path}:1:9: PS109"):
            contents.read(File(path, blob_id(b"prompt: 1\n"), read))
    assert len(reads) == 1


def test_contents_in_memory_have_a_limit() -> None:
    cache = ContentCache()
    read: list[weakref.ref[Prompt]] = []
    for number in range(100):
        data = f"prompt: '{number} {'x' * 900_000}'\n".encode()
        read.append(weakref.ref(cache.read(File("a.yaml", blob_id(data), partial(bytes, data)))))
    gc.collect()
    kept = [prompt for reference in read if (prompt := reference()) is not None]
    assert 0 < sum(len(prompt.prompt or "") for prompt in kept) <= 64 * 1024 * 1024


def test_nothing_of_it_lies_in_the_working_tree(filled: GitRepo) -> None:
    assert filled.git("status", "--porcelain", "--ignored") == ""


def test_threads_and_processes_read_the_same(filled: GitRepo) -> None:
    expected = listed(filled)
    lose(cache())
    assert race([lambda: listed(filled)] * 2) == [expected] * 2
    lose(cache())
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


def test_what_a_caller_changes_is_the_callers_own(filled: GitRepo) -> None:
    """Neither another call nor another thread sees it, nor the file of parsed prompts."""
    store = PromptStore.open(filled.path)
    expected = listed(filled)[0]
    for _ in range(2):
        snapshot = store.snapshot()
        for prompt in expected:
            name = prompt.name or ""
            for found in (
                store.get(name, deleted=True),
                store.get(name, version=1),
                snapshot.read(name, deleted=True),
            ):
                poison(found)
        for found in (*store.list(deleted=True, prefix="p"), *snapshot.list_readable()[0]):
            poison(found)
        again = in_a_thread(lambda: store.snapshot().list_readable(deleted=True)[0])
        assert again == expected
        assert [prompt.content for prompt in again] == [prompt.content for prompt in expected]
    assert listed(filled)[0] == expected


def in_a_thread(read: Callable[[], list[Prompt]]) -> list[Prompt]:
    found: list[Prompt] = []
    thread = threading.Thread(target=lambda: found.extend(read()))
    thread.start()
    thread.join()
    return found


def poison(prompt: Prompt) -> None:
    """Change whatever can be changed."""
    changed = 0
    pending: list[object] = [prompt]
    while pending:
        value = pending.pop()
        if isinstance(value, (Prompt, Message, Variable)):
            pending += (getattr(value, field.name) for field in fields(value))
        elif isinstance(value, tuple):
            pending += value
        elif isinstance(value, list):
            pending += value
            value.append("poison")
            changed += 1
        elif isinstance(value, dict):
            pending += value.values()
            value["poison"] = "poison"
            changed += 1
    assert changed >= 3
    assert prompt.config["poison"] == "poison"
