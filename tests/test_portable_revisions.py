"""A revision of every kind of column and of change, made on one engine, applies on the others."""

import pytest
from sqlalchemy import inspect

from tests.project import (
    ENGINES,
    Project,
    connected,
    copy_project,
    count,
    empty_database,
    mostly_on,
    tables,
    without_product,
)

HEAD = """
import enum
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.models import Base


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Cents(sa.TypeDecorator[Decimal]):
    impl = sa.Integer
    cache_ok = True


class Token(sa.TypeDecorator[str]):
    impl = sa.String
    cache_ok = True

    def load_dialect_impl(self, dialect):
        return dialect.type_descriptor(sa.String(32 if dialect.name == "sqlite" else 40))


# Two tables that refer to each other.
class Team(Base):
    __tablename__ = "kinds_team"

    id: Mapped[int] = mapped_column(sa.Identity(start=10), primary_key=True)
    captain_id: Mapped[int | None] = mapped_column(sa.ForeignKey("kinds_player.id", use_alter=True))


class Player(Base):
    __tablename__ = "kinds_player"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(sa.ForeignKey("kinds_team.id"))


class Owner(Base):
    __tablename__ = "kinds_owner"

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True
    )


class Thing(Base):
    __tablename__ = "kinds_thing"
    __table_args__ = (
        sa.UniqueConstraint("first_string", "first_integer"),
        sa.CheckConstraint("first_integer >= 0", "integer_from_0"),
        # Longer than PostgreSQL takes it, as are those of the first column.
        sa.CheckConstraint("first_integer >= 0", "the_integer_is_never_smaller_than_zero_is_said"),
        sa.Index(None, "first_date", "first_time"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kept: Mapped[str] = mapped_column(sa.String(20), server_default="")
    given: Mapped[int | None] = mapped_column(index=True)
    left: Mapped[int | None] = mapped_column(index=True)
"""

# Each can be added to a table that has rows.
COLUMNS = """
    first_owner_of_the_thing_before_the_present_one_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("kinds_owner.id", ondelete="RESTRICT"), unique=True
    )
    first_integer: Mapped[int] = mapped_column(server_default="1")
    first_sum: Mapped[int] = mapped_column(sa.Computed("first_integer * 2", persisted=True))
    first_big: Mapped[int | None] = mapped_column(sa.BigInteger)
    first_small: Mapped[int] = mapped_column(sa.SmallInteger, server_default=sa.text("7"))
    first_string: Mapped[str] = mapped_column(server_default="50% of the maker's")
    first_quoted: Mapped[str] = mapped_column(server_default="a::b 'x'")
    first_at: Mapped[datetime] = mapped_column(sa.DateTime, server_default="2026-01-01 10:00:00")
    first_since: Mapped[datetime] = mapped_column(server_default="2026-01-01 10:00:00")
    first_hour: Mapped[time] = mapped_column(server_default="09:30")
    first_ratio: Mapped[float] = mapped_column(server_default="1e3")
    first_code: Mapped[str | None] = mapped_column(sa.String(20), unique=True)
    first_text: Mapped[str | None] = mapped_column(sa.Text)
    first_no: Mapped[bool] = mapped_column(server_default=sa.false())
    first_yes: Mapped[bool] = mapped_column(server_default=sa.true())
    first_moment: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    first_zoned: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )
    first_naive: Mapped[datetime] = mapped_column(sa.DateTime, server_default=sa.func.now())
    first_stamp: Mapped[datetime] = mapped_column(server_default=sa.func.current_timestamp())
    first_date: Mapped[date | None]
    first_time: Mapped[time | None]
    first_interval: Mapped[timedelta | None]
    first_numeric: Mapped[Decimal] = mapped_column(sa.Numeric(10, 2), server_default="0.50")
    first_python_float: Mapped[float | None]
    first_float: Mapped[float | None] = mapped_column(sa.Float)
    first_real: Mapped[float | None] = mapped_column(sa.REAL)
    first_cents: Mapped[Decimal | None] = mapped_column(Cents)
    first_token: Mapped[str | None] = mapped_column(Token)
    first_variant: Mapped[Decimal | None] = mapped_column(
        Cents().with_variant(sa.BigInteger(), "postgresql")
    )
    first_jsonb: Mapped[dict | None] = mapped_column(
        sa.JSON().with_variant(JSONB(), "postgresql")
    )
    first_double: Mapped[float | None] = mapped_column(sa.Double)
    first_colour: Mapped[Colour] = mapped_column(server_default="red")
    first_enum: Mapped[Colour | None] = mapped_column(
        sa.Enum(Colour, native_enum=False, length=32)
    )
    first_uuid: Mapped[uuid.UUID | None] = mapped_column(index=True)
    first_json: Mapped[dict] = mapped_column(sa.JSON, server_default="{}")
    first_places: Mapped[Decimal] = mapped_column(sa.Numeric(12, 4), server_default="0.5")
    first_decimal: Mapped[Decimal | None] = mapped_column(sa.DECIMAL)
    first_bytes: Mapped[bytes | None]
    first_hash: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    first_film: Mapped[bytes | None] = mapped_column(sa.LargeBinary(70_000))
    first_binary: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    first_owner_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("kinds_owner.id", ondelete="CASCADE")
    )
    first_other_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("kinds_owner.id", ondelete="SET NULL"), index=True
    )
    first_parent_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("kinds_thing.id"), index=True
    )
"""

