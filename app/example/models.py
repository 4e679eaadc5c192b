"""The tables of the module and the selects that its pages run."""

import enum
from datetime import date
from decimal import Decimal
from typing import Self

from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, Numeric, Select, String, Text, func, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.listing import Listing
from core.models import Base, Timestamps, Versioned


class Status(enum.Enum):
    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"

    @property
    def label(self) -> str:
        return str(STATUS_LABELS[self])


STATUS_LABELS = {
    Status.DRAFT: _l("Draft"),
    Status.ACTIVE: _l("Active"),
    Status.RETIRED: _l("Retired"),
}


class Category(Timestamps, Versioned, Base):
    __tablename__ = "example_category"
    listing = Listing(search=("name",), sort=("name", "updated_at"), default="name", label="name")
    labels = {"name": _l("Name"), "updated_at": _l("Last changed")}

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)

    def __str__(self) -> str:
        return self.name


class Product(Timestamps, Versioned, Base):
    __tablename__ = "example_product"
    listing = Listing(
        search=("name", "sku"),
        filters=("category_id", "status", "featured", "price", "released_on"),
        sort=("name", "sku", "price", "stock", "released_on", "id"),
        default="-id",
    )
    labels = {
        "name": _l("Name"),
        "sku": _l("SKU"),
        "description": _l("Description"),
        "price": _l("Price"),
        "stock": _l("Stock"),
        "status": _l("Status"),
        "released_on": _l("Released on"),
        "featured": _l("Featured"),
        "category": _l("Category"),
        "category_id": _l("Category"),
        "updated_at": _l("Last changed"),
    }
    __table_args__ = (
        CheckConstraint("price >= 0", "price_from_0", info={"message": _l("From 0 on.")}),
        CheckConstraint("stock >= 0", "stock_from_0", info={"message": _l("From 0 on.")}),
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
    def in_category(cls, category: Category) -> Select[tuple[Self]]:
        return select(cls).where(cls.category_id == category.id)

    @classmethod
    def per_category(cls) -> Select[tuple[str, int]]:
        number = func.count(cls.id)
        rows = select(Category.name, number).join_from(cls, Category).group_by(Category.name)
        return rows.order_by(number.desc(), Category.name).limit(12)

    @classmethod
    def per_status(cls) -> Select[tuple[Status, int]]:
        return select(cls.status, func.count()).group_by(cls.status)

    def __str__(self) -> str:
        return self.name
