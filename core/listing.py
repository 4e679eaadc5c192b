"""The listing contract: a model says once what of it may be searched, filtered and sorted.

Pages and API read the same declaration and the same names in the URL; lists are paged and capped.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from flask import abort
from marshmallow import ValidationError
from marshmallow_sqlalchemy import ModelConversionError
from werkzeug.datastructures import MultiDict

from core import cursor
from core.columns import has_its_places, key_names
from core.conditions import Match, compare, contains, in_path, is_whole, model_at
from core.database import engine_of
from core.fields import Boolean
from core.schemas import reader_of
from core.setting import setting
from core.text import clean_text

# Every row is searched once more for each word.
MOST_WORDS = 10
# In characters of a search; the rest is neither searched for nor repeated in links.
LONGEST_WORDS = 200
# Skipping rows costs the database as much as reading them.
MAX_OFFSET = 100_000
COUNTS = ("exact", "estimate", "none")
# For the API alone: a page of HTML is numbered, counted and shows all fields.
API_PARAMETERS = ("cursor", "count", "fields")
NO_CURSOR = "There is no such cursor: take `next_cursor` of an answer as it is, or start again."
# PostgreSQL has no = for JSON, and a URL no text for bytes or lists.
INCOMPARABLE = (sa.JSON, sa.LargeBinary, sa.ARRAY)
FILTER = re.compile(r"filter\[(\w+)\](?:\[(gte|lte|in|null)\])?")

# Column, operator and value.
Condition = tuple[str, str, Any]
# Pairs of a column and whether it is descending.
Order = tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Query:
    """What a URL asks of a list: the checked values, and `args`, the same as URL arguments.

    `after` is the place of the last row that a reader by cursor has seen (core/cursor.py); `count`
    is one of COUNTS, or nothing for a total that ends at paging.MAX_COUNT. `left_out` names the
    columns of filters that a page could not read.
    """

    words: tuple[str, ...] = ()
    order: Order = ()
    conditions: tuple[Condition, ...] = ()
    page: int = 1
    per_page: int = 20
    after: tuple[Any, ...] | None = None
    count: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


@dataclass(eq=False)
class Listing:
    """The allow-list of a model: the attributes of its columns, inherited ones among them.

    A column_property counts as a column; a search takes hybrids, too, and by a path ("author.name")
    columns of related models.

    `default` is the order without a `sort`, as in a URL: "-price,name"; `label` is the column that
    names a record in selects: without it, whole records are read, and named by their str().
    """

    search: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    default: str = "-id"
    label: str = ""
    model: Any = None

    def __set_name__(self, owner: Any, name: str) -> None:
        self.model = owner

    @lru_cache(maxsize=512)  # noqa: B019 - a listing lives as long as its model
    def _of(self, model: Any) -> "Listing":
        return replace(self, model=model)

    def __get__(self, record: Any, owner: Any) -> "Listing":
        """Return the listing; for a model that inherits it, a copy that lists that model's rows."""
        return self if owner is self.model else self._of(owner)

    def read(
        self,
        args: MultiDict[str, str],
        refuse: Callable[[str], Any],
        condition: Callable[..., Condition] | None = None,
    ) -> Query:
        """Read a URL's arguments; `refuse` gets a sentence for each that is unknown or wrong.

        `condition` stands in for Listing.condition where people type the filters.
        """
        values: dict[str, Any] = {"conditions": [], "per_page": setting("PER_PAGE")}
        known: dict[str, str] = {}
        for name, texts in args.lists():
            is_list = len(texts) > 1 and self._takes_list(name)
            if len(texts) > 1 and not is_list:
                refuse(f"{name[:40]!r}: it stands twice.")
            text = ",".join(texts) if is_list else texts[0]
            try:
                self._read_one(name, text, values, condition or Listing.condition)
                known[name] = text[:LONGEST_WORDS] if name == "q" else text
            except ValidationError as error:
                refuse(f"{name[:40]!r}: {' '.join(error.messages)}")
            except ValueError as error:
                refuse(f"{name[:40]!r}: {error}")
        if (values.get("page", 1) - 1) * values["per_page"] > MAX_OFFSET:
            refuse(
                f"'page': pages end after {MAX_OFFSET} rows; narrow the list down or go on "
                "by cursor."
            )
            del values["page"], known["page"]
        if at := values.pop("at", None):
            # Generated clients send page=1, the default, with a cursor.
            known.pop("page", None)
            if values.pop("page", 1) > 1 or self.total_order(values.get("order", at)) != at:
                refuse("'cursor': it has its own place and order; leave page and sort out.")
            values["order"] = at
        values.setdefault("order", self.default_order)
        values["conditions"] = tuple(values["conditions"])
        return Query(**values, args=known)

    def query(self, words: str, per_page: int = 20) -> Query:
        """Return the query for the first rows in which the words are found."""
        sought = _words(words) if self.search else ()
        return Query(sought, self.default_order, per_page=per_page, count="none")

    def whole(self, words: str, statement: sa.Select[Any] | None) -> sa.Select[Any]:
        """Narrow a select to records by name: each word, or the whole text, is an attribute."""
        each = (self._found(is_whole, word) for word in _words(words))
        rows = sa.select(self.model) if statement is None else statement
        return rows.where(sa.or_(sa.and_(*each), self._found(is_whole, words)))

    def _found(self, match: Match, words: str) -> sa.ColumnElement[bool]:
        """Return the condition that one of the searched attributes matches these words."""
        return sa.or_(*(in_path(self.model, path, match, words) for path in self.search))

    @property
    def default_order(self) -> Order:
        """Return the order without a `sort`."""
        return self._order(self.default)

    def unusable(self) -> Iterator[tuple[str, str, str]]:
        """Yield part, name and remedy for each name of no column, or of one that does not serve."""
        ordered = tuple(name for name, _ in self.default_order)
        parts = {"search": self.search, "filters": self.filters, "sort": self.sort}
        parts |= {"default": ordered, "label": (self.label,) if self.label else ()}
        for part, names in parts.items():
            if isinstance(names, str):
                yield part, names, f'write a comma behind a single name, ("{names}",)'
                continue
            pairs = ((name, self._remedy_of(part, name)) for name in names)
            yield from ((part, name, remedy) for name, remedy in pairs if remedy)

    def _remedy_of(self, part: str, name: str) -> str:
        """Return what to do about a name in a part of the listing, "" if it serves."""
        model: Any = self.model
        if part == "search" and "." in name:
            *path, name = name.split(".")
            model = model_at(model, path)
            if model is None:
                return "name a relationship before each dot, and a column behind the last"
        columns = sa.inspect(model).columns
        if not hasattr(model, name) or (part != "search" and name not in columns):
            return "name a column of the model, or a column_property"
        if name in columns and isinstance(columns[name].type, INCOMPARABLE):
            return "name a column that is neither JSON nor bytes nor a list"
        return "" if part in ("search", "label") else _remedy(columns[name])

    def _takes_list(self, name: str) -> bool:
        """Tell whether an argument may be a list: many clients repeat its name for each value."""
        return name in ("sort", "fields") or (self.filter_of(name) or ("", ""))[1] == "in"

    def filter_of(self, name: str) -> tuple[str, str] | None:
        """Return column and operator of a URL's argument, None for one that is no filter."""
        match = FILTER.fullmatch(name)
        return (match[1], match[2] or "eq") if match and match[1] in self.filters else None

    def _read_one(
        self, name: str, text: str, values: dict[str, Any], condition: Callable[..., Condition]
    ) -> None:
        if filtered := self.filter_of(name):
            values["conditions"].append(condition(self, *filtered, text))
        elif name == "q" and self.search:
            values["words"] = _words(clean_text(text))
        elif name == "sort" and self.sort:
            values["order"] = self._order(text, self.sort)
        elif name in ("page", "per_page"):
            limit = setting("MAX_PER_PAGE") if name == "per_page" else MAX_OFFSET
            values[name] = _number(text, limit)
        elif name == "cursor":
            values["at"], values["after"] = self._read_cursor(text)
        elif name == "count":
            values["count"] = _one_of(COUNTS, text)
        elif name != "fields":  # core/rest.py reads it.
            is_filter = name.startswith("filter[")
            more = " A filter takes [gte], [lte], [in] or [null] behind it." if is_filter else ""
            raise ValueError(f"it is unknown; allowed are {', '.join(self.parameters())}.{more}")

    def parameters(self) -> Iterator[str]:
        """Yield the names a URL may carry."""
        yield from ("page", "per_page", *API_PARAMETERS)
        yield from ("q",) if self.search else ()
        yield from ("sort",) if self.sort else ()
        yield from (f"filter[{name}]" for name in self.filters)

    def _order(self, text: str, allowed: tuple[str, ...] | None = None) -> Order:
        parts = [(part.removeprefix("-"), part.startswith("-")) for part in text.split(",")]
        for name, _ in parts:
            if allowed is not None and name not in allowed:
                raise ValueError(f"sort by {', '.join(allowed)}; a - in front turns the order.")
        if len(dict(parts)) < len(parts):
            raise ValueError("a column stands twice.")
        return tuple(parts)

    def condition(self, name: str, operator: str, text: str) -> Condition:
        """Read a filter. Raises ValidationError and ValueError."""
        return name, operator, self._value(name, operator, text)

    def _value(self, name: str, operator: str, text: str) -> Any:
        if operator == "null":
            return Boolean(strict=False).deserialize(text)
        reader = self.reader(name)
        if operator in ("gte", "lte") and not self.is_ordered(name):
            raise ValueError("its values are neither more nor less than others.")
        if operator == "in":
            return [reader.deserialize(part) for part in text.split(",")]
        return reader.deserialize(text)

    def reader(self, name: str) -> Any:
        """Return the field that reads a value of this column from a URL."""
        return reader_of(self.column(name))

    def is_ordered(self, name: str) -> bool:
        """Tell whether this column's values are in an order, so that [gte] and [lte] make sense."""
        return not isinstance(self.column(name).type, (sa.Boolean, sa.Enum))

    def _read_cursor(self, text: str) -> tuple[Order, tuple[Any, ...]]:
        """Return the order and the place that a cursor holds; 404 for one that we did not make."""
        order, values = cursor.read(text, self.model.__tablename__) or abort(404, NO_CURSOR)
        pairs = self._order(order)
        try:
            place = [
                reader_of(self.column(name), is_stored=True).deserialize(value)
                for (name, _), value in zip(pairs, values, strict=True)
            ]
        except (KeyError, ValidationError):
            place = []
        # In an older version of the product the list had other columns, or another key.
        if not place or self.total_order(pairs) != pairs:
            abort(404, NO_CURSOR)
        return pairs, tuple(place)

    def cursor_at(self, query: Query, place: tuple[Any, ...]) -> str:
        """Return the cursor of a reader who has seen the list up to the row at this place."""
        order = _written(self.total_order(query.order))
        return cursor.write(order, place, self.model.__tablename__)

    def column(self, name: str) -> Any:
        """Return the column behind the name of an attribute; for an expression, one of its type."""
        return _as_column(sa.inspect(self.model).columns[name])

    @lru_cache(maxsize=1024)  # noqa: B019 - a listing lives as long as its model
    def total_order(self, order: Order) -> Order:
        """Return the order with the primary key behind it, so that no two rows are equal."""
        named = dict(order)
        for key in key_names(self.model):
            named.setdefault(key, False)
        return tuple(named.items())

    def sort_of(self, order: Order) -> str | None:
        """Return the shortest `sort` of a URL for a total order, None for the default's."""
        if order == self.total_order(self.default_order):
            return None
        starts = (order[:length] for length in range(1, len(order) + 1))
        return _written(next(start for start in starts if self.total_order(start) == order))

    def narrow(self, statement: sa.Select[Any] | None, query: Query) -> sa.Select[Any]:
        """Narrow a select of the model, by default of all rows, to what the query asks for."""
        statement = sa.select(self.model) if statement is None else once(self.model, statement)
        statement = statement.where(*(self._found(contains, word) for word in query.words))
        for name, operator, value in query.conditions:
            statement = statement.where(compare(getattr(self.model, name), operator, value))
        return statement

    def apply(self, statement: sa.Select[Any] | None, query: Query) -> sa.Select[Any]:
        """Narrow and order a select of the model, by default of all rows."""
        return self.ordered(self.narrow(statement, query), query.order)

    def ordered(
        self, statement: sa.Select[Any], order: Order, shape: tuple[bool, ...] | None = None
    ) -> sa.Select[Any]:
        """Order a select of the model; with the shape of a cursor's place, begin behind it."""
        order = self.total_order(order)
        if shape is not None:
            columns = [(getattr(self.model, name), down) for name, down in order]
            statement = statement.where(cursor.behind(columns, shape))
        clauses = [clause for name, down in order for clause in self._ordered(name, down)]
        return statement.order_by(None).order_by(*clauses)

    def _ordered(self, name: str, down: bool) -> list[sa.ColumnElement[Any]]:
        """Order by a column, rows without a value last on every engine."""
        column, stored = getattr(self.model, name), self.column(name)
        is_mysql = engine_of(self.model).dialect.name in ("mysql", "mariadb")
        if is_mysql and isinstance(stored.type, sa.Enum) and stored.type.native_enum:
            # MySQL sorts an ENUM by the places of its members, but compares it as a text.
            column = sa.cast(column, sa.String)
        clause = column.desc() if down else column.asc()
        if not stored.nullable:
            return [clause]
        if is_mysql:
            return [column.is_(None), clause]
        return [clause.nulls_last()]


