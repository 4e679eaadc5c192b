"""A parent, a child with the rules that a database can break, and a column of each kind."""

import enum
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from flask_babel import lazy_gettext as _l
from marshmallow import ValidationError
from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Enum,
    ForeignKey,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship, validates

from core.listing import Listing
from core.models import Base, Timestamps, Versioned


class Size(enum.Enum):
    SMALL = "small"
    EXTRA_LARGE = "xl"


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"

    @property
    def label(self) -> str:
        return {"good": "In good mood", "bad": "In bad mood"}[self.value]


class Box(Timestamps, Versioned, Base):
    __tablename__ = "sample_box"
    listing = Listing(search=("name",), sort=("name",), default="name")

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)

    def __str__(self) -> str:
        return self.name


class Thing(Timestamps, Versioned, Base):
    __tablename__ = "sample_thing"
    listing = Listing(
        search=("name", "code"),
        filters=("price", "size", "made_on", "active", "box_id"),
        sort=("id", "name", "price", "shelf"),
        default="id",
    )
    __table_args__ = (
        CheckConstraint("price >= 0", "price_from_0", info={"message": "From 0 on."}),
        CheckConstraint("amount < 1000", "amount_below_1000"),
        CheckConstraint("shelf <> 13", "shelf_not_13", info={"message": "Never shelf 13."}),
        UniqueConstraint("box_id", "shelf"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    code: Mapped[str] = mapped_column(String(20), unique=True)
    note: Mapped[str | None] = mapped_column(Text)
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    amount: Mapped[int] = mapped_column(default=0)
    shelf: Mapped[int | None]
    size: Mapped[Size] = mapped_column(default=Size.SMALL)
    made_on: Mapped[date | None]
    active: Mapped[bool] = mapped_column(default=False)
    box_id: Mapped[int] = mapped_column(ForeignKey("sample_box.id"), index=True)

    box: Mapped[Box] = relationship(lazy="joined", innerjoin=True)

    def __str__(self) -> str:
        return self.name


class Tag(Base):
    """A key that is no number; it is called what its label is."""

    __tablename__ = "sample_tag"
    listing = Listing(search=("name",), default="name", label="name")

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str] = mapped_column(String(40))


class Scan(Base):
    """A file in the database, for which a form has no field."""

    __tablename__ = "sample_scan"

    id: Mapped[int] = mapped_column(primary_key=True)
    photo: Mapped[bytes] = mapped_column(LargeBinary)
    meta: Mapped[str | None] = mapped_column(String(80))


specimen_box = Table(
    "sample_specimen_box",
    Base.metadata,
    Column("specimen_id", ForeignKey("sample_specimen.id"), primary_key=True),
    Column("box_id", ForeignKey("sample_box.id"), primary_key=True),
)


crate_tag = Table(
    "sample_crate_tag",
    Base.metadata,
    Column("crate_id", ForeignKey("sample_crate.id"), primary_key=True),
    Column("tag_id", ForeignKey("sample_tag.id"), primary_key=True),
)


class Crate(Versioned, Base):
    """One of many with many, and a rule for two columns with words of its own."""

    __tablename__ = "sample_crate"
    __table_args__ = (UniqueConstraint("row", "place", info={"message": "This place is full."}),)

    id: Mapped[int] = mapped_column(primary_key=True)
    row: Mapped[int]
    place: Mapped[int]
    note: Mapped[str | None] = mapped_column(Text)

    tags: Mapped[list[Tag]] = relationship(secondary=crate_tag, back_populates="crates")

    @validates("row", "place")
    def _check(self, key: str, value: int) -> int:
        if value < 0:
            raise ValueError(_l("Not a valid choice."))
        if value > 99:
            raise ValidationError(["From 0 on.", "To 99."])
        return value


Tag.crates = relationship(Crate, secondary=crate_tag, back_populates="tags")
Tag.crate_set = relationship(
    Crate, secondary=crate_tag, collection_class=set, overlaps="crates,tags"
)


class Specimen(Base):
    __tablename__ = "sample_specimen"

    id: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[str] = mapped_column(String(40))
    prose: Mapped[str | None] = mapped_column(Text)
    whole: Mapped[int | None]
    small: Mapped[int | None] = mapped_column(SmallInteger)
    big: Mapped[int | None] = mapped_column(BigInteger)
    exact: Mapped[Decimal | None] = mapped_column(Numeric(6, 2))
    ratio: Mapped[float | None]
    day: Mapped[date | None]
    moment: Mapped[datetime | None]
    wall: Mapped[datetime | None] = mapped_column(DateTime)
    clock: Mapped[time | None]
    span: Mapped[timedelta | None]
    extra: Mapped[Any | None] = mapped_column(JSON)
    flag: Mapped[bool] = mapped_column(default=True)
    agreed: Mapped[bool | None]
    size: Mapped[Size] = mapped_column(default=Size.EXTRA_LARGE)
    mood: Mapped[Mood | None]
    word: Mapped[str | None] = mapped_column(Enum("red", "blue", native_enum=False, length=32))
    token: Mapped[uuid.UUID | None]
    serial: Mapped[str] = mapped_column(String(40), default=lambda: uuid.uuid4().hex)
    grade: Mapped[int] = mapped_column(server_default="7")
    doubled: Mapped[int | None] = mapped_column(Computed("small * 2", persisted=True))

    boxes: Mapped[list[Box]] = relationship(secondary=specimen_box)


Specimen.loud = column_property(func.upper(Specimen.__table__.c.line, type_=String(40)))
