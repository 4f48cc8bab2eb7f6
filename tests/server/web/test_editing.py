"""Proposing a change: what a form shows, what it commits, and that nothing typed is lost."""

from __future__ import annotations

import pytest

from promptstore.server.web.proposing import pull_request
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.server.listening import Server
from tests.server.web.conftest import TRIAGE
from tests.server.web.visiting import Visit
from tests.writing.conftest import assert_tidy

EDIT = "/edit/support/triage"
GREET = "prompt: Hello {{name}}, how are you?\ntemplate: simple\n"


def branches(repo: GitRepo) -> list[str]:
    return repo.git("for-each-ref", "--format=%(refname:short)", "refs/heads/propose").split()


class TestPropose:
    def test_a_text_becomes_a_commit_on_a_new_branch_by_who_is_signed_in(
        self, visit: Visit, repo: GitRepo
    ) -> None:
        before = repo.head()
        page = visit.get(EDIT)
        assert page.title == "Edit support/triage · promptstore"
        softer = page.fields["message.0"].replace("gladly", "kindly")
        done = visit.send(
            EDIT,
            page,
            action="commit",
            message="Kinder",
            branch="propose/kind",
            **{"message.0": softer},
        )
        assert (done.status, done.location) == (303, "/proposed/propose/kind?done=support%2Ftriage")
        assert repo.git("log", "--format=%an <%ae>: %s", "main..propose/kind") == (
            "Ada Example <ada@example.com>: Kinder"
        )
        diff = repo.git("diff", "--unified=0", "main", "propose/kind").split("\n")
        assert [line for line in diff if line[:1] in "+-"][2:] == [
            "-      You gladly help the customers of {{ product }}.",
            "+      You kindly help the customers of {{ product }}.",
        ]
        assert repo.head() == before
        assert_tidy(repo)

    def test_the_page_of_a_proposal_tells_how_it_gets_reviewed(
        self, visit: Visit, repo: GitRepo
    ) -> None:
        repo.git("remote", "add", "origin", "https://ada:secret@github.com/acme/prompts.git")
        page = visit.send(
            "/edit/greet", action="commit", text="Hello {{name}}, so?", branch="propose/hi"
        )
        shown = visit.get(page.location)
        url = "https://github.com/acme/prompts/compare/main...propose/hi?expand=1"
        assert f'href="{url}"' in shown.answer.text
        assert "git push origin propose/hi" in shown.text
        assert "secret" not in shown.answer.text
        assert "Hello {{name}},<ins> so</ins>?" in shown.answer.text
        assert "propose/hi Update greet Ada Example" in visit.get("/proposals").text
        assert visit.get("/proposed/main").status == 404

    def test_a_command_to_copy_runs_nothing_else(self, visit: Visit) -> None:
        page = visit.send("/edit/greet", action="commit", text="Hi", branch="propose/a;$(x)`y`")
        shown = visit.get(page.location)
        assert "git push REMOTE 'propose/a;$(x)`y`'" in shown.text
        assert "git merge 'propose/a;$(x)`y`'" in shown.text

    def test_findings_and_the_diff_are_shown_and_nothing_is_written(
        self, visit: Visit, repo: GitRepo
    ) -> None:
        page = visit.send(EDIT, None, action="show", **{"message.2": "{{ tikcet }}"})
        assert page.status == 200
        assert "PS2" in page.text
        assert "tikcet" in page.text
        assert "<ins> tikcet</ins>" in page.answer.text
        assert page.fields["message.2"] == "{{ tikcet }}"
        assert branches(repo) == []

    @pytest.mark.parametrize(
        ("typed", "says"),
        [
            ({"message.2": "{% if %}"}, "Mend the errors"),
            ({"by": "file", "file": "prompt: [\n"}, "Mend the errors"),
            ({"by": "file", "file": "prmpt: x\n"}, "Mend the errors"),
            ({}, "Nothing is changed yet."),
            ({"description": "Other", "branch": "main"}, "begins with 'propose/'"),
            ({"description": "Other", "branch": "propose/a b"}, "cannot be the name of a branch"),
            ({"description": "Other", "branch": "propose/taken"}, "there is a branch"),
        ],
    )
    def test_what_cannot_be_sent_is_told_and_stays_typed(
        self, visit: Visit, repo: GitRepo, typed: dict[str, str], says: str
    ) -> None:
        repo.git("branch", "propose/taken")
        page = visit.send(EDIT, None, action="commit", **typed)
        assert page.status in (400, 409)
        assert says in page.text
        assert typed.items() <= page.fields.items()
        assert branches(repo) == ["propose/taken"]

    def test_the_served_branch_is_written_only_where_that_is_allowed(
        self, visit: Visit, repo: GitRepo
    ) -> None:
        before = repo.head()
        page = visit.send(EDIT, action="commit", description="Other", where="direct")
        assert page.status == 403
        assert "--allow-direct" in page.text
        assert repo.head() == before

    def test_a_direct_commit_is_the_newest_version(self, direct: Visit, repo: GitRepo) -> None:
        page = direct.send(EDIT, action="commit", description="Other", where="direct")
        assert page.location == "/prompts/support/triage?version=3&done=support%2Ftriage"
        assert PromptStore.open(repo.path).get("support/triage").description == "Other"
        assert_tidy(repo)

    def test_a_key_that_only_reads_cannot_edit(self, server: Server) -> None:
        with Visit.to(server.url) as visit:
            visit.sign_in(server.key_for("llm_prompt:read"))
            assert visit.get(EDIT).status == 403
            assert visit.get("/proposals").status == 200

    def test_a_new_prompt_is_a_text_and_a_name(self, visit: Visit, repo: GitRepo) -> None:
        page = visit.get("/new")
        typed = {"description": "", "text": "Hi {{ name }}\nand bye"}
        done = visit.send("/new", page, name="a/b", action="commit", branch="propose/new", **typed)
        assert done.status == 303
        written = repo.git("show", "propose/new:prompts/a/b.yaml")
        assert written == "prompt: |\n  Hi {{ name }}\n  and bye"

    def test_a_new_prompt_can_be_written_as_a_file(self, visit: Visit, repo: GitRepo) -> None:
        switched = visit.send("/new", action="file", text="Typed {{ first }}")
        assert "Typed {{ first }}" in switched.fields["file"]
        done = visit.send("/new", switched, name="a/b", action="commit", branch="propose/new")
        assert done.status == 303
        assert "Typed" in repo.git("show", "propose/new:prompts/a/b.yaml")

    @pytest.mark.parametrize(
        ("name", "status", "says"),
        [("greet", 409, "There is a prompt 'greet' already"), ("a b", 400, "a b"), ("", 400, "")],
    )
    def test_a_new_prompt_needs_a_name_that_is_free(
        self, visit: Visit, name: str, status: int, says: str
    ) -> None:
        page = visit.send("/new", name=name, action="commit", text="Mine")
        assert (page.status, page.fields["name"], page.fields["text"]) == (status, name, "Mine")
        assert says in page.text

    def test_a_file_that_was_removed_meanwhile_is_told(self, visit: Visit, repo: GitRepo) -> None:
        page = visit.get("/edit/greet")
        repo.commit({"prompts/greet.yaml": None})
        met = visit.send("/edit/greet", page, action="commit", text="Mine")
        assert "was removed meanwhile" in met.text
        assert met.fields["text"] == "Mine"


