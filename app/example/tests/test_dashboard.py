"""The dashboard: numbers that add up, as a picture and as a table."""

import re

import pytest

from app.example.models import Category, Status

from .page import Page, visit

URL = "/example/"


@pytest.fixture
def shelf(save, make_product):
    """Store 5 products of tea, 2 of coffee, and a category that has none."""
    coffee = save(Category(name="Coffee <&> more, with a long name"))
    save(Category(name="Empty"))
    for number in range(7):
        status = [Status.ACTIVE, Status.ACTIVE, Status.DRAFT][number % 3]
        given = {"category_id": coffee.id} if number > 4 else {}
        make_product(sku=f"S-{number}", status=status, **given)


def test_the_numbers_count_all_products(client, shelf):
    page = visit(client, URL)

    assert page.rows[:4] == [
        ["Category", "Products"],
        ["Tea", "5"],
        ["Coffee <&> more, with a long name", "2"],
        ["Status", "Products"],
    ]
    assert page.rows[4:] == [["Draft", "2"], ["Active", "5"]]


def test_each_picture_has_its_bars_and_a_text_for_those_who_cannot_see_it(client, shelf):
    text = client.get(URL).text

    pictures = re.findall(r"<svg class=\"chart\"(.*?)</svg>", text, re.DOTALL)

    assert [picture.count("<rect") for picture in pictures] == [2, 2]
    assert [re.search('aria-label="(.*?)"', picture)[1] for picture in pictures] == [
        "Bar chart: Products by category; the numbers stand in the table below.",
        "Bar chart: Products by status; the numbers stand in the table below.",
    ]
    widths = [re.findall(r'<rect[^>]* width="([0-9.]+)%"', picture) for picture in pictures]
    assert widths == [["70.0", "28.0"], ["28.0", "70.0"]]
    captions = re.findall(r"<caption[^>]*>\s*(.*?)\s*</caption>", text)
    assert captions == ["Products by category", "Products by status"]
    assert "Coffee &lt;&amp;&gt; mor" in pictures[0]


def test_without_products_there_is_nothing_to_count(client):
    text = client.get(URL).text

    assert text.count("There is nothing to count yet.") == 2
    assert "chart" not in text
    assert Page(text).rows == []


def test_it_is_the_first_page_of_the_module(client):
    assert "/example/" in visit(client, "/example/products").links
