"""Editing, by one person and by two at once."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from app.example.models import Category, Product, Status

from .page import CATEGORIES, PRODUCTS, refused, visit


def test_edit_shows_what_is_stored_and_update_changes_it(client, save, make_product, rows):
    other = save(Category(name="Coffee"))
    product = make_product(
        status=Status.RETIRED, featured=True, released_on=date(2026, 1, 31), description="Green"
    )
    form = visit(client, f"{PRODUCTS}/{product.id}/edit").form("Save")
    own = ("csrf_token", "_lang")
    shown = {name: value for name, value in form.fields.items() if name not in own}

    response = form.send(
        client, price="8", featured=None, released_on="", description="", category=str(other.id)
    )

    assert shown == {
        "name": "Sencha",
        "sku": "TEA-1",
        "description": "Green",
        "price": "7.50",
        "stock": "12",
        "status": "retired",
        "released_on": "2026-01-31",
        "featured": "y",
        "category": str(product.category_id),
        "version": "1",
    }
    assert (response.status_code, response.location) == (302, f"{PRODUCTS}/{product.id}")
    changed = (Product.price, Product.featured, Product.released_on, Product.description)
    assert rows(select(*changed, Product.category_id, Product.version)) == [
        (Decimal("8.00"), False, None, None, other.id, 2)
    ]
    assert rows(select(Product.name, Product.sku, Product.stock, Product.status)) == [
        ("Sencha", "TEA-1", 12, Status.RETIRED)
    ]


def test_saving_an_untouched_form_changes_nothing(client, make_product, rows):
    product = make_product(description="Two\nlines", status=Status.ACTIVE)
    before = rows(select(*Product.__table__.columns))

    visit(client, f"{PRODUCTS}/{product.id}/edit").form("Save").send(client)

    assert rows(select(*Product.__table__.columns)) == before


def test_update_refuses_the_sku_of_another_product(client, make_product, rows):
    make_product()
    product = make_product(name="Assam", sku="TEA-2")
    form = visit(client, f"{PRODUCTS}/{product.id}/edit").form("Save")

    page = refused(form.send(client, sku="TEA-1", name="Assam 2"))

    assert page.errors == {"sku": "This value is already taken."}
    assert page.form("Save").fields["name"] == "Assam 2"
    assert rows(select(Product.name).order_by(Product.id)) == [("Sencha",), ("Assam",)]


def test_update_of_a_category_renames_it(client, category, rows):
    form = visit(client, f"{CATEGORIES}/{category.id}/edit").form("Save")

    response = form.send(client, name="Teas")

    assert rows(select(Category.name, Category.version)) == [("Teas", 2)]
    assert visit(client, response.location).alerts == ["Teas was saved."]


@pytest.fixture
def other_client(app, client):
    """Another person's browser."""
    return app.test_client()


def test_the_second_of_two_saves_sees_the_first_and_then_wins(
    client, other_client, make_product, rows
):
    product = make_product()
    url = f"{PRODUCTS}/{product.id}/edit"
    mine, theirs = visit(client, url).form("Save"), visit(other_client, url).form("Save")
    theirs.send(other_client, stock="40", name="Sencha")

    page = refused(mine.send(client, stock="50", name="Sencha, mine"))
    between = rows(select(Product.name, Product.stock, Product.version))
    response = page.form("Save").send(client)

    assert between == [("Sencha", 40, 2)]
    assert len(page.alerts) == 1
    assert page.alerts[0].startswith("Someone else changed this record while you were editing it.")
    assert page.form("Save").fields["stock"] == "50"
    assert page.form("Save").fields["name"] == "Sencha, mine"
    assert response.status_code == 302
    assert rows(select(Product.name, Product.stock, Product.version)) == [("Sencha, mine", 50, 3)]


def test_a_conflict_shows_what_is_stored_where_the_two_differ(client, other_client, make_product):
    product = make_product()
    url = f"{PRODUCTS}/{product.id}/edit"
    mine = visit(client, url).form("Save")
    visit(other_client, url).form("Save").send(other_client, stock="40", status="active")

    response = mine.send(client, stock="50")

    assert "Stored now: <strong>40</strong>" in " ".join(response.text.split())
    assert 'id="stock-stored"' in response.text
    assert 'id="status-stored"' in response.text
    assert 'id="name-stored"' not in response.text


def test_a_third_save_in_between_is_seen_as_well(client, other_client, make_product, rows):
    product = make_product()
    url = f"{PRODUCTS}/{product.id}/edit"
    mine = visit(client, url).form("Save")
    visit(other_client, url).form("Save").send(other_client, stock="40")
    page = refused(mine.send(client, stock="50"))
    visit(other_client, url).form("Save").send(other_client, stock="60")

    page = refused(page.form("Save").send(client))

    assert len(page.alerts) == 1
    assert rows(select(Product.stock)) == [(60,)]


def test_two_renames_of_a_category_at_once_conflict(client, other_client, category, rows):
    url = f"{CATEGORIES}/{category.id}/edit"
    mine, theirs = visit(client, url).form("Save"), visit(other_client, url).form("Save")
    theirs.send(other_client, name="Theirs")

    page = refused(mine.send(client, name="Mine"))

    assert page.form("Save").fields["name"] == "Mine"
    assert rows(select(Category.name)) == [("Theirs",)]


@pytest.mark.parametrize("version", ["9" * 30, "-1", "x", "\x00"])
def test_a_forged_version_saves_nothing(client, category, rows, version):
    form = visit(client, f"{CATEGORIES}/{category.id}/edit").form("Save")

    page = refused(form.send(client, name="Forged", version=version))

    assert len(page.alerts) == 1
    assert rows(select(Category.name)) == [("Tea",)]


def test_saving_what_someone_deleted_meanwhile_is_404(client, category, rows):
    form = visit(client, f"{CATEGORIES}/{category.id}/edit").form("Save")
    visit(client, f"{CATEGORIES}/{category.id}").form("Delete").send(client)

    response = form.send(client, name="Ghost")

    assert response.status_code == 404
    assert rows(select(Category.name)) == []


@pytest.mark.parametrize("resource", [PRODUCTS, CATEGORIES])
def test_what_someone_changed_meanwhile_is_not_deleted(
    client, other_client, save, make_product, rows, resource
):
    id = make_product().id if resource == PRODUCTS else save(Category(name="Empty")).id
    mine = visit(client, f"{resource}/{id}").form("Delete")
    visit(other_client, f"{resource}/{id}/edit").form("Save").send(other_client, name="Theirs")

    response = mine.send(client)
    shown = visit(client, response.location)
    again = shown.form("Delete").send(client)

    assert response.location == f"{resource}/{id}"
    assert shown.heading == "Theirs"
    assert shown.alerts[0].startswith("Someone else changed this record in the meantime")
    assert again.location == resource


@pytest.mark.parametrize("version", ["9" * 30, "-1", "x", "\x00", ""])
def test_a_forged_version_deletes_nothing(client, category, rows, version):
    form = visit(client, f"{CATEGORIES}/{category.id}").form("Delete")

    response = form.send(client, version=version)

    assert response.location == f"{CATEGORIES}/{category.id}"
    assert rows(select(Category.name)) == [("Tea",)]


def test_to_delete_is_asked_for(client, category):
    text = " ".join(client.get(f"{CATEGORIES}/{category.id}").text.split())

    assert "<p>Delete Tea for good?</p>" in text