class TestForms:
    @pytest.mark.parametrize(
        "file",
        [
            "prompt: 'a'\r\ntags: [x]\r\n",
            "# comment\nprompt: |\n\n  begins with an empty line\n\n\ndescription: d\n",
            'prompt: "no line end at the end"\n',
            'prompt: "tabs\\t and \\u202e bidi </textarea><script>"\n',
            "prompt: ünï\n",
        ],
    )
    @pytest.mark.parametrize("by", ["text", "file"])
    def test_a_form_that_is_sent_as_it_came_changes_no_byte(
        self, visit: Visit, repo: GitRepo, file: str, by: str
    ) -> None:
        repo.commit({"prompts/odd.yaml": file})
        page = visit.send(f"/edit/odd?by={by}", action="commit")
        assert "Nothing is changed yet." in page.text
        switched = visit.send(f"/edit/odd?by={by}", action="file" if by == "text" else "text")
        assert "Nothing is changed yet." in visit.send("/edit/odd", switched, action="commit").text

    def test_line_ends_of_a_file_stay_what_they_were(self, visit: Visit, repo: GitRepo) -> None:
        repo.commit({"prompts/odd.yaml": b"prompt: a\r\ntags: [x]\r\n"})
        visit.send(
            "/edit/odd?by=file", action="commit", file="prompt: b\ntags: [x]\n", branch="propose/b"
        )
        assert (
            repo.git("cat-file", "blob", "propose/b:prompts/odd.yaml") == "prompt: b\r\ntags: [x]\r"
        )

    def test_switching_keeps_what_was_typed(self, visit: Visit) -> None:
        page = visit.send(EDIT, action="file", description="Mine")
        assert "description: Mine\n" in page.fields["file"]
        back = visit.send(EDIT, page, action="text")
        assert back.fields["description"] == "Mine"
        broken = visit.send(EDIT, page, action="text", file="prompt: [")
        assert broken.fields["file"] == "prompt: [\n"

    def test_a_form_without_its_token_is_shown_again_and_does_nothing(
        self, visit: Visit, repo: GitRepo
    ) -> None:
        fields = {**visit.get(EDIT).fields, "action": "commit", "description": "Mine"}
        for token in ("", "0" * 64):
            page = visit.post(EDIT, {**fields, "form_token": token})
            assert page.fields["description"] == "Mine"
            assert "Nothing is lost" in page.text
        assert branches(repo) == []

    def test_a_form_of_another_site_is_refused(self, visit: Visit, repo: GitRepo) -> None:
        fields = {**visit.get(EDIT).fields, "action": "commit", "description": "Mine"}
        for site in ("cross-site", "same-site"):
            assert visit.post(EDIT, fields, sec_fetch_site=site).status == 403
        assert branches(repo) == []

    def test_an_expired_session_keeps_what_was_typed(
        self, visit: Visit, server: Server, repo: GitRepo
    ) -> None:
        mine = "Two lines\n\n<b>&\"' ünï </textarea>\n"
        fields = {**visit.get(EDIT).fields, "action": "commit", "message.2": mine}
        visit.client.cookies.clear()
        refused = visit.post(EDIT, fields)
        assert refused.status == 401
        assert "What you typed is kept" in refused.text
        wrong = visit.send("/sign-in", refused, key="phx_wrong")
        resumed = visit.send("/sign-in", wrong, key=server.key)
        assert resumed.fields["message.2"] == mine
        shown = visit.send(resumed_url(resumed.answer.text), resumed)
        assert shown.status == 200
        assert shown.fields["message.2"] == mine
        assert branches(repo) == []
        done = visit.send(EDIT, shown, action="commit", branch="propose/mine")
        assert done.status == 303
        assert "Two lines" in repo.git("show", "propose/mine:prompts/support/triage.yaml")


