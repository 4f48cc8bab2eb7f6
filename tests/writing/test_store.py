"""Saving, deleting and restoring prompts, with git itself as the second opinion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from promptstore.errors import (
    ConflictError,
    HistoryUnavailableError,
    InvalidArgumentError,
    InvalidNameError,
    PromptDeletedError,
    PromptFileError,
    PromptNotFoundError,
    ReadOnlyError,
    RepositoryError,
    RevisionNotFoundError,
    TemplateSyntaxError,
    VersionNotFoundError,
)
from promptstore.model.parts import Message
from promptstore.model.prompt import Prompt
from promptstore.store.edits import Deletion, Restoration
from promptstore.store.store import PromptStore
from tests.gitrepo import AUTHOR, GitRepo
from tests.writing.conftest import assert_tidy

PERSON = "Bob Example <bob@example.com>"
HI = Prompt(prompt="Hi {{ name }}")
HELLO = Prompt(prompt="Hello {{ name }}")
COMMENTED = """\
# What everybody reads first.
prompt: |
  Hi {{ name }}
  and welcome.
config: {temperature: 0.2}  # low on purpose
"""


class TestSave:
    def test_the_first_commit_of_an_empty_repository(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        saved = store.save("support/greet", HI)
        assert (saved.name, saved.version, saved.commit) == ("support/greet", 1, repo.head())
        assert not saved.is_unchanged
        assert saved == store.get("support/greet")
        assert repo.git("show", "HEAD:prompts/support/greet.yaml") == "prompt: Hi {{ name }}"
        assert repo.git("log", "--format=%an <%ae>|%cn|%s|%b") == (
            "Ada Example <ada@example.com>|Ada Example|Create support/greet|"
        )
        assert_tidy(repo)

    def test_only_the_changed_lines_are_in_the_diff(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        repo.commit({"prompts/greet.yaml": COMMENTED, "other.txt": "x\n"})
        prompt = store.get("greet")
        saved = store.save("greet", replace(prompt, prompt="Hi {{ name }}\nand hello.\n"))
        assert saved.version == 2
        assert repo.git("diff", "HEAD~", "--unified=0", "--format=").splitlines()[4:] == [
            "@@ -4 +4 @@ prompt: |",
            "-  and welcome.",
            "+  and hello.",
        ]
        assert_tidy(repo)

    def test_what_says_the_same_makes_no_commit(self, store: PromptStore, repo: GitRepo) -> None:
        repo.commit({"prompts/greet.yaml": COMMENTED})
        head = repo.head()
        again = store.save("greet", store.get("greet"))
        assert again.is_unchanged
        assert (again.version, again.commit) == (1, head)
        assert repo.head() == head

    def test_versions_that_are_asked_for_late_are_those_of_each_save(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        saved = [store.save("greet", Prompt(prompt=f"{number}\n")) for number in range(5)]
        store.delete("greet")
        assert [prompt.version for prompt in saved] == [1, 2, 3, 4, 5]
        assert [prompt.commit for prompt in reversed(saved)] == repo.versions(
            "prompts/greet.yaml", "main~"
        )

    def test_the_bytes_of_a_file_are_kept(self, store: PromptStore, repo: GitRepo) -> None:
        data = COMMENTED.replace("\n", "\r\n").encode()
        store.save("greet", data)
        assert (repo.path / "prompts/greet.yaml").read_bytes() == data
        assert store.save("greet", data).is_unchanged

    def test_a_broken_file_is_mended(self, store: PromptStore, repo: GitRepo) -> None:
        repo.commit({"prompts/greet.yaml": "promt: x\n"})
        assert store.save("greet", HI).version == 2
        assert store.get("greet").prompt == HI.prompt

    @pytest.mark.parametrize(
        ("prompt", "error", "message"),
        [
            (Prompt(prompt="{% if %}"), TemplateSyntaxError, "greet: line 1 of the template"),
            (Prompt(messages=(Message("user", "{{"),)), TemplateSyntaxError, "greet: line 1"),
            (b"promt: x\n", PromptFileError, r"prompts/greet\.yaml:1:1: PS"),
            (b"prompt: '{% if %}'\n", TemplateSyntaxError, "greet"),
        ],
        ids=repr,
    )
    def test_what_is_no_prompt_is_refused(
        self,
        store: PromptStore,
        repo: GitRepo,
        prompt: Prompt | bytes,
        error: type[Exception],
        message: str,
    ) -> None:
        repo.commit({"prompts/greet.yaml": COMMENTED})
        head = repo.head()
        with pytest.raises(error, match=message):
            store.save("greet", prompt)
        assert repo.head() == head
        assert_tidy(repo)

    @pytest.mark.parametrize("name", ["", "../out", "a//b", ".git/config", "a\\b", "ä"])
    def test_a_name_cannot_leave_the_root(self, store: PromptStore, name: str) -> None:
        with pytest.raises(InvalidNameError):
            store.save(name, HI)

    def test_a_name_must_not_differ_in_case_only(self, store: PromptStore) -> None:
        store.save("Support/greet", HI)
        with pytest.raises(InvalidArgumentError, match="'Support/greet' in letter case only"):
            store.save("support/Greet", HI)

    def test_a_file_is_no_folder(self, store: PromptStore, repo: GitRepo) -> None:
        store.save("greet", HI)
        with pytest.raises(ConflictError, match=r"prompts/greet\.yaml is a file"):
            store.save("greet.yaml/inside", HI)
        repo.commit({"prompts/folder.yaml/x.txt": "x"})
        with pytest.raises(ConflictError, match="is no regular file in git"):
            store.save("folder", HI)
        assert_tidy(repo)

    def test_a_symbolic_link_is_not_followed(self, store: PromptStore, repo: GitRepo) -> None:
        (repo.path / "prompts").mkdir()
        (repo.path / "prompts/link.yaml").symlink_to("/etc/hostname")
        repo.git("add", ".")
        repo.git("commit", "--quiet", "-m", "link")
        with pytest.raises(ConflictError, match="is no regular file"):
            store.save("link", HI)

    def test_the_mode_stays(self, store: PromptStore, repo: GitRepo) -> None:
        file = repo.write("prompts/greet.yaml", "prompt: x\n")
        file.chmod(0o755)
        repo.commit({})
        repo.git("add", ".")
        repo.git("commit", "--quiet", "-m", "x")
        store.save("greet", HI)
        assert repo.git("ls-tree", "HEAD", "prompts/greet.yaml").startswith("100755")
        assert file.stat().st_mode & 0o777 == 0o755
        assert_tidy(repo)

    def test_neighbours_with_odd_names_stay(self, store: PromptStore, repo: GitRepo) -> None:
        repo.git(
            "fast-import",
            "--quiet",
            stdin=b"commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 1\nx\n"
            b'M 100644 inline "prompts/\\377.txt"\ndata 1\nx\n',
        )
        repo.git("reset", "--hard", "--quiet")
        store.save("greet", HI)
        assert repo.git("ls-tree", "HEAD:prompts").count("\n") == 1
        assert_tidy(repo)

    def test_a_root_at_the_top(self, repo: GitRepo) -> None:
        store = PromptStore.open(repo.path, root=".")
        assert store.save("greet", HI).version == 1
        assert repo.git("ls-files") == "greet.yaml"


class TestWhoAndWhy:
    def test_the_call_decides(self, store: PromptStore, repo: GitRepo) -> None:
        store.save(
            "greet",
            HI,
            author="Grace Hopper <grace@example.com>",
            committer="Bot <bot@example.com>",
            message="Greet by name  \n\nBecause it is polite.\n",
            trailers={"Ticket": "PRM-7", "Reviewed-by": "Ada <ada@example.com>"},
        )
        assert repo.git("log", "--format=%an <%ae>|%cn <%ce>") == (
            "Grace Hopper <grace@example.com>|Bot <bot@example.com>"
        )
        assert repo.git("log", "--format=%B") == (
            "Greet by name\n\nBecause it is polite.\n\n"
            "Ticket: PRM-7\nReviewed-by: Ada <ada@example.com>"
        )
        parsed = repo.git("log", "--format=%(trailers:key=Ticket,valueonly)")
        assert parsed.strip() == "PRM-7"
        assert "promptstore: Greet by name" in repo.git("reflog")

    def test_the_environment_comes_before_the_configuration(
        self, store: PromptStore, repo: GitRepo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GIT_AUTHOR_NAME", "Grace")
        monkeypatch.setenv("GIT_COMMITTER_EMAIL", "bot@example.com")
        store.save("greet", HI)
        assert repo.git("log", "--format=%an <%ae>|%cn <%ce>") == (
            "Grace <ada@example.com>|Ada Example <bot@example.com>"
        )

    def test_nobody_is_an_error(self, store: PromptStore, repo: GitRepo) -> None:
        repo.git("config", "--unset", "user.name")
        with pytest.raises(RepositoryError, match=r"git config user\.name NAME"):
            store.save("greet", HI)
        store.save("greet", HI, author="Grace <grace@example.com>")
        assert repo.git("log", "--format=%cn") == "Grace"

    @pytest.mark.parametrize(
        "person", ["Ada", "ada@example.com", "<a@b>", "A <>", "A <a@b>\nx", "A <b> <c>"]
    )
    def test_a_person_is_written_as_git_does(self, store: PromptStore, person: str) -> None:
        with pytest.raises(InvalidArgumentError, match="'Name <email>'"):
            store.save("greet", HI, author=person)

    @pytest.mark.parametrize(
        ("note", "message"),
        [
            ({"message": " \n "}, "needs a message"),
            ({"message": "a\0b"}, "without NUL"),
            ({"message": "a\ud800"}, "UTF-8"),
            ({"trailers": {"a b": "c"}}, "'a b' cannot be the key"),
            ({"trailers": {"a": "b\nc"}}, "one line"),
            ({"trailers": {"a": " "}}, "one line"),
        ],
        ids=repr,
    )
    def test_a_message_that_git_could_not_hold(
        self, store: PromptStore, note: dict[str, object], message: str
    ) -> None:
        with pytest.raises(InvalidArgumentError, match=message):
            store.save("greet", HI, **note)  # type: ignore[arg-type]

    def test_trailers_join_those_that_are_there(self, store: PromptStore, repo: GitRepo) -> None:
        store.save("greet", HI, message="Greet\n\nTicket: 1", trailers={"Other": "2"})
        assert repo.git("log", "--format=%B") == "Greet\n\nTicket: 1\nOther: 2"


class TestDelete:
    def test_a_tombstone_keeps_the_text(self, store: PromptStore, repo: GitRepo) -> None:
        repo.commit({"prompts/greet.yaml": COMMENTED, "prompts/new.yaml": "prompt: x\n"})
        gone = store.delete("greet", reason="Nobody reads it.", replaced_by="new")
        assert (gone.version, gone.deleted, gone.replaced_by) == (2, True, "new")
        assert repo.git("show", "HEAD:prompts/greet.yaml") == (
            COMMENTED + "deleted: true\ndeleted_reason: Nobody reads it.\nreplaced_by: new"
        )
        assert repo.git("log", "-1", "--format=%s") == "Delete greet"
        with pytest.raises(PromptDeletedError, match="Use 'new' instead"):
            store.get("greet")
        assert_tidy(repo)

    def test_twice_is_once(self, store: PromptStore) -> None:
        store.save("greet", HI)
        store.delete("greet", reason="Old.")
        again = store.delete("greet")
        assert again.is_unchanged
        assert (again.version, again.deleted_reason) == (2, "Old.")
        assert store.delete("greet", reason="Very old.").version == 3

    def test_what_is_not_there(self, store: PromptStore) -> None:
        store.save("greet", HI)
        with pytest.raises(PromptNotFoundError, match="Did you mean 'greet'"):
            store.delete("gret")


class TestRestore:
    def test_takes_the_tombstone_off(self, store: PromptStore, repo: GitRepo) -> None:
        repo.commit({"prompts/greet.yaml": COMMENTED})
        store.delete("greet", reason="Old.")
        back = store.restore("greet")
        assert (back.version, back.deleted, back.deleted_reason) == (3, False, None)
        assert repo.git("show", "HEAD:prompts/greet.yaml") + "\n" == COMMENTED
        assert repo.git("log", "-1", "--format=%s") == "Restore greet"
        assert store.restore("greet").is_unchanged

    def test_an_old_text_becomes_the_newest_to_the_byte(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        repo.commit({"prompts/greet.yaml": COMMENTED})
        store.save("greet", HELLO)
        back = store.restore("greet", version=1)
        assert back.version == 3
        assert repo.git("show", "HEAD:prompts/greet.yaml") + "\n" == COMMENTED
        assert repo.git("log", "-1", "--format=%s") == "Restore greet to version 1"

    def test_a_version_that_was_a_tombstone_comes_back_alive(self, store: PromptStore) -> None:
        store.save("greet", HI)
        store.delete("greet")
        store.save("greet", HELLO)
        assert store.restore("greet", version=2).prompt == HI.prompt

    def test_a_file_that_was_removed(self, store: PromptStore, repo: GitRepo) -> None:
        store.save("greet", HI)
        repo.commit({"prompts/greet.yaml": None})
        back = store.restore("greet")
        assert (back.version, back.prompt) == (3, HI.prompt)
        assert_tidy(repo)

    def test_what_there_never_was(self, store: PromptStore) -> None:
        for version in (None, 1):
            with pytest.raises(PromptNotFoundError, match="no commits yet"):
                store.restore("greet", version=version)
        store.save("greet", HI)
        with pytest.raises(PromptNotFoundError):
            store.restore("greet2")
        with pytest.raises(PromptNotFoundError):
            store.restore("greet2", version=1)
        with pytest.raises(VersionNotFoundError, match="its only version is 1"):
            store.restore("greet", version=2)


class TestCommit:
    def test_many_in_one_commit(self, store: PromptStore, repo: GitRepo) -> None:
        store.save("old", HI)
        store.save("gone", HI)
        store.delete("gone")
        store.save("same", HI)
        before = repo.head()
        written = store.commit(
            {
                "a/new": HELLO,
                "old": Deletion(replaced_by="a/new"),
                "gone": Restoration(),
                "same": HI,
                "raw": b"prompt: raw # with a comment\n",
            }
        )
        assert repo.git("rev-parse", "HEAD~") == before
        assert {name: (p.version, p.is_unchanged) for name, p in written.items()} == {
            "a/new": (1, False),
            "old": (2, False),
            "gone": (3, False),
            "same": (1, True),
            "raw": (1, False),
        }
        assert repo.git("log", "-1", "--format=%B") == (
            "Change 4 prompts\n\n- Create a/new\n- Delete old\n- Restore gone\n- Create raw"
        )
        assert_tidy(repo)

    def test_all_or_none(self, store: PromptStore, repo: GitRepo) -> None:
        store.save("a", HI)
        head = repo.head()
        with pytest.raises(PromptNotFoundError):
            store.commit({"b": HI, "nope": Deletion()})
        repo.write("prompts/c.yaml", "in the way")
        with pytest.raises(ConflictError):
            store.commit({"a": HELLO, "b": HI, "c": HI})
        assert repo.head() == head
        assert repo.git("status", "--porcelain") == "?? prompts/c.yaml"

    def test_nothing_to_commit(self, store: PromptStore) -> None:
        with pytest.raises(InvalidArgumentError, match="nothing to commit"):
            store.commit({})

    def test_a_base_that_is_out_of_date(self, store: PromptStore) -> None:
        store.save("a", HI)
        store.save("b", HI)
        base = store.snapshot()
        store.save("a", HELLO)
        with pytest.raises(ConflictError) as caught:
            store.commit({"a": Prompt(prompt="mine"), "b": HELLO}, base=base)
        assert caught.value.names == ("a",)
        assert store.commit({"b": HELLO}, base=base)["b"].version == 2

    def test_a_base_without_prompts_is_a_base(self, store: PromptStore) -> None:
        store.save("other", Prompt(prompt="x", deleted=True))
        base = store.snapshot()
        assert len(base) == 0
        store.save("a", HI)
        with pytest.raises(ConflictError):
            store.commit({"a": HELLO}, base=base)

    def test_a_draft_is_written_nowhere(self, store: PromptStore, repo: GitRepo) -> None:
        store.save("a", HI)
        draft = store.draft({"a": HELLO, "b": Prompt(prompt='{% include "a" %}!')})
        assert draft.render("b", {"name": "Ada"}).text == "Hello Ada!"
        assert (draft["a"].version, draft.names()) == (None, ["a", "b"])
        assert store.names() == ["a"]
        assert_tidy(repo)


class TestExpectedVersion:
    def test_must_be_the_newest(self, store: PromptStore) -> None:
        assert store.save("greet", HI, expected_version=0).version == 1
        assert store.save("greet", HELLO, expected_version=1).version == 2
        with pytest.raises(ConflictError, match="is at version 2 by now, and version 1 was") as e:
            store.save("greet", HI, expected_version=1)
        assert e.value.names == ("greet",)
        with pytest.raises(ConflictError, match="is at version 2 by now, and version 0 was"):
            store.save("greet", HI, expected_version=0)
        with pytest.raises(ConflictError, match="does not exist"):
            store.save("other", HI, expected_version=1)

    def test_counts_for_deleting_and_restoring_and_for_what_changes_nothing(
        self, store: PromptStore
    ) -> None:
        store.save("greet", HI)
        with pytest.raises(ConflictError):
            store.delete("greet", expected_version=2)
        with pytest.raises(ConflictError):
            store.save("greet", HI, expected_version=2)
        store.delete("greet", expected_version=1)
        with pytest.raises(ConflictError):
            store.restore("greet", expected_version=1)
        assert store.restore("greet", expected_version=2).version == 3

    def test_a_shallow_clone_knows_no_versions(
        self, store: PromptStore, repo: GitRepo, tmp_path: Path
    ) -> None:
        store.save("greet", HI)
        store.save("greet", HELLO)
        clone = repo.clone(tmp_path / "shallow", "--depth=1")
        shallow = PromptStore.open(clone.path)
        by = f"{AUTHOR[0]} <{AUTHOR[1]}>"
        with pytest.raises(HistoryUnavailableError, match="--unshallow"):
            shallow.save("greet", HI, expected_version=2, author=by)
        with pytest.raises(HistoryUnavailableError, match="--unshallow"):
            shallow.restore("greet", version=1, author=by)
        assert shallow.save("greet", HI, author=by).version is None
        assert_tidy(clone)


class TestBranches:
    def test_a_branch_that_is_not_checked_out(self, store: PromptStore, repo: GitRepo) -> None:
        store.save("greet", HI)
        repo.git("branch", "fix/greeting")
        side = PromptStore.open(repo.path, branch="fix/greeting")
        assert side.save("greet", HELLO).version == 2
        assert store.get("greet").version == 1
        assert (repo.path / "prompts/greet.yaml").read_text() == "prompt: Hi {{ name }}\n"
        assert_tidy(repo)

    def test_a_bare_repository(self, tmp_path: Path) -> None:
        bare = GitRepo.init(tmp_path / "bare.git", "--bare")
        store = PromptStore.open(bare.path)
        by = f"{AUTHOR[0]} <{AUTHOR[1]}>"
        assert store.save("a", HI, author=by).version == 1
        assert store.save("a", HELLO, author=by).version == 2
        assert bare.git("log", "--format=%s", "main") == "Update a\nCreate a"
        assert_tidy(bare)

    def test_a_detached_head(self, store: PromptStore, repo: GitRepo) -> None:
        store.save("greet", HI)
        repo.git("checkout", "--quiet", "--detach")
        with pytest.raises(ReadOnlyError, match="git switch BRANCH"):
            store.save("greet", HELLO)
        main = PromptStore.open(repo.path, branch="main")
        assert main.save("greet", HELLO).version == 2
        assert_tidy(repo)

    def test_a_tag_is_no_branch(self, store: PromptStore, repo: GitRepo) -> None:
        store.save("greet", HI)
        repo.git("tag", "v1")
        with pytest.raises(RevisionNotFoundError, match="no such branch"):
            PromptStore.open(repo.path, branch="v1").save("greet", HELLO)

    def test_a_plain_folder(self, tmp_path: Path) -> None:
        (tmp_path / "plain/prompts").mkdir(parents=True)
        with pytest.raises(ReadOnlyError, match="git init"):
            PromptStore.open(tmp_path / "plain").save("greet", HI)

    def test_a_branch_that_stands_for_another(self, store: PromptStore, repo: GitRepo) -> None:
        store.save("greet", HI)
        repo.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
        with pytest.raises(ReadOnlyError, match="stands for refs/heads/main"):
            PromptStore.open(repo.path, branch="alias").save("greet", HELLO)

    def test_files_on_disk_can_be_read_and_commits_made(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        store.save("greet", HI)
        repo.write("prompts/draft.yaml", "prompt: draft\n")
        disk = PromptStore.open(repo.path, worktree=True)
        assert disk.save("greet", HELLO).version == 2
        assert disk.get("greet").prompt == HELLO.prompt
        assert disk.names() == ["draft", "greet"]


class TestNewBranch:
    """A commit on a branch of its own, which is a proposal."""

    def test_the_commit_is_on_the_new_branch_and_nothing_else_moves(
        self, repo: GitRepo, store: PromptStore
    ) -> None:
        base = repo.commit({"prompts/greet.yaml": "prompt: Hi\n"})
        done = store.commit({"greet": "Hello"}, new_branch="propose/greet", author=PERSON)
        assert (repo.git("rev-parse", "propose/greet^"), repo.head()) == (base, base)
        assert repo.git("log", "-1", "--format=%an <%ae>: %s", "propose/greet") == (
            f"{PERSON}: Update greet"
        )
        assert (done["greet"].prompt, done["greet"].version) == ("Hello", 2)
        assert (repo.path / "prompts/greet.yaml").read_text() == "prompt: Hi\n"
        assert store.get("greet").prompt == "Hi"
        assert PromptStore.open(repo.path, branch="propose/greet").get("greet").prompt == "Hello"
        assert_tidy(repo)

    def test_it_begins_at_the_base_however_far_the_branch_has_come(
        self, repo: GitRepo, store: PromptStore
    ) -> None:
        first = repo.commit({"prompts/greet.yaml": "prompt: Hi\n"})
        base = store.snapshot()
        repo.commit({"prompts/greet.yaml": "prompt: Good day\n"})
        store.commit({"greet": "Hello"}, base=base, new_branch="mine")
        assert repo.git("rev-parse", "mine^") == first

    def test_in_a_repository_without_commits_it_is_the_first_one(
        self, repo: GitRepo, store: PromptStore
    ) -> None:
        store.commit({"greet": "Hello"}, new_branch="mine")
        assert repo.git("log", "--format=%s", "mine") == "Create greet"

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("main", "there is a branch 'main' already"),
            ("a b", "cannot be the name of a branch"),
            ("-d", "cannot be the name of a branch"),
            ("", "cannot be the name of a branch"),
            ("HEAD", "cannot be the name of a branch"),
            ("@", "cannot be the name of a branch"),
            ("refs/heads/main", "cannot be the name of a branch"),
            ("0" * 40, "cannot be the name of a branch"),
            ("a\0b", "cannot be the name of a branch"),
            ("promptstore/labels", "would take the place of promptstore/labels"),
            ("promptstore", "would take the place of promptstore/labels"),
            ("promptstore/labels/x", "would take the place of promptstore/labels"),
            ("x" * 5000, "at most 240 bytes"),
            ("a/" + "é" * 130, "at most 240 bytes"),
        ],
    )
    def test_a_name_that_is_taken_or_none_is_refused(
        self, repo: GitRepo, store: PromptStore, name: str, says: str
    ) -> None:
        repo.commit({"prompts/greet.yaml": "prompt: Hi\n"})
        with pytest.raises(ConflictError, match=says):
            store.commit({"greet": "Hello"}, new_branch=name)
        assert repo.git("branch", "--format=%(refname:short)") == "main"
