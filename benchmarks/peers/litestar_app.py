"""Litestar: async SQLAlchemy on asyncpg, bodies read and written by msgspec."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from envelope import envelope
from litestar import Litestar, MediaType, Request, Response, get, patch, post
from litestar.di import Provide
from litestar.exceptions import HTTPException, NotFoundException, ValidationException
from litestar.params import Parameter
from sqlalchemy import DateTime, ForeignKey, Numeric, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

RULES = {"uq_api_book_isbn": "isbn", "fk_api_book_author_id_api_author": "author_id"}
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
ISBN = Annotated[str, msgspec.Meta(pattern=r"^97[89][0-9]{10}$")]
Pages = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Missing = msgspec.UnsetType
UNSET = msgspec.UNSET


class Base(DeclarativeBase):
    """The base of the tables."""


class Author(Base):
    """An author, in the project's table."""

    __tablename__ = "api_author"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Book(Base):
    """A book, in the project's table."""

    __tablename__ = "api_book"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    isbn: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    published: Mapped[date | None]
    pages: Mapped[int | None]
    author_id: Mapped[int] = mapped_column(ForeignKey("api_author.id"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    version: Mapped[int]
    author: Mapped[Author] = relationship(lazy="joined", innerjoin=True)


class BookIn(msgspec.Struct):
    """What a client sends."""

    title: Title
    isbn: ISBN
    price: Decimal
    author_id: int
    published: date | None = None
    pages: Pages | None = None

    def __post_init__(self) -> None:
        """Refuse a price that the column cannot hold."""
        check_price(self.price)


class BookPatch(msgspec.Struct):
    """What a client changes."""

    title: Title | Missing = UNSET
    isbn: ISBN | Missing = UNSET
    price: Decimal | Missing = UNSET
    author_id: int | Missing = UNSET
    published: date | Missing | None = UNSET
    pages: Pages | Missing | None = UNSET

    def __post_init__(self) -> None:
        """Refuse a price that the column cannot hold."""
        if isinstance(self.price, Decimal):
            check_price(self.price)


def check_price(price: Decimal) -> None:
    """Raise what msgspec turns into an error of the field."""
    if not 0 <= price < 100_000_000:
        raise ValueError("From 0 to 99999999.99.")


class AuthorOut(msgspec.Struct):
    """The author inside a book."""

    id: int
    name: str


class BookOut(msgspec.Struct):
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


class One(msgspec.Struct):
    """The envelope of a book."""

    data: BookOut


class Page(msgspec.Struct):
    """The envelope of a list."""

    data: list[BookOut]
    meta: dict[str, Any]
    links: dict[str, str | None]


engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+asyncpg:"),
    pool_size=20,
    max_overflow=0,
)
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def lend_session() -> AsyncIterator[AsyncSession]:
    """Lend a session to a request."""
    async with sessions() as session:
        yield session


def shown(book: Book) -> BookOut:
    """Return a book as the JSON has it."""
    return msgspec.convert(book, BookOut, from_attributes=True)


@get("/health/live")
async def live() -> dict[str, str]:
    """Answer."""
    return {"status": "ok"}


@get("/api/v1/books")
async def book_list(
    request: Request[Any, Any, Any],
    session: AsyncSession,
    page: Annotated[int, Parameter(ge=1)] = 1,
    per_page: Annotated[int, Parameter(ge=1, le=100)] = 20,
    count: str = "exact",
) -> Page:
    """List books, with their number unless count=none."""
    total = None if count == "none" else await session.scalar(select(func.count(Book.id)))
    statement = select(Book).order_by(Book.id).limit(per_page).offset((page - 1) * per_page)
    rows = [shown(book) for book in await session.scalars(statement)]
    return Page(rows, **envelope(request.query_params, page, per_page, total, len(rows)))


@get("/api/v1/books/{id:int}")
async def book_item(
    id: int, request: Request[Any, Any, Any], session: AsyncSession
) -> Response[bytes]:
    """Show a book, or say that it has not changed."""
    body = msgspec.json.encode(One(shown(await found(session, id))))
    tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    if request.headers.get("if-none-match") == tag:
        return Response(b"", status_code=304, headers={"ETag": tag})
    return Response(body, media_type=MediaType.JSON, headers={"ETag": tag})


@post("/api/v1/books")
async def book_create(data: BookIn, session: AsyncSession) -> Response[One]:
    """Store a new book."""
    now = datetime.now(UTC)
    book = Book(**msgspec.structs.asdict(data), created_at=now, updated_at=now, version=1)
    session.add(book)
    await session.flush()
    await session.refresh(book, ["author"])
    await session.commit()
    return Response(One(shown(book)), headers={"Location": f"/api/v1/books/{book.id}"})


@patch("/api/v1/books/{id:int}")
async def book_update(id: int, data: BookPatch, session: AsyncSession) -> One:
    """Change the named fields of a book."""
    book = await found(session, id)
    for name, value in msgspec.structs.asdict(data).items():
        if value is not UNSET:
            setattr(book, name, value)
    book.updated_at = datetime.now(UTC)
    book.version += 1
    await session.commit()
    return One(shown(book))


async def found(session: AsyncSession, id: int) -> Book:
    """Return the book with its author; 404 if there is none."""
    book = await session.get(Book, id)
    if book is None:
        raise NotFoundException
    return book


def problem(status: int, detail: str, errors: Any = None) -> Response[Any]:
    """Answer every failure in the same shape."""
    body = {"type": "about:blank", "title": detail, "status": status, "detail": detail}
    body |= {"errors": errors} if errors else {}
    return Response(body, status_code=status, media_type="application/problem+json")


def failed(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """Answer what is not there, and what is no JSON."""
    return problem(error.status_code, error.detail)


def invalid(request: Request[Any, Any, Any], error: ValidationException) -> Response[Any]:
    """Answer a body that breaks a rule."""
    errors = {one.get("key", "body"): [one["message"]] for one in error.extra or []}
    return problem(422, "Unprocessable Content", errors)


def refused(request: Request[Any, Any, Any], error: IntegrityError) -> Response[Any]:
    """Answer a rule of the database."""
    constraint = error.orig.__cause__.constraint_name  # type: ignore[union-attr]
    return problem(409, "Conflict", {RULES[constraint]: ["The database refuses this value."]})


app = Litestar(
    [live, book_list, book_item, book_create, book_update],
    dependencies={"session": Provide(lend_session)},
    exception_handlers={
        HTTPException: failed,
        ValidationException: invalid,
        IntegrityError: refused,
    },
    openapi_config=None,
)
