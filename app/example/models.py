"""The tables of the module and the selects that its pages run."""

import enum
from datetime import date
from decimal import Decimal
from typing import Self

from sqlalchemy import CheckConstraint, ForeignKey, Numeric, Select, String, Text, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.models import Base, Timestamps, Versioned


class Status(enum.Enum):
    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"


class Category(Timestamps, Versioned, Base):
    __tablename__ = "example_category"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)

    @classmethod
    def by_name(cls) -> Select[tuple[Self]]:
        return select(cls).order_by(cls.name, cls.id)

    def __str__(self) -> str:
        return self.name


class Product(Timestamps, Versioned, Base):
    __tablename__ = "example_product"
    __table_args__ = (
        CheckConstraint("price >= 0", "price_from_0", info={"message": "From 0 on."}),
        CheckConstraint("stock >= 0", "stock_from_0", info={"message": "From 0 on."}),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), index=True)
    sku: Mapped[str] = mapped_column(String(40), unique=True)
    description: Mapped[str | None] = mapped_column(Text)
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    stock: Mapped[int] = mapped_column(default=0)
    status: Mapped[Status] = mapped_column(default=Status.DRAFT)
    released_on: Mapped[date | None]
    featured: Mapped[bool] = mapped_column(default=False)
    category_id: Mapped[int] = mapped_column(ForeignKey("example_category.id"), index=True)

    # One query for a list with its categories.
    category: Mapped[Category] = relationship(lazy="joined", innerjoin=True)

    @classmethod
    def newest(cls) -> Select[tuple[Self]]:
        return select(cls).order_by(cls.id.desc())

    @classmethod
    def in_category(cls, category: Category) -> Select[tuple[Self]]:
        return cls.newest().where(cls.category_id == category.id)

    def __str__(self) -> str:
        return self.name
