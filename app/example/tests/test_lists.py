"""The lists of the pages: order, paging, and whatever stands in the query."""

from decimal import Decimal

import pytest

from app.example.models import Category, Product, Status

from .page import CATEGORIES, PRODUCTS, visit


def test_the_list_shows_the_newest_products_first(client, make_product):
    make_product(name="Old", sku="A-1", price=Decimal("1234.50"), stock=3)
    make_product(name="New", sku="A-2", price=Decimal("0.90"), status=Status.ACTIVE)

    page = visit(client, PRODUCTS)

    assert page.heading == "Products"
    assert page.rows == [
        ["Name", "SKU", "Category", "Price", "Stock", "Status"],
        ["New", "A-2", "Tea", "$0.90", "12", "Active"],
        ["Old", "A-1", "Tea", "$1,234.50", "3", "Draft"],
    ]


def test_the_categories_are_listed_by_name(client, save):
    for name in ("Tea", "Coffee"):
        save(Category(name=name))

    page = visit(client, CATEGORIES)

    assert [row[0] for row in page.rows] == ["Name", "Coffee", "Tea"]


@pytest.mark.parametrize("url", [PRODUCTS, CATEGORIES])
def test_an_empty_list_says_so(client, url):
    page = visit(client, url)

    assert page.rows == []
    assert "make the first one" in client.get(url).text


def test_a_list_takes_one_query_each_for_rows_number_and_the_filters_choices(
    client, save, make_product, queries
):
    for number in range(25):
        other = save(Category(name=f"Category {number}"))
        make_product(sku=f"S-{number}", category_id=other.id)

    with queries() as statements:
        page = visit(client, PRODUCTS)

    assert len(page.rows) == 21
    assert len(statements) == 3
    assert sum("FROM example_category" in statement for statement in statements) == 1
    assert sum("FROM example_product" in statement for statement in statements) == 2


@pytest.fixture
def many(save, category):
    """Store 45 products."""
    for number in range(1, 46):
        product = {"name": f"P{number:02}", "sku": f"P{number:02}", "price": 1}
        save(Product(**product, category_id=category.id))


@pytest.mark.parametrize(
    ("query", "first", "count"),
    [
        ("", "P45", 20),
        ("?page=3", "P05", 5),
        ("?page=2&per_page=30", "P15", 15),
        ("?per_page=100", "P45", 45),
        ("?per_page=999999", "P45", 20),
        ("?page=1e9", "P45", 20),
        ("?page=-3", "P45", 20),
        ("?page=0&per_page=0", "P45", 20),
        ("?page=%00", "P45", 20),
        ("?page=%D9%A3", "P45", 20),
        ("?page=2&page=3", "P25", 20),
        ("?endpoint=x", "P45", 20),
        ("?_method=POST", "P45", 20),
        ("?_external=1&_scheme=javascript&_anchor=x", "P45", 20),
        ("?id=7&values=x&self=1", "P45", 20),
        ("?%ff=%ff&=", "P45", 20),
        ("?page=3&page=1&sort=name", "P41", 5),
        ("?sort=password", "P45", 20),
        ("?sort=description", "P45", 20),
        ("?sort=name;DROP TABLE", "P45", 20),
        ("?sort=&q=&filter[price][gte]=", "P45", 20),
        ("?sort=-", "P45", 20),
        ("?q=%00", "P45", 20),
        ("?q=%ff", None, 0),
        ("?filter[sku]=P01", "P45", 20),
        ("?filter[price][like]=1", "P45", 20),
        ("?filter[price]=NaN", "P45", 20),
        ("?filter[price]=1e400", "P45", 20),
        ("?filter[category_id]=99999999999999999999", None, 0),
        ("?filter[category_id]=x", None, 0),
        ("?filter[status]=sold", "P45", 20),
        ("?filter[featured]=perhaps", "P45", 20),
        ("?filter[released_on][gte]=2026-02-30", "P45", 20),
        ("?filter[__class__]=1&filter[]=&filter=1", "P45", 20),
    ],
)
def test_a_list_takes_any_query(client, many, query, first, count):
    page = visit(client, PRODUCTS + query)

    assert [row[0] for row in page.rows[1:2]] == ([first] if first else [])
    assert len(page.rows[1:]) == count


def test_a_page_is_never_longer_than_the_cap(client, save, category):
    for number in range(101):
        product = Product(name="P", sku=str(number), price=1, category_id=category.id)
        save(product)

    page = visit(client, f"{PRODUCTS}?per_page=100")

    assert len(page.rows) - 1 == 100
    assert len(visit(client, f"{PRODUCTS}?per_page=101").rows) - 1 == 20


def test_links_to_other_pages_carry_the_state_of_the_list_only(client, many, category):
    query = "?per_page=10&page=2&_method=POST&utm=x&q=p&sort=name&filter[stock]=1"

    page = visit(client, f"{CATEGORIES}/{category.id}{query}")

    assert f"{CATEGORIES}/{category.id}?per_page=10&page=3&q=p&sort=name" in page.links
    assert not [link for link in page.links if "utm" in link or "_method" in link]


@pytest.mark.parametrize("query", ["?page=4", "?page=5000"])
def test_a_page_past_the_end_leads_back(client, many, query):
    page = visit(client, PRODUCTS + query)

    assert page.rows == []
    assert f"{PRODUCTS}?page=3" in page.links
    assert "make the first one" not in client.get(PRODUCTS + query).text
