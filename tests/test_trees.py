"""Trees and commits are read as git itself reads them, whatever is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pygit2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygit2.enums import ObjectType

from promptstore.git.objects import Entry
from promptstore.git.reading import Repository
from promptstore.history.backend import CommitSource
from promptstore.model.values import is_name
from tests.gitrepo import GitRepo

ODD_NAMES = [b"a.yaml", b"b\nc.yaml", b"\xff.yaml", b".d.yaml", b"e.yml", b"f g.yaml", b"h\n.yaml"]


def test_odd_names_of_files_are_no_prompts(repo: GitRepo) -> None:
    lines = [f"100644 blob {repo.git('hash-object', '-w', '--stdin', stdin=b'x')}\t".encode()]
    tree = b"".join(lines[0] + name + b"\0" for name in ODD_NAMES)
    made = repo.git("mktree", "-z", stdin=tree)
    commit = repo.git("commit-tree", "-m", "odd", made)
    source = CommitSource(Repository.discover(repo.path), "", commit, "main")
    assert source.names() == ["a"]
    assert [name for name in ("a", "b", "c", "h") if source.find(name)] == ["a"]


def test_a_large_tree_is_searched_as_a_small_one_is_read(repo: GitRepo) -> None:
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"x")
    tree = repo.git("mktree", "-z", stdin=f"100755 blob {blob}\tinside\0".encode())
    found = [f"p{number}.yaml" for number in range(600)] + ["z 100644 p700.yaml", "é.yaml"]
    listed = "".join(f"100644 blob {blob}\t{name}\0" for name in found)
    listed += f"040000 tree {tree}\tfolder\0" + f"120000 blob {blob}\tlink\0"
    large = repo.git("mktree", "-z", stdin=listed.encode())
    repository = Repository.discover(repo.path)
    entries = repository.tree(large)
    for name in [*found, "folder", "link", "p700.yaml", "\ud800"]:
        assert Repository.discover(repo.path).find(large, name) == entries.get(name)
    assert Repository.discover(repo.path).find(large, "folder/inside") == Entry(0o100755, blob)


names = st.sampled_from(["a.yaml", "b.yml", "-c.yaml", "d", "é.yaml", "e.yaml.yaml", "f" * 255])


@given(st.dictionaries(st.sampled_from(["", "x/", ".y/", "z/z/", "w" * 250 + "/"]), st.sets(names)))
def test_names_are_those_of_the_whole_walk(
    tmp_path_factory: pytest.TempPathFactory, folders: dict[str, set[str]]
) -> None:
    repo = GitRepo.init(tmp_path_factory.mktemp("names"))
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"x")
    paths = [folder + name for folder, found in folders.items() for name in found]
    listed = "".join(f"100644 {blob} 0\t{path}\0" for path in paths)
    repo.git("update-index", "-z", "--index-info", stdin=listed.encode())
    commit = repo.git("commit-tree", "-m", "names", repo.git("write-tree"))
    source = CommitSource(Repository.discover(repo.path), "", commit, "main")
    stems = [path.removesuffix(".yaml") for path in paths if path.endswith(".yaml")]
    assert source.names() == sorted(filter(is_name, stems))


# Ids may hold any bytes, also those that stand between two names.
raw_ids = st.sampled_from([
    b"x" * 20, b"\0" * 20, b".yaml\0" + b"x" * 14, b".yaml\x00100644 a.yaml\0",
    b"x" * 13 + b"100644 ",
])  # fmt: skip
raw_names = st.sampled_from([
    b"a.yaml", b"b.yaml", b"c.yaml", b"d", b"-e.yaml", b".yaml", b"\xff.yaml", b"f.yaml.yaml",
    b"g\n.yaml",
])  # fmt: skip
modes = st.sampled_from([b"100644"] * 9 + [b"100755", b"100664", b"120000", b"160000"])


tree_entries = st.dictionaries(raw_names, st.tuples(modes | st.just(b"40000"), raw_ids), max_size=6)
near_entries = st.tuples(
    tree_entries, st.lists(st.tuples(raw_names, modes | st.just(b"40000"), raw_ids), max_size=4)
)


def raw_tree(entries: dict[bytes, tuple[bytes, bytes]]) -> bytes:
    return b"".join(
        mode + b" " + name + b"\0" + raw_id for name, (mode, raw_id) in sorted(entries.items())
    )


def as_entry(stored: tuple[bytes, bytes] | None) -> Entry | None:
    """What git and libgit2 make of an entry: other modes than today's are read as one of these."""
    if stored is None:
        return None
    mode, raw_id = stored
    return Entry(0o100644 if mode == b"100664" else int(mode, 8), raw_id.hex())


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> pygit2.Repository:
    return pygit2.init_repository(str(tmp_path_factory.mktemp("trees")), bare=True)