def resumed_url(page: str) -> str:
    return page.split('<form method="post" action="')[1].split('"')[0]


class TestConflict:
    def test_the_other_side_is_shown_and_both_can_be_taken_together(
        self, visit: Visit, repo: GitRepo
    ) -> None:
        page = visit.get(EDIT)
        theirs = (repo.path / "prompts/support/triage.yaml").read_text()
        theirs = theirs.replace("Offer a call.", "Offer a visit.")
        repo.commit({"prompts/support/triage.yaml": theirs}, "Visit")
        met = visit.send(EDIT, page, action="commit", description="Mine")
        assert met.status == 409
        assert "Somebody else changed this meanwhile" in met.text
        assert "Offer a<del> call</del>." in met.answer.text
        assert "Offer a<ins> visit</ins>." in met.answer.text
        assert met.fields["description"] == "Mine"
        assert branches(repo) == []
        both = visit.send(EDIT, met, action="merge")
        assert "Offer a visit." in both.fields["file"]
        assert "description: Mine" in both.fields["file"]
        done = visit.send(EDIT, both, action="commit", branch="propose/both")
        assert done.status == 303
        assert repo.git("rev-parse", "propose/both^") == repo.head()

    def test_where_both_changed_one_line_one_can_go_on_with_ones_own(
        self, visit: Visit, repo: GitRepo
    ) -> None:
        page = visit.get(EDIT)
        repo.commit({"prompts/support/triage.yaml": TRIAGE.replace("Sort a", "File the")}, "File")
        met = visit.send(EDIT, page, action="commit", description="Mine")
        assert "Take both" not in met.text
        mine = visit.send(EDIT, met, action="mine")
        assert "description: Mine" in mine.fields["file"]
        assert visit.send(EDIT, mine, action="commit").status == 303

    def test_a_history_that_was_written_anew_is_told(self, visit: Visit, repo: GitRepo) -> None:
        page = visit.get(EDIT)
        repo.git("reset", "--hard", "--quiet", "HEAD~1")
        met = visit.send(EDIT, page, action="commit", description="Mine")
        assert "was written anew" in met.text
        assert met.fields["description"] == "Mine"


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("git@github.com:acme/prompts.git", "https://github.com/acme/prompts/compare/main...b/c?expand=1"),
        ("ssh://git@github.com:22/acme/prompts", "https://github.com/acme/prompts/compare/main...b/c?expand=1"),
        ("https://x:y@github.example.com:8443/a/b.git/", "https://github.example.com:8443/a/b/compare/main...b/c?expand=1"),
        (
            "https://gitlab.com/a/sub/b.git",
            "https://gitlab.com/a/sub/b/-/merge_requests/new?merge_request%5Bsource_branch%5D=b%2Fc&merge_request%5Btarget_branch%5D=main",
        ),
        ("https://git.example.com/a/b.git", None),
        ("/srv/git/prompts.git", None),
        ("file:///srv/github/prompts.git", None),
        ("javascript:alert(1)//github", None),
        ("https://[github", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_page_that_opens_a_pull_request(remote: str, url: str | None) -> None:
    found = pull_request(remote, "main", "b/c")
    assert (found.url if found else None) == url
