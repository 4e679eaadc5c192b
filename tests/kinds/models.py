"""A table with a column of each kind, related to a place, perhaps to another, and to itself."""

import enum
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    REAL,
    BigInteger,
    CheckConstraint,
    Dialect,
    Enum,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship, validates
from sqlalchemy.schema import conv

from core.listing import Listing
from core.models import Base, Timestamps, Versioned

COLUMNS = (
    "id",
    "name",
    "note",
    "whole",
    "big",
    "exact",
    "vast",
    "ratio",
    "loose",
    "brief",
    "thin",
    "day",
    "moment",
    "clock",
    "span",
    "flag",
    "phase",
    "level",
    "word",
    "token",
)
# Computed for each row that is read.
EXPRESSIONS = ("shout", "double", "rest")


class Phase(enum.Enum):
    NEW = "new"
    WELL_USED = "used"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Place(Base):
    __tablename__ = "kinds_place"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    height: Mapped[Decimal | None] = mapped_column(Numeric(6, 2))
    region_id: Mapped[int | None] = mapped_column(ForeignKey("kinds_place.id"))

    # No lock may fall on the joined row, which there may not be.
    region: Mapped["Place | None"] = relationship(remote_side=[id], lazy="joined", join_depth=1)
    # On the other side of the key: there may be none, though no column of this side is nullable.
    sign: Mapped["Sign | None"] = relationship(uselist=False)


class Sign(Base):
    __tablename__ = "kinds_sign"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(40))
    place_id: Mapped[int] = mapped_column(ForeignKey("kinds_place.id"), unique=True)


class Record(Base):
    __tablename__ = "kinds_record"
    listing = Listing(
        search=("name", "shout"),
        filters=(*COLUMNS, *EXPRESSIONS),
        sort=(*COLUMNS, *EXPRESSIONS),
        default="id",
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), index=True)
    note: Mapped[str | None] = mapped_column(Text)
    whole: Mapped[int | None] = mapped_column(Integer)
    big: Mapped[int | None] = mapped_column(BigInteger)
    exact: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    vast: Mapped[Decimal | None] = mapped_column(Numeric(20, 4))
    rough: Mapped[float | None] = mapped_column(Numeric(8, 2, asdecimal=False))
    ratio: Mapped[float | None]
    loose: Mapped[float | None] = mapped_column(Float)
    brief: Mapped[float | None] = mapped_column(Float(24))
    thin: Mapped[float | None] = mapped_column(REAL)
    day: Mapped[date | None]
    moment: Mapped[datetime | None]
    clock: Mapped[time | None]
    span: Mapped[timedelta | None]
    flag: Mapped[bool | None]
    phase: Mapped[Phase | None]
    level: Mapped[Level | None]
    word: Mapped[str | None] = mapped_column(Enum("red", "blue", native_enum=False, length=32))
    token: Mapped[uuid.UUID | None]
    data: Mapped[Any | None] = mapped_column(JSON)
    tree: Mapped[Any | None] = mapped_column(JSON().with_variant(JSONB(), "postgresql"))
    seal: Mapped[bytes | None] = mapped_column(LargeBinary(300))
    home_id: Mapped[int] = mapped_column(ForeignKey("kinds_place.id"))
    spot_id: Mapped[int | None] = mapped_column(ForeignKey("kinds_place.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("kinds_record.id"))
    shout: Mapped[str] = column_property(func.upper(name, type_=String))
    double: Mapped[Decimal | None] = column_property(func.round(exact * 2, 2, type_=Numeric(10, 2)))
    rest: Mapped[int | None] = column_property(whole % 3)

    home: Mapped[Place] = relationship(foreign_keys=[home_id], innerjoin=True)
    spot: Mapped[Place | None] = relationship(foreign_keys=[spot_id])
    parent: Mapped["Record | None"] = relationship(remote_side=[id])
    children: Mapped[list["Record"]] = relationship(viewonly=True)


class Plain(Base):
    """A table whose list has no declaration, and whose key is no number."""

    __tablename__ = "kinds_plain"

    code: Mapped[str] = mapped_column(String(20), primary_key=True)


class Careful(Base):
    """A record whose making is more than a row."""

    __tablename__ = "kinds_careful"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))

    @validates("name")
    def _shout(self, key: str, name: str) -> str:
        if "!" in name:
            raise ValueError("It shouts already.")
        return name.upper()


def _slug(context: Any) -> str:
    return str(context.get_current_parameters()["name"]).lower()


class Derived(Base):
    """A record with a default that looks at its other values."""

    __tablename__ = "kinds_derived"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    slug: Mapped[str] = mapped_column(String(40), default=_slug)


