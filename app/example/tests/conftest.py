"""What the tests of the module share: records to start from, and a look into the tables."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Select

from app.example.models import Category, Product
from core.testing import use_default_settings
from services import db


@pytest.fixture(autouse=True)
def settings_of_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests are written for; a product that keeps the demo for a while has its own."""
    use_default_settings(monkeypatch)


@pytest.fixture
def category(save: Callable[[Any], Any]) -> Category:
    return save(Category(name="Tea"))


@pytest.fixture
def make_product(save: Callable[[Any], Any], category: Category) -> Callable[..., Product]:
    """Store a product; what is not given is unremarkable."""

    def make(**given: Any) -> Product:
        values = {"name": "Sencha", "sku": "TEA-1", "price": Decimal("7.50"), "stock": 12}
        return save(Product(**{**values, "category_id": category.id, **given}))

    return make


@pytest.fixture
def rows(app: Flask, isolated: None) -> Callable[[Select[Any]], list[tuple[Any, ...]]]:
    """Read what is stored."""

    def read(statement: Select[Any]) -> list[tuple[Any, ...]]:
        with app.app_context():
            return [tuple(row) for row in db.session.execute(statement)]

    return read
