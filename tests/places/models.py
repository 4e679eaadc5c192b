"""The tables of the module and the order of their lists."""

from decimal import Decimal

from sqlalchemy import ForeignKey, Numeric, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.listing import Listing
from core.models import Base, Timestamps, Versioned


class Country(Timestamps, Versioned, Base):
    __tablename__ = "places_country"
    listing = Listing(search=("name",), sort=("name", "population"), default="name")

    id: Mapped[int] = mapped_column(primary_key=True)
    iso: Mapped[str] = mapped_column(String(2), unique=True)
    name: Mapped[str] = mapped_column(String(80), index=True)
    capital: Mapped[str | None] = mapped_column(String(80))
    population: Mapped[int]
    area: Mapped[Decimal] = mapped_column(Numeric(12, 2))


class City(Timestamps, Versioned, Base):
    __tablename__ = "places_city"
    listing = Listing(
        search=("name",),
        filters=("country_id", "population"),
        sort=("name", "population"),
        default="-population",
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    geoname: Mapped[int] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(String(120), index=True)
    other_names: Mapped[str | None] = mapped_column(Text)
    latitude: Mapped[Decimal] = mapped_column(Numeric(8, 5))
    longitude: Mapped[Decimal] = mapped_column(Numeric(8, 5))
    population: Mapped[int]
    timezone: Mapped[str] = mapped_column(String(40))
    country_id: Mapped[int] = mapped_column(ForeignKey("places_country.id"), index=True)

    country: Mapped[Country] = relationship(lazy="joined", innerjoin=True)
