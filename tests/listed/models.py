"""A table with a column of each kind that a list may filter, and a related one."""

import enum
import uuid
from datetime import date, datetime, time
from decimal import Decimal

from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, Numeric, String, func
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from core.listing import Listing
from core.models import Base


class Phase(enum.Enum):
    NEW = "new"
    WELL_USED = "used"

    @property
    def label(self) -> str:
        return {"new": "Brand new", "used": "Well used"}[self.value]


class Shelf(Base):
    __tablename__ = "listed_shelf"
    listing = Listing(search=("name",), filters=("id",), sort=("name",), default="name")

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    loud: Mapped[str] = column_property(func.upper(name))

    entries: Mapped[list["Entry"]] = relationship(viewonly=True)

    def __str__(self) -> str:
        return self.name


class Entry(Base):
    __tablename__ = "listed_entry"
    listing = Listing(
        search=("name", "note"),
        filters=(
            "name",
            "whole",
            "price",
            "ratio",
            "day",
            "moment",
            "clock",
            "flag",
            "phase",
            "token",
            "shelf_id",
        ),
        sort=("id", "name", "whole", "price", "day"),
        default="name",
    )
    labels = {"name": _l("Name"), "shelf_id": _l("Shelf"), "shelf": _l("Shelf")}

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    note: Mapped[str | None] = mapped_column(String(80))
    whole: Mapped[int | None]
    price: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    ratio: Mapped[float | None]
    day: Mapped[date | None]
    moment: Mapped[datetime | None]
    clock: Mapped[time | None]
    flag: Mapped[bool | None]
    phase: Mapped[Phase | None]
    token: Mapped[uuid.UUID | None]
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("listed_shelf.id"))

    shelf: Mapped[Shelf | None] = relationship(lazy="joined")
