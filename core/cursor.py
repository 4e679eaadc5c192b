"""Keyset paging: a cursor holds the place of the last row, so page 50,000 costs what page 1 costs.

A cursor is signed: nobody can make one up that compares columns which the listing does not sort by.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any

from flask import current_app, json
from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode
from sqlalchemy import FLOAT, REAL, ColumnElement, Double, and_, bindparam, cast, false, or_

from core.columns import is_real


def write(order: str, place: tuple[Any, ...], table: str) -> str:
    """Return a cursor: the order as in a URL, and the values of a row in it."""
    return _signer(table).sign(base64_encode(json.dumps([order, place]))).decode()


def read(text: str, table: str) -> tuple[str, list[Any]] | None:
    """Return what write() was given, None for what it did not write."""
    try:
        order, values = json.loads(base64_decode(_signer(table).unsign(text)))
    except BadData:
        return None
    return order, values


def _signer(table: str) -> Signer:
    config = current_app.config
    return _made_signer(table, *reversed(config["SECRET_KEY_FALLBACKS"]), config["SECRET_KEY"])


@lru_cache(maxsize=256)
def _made_signer(table: str, *keys: str) -> Signer:
    # Derived here once, where itsdangerous would do so for each cursor.
    derived = [sha256(f"cursor of {table}:{key}".encode()).digest() for key in keys]
    return Signer(derived, key_derivation="none", digest_method=sha256)


def shape(place: Sequence[Any]) -> tuple[bool, ...]:
    """Return which values of a place are there: that decides the condition's form."""
    return tuple(value is not None for value in place)


def values(place: Sequence[Any] | None) -> dict[str, Any]:
    """Return the parameters of the condition that behind() made."""
    return {f"after_{number}": v for number, v in enumerate(place or ()) if v is not None}


def behind(order: Sequence[tuple[Any, bool]], shape: Sequence[bool]) -> ColumnElement[bool]:
    """Return the condition for rows behind a place; in each column rows without a value are last.

    `order` are pairs of a column and whether it descends; the parameters are those of values().
    """
    steps: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for number, ((column, down), has_value) in enumerate(zip(order, shape, strict=True)):
        value = rounded(bindparam(f"after_{number}", type_=column.type), column)
        if has_value:
            after = column < value if down else column > value
            steps.append(and_(*equal, _or_nothing(column, after)))
        equal.append(column == value if has_value else column.is_(None))
    first, down = order[0]
    value = rounded(bindparam("after_0", type_=first.type), first)
    if len(order) == 1 or not shape[0]:
        return or_(false(), *steps)
    # Said once more as a range, which an index can start at.
    reach = first <= value if down else first >= value
    return and_(_or_nothing(first, reach), or_(*steps))


def rounded(value: Any, column: Any) -> Any:
    """Return a value as its column keeps it: a REAL is equal to no double but a few."""
    kind = column.type
    if not is_real(kind) and not isinstance(kind, FLOAT):
        return value
    # MariaDB's CAST takes no precision, and no REAL, which is a double there.
    cast_there: Any = Double() if isinstance(kind, REAL) else FLOAT()
    return cast(value, kind.with_variant(cast_there, "mariadb", "mysql"))


def _or_nothing(column: Any, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    nullable = getattr(column.property.columns[0], "nullable", True)
    return or_(condition, column.is_(None)) if nullable else condition
