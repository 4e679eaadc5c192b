"""A list as CSV, all rows that its URL asks for, or rows of your own: streamed (RFC 4180)."""

import csv
import enum
import io
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Response, abort, request, stream_with_context
from sqlalchemy import Select, inspect

from core.i18n import local
from core.listing import check_select, listing_of
from core.models import label_of
from core.pages import list_query
from core.problem import wants_problem
from core.rows import rows_of
from services import db

CHUNK = 500
# A spreadsheet runs a text that begins like this as a formula (OWASP: CSV injection).
# A spreadsheet of Japan takes the wide ones, too.
FORMULA = "[=+@\uff1d\uff0b\uff0d\uff20-]"
STARTS = re.compile(rf"[\t\r\n]|\s*{FORMULA}")
# Where one that separates by something else than commas would begin a cell.
# Quotes there are those of its cell.
WITHIN = re.compile(rf"(?<=[;|\t\r\n])(?=(?:[^\S\t\r\n]|\")*{FORMULA})")


def csv_of(model: Any, columns: Sequence[str], statement: Select[Any] | None = None) -> Response:
    """Stream the list as CSV; a column is an attribute of the row, or a path: "category.name".

    Times are those of settings.TIMEZONE, with their offset; spans are in seconds, as in the API.
    What the request has changed is committed.
    """
    # What an API is asked wrongly it refuses (core/rest.py), where a page reads on.
    refuse = partial(abort, 400)
    listing = listing_of(model)
    is_api = wants_problem()
    query = listing.read(request.args, refuse) if is_api else list_query(model)
    if is_api and (unheeded := request.args.keys() & {"cursor", "fields"}):
        abort(400, f"{min(unheeded)!r}: a file has all rows, and columns of its own.")
    # A page says what it leaves out; a file cannot, and would be of more than was asked for.
    if query.left_out:
        abort(400)
    check_select(model, statement)
    records = listing.apply(statement, query)
    rows = rows_of(model, tuple(columns)).select(records).execution_options(yield_per=CHUNK)
    firsts = [column.partition(".")[0] for column in columns]
    # Of several columns of one related record each says which it is.
    heads = [
        ": ".join(_labels(model, column if firsts.count(first) > 1 else first))
        for first, column in zip(firsts, columns, strict=True)
    ]
    # Who has read before, as a guard does, gives the connection back: the file takes one.
    db.session.commit()
    with ExitStack() as stack:
        # Of its own: that of the request is closed before the lines are sent.
        session = stack.enter_context(db.session.session_factory())
        # Before the answer begins, so that a failure still has its status and its page.
        response = csv_response(model.__tablename__, heads, session.execute(rows))
        response.call_on_close(stack.pop_all().close)
    return response


def csv_response(name: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """Stream rows of your own making, such as the sums of a report, as the file `name`.csv.

    What a text holds is no formula there, either.
    """
    response = Response(stream_with_context(_lines(heads, rows)), mimetype="text/csv")
    plain = re.sub(r"[^ !#-\[\]-~]", "_", name)
    # The name as it is for all browsers of today (RFC 6266 4.3).
    also = f"; filename*=UTF-8''{quote(name, safe='')}.csv" if plain != name else ""
    response.headers["Content-Disposition"] = f'attachment; filename="{plain}.csv"{also}'
    return response


def _labels(model: Any, path: str) -> Iterator[str]:
    first, _, rest = path.partition(".")
    yield str(label_of(model, first))
    if rest:
        yield from _labels(inspect(model).relationships[first].mapper.class_, rest)


def _lines(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    # Without the mark Excel takes UTF-8 for the system's old encoding.
    buffer.write("\ufeff")
    writer.writerow([_cell(str(head)) for head in heads])
    for number, row in enumerate(rows, 1):
        writer.writerow([_cell(value) for value in row])
        if number % CHUNK == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, datetime):
        return local(value).isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        value = b64encode(value).decode()
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False, default=str)
    if value is None or isinstance(value, (int, float)):
        return value
    text = str(value)
    return WITHIN.sub("'", f"'{text}" if STARTS.match(text) else text)
