"""Demo data: the same authors and books each time, for `flask setup` and `flask seed`."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sqlalchemy import select

from core.seeding import insert_missing
from services import db

from .models import Author, Book

FIRST = ["Ana", "Luis", "Camila", "Mateo", "Sofía", "Hugo", "Elena", "Tomás", "Grace", "Kenji"]
LAST = ["Restrepo", "Suárez", "Ibáñez", "Navarro", "Quiroga", "Moreno", "Okafor", "Lindqvist"]
ADJECTIVES = ["Quiet", "Last", "Hidden", "Long", "Bright", "Broken", "Second", "Northern", "Paper"]
NOUNS = ["River", "Harbour", "Garden", "Letter", "Mountain", "Winter", "House", "Map", "Orchard"]
PLACES = ["Bogotá", "Cádiz", "Lima", "the Andes", "Valparaíso", "Mérida", "the South", "Oaxaca"]
NAMES = [f"{first} {last}" for first in FIRST for last in LAST]


def seed(rows: int) -> Iterator[int]:
    """Insert books with the ISBNs of the first `rows` numbers, and their authors."""
    for _ in insert_missing(Author, "name", ({"name": name} for name in NAMES)):
        pass
    authors = select(Author.name, Author.id).where(Author.name.in_(NAMES)).order_by(Author.id)
    ids = {row.name: row.id for row in db.session.execute(authors)}
    yield from insert_missing(Book, "isbn", (_book(n, ids) for n in range(1, rows + 1)))


def _book(number: int, author_ids: dict[str, int]) -> dict[str, Any]:
    random = Random(number)
    title = f"The {random.choice(ADJECTIVES)} {random.choice(NOUNS)} of {random.choice(PLACES)}"
    return {
        "title": title,
        "isbn": _isbn13(number),
        "price": Decimal(random.randrange(500, 6000, 5)) / 100,
        "published": date(2026, 1, 1) - timedelta(days=random.randrange(20_000)),
        "pages": random.randrange(80, 900),
        "author_id": author_ids[random.choice(NAMES)],
    }


def _isbn13(number: int) -> str:
    """Return an ISBN of the unused 979-9 range with its check digit (ISO 2108)."""
    digits = f"9799{number:08}"
    total = sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"