FIRST = HEAD + COLUMNS
# Adds every column once more, lengthens one, changes a foreign key, makes one required and bigger,
# drops one, an index and a unique rule, puts another index in the place of one that a foreign key
# needs, and takes the only one of a foreign key away.
SECOND = (
    FIRST.replace("sa.String(20), server_default", "sa.String(40), server_default")
    .replace("RESTRICT", "CASCADE")
    .replace("    left: Mapped[int | None] = mapped_column(index=True)\n", "")
    .replace("int | None] = mapped_column(index=True)", "int] = mapped_column(sa.BigInteger)")
    .replace('"first_date", "first_time"', '"first_date"')
    .replace("(sa.String(20), unique=True)", "(sa.String(20))")
    .replace('"kinds_thing.id"), index=True', '"kinds_thing.id")')
    .replace(
        """        sa.ForeignKey("kinds_owner.id", ondelete="SET NULL"), index=True
    )
""",
        """        sa.ForeignKey("kinds_owner.id", ondelete="SET NULL")
    )
    __table_args__ = (*__table_args__, sa.Index("ix_new", "first_other_id"))
""",
    )
) + COLUMNS.replace("first_", "second_")


def make_revisions(project: Project, url: str) -> None:
    """Write a revision that makes all columns, and one that adds, changes and drops some."""
    project = project.on(url)
    project.add_module("kinds", FIRST)
    project.alembic_each("revision --autogenerate -m made --rev-id first", "upgrade head")
    project.write("app/kinds/models.py", SECOND)
    project.revision("--rev-id", "second")


@pytest.fixture(scope="module")
def made_on(tmp_path_factory):
    """Return the project with revisions made on an engine; they are made once."""
    projects: dict[str, Project] = {}

    def make(engine: str) -> Project:
        if engine not in projects:
            folder = tmp_path_factory.mktemp(engine)
            project = without_product(copy_project(folder / "project"))
            with empty_database(engine, folder, "made") as url:
                make_revisions(project, url)
            projects[engine] = project
        return projects[engine]

    return make


