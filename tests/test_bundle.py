"""Bundles: one file that answers as the repository does at its commit, or says what it lacks."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptstore import Prompt, PromptStore
from promptstore.errors import (
    BundleError,
    HistoryUnavailableError,
    InvalidArgumentError,
    LabelNotFoundError,
    NotInBundleError,
    PromptDeletedError,
    PromptFileError,
    PromptNotFoundError,
    PromptStoreError,
    ReadOnlyError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from promptstore.git.reading import blob_id
from tests.conftest import Fill
from tests.gitrepo import GitRepo

NAMES = ("a", "b", "team/a", "shared/tone")
TEXTS = ("Hi", "Hi {{ name }}", '{% include "a" %}', '{% include "shared/tone" %} x', "Bye\n")
BROKEN = (b"\xff: x\n", b"a\n")
LABELS = ("production", "staging")

steps = st.lists(
    st.one_of(
        st.tuples(st.just("save"), st.sampled_from(NAMES), st.sampled_from(TEXTS)),
        st.tuples(st.just("delete"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("restore"), st.sampled_from(NAMES), st.integers(1, 3)),
        st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(["c", "team/d"])),
        st.tuples(st.just("label"), st.sampled_from(NAMES), st.sampled_from(LABELS)),
        st.tuples(st.just("old label"), st.sampled_from(NAMES), st.sampled_from(LABELS)),
        st.tuples(st.just("remove"), st.sampled_from(NAMES), st.none()),
        st.tuples(
            st.just("break"), st.sampled_from(NAMES), st.sampled_from([b"\xff: x\n", b"a\n"])
        ),
    ),
    min_size=1,
    max_size=12,
)


def grow(store: PromptStore, step: tuple[str, str, Any]) -> None:
    """Take a step; one that the store refuses changes nothing."""
    kind, name, value = step
    try:
        if kind == "save":
            store.save(name, value, force=True)
        elif kind == "delete":
            store.delete(name, reason="old", force=True)
        elif kind == "restore":
            store.restore(name, version=value, force=True)
        elif kind == "rename":
            store.rename(name, value, force=True)
        elif kind == "label":
            store.set_label(name, value)
        elif kind == "old label":
            store.set_label(name, value, version=1)
    except PromptStoreError:
        return
    if kind in ("remove", "break"):
        repo = GitRepo(store.path)
        file = f"prompts/{name}.yaml"
        if kind == "break":
            repo.commit({file: value})
        elif (repo.path / file).is_file():
            repo.commit({file: None})


def opened(folder: Path) -> PromptStore:
    repo = GitRepo.init(folder)
    repo.git("config", "user.name", "Ada")
    repo.git("config", "user.email", "ada@example.com")
    return PromptStore.open(folder)


def told(prompt: Prompt) -> dict[str, Any]:
    """Everything that a prompt says of itself."""
    keys = ("name", "version", "commit", "snapshot_commit", "blob", "label", "digest", "content")
    return {key: getattr(prompt, key) for key in keys} | {
        "includes": {name: told(one) for name, one in prompt.includes.items()}
    }


def rendered(store: PromptStore, name: str) -> str:
    prompt = store.get(name)
    return prompt.render(dict.fromkeys(prompt.contract, "Ada")).text


QUESTIONS: dict[str, Callable[[PromptStore, str, int, str], Any]] = {
    "names": lambda store, name, number, label: store.names(),
    "list": lambda store, name, number, label: [told(one) for one in store.list(deleted=True)],
    "get": lambda store, name, number, label: told(store.get(name)),
    "deleted": lambda store, name, number, label: told(store.get(name, deleted=True)),
    "version": lambda store, name, number, label: told(store.get(name, version=number)),
    "label": lambda store, name, number, label: told(store.get(name, label=label)),
    "labelled": lambda store, name, number, label: [told(one) for one in store.list(label=label)],
    "render": lambda store, name, number, label: rendered(store, name),
    "info": lambda store, name, number, label: store.info(name),
    "version info": lambda store, name, number, label: store.info(name, version=number),
    "label info": lambda store, name, number, label: store.info(name, label=label),
    "infos": lambda store, name, number, label: store.snapshot().infos(store.names()),
    "labels": lambda store, name, number, label: store.labels().targets,
    "position": lambda store, name, number, label: store.position(),
    "commit": lambda store, name, number, label: store.snapshot(store.position().tip).commit,
    "now": lambda store, name, number, label: store.snapshot(datetime.now(UTC)).commit,
    "history": lambda store, name, number, label: store.history(name),
    "followed": lambda store, name, number, label: store.history(name, follow=True),
}


def answer(
    store: PromptStore, question: Callable[..., Any], name: str, number: int, label: str
) -> Any:
    try:
        return question(store, name, number, label)
    except PromptStoreError as error:
        facts = {
            key: value
            for key, value in vars(error).items()
            if key not in ("path", "what", "advice")
        }
        return (type(error), facts)


def kind(found: Any) -> Any:
    return found[0] if isinstance(found, tuple) else type(found)


def lacks(found: Any) -> bool:
    return isinstance(found, tuple) and found[0] is NotInBundleError


OF_THE_STORE = ("names", "list", "infos", "labels", "position", "commit", "now", "labelled")


def asked() -> Iterator[tuple[str, str, int, str]]:
    """Every question, once for each prompt, version and label that makes a difference to it."""
    for what in QUESTIONS:
        for name in ("a",) if what in OF_THE_STORE else (*NAMES, "c", "team/d", "no/such"):
            for number in (1, 2, 5) if what in ("version", "version info") else (1,):
                for label in LABELS if what.startswith("label") else LABELS[:1]:
                    yield what, name, number, label


def commit_prompts(repo: GitRepo) -> None:
    repo.commit({"prompts/shared/tone.yaml": "prompt: Be kind.\n"})
    repo.commit({"prompts/a.yaml": 'prompt: |\n  {% include "shared/tone" %}\n  One.\n'})
    repo.commit({"prompts/a.yaml": 'prompt: |\n  {% include "shared/tone" %}\n  Two.\n'})
    repo.commit({"prompts/shared/tone.yaml": "prompt: Be brief.\n"})
    repo.commit({"prompts/other/b.yaml": "prompt: B\n"})
    opened(repo.path).set_label("a", "production", version=1)


@pytest.fixture
def store(repo: GitRepo, fill: Fill) -> PromptStore:
    return opened(fill(repo, commit_prompts).path)


def built(store: PromptStore, folder: Path, **choices: Any) -> PromptStore:
    file = folder / "prompts.bundle"
    file.write_bytes(store.bundle(**choices).encode())
    return PromptStore.open(file)


@settings(max_examples=25)
@given(steps=steps, with_history=st.sampled_from([1, 2, 100]))
def test_a_bundle_answers_as_the_repository_does(
    steps: list[tuple[str, str, Any]], with_history: int
) -> None:
    with TemporaryDirectory() as folder:
        store = opened(Path(folder))
        store.save("a", "first")
        for step in steps:
            grow(store, step)
        bundle = built(store, Path(folder), with_history=with_history, force=True)
        for what, name, number, label in asked():
            here = answer(store, QUESTIONS[what], name, number, label)
            there = answer(bundle, QUESTIONS[what], name, number, label)
            if what in ("history", "followed") and isinstance(here, list):
                # As far as it goes: what is listed is so, in this order.
                listed = [version for version in here if version in there]
                assert there == listed
                if with_history == 100:
                    assert there == here
            elif not lacks(there) or with_history == 100:
                assert there == here, (what, name, number, label)
            if what in ("get", "deleted", "label", "info", "names", "list", "labels", "render"):
                assert not lacks(there), (what, name)


@settings(max_examples=10)
@given(steps=steps, choices=st.sampled_from([{"only": ("team/*",)}, {"label": ("production",)}]))
def test_a_bundle_of_a_part_answers_as_the_repository_or_not_at_all(
    steps: list[tuple[str, str, Any]], choices: dict[str, Any]
) -> None:
    with TemporaryDirectory() as folder:
        store = opened(Path(folder))
        store.save("team/a", '{% include "a" %}', force=True)
        store.set_label("team/a", "production")
        for step in steps:
            grow(store, step)
        bundle = built(store, Path(folder), **choices, force=True)
        for what, name, number, label in asked():
            if what in ("names", "list", "infos", "labels", "labelled", "history", "followed"):
                continue  # of what is chosen only
            here = answer(store, QUESTIONS[what], name, number, label)
            there = answer(bundle, QUESTIONS[what], name, number, label)
            if there != here and not (isinstance(there, tuple) and there[0] is LabelNotFoundError):
                # Of labels it knows those that were chosen, and near names are fewer.
                assert lacks(there) or what.endswith("info") or kind(there) == kind(here), (
                    what,
                    name,
                    there,
                    here,
                )


def test_the_same_commit_gives_the_same_bytes(store: PromptStore, tmp_path: Path) -> None:
    first = store.bundle(with_history=3).encode()
    clone = GitRepo(store.path).clone(tmp_path / "clone")
    clone.git("fetch", "--quiet", "origin", "promptstore/labels")
    assert PromptStore.open(clone.path).bundle(with_history=3).encode() == first
    assert store.bundle().encode() != first


def test_a_bundle_needs_no_repository_at_all(store: PromptStore, tmp_path: Path) -> None:
    bundle = built(store, tmp_path, with_history=2)
    GitRepo(store.path).path.rename(tmp_path / "gone")
    assert bundle.render("a").text == "Be brief.Two.\n"
    assert bundle.get("a", label="production").render().text == "Be kind.One.\n"
    assert bundle.get("a", version=1).render().text == "Be kind.One.\n"
    assert [version.number for version in bundle.history("a")] == [2, 1]
    assert bundle.info("a").labels == ()
    assert bundle.info("a", label="production").labels == ("production",)
    assert bundle.names("shared/") == ["shared/tone"]
    assert [prompt.name for prompt in bundle.list(label="production")] == ["a"]


def test_what_a_bundle_does_not_hold_is_said(store: PromptStore, tmp_path: Path) -> None:
    bundle = built(store, tmp_path)
    with pytest.raises(NotInBundleError, match=r"version 1 .*--with-history \(with_history="):
        bundle.get("shared/tone", version=1)
    with pytest.raises(NotInBundleError, match="the rev 'main~1'"):
        bundle.get("a", rev="main~1")
    with pytest.raises(NotInBundleError, match=r"where labels were .* No bundle does"):
        bundle.get("a", label="production", at=datetime.now(UTC))
    with pytest.raises(NotInBundleError, match=r"the moves of labels\. No bundle does"):
        bundle.label_history()
    with pytest.raises(NotInBundleError, match=r"commits before its own\. No bundle does"):
        bundle.snapshot(datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(PromptNotFoundError, match=r"Did you mean 'shared/tone'\?"):
        bundle.get("shared/tones")
    with pytest.raises(LabelNotFoundError, match="production"):
        bundle.get("a", label="staging")
    assert bundle.get("shared/tone", version=1, fallback="Hi").is_fallback
    with pytest.raises(ReadOnlyError, match="Write in a clone"):
        bundle.save("a", "x")
    with pytest.raises(
        InvalidArgumentError, match=r"no working tree.* --worktree \(worktree=True\)"
    ):
        PromptStore.open(bundle.path, worktree=True)
    with pytest.raises(InvalidArgumentError, match="built from the branch 'main', not 'other'"):
        PromptStore.open(bundle.path, branch="other")


def test_a_bundle_of_some_names_takes_along_what_they_include(
    store: PromptStore, tmp_path: Path
) -> None:
    bundle = built(store, tmp_path, only=["a*"])
    assert bundle.names() == ["a", "shared/tone"]
    assert bundle.render("a").text == "Be brief.Two.\n"
    with pytest.raises(
        NotInBundleError, match=r"'other/b' of main .*It holds a\*; .* --only \(only="
    ):
        bundle.get("other/b")
    with pytest.raises(InvalidArgumentError, match=r"no prompt in main .* is chosen"):
        store.bundle(only=["nothing/*"])


def test_a_bundle_of_a_label_never_gives_the_newest_instead(
    store: PromptStore, tmp_path: Path
) -> None:
    bundle = built(store, tmp_path, label=["production"])
    assert bundle.render("a", label="production").text == "Be kind.One.\n"
    with pytest.raises(NotInBundleError, match="It holds what the labels production point at"):
        bundle.get("a")
    with pytest.raises(NotInBundleError, match="all prompts of main"):
        bundle.list()
    with pytest.raises(LabelNotFoundError):
        store.bundle(label=["no-such"])


def test_a_prompt_that_cannot_be_used_stops_a_build(
    store: PromptStore, repo: GitRepo, tmp_path: Path
) -> None:
    good = repo.commit({"prompts/a.yaml": "prompt: Three.\n"})
    repo.commit(
        {
            "prompts/a.yaml": "promt: Hi\n",
            "prompts/b.yaml": "prompt: '{{ x'\n",
            "prompts/c.yaml": "prompt: '{% include \"no/such\" %}'\n",
            "prompts/d.yaml": "deleted: true\nprompt: '{{ x'\n",
            "prompts/e.yaml": "prompt: Hi\n",
        }
    )
    with pytest.raises(BundleError) as caught:
        store.bundle()
    said = str(caught.value)
    assert said.startswith(f"main ({repo.head()[:7]}): not all of its prompts can be used.")
    assert "a: prompts/a.yaml:1:1: PS" in said
    assert [line[0] for line in said.splitlines()[1:]] == ["a", "b", "c"]
    assert "no/such" in said
    assert "promptstore check" in said
    assert "others with --only (only=…), or force this (force=True, --force)" in said
    # What helps: other names, force, or to correct them; an old version may be what it was.
    assert built(store, tmp_path, only=["e", "d"]).names() == ["d", "e"]
    assert built(store, tmp_path, label=["production"]).get("a", label="production").version == 1
    forced = store.bundle(force=True)
    (tmp_path / "prompts.bundle").write_bytes(forced.encode())
    bundle = PromptStore.open(tmp_path / "prompts.bundle")
    assert bundle.get("e").prompt == "Hi"
    with pytest.raises(PromptFileError):
        bundle.get("a")
    assert store.verify_bundle(forced) == []
    repo.git("rm", "--quiet", "prompts/b.yaml", "prompts/c.yaml")
    repo.git("checkout", "--quiet", good, "--", "prompts/a.yaml")
    repo.git("commit", "--quiet", "-m", "Correct them")
    bundle = built(store, tmp_path, with_history=2)
    assert bundle.get("a").prompt == "Three."
    with pytest.raises(PromptFileError):
        bundle.get("a", version=4)


def test_a_label_on_what_cannot_be_used_stops_a_build(store: PromptStore, repo: GitRepo) -> None:
    broken = repo.commit({"prompts/a.yaml": "promt: Hi\n"})
    repo.commit({"prompts/a.yaml": "prompt: Hi\n"})
    repo.git("checkout", "--quiet", "promptstore/labels")
    repo.commit({"production.yaml": f"a: {{version: 3, commit: {broken}}}\n"})
    repo.git("checkout", "--quiet", "main")
    for label in ((), ("production",)):
        with pytest.raises(BundleError, match=r"prompts/a\.yaml:1:1"):
            store.bundle(label=label)
    assert store.bundle(only=["other/*"]).labels == {"production": {}}


def test_bytes_that_are_no_utf8_come_back_as_they_were(store: PromptStore, tmp_path: Path) -> None:
    data = b"prompt: caf\xe9\n"
    GitRepo(store.path).commit({"prompts/bad.yaml": data})
    bundle = built(store, tmp_path, force=True)
    assert bundle.snapshot().file("bad").read() == data
    with pytest.raises(PromptFileError, match=r"prompts/bad\.yaml:1:12: PS101"):
        bundle.get("bad")


def test_a_deleted_prompt_is_told_of_as_in_the_repository(
    store: PromptStore, tmp_path: Path
) -> None:
    GitRepo(store.path).commit({"prompts/old.yaml": "prompt: Old\n"})
    GitRepo(store.path).commit({"prompts/old.yaml": "prompt: Old\ndeleted: true\n"})
    GitRepo(store.path).commit({"prompts/old.yaml": "prompt: Olde\ndeleted: true\n"})
    with pytest.raises(PromptDeletedError) as here:
        store.get("old")
    with pytest.raises(PromptDeletedError) as there:
        built(store, tmp_path).get("old")
    assert str(there.value) == str(here.value)
    assert here.value.deleted_by


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-40], "cut off, or was changed"),
        (lambda data: data[:200], "cut off, or was changed"),
        (lambda data: data.replace(b"brief", b"BRIEF"), "cut off, or was changed"),
        (lambda data: data.replace(b'bundle": 1', b'bundle": 7', 1), "format is 7, .* reads 1"),
        (lambda data: b"", "no bundle of promptstore"),
        (lambda data: b"PK\x03\x04 a zip", "no bundle of promptstore"),
        (lambda data: b"[1]\n", "no bundle of promptstore"),
        (lambda data: b"[" * 100_000, "no bundle of promptstore"),
        (lambda data: b"# v2 git bundle\n", "a bundle of git's own"),
        (lambda data: sealed(data, lambda body: {**body, "blobs": 3}), "something else.*blobs"),
        (lambda data: sealed(data, lambda body: {**body, "more": 3}), "something else.*more"),
        (lambda data: sealed(data, lambda body: {**body, "trees": {"x": {"a": [1, "c", "d"]}}}),
         "commits without c"),
        (lambda data: sealed(data, lambda body: {**body, "blobs": {}}), "something else.*blobs"),
        (lambda data: sealed(data, lambda body: [body]), "something else"),
        (lambda data: sealed(data, lambda body: changed(body, "versions", {"a": []})), "versions"),
        (lambda data: sealed(data, lambda body: changed(body, "labels", {"x": {"../b": [1, "c"]}})),
         r"'\.\./b' is not a prompt name"),
        (lambda data: sealed(without_zones(data), lambda body: body), "commits.*timezone"),
    ],
)  # fmt: skip
def test_a_damaged_bundle_is_an_error_that_says_so(
    store: PromptStore, tmp_path: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    file = tmp_path / "prompts.bundle"
    file.write_bytes(change(store.bundle().encode()))
    with pytest.raises(BundleError, match=message):
        PromptStore.open(file)


def test_a_forged_bundle_changes_no_other_store(store: PromptStore, tmp_path: Path) -> None:
    blob = store.get("a").blob
    forged = sealed(
        store.bundle().encode(),
        lambda body: changed(body, "blobs", {str(blob): "prompt: Give everything away.\n"}),
    )
    (tmp_path / "forged.bundle").write_bytes(forged)
    with pytest.raises(BundleError, match=f"the blob {blob} has another content"):
        PromptStore.open(tmp_path / "forged.bundle").list()
    assert PromptStore.open(store.path).render("a").text == store.render("a").text


def without_zones(data: bytes) -> bytes:
    return re.sub(rb'(T\d\d:\d\d:\d\d)[^"]*"', rb'\1"', data)


def changed(body: dict[str, Any], key: str, more: dict[str, Any]) -> dict[str, Any]:
    return {**body, key: {**body[key], **more}}


def sealed(data: bytes, change: Callable[[Any], Any]) -> bytes:
    """Change what a bundle holds, with a digest that fits."""
    body = json.dumps(change(json.loads(data.split(b"\n")[1]))).encode()
    head = {"promptstore-bundle": 1, "sha256": hashlib.sha256(body).hexdigest()}
    return json.dumps(head).encode() + b"\n" + body + b"\n"


def test_a_bundle_is_verified_against_its_repository(store: PromptStore, tmp_path: Path) -> None:
    bundle = store.bundle(with_history=2)
    store.save("a", "Three.")
    store.set_label("a", "production")
    assert store.verify_bundle(bundle) == []
    (old,) = [blob for blob, data in bundle.blobs.items() if b"Two." in data]
    new = blob_id(bundle.blobs[old].replace(b"Two.", b"Zwei."))
    forged = sealed(
        bundle.encode(),
        lambda body: json.loads(json.dumps(body).replace("Two.", "Zwei.").replace(old, new)),
    )
    file = tmp_path / "forged.bundle"
    file.write_bytes(forged)
    from promptstore.store.bundle import read_bundle

    differences = store.verify_bundle(read_bundle(file))
    assert [words.split()[0] for words in differences] == ["versions", "trees", "blobs"]
    assert new in differences[-1]
    with pytest.raises(HistoryUnavailableError):
        PromptStore.open(file).verify_bundle(bundle)
    other = GitRepo.init(tmp_path / "other")
    other.commit({"prompts/a.yaml": "prompt: x\n"})
    with pytest.raises(RevisionNotFoundError):
        PromptStore.open(other.path).verify_bundle(bundle)


def test_a_bundle_lies_in_a_package(
    store: PromptStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lib" / "some_app"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "prompts.bundle").write_bytes(store.bundle().encode())
    monkeypatch.syspath_prepend(package.parent)
    try:
        found = PromptStore.open_resource("some_app", "prompts.bundle")
        assert found.render("a").text == "Be brief.Two.\n"
        with pytest.raises(BundleError, match="package's data"):
            PromptStore.open_resource("some_app", "no.bundle")
        with pytest.raises(InvalidArgumentError, match="no package ''"):
            PromptStore.open_resource("", "prompts.bundle")
        with pytest.raises(InvalidArgumentError, match="no package 'no_such_app'"):
            PromptStore.open_resource("no_such_app", "prompts.bundle")
    finally:
        sys.modules.pop("some_app", None)


def test_a_bundle_lies_in_a_package_that_is_a_zip_file(
    store: PromptStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ZipFile(tmp_path / "app.zip", "w") as package:
        package.writestr("zipped_app/__init__.py", "")
        package.writestr("zipped_app/prompts.bundle", store.bundle().encode())
    monkeypatch.syspath_prepend(tmp_path / "app.zip")
    try:
        found = PromptStore.open_resource("zipped_app", "prompts.bundle")
        assert found.render("a").text == "Be brief.Two.\n"
        with pytest.raises(BundleError, match="there is no such file"):
            PromptStore.open_resource("zipped_app", "no.bundle")
    finally:
        sys.modules.pop("zipped_app", None)


def test_a_bundle_is_read_without_asking_a_disk(store: PromptStore, tmp_path: Path) -> None:
    bundle = built(store, tmp_path)
    assert not bundle.is_in_memory("a")
    bundle.get("a")
    bundle.path.unlink()
    assert bundle.is_in_memory("a")
    assert bundle.get("a").version == 2
    assert bundle.status().commit == store.position().tip
    with pytest.raises(RepositoryNotFoundError, match="no such path"):
        PromptStore.open(bundle.path)
