"""Models that inherit, names that are not their columns', values that nobody sends."""

import enum
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    Enum,
    ForeignKey,
    Numeric,
    String,
    TypeDecorator,
    Uuid,
    func,
    select,
)
from sqlalchemy.orm import Mapped, composite, mapped_column, relationship, validates

from core.listing import Listing
from core.models import Base, Versioned


class Animal(Versioned, Base):
    __tablename__ = "unusual_animal"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}
    listing = Listing(
        search=("name",), filters=("name",), sort=("key", "name"), default="name", label="name"
    )

    key: Mapped[int] = mapped_column("animal_id", primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column("class", String(40), unique=True)

    def __str__(self) -> str:
        return self.name


class Cat(Animal):
    """Rows in its parent's table."""

    __mapper_args__ = {"polymorphic_identity": "cat"}


class Bird(Animal):
    """A table of its own beside its parent's."""

    __tablename__ = "unusual_bird"
    __mapper_args__ = {"polymorphic_identity": "bird"}

    key: Mapped[int] = mapped_column(ForeignKey("unusual_animal.animal_id"), primary_key=True)
    wings: Mapped[int | None] = mapped_column(
        CheckConstraint("wings >= 0", "wings_from_0", info={"message": "From 0 on."})
    )


class Named(Base):
    """What several tables share, their list too."""

    __abstract__ = True
    listing = Listing(search=("name",), sort=("name",), default="-name")

    name: Mapped[str] = mapped_column(String(40))


class Stone(Named):
    __tablename__ = "unusual_stone"

    id: Mapped[int] = mapped_column(primary_key=True)


@dataclass
class Size:
    width: int
    height: int


class Sheet(Base):
    """Values that the database makes, and two columns that are one value."""

    __tablename__ = "unusual_sheet"
    listing = Listing(filters=("made_at", "cost"), sort=("made_at", "cost"), default="id")

    id: Mapped[int] = mapped_column(primary_key=True)
    width: Mapped[int]
    height: Mapped[int]
    area: Mapped[int] = mapped_column(Computed("width * height", persisted=True))
    # Rounded, as docs/api.md says.
    cost: Mapped[Decimal] = mapped_column(
        Numeric(8, 2), Computed("round(width * 0.106, 2)", persisted=True)
    )
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())

    size: Mapped[Size] = composite("width", "height")


class Total(Base):
    """Rows of no table: what a select finds in one."""

    __table__ = (
        select(Sheet.width, func.sum(Sheet.height).label("sum"))
        .group_by(Sheet.width)
        .subquery("unusual_total")
    )
    __mapper_args__: ClassVar[dict[str, Any]] = {"primary_key": [__table__.c.width]}
    listing = Listing(filters=("sum",), sort=("width",), default="width")


class Grade(enum.Enum):
    """Not in the order of the alphabet."""

    LOW = "low"
    MIDDLE = "middle"
    HIGH = "high"


class Cents(TypeDecorator[Decimal]):
    """Values of another class than those that are stored."""

    impl = BigInteger
    cache_ok = True
    python_type = Decimal  # type: ignore[assignment]

    def process_bind_param(self, value: Decimal | None, dialect: Any) -> int | None:
        return None if value is None else int(value * 100)

    def process_result_value(self, value: int | None, dialect: Any) -> Decimal | None:
        return None if value is None else Decimal(value) / 100


class Folded(TypeDecorator[str]):
    """Values of the class that is stored."""

    impl = String(20)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return value and value.casefold()


class Measure(Base):
    """Types that an engine, or a driver, reads in its own way."""

    __tablename__ = "unusual_measure"
    listing = Listing(
        filters=("wall", "zoned", "token", "fee", "mail"),
        sort=("wall", "zoned", "grade", "fee", "mail"),
        default="id",
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    whole: Mapped[Decimal | None] = mapped_column(Numeric(30))
    fine: Mapped[Decimal | None] = mapped_column(Numeric(38, 18))
    plain: Mapped[Decimal | None]
    wall: Mapped[datetime | None] = mapped_column(DateTime)
    zoned: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    token: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    grade: Mapped[Grade | None] = mapped_column(Enum(Grade, name="unusual_grade"))
    fee: Mapped[Decimal | None] = mapped_column(Cents)
    mail: Mapped[str | None] = mapped_column(Folded)


class Lieu(Base):
    __tablename__ = "unusual_lieu"

    id: Mapped[int] = mapped_column(primary_key=True)
    mail: Mapped[str | None] = mapped_column(String(80))
    code: Mapped[str | None] = mapped_column(String(20))
    day: Mapped[date | None]
    at: Mapped[datetime | None]
    within_id: Mapped[int | None] = mapped_column(ForeignKey("unusual_lieu.id"))

    within: Mapped["Lieu | None"] = relationship(remote_side=[id])


class Tide(Base):
    """A key of a moment, a day and an enum."""

    __tablename__ = "unusual_tide"

    at: Mapped[datetime] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    grade: Mapped[Grade] = mapped_column(primary_key=True)
    height: Mapped[float | None] = mapped_column(Numeric(8, 3, asdecimal=False))


class Boat(Base):
    __tablename__ = "unusual_boat"

    id: Mapped[int] = mapped_column(primary_key=True)
    harbour_key: Mapped[UUID] = mapped_column(ForeignKey("unusual_harbour.key"))


class Berth(Base):
    __tablename__ = "unusual_berth"

    harbour_key: Mapped[UUID] = mapped_column(ForeignKey("unusual_harbour.key"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


class Harbour(Base):
    """Collections without a cascade: SQLAlchemy takes their records off before it deletes."""

    __tablename__ = "unusual_harbour"

    key: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    boats: Mapped[list[Boat]] = relationship()
    berths: Mapped[list[Berth]] = relationship()


class Paper(Base):
    __tablename__ = "unusual_paper"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "paper"}

    code: Mapped[str] = mapped_column(String(20), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))


class Permit(Paper):
    """Its key is that of its parent's table."""

    __tablename__ = "unusual_permit"
    __mapper_args__ = {"polymorphic_identity": "permit"}

    code: Mapped[str] = mapped_column(ForeignKey("unusual_paper.code"), primary_key=True)


class Ticket(Base):
    """A key of its own making, and what the database has a value for that a validator judges."""

    __tablename__ = "unusual_ticket"

    uid: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    title: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(10), server_default="open")
    priority: Mapped[int] = mapped_column(server_default="3")

    @validates("status", "priority")
    def known(self, key: str, value: Any) -> Any:
        if value not in ("open", "closed", 1, 2, 3):
            raise ValueError("Not this one.")
        return value
