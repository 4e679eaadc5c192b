"""A page of a list: its rows, its total, the way to the others."""

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from flask_sqlalchemy.pagination import Pagination
from sqlalchemy.ext.compiler import compiles

from core import cursor
from core.columns import key_names
from core.database import engine_of
from core.listing import MAX_OFFSET, Listing, Order, Query, check_select, listing_of
from core.reads import keep, read, reads_are_prepared
from core.rows import rows_of
from core.setting import setting
from core.text import sort_key
from core.urls import request_path
from services import db

# Rows are counted up to here; beyond, "more than" is what a reader needs and all a list can afford.
MAX_COUNT = 10_000
# PostgreSQL's count as of the last VACUUM or ANALYZE; not where row level security hides rows.
KNOWN_ROWS = "SELECT reltuples FROM pg_class WHERE oid = to_regclass(:table) AND NOT relrowsecurity"
# The sizes of a page to offer between the settings PER_PAGE and MAX_PER_PAGE.
ROUND = (10, 20, 50, 100, 200, 500)


class Records:
    """How a page reads whole records; a plan (core/plan.py) reads only what a schema shows."""

    def select(self, statement: sa.Select[Any]) -> sa.Select[Any]:
        """Return what to select in place of a select of the model."""
        return statement

    def fetch(self, statement: sa.Select[Any], values: Mapping[str, Any]) -> Sequence[Any]:
        """Run a select that select() made, and return its rows."""
        return db.session.scalars(statement, values).unique().all()


RECORDS = Records()


