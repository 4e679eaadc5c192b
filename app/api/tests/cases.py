"""The error matrix: each way in which a request to the API can be refused."""

from dataclasses import dataclass, field
from typing import Any

UNIQUE = "This value is already taken."
MISSING = "This record does not exist or was deleted."
REQUIRED = "Missing data for required field."
UNKNOWN = "Unknown field."
READ_ONLY = "This field is read-only."
NO_INTEGER = "Not a valid integer."
NO_NUMBER = "Not a valid number."
NO_STRING = "Not a valid string."
NO_DATE = "Not a valid date."
NOT_NULL = "Field may not be null."
BLANK = "This must not be blank."
NUL = "NUL characters are not allowed."
LONG = "Longer than maximum length 120."
UNICODE = "This is not valid Unicode text."
NO_OBJECT = {"_schema": ["Invalid input type."]}
ISBN = "An ISBN-13: 13 digits, 978 or 979 first."
PRICE = "Must be greater than or equal to 0 and less than or equal to 99999999.99."
PAGES = "Must be greater than or equal to 1 and less than or equal to 100000."
COUNT = "it must be one of exact, estimate, none."
KEY = "Must be greater than or equal to -2147483647 and less than or equal to 2147483647."
ALLOWED = (
    "it is unknown; allowed are page, per_page, cursor, count, fields, q, sort, filter[author_id], "
    "filter[price], filter[published], filter[pages]."
)
PAGE = "'page': it must be a whole number from 1 to 100000."
FAR = "pages end after 100000 rows; narrow the list down or go on by cursor."
SORT = "'sort': sort by id, title, price, published, pages, created_at; a - in front turns the"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Case:
    """A request and its refusal. `{author}`, `{book}`, `{isbn}` stand for those on the shelf."""

    name: str
    method: str
    path: str
    status: int
    errors: dict[str, Any] | None = None
    json: Any = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    detail: str = ""
    allow: str = ""


def post(path: str, name: str, value: Any, errors: dict[str, Any], status: int = 422) -> Case:
    return Case(name, "POST", path, status, errors, value)


def patch_book(name: str, errors: dict[str, Any], status: int = 422, **values: Any) -> Case:
    return Case(f"{name} in a book", "PATCH", "/books/{book}", status, errors, values)


def raw(name: str, body: bytes, status: int = 400, **headers: str) -> Case:
    return Case(name, "POST", "/authors", status, body=body, headers=headers or JSON)


def change(name: str, body: bytes, status: int = 400, **headers: str) -> Case:
    return Case(
        f"PATCH with {name}", "PATCH", "/books/{book}", status, body=body, headers=headers or JSON
    )


def unknown(path: str, method: str = "GET") -> Case:
    json = {"name": "X"} if method in ("PUT", "PATCH") else None
    return Case(f"{method} {path[:30]}", method, path, 404, json=json)


def query(text: str, detail: str) -> Case:
    return Case(f"?{text[:60]}", "GET", f"/books?{text}", 400, detail=detail)


def cursor(text: str) -> Case:
    return Case(f"?cursor={text}", "GET", f"/books?cursor={text}", 404, detail="no such cursor")


def of_fields(name: str, path: str, json: Any = None) -> Case:
    detail = "'fields': 'colour' is unknown; allowed are id, "
    return Case(
        f"{name} {path}?fields=colour", name, f"{path}?fields=colour", 400, json=json, detail=detail
    )


def method(name: str, path: str, allow: str) -> Case:
    return Case(f"{name} {path}", name, path, 405, json={}, allow=allow)


def no_match(name: str, path: str, json: Any = None) -> Case:
    return Case(
        f"{name} {path} of another version", name, path, 412, json=json, headers={"If-Match": '"x"'}
    )


