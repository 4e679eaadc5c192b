"""FastAPI with SQLModel: sync endpoints, a pool of 20, JSON by Pydantic as FastAPI advises."""

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Annotated, Any

from envelope import envelope
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, StringConstraints
from sqlalchemy import Column, DateTime
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload
from sqlmodel import Field, Relationship, Session, SQLModel, create_engine, func, select

RULES = {"uq_api_book_isbn": "isbn", "fk_api_book_author_id_api_author": "author_id"}
ISBN = Annotated[str, StringConstraints(pattern=r"^97[89][0-9]{10}$")]


class Author(SQLModel, table=True):
    """An author, in the project's table."""

    __tablename__ = "api_author"

    id: int | None = Field(default=None, primary_key=True)
    name: str


class BookIn(SQLModel):
    """What a client sends."""

    title: str = Field(min_length=1, max_length=200)
    isbn: ISBN
    price: Decimal = Field(ge=0, max_digits=10, decimal_places=2)
    published: date | None = None
    pages: int | None = Field(default=None, ge=1, le=100_000)
    author_id: int = Field(foreign_key="api_author.id")


class BookPatch(SQLModel):
    """What a client changes."""

    title: str = Field(default="", min_length=1, max_length=200)
    isbn: ISBN = ""
    price: Decimal = Field(default=Decimal(), ge=0, max_digits=10, decimal_places=2)
    published: date | None = None
    pages: int | None = Field(default=None, ge=1, le=100_000)
    author_id: int = 0


class Book(BookIn, table=True):
    """A book, in the project's table."""

    __tablename__ = "api_book"

    id: int | None = Field(default=None, primary_key=True)
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True)))
    updated_at: datetime = Field(sa_column=Column(DateTime(timezone=True)))
    version: int = 1
    author: Author = Relationship()


class AuthorOut(BaseModel):
    """The author inside a book."""

    id: int
    name: str


class BookOut(BaseModel):
    """A book with its author."""

    id: int
    title: str
    isbn: str
    price: Decimal
    published: date | None
    pages: int | None
    author_id: int
    author: AuthorOut
    created_at: datetime
    updated_at: datetime
    version: int


class One(BaseModel):
    """The envelope of a book."""

    data: BookOut


class Page(BaseModel):
    """The envelope of a list."""

    data: list[BookOut]
    meta: dict[str, int | bool | None]
    links: dict[str, str | None]


engine = create_engine(
    os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg2:"),
    pool_size=20,
    max_overflow=0,
    connect_args={"options": "-c timezone=UTC"},
)
app = FastAPI()


def get_session() -> Iterator[Session]:
    """Lend a session to a request."""
    with Session(engine) as session:
        yield session


Database = Annotated[Session, Depends(get_session)]


@app.get("/health/live")
async def live() -> dict[str, str]:
    """Answer."""
    return {"status": "ok"}


@app.get("/api/v1/books", response_model=Page)
def book_list(
    request: Request,
    session: Database,
    page: Annotated[int, Query(ge=1)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 20,
    count: str = "exact",
) -> Any:
    """List books, with their number unless count=none."""
    total = None if count == "none" else session.exec(select(func.count(Book.id))).one()
    statement = select(Book).options(joinedload(Book.author)).order_by(Book.id)
    rows = session.exec(statement.limit(per_page).offset((page - 1) * per_page)).all()
    return {"data": rows, **envelope(request.query_params, page, per_page, total, len(rows))}


@app.get("/api/v1/books/{id}")
def book_item(id: int, request: Request, session: Database) -> Response:
    """Show a book, or say that it has not changed."""
    book = found(session, id)
    body = One.model_validate({"data": book}, from_attributes=True).model_dump_json().encode()
    tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, media_type="application/json", headers={"ETag": tag})


@app.post("/api/v1/books", response_model=One, status_code=201)
def book_create(sent: BookIn, response: Response, session: Database) -> Any:
    """Store a new book."""
    now = datetime.now(UTC)
    book = Book(**sent.model_dump(), created_at=now, updated_at=now)
    session.add(book)
    session.commit()
    session.refresh(book)
    response.headers["Location"] = f"/api/v1/books/{book.id}"
    return {"data": book}


@app.patch("/api/v1/books/{id}", response_model=One)
def book_update(id: int, sent: BookPatch, session: Database) -> Any:
    """Change the named fields of a book."""
    book = found(session, id)
    book.sqlmodel_update(sent.model_dump(exclude_unset=True))
    book.updated_at = datetime.now(UTC)
    book.version += 1
    session.add(book)
    session.commit()
    session.refresh(book)
    return {"data": book}


def found(session: Session, id: int) -> Book:
    """Return the book with its author; 404 if there is none."""
    book = session.get(Book, id, options=[joinedload(Book.author)])
    if book is None:
        raise HTTPException(404)
    return book


def problem(status: int, detail: str, errors: Any = None) -> JSONResponse:
    """Answer every failure in the same shape."""
    body = {"type": "about:blank", "title": detail, "status": status, "detail": detail}
    body |= {"errors": errors} if errors else {}
    return JSONResponse(body, status, media_type="application/problem+json")


@app.exception_handler(RequestValidationError)
async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """Answer a body that breaks a rule."""
    if any(one["type"] == "json_invalid" for one in error.errors()):
        return problem(400, "Bad Request")
    errors = {str(one["loc"][-1]): [one["msg"]] for one in error.errors()}
    return problem(422, "Unprocessable Content", errors)


@app.exception_handler(IntegrityError)
async def refused(request: Request, error: IntegrityError) -> JSONResponse:
    """Answer a rule of the database."""
    field = RULES[error.orig.diag.constraint_name]  # type: ignore[union-attr]
    return problem(409, "Conflict", {field: ["The database refuses this value."]})


@app.exception_handler(404)
async def unknown(request: Request, error: Exception) -> JSONResponse:
    """Answer what is not there."""
    return problem(404, "Not Found")
