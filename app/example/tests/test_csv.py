"""The list as CSV: what the page shows, all of it, for a spreadsheet, in constant memory."""

import csv
import io
import tracemalloc
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import insert

from app.example.models import Product, Status
from core.export import CHUNK
from services import db

from .page import PRODUCTS, visit

HEADS = ["Name", "SKU", "Category", "Price", "Stock", "Status", "Released on"]


def _download(client, url=f"{PRODUCTS}.csv"):
    return client.get(url)


def _read(response):
    assert response.status_code == 200
    text = response.data.decode("utf-8")
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:], newline="")))


def test_the_list_is_downloaded_with_its_heads(client, make_product):
    make_product(name='Tea, "green"\nleaf', released_on=date(2026, 1, 31), status=Status.ACTIVE)
    make_product(sku="Ñ-2", price=Decimal("1234.50"))

    response = _download(client)

    assert _read(response) == [
        HEADS,
        ["Sencha", "Ñ-2", "Tea", "1234.50", "12", "draft", ""],
        ['Tea, "green"\nleaf', "TEA-1", "Tea", "7.50", "12", "active", "2026-01-31"],
    ]
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="example_product.csv"'


def test_it_holds_all_pages_of_the_list_that_the_page_shows(client, make_product):
    for number in range(30):
        make_product(sku=f"S-{number:02}", stock=number, price=Decimal(number))
    shown = visit(client, f"{PRODUCTS}?filter[price][gte]=5&sort=stock&per_page=10&page=2")
    (link,) = (link for link in shown.links if ".csv" in link)

    rows = _read(_download(client, link))[1:]

    assert [row[1] for row in rows] == [f"S-{number:02}" for number in range(5, 30)]
    assert [row[1] for row in rows[10:20]] == [row[1] for row in shown.rows[1:]]


def test_an_empty_list_is_a_line_of_heads(client):
    assert _read(_download(client, f"{PRODUCTS}.csv?q=nothing")) == [HEADS]


@pytest.mark.parametrize("query", ["?sort=password", "?page=1e9", "?endpoint=x", "?q=%00"])
def test_what_makes_no_sense_is_ignored(client, make_product, query):
    make_product()

    assert len(_read(_download(client, f"{PRODUCTS}.csv{query}"))) == 2


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0"])
def test_no_text_is_run_as_a_formula(client, make_product, text):
    make_product(name=text, sku=f"{text}!")

    ((name, sku, *_),) = _read(_download(client))[1:]

    assert (name, sku) == (f"'{text}", f"'{text}!")


def test_the_rows_are_streamed_in_constant_memory(app, client, category):
    def add(first, last):
        values = {"name": "P", "price": 1, "category_id": category.id, "version": 1}
        rows = [{**values, "sku": f"S-{number}"} for number in range(first, last)]
        with app.app_context():
            db.session.execute(insert(Product), rows)
            db.session.commit()

    def download():
        """Return the lines of the list, and the most memory that they took at once."""
        tracemalloc.start()
        response = client.get(f"{PRODUCTS}.csv?sort=id", buffered=False)
        lines = sum(part.count(b"\n") for part in response.iter_encoded())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        response.close()
        return lines, most

    add(0, 2 * CHUNK)
    download()
    lines_of_few, memory_of_few = download()
    add(2 * CHUNK, 20 * CHUNK)

    lines, memory = download()

    assert (lines_of_few, lines) == (2 * CHUNK + 1, 20 * CHUNK + 1)
    assert memory < 2 * memory_of_few
