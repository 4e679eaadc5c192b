"""A list as CSV: all rows that its URL asks for, streamed in constant memory (RFC 4180)."""

import csv
import enum
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from flask import Response, stream_with_context
from sqlalchemy import Select

from core.models import label_of
from core.pages import list_query
from services import db

CHUNK = 500
# A spreadsheet runs a text that begins like this as a formula (OWASP: CSV injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_of(model: Any, columns: Sequence[str], statement: Select[Any] | None = None) -> Response:
    """Stream the list as CSV; a column is an attribute of the row, or a path: "category.name"."""
    rows = model.listing.apply(statement, list_query(model)).execution_options(yield_per=CHUNK)
    heads = [label_of(model, column.partition(".")[0]) for column in columns]
    filename = model.__tablename__
    return Response(
        stream_with_context(_lines(heads, rows, [_reader(column) for column in columns])),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{filename}.csv"'},
    )


def _lines(heads: list[str], rows: Select[Any], readers: list[Any]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    # Without the mark Excel takes UTF-8 for the system's old encoding.
    buffer.write("\ufeff")
    writer.writerow(heads)
    # The session holds rows weakly: each part is forgotten with the next.
    for part in db.session.scalars(rows).partitions(CHUNK):
        writer.writerows([_cell(read(row)) for read in readers] for row in part)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _reader(column: str) -> Callable[[Any], Any]:
    def read(row: Any) -> Any:
        for name in column.split("."):
            row = None if row is None else getattr(row, name)
        return row

    return read


def _cell(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        value = value.value
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
