"""Random work on a store against a plain model of it: after each step every read agrees."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from promptstore.errors import (
    LabelNotFoundError,
    PromptDeletedError,
    PromptNotFoundError,
    VersionNotFoundError,
)
from promptstore.model.prompt import Prompt
from promptstore.promptfile.writer import dumps
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.writing.conftest import assert_tidy, configure

NAMES = st.sampled_from(["a", "b/c"])
TEXTS = st.sampled_from(["Hi", "Hello {{ name }}", "two\nlines\n", "- {a: b}", "yes", "été"])
LABELS = st.sampled_from(["production", "staging"])
NUMBERS = st.integers(min_value=1, max_value=6)


@dataclass(frozen=True)
class File:
    """What a file of the model says.

    Attributes:
        text: The text of the prompt.
        comment: The comment at its top, or an empty text.
        deleted: Whether the prompt is tombstoned.
        reason: Why it is.
    """

    text: str
    comment: str = ""
    deleted: bool = False
    reason: str | None = None

    @property
    def alive(self) -> File:
        return replace(self, deleted=False, reason=None)


@dataclass
class Model:
    """A store as plain dicts.

    Attributes:
        versions: The files by version, by prompt name; None where the file was removed.
        labels: The version by prompt name, by label.
    """

    versions: dict[str, list[File | None]] = field(default_factory=dict)
    labels: dict[str, dict[str, int]] = field(default_factory=dict)

    def file(self, name: str) -> File | None:
        return self.versions.get(name, [None])[-1]

    def put(self, name: str, file: File | None) -> bool:
        """Make a new version unless nothing changes, and tell whether there is one."""
        if file == self.file(name):
            return False
        self.versions.setdefault(name, []).append(file)
        return True

    def labels_of(self, name: str, number: int) -> tuple[str, ...]:
        return tuple(sorted(key for key, to in self.labels.items() if to.get(name) == number))


class StoreMachine(RuleBasedStateMachine):
    """A repository, a store that writes to it, and the model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.repo = configure(GitRepo.init(Path(self.folder.name) / "repo"))
        self.store = PromptStore.open(self.repo.path)
        self.model = Model()

    def teardown(self) -> None:
        assert_tidy(self.repo)
        self.folder.cleanup()

    @rule(name=NAMES, text=TEXTS)
    def save(self, name: str, text: str) -> None:
        before = self.model.file(name)
        saved = self.store.save(name, Prompt(prompt=text))
        changed = self.model.put(name, File(text, before.comment if before else ""))
        assert saved.is_unchanged is not changed
        assert saved.version == len(self.model.versions[name])

    @rule(edits=st.dictionaries(NAMES, TEXTS, min_size=2))
    def save_many(self, edits: dict[str, str]) -> None:
        self.store.commit({name: Prompt(prompt=text) for name, text in edits.items()})
        for name, text in edits.items():
            before = self.model.file(name)
            self.model.put(name, File(text, before.comment if before else ""))

    @rule(name=NAMES, reason=st.sampled_from([None, "Old.", "Unused."]))
    def delete(self, name: str, reason: str | None) -> None:
        before = self.model.file(name)
        if before is None:
            with pytest.raises(PromptNotFoundError):
                self.store.delete(name)
            return
        gone = self.store.delete(name, reason=reason)
        wanted = replace(before, deleted=True, reason=reason or before.reason)
        assert gone.deleted
        assert gone.is_unchanged is not self.model.put(name, wanted)

    @rule(name=NAMES)
    def restore(self, name: str) -> None:
        versions = self.model.versions.get(name)
        if versions is None:
            with pytest.raises(PromptNotFoundError):
                self.store.restore(name)
            return
        last = versions[-1] or versions[-2]
        assert last is not None
        back = self.store.restore(name)
        assert back.is_unchanged is not self.model.put(name, last.alive)

    @rule(name=NAMES, number=NUMBERS)
    def restore_version(self, name: str, number: int) -> None:
        versions = self.model.versions.get(name)
        if versions is None:
            with pytest.raises(PromptNotFoundError):
                self.store.restore(name, version=number)
            return
        old = versions[number - 1] if number <= len(versions) else None
        if old is None:
            with pytest.raises(VersionNotFoundError):
                self.store.restore(name, version=number)
            return
        back = self.store.restore(name, version=number)
        if not back.is_unchanged and old.alive == self.model.file(name):
            # The file comes back as it was then, where the same text may be laid out otherwise.
            versions.append(old.alive)
            return
        assert back.is_unchanged is not self.model.put(name, old.alive)

    @rule(name=NAMES, label=LABELS, number=NUMBERS | st.none())
    def set_label(self, name: str, label: str, number: int | None) -> None:
        versions = self.model.versions.get(name, [None])
        at = len(versions) if number is None else number
        there = versions[at - 1] if at <= len(versions) else None
        if there is None or there.deleted:
            with pytest.raises((PromptNotFoundError, VersionNotFoundError)):
                self.store.set_label(name, label, version=number)
            return
        pointed = self.store.set_label(name, label, version=number)
        self.model.labels.setdefault(label, {})[name] = at
        assert (pointed.prompt, pointed.version) == (there.text, at)

    @rule(name=NAMES, label=LABELS)
    def remove_label(self, name: str, label: str) -> None:
        if name not in self.model.labels.get(label, {}):
            with pytest.raises(LabelNotFoundError):
                self.store.remove_label(name, label)
            return
        self.store.remove_label(name, label)
        del self.model.labels[label][name]

    @rule(name=NAMES, text=TEXTS, comment=st.sampled_from(["", "# by hand"]))
    def commit_with_git(self, name: str, text: str, comment: str) -> None:
        first = f"{comment}\n" if comment else ""
        data = first + dumps(Prompt(prompt=text))
        before = self.on_disk(name)
        self.repo.commit({f"prompts/{name}.yaml": data}, "By hand")
        self.put_if_changed(name, File(text, comment), before)

    @rule(name=NAMES)
    def remove_with_git(self, name: str) -> None:
        if self.model.file(name) is not None:
            self.repo.commit({f"prompts/{name}.yaml": None}, "Gone")
            self.model.put(name, None)

    @precondition(lambda self: any(self.model.versions.values()))
    @rule(theirs=st.dictionaries(NAMES, TEXTS, min_size=1), ours=st.tuples(NAMES, TEXTS))
    def merge(self, theirs: dict[str, str], ours: tuple[str, str]) -> None:
        """A branch that changes each prompt twice makes one version of each, at the merge."""
        self.repo.git("branch", "side")
        side = PromptStore.open(self.repo.path, branch="side")
        for rough in ("rough", ""):
            for name, text in theirs.items():
                side.save(name, Prompt(prompt=text + rough))
        name, text = ours
        if name not in theirs:
            self.save(name, text)
        files = {name: self.on_disk(name) for name in theirs}
        self.repo.git("merge", "--quiet", "--no-ff", "--no-edit", "side")
        self.repo.git("branch", "--quiet", "-D", "side")
        for name, text in theirs.items():
            before = self.model.file(name)
            file = File(text, before.comment if before else "")
            self.put_if_changed(name, file, files[name])

    def on_disk(self, name: str) -> bytes | None:
        path = self.repo.path / f"prompts/{name}.yaml"
        return path.read_bytes() if path.exists() else None

    def put_if_changed(self, name: str, file: File, before: bytes | None) -> None:
        """Make a new version where git sees one: the same text may be laid out otherwise."""
        if self.on_disk(name) != before:
            self.model.versions.setdefault(name, []).append(file)

    @rule()
    def reopen(self) -> None:
        self.store = PromptStore.open(self.repo.path)

    @invariant()
    def every_read_agrees(self) -> None:
        self.reads_of_the_newest()
        for name in self.model.versions:
            self.reads_of_versions(name)
        for label in ("production", "staging"):
            self.reads_of_a_label(label)

    def reads_of_the_newest(self) -> None:
        files = {name: self.model.file(name) for name in self.model.versions}
        present = {name: file for name, file in files.items() if file is not None}
        alive = {name: file.text for name, file in present.items() if not file.deleted}
        assert self.store.names() == sorted(present)
        assert {found.name: found.prompt for found in self.store.list()} == alive
        assert [found.name for found in self.store.list(deleted=True)] == sorted(present)
        assert dict(self.store.snapshot()).keys() == alive.keys()
        for name, file in files.items():
            if file is None:
                with pytest.raises(PromptNotFoundError):
                    self.store.get(name)
                continue
            if file.deleted:
                with pytest.raises(PromptDeletedError):
                    self.store.get(name)
            got = self.store.get(name, deleted=True)
            assert (got.prompt, got.deleted) == (file.text, file.deleted)
            assert (got.deleted_reason, got.replaced_by) == (file.reason, None)
            assert got.version == len(self.model.versions[name])

    def reads_of_versions(self, name: str) -> None:
        versions = list(enumerate(self.model.versions[name], 1))
        told = [(v.number, v.deleted, v.labels) for v in reversed(self.store.history(name))]
        assert told == [
            (number, file is None or file.deleted, self.model.labels_of(name, number))
            for number, file in versions
        ]
        for number, file in versions:
            if file is None:
                with pytest.raises(VersionNotFoundError):
                    self.store.get(name, version=number)
                continue
            got = self.store.get(name, version=number)
            assert (got.prompt, got.deleted, got.version) == (file.text, file.deleted, number)

    def reads_of_a_label(self, label: str) -> None:
        targets = self.model.labels.get(label, {})
        for name in self.model.versions:
            if name not in targets:
                with pytest.raises(LabelNotFoundError):
                    self.store.get(name, label=label)
        if targets:
            listed = {found.name: found for found in self.store.list(label=label)}
            assert {name: found.version for name, found in listed.items()} == targets
            assert {name: found.prompt for name, found in listed.items()} == dict(
                self.labelled_texts(targets)
            )

    def labelled_texts(self, targets: dict[str, int]) -> Iterator[tuple[str, str]]:
        for name, number in targets.items():
            file = self.model.versions[name][number - 1]
            assert file is not None
            yield name, file.text


def test_the_store_is_its_model() -> None:
    run_state_machine_as_test(
        StoreMachine, settings=settings(max_examples=15, stateful_step_count=20)
    )


@pytest.mark.slow
def test_the_store_is_its_model_at_length() -> None:
    run_state_machine_as_test(
        StoreMachine, settings=settings(max_examples=100, stateful_step_count=40)
    )