@pytest.mark.parametrize("source", ENGINES)
def test_a_revision_made_on_one_engine_applies_on_another(source, made_on, database_url):
    project = made_on(source).on(database_url)

    project.alembic("upgrade", "first")
    with connected(database_url) as connection:
        connection.exec_driver_sql("INSERT INTO kinds_owner (id) VALUES (1)")
        connection.exec_driver_sql(
            "INSERT INTO kinds_thing (given, first_owner_id, first_other_id) VALUES (5, 1, 1)"
        )
    output = project.alembic_each("upgrade head", "check")

    assert "No new upgrade operations" in output
    assert count(database_url, "kinds_thing") == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_revisions_of_every_kind_go_down_and_up_again(engine, made_on, tmp_path):
    with empty_database(engine, tmp_path) as url:
        project = made_on(engine).on(url)

        project.alembic_each("upgrade head", "downgrade base")

        assert tables(url) == set()
        output = project.alembic_each("upgrade head", "check")
        assert "No new upgrade operations" in output


GONE = """
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.models import Base, Timestamps


class Gone(Timestamps, Base):
    __tablename__ = "gone_gone"
    __table_args__ = (
        sa.CheckConstraint("price >= 0", "price_from_0"),
        sa.CheckConstraint("short IN ('a', 'b::c')", "short_known"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    is_large: Mapped[bool]
    long: Mapped[str | None] = mapped_column(sa.Text())
    short: Mapped[str] = mapped_column(sa.String(9), unique=True)
    price: Mapped[Decimal] = mapped_column(sa.Numeric(9, 2))
    share: Mapped[float]
    photo: Mapped[bytes | None]
"""


@pytest.mark.parametrize(
    ("source", "target"),
    [
        pytest.param("sqlite", "postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", "postgresql", marks=[pytest.mark.mariadb, pytest.mark.postgresql]),
        pytest.param("postgresql", "sqlite", marks=[pytest.mark.postgresql, pytest.mark.slow]),
        pytest.param("postgresql", "mariadb", marks=[pytest.mark.postgresql, pytest.mark.slow]),
    ],
)
def test_what_one_engine_drops_another_gives_back(scaffold, tmp_path, source, target):
    scaffold.add_module("gone", GONE)
    with empty_database(source, tmp_path) as url:
        project = scaffold.on(url)
        project.alembic_each("revision --autogenerate -m made --rev-id made", "upgrade head")
        project.write("app/gone/models.py", "")
        dropping = project.having(ALEMBIC_ALLOW_DROP="gone_gone")
        dropping.alembic_each("revision --autogenerate -m gone --rev-id gone")
    with empty_database(target, tmp_path) as url:
        project = project.on(url)
        project.alembic_each("upgrade head", "downgrade made")
        given_back = columns(url)
        project.alembic_each("downgrade base", "upgrade made")

        assert given_back == columns(url)


def columns(url):
    with connected(url) as connection:
        there = inspect(connection)
        found = there.get_columns("gone_gone")
        rules = there.get_unique_constraints("gone_gone") + there.get_check_constraints("gone_gone")
    return {one["name"]: (repr(one["type"]), one["nullable"]) for one in found}, [
        rule["name"] for rule in rules
    ]


CIRCLE = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "circle_team"

    id: Mapped[int] = mapped_column(primary_key=True)
    captain_id: Mapped[int | None] = mapped_column(sa.ForeignKey("circle_player.id"))


class Player(Base):
    __tablename__ = "circle_player"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int | None] = mapped_column(sa.ForeignKey("circle_team.id"))
"""


@mostly_on("postgresql")
def test_tables_in_a_circle_on_a_base_of_their_own_come_and_go(scaffold, database_url):
    project = scaffold.on(database_url).having(PYTHONWARNINGS="")
    project.add_module("circle", CIRCLE)
    project.alembic_each("revision --autogenerate -m made --rev-id made", "upgrade head", "check")
    assert {"circle_team", "circle_player"} <= tables(database_url)

    project.write("app/circle/models.py", "")
    project = project.having(ALEMBIC_ALLOW_DROP="circle_team,circle_player")
    project.alembic_each(
        "revision --autogenerate -m gone --rev-id gone",
        "upgrade head",
        "downgrade made",
        "upgrade head",
        "downgrade base",
    )

    assert tables(database_url) == set()


NATIVE = """
import enum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.models import Base


