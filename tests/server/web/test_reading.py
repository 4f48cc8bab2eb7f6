"""What the pages show of prompts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.server.listening import Host, Server
from tests.server.web.visiting import Visit


class TestList:
    def test_it_shows_the_prompts_with_tags_labels_and_versions(self, visit: Visit) -> None:
        page = visit.get("/")
        assert page.title == "Prompts · promptstore"
        assert "3 prompts on main" in page.text
        assert "support/ 1 triage v2 production v1 staging v2 support Sort a ticket." in page.text
        assert "old" not in page.text.split("3 prompts")[1]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("q=BE+KIND", {"shared/tone"}),
            ("tag=support", {"support/triage"}),
            ("label=production", {"support/triage"}),
            ("under=support/", {"support/triage"}),
            ("deleted=1&q=old", {"old"}),
            ("q=nothing+says+this", set()),
            ("after=shared/tone", {"support/triage"}),
        ],
    )
    def test_it_finds_by_words_tag_label_and_folder(
        self, visit: Visit, query: str, found: set[str]
    ) -> None:
        page = visit.get(f"/prompts?{query}")
        names = ("greet", "old", "shared/tone", "support/triage")
        assert {name for name in names if f'href="/prompts/{name}"' in page.answer.text} == found

    def test_a_broken_file_stands_in_the_list_and_tells_its_faults(
        self, visit: Visit, repo: GitRepo
    ) -> None:
        repo.commit({"prompts/bad.yaml": "prompt: [\n"})
        assert "bad broken file" in visit.get("/").text
        page = visit.get("/prompts/bad")
        assert page.status == 200
        assert "cannot be read" in page.text
        assert "line 2" in page.text

    def test_a_thousand_stand_on_one_page_and_the_next_on_the_next(
        self, visit: Visit, repo: GitRepo
    ) -> None:
        repo.commit({f"prompts/many/p{number:04}.yaml": "prompt: x\n" for number in range(1_001)})
        page = visit.get("/prompts?under=many/")
        assert "1,001 prompts, 1,000 shown" in page.text
        assert "p1000" not in page.text
        after = visit.get("/prompts?after=many/p0999&under=many/")
        assert 'href="/prompts?after=many%2Fp0999&amp;under=many%2F"' in page.answer.text
        assert "p1000" in after.text


class TestPrompt:
    def test_it_shows_messages_variables_config_and_who(self, visit: Visit) -> None:
        page = visit.get("/prompts/support/triage")
        assert page.title == "support/triage, version 2 · promptstore"
        source = page.answer.text
        assert '<span class="variable">{{ product }}</span>' in source
        assert '<span class="include">{% include &#34;shared/tone&#34; %}</span>' in source
        assert "Be kind." not in source
        for word in ("The messages of history go here", '"temperature": 0.2', "Ada Example"):
            assert word in page.text
        assert "Included by support/triage" in visit.get("/prompts/shared/tone").text

    def test_includes_are_shown_in_full_on_request(self, visit: Visit) -> None:
        page = visit.get("/prompts/support/triage?includes=1")
        assert "Be kind. Be short." in page.text
        assert "Fold includes" in page.text

    def test_another_version_has_its_own_url(self, visit: Visit) -> None:
        for query in ("version=1", "label=production"):
            page = visit.get(f"/prompts/support/triage?{query}")
            assert "You help customers of" in page.text
            assert "This is an older version." in page.text
        assert "This is an older" not in visit.get("/prompts/support/triage?label=staging").text

    def test_a_deleted_one_says_why(self, visit: Visit) -> None:
        assert "Deleted: Nobody asks" in visit.get("/prompts/old").text

    @pytest.mark.parametrize(
        ("url", "says"),
        [
            ("/prompts/support/triag", "Did you mean 'support/triage'?"),
            ("/prompts/support/triage?version=9", "has no version 9"),
            ("/prompts/support/triage?label=prod", "label"),
            ("/prompts/a%20b", "a b"),
            ("/prompts/..%2F..%2Fetc%2Fpasswd", "passwd"),
            ("/history/nope", "nope"),
            ("/compare/support/triage?from=x/y", "neither the number of a version nor a label"),
            ("/labels?at=yesterday", "a time is written like"),
        ],
    )
    def test_what_is_not_there_is_told_in_a_sentence(
        self, visit: Visit, url: str, says: str
    ) -> None:
        page = visit.get(url)
        assert page.status in (400, 404)
        assert says in page.text
        assert "This did not work" in page.title


def test_who_wants_a_page_that_is_not_there_is_given_one(visit: Visit) -> None:
    page = visit.get("/no/such/page", accept="text/html,*/*;q=0.8")
    assert (page.status, page.title) == (404, "This did not work · promptstore")
    assert "content-security-policy" in page.answer.headers
    assert visit.get("/no/such/page").answer.json()["detail"] == "Endpoint not found."


@pytest.mark.parametrize(
    ("method", "url"),
    [("GET", "/no/such"), ("PUT", "/edit/greet"), ("GET", "/openapi.json"), ("GET", "/mcp")],
)
def test_what_is_no_page_runs_nothing_in_a_browser(visit: Visit, method: str, url: str) -> None:
    answer = visit.client.request(method, url)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_who_only_reads_sees_no_way_to_write(server: Server) -> None:
    with Visit.to(server.url) as visit:
        visit.sign_in(server.key_for("llm_prompt:read"))
        for path in ("/", "/prompts/support/triage", "/labels/support/triage", "/prompts/old"):
            source = visit.get(path).answer.text
            for link in ("edit", "new", "delete", "rename", "restore", "move-label", "events"):
                assert f'href="/{link}' not in source


def test_the_history_tells_who_when_and_why(visit: Visit) -> None:
    text = visit.get("/history/support/triage").text
    assert "Sound glad Customers asked for it." in text
    assert text.count("Ada Example") == 3  # once for who is signed in
    assert "UTC" in text


def test_two_versions_stand_side_by_side_in_words_and_lines(visit: Visit) -> None:
    page = visit.get("/compare/support/triage?from=production&to=2")
    source = page.answer.text
    assert "<ins> gladly</ins>" in source
    assert "You<ins> gladly</ins> help<ins> the</ins> customers of {{ product }}." in source
    assert "You help customers of {{ product }}." in source
    in_words = visit.get("/compare/support/triage?from=1&to=2&by=words").answer.text
    assert "You<ins> gladly</ins> help<ins> the</ins> customers" in in_words
    assert "<table" not in in_words


def test_the_labels_now_and_at_a_time(visit: Visit, repo: GitRepo) -> None:
    store = PromptStore.open(repo.path)
    before = datetime.now(UTC)
    store.set_label(
        "support/triage", "production", version=2, authored_at=before, author="Eve <eve@x.org>"
    )
    assert "support/triage 2 2" in visit.get("/labels").text
    assert "No label points anywhere at that time" in visit.get("/labels?at=2020-01-01T00:00").text
    page = visit.get("/labels/support/triage?at=2020-01-01T00:00")
    assert "production version 2 nothing" in page.text
    assert "Eve Point production at support/triage version 2" in page.text


def test_a_server_of_several_projects_has_the_project_in_each_url(
    pages_host: Host, server: Server, repo: GitRepo, visit: Visit
) -> None:
    with pages_host.project(repo.path) as other:
        page = visit.get("/prompts/greet?version=1")
        assert (page.status, page.location) == (
            303,
            f"/projects/{server.project}/prompts/greet?version=1",
        )
        shown = visit.get(page.location)
        assert f'href="/projects/{server.project}/history/greet"' in shown.answer.text
        assert visit.get(f"/projects/{other.project}/prompts").status == 404
        assert visit.get("/").location == f"/projects/{server.project}/prompts"
        with Visit.to(server.url) as both:
            both.sign_in(server.key_for(projects=(other.project, server.project)))
            listed = both.get(both.get("/").location)
            assert f"project {server.project} project {other.project}" in listed.text
            made = both.send(
                f"/projects/{other.project}/edit/greet", action="commit", text="x"
            ).location
            assert made.startswith(f"/projects/{other.project}/proposed/propose/greet-")
            assert both.get(made).status == 200
