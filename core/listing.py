"""The listing contract: a model says once what of it may be searched, filtered and sorted.

Pages and API read the same declaration and the same names in the URL; every list is paged, capped.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import request, url_for
from flask_sqlalchemy.pagination import SelectPagination
from marshmallow import ValidationError, fields
from sqlalchemy import Boolean, ColumnElement, Select, String, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, lazyload
from werkzeug.datastructures import MultiDict

from core.schemas import Converter
from core.setting import setting
from core.text import clean_text, fold
from services import db

# Skipping rows costs the database as much as reading them.
MAX_OFFSET = 100_000
# Rows are counted up to here; beyond, "more than" is what a reader needs and all a list can afford.
MAX_COUNT = 10_000
FILTER = re.compile(r"filter\[(\w+)\](?:\[(gte|lte|in|null)\])?")


@dataclass(frozen=True)
class Query:
    """What a URL asks of a list: the checked values, and `args`, the same as URL arguments."""

    words: tuple[str, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    conditions: tuple[tuple[str, str, Any], ...] = ()
    page: int = 1
    per_page: int = 20
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Listing:
    """The allow-list of a model: names of its columns.

    `default` is the order without a `sort`, as in a URL: "-price,name".
    """

    search: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    default: str = "-id"
    model: Any = None

    def __set_name__(self, owner: Any, name: str) -> None:
        self.model = owner

    def read(self, args: MultiDict[str, str], refuse: Callable[[str], Any]) -> Query:
        """Read a URL's arguments; `refuse` gets a sentence for each that is unknown or wrong."""
        values: dict[str, Any] = {"conditions": [], "per_page": setting("PER_PAGE")}
        known: dict[str, str] = {}
        for name, text in args.items(multi=True):
            try:
                if name in known:
                    raise ValueError("it stands twice.")
                self._read_one(name, text, values)
                known[name] = text
            except ValidationError as error:
                refuse(f"{name[:40]!r}: {' '.join(error.messages)}")
            except ValueError as error:
                refuse(f"{name[:40]!r}: {error}")
        if (values.get("page", 1) - 1) * values["per_page"] > MAX_OFFSET:
            refuse(f"'page': a list ends after {MAX_OFFSET} rows; narrow it down.")
            del values["page"], known["page"]
        values.setdefault("order", self.default_order)
        values["conditions"] = tuple(values["conditions"])
        return Query(**values, args=known)

    @property
    def default_order(self) -> tuple[tuple[str, bool], ...]:
        """Return the order without a `sort`: pairs of a name and whether it is descending."""
        return self._order(self.default)

    def _read_one(self, name: str, text: str, values: dict[str, Any]) -> None:
        condition = FILTER.fullmatch(name)
        if condition and condition[1] in self.filters:
            operator = condition[2] or "eq"
            value = self._value(condition[1], operator, text)
            values["conditions"].append((condition[1], operator, value))
        elif name == "q" and self.search:
            values["words"] = tuple(clean_text(text)[:200].split())
        elif name == "sort" and self.sort:
            values["order"] = self._order(text, self.sort)
        elif name in ("page", "per_page"):
            limit = setting("MAX_PER_PAGE") if name == "per_page" else MAX_OFFSET
            values[name] = _number(text, limit)
        else:
            raise ValueError(f"it is unknown; allowed are {', '.join(self.parameters())}.")

    def parameters(self) -> Iterator[str]:
        """Yield the names a URL may carry."""
        yield from ("page", "per_page")
        yield from ("q",) if self.search else ()
        yield from ("sort",) if self.sort else ()
        yield from (f"filter[{name}]" for name in self.filters)

    def _order(
        self, text: str, allowed: tuple[str, ...] | None = None
    ) -> tuple[tuple[str, bool], ...]:
        parts = [(part.lstrip("-"), part.startswith("-")) for part in text.split(",")]
        for name, _ in parts:
            if allowed is not None and name not in allowed:
                raise ValueError(f"sort by {', '.join(allowed)}; a - in front turns the order.")
        return tuple(dict(parts).items())

    def _value(self, name: str, operator: str, text: str) -> Any:
        if operator == "null":
            return fields.Boolean().deserialize(text)
        if operator in ("gte", "lte") and isinstance(self.column(name).type, Boolean):
            raise ValueError("a yes or no is neither more nor less.")
        reader: Any = Converter().column2field(self.column(name))
        reader.strict = False
        if operator == "in":
            return [reader.deserialize(part) for part in text.split(",")]
        return reader.deserialize(text)

    def column(self, name: str) -> Any:
        """Return the table's column behind a name."""
        return self.model.__table__.c[name]

    def apply(self, statement: Select[Any] | None, query: Query) -> Select[Any]:
        """Narrow and order a select of the model, by default of all rows.

        The primary key makes the order total.
        """
        statement = select(self.model) if statement is None else statement
        for word in query.words:
            matches = (_contains(getattr(self.model, name), word) for name in self.search)
            statement = statement.where(or_(*matches))
        for name, operator, value in query.conditions:
            statement = statement.where(_compare(getattr(self.model, name), operator, value))
        order = dict(query.order)
        for key in self.model.__table__.primary_key:
            order.setdefault(key.name, False)
        clauses = [c for name, down in order.items() for c in self._ordered(name, down)]
        return statement.order_by(None).order_by(*clauses)

    def _ordered(self, name: str, down: bool) -> list[ColumnElement[Any]]:
        """Order by a column, rows without a value last on every engine."""
        column = getattr(self.model, name)
        clause = column.desc() if down else column.asc()
        if not self.column(name).nullable:
            return [clause]
        if db.engine.dialect.name in ("mysql", "mariadb"):
            return [column.is_(None), clause]
        return [clause.nulls_last()]


