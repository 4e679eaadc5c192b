"""The tables of the module and the selects that its resources run."""

from datetime import date
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Numeric, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.listing import Listing
from core.models import Base, Timestamps, Versioned


class Author(Timestamps, Versioned, Base):
    __tablename__ = "api_author"
    listing = Listing(search=("name",), sort=("id", "name", "created_at"), default="id")

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), index=True)

    def __str__(self) -> str:
        return self.name


class Book(Timestamps, Versioned, Base):
    __tablename__ = "api_book"
    listing = Listing(
        search=("title", "isbn"),
        filters=("author_id", "price", "published", "pages"),
        sort=("id", "title", "price", "published", "pages", "created_at"),
        default="id",
    )
    __table_args__ = (
        CheckConstraint("price >= 0", "price_from_0", info={"message": "From 0 on."}),
        CheckConstraint("pages > 0", "pages_from_1", info={"message": "From 1 on."}),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200), index=True)
    isbn: Mapped[str] = mapped_column(String(13), unique=True)
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    published: Mapped[date | None]
    pages: Mapped[int | None]
    author_id: Mapped[int] = mapped_column(ForeignKey("api_author.id"), index=True)

    # One query for a list with its authors.
    author: Mapped[Author] = relationship(lazy="joined", innerjoin=True)
