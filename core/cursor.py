"""Keyset paging: a cursor holds the place of the last row, so page 50,000 costs what page 1 costs.

A cursor is signed: nobody can forge one that compares columns the listing does not sort by.
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
    """Return a cursor: an order as in a URL, and a row's values of the columns in that order."""
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
    # Derived here once: itsdangerous would derive a key for each cursor.
    derived = [sha256(f"cursor of {table}:{key}".encode()).digest() for key in keys]
    return Signer(derived, key_derivation="none", digest_method=sha256)


def shape(place: Sequence[Any]) -> tuple[bool, ...]:
    """Return for each value of a place whether there is one: the condition depends on that."""
    return tuple(value is not None for value in place)


def values(place: Sequence[Any] | None) -> dict[str, Any]:
    """Return the parameters of the condition that behind() made."""
    return {f"after_{number}": v for number, v in enumerate(place or ()) if v is not None}


def behind(order: Sequence[tuple[Any, bool]], shape: Sequence[bool]) -> ColumnElement[bool]:
    """Return the condition for rows behind a place; in each column rows without a value are last.

    `order` holds pairs of a column and whether it descends; values() returns the parameters.
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
    # The first column once more as a range: an index can start there.
    reach = first <= value if down else first >= value
    return and_(_or_nothing(first, reach), or_(*steps))


def rounded(value: Any, column: Any) -> Any:
    """Return a value as its column keeps it: few doubles equal the REAL that they are stored as."""
    kind = column.type
    if not is_real(kind) and not isinstance(kind, FLOAT):
        return value
    # MariaDB's CAST takes no precision, and no REAL, which is a double there.
    cast_there: Any = Double() if isinstance(kind, REAL) else FLOAT()
    return cast(value, kind.with_variant(cast_there, "mariadb", "mysql"))


def _or_nothing(column: Any, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    nullable = getattr(column.property.columns[0], "nullable", True)
    return or_(condition, column.is_(None)) if nullable else condition