class Colour(enum.Enum):
    RED = "red"


class Thing(Base):
    __tablename__ = "native_thing"

    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]
"""
COLOURS = """    colour: Mapped[Colour | None] = mapped_column(sa.Enum(Colour, name="colour"))
    more: Mapped[int] = mapped_column(sa.BigInteger, sa.Computed("amount + 1", persisted=True))


class Other(Base):
    __tablename__ = "native_other"

    id: Mapped[int] = mapped_column(primary_key=True)
    colour: Mapped[Colour | None] = mapped_column(sa.Enum(Colour, name="colour"))
"""


@pytest.mark.parametrize("database_url", ENGINES[1:2], indirect=True)
def test_a_native_enum_comes_once_and_what_is_computed_after_what_it_needs(scaffold, database_url):
    project = scaffold.on(database_url)
    project.add_module("native", NATIVE)
    project.alembic_each("revision --autogenerate -m made --rev-id made", "upgrade head")
    large = NATIVE.replace(
        "amount: Mapped[int]", "amount: Mapped[int] = mapped_column(sa.BigInteger)"
    )
    project.write("app/native/models.py", large + COLOURS)
    project.alembic_each(
        "revision --autogenerate -m more --rev-id more",
        "upgrade head",
        "check",
        "downgrade made",
        "upgrade head",
        "downgrade base",
        "upgrade head",
    )

    script = project.alembic("upgrade", "base:head", "--sql")

    assert script.count("CREATE TYPE colour") == 1
    assert script.index("CREATE TYPE colour") < script.index("colour colour")


COMPUTED = """    wide: Mapped[int]
    area: Mapped[int] = mapped_column(sa.Computed("amount * wide", persisted=True), index=True)
"""


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_what_is_computed_goes_before_what_it_needs(scaffold, database_url):
    project = scaffold.on(database_url)
    project.add_module("native", NATIVE + COMPUTED)
    project.alembic_each("revision --autogenerate -m made --rev-id made", "upgrade head")
    large = "amount: Mapped[int] = mapped_column(sa.BigInteger)"
    project.write("app/native/models.py", NATIVE.replace("amount: Mapped[int]", large))
    project.alembic_each(
        "revision --autogenerate -m less --rev-id less",
        "upgrade head",
        "check",
        "downgrade made",
        "upgrade head",
    )


PARTS = """
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.models import Base


class Estate(Base):
    __tablename__ = "rule_estate"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[int]
    code: Mapped[int]
"""
# One that comes before the estate by its name, and one that comes after it.
HOUSES = """

class Part_{0}(Base):
    __tablename__ = "rule_{0}"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[int]
    estate: Mapped[int]
    plot: Mapped[int]
"""
RULES = """    __table_args__ = (
        sa.UniqueConstraint("owner", "id"),
        sa.Index(None, "owner", "code", unique=True),
    )

    id"""
KEYS = """    __table_args__ = (
        sa.ForeignKeyConstraint(["owner", "estate"], ["rule_estate.owner", "rule_estate.id"]),
        sa.ForeignKeyConstraint(["owner", "plot"], ["rule_estate.owner", "rule_estate.code"]),
    )

    id"""


@mostly_on("postgresql")
def test_a_rule_comes_before_and_goes_after_the_keys_that_need_it(scaffold, database_url):
    project = scaffold.on(database_url).having(PYTHONWARNINGS="")
    before = PARTS + HOUSES.format("barn") + HOUSES.format("shed")
    with_keys = "".join(HOUSES.format(name).replace("    id", KEYS) for name in ("barn", "shed"))
    new = HOUSES.format("annex").replace("    id", KEYS)

    revise = "revision --autogenerate -m made --rev-id"

    project.add_module("rule", before)
    project.alembic_each(f"{revise} first", "upgrade head")
    project.write("app/rule/models.py", PARTS.replace("    id", RULES) + with_keys + new)
    project.alembic_each(f"{revise} second", "upgrade head", "check")
    project.write("app/rule/models.py", before + HOUSES.format("annex"))
    project.alembic_each(f"{revise} third", "upgrade head", "downgrade first", "upgrade head")

    with connected(database_url) as connection:
        assert inspect(connection).get_foreign_keys("rule_barn") == []


PROJECTS = """
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.models import Base