class OrderLine(Base):
    __tablename__ = "kinds_order_line"
    __table_args__ = (
        UniqueConstraint("order_id", "text"),
        UniqueConstraint("order_id", "place_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("kinds_order.id"))
    text: Mapped[str] = mapped_column(String(40))
    amount: Mapped[int]
    remark: Mapped[str | None] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(10), server_default="new")
    place_id: Mapped[int | None] = mapped_column(ForeignKey("kinds_place.id"))
    loud: Mapped[str] = column_property(func.upper(text, type_=String))
    place: Mapped["Place | None"] = relationship()
    tastes: Mapped[list["Taste"]] = relationship(cascade="all, delete-orphan")


class Taste(Base):
    __tablename__ = "kinds_taste"
    __table_args__ = (UniqueConstraint("line_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("kinds_order_line.id"))
    name: Mapped[str] = mapped_column(String(40))


class OrderNote(Base):
    __tablename__ = "kinds_order_note"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("kinds_order.id"), unique=True)


class Stamp(Base):
    """A part with a rule of a tenant, whom nobody names."""

    __tablename__ = "kinds_stamp"
    __table_args__ = (
        ForeignKeyConstraint(["house", "order_id"], ["kinds_order.house", "kinds_order.id"]),
        UniqueConstraint("house", "order_id", "name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    house: Mapped[int] = mapped_column(default=lambda: 1)
    order_id: Mapped[int]
    name: Mapped[str] = mapped_column(String(40))


class Order(Timestamps, Versioned, Base):
    """A record with others that are its own."""

    __tablename__ = "kinds_order"
    __table_args__ = (UniqueConstraint("house", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    house: Mapped[int] = mapped_column(default=lambda: 1)
    number: Mapped[str] = mapped_column(String(40))

    lines: Mapped[list[OrderLine]] = relationship(cascade="all, delete-orphan")
    note: Mapped[OrderNote | None] = relationship(cascade="all, delete-orphan")
    stamps: Mapped[list[Stamp]] = relationship(
        cascade="all, delete-orphan", foreign_keys=Stamp.order_id
    )


class Made(Base):
    """A record with a constructor."""

    __tablename__ = "kinds_made"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))

    def __init__(self, name: str) -> None:
        if name == "faulty":
            raise ValueError("No fault of the name's.")
        super().__init__(name=f"{name}!")


class Never(TypeDecorator[str]):
    """A text that is empty rather than missing."""

    impl = String(10)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str:
        return value or ""


class Filled(Base):
    """A record with values that nobody gives, and a version that is no number."""

    __tablename__ = "kinds_filled"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    new_name: Mapped[str | None] = mapped_column(String(40))
    status: Mapped[str | None] = mapped_column(String(10), default="new")
    code: Mapped[str | None] = mapped_column(String(40), default=lambda: uuid.uuid4().hex)
    rank: Mapped[int | None] = mapped_column(server_default="7")
    word: Mapped[str] = mapped_column(Never)
    mark: Mapped[str] = mapped_column(String(32))
    shout: Mapped[str] = column_property(func.upper(name))

    __mapper_args__ = {"version_id_col": mark, "version_id_generator": lambda _: uuid.uuid4().hex}


class Counted(Timestamps, Versioned, Base):
    """A record that counts its changes, with a column that each of them sets."""

    __tablename__ = "kinds_counted"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    new_name: Mapped[str | None] = mapped_column(String(40), default="none")
    amount: Mapped[int] = mapped_column(server_default="7")
    token: Mapped[str | None] = mapped_column(String(40), onupdate=lambda: uuid.uuid4().hex)
    place_id: Mapped[int | None] = mapped_column(ForeignKey("kinds_place.id"))

    place: Mapped[Place | None] = relationship()


class Tidy(Base):
    """A record with a way of its own to take values."""

    __tablename__ = "kinds_tidy"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value.strip() if name == "name" else value)


class Vehicle(Base):
    __tablename__ = "kinds_vehicle"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(40))


class Truck(Vehicle):
    """A table of its own beside its parent's."""

    __tablename__ = "kinds_truck"
    __mapper_args__ = {"polymorphic_identity": "truck"}

    id: Mapped[int] = mapped_column(ForeignKey("kinds_vehicle.id"), primary_key=True)
    load: Mapped[int]


class Scooter(Vehicle):
    """Rows in its parent's table."""

    __mapper_args__ = {"polymorphic_identity": "scooter"}


# Without our names for rules those of two tables may be the same.
POSITIVE = conv("positive")


class Load(Base):
    __tablename__ = "kinds_load"
    __table_args__ = (CheckConstraint("weight > 0", POSITIVE, info={"message": "It weighs."}),)

    id: Mapped[int] = mapped_column(primary_key=True)
    weight: Mapped[int]


class Toll(Base):
    __tablename__ = "kinds_toll"
    __table_args__ = (CheckConstraint("price > 0", POSITIVE),)

    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int]
