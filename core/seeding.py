"""Helps a module's seeds.py to load rows fast, and a second time none.

There `seed(rows)` is a generator of how many it has dealt with so far; the command commits.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from sqlalchemy import insert, inspect, select

from services import db

CHUNK = 1000


def insert_missing(
    model: Any, key: str, rows: Iterable[Mapping[str, Any]], chunk: int = CHUNK
) -> Iterator[int]:
    """Insert the rows whose `key` is not in the table yet; yield the number dealt with so far.

    Raises ValueError where a validator of the model (SQLAlchemy's @validates) does.
    """
    column = getattr(model, key)
    if inspect(model).validators:
        rows = (_validated(model, row) for row in rows)
    iterator, done = iter(rows), 0
    while part := list(islice(iterator, chunk)):
        keys = [row[key] for row in part]
        known = set(db.session.scalars(select(column).where(column.in_(keys))))
        missing: dict[Any, dict[str, Any]] = {}
        for row in part:
            if row[key] not in known:
                # Of two with one key the first, as of two in different parts.
                missing.setdefault(row[key], dict(row))
        if missing:
            db.session.execute(insert(model), [*missing.values()])
        done += len(part)
        yield done


def _validated(model: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a record of the model makes of these."""
    record = model(**row)
    return {name: getattr(record, name) for name in row}