class Project(Base):
    __tablename__ = "work_project"

    id: Mapped[int] = mapped_column(primary_key=True)
    {code}


class Item(Base):
    __tablename__ = "work_item"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(sa.ForeignKey("work_project.id"))
    {key}
"""


@mostly_on("postgresql")
def test_a_rule_goes_after_its_key_where_another_key_stays(scaffold, database_url):
    code = "code: Mapped[str] = mapped_column(sa.String(9), unique=True)"
    key = 'code: Mapped[str] = mapped_column(sa.ForeignKey("work_project.code"))'
    project = scaffold.on(database_url).having(PYTHONWARNINGS="")
    revise = "revision --autogenerate -m made --rev-id"

    project.add_module("work", PROJECTS.format(code=code, key=key))
    project.alembic_each(f"{revise} first", "upgrade head")
    project.write("app/work/models.py", PROJECTS.format(code="", key=""))
    project.alembic_each(f"{revise} second", "upgrade head", "downgrade first", "upgrade head")

    with connected(database_url) as connection:
        (stays,) = inspect(connection).get_foreign_keys("work_item")
    assert stays["constrained_columns"] == ["project_id"]


FAMILY = """
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.models import Base


class Parent(Base):
    __tablename__ = "family_parent"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    other_id: Mapped[int | None] = mapped_column(sa.ForeignKey("family_parent.id"))


class Child(Base):
    __tablename__ = "family_child"

    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    parent_id: Mapped[int] = mapped_column(
        sa.ForeignKey("family_parent.id", ondelete="CASCADE"), index=True
    )
"""


@mostly_on("mariadb")
def test_a_key_changes_its_type_with_those_that_refer_to_it(scaffold, database_url):
    # Alembic writes autoincrement=... for MariaDB, and PostgreSQL warns that it knows none.
    project = scaffold.on(database_url).having(PYTHONWARNINGS="")
    project.add_module("family", FAMILY)
    project.alembic_each("revision --autogenerate -m made --rev-id first", "upgrade head")
    with connected(database_url) as connection:
        before = {name: keys(connection, name) for name in ("family_parent", "family_child")}
        connection.exec_driver_sql("INSERT INTO family_parent (id, other_id) VALUES (1, 1)")
        connection.exec_driver_sql("INSERT INTO family_child (id, parent_id) VALUES (1, 1)")
    project.write("app/family/models.py", FAMILY.replace("sa.Integer", "sa.BigInteger"))

    output = project.alembic_each(
        "revision --autogenerate -m made", "upgrade head", "downgrade -1", "upgrade head", "check"
    )

    assert "No new upgrade operations" in output
    assert count(database_url, "family_child") == 1
    with connected(database_url) as connection:
        assert {name: keys(connection, name) for name in before} == before


@mostly_on("sqlite")
@pytest.mark.parametrize("first", ["sa.Integer", "sa.BigInteger"])
def test_a_large_key_counts_on_each_engine(scaffold, database_url, first):
    project = scaffold.on(database_url).having(PYTHONWARNINGS="")
    family = FAMILY.replace(", autoincrement=False", "")
    project.add_module("family", family.replace("sa.BigInteger", first))
    project.alembic_each("revision --autogenerate -m made --rev-id first", "upgrade head", "check")
    project.write("app/family/models.py", family.replace("sa.Integer", "sa.BigInteger"))
    project.alembic_each("revision --autogenerate -m large", "upgrade head", "check")

    with connected(database_url) as connection:
        for row in range(2):
            connection.exec_driver_sql("INSERT INTO family_parent (other_id) VALUES (NULL)")
            connection.exec_driver_sql("INSERT INTO family_child (parent_id) VALUES (1)")
            connection.exec_driver_sql(f"DELETE FROM family_child WHERE id = {row + 1}")
        connection.exec_driver_sql("INSERT INTO family_child (parent_id) VALUES (2)")
        assert connection.exec_driver_sql("SELECT id FROM family_child").scalar() == 3


def keys(connection, table):
    return sorted(inspect(connection).get_foreign_keys(table), key=lambda key: key["name"])


COMPUTED = """
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.models import Base


