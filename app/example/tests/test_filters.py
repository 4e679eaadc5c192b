"""Search, filters and order of the list: by controls that people use, in URLs that they keep."""

import re
from datetime import date
from decimal import Decimal

import pytest

from app.example.models import Category, Status

from .page import CATEGORIES, PRODUCTS, visit


@pytest.fixture
def shelf(save, make_product):
    """Store four products; return their two categories."""
    tea, tools = save(Category(name="Infusiones")), save(Category(name="Tools"))
    days = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
    for name, sku, price, stock, status, day, featured, owner in (
        ("Ñandú feather", "F-1", "5.00", 3, Status.ACTIVE, days[0], True, tools),
        ("Camomile", "T-1", "10.00", 2, Status.ACTIVE, days[1], False, tea),
        ("Élan 100%", "T-2", "20.00", 1, Status.DRAFT, None, False, tea),
        ("hammer_2", "H-1", "40.00", 0, Status.RETIRED, days[2], True, tools),
    ):
        values = {"price": Decimal(price), "stock": stock, "status": status, "featured": featured}
        make_product(name=name, sku=sku, released_on=day, category_id=owner.id, **values)
    return {"tea": tea.id, "tools": tools.id}


def _skus(page):
    return [row[1] for row in page.rows[1:]]


@pytest.mark.parametrize(
    ("chosen", "skus"),
    [
        ({"filter[status]": "active"}, ["T-1", "F-1"]),
        ({"filter[category_id]": "{tea}"}, ["T-2", "T-1"]),
        ({"filter[featured]": "true"}, ["H-1", "F-1"]),
        ({"filter[featured]": "false"}, ["T-2", "T-1"]),
        ({"filter[price][gte]": "10"}, ["H-1", "T-2", "T-1"]),
        ({"filter[price][lte]": "19.99"}, ["T-1", "F-1"]),
        ({"filter[price][gte]": "10", "filter[price][lte]": "20"}, ["T-2", "T-1"]),
        ({"filter[released_on][gte]": "2026-02-01"}, ["H-1", "T-1"]),
        (
            {"filter[released_on][gte]": "2026-01-02", "filter[released_on][lte]": "2026-02-28"},
            ["T-1"],
        ),
        ({"filter[status]": "active", "filter[category_id]": "{tools}"}, ["F-1"]),
        ({"filter[status]": "retired", "filter[price][lte]": "1"}, []),
        ({"q": "camomile"}, ["T-1"]),
        ({"q": "CAMO"}, ["T-1"]),
        ({"q": "t-"}, ["T-2", "T-1"]),
        ({"q": "t- camo"}, ["T-1"]),
        ({"q": "%"}, ["T-2"]),
        ({"q": "_"}, ["H-1"]),
        ({"q": "ÑANDÚ"}, ["F-1"]),
        ({"q": "' OR 1=1 --"}, []),
    ],
    ids=str,
)
def test_the_controls_narrow_the_list_down(client, shelf, chosen, skus):
    form = visit(client, PRODUCTS).form("Apply")
    chosen = {name: text.format(**shelf) for name, text in chosen.items()}

    response = form.send(client, chosen)
    page = visit(client, response.request.full_path)

    assert _skus(page) == skus
    count = "1 row" if len(skus) == 1 else f"{len(skus)} rows"
    assert re.search(rf"<p>\s*{count}\s*</p>", response.text)
    # The controls show what the list was narrowed down to.
    kept = page.form("Apply").fields
    assert {name: kept[name] for name in chosen} == chosen


@pytest.mark.parametrize("words", ["nandu", "NANDU", "ñandu", "Ñandú", "ñANDÚ"])
def test_search_finds_without_accents_where_the_engine_can(app, client, shelf, words):
    backend = app.config["SQLALCHEMY_DATABASE_URI"].get_backend_name()

    page = visit(client, f"{PRODUCTS}?q={words}")

    # PostgreSQL needs the extension unaccent to do more than fold the case.
    found = backend != "postgresql" or words.casefold() == "ñandú"
    assert _skus(page) == (["F-1"] if found else [])


def test_the_controls_offer_what_can_be_chosen(client, shelf):
    options = visit(client, PRODUCTS).form("Apply").options

    assert options == {
        "filter[category_id]": ["all", "Infusiones", "Tea", "Tools"],
        "filter[status]": ["all", "Draft", "Active", "Retired"],
        "filter[featured]": ["all", "yes", "no"],
    }


@pytest.mark.parametrize(
    ("head", "first", "second"),
    [
        ("Name", None, None),
        ("SKU", ["F-1", "H-1", "T-1", "T-2"], ["T-2", "T-1", "H-1", "F-1"]),
        ("Price", ["F-1", "T-1", "T-2", "H-1"], ["H-1", "T-2", "T-1", "F-1"]),
        ("Stock", ["H-1", "T-2", "T-1", "F-1"], ["F-1", "T-1", "T-2", "H-1"]),
    ],
)
def test_a_head_sorts_by_its_column_and_then_turns_the_order(client, shelf, head, first, second):
    name = head.lower()

    ascending = visit(client, _link(visit(client, PRODUCTS), f"sort={name}"))
    descending = visit(client, _link(ascending, f"sort=-{name}"))

    assert visit(client, PRODUCTS).sorted_by == {}
    assert ascending.sorted_by == {head: "ascending"}
    assert descending.sorted_by == {head: "descending"}
    assert f"{PRODUCTS}?sort={name}" in descending.links
    if first:
        assert (_skus(ascending), _skus(descending)) == (first, second)
    else:
        # Where lower case and accents stand is the collation's affair.
        assert _skus(ascending) == _skus(descending)[::-1]


def _link(page, end):
    return next(link for link in page.links if link.endswith(end))


def test_what_may_not_be_sorted_has_no_link(client, shelf):
    page = visit(client, PRODUCTS)

    assert not [link for link in page.links if "sort=status" in link or "sort=category" in link]


def test_a_url_brings_back_the_whole_state_of_a_list(client, shelf):
    query = "q=-1&filter[price][gte]=5&sort=-price&per_page=2"

    page = visit(client, f"{PRODUCTS}?{query}")
    following = visit(client, _link(page, "&page=2"))
    again = page.form("Search").send(client)

    kept = "q=-1&filter%5Bprice%5D%5Bgte%5D=5&sort=-price&per_page=2"
    assert f"{PRODUCTS}?{kept}&page=2" in page.links
    assert f"{PRODUCTS}.csv?{kept}" in page.links
    assert _skus(page) + _skus(following) == ["H-1", "T-1", "F-1"]
    assert f"{PRODUCTS}?q=-1&filter%5Bprice%5D%5Bgte%5D=5&sort=price&per_page=2" in page.links
    assert again.request.args["sort"] == "-price"
    assert again.request.args["filter[price][gte]"] == "5"


@pytest.mark.parametrize("url", [PRODUCTS, CATEGORIES])
def test_a_search_without_a_match_offers_all_rows_again(client, shelf, url):
    page = visit(client, f"{url}?q=nowhere")
    text = client.get(f"{url}?q=nowhere").text

    assert page.rows == []
    assert "Nothing matches." in text
    assert "make the first one" not in text
    assert url in page.links


def test_the_list_of_a_category_is_searched_too(client, shelf):
    page = visit(client, f"{CATEGORIES}/{shelf['tea']}?q=t-2")

    assert _skus(page) == ["T-2"]
    assert _skus(visit(client, f"{CATEGORIES}/{shelf['tea']}?q=hammer")) == []