@lru_cache(maxsize=512)
def listing_of(model: Any) -> Listing:
    """Return a model's listing; without one, a listing that only orders rows by their key."""
    declared: Listing | None = getattr(model, "listing", None)
    return declared or Listing(default=key_names(model)[0], model=model)


def text_of(record: Any) -> str:
    """Return what a record is called: the `label` of its model's listing, else `__str__`."""
    listing = getattr(record, "listing", None)
    label = listing.label if isinstance(listing, Listing) else ""
    text = getattr(record, label) if label else None
    return str(record if text is None else text)


def check_select(model: Any, statement: Any) -> None:
    """Raise ValueError unless a statement selects the model: conditions on others narrow nothing.

    An alias of the model counts as another; None selects all rows.
    """
    if statement is None:
        return
    is_select = isinstance(statement, sa.Select)
    entity = statement.column_descriptions[0]["entity"] if is_select else None
    found: Any = sa.inspect(entity, raiseerr=False)
    mapper = sa.inspect(model)
    if not getattr(found, "is_mapper", False) or not (found.isa(mapper) or mapper.isa(found)):
        raise ValueError(
            f"The statement selects no {model.__name__}: begin it with select({model.__name__}), "
            "and put an alias of it into an exists() or into in_()."
        )


def once(model: Any, statement: sa.Select[Any]) -> sa.Select[Any]:
    """Return a select with each record once, even if it is joined to many records of another."""
    joined = (target if on is None else on for target, on, *_ in statement._setup_joins)  # noqa: SLF001
    is_one = (getattr(getattr(one, "property", None), "uselist", None) is False for one in joined)
    # An option may load the joined records (contains_eager), so the join has to stay.
    if all(is_one) or statement._with_options:  # noqa: SLF001
        return statement
    keys = [getattr(model, name) for name in key_names(model)]
    found = statement.with_only_columns(*keys, maintain_column_froms=True).correlate(None)
    if not statement._distinct_on:  # noqa: SLF001
        found = found.order_by(None)
    is_found = sa.tuple_(*keys).in_(found) if keys[1:] else keys[0].in_(found)
    once = sa.select(model).where(is_found)
    return once.execution_options(**statement.get_execution_options())


@lru_cache(maxsize=1024)
def _as_column(column: Any) -> Any:
    # If the model is mapped to a select, its columns are those of no table.
    is_stored = isinstance(getattr(column, "table", None), sa.Table)
    return column if is_stored else sa.Column(column.key, column.type)


def _remedy(column: Any) -> str:
    """Return how to make a column or expression fit for sorts and filters, "" if it is."""
    is_stored = isinstance(column, sa.Column)
    try:
        reader_of(_as_column(column))
    except ModelConversionError:
        if is_stored:
            return "name a column of a type that schemas have a field for"
        return "give the expression a type, as in func.upper(name, type_=String)"
    if is_stored or has_its_places(column):
        return ""
    return "round it to the places of its type, func.round(..., 2, type_=Numeric(12, 2))"


def _written(order: Order) -> str:
    return ",".join(f"{'-' * down}{name}" for name, down in order)


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text[:LONGEST_WORDS].split()))[:MOST_WORDS]


def _number(text: str, limit: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= limit:
        raise ValueError(f"it must be a whole number from 1 to {limit}.")
    return int(text)


def _one_of(allowed: tuple[str, ...], text: str) -> str:
    if text not in allowed:
        raise ValueError(f"it must be one of {', '.join(allowed)}.")
    return text