class Line(Base):
    __tablename__ = "computed_line"

    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int] = mapped_column()
"""
# Each in words of its own that the database repeats in others.
EXPRESSIONS = """
    sum: Mapped[Decimal] = mapped_column(
        sa.Numeric(12, 2), sa.Computed("round(amount / 2.0, (1 + 1))")
    )
    one: Mapped[int] = mapped_column(sa.Computed(amount + 1))
    two: Mapped[int] = mapped_column(sa.Computed("amount\\n+ 2"))
    text: Mapped[str] = mapped_column(sa.String(20), sa.Computed("replace('No 1', 1, amount)"))
"""


@pytest.mark.parametrize(
    "database_url",
    # PostgreSQL stores them: until its release 18 SQLAlchemy warns where a model leaves it open.
    ["sqlite", pytest.param("mariadb", marks=[pytest.mark.mariadb, pytest.mark.slow])],
    indirect=True,
)
def test_computed_columns_that_are_not_stored_are_added_and_no_difference(scaffold, database_url):
    project = scaffold.on(database_url)
    project.add_module("computed", COMPUTED)
    project.alembic_each("revision --autogenerate -m made", "upgrade head")
    with connected(database_url) as connection:
        connection.exec_driver_sql("INSERT INTO computed_line (amount) VALUES (5)")
    project.write("app/computed/models.py", COMPUTED + EXPRESSIONS)

    output = project.alembic_each("revision --autogenerate -m made", "upgrade head", "check")

    assert "No new upgrade operations" in output
    copied = (
        '    label: Mapped[str | None] = mapped_column(sa.CheckConstraint("label > 0", "high"))\n'
    )
    project.write("app/computed/models.py", COMPUTED + EXPRESSIONS + copied)
    project.alembic_each("revision --autogenerate -m made", "upgrade head", "check")
    with connected(database_url) as connection:
        row = connection.exec_driver_sql("SELECT sum, one, two, text FROM computed_line").one()
        assert tuple(row) == (2.5, 6, 7, "No 5")


FOR_ONE = """
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.models import Base


class Stay(Base):
    __tablename__ = "guest_stay"
    __table_args__ = (
        ExcludeConstraint(
            (sa.text("tstzrange(begins, ends)"), "&&"), name="ex_guest_stay", using="gist"
        ).ddl_if(dialect="postgresql"),
        sa.CheckConstraint("name ~ '^[a-z]'", "name_small").ddl_if(dialect="postgresql"),
        sa.Index("ix_guest_stay_ends", "ends").ddl_if(dialect="postgresql"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(9))
    begins: Mapped[datetime]
    ends: Mapped[datetime]
"""


@mostly_on("postgresql")
def test_rules_for_one_database_are_named_and_not_made_on_all(scaffold, database_url):
    project = scaffold.on(database_url)
    project.add_module("guest", FOR_ONE)

    output = project.alembic_each("revision --autogenerate -m made", "upgrade head", "check")

    (file,) = project.revisions
    assert "WARNING: ex_guest_stay of guest_stay is for one database alone (ddl_if)" in output
    assert "WARNING: ck_guest_stay_name_small of guest_stay is for one" in file.read_text()
    assert "No new upgrade operations" in output