class ListPage(Pagination):
    """A page of a list. `total` is exact up to MAX_COUNT; above it, `total_is_estimate` is set.

    One row more than the page holds is read, which tells without a count whether more follow.
    `kept` holds those arguments of its URL that only the view reads.
    """

    def __init__(
        self,
        statement: sa.Select[Any] | None,
        listing: Listing,
        query: Query,
        way: Records | Any = RECORDS,
        kept: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        if getattr(statement, "_has_row_limiting_clause", False):
            raise ValueError("A list sets LIMIT and OFFSET itself: narrow its rows by where().")
        check_select(listing.model, statement)
        self.kept = {name: texts for name, texts in (kept or {}).items() if texts}
        self.listing = listing
        self.query = query
        self.statement = statement
        self.way = way
        self.total_is_estimate = False
        super().__init__(query.page, query.per_page, None, error_out=False)

    def _query_items(self) -> list[Any]:
        query, listing = self.query, self.listing
        shape = None if query.after is None else cursor.shape(query.after)
        if self._is_plain:
            statement = _all_rows(self.way, listing, query.order, shape, self._dialect.name)
        else:
            narrowed = listing.narrow(self.statement, query)
            statement = _window(self.way, listing.ordered(narrowed, query.order, shape))
        values = {"limit": self.per_page + 1, "offset": self._query_offset}
        rows = self.way.fetch(statement, values | cursor.values(query.after))
        self._more = len(rows) > self.per_page
        return list(rows[: self.per_page])

    def _query_count(self) -> int | None:  # type: ignore[override]
        seen = self._query_offset + len(self.items) if self.items else 0
        if self.query.count == "none":
            return None
        if not self._more and self.query.after is None and (self.items or self.page == 1):
            return seen
        is_asked = self.query.count == "estimate" and self._dialect.name == "postgresql"
        if is_asked and not reads_are_prepared():
            self.total_is_estimate = True
            return max(self._estimated(), seen + self._more)
        return self._counted()

    def _counted(self) -> int:
        most = None if self.query.count == "exact" else MAX_COUNT
        if self._is_plain and not reads_are_prepared():
            statement = _count_all(self.listing, most, self._dialect)
        else:
            statement = _count(self._keys(), most)
        total = int(read(self.listing.model, statement, {})[0][0])
        self.total_is_estimate = most is not None and total > most
        return total

    @property
    def _dialect(self) -> sa.Dialect:
        return engine_of(self.listing.model).dialect

    @property
    def _is_plain(self) -> bool:
        """Tell whether this is a list of all rows; the statements of such lists are cached."""
        return self.statement is None and not self.query.words and not self.query.conditions

    def _estimated(self) -> int:
        # A 1 for each row, not its keys, whose types would try to convert the text of the plan.
        one: sa.ColumnElement[Any] = sa.literal_column("1")
        rows = sa.select(one).select_from(self._keys().subquery())
        # The session finds no model in an EXPLAIN by which to choose the database.
        bind = {"mapper": self.listing.model}
        plan = db.session.scalar(_Explain(rows), bind_arguments=bind)
        return int(plan[0]["Plan"]["Plan Rows"])

    def _keys(self) -> sa.Select[Any]:
        return _keys_of(self.listing, self.listing.narrow(self.statement, self.query))

    @property
    def has_next(self) -> bool:
        """Tell whether rows follow, also where they were not all counted."""
        return self._more

    @property
    def pages(self) -> int:
        """Return the number of the last page that is known to exist."""
        return max(super().pages, self.page if self.items else 0)

    @property
    def following(self) -> int | None:
        """Return the number of the next page if there is one, and a URL may ask for it."""
        is_near = self.page * self.per_page <= MAX_OFFSET
        return self.page + 1 if self._more and is_near else None

    @property
    def sizes(self) -> list[int]:
        """Return what a reader may choose as the number of rows on a page."""
        least, most = setting("PER_PAGE"), setting("MAX_PER_PAGE")
        return sorted(
            {least, most, self.per_page, *(size for size in ROUND if least < size < most)}
        )

    def url(self, page: int | None = None, **changes: str | None) -> str:
        """Return the URL of this list with another page or other arguments; None removes one."""
        args = {**self.query.args, "page": str(page) if page else None, **changes}
        asked = "&".join(_argument(name, text) for name, text in args.items() if text is not None)
        return f"{self.path}{'&' if self.kept else '?'}{asked}" if asked else self.path

    @cached_property
    def path(self) -> str:
        """Return the path of the whole list on this site, with the arguments for the view alone."""
        path = request_path()
        return f"{path}?{urlencode(self.kept, doseq=True)}" if self.kept else path

    @cached_property
    def key(self) -> Hashable:
        """Return all that the parts of a page around the rows depend on (core/fragments.py)."""
        asked = (self.path, self.listing, tuple(self.query.args.items()))
        return asked, self.total, self.total_is_estimate, self._more

    def order(self, name: str) -> str | None:
        """Return the direction if the rows are sorted by this column first (WAI-ARIA aria-sort)."""
        first, down = self.query.order[0]
        return ("descending" if down else "ascending") if first == name else None


def _argument(name: str, text: str) -> str:
    # Clients choose these texts: only short ones are cached.
    return _encoded(name, text) if len(text) < 100 else _encoded.__wrapped__(name, text)


@lru_cache(maxsize=4096)
def _encoded(name: str, text: str) -> str:
    # A comma stands for itself, or lists of values grow to three times their length.
    return urlencode({name: text}, safe=",")


def _window(way: Any, rows: sa.Select[Any]) -> sa.Select[Any]:
    statement: sa.Select[Any] = way.select(rows)
    return statement.limit(sa.bindparam("limit")).offset(sa.bindparam("offset"))


@lru_cache(maxsize=256)
def _all_rows(
    way: Any, listing: Listing, order: Order, shape: tuple[bool, ...] | None, dialect: str
) -> sa.Select[Any]:
    """Cache the statements of plain lists: building one costs more than running it."""
    rows = listing.ordered(sa.select(listing.model), order, shape)
    return keep(_window(way, rows))


def _keys_of(listing: Listing, rows: sa.Select[Any]) -> sa.Select[Any]:
    """Return a select of a list's keys, without its order and what is loaded with the rows."""
    keys = [getattr(listing.model, name) for name in key_names(listing.model)]
    return rows.with_only_columns(*keys, maintain_column_froms=True).order_by(None)


def _count(keys: sa.Select[Any], most: int | None) -> sa.Select[Any]:
    counted = sa.select(sa.func.count()).select_from(keys.limit(most and most + 1).subquery())
    # Options that an event listener reads from the rows' select must hold for the total, too.
    return counted.execution_options(**keys.get_execution_options())


@lru_cache(maxsize=256)
def _count_all(listing: Listing, most: int | None, dialect: sa.Dialect) -> sa.Select[Any]:
    """Count a table; where PostgreSQL knows of far more than `most` rows, count no further."""
    counted = _count(_keys_of(listing, sa.select(listing.model)), most)
    table = listing.model.__table__
    # If several models share a table, PostgreSQL's number is for all; a select has no number.
    is_own = isinstance(table, sa.Table) and not sa.inspect(listing.model).inherits
    if most is None or dialect.name != "postgresql" or not is_own:
        return keep(counted)
    name = dialect.identifier_preparer.format_table(table)
    known = sa.text(KNOWN_ROWS).bindparams(table=name).columns(reltuples=sa.Float).scalar_subquery()
    total = sa.case((known > 2 * most, most + 1), else_=counted.scalar_subquery())
    return keep(sa.select(total))


def options_of(
    model: Any, limit: int, words: str = "", statement: sa.Select[Any] | None = None
) -> list[tuple[str, str]]:
    """Return the keys and texts of a model's records for a select, sorted by their texts.

    If there are more than `limit`, return the first in the order of the listing; those that the
    words name in full come before them.
    """
    listing = listing_of(model)
    found = _options(listing, statement, limit, words)
    if len(found) < limit:
        return sorted(found, key=lambda option: sort_key(option[1]))
    if words and listing.search:
        named = _options(listing, listing.whole(words, statement), limit, words)
        found = list(dict([*named, *found]).items())[:limit]
    return found


def _options(
    listing: Listing, statement: sa.Select[Any] | None, limit: int, words: str
) -> list[tuple[str, str]]:
    query = listing.query(words, limit)
    if not listing.label:
        rows = listing.apply(statement, query)
        records = db.session.scalars(rows.limit(limit)).unique()
        return [(str(sa.inspect(record).identity[0]), str(record)) for record in records]
    way = rows_of(listing.model, (key_names(listing.model)[0], listing.label))
    page = ListPage(statement, listing, query, way)
    return [(str(key), str(text)) for key, text in page.items]


class _Explain(sa.Executable, sa.ClauseElement):
    """PostgreSQL's plan of a select, with its guess at the number of rows."""

    inherit_cache = False

    def __init__(self, statement: sa.Select[Any]) -> None:
        self.statement = statement


@compiles(_Explain)
def _explain(element: _Explain, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.statement, **options)}"
