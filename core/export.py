"""Streams CSV (RFC 4180): all rows of the list that a URL asks for, or rows of your own."""

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
# Japanese spreadsheets take the full-width characters, too.
FORMULA = "[=+@\uff1d\uff0b\uff0d\uff20-]"
STARTS = re.compile(rf"[\t\r\n]|\s*{FORMULA}")
# Where a spreadsheet that separates by anything but commas would begin a cell.
# Quotes there would be the quotes around that cell.
WITHIN = re.compile(rf"(?<=[;|\t\r\n])(?=(?:[^\S\t\r\n]|\")*{FORMULA})")


def csv_of(model: Any, columns: Sequence[str], statement: Select[Any] | None = None) -> Response:
    """Stream the list as CSV; a column is an attribute of the row, or a path: "category.name".

    Times are those of settings.TIMEZONE, with their offset; spans are in seconds, as in the API.
    Commits what the request has changed.
    """
    # The API refuses wrong arguments (core/rest.py); a page leaves them out.
    refuse = partial(abort, 400)
    listing = listing_of(model)
    is_api = wants_problem()
    query = listing.read(request.args, refuse) if is_api else list_query(model)
    if is_api and (unheeded := request.args.keys() & {"cursor", "fields", "page", "per_page"}):
        abort(400, f"{min(unheeded)!r}: a file has all rows, and columns of its own.")
    # A page says which filters it left out; a file cannot, and would hold too many rows.
    if query.left_out:
        abort(400)
    check_select(model, statement)
    records = listing.apply(statement, query)
    rows = rows_of(model, tuple(columns)).select(records).execution_options(yield_per=CHUNK)
    firsts = [column.partition(".")[0] for column in columns]
    # If one related record has several columns here, each heading names its own.
    heads = [
        ": ".join(_labels(model, column if firsts.count(first) > 1 else first))
        for first, column in zip(firsts, columns, strict=True)
    ]
    # Give back the connection of earlier reads, such as a guard's: the file takes its own.
    db.session.commit()
    with ExitStack() as stack:
        # A session of its own: the request's is closed before the lines are sent.
        session = stack.enter_context(db.session.session_factory())
        # Executed before the answer begins, so that a failure still gets its status and page.
        response = csv_response(model.__tablename__, heads, session.execute(rows))
        response.call_on_close(stack.pop_all().close)
    return response


def csv_response(name: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """Stream rows of your own making, such as the sums of a report, as the file `name`.csv.

    Here, too, no text reaches a spreadsheet as a formula.
    """
    response = Response(stream_with_context(_lines(heads, rows)), mimetype="text/csv")
    plain = re.sub(r"[^ !#-\[\]-~]", "_", name)
    # The unchanged name, which all browsers of today take (RFC 6266 4.3).
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
    # Without this byte order mark Excel takes UTF-8 for the system's old encoding.
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
