"""The links between the pages of a list."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode


class Page(NamedTuple):
    """Where a page was asked for.

    Attributes:
        address: The absolute URL without its query.
        query: The parameters of the query, in order.
    """

    address: str
    query: tuple[tuple[str, str], ...]

    @property
    def url(self) -> str:
        """The whole URL."""
        return f"{self.address}?{urlencode(self.query)}"


def page_links(page: Page, limit: int, offset: int, count: int) -> tuple[str | None, str | None]:
    """Make the links to the next and the previous page, which carry every parameter.

    Args:
        page: Where this page was asked for.
        limit: How many rows a page has.
        offset: How many rows come before it.
        count: How many rows there are.

    Returns:
        The URL of the next page and that of the previous one; None where there is none.
    """
    following = _link(page, limit, offset + limit) if offset + limit < count else None
    previous = _link(page, limit, offset - limit) if offset > 0 else None
    return following, previous


def _link(page: Page, limit: int, offset: int) -> str:
    others = tuple(pair for pair in page.query if pair[0] not in ("limit", "offset"))
    start = (("offset", str(offset)),) if offset > 0 else ()
    return page._replace(query=(*others, ("limit", str(limit)), *start)).url