@given(near_entries)
def test_trees_are_compared_to_the_byte_as_entry_by_entry(
    objects: pygit2.Repository,
    history: tuple[dict[bytes, tuple[bytes, bytes]], list[tuple[bytes, bytes, bytes]]],
) -> None:
    states, changes = [history[0]], history[1]
    for name, mode, raw_id in changes:
        states.append(states[-1] | {name: (mode, raw_id)})
    states.append(dict(list(states[-1].items())[1:]))
    trees = [str(objects.write(ObjectType.TREE, raw_tree(state))) for state in states]
    pairs = [
        (number, trees[number - 1], trees[number])
        for number in range(len(states) - 1, 0, -1)
        if trees[number - 1] != trees[number]
    ]

    expected = set()
    for number in range(1, len(states)):
        old, new = states[number - 1], states[number]
        for name in old.keys() | new.keys():
            was, now = as_entry(old.get(name)), as_entry(new.get(name))
            if was != now:
                text = name.decode(errors="surrogateescape")
                expected.add((number, (text, was, now)))
    found = list(Repository.discover(Path(objects.path)).objects.compare(pairs))
    assert set(found) == expected
    assert len(found) == len(expected)
    assert [number for number, _ in found] == sorted((n for n, _ in found), reverse=True)


@given(st.dictionaries(raw_names, st.tuples(modes, raw_ids)))
def test_ids_of_any_bytes_make_no_names(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[bytes, tuple[bytes, bytes]]
) -> None:
    path = tmp_path_factory.mktemp("raw")
    repo = pygit2.init_repository(str(path), bare=True)
    made = repo.write(ObjectType.TREE, raw_tree(entries))
    person = pygit2.Signature("Ada Example", "ada@example.com", 1, 0)
    commit = str(repo.create_commit(None, person, person, "raw", made, []))
    source = CommitSource(Repository.discover(path), "", commit, "main")
    stems = {
        name.decode("utf-8", "replace").removesuffix(".yaml"): raw_id.hex()
        for name, (mode, raw_id) in entries.items()
        if mode.startswith(b"100") and name.endswith(b".yaml")
    }
    expected = {name: stems[name] for name in sorted(stems) if is_name(name)}
    assert source.names() == list(expected)
    assert list(source.blobs().items()) == list(expected.items())


PERSON = "Ada Example <ada@example.com> 1700000000 +0100"
COMMITS = {
    "ordinary": f"author {PERSON}\ncommitter {PERSON}\n\nText\n\nMore\n",
    "merge": f"parent {'1' * 40}\nparent {'2' * 40}\nauthor {PERSON}\ncommitter {PERSON}\n\nText",
    "west": f"author {PERSON}\ncommitter Ada <ada@example.com> 1700000000 -0930\n\nText\n",
    "another zone": f"author {PERSON}\ncommitter Ada <ada@example.com> 1700000000 +9999\n\nText\n",
    "no message": f"author {PERSON}\ncommitter {PERSON}\n\n",
    "lines before the message": f"author {PERSON}\ncommitter {PERSON}\n\n\n\nText\n",
    "spaces around a name": f"author  Ada  <ada@example.com> 1 +0000\ncommitter {PERSON}\n\nText\n",
    "no name": f"author <ada@example.com> 1 +0000\ncommitter {PERSON}\n\nText\n",
    "signed": f"author {PERSON}\ncommitter {PERSON}\ngpgsig -----BEGIN\n -----END\n\nText\n",
    "encoded": f"author {PERSON}\ncommitter {PERSON}\nencoding ISO-8859-1\n\nS\xfc\xdf\n",
    "letters": f"author Zoë <zoë@example.com> 1 +0000\ncommitter {PERSON}\n\nÀ la carte\n",
    "year 33658": f"author {PERSON}\ncommitter A <a@b> 999999999999 +0000\n\nText\n",
}


@pytest.mark.parametrize("text", COMMITS.values(), ids=list(COMMITS))
def test_a_commit_is_read_as_libgit2_reads_it(tmp_path: Path, text: str) -> None:
    repo = GitRepo.init(tmp_path)
    tree = repo.git("hash-object", "-w", "-t", "tree", "--stdin", stdin=b"")
    encoding = "latin-1" if "ISO-8859-1" in text else "utf-8"
    data = f"tree {tree}\n{text}".encode(encoding)
    made = repo.git("hash-object", "-w", "-t", "commit", "--literally", "--stdin", stdin=data)
    read = Repository.discover(repo.path).commit(made)
    expected: Any = pygit2.Repository(str(repo.path))[made]
    assert read.tree == tree
    assert read.author == f"{expected.author.name} <{expected.author.email}>"
    assert read.message == expected.message
    if expected.commit_time < 10**11:
        assert read.committed_at.timestamp() == expected.commit_time
        offset = read.committed_at.utcoffset()
        assert offset is not None
        assert offset.total_seconds() == expected.commit_time_offset * 60
