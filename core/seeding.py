"""Helps a module's seeds.py to load rows fast, and to load none twice.

In seeds.py `seed(rows)` is a generator that yields how many rows it has dealt with so far; the
command commits.
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

    Raises ValueError if a validator of the model (SQLAlchemy's @validates) does.
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
                # Of two rows with one key the first counts, as it does across two chunks.
                missing.setdefault(row[key], dict(row))
        if missing:
            db.session.execute(insert(model), [*missing.values()])
        done += len(part)
        yield done


def _validated(model: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row's values as a record of the model changes them."""
    record = model(**row)
    return {name: getattr(record, name) for name in row}
