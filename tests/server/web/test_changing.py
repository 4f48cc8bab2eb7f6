"""Labels that are moved, prompts that are deleted, restored and renamed."""

from __future__ import annotations

import pytest

from promptstore.errors import PromptDeletedError
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.server.listening import Server
from tests.server.web.test_editing import branches
from tests.server.web.visiting import Visit
from tests.writing.conftest import assert_tidy

MOVE = "/move-label/support/triage"


def label(repo: GitRepo, name: str, of: str = "support/triage") -> int | None:
    target = PromptStore.open(repo.path).labels().targets.get(name, {}).get(of)
    return target.version if target else None


class TestLabels:
    def test_what_would_change_is_shown_first(self, visit: Visit, repo: GitRepo) -> None:
        page = visit.get(f"{MOVE}?label=production&version=2")
        assert "production serves version 1 now, and would serve version 2." in page.text
        assert "You<ins> gladly</ins> help" in page.answer.text
        assert label(repo, "production") == 1

    def test_production_is_moved_only_by_who_means_it(self, visit: Visit, repo: GitRepo) -> None:
        page = visit.get(f"{MOVE}?label=production&version=2")
        asked = visit.send(MOVE, page, action="move")
        assert asked.status == 400
        assert "Others rely on 'production'" in asked.text
        assert label(repo, "production") == 1
        done = visit.send(MOVE, asked, action="move", sure="1", message="Release it")
        assert (done.status, done.location) == (303, "/labels/support/triage")
        assert label(repo, "production") == 2
        assert "Ada Example Release it" in visit.get(done.location).text
        assert_tidy(repo)

    def test_another_label_is_moved_without_a_question(self, visit: Visit, repo: GitRepo) -> None:
        page = visit.get(f"{MOVE}?label=beta&version=1")
        assert "serves nothing of this prompt now" in page.text
        assert visit.send(MOVE, page, action="move").status == 303
        assert label(repo, "beta") == 1

    def test_a_label_that_somebody_moved_meanwhile_is_a_conflict(
        self, visit: Visit, repo: GitRepo
    ) -> None:
        page = visit.get(f"{MOVE}?label=staging&version=1")
        PromptStore.open(repo.path).set_label("support/triage", "staging", version=1)
        met = visit.send(MOVE, page, action="move", version="2")
        assert met.status == 409
        assert "staging serves version 1 now" in met.text
        assert label(repo, "staging") == 1

    def test_a_label_is_taken_off(self, visit: Visit, repo: GitRepo) -> None:
        page = visit.get(f"{MOVE}?label=staging")
        assert visit.send(MOVE, page, action="remove").status == 303
        assert label(repo, "staging") is None

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({"label": "Not A Label", "action": "move"}, "label"),
            ({"label": "", "action": "move"}, "label"),
            ({"label": "beta", "version": "9", "action": "move"}, "has no version 9"),
            ({"label": "beta", "version": "x", "action": "show"}, "a version is a number"),
            ({"label": "beta", "seen": "x", "action": "move"}, "a version is a number"),
        ],
    )
    def test_what_cannot_be_is_told(
        self, visit: Visit, repo: GitRepo, fields: dict[str, str], says: str
    ) -> None:
        page = visit.send(MOVE, None, **fields)
        assert page.status in (200, 400)
        assert says in page.text
        assert label(repo, "beta") is None

    def test_nothing_moves_without_the_token_of_the_form_and_the_scope(
        self, visit: Visit, server: Server, repo: GitRepo
    ) -> None:
        page = visit.get(f"{MOVE}?label=staging&version=1")
        assert visit.send(MOVE, page, action="move", form_token="").status == 200
        with Visit.to(server.url) as reader:
            reader.sign_in(server.key_for("llm_prompt:read"))
            assert reader.send(MOVE, page, action="move").status == 403
        assert label(repo, "staging") == 2


class TestPrompts:
    def test_a_deletion_is_a_proposal(self, visit: Visit, repo: GitRepo) -> None:
        page = visit.send("/delete/greet", action="commit", reason="Unused", branch="propose/away")
        assert page.location == "/proposed/propose/away?done=greet"
        assert "deleted: Unused" in visit.get(page.location).text
        with pytest.raises(PromptDeletedError, match="Unused"):
            PromptStore.open(repo.path, branch="propose/away").get("greet")
        assert not PromptStore.open(repo.path).get("greet").deleted

    def test_what_others_include_is_not_deleted(self, visit: Visit, repo: GitRepo) -> None:
        page = visit.send("/delete/shared/tone", action="commit", reason="Why not")
        assert page.status == 409
        assert "it is included by 'support/triage'" in page.text
        assert page.fields["reason"] == "Why not"
        assert branches(repo) == []

    def test_a_deleted_one_is_restored(self, visit: Visit, repo: GitRepo) -> None:
        assert 'href="/restore/old"' in visit.get("/prompts/old").answer.text
        page = visit.send("/restore/old", action="commit", branch="propose/back")
        assert page.status == 303
        assert PromptStore.open(repo.path, branch="propose/back").get("old").prompt == "Old"

    def test_an_old_version_is_made_the_newest_one(self, visit: Visit, repo: GitRepo) -> None:
        page = visit.get("/restore/support/triage?version=1")
        assert "You<del> gladly</del> help" in page.answer.text
        done = visit.send("/restore/support/triage", page, action="commit", branch="propose/one")
        assert done.status == 303
        assert repo.git("rev-parse", "propose/one:prompts/support/triage.yaml") == repo.git(
            "rev-parse", "main~1:prompts/support/triage.yaml"
        )

    def test_a_rename_on_a_branch_leaves_a_note(self, visit: Visit, repo: GitRepo) -> None:
        page = visit.get("/rename/support/triage")
        assert "production, staging" in page.text
        done = visit.send(
            "/rename/support/triage", page, action="commit", new_name="a/b", branch="propose/ab"
        )
        assert done.status == 303
        assert repo.git("log", "-1", "--format=%s", "propose/ab") == (
            "Rename support/triage to a/b"
        )
        assert PromptStore.open(repo.path, branch="propose/ab").get("a/b").is_chat

    @pytest.mark.parametrize(
        ("name", "says"), [("greet", "of this name already"), ("a b", "a b"), ("", "name")]
    )
    def test_a_name_that_cannot_be_is_told(
        self, visit: Visit, repo: GitRepo, name: str, says: str
    ) -> None:
        page = visit.send("/rename/support/triage", action="commit", new_name=name)
        assert page.status in (400, 409)
        assert says in page.text
        assert branches(repo) == []

    def test_directly_labels_come_along(self, direct: Visit, repo: GitRepo) -> None:
        done = direct.send(
            "/rename/support/triage", action="commit", new_name="a/b", where="direct"
        )
        assert done.location == "/prompts/a/b?done=a%2Fb"
        assert direct.get(done.location).status == 200
        # It is the first version under the new name; that of production is an older one.
        assert (label(repo, "staging", "a/b"), label(repo, "staging")) == (1, None)
        assert label(repo, "production") == 1
        assert_tidy(repo)

    @pytest.mark.parametrize("change", ["delete", "rename", "restore"])
    def test_the_served_branch_stays_unless_that_is_allowed(
        self, visit: Visit, repo: GitRepo, change: str
    ) -> None:
        before = repo.head()
        name = "old" if change == "restore" else "greet"
        page = visit.send(f"/{change}/{name}", action="commit", where="direct", new_name="x")
        assert page.status == 403
        visit.send(f"/{change}/{name}", action="commit", form_token="", new_name="x")
        assert (repo.head(), branches(repo)) == (before, [])
