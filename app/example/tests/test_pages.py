"""Showing, deleting, and what holds for every page of the module."""

import re
from datetime import date

import pytest
from sqlalchemy import select

from app.example.models import Category, Product, Status

from .page import CATEGORIES, PRODUCTS, Page, visit


def test_a_product_shows_all_its_fields(client, make_product):
    product = make_product(
        description="Green", status=Status.ACTIVE, released_on=date(2026, 1, 31), featured=True
    )

    response = client.get(f"{PRODUCTS}/{product.id}")

    assert Page(response.text).heading == "Sencha"
    for text in ("TEA-1", "Tea", "Green", "$7.50", "12", "Active", "Jan 31, 2026", ">yes<"):
        assert text in re.sub(r"\s*([<>])\s*", r"\1", response.text)


def test_a_category_shows_its_products_alone(client, save, make_product, category):
    other = save(Category(name="Coffee"))
    make_product()
    make_product(name="Espresso", sku="C-1", category_id=other.id)

    page = visit(client, f"{CATEGORIES}/{category.id}")

    assert page.heading == "Tea"
    assert [row[0] for row in page.rows] == ["Name", "Sencha"]


@pytest.mark.parametrize("resource", [PRODUCTS, CATEGORIES])
@pytest.mark.parametrize("id", ["987654", str(2**63 - 1), str(2**63), "9" * 400, "0", "-1", "x"])
@pytest.mark.parametrize("action", ["", "/edit"])
def test_an_unknown_id_is_404(client, resource, id, action):
    response = client.get(f"{resource}/{id}{action}")

    assert response.status_code == 404
    assert Page(response.text).heading == "Not found"


def test_delete_removes_the_product_and_says_so(client, make_product, rows):
    product = make_product()
    kept = make_product(name="Kept", sku="KEPT")

    response = visit(client, f"{PRODUCTS}/{product.id}").form("Delete").send(client)

    assert (response.status_code, response.location) == (302, PRODUCTS)
    assert visit(client, PRODUCTS).alerts == ["Sencha was deleted."]
    assert rows(select(Product.id)) == [(kept.id,)]


def test_a_category_with_products_is_not_deleted_and_says_so(client, make_product, category, rows):
    make_product()

    response = visit(client, f"{CATEGORIES}/{category.id}").form("Delete").send(client)

    assert response.location == f"{CATEGORIES}/{category.id}"
    assert visit(client, response.location).alerts == [
        "Not deleted: other records still use this one."
    ]
    assert rows(select(Category.name)) == [("Tea",)]


def test_an_empty_category_is_deleted(client, category, rows):
    response = visit(client, f"{CATEGORIES}/{category.id}").form("Delete").send(client)

    assert response.location == CATEGORIES
    assert rows(select(Category.id)) == []


@pytest.mark.parametrize("resource", [PRODUCTS, CATEGORIES])
def test_delete_happens_by_post_alone(client, resource):
    response = client.get(f"{resource}/1/delete")

    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


@pytest.mark.parametrize("action", ["", "/{id}", "/{id}/delete"])
@pytest.mark.parametrize("resource", [PRODUCTS, CATEGORIES])
def test_nothing_changes_without_a_csrf_token(
    client, make_product, category, rows, resource, action
):
    product = make_product()
    id = product.id if resource == PRODUCTS else category.id
    stored = select(*Product.__table__.columns, Category.name).join(Product.category)
    before = rows(stored)

    response = client.post(resource + action.format(id=id), data={"name": "Forged"})

    assert response.status_code == 400
    assert "form had expired" in response.text
    assert rows(stored) == before


@pytest.mark.parametrize("resource", [PRODUCTS, CATEGORIES])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods_are_405_with_allow(client, resource, method):
    response = client.open(f"{resource}/1", method=method)

    assert response.status_code == 405
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))


def test_no_page_carries_inline_code(app, client, make_product, category):
    ids = {"product": make_product().id, "category": category.id}
    urls = [
        rule.rule.replace("<int:id>", str(ids.get(rule.endpoint[8:].partition("_")[0])))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("example.") and "GET" in rule.methods
    ]
    urls.remove(f"{PRODUCTS}.csv")
    pages = [client.get(url) for url in [*urls, f"{PRODUCTS}?page=9", f"{PRODUCTS}/0"]]
    pages += [
        visit(client, f"{PRODUCTS}/new").form("Create").send(client),
        visit(client, f"{CATEGORIES}/{category.id}/edit").form("Save").send(client, name=""),
    ]

    found = [Page(response.text).inline for response in pages]

    assert [response.status_code for response in pages] == [200] * (len(urls) + 1) + [404, 422, 422]
    assert len(urls) == 9
    assert found == [[]] * len(pages)
    assert all("unsafe" not in response.headers["Content-Security-Policy"] for response in pages)
