"""What a page of the API says around its rows: where it stands, and the URLs of other pages."""

from collections.abc import Mapping
from typing import Any

from core.listing import MAX_OFFSET
from core.paging import ListPage

# By default nginx has 4096 bytes for all headers of an answer.
MAX_HEADER = 2500


def meta_of(page: ListPage, cursor: str | None) -> dict[str, Any]:
    """Return the numbers of a page."""
    return {
        "page": page.page if page.query.after is None else None,
        "per_page": page.per_page,
        "total": page.total,
        "total_is_estimate": page.total_is_estimate,
        "next_cursor": cursor,
    }


def links_of(page: ListPage, cursor: str | None) -> dict[str, str | None]:
    """Return the URLs of a page and of those around it, None where there is none."""
    most = MAX_OFFSET // page.per_page + 1
    last = min(max(page.pages, 1), most)
    by_cursor = page.query.after is not None
    # A cursor holds the order; the URLs of numbered pages need it as their `sort`.
    named = {"cursor": None, "sort": page.listing.sort_of(page.query.order)} if by_cursor else {}
    counted = page.total is not None and not page.total_is_estimate
    number = None if by_cursor else page.following
    following = page.url(number, cursor=None if number else cursor) if page.has_next else None
    before = min(page.page - 1, last) if counted else page.page - 1
    return {
        "self": page.url(None if by_cursor else page.page),
        "first": page.url(1, **named),
        "prev": page.url(before) if page.page > 1 else None,
        "next": following,
        "last": page.url(last, **named) if counted else None,
    }


def link_header(links: Mapping[str, str | None]) -> str:
    """Return the links as RFC 8288 writes them; of very long ones those that fit, if any."""
    written = [f'<{url}>; rel="{relation}"' for relation, url in links.items() if url]
    while sum(map(len, written)) > MAX_HEADER:
        # Links back are dropped first, links forward last.
        written.pop(0)
    return ", ".join(written)
