"""The floor: bare Flask, psycopg2 and hand-built dictionaries, with no safety at all."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
import psycopg2.extensions
from envelope import envelope
from flask import Flask, Response, request
from psycopg2.errors import ForeignKeyViolation, UniqueViolation
from psycopg2.pool import ThreadedConnectionPool

STATIC = Path(__file__).resolve().parents[2] / "core/static"
COLUMNS = """b.id, b.title, b.isbn, b.price, b.published, b.pages, b.author_id,
    a.id, a.name, b.created_at, b.updated_at, b.version"""
BOOKS = f"SELECT {COLUMNS} FROM api_book b JOIN api_author a ON a.id = b.author_id"
LIST = f"{BOOKS} ORDER BY b.id LIMIT %s OFFSET %s"
ITEM = f"{BOOKS} WHERE b.id = %s"
INSERT = f"""
WITH b AS (INSERT INTO api_book
    (title, isbn, price, published, pages, author_id, created_at, updated_at, version)
    VALUES (%(title)s, %(isbn)s, %(price)s, %(published)s, %(pages)s, %(author_id)s,
            %(now)s, %(now)s, 1) RETURNING *)
SELECT {COLUMNS} FROM b JOIN api_author a ON a.id = b.author_id"""
UPDATE = f"""
UPDATE api_book b SET {{}}, updated_at = %(now)s, version = b.version + 1
FROM api_author a WHERE a.id = b.author_id AND b.id = %(id)s RETURNING {COLUMNS}"""
ISBN = re.compile(r"97[89][0-9]{10}")
FIELDS = ("title", "isbn", "price", "published", "pages", "author_id")

app = Flask(__name__, static_folder=STATIC, static_url_path="/core/static")
pool = ThreadedConnectionPool(4, 8, os.environ["DATABASE_URL"], options="-c timezone=UTC")


@contextmanager
def cursor() -> Iterator[psycopg2.extensions.cursor]:
    """Lend a cursor of the pool; each statement commits itself."""
    connection = pool.getconn()
    connection.autocommit = True
    try:
        with connection.cursor() as one:
            yield one
    finally:
        pool.putconn(connection)


@app.get("/health/live")
def live() -> dict[str, str]:
    """Answer."""
    return {"status": "ok"}


@app.get("/api/v1/books")
def book_list() -> Response:
    """List books, with their number unless count=none."""
    page = int(request.args.get("page", 1))
    per_page = min(int(request.args.get("per_page", 20)), 100)
    count = request.args.get("count", "exact")
    total = None
    with cursor() as sql:
        if count == "exact":
            sql.execute("SELECT count(*) FROM api_book")
            total = sql.fetchone()[0]
        sql.execute(LIST, (per_page, (page - 1) * per_page))
        data = [book(row) for row in sql.fetchall()]
    return answer({"data": data, **envelope(request.args, page, per_page, total, len(data))})


@app.get("/api/v1/books/<int:id>")
def book_item(id: int) -> Response:
    """Show a book, or say that it has not changed."""
    with cursor() as sql:
        sql.execute(ITEM, (id,))
        row = sql.fetchone()
    if row is None:
        return problem(404, "Not Found")
    response = item(row)
    if request.headers.get("If-None-Match") == response.headers["ETag"]:
        return Response(status=304, headers={"ETag": response.headers["ETag"]})
    return response


@app.post("/api/v1/books")
def book_create() -> Response:
    """Store a new book."""
    values, errors = read(partial=False)
    if errors:
        return problem(422, "Unprocessable Entity", errors)
    with cursor() as sql:
        sql.execute(INSERT, {**values, "now": datetime.now(UTC)})
        row = sql.fetchone()
    return item(row, 201, {"Location": f"/api/v1/books/{row[0]}"})


@app.patch("/api/v1/books/<int:id>")
def book_update(id: int) -> Response:
    """Change the named fields of a book."""
    values, errors = read(partial=True)
    if errors:
        return problem(422, "Unprocessable Entity", errors)
    changes = ", ".join(f"{name} = %({name})s" for name in values)
    with cursor() as sql:
        sql.execute(UPDATE.format(changes), {**values, "now": datetime.now(UTC), "id": id})
        row = sql.fetchone()
    return item(row) if row else problem(404, "Not Found")


def book(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return a row as the JSON has it."""
    return {
        "id": row[0],
        "title": row[1],
        "isbn": row[2],
        "price": str(row[3]),
        "published": row[4],
        "pages": row[5],
        "author_id": row[6],
        "author": {"id": row[7], "name": row[8]},
        "created_at": row[9],
        "updated_at": row[10],
        "version": row[11],
    }


def read(partial: bool) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return the checked values of the body, and what is wrong with the others."""
    body = orjson.loads(request.get_data())
    values: dict[str, Any] = {} if partial else dict.fromkeys(("published", "pages"))
    errors = {name: ["Unknown field."] for name in body.keys() - set(FIELDS)}
    for name in FIELDS:
        if name in body:
            try:
                values[name] = CHECKS[name](body[name])
            except (ValueError, InvalidOperation):
                errors[name] = ["Not a valid value."]
        elif not partial and name not in ("published", "pages"):
            errors[name] = ["Missing data for required field."]
    return values, errors


def _require(value: Any, holds: bool) -> Any:
    if not holds:
        raise ValueError
    return value


CHECKS = {
    "title": lambda v: _require(v, isinstance(v, str) and bool(v.strip()) and len(v) <= 200),
    "isbn": lambda v: _require(v, isinstance(v, str) and bool(ISBN.fullmatch(v))),
    "price": lambda v: _require(Decimal(v), 0 <= Decimal(v) < 100_000_000),
    "published": lambda v: None if v is None else date.fromisoformat(v),
    "pages": lambda v: _require(v, v is None or (isinstance(v, int) and 1 <= v <= 100_000)),
    "author_id": lambda v: _require(v, isinstance(v, int)),
}


def item(
    row: tuple[Any, ...], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Answer one book with its tag."""
    response = answer({"data": book(row)}, status)
    tag = blake2b(response.get_data(), digest_size=12).hexdigest()
    response.headers["ETag"] = f'"{tag}"'
    response.headers.update(headers or {})
    return response


def answer(body: Any, status: int = 200, mimetype: str = "application/json") -> Response:
    """Answer with JSON."""
    return Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), status, mimetype=mimetype)


def problem(status: int, title: str, errors: dict[str, list[str]] | None = None) -> Response:
    """Answer with an error."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": None}
    if errors:
        body["errors"] = errors
    return answer(body, status, "application/problem+json")


@app.errorhandler(UniqueViolation)
def taken(error: UniqueViolation) -> Response:
    """Answer a duplicate."""
    return problem(409, "Conflict", {"isbn": ["Taken."]})


@app.errorhandler(ForeignKeyViolation)
def missing(error: ForeignKeyViolation) -> Response:
    """Answer a missing author."""
    return problem(409, "Conflict", {"author_id": ["Does not exist."]})


@app.errorhandler(orjson.JSONDecodeError)
def malformed(error: orjson.JSONDecodeError) -> Response:
    """Answer what is no JSON."""
    return problem(400, "Bad Request")
