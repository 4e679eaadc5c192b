"""Requests to the real app in this process: what they cost on a small and on a large table.

Without a server and a socket around it nothing but the app and the database is in the figures.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from statistics import median
from time import perf_counter
from typing import Any

import click
from flask import Flask
from sqlalchemy import URL
from werkzeug.test import EnvironBuilder

from benchmarks.database import administer, production
from benchmarks.findings import Finding
from benchmarks.scenarios import BOOKS
from benchmarks.summary import ratio_of
from core.cursor import write
from core.factory import create_app

PER_PAGE = 20
DEEP = 5_000
# Of a kind in a round; the round's figure is their median.
REPEATS = 15
# Those of docs/search.md, for the two columns that a search of books looks at.
SEARCH_INDEXES = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX ix_api_book_title_trgm ON api_book USING gin (title gin_trgm_ops)",
    "CREATE INDEX ix_api_book_isbn_trgm ON api_book USING gin (isbn gin_trgm_ops)",
    "VACUUM ANALYZE api_book",
)


@dataclass(frozen=True)
class Table:
    """An app on a database with this many books."""

    app: Flask
    rows: int

    def path_behind(self, row: int, sort: str = "id", column: str = "") -> str:
        """Return the URL of the page that begins behind the row with this number."""
        place = (f"The Book of Number {row}", row) if column else (row,)
        order = f"{column},{sort}" if column else sort
        with self.app.app_context():
            return f"{BOOKS}?count=none&cursor={write(order, place, 'api_book')}"


@dataclass(frozen=True)
class Kind:
    """A request to one of the two apps."""

    table: Table
    path: str

    def seconds(self) -> float:
        """Send it; return how long the answer took. Any answer but 200 stops the run."""
        builder = EnvironBuilder(self.path, base_url="http://127.0.0.1")
        environ, statuses = builder.get_environ(), []

        def start(status: str, headers: Any, error: Any = None) -> Any:
            statuses.append(status)

        begin = perf_counter()
        body = self.table.app.wsgi_app(environ, start)
        text = b"".join(body)
        taken = perf_counter() - begin
        if hasattr(body, "close"):
            body.close()
        if statuses != ["200 OK"]:
            raise click.ClickException(f"{self.path}: {statuses}\n{text[:500]!r}")
        return taken


def table_on(url: URL, rows: int) -> Table:
    """Return an app in production mode; its log would cost more where the terminal is slow."""
    return Table(create_app({**production(url), "LOG_LEVEL": "WARNING"}), rows)


def kinds_of(small: Table, large: Table) -> dict[str, Kind]:
    """Return the requests by their names."""
    # The last of a small table, which the tests have.
    deep = min(DEEP, large.rows // PER_PAGE) * PER_PAGE - PER_PAGE
    # Its digits in a row are as rare as a word; zeros stand in every ISBN of the data.
    number = large.rows * 738_214 // 1_000_000
    paths = {
        "item": f"{BOOKS}/{number}",
        "page 1": f"{BOOKS}?count=none",
        "page 5,000": large.path_behind(deep),
        "last page": large.path_behind(large.rows - PER_PAGE),
        "page 1 by title": f"{BOOKS}?count=none&sort=title",
        "deep page by title": large.path_behind(number, column="title"),
        "rare word": f"{BOOKS}?q={number}",
        "no such word": f"{BOOKS}?q=zebra",
        "word of every title": f"{BOOKS}?q=number",
        "with a total": BOOKS,
        "exact total": f"{BOOKS}?count=exact",
        "HTML list": "/example/products",
    }
    kinds = {name: Kind(large, path) for name, path in paths.items()}
    smalls = {f"{name}, small": Kind(small, paths[name]) for name in ("with a total", "HTML list")}
    return kinds | smalls


def times(kinds: dict[str, Kind], rounds: int) -> dict[str, list[float]]:
    """Return each kind's seconds in each round; within one they take turns, in any order."""
    order, random = [*kinds], Random(1)
    for kind in kinds.values():
        kind.seconds()
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        taken: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(REPEATS):
            random.shuffle(order)
            for name in order:
                taken[name].append(kinds[name].seconds())
        for name in kinds:
            found[name].append(median(taken[name]))
    return found


# Against what a kind is held, and the most that it may cost.
COMPARISONS: tuple[tuple[str, str, str, float | None], ...] = (
    ("page 5,000 by cursor / page 1", "page 5,000", "page 1", 1.2),
    ("the last page by cursor / page 1", "last page", "page 1", 1.2),
    ("the same sorted by title, three quarters down", "deep page by title", "page 1 by title", 1.2),
    ("search for a rare word / an item", "rare word", "item", 5),
    ("search that finds nothing / an item", "no such word", "item", 5),
    ("search for a word of every title / an item", "word of every title", "item", 5),
    ("list with a total, large table / small one", "with a total", "with a total, small", 1.2),
    ("page with a list, large table / small one", "HTML list", "HTML list, small", 1.2),
    (
        "count=exact, which reads all rows / the total by default",
        "exact total",
        "with a total",
        None,
    ),
)


def compare(seconds: dict[str, list[float]]) -> Iterable[Finding]:
    """Yield what the times of the kinds say."""
    for what, this, that, target in COMPARISONS:
        ratio = ratio_of([a / b for a, b in zip(seconds[this], seconds[that], strict=True)])
        low, high = 1000 * median(seconds[that]), 1000 * median(seconds[this])
        if ratio:
            yield Finding(what, ratio, f"{low:.2f} ms, {high:.2f} ms", target)


def add_search_indexes(url: URL) -> None:
    """Make the indexes of docs/search.md."""
    administer(url, *SEARCH_INDEXES)
