"""A prompt gets another name, and nothing that relies on it breaks unseen."""

from __future__ import annotations

import pytest

from promptstore.errors import (
    ConflictError,
    IncludeError,
    InvalidArgumentError,
    LabelNotFoundError,
    PromptDeletedError,
    PromptNotFoundError,
)
from promptstore.model.prompt import Prompt
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.writing.conftest import assert_tidy

TEXT = b"# A comment.\nid: 0b5d3c1e-2f5a-4c86-9d1e-3a3a3a3a3a3a\nprompt: Hi\n"
USER = Prompt(prompt='{% include "tone" %}!')
NOT_ONE = Prompt(prompt='{# {% include "tone" %} #}{% raw %}{% include "tone" %}{% endraw %}')


class TestRename:
    def test_is_one_commit_and_leaves_a_tombstone(self, store: PromptStore, repo: GitRepo) -> None:
        store.save("old", TEXT)
        new = store.rename("old", "team/new")
        assert (new.name, new.version, new.prompt, new.warnings) == ("team/new", 1, "Hi", ())
        assert repo.git("log", "--format=%s") == "Rename old to team/new\nCreate old"
        assert (repo.path / "prompts/team/new.yaml").read_bytes() == TEXT
        with pytest.raises(PromptDeletedError, match="Use 'team/new' instead"):
            store.get("old")
        gone = store.get("old", deleted=True)
        # The id goes along: two prompts with one id would be ambiguous.
        assert (gone.replaced_by, gone.id) == ("team/new", None)
        assert new.id is not None
        assert store.names() == ["old", "team/new"]
        assert_tidy(repo)

    def test_labels_of_the_newest_version_come_along(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        store.save("old", b"prompt: one\n")
        store.set_label("old", "staging")
        store.save("old", b"prompt: two\n")
        store.set_label("old", "production")
        store.set_label("old", "canary")
        before = int(repo.git("rev-list", "--count", "promptstore/labels"))
        new = store.rename("old", "new", message="Say it better")
        assert store.get("new", label="production").prompt == "two"
        assert store.get("new", label="canary").version == 1
        assert store.get("old", label="staging").prompt == "one"
        (warning,) = new.warnings
        assert "the label 'staging' stays at version 1 of 'old'" in warning
        assert int(repo.git("rev-list", "--count", "promptstore/labels")) == before + 1
        assert repo.git("log", "-1", "--format=%s", "promptstore/labels") == "Say it better"
        with pytest.raises(LabelNotFoundError, match="The prompt is 'new' now"):
            store.get("old", label="production")
        # What the warning tells to do works.
        store.set_label("new", "staging")
        assert store.get("new", label="staging").version == 1

    def test_a_name_that_is_taken(self, store: PromptStore, repo: GitRepo) -> None:
        store.commit({"old": TEXT, "new": b"prompt: x\n"})
        head = repo.head()
        with pytest.raises(ConflictError, match="there is a prompt of this name already"):
            store.rename("old", "new")
        with pytest.raises(PromptNotFoundError):
            store.rename("nothing", "else")
        with pytest.raises(ConflictError, match="version 7 was expected"):
            store.rename("old", "other", expected_version=7)
        assert repo.head() == head

    def test_an_included_prompt_stays_unless_forced(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        store.commit({"tone": b"prompt: kind\n", "user": USER, "not": NOT_ONE})
        with pytest.raises(ConflictError, match="it is included by 'user'") as caught:
            store.rename("tone", "style")
        assert caught.value.names == ("tone",)
        assert store.rename("tone", "style", force=True).version == 1


class TestIncludes:
    def test_an_included_prompt_is_not_deleted_unless_forced(self, store: PromptStore) -> None:
        store.commit({"tone": b"prompt: kind\n", "user": USER, "not": NOT_ONE})
        with pytest.raises(ConflictError, match=r"it is included by 'user'\. Change"):
            store.delete("tone")
        # In one commit with what includes it, it is fine.
        store.commit({"user": Prompt(prompt="alone")})
        assert store.delete("tone").deleted
        store.restore("tone")
        store.save("user", USER)
        assert store.delete("tone", force=True).deleted

    def test_an_include_of_what_is_not_there_is_not_saved_unless_forced(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        with pytest.raises(IncludeError, match="there is no such prompt; save it before") as caught:
            store.save("user", USER)
        assert (caught.value.target, caught.value.chain) == ("tone", ("user",))
        assert store.names() == []
        store.commit({"tone": b"prompt: kind\n", "user": USER})
        assert store.render("user").text == "kind!"
        store.delete("tone", force=True)
        with pytest.raises(IncludeError, match="it is deleted"):
            store.save("other", USER)
        assert store.save("other", USER, force=True).version == 1
        assert store.save("not", NOT_ONE).version == 1

    def test_a_restored_prompt_needs_its_includes_too(self, store: PromptStore) -> None:
        store.commit({"tone": b"prompt: kind\n", "user": USER})
        store.commit({"user": Prompt(prompt="alone")})
        store.delete("tone")
        with pytest.raises(IncludeError):
            store.restore("user", version=1)
        assert store.restore("user", version=1, force=True).version == 3


class TestRollback:
    def test_goes_back_to_what_the_label_pointed_at(self, store: PromptStore) -> None:
        for text in ("one", "two", "three"):
            store.save("greet", Prompt(prompt=text))
        store.set_label("greet", "production", version=3)
        with pytest.raises(InvalidArgumentError, match="pointed nowhere before version 3"):
            store.rollback_label("greet", "production")
        store.set_label("greet", "production", version=1)
        assert store.rollback_label("greet", "production").prompt == "three"
        # It is a move like any other, so it can be taken back itself.
        assert store.rollback_label("greet", "production").prompt == "one"
        with pytest.raises(LabelNotFoundError):
            store.rollback_label("greet", "staging")


@pytest.mark.parametrize("name", ["draft", "team/draft"])
def test_a_prompt_that_was_never_committed(store: PromptStore, repo: GitRepo, name: str) -> None:
    repo.write(f"prompts/{name}.yaml", "prompt: x\n")
    with pytest.raises(PromptNotFoundError, match="is there, but not committed") as caught:
        store.render(name)
    assert f"promptstore save prompts/{name}.yaml" in str(caught.value)
    assert PromptStore.open(repo.path, worktree=True).get(name).prompt == "x"
    with pytest.raises(PromptNotFoundError) as other:
        store.get("nothing")
    assert "not committed" not in str(other.value)