BAD_REQUESTS = [
    raw("broken JSON", b'{"name": '),
    raw("no JSON", b"name=Ana"),
    raw("an empty body", b""),
    raw("two values", b'{"name": "A"} {"name": "B"}'),
    raw("a key twice", b'{"name": "A", "name": "B"}'),
    raw("NaN", b'{"name": NaN}'),
    raw("Infinity", b'{"name": -Infinity}'),
    raw("deep lists", b"[" * 100_000 + b"]" * 100_000),
    raw("deep objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    raw("an integer of 5,000 digits", b'{"name": ' + b"9" * 5000 + b"}"),
    raw("a key twice within", b'{"name": {"a": 1, "a": 2}}'),
    raw("a key twice, once escaped", b'{"name": "A", "n\\u0061me": "B"}'),
    change("a key twice", b'{"title": "A", "title": "B"}'),
    change("NaN", b'{"price": NaN}'),
    change("deep lists", b'{"title": ' + b"[" * 100_000),
    change("an empty body", b""),
    raw("broken UTF-8", b'{"name": "\xff\xfe"}'),
    raw("a NUL outside of a string", b'{"name": "A"}\x00'),
    query("x=1", f"'x': {ALLOWED}"),
    query("page=1&_method=POST", f"'_method': {ALLOWED}"),
    query("page=0", PAGE),
    query("page=-1", PAGE),
    query("page=1e9", PAGE),
    query("page=%D9%A3", PAGE),
    query("page=1%00", PAGE),
    query("page=", PAGE),
    query("page=2&page=3", "'page': it stands twice."),
    query("page=999999999", PAGE),
    query("page=9999999999999999999999", PAGE),
    query("page=5002", f"'page': {FAR}"),
    query("per_page=0", "'per_page': it must be a whole number from 1 to 100."),
    query("per_page=101", "'per_page': it must be a whole number from 1 to 100."),
    query("count=all", f"'count': {COUNT}"),
    query("count=", f"'count': {COUNT}"),
    query("count=none&count=none", "'count': it stands twice."),
    query("fields=", "'fields': '' is unknown; allowed are id, title, isbn, price, published,"),
    query("fields=id,author.name", "'fields': 'author.name' is unknown; allowed are id, title,"),
    query("fields=id%00", "'fields': 'id\\x00' is unknown; allowed are id, title,"),
    of_fields("GET", "/books"),
    of_fields("GET", "/books/{book}"),
    of_fields("PUT", "/authors/{author}", {"name": "Changed"}),
    of_fields("PATCH", "/books/{book}", {"title": "Changed"}),
    of_fields("DELETE", "/books/{book}"),
    of_fields("POST", "/authors", {"name": "New"}),
    query("q=a%00b", f"'q': {NUL}"),
    query("q=a&q=b", "'q': it stands twice."),
    query("sort=author_id", SORT),
    query("sort=", SORT),
    query("sort=title,version", SORT),
    query("sort=title;DROP", SORT),
    query("filter[isbn]=1", f"'filter[isbn]': {ALLOWED}"),
    query("filter[price][like]=1", f"'filter[price][like]': {ALLOWED}"),
    query("filter[price]=cheap", f"'filter[price]': {NO_NUMBER}"),
    query("filter[price][gte]=NaN", f"'filter[price][gte]': {NO_NUMBER}"),
    query("filter[price][in]=1,x", f"'filter[price][in]': {NO_NUMBER}"),
    query("filter[published]=31.12.2026", f"'filter[published]': {NO_DATE}"),
    query("filter[published][null]=perhaps", "'filter[published][null]': Not a valid boolean."),
    query("filter[pages][lte]=1.5", f"'filter[pages][lte]': {NO_INTEGER}"),
    query("filter[author_id]=" + "9" * 30, f"'filter[author_id]': {KEY}"),
    query(f"filter[pages][gte]={2**63}", f"'filter[pages][gte]': {KEY}"),
    query("filter[pages]=" + "9" * 3000, f"'filter[pages]': {KEY}"),
]
NOT_FOUND = [
    *(cursor(text) for text in ("x", "", "%00", "WyJpZCIsWzFdXQ", "WyJpZCIsWzFdXQ.AAAA")),
    *(unknown("/nothing", name) for name in ("POST", "PUT", "PATCH", "DELETE", "BREW")),
    unknown("/nothing"),
    unknown("/books/987654"),
    unknown("/books/0"),
    unknown("/books/-1"),
    unknown("/books/x"),
    unknown("/books/%00"),
    unknown("/books/%ff"),
    unknown("/books/1.0"),
    unknown(f"/books/{2**31}"),
    unknown(f"/books/{2**63 - 1}"),
    unknown(f"/books/{2**63}"),
    unknown(f"/authors/{'9' * 3000}"),
    unknown("/authors/987654"),
    unknown("/books/"),
    unknown("/"),
    *(
        unknown(f"/{resource}/987654", name)
        for resource in ("books", "authors")
        for name in ("PUT", "PATCH", "DELETE")
    ),
]
METHODS = [
    method("DELETE", "/books", "GET, HEAD, OPTIONS, POST"),
    method("PUT", "/authors", "GET, HEAD, OPTIONS, POST"),
    method("PATCH", "/authors", "GET, HEAD, OPTIONS, POST"),
    method("POST", "/books/{book}", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
    method("POST", "/authors/{author}", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
    method("BREW", "/books", "GET, HEAD, OPTIONS, POST"),
]
BOOK = {"title": "T", "isbn": "{free}", "price": "1", "author_id": "{author}"}
CONFLICTS = [
    post("/books", "a taken ISBN", {**BOOK, "isbn": "{isbn}"}, {"isbn": [UNIQUE]}, 409),
    post("/books", "no such author", {**BOOK, "author_id": 987654}, {"author_id": [MISSING]}, 409),
    patch_book("a taken ISBN", {"isbn": [UNIQUE]}, 409, isbn="{other}"),
    patch_book("no such author", {"author_id": [MISSING]}, 409, author_id=987654),
    Case(
        "PUT of a taken ISBN", "PUT", "/books/{book}", 409, {"isbn": [UNIQUE]},
        {**BOOK, "isbn": "{other}"},
    ),
    Case(
        "an author with books", "DELETE", "/authors/{author}", 409,
        {"id": ["Not deleted: other records still use this one."]},
    ),
]  # fmt: skip
PRECONDITIONS = [
    no_match("PUT", "/books/{book}", BOOK),
    no_match("PATCH", "/books/{book}", {"title": "X"}),
    no_match("DELETE", "/books/{book}"),
    no_match("PUT", "/authors/{author}", {"name": "X"}),
    no_match("PATCH", "/authors/{author}", {"name": "X"}),
    no_match("DELETE", "/authors/{author}"),
]
TOO_LARGE = [
    raw("more than 2 MiB", b'{"name": "' + b"x" * 2**21 + b'"}', 413),
    change("more than 2 MiB", b'{"title": "' + b"x" * 2**21 + b'"}', 413),
]
MEDIA_TYPES = [
    raw("no media type", b'{"name": "A"}', 415, Accept="*/*"),
    raw("plain text", b'{"name": "A"}', 415, **{"Content-Type": "text/plain"}),
    raw("a form", b"name=A", 415, **{"Content-Type": "application/x-www-form-urlencoded"}),
    change("no media type", b'{"title": "A"}', 415, Accept="*/*"),
    change("a form", b"title=A", 415, **{"Content-Type": "application/x-www-form-urlencoded"}),
    raw("XML", b"<name/>", 415, **{"Content-Type": "application/xml"}),
]
AUTHORS = [
    post("/authors", "no object but a list", [], NO_OBJECT),
    post("/authors", "no object but null", None, NO_OBJECT),
    post("/authors", "no object but a text", "Ana", NO_OBJECT),
    post("/authors", "no object but a number", 5, NO_OBJECT),
    post("/authors", "no name", {}, {"name": [REQUIRED]}),
    post("/authors", "a name that is null", {"name": None}, {"name": [NOT_NULL]}),
    post("/authors", "a name that is a number", {"name": 5}, {"name": [NO_STRING]}),
    post("/authors", "a name that is an object", {"name": {}}, {"name": [NO_STRING]}),
    post("/authors", "an empty name", {"name": ""}, {"name": [BLANK]}),
    post("/authors", "a blank name", {"name": " \t\n"}, {"name": [BLANK]}),
    post("/authors", "a name too long", {"name": "x" * 121}, {"name": [LONG]}),
    post("/authors", "NUL", {"name": "a\x00b"}, {"name": [NUL]}),
    post("/authors", "NUL in a key", {"name": "A", "a\x00": 1}, {"a\x00": [UNKNOWN]}),
    post("/authors", "half a character", {"name": "\ud800"}, {"name": [UNICODE]}),
    post("/authors", "half a key", {"name": "A", "\ud800": 1}, {"\ud800": [UNKNOWN]}),
    post("/authors", "a field nobody knows", {"name": "A", "admin": True}, {"admin": [UNKNOWN]}),
    post("/authors", "an id", {"name": "A", "id": 1}, {"id": [READ_ONLY]}),
    post("/authors", "a version", {"name": "A", "version": 7}, {"version": [READ_ONLY]}),
    post("/authors", "a time", {"name": "A", "created_at": None}, {"created_at": [READ_ONLY]}),
    Case("PUT without a name", "PUT", "/authors/{author}", 422, {"name": [REQUIRED]}, {}),
    Case("PATCH to null", "PATCH", "/authors/{author}", 422, {"name": [NOT_NULL]}, {"name": None}),
    Case("PATCH with a list", "PATCH", "/authors/{author}", 422, NO_OBJECT, []),
]  # fmt: skip
BOOKS = [
    post(
        "/books", "nothing", {},
        {"title": [REQUIRED], "isbn": [REQUIRED], "price": [REQUIRED], "author_id": [REQUIRED]},
    ),
    post("/books", "an author to make", {**BOOK, "author": {"name": "A"}}, {"author": [READ_ONLY]}),
    patch_book("several errors", {"title": [BLANK], "pages": [NO_INTEGER]}, title="", pages="x"),
    patch_book("a short ISBN", {"isbn": [ISBN]}, isbn="978000000000"),
    patch_book("an ISBN of 977", {"isbn": [ISBN]}, isbn="9770000000000"),
    patch_book("an ISBN with hyphens", {"isbn": [ISBN]}, isbn="978-3-16-148410-0"),
    patch_book("an ISBN with a line", {"isbn": [ISBN]}, isbn="9780000000000\n"),
    patch_book("an ISBN of other digits", {"isbn": [ISBN]}, isbn="978" + 10 * "\u0660"),
    patch_book("an ISBN as a number", {"isbn": [NO_STRING]}, isbn=9780000000000),
    patch_book("a negative price", {"price": [PRICE]}, price="-0.01"),
    patch_book("a price too high", {"price": [PRICE]}, price="100000000"),
    patch_book("a price of three places", {"price": ["At most 2 decimal places."]}, price="1.005"),
    patch_book("a price as a word", {"price": [NO_NUMBER]}, price="cheap"),
    patch_book("a price of nothing", {"price": [NO_NUMBER]}, price=""),
    patch_book("a price as a boolean", {"price": [NO_NUMBER]}, price=True),
    patch_book("a price as a list", {"price": [NO_NUMBER]}, price=[1]),
    patch_book("no price", {"price": [NOT_NULL]}, price=None),
    *(
        patch_book(f"a price of {text}", {"price": [NO_NUMBER]}, price=text)
        for text in ("NaN", "sNaN", "Infinity", "-Infinity")
    ),
    patch_book("a price of 10^9999", {"price": [NO_NUMBER]}, price="1e9999"),
    patch_book("a date of another form", {"published": [NO_DATE]}, published="31.12.2026"),
    patch_book("a day that never was", {"published": [NO_DATE]}, published="2026-02-30"),
    patch_book("a time for a date", {"published": [NO_DATE]}, published="2026-01-01T10:00:00Z"),
    patch_book("a number for a date", {"published": [NO_DATE]}, published=5),
    patch_book("no pages", {"pages": [PAGES]}, pages=0),
    patch_book("half a page", {"pages": [NO_INTEGER]}, pages=1.5),
    patch_book("pages past 64 bits", {"pages": [PAGES]}, pages=2**64),
    patch_book("pages of 4,000 digits", {"pages": [PAGES]}, pages=10**4000),
    patch_book("pages as a list", {"pages": [NO_INTEGER]}, pages=[1]),
    patch_book("an author as a word", {"author_id": [NO_INTEGER]}, author_id="x"),
    patch_book("no author", {"author_id": [NOT_NULL]}, author_id=None),
    patch_book("an author past 31 bits", {"author_id": [KEY]}, author_id=2**31),
    patch_book("an author past 64 bits", {"author_id": [KEY]}, author_id=2**64),
]  # fmt: skip
HOSTS = [Case("another host", "GET", "/books", 400, headers={"Host": "evil.example"})]
MATRIX = [
    *BAD_REQUESTS,
    *NOT_FOUND,
    *METHODS,
    *CONFLICTS,
    *PRECONDITIONS,
    *TOO_LARGE,
    *MEDIA_TYPES,
    *AUTHORS,
    *BOOKS,
    *HOSTS,
]
