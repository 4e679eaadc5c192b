"""Stores records of the module for tests that send requests of their own connections."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import delete

from services import db
from tests.project import app_on

from .models import Place, Record, Sign


@contextmanager
def app_with_a_place(engine: str, folder: Path) -> Iterator[Flask]:
    with app_on(engine, folder, "tests.kinds") as application:
        with application.app_context():
            db.session.add(Place(id=1, name="Here"))
            db.session.commit()
        yield application


@contextmanager
def app_with_places(engine: str, folder: Path) -> Iterator[Flask]:
    """Each place but the first lies in the one before; one has a sign."""
    with app_on(engine, folder, "tests.kinds") as application:
        with application.app_context():
            flush(
                Place(id=1, name="Andes"),
                Place(id=2, name="Lima", height=Decimal("161.00"), region_id=1),
                Place(id=3, name="Barranco", region_id=2),
                Sign(text="Aquí", place_id=2),
            )
            db.session.commit()
        yield application


def flush(*records: Any) -> None:
    """Store records one after the other, as keys to those before them need it; commit nothing."""
    for record in records:
        db.session.add(record)
        db.session.flush()


def store(app: Flask, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Store records; return their ids."""
    with app.app_context():
        records = [Record(home_id=1, **row) for row in rows]
        db.session.add_all(records)
        db.session.commit()
        return [record.id for record in records]


def clear(app: Flask) -> None:
    with app.app_context():
        db.session.execute(delete(Record))
        db.session.commit()
