"""The pages in a real browser, by mouse and by keyboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from promptstore.server.web.sessions import COOKIE
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.server.listening import Server, listening
from tests.server.web.browsing import AXE, OPTIONS, chromium, missing_axe, missing_browser
from tests.server.web.hostile import FILES
from tests.server.web.visiting import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())

TRIAGE = "/prompts/support/triage"


# While Playwright runs, its loop is that of the thread: tests of other files shall have their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    """A browser of somebody who is signed in; whatever a page complains of fails the test."""
    complaints: list[str] = []
    with browser.new_context(base_url=server.url) as context:
        context.set_default_timeout(10_000)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on(
            "console",
            lambda message: (
                complaints.append(message.text)
                if message.type == "error"
                and "the server responded with a status of" not in message.text
                else None
            ),
        )
        context.on("dialog", lambda dialog: complaints.append(dialog.message))
        context.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((server.url, "http://localhost:"))
                else complaints.append(request.url)
            ),
        )
        sign_in(context, server)
        yield context
        assert complaints == []


def sign_in(context: BrowserContext, server: Server) -> None:
    with Visit.to(server.url) as visit:
        visit.sign_in(server.key)
        cookies = visit.client.cookies
        context.add_cookies([{"name": COOKIE, "value": cookies[COOKIE], "url": server.url}])


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def focused(page: Page) -> str:
    """Give what a screen reader would say of what has the focus."""
    text: str = page.evaluate(
        "document.activeElement.labels?.[0]?.textContent || document.activeElement.textContent"
    )
    return " ".join(text.split())


def tab_to(page: Page, name: str) -> None:
    """Press the tab key until something has the focus."""
    for _ in range(60):
        if focused(page).startswith(name):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no way to {name!r} by keyboard")


class TestByKeyboard:
    """Each journey without a mouse."""

    def test_signing_in(self, browser: Browser, server: Server) -> None:
        with browser.new_context(base_url=server.url) as context:
            page = context.new_page()
            page.goto(f"{TRIAGE}?version=1")
            assert focused(page).startswith("Your key")
            page.keyboard.type(server.key)
            page.keyboard.press("Enter")
            page.get_by_role("heading", name="triage").wait_for()
            assert page.url == f"{server.url}{TRIAGE}?version=1"
            assert page.title() == "support/triage, version 1 · promptstore"
            cookie = context.cookies()[0]
            assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
            tab_to(page, "Sign out")
            page.keyboard.press("Enter")
            page.get_by_label("Your key").wait_for()
            assert page.url == f"{server.url}/"

    def test_finding_and_reading(self, page: Page) -> None:
        page.goto("/")
        press(page, "Tab")
        assert focused(page) == "Skip to the content"
        press(page, "Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        press(page, "/")
        page.keyboard.type("be kind")
        press(page, "Enter")
        page.get_by_text("1 prompt on main").wait_for()
        tab_to(page, "tone")
        press(page, "Enter")
        page.wait_for_url("**/prompts/shared/tone")
        assert page.get_by_label("The text").inner_text() == "Be kind.\nBe short.\n"

    def test_comparing(self, page: Page) -> None:
        page.goto("/history/support/triage")
        tab_to(page, "Compare the two")
        press(page, "Enter")
        page.wait_for_url("**/compare/support/triage?*")
        assert page.locator("ins").all_inner_texts() == [" gladly", " the"]
        tab_to(page, "Show")
        press(page, "ArrowDown")
        tab_to(page, "Compare")
        press(page, "Shift+Tab", "Tab", "Enter")
        page.wait_for_url("**by=words")
        assert page.locator("table").count() == 0

    def test_proposing(self, page: Page, repo: GitRepo) -> None:
        page.goto(TRIAGE)
        tab_to(page, "Edit")
        press(page, "Enter")
        page.wait_for_url("**/edit/support/triage")
        tab_to(page, "Description")
        press(page, "Control+A")
        page.keyboard.type("Sort tickets.")
        page.get_by_text('description: "Sort a ticket." → "Sort tickets."').wait_for()
        press(page, "Control+Enter")
        page.wait_for_url("**/proposed/propose/support-triage-*")
        branch = page.locator("h1").inner_text()
        assert "Sort tickets." in repo.git("show", f"{branch}:prompts/support/triage.yaml")

    def test_moving_a_label(self, page: Page, repo: GitRepo) -> None:
        page.goto("/labels/support/triage")
        tab_to(page, "Move production")
        press(page, "Enter")
        page.wait_for_url("**/move-label/**")
        page.get_by_text("and would serve version 2").wait_for()
        tab_to(page, "Yes, others rely on production")
        press(page, "Space")
        tab_to(page, "Move the label")
        press(page, "Enter")
        page.wait_for_url("**/labels/support/triage")
        assert (
            PromptStore.open(repo.path).labels().find("production", "support/triage").version == 2
        )

    def test_trying(self, page: Page) -> None:
        page.goto("/try/support/triage")
        tab_to(page, "product")
        page.keyboard.type("Acme")
        tab_to(page, "ticket")
        page.keyboard.type("Broken")
        tab_to(page, "tier")
        press(page, "p")
        page.get_by_text("Offer a call.").first.wait_for()
        tab_to(page, "Arguments for OpenAI")
        press(page, "Enter")
        shown = page.get_by_label("Arguments for OpenAI", exact=True).inner_text()
        assert json.loads(shown)["messages"][-1]["content"] == "Broken\n"

    @pytest.mark.parametrize("change", ["Delete", "Rename"])
    def test_what_is_done_to_a_whole_prompt(self, page: Page, repo: GitRepo, change: str) -> None:
        page.goto("/prompts/greet")
        tab_to(page, change)
        press(page, "Enter")
        page.wait_for_url(f"**/{change.lower()}/greet")
        if change == "Rename":
            tab_to(page, "New name")
            press(page, "Control+A")
            page.keyboard.type("hello")
        press(page, "Control+Enter") if change == "Rename" else tab_to(page, "Propose to delete")
        if change == "Delete":
            press(page, "Enter")
        page.wait_for_url("**/proposed/propose/greet-*")
        branch = page.locator("h1").inner_text()
        assert "deleted: true" in repo.git("show", f"{branch}:prompts/greet.yaml")

    def test_reading_an_event(self, page: Page) -> None:
        page.goto("/events")
        tab_to(page, "An event of PostHog")
        event = {"event": "$ai_generation", "properties": {"$ai_input": "What is it?"}}
        page.keyboard.insert_text(json.dumps(event))
        page.get_by_label("The text").get_by_text("What is it?").wait_for()


class TestNothingIsLost:
    def test_a_reload_brings_back_what_was_typed(self, page: Page) -> None:
        page.goto("/edit/support/triage")
        page.get_by_label("Description").fill("Mine & <mine>")
        page.reload()
        assert page.get_by_label("Description").input_value() == "Mine & <mine>"
        page.get_by_text("This is what you typed before.").wait_for()
        page.get_by_text("Mine & <mine>").last.wait_for()
        page.get_by_role("button", name="Begin anew").click()
        page.get_by_text("This is what you typed before.").wait_for(state="hidden")
        assert page.get_by_label("Description").input_value() == "Sort a ticket."

    def test_what_is_saved_is_no_draft_any_more(self, page: Page) -> None:
        page.goto("/edit/support/triage")
        page.get_by_label("Description").fill("Mine")
        page.get_by_role("button", name="Propose this change").click()
        page.wait_for_url("**/proposed/**")
        page.goto("/edit/support/triage")
        assert page.get_by_label("Description").input_value() == "Sort a ticket."

    def test_signing_out_forgets_what_was_typed(
        self, page: Page, context: BrowserContext, server: Server
    ) -> None:
        page.goto("/edit/support/triage")
        page.get_by_label("Description").fill("Mine")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Your key").wait_for()
        sign_in(context, server)
        page.goto("/edit/support/triage")
        assert page.get_by_label("Description").input_value() == "Sort a ticket."

    def test_a_draft_knows_what_it_was_begun_with(self, page: Page, repo: GitRepo) -> None:
        page.goto("/edit/support/triage")
        page.get_by_label("Description").fill("Mine")
        file = repo.path / "prompts/support/triage.yaml"
        theirs = file.read_text().replace("Offer a call", "Offer a visit")
        repo.commit({"prompts/support/triage.yaml": theirs})
        page.reload()
        page.get_by_role("button", name="Propose this change").click()
        page.get_by_text("Somebody else changed this meanwhile").wait_for()
        page.get_by_role("button", name="Take both changes together").click()
        text = page.get_by_label("The file (YAML)").input_value()
        assert "Offer a visit" in text
        assert "description: Mine" in text

    def test_a_session_that_ends_while_one_types(
        self, page: Page, context: BrowserContext, server: Server
    ) -> None:
        page.goto("/edit/support/triage")
        context.clear_cookies()
        page.get_by_label("Description").fill("Mine")
        page.get_by_text("You are signed out. What you typed stays here").first.wait_for()
        page.get_by_role("button", name="Propose this change").click()
        page.get_by_label("Your key").fill(server.key)
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Back to what I typed").click()
        assert page.get_by_label("Description").input_value() == "Mine"
        page.get_by_role("button", name="Propose this change").click()
        page.wait_for_url("**/proposed/**")


def test_without_scripts_a_change_is_proposed_too(
    browser: Browser, server: Server, repo: GitRepo
) -> None:
    with browser.new_context(base_url=server.url, java_script_enabled=False) as context:
        sign_in(context, server)
        page = context.new_page()
        page.goto("/edit/support/triage")
        page.get_by_label("Description").fill("Mine")
        page.get_by_role("button", name="Check it").click()
        page.get_by_text('description: "Sort a ticket." → "Mine"').wait_for()
        page.get_by_role("button", name="Propose this change").click()
        branch = page.locator("h1").inner_text()
        assert "Mine" in repo.git("show", f"{branch}:prompts/support/triage.yaml")


# Each of these characters is nine bytes in a form, and each line end six.
@pytest.mark.parametrize(
    ("text", "size"),
    [("€" * 1_000_000, "8.6"), (("€" * 46 + "\n") * 20_000, "8.0")],
    ids=[1, 20_000],
)
def test_what_is_too_large_to_send_stays_in_the_form(
    page: Page, repo: GitRepo, text: str, size: str
) -> None:
    before = repo.git("rev-parse", "--branches")
    page.goto("/edit/support/triage?by=file")
    field = page.get_by_label("The file (YAML)")
    address = page.url
    page.evaluate("text => { document.getElementById('file').value = text; }", text)
    page.get_by_role("button", name="Propose this change").click()
    note = page.get_by_role("alert").filter(has_text=f"too large to send: {size} MiB")
    note.wait_for()
    assert page.evaluate("document.activeElement.textContent") == note.inner_text()
    assert (page.url, field.input_value()) == (address, text)
    assert repo.git("rev-parse", "--branches") == before
    page.evaluate("document.getElementById('file').value = 'prompt: short\\n'")
    page.get_by_role("button", name="Check it").click()
    page.get_by_text("No problems.").wait_for()


def test_what_a_label_would_change_follows_what_is_chosen(page: Page) -> None:
    page.goto("/move-label/support/triage")
    page.get_by_label("Label").fill("staging")
    page.get_by_text("serves version 2 now").first.wait_for()
    page.get_by_label("Version").select_option("1")
    page.get_by_text("and would serve version 1").first.wait_for()
    assert page.get_by_role("button", name="Take staging off").count() == 1
    page.get_by_role("button", name="Move the label").click()
    page.wait_for_url("**/labels/support/triage")


def test_findings_come_while_one_types(page: Page) -> None:
    page.goto("/edit/support/triage?by=file")
    field = page.get_by_label("The file (YAML)")
    field.fill("prompt: [\n")
    page.locator(".findings .error").first.wait_for()
    field.fill("prompt: Hello {{ nmae }}\nvariables:\n  name: {type: string}\n")
    page.get_by_text("Did you mean 'name'?").wait_for()
    # A screen reader is told how many there are, and no more.
    assert page.locator("p[role=status]").last.text_content() == "2 problems."


def test_a_link_from_another_site_arrives_signed_in(page: Page, server: Server) -> None:
    async def other_site(scope: Any, _receive: Any, send: Any) -> None:
        text = f'<!doctype html><link rel="icon" href="data:,"><a href="{server.url}{TRIAGE}">x</a>'
        headers = [(b"content-type", b"text/html")]
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": text.encode()})

    with listening(other_site) as url:
        # By its name the machine is another site than by its number.
        page.goto(url.replace("127.0.0.1", "localhost"))
        page.get_by_role("link").click()
        page.get_by_role("heading", name="triage").wait_for()


def test_copying(page: Page, context: BrowserContext, server: Server) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    page.goto("/try/greet")
    page.get_by_label("name").fill("Ada")
    page.get_by_text("Hello Ada, how are you?").wait_for()
    page.get_by_role("button", name="Copy: user").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "Hello Ada, how are you?"


PAGES = [
    "/",
    TRIAGE,
    f"{TRIAGE}?version=1&includes=1",
    "/prompts/old",
    "/prompts/nope",
    "/history/support/triage",
    "/compare/support/triage?from=1&to=2",
    "/compare/support/triage?from=1&to=2&by=words",
    "/labels",
    "/labels/support/triage?at=2026-01-01T12:00",
    "/try/support/triage",
    "/edit/support/triage",
    "/edit/support/triage?by=file",
    "/new",
    "/proposals",
    "/move-label/support/triage?label=production&version=2",
    "/delete/greet",
    "/rename/greet",
    "/restore/support/triage?version=1",
    "/events",
    "/sign-in",
]


PAGES_WITH_ALL_COLOURS = [
    "/",
    f"{TRIAGE}?version=1&includes=1",
    "/prompts/old",
    "/compare/support/triage?from=1&to=2",
    "/edit/support/triage",
    "/move-label/support/triage?label=production&version=2",
]
RULES = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    # In the dark nothing but the colours is different.
    "dark": ["color-contrast"],
}


@pytest.mark.skipif(bool(missing_axe()), reason=missing_axe())
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_labels_and_contrast_are_as_axe_wants_them(page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    found = []
    for path in PAGES if scheme == "light" else PAGES_WITH_ALL_COLOURS:
        page.goto(path)
        page.evaluate(AXE.read_text())
        result = page.evaluate("rules => axe.run({runOnly: rules})", RULES[scheme])
        for one in result["violations"]:
            found += [f"{path}: {one['id']}: {node['html']}" for node in one["nodes"]]
    assert found == []


def test_every_page_fits_a_phone_and_has_a_title_and_labels(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    for path in PAGES:
        page.goto(path)
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), path
        assert re.fullmatch(r".+ · promptstore", page.title())
        unlabelled = page.evaluate(
            "[...document.querySelectorAll('input, select, textarea')].filter(field =>"
            " field.type != 'hidden' && !field.labels.length).map(field => field.outerHTML)"
        )
        assert unlabelled == []


class TestHostile:
    """Whatever a prompt says is text; the context tells of a script, a dialog or a request."""

    @pytest.fixture
    def repo(self, repo: GitRepo) -> GitRepo:
        repo.commit(FILES, "<script>pwned = 1</script>\n\n\"'><img src=x onerror=pwned=1>")
        store = PromptStore.open(repo.path)
        for prompt in store.snapshot().list_readable("hostile/")[0]:
            store.set_label(str(prompt.name), "production", message="<b>\u202ex</b>")
        return repo

    def test_nothing_runs(self, page: Page, repo: GitRepo) -> None:
        names = PromptStore.open(repo.path).names("hostile/")
        assert len(names) == len(FILES)
        paths = ["/", "/?q=%22%3E%3Cscript%3Epwned%3D1%3C%2Fscript%3E", "/labels"]
        for name in names:
            paths += [f"/{part}/{name}" for part in ("prompts", "try", "edit", "compare")]
        paths += [f"/{part}/hostile/breakers" for part in ("history", "labels", "rename")]
        paths += ["/edit/hostile/breakers?by=file", "/restore/hostile/breakers?version=1"]
        for path in paths:
            page.goto(path)
            assert page.evaluate("typeof pwned") == "undefined", path
            assert page.locator("script").count() == 1
            assert page.locator("main img, main iframe, main svg, main style").count() == 0
            links = page.evaluate("[...document.links].map(link => link.protocol)")
            assert set(links) <= {"http:"}

    def test_what_nobody_sees_is_written_out(self, page: Page) -> None:
        page.goto("/prompts/hostile/bidi")
        assert "\\u202e" in page.locator("main").inner_text()
        assert page.evaluate("document.body.innerHTML.includes('\\u202e')") is False

    def test_a_line_of_a_megabyte_is_cut(self, page: Page) -> None:
        page.goto("/prompts/hostile/long")
        page.get_by_text("more characters").wait_for()
        page.get_by_role("link", name="Show the whole text").click()
        page.wait_for_url("**whole=1")
        assert page.evaluate("document.querySelector('pre').textContent.length") == 900_000

    @pytest.mark.slow
    def test_five_thousand_prompts(self, page: Page, repo: GitRepo) -> None:
        repo.commit(
            {
                f"prompts/many/{number % 50}/p{number}.yaml": f"prompt: say {number}\n"
                for number in range(5_000)
            }
        )
        page.goto("/")
        page.get_by_text(f"{5_000 + 3 + len(FILES):,} prompts, 1,000 shown").wait_for()
        page.get_by_role("link", name="The next ones").click()
        page.wait_for_url("**after=**")
        press(page, "/")
        page.keyboard.type("say 4999")
        press(page, "Enter")
        page.get_by_text("1 prompt on main").wait_for()
        assert page.get_by_role("link", name="p4999").get_attribute("href") == (
            "/prompts/many/49/p4999"
        )
