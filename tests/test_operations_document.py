"""Holds docs/operations.md to its word: the rows move to another database."""

import pytest

from tests.documents import block_with
from tests.project import empty_database, mostly_on

SHELVES = """
import enum
from datetime import date
from decimal import Decimal
from sqlalchemy import ForeignKey, Numeric, String
from sqlalchemy.orm import Mapped, mapped_column
from core.models import Base, Timestamps, Versioned

class Kind(enum.Enum):
    OLD = "old"
    NEW = "new"

class Book(Timestamps, Versioned, Base):
    __tablename__ = "shelves_book"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelves_shelf.id"))
    kind: Mapped[Kind]
    price: Mapped[Decimal] = mapped_column(Numeric(8, 2))
    lent: Mapped[bool]
    day: Mapped[date | None]

class Shelf(Base):
    __tablename__ = "shelves_shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
"""
FILL = """
from run import app
from app.shelves.models import *
from services import db

with app.app_context():
    db.session.add(Shelf(name="Añil"))
    db.session.flush()
    for number in range(1500):
        book = Book(shelf_id=1, kind=Kind.NEW, price=Decimal(number) / 100, lent=number % 2 == 0)
        db.session.add(book)
    book.day = date(2026, 2, 28)
    db.session.commit()
"""
SHOW = """
from run import app
from app.shelves.models import *
from services import db
from sqlalchemy import select

with app.app_context():
    for model in (Shelf, Book):
        for row in db.session.execute(select(model.__table__).order_by(model.id)):
            print(*row)
"""
ADD = """
from run import app
from app.shelves.models import *
from services import db

with app.app_context():
    shelf = Shelf(name="Later")
    db.session.add(shelf)
    db.session.commit()
    print(shelf.id)
"""


@pytest.mark.structure
@pytest.mark.postgresql
@mostly_on("sqlite")
def test_the_rows_move_to_another_database_as_documented(scaffold, database_url, tmp_path):
    document = "docs/operations.md"
    upgrade, move = block_with(document, "sh", "python move.py").commands
    scaffold.add_module("shelves", SHELVES)
    scaffold.write("move.py", block_with(document, "python", "move.py").text)
    old = scaffold.on(database_url)
    old.revision()
    old.alembic("upgrade", "head")
    old.python("-c", FILL)

    with empty_database("postgresql", tmp_path, "moved") as url:
        new = scaffold.on(url)
        new.alembic(*upgrade[2:])
        scaffold.python(move[1], database_url, url)
        moved, kept = (project.python("-c", SHOW) for project in (new, old))
        added = new.python("-c", ADD)

    assert moved == kept
    assert len(moved.splitlines()) == 1501
    assert added == "2\n"
