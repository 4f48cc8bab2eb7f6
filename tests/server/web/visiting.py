"""Pages asked for without a browser: their forms, their texts and what a click would send."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser

import httpx

from tests.server.listening import connect


class _Reader(HTMLParser):
    """Collects the fields of forms, and the text of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.fields: list[tuple[str, str]] = []
        self.text: list[str] = []
        self._area: str | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("a", "code", "del", "ins", "span", "strong"):
            self.text.append(" ")
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "input" and given.get("type") not in ("checkbox", "radio", "submit"):
            self.fields.append((name, given.get("value") or ""))
        elif tag == "input" and "checked" in given:
            self.fields.append((name, given.get("value") or "on"))
        elif tag == "textarea":
            self._area = name
            self.fields.append((name, ""))
        elif tag == "select":
            self._select = name
        elif tag == "option" and "selected" in given:
            self.fields.append((self._select or "", given.get("value") or ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area is None:
            self.text.append(data)
            return
        name, before = self.fields[-1]
        # A browser leaves out the line end that a text area begins with.
        self.fields[-1] = (name, before + (data if before else data.removeprefix("\n")))


@dataclass
class Page:
    """A page that was answered."""

    answer: httpx.Response

    @property
    def status(self) -> int:
        return self.answer.status_code

    @property
    def text(self) -> str:
        """What a person reads, with single spaces."""
        reader = _Reader()
        reader.feed(self.answer.text)
        return " ".join("".join(reader.text).split())

    @property
    def title(self) -> str:
        found = re.search(r"<title>(.*?)</title>", self.answer.text, re.DOTALL)
        return html.unescape(found[1]) if found else ""

    @property
    def fields(self) -> dict[str, str]:
        reader = _Reader()
        reader.feed(self.answer.text)
        return dict(reader.fields)

    @property
    def location(self) -> str:
        return self.answer.headers["location"]


@dataclass
class Visit:
    """Somebody with a browser that runs no script."""

    client: httpx.Client

    @classmethod
    @contextmanager
    def to(cls, url: str) -> Iterator[Visit]:
        with connect(url) as client:
            yield cls(client)

    def get(self, url: str, **headers: str) -> Page:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return Page(self.client.get(url, headers=named))

    def post(self, url: str, fields: dict[str, str], **headers: str) -> Page:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return Page(self.client.post(url, data=fields, headers=named))

    def send(self, url: str, page: Page | None = None, **changed: str) -> Page:
        """Send the form of a page, by default of that at the URL, with some fields changed."""
        page = page or self.get(url)
        return self.post(url, {**page.fields, **changed})

    def sign_in(self, key: str) -> Page:
        return self.send("/sign-in", key=key)
