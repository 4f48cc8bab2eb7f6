"""Who may see a page, and what guards its forms."""

from __future__ import annotations

import re

import pytest

from promptstore.server.app import create_app
from promptstore.server.projects import open_projects
from promptstore.server.settings import ProjectSettings
from tests.gitrepo import GitRepo
from tests.server.listening import Server, listening
from tests.server.web.visiting import Visit

PAGES = [
    "/",
    "/prompts/greet",
    "/history/greet",
    "/compare/support/triage",
    "/labels",
    "/labels/greet",
]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_needs_somebody_signed_in_with_its_scope(server: Server, path: str) -> None:
    with Visit.to(server.url) as stranger:
        page = stranger.get(path)
        assert (page.status, page.title) == (401, "Sign in · promptstore")
        assert stranger.sign_in(server.key_for("logs:read")).status == 303
        refused = stranger.get(path)
        assert refused.status == 403
        assert "llm_prompt:read" in refused.text
        stranger.sign_in(server.key_for("llm_prompt:read"))
        assert stranger.get(path).status == 200


def test_signing_in_goes_on_at_the_page_that_was_asked_for(server: Server) -> None:
    with Visit.to(server.url) as visit:
        page = visit.get("/prompts/greet?version=1")
        assert page.fields["next"] == "/prompts/greet?version=1"
        done = visit.send("/sign-in", page, key=server.key)
        assert (done.status, done.location) == (303, "/prompts/greet?version=1")


@pytest.mark.parametrize(
    "url", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_signing_in_never_leads_to_another_site(server: Server, url: str) -> None:
    with Visit.to(server.url) as visit:
        assert visit.get("/sign-in").status == 200
        page = visit.get("/sign-in")
        assert visit.send("/sign-in", page, key=server.key, next=url).location == "/"


def test_the_cookie_is_strict_and_names_no_key(server: Server) -> None:
    with Visit.to(server.url) as visit:
        cookie = visit.sign_in(server.key).answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Secure" not in cookie
        assert server.key not in cookie


def test_the_cookie_is_secure_behind_tls(server: Server) -> None:
    with Visit.to(server.url) as visit:
        # Uvicorn believes a proxy on this machine.
        cookie = visit.get("/sign-in", x_forwarded_proto="https").answer.headers["set-cookie"]
        assert "Secure" in cookie


def test_the_cookie_is_secure_where_the_public_url_says_tls(repo: GitRepo) -> None:
    settings = ProjectSettings(id=1, repository=repo.path, public_url="https://p.example.com")
    with listening(create_app(open_projects([settings]), None)) as url, Visit.to(url) as visit:
        assert "Secure" in visit.get("/").answer.headers["set-cookie"]


def test_a_cookie_counts_no_more_once_its_owner_signed_out(server: Server) -> None:
    with Visit.to(server.url) as visit, Visit.to(server.url) as thief:
        visit.sign_in(server.key)
        thief.client.cookies.update(visit.client.cookies)
        assert thief.get("/labels").status == 200
        visit.send("/sign-out", visit.get("/labels"))
        assert visit.get("/labels").status == 401
        assert thief.get("/labels").status == 401


def test_a_wrong_key_is_refused_and_a_revoked_one_ends_the_session(server: Server) -> None:
    with Visit.to(server.url) as visit:
        assert visit.sign_in("phx_wrong").status == 403
        assert visit.get("/").status == 401
        token, key = server.tokens.create("Eve <eve@example.com>", ["llm_prompt:read"], [1])
        visit.sign_in(key)
        assert visit.get("/").status != 401
        server.tokens.revoke(token.id)
        assert visit.get("/").status == 401


def test_a_forged_or_old_cookie_is_nobody(
    server: Server, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = visit.client.cookies["promptstore_session"]
    number, until, rest = good.split(".", 2)
    for forged in (
        f"{number}.{int(until) + 1}.{rest}",
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        "",
        "a.b.c.d",
    ):
        with Visit.to(server.url) as other:
            other.client.cookies["promptstore_session"] = forged
            assert other.get("/").status == 401
    monkeypatch.setattr("promptstore.server.web.sessions.time.time", lambda: int(until) + 1)
    assert visit.get("/").status == 401


def test_signing_out_forgets(visit: Visit) -> None:
    page = visit.get("/")
    assert visit.post("/sign-out", {}).status == 303
    assert visit.get("/").status == 200
    visit.post("/sign-out", {"form_token": page.fields["form_token"]})
    assert visit.get("/").status == 401


def test_every_page_has_a_strict_policy_and_no_inline_script(visit: Visit) -> None:
    for path in [*PAGES, "/sign-in", "/prompts/nope"]:
        answer = visit.get(path).answer
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
        assert not re.search(r"<script(?! src=)|\son\w+=|style=|javascript:", answer.text)


def test_who_comes_from_another_site_goes_on_by_a_page_of_this_one(server: Server) -> None:
    with Visit.to(server.url) as visit:
        page = visit.get("/prompts/greet", sec_fetch_site="cross-site")
        assert page.status == 200
        url = "/arrive?to=%2Fprompts%2Fgreet"
        assert f'<meta http-equiv="refresh" content="0; url={url}">' in page.answer.text
        assert visit.get(url).location == "/prompts/greet"
        assert visit.get("/arrive?to=//evil.example").location == "/"


def test_without_keys_only_this_machine_is_let_in(repo: GitRepo) -> None:
    app = create_app(open_projects([ProjectSettings(1, repo.path)]), None)
    with listening(app) as url, Visit.to(url) as visit:
        assert visit.get("/prompts/greet").status == 200
        assert visit.get("/prompts/greet", host="evil.example").status == 403


def test_files_of_the_pages_may_be_kept_for_good(server: Server) -> None:
    with Visit.to(server.url) as visit:
        page = visit.get("/sign-in").answer.text
        for url in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
            answer = visit.get(url).answer
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
        assert visit.get("/static/..%2Fpages.py").status == 404
