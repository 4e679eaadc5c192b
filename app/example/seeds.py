"""Demo data: the same products each time, for `flask setup` and `flask seed`."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sqlalchemy import select

from core.seeding import insert_missing
from services import db

from .models import Category, Product, Status

# Per category: the goods, and the range of their prices.
GOODS: dict[str, tuple[list[str], tuple[int, int]]] = {
    "Coffee and tea": (["Espresso beans", "Filter coffee", "Green tea", "Rooibos"], (5, 30)),
    "Kitchen": (["Chef's knife", "Cast-iron pan", "Cutting board", "Whisk"], (8, 140)),
    "Stationery": (["Fountain pen", "Notebook A5", "Desk calendar", "Pencil set"], (2, 60)),
    "Garden": (["Watering can", "Pruning shears", "Terracotta pot", "Seed box"], (4, 80)),
    "Lighting": (["Desk lamp", "Pendant lamp", "Candle holder", "Lantern"], (12, 220)),
    "Textiles": (["Linen towel", "Wool blanket", "Cotton apron", "Cushion cover"], (9, 130)),
    "Toys": (["Wooden train", "Puzzle 500", "Kite", "Building blocks"], (6, 70)),
    "Travel": (["Backpack 22 l", "Toilet bag", "Packing cubes", "Umbrella"], (10, 160)),
}
STYLES = ["classic", "large", "small", "blue", "ochre", "hand-made", "recycled", "oak", "2026"]
DESCRIPTION = "{}, {}. Made in small series and repaired on request."


def seed(rows: int) -> Iterator[int]:
    """Insert products with the SKUs of the first `rows` numbers, and their categories."""
    for _ in insert_missing(Category, "name", ({"name": name} for name in GOODS)):
        pass
    categories = select(Category.name, Category.id).where(Category.name.in_(GOODS))
    ids = {row.name: row.id for row in db.session.execute(categories)}
    yield from insert_missing(Product, "sku", (_product(n, ids) for n in range(1, rows + 1)))


def _product(number: int, category_ids: dict[str, int]) -> dict[str, Any]:
    random = Random(number)
    category = random.choice(list(GOODS))
    goods, (low, high) = GOODS[category]
    name, style = random.choice(goods), random.choice(STYLES)
    status = random.choices(list(Status), weights=[1, 8, 1])[0]
    age = timedelta(days=random.randrange(1500))
    return {
        "name": f"{name}, {style}",
        "sku": f"DEMO-{number:06}",
        "description": DESCRIPTION.format(name, style),
        "price": Decimal(random.randrange(low * 100, high * 100, 5)) / 100,
        "stock": random.randrange(250),
        "status": status,
        "released_on": None if status is Status.DRAFT else date(2026, 6, 1) - age,
        "featured": random.random() < 0.1,
        "category_id": category_ids[category],
    }