class ListPage(SelectPagination):
    """A page of a list. `total` is exact up to MAX_COUNT; above it, `total_is_estimate` is set."""

    def __init__(self, statement: Select[Any] | None, listing: Listing, query: Query) -> None:
        self.listing = listing
        self.query = query
        super().__init__(
            query.page,
            query.per_page,
            setting("MAX_PER_PAGE"),
            error_out=False,
            select=listing.apply(statement, query),
            session=db.session,
        )

    def _query_count(self) -> int:
        rows = self._query_args["select"].options(lazyload("*")).order_by(None)
        capped = rows.limit(MAX_COUNT + 1).subquery()
        return int(db.session.scalar(select(func.count()).select_from(capped)) or 0)

    def url(self, page: int | None = None, **changes: str | None) -> str:
        """Return the URL of this list with another page or other arguments; None removes one."""
        args = {**self.query.args, "page": page and str(page), **changes}
        kept = {name: value for name, value in args.items() if value is not None}
        return url_for(str(request.endpoint), **{**(request.view_args or {}), **kept})

    def order(self, name: str) -> str | None:
        """Return the direction if the rows are sorted by this column first (WAI-ARIA aria-sort)."""
        first, down = self.query.order[0]
        return ("descending" if down else "ascending") if first == name else None

    @property
    def total_is_estimate(self) -> bool:
        """Tell whether there are more rows than were counted."""
        return (self.total or 0) > MAX_COUNT


def _number(text: str, limit: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= limit:
        raise ValueError(f"it must be a whole number from 1 to {limit}.")
    return int(text)


def _contains(column: InstrumentedAttribute[str], word: str) -> ColumnElement[bool]:
    """Match a part of a text without regard to case and, where the engine can, to accents."""
    if db.engine.dialect.name == "sqlite":
        # fold() is registered by core/database.py: SQLite's own LIKE knows A to Z only.
        return func.fold(column, type_=String).contains(fold(word), autoescape=True)
    if db.engine.dialect.name == "postgresql":
        return column.icontains(word, autoescape=True)
    # MariaDB's collations compare without case and accents.
    return column.contains(word, autoescape=True)


def _compare(column: Any, operator: str, value: Any) -> ColumnElement[bool]:
    comparisons: dict[str, Callable[[], ColumnElement[bool]]] = {
        "eq": lambda: column == value,
        "gte": lambda: column >= value,
        "lte": lambda: column <= value,
        "in": lambda: column.in_(value),
        "null": lambda: column.is_(None) if value else column.is_not(None),
    }
    return comparisons[operator]()
