"""The pages where JavaScript does not run, and the search of a category with it and without."""

import re

import pytest
from sqlalchemy import create_engine, insert

from app.example.models import Category
from core.testing import production_environment, run, scratch_database, served

from .page import delete

# The browser is a development requirement: the other tests run without it.
expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def large_site(tmp_path_factory):
    """A production server whose product form has more categories than a select should hold."""
    with scratch_database(tmp_path_factory.mktemp("large"), "large") as url:
        environment = production_environment(url)
        run(["alembic", "upgrade", "head"], environment)
        engine = create_engine(url)
        names = [f"Category {number:04}" for number in range(10_000)]
        with engine.begin() as connection:
            rows = [{"name": name, "version": 1} for name in [*names, "Ñandú"]]
            connection.execute(insert(Category.__table__), rows)
        engine.dispose()
        with served(environment) as address:
            yield address


@pytest.fixture
def plain(browser, live_server):
    """A page of a browser that runs no JavaScript."""
    with browser.new_context(base_url=live_server.url, java_script_enabled=False) as context:
        yield context.new_page()


def _fill(page):
    page.get_by_label("Name").fill("Kite")
    page.get_by_label("SKU").fill("K-1")
    page.get_by_label("Price").fill("9.90")
    page.get_by_label("Featured").check()


def test_a_product_is_created_edited_and_deleted(plain):
    plain.goto("/")
    plain.get_by_role("navigation").get_by_role("link", name="Products").click()
    plain.get_by_role("link", name="New product").click()
    _fill(plain)
    plain.get_by_label("Price").fill("cheap")
    plain.get_by_label("Category").select_option("Travel")
    plain.get_by_role("button", name="Create").click()
    expect(plain.get_by_label("Price")).to_have_accessible_description("Not a valid decimal value.")

    plain.get_by_label("Price").fill("9.90")
    plain.get_by_role("button", name="Create").click()
    expect(plain.get_by_role("alert")).to_have_text("Kite was created.")
    plain.get_by_role("link", name="Edit").click()
    plain.get_by_label("Name").fill("Kite 2")
    plain.get_by_role("button", name="Save").click()
    expect(plain.get_by_role("alert")).to_have_text("Kite 2 was saved.")

    delete(plain)
    expect(plain.get_by_role("alert")).to_have_text("Kite 2 was deleted.")


def test_a_list_is_searched_filtered_and_sorted(plain):
    plain.goto("/example/products")

    plain.get_by_role("searchbox", name="Search").fill("e")
    plain.get_by_role("button", name="Search").click()
    plain.get_by_text("Filters").click()
    plain.get_by_label("Status").select_option("Active")
    plain.get_by_role("button", name="Apply").click()
    plain.get_by_role("columnheader", name="Price").get_by_role("link").click()

    expect(plain).to_have_url(re.compile("q=e&filter%5Bstatus%5D=active&sort=price$"))
    expect(plain.locator("tbody tr").first).to_be_visible()


def test_language_and_colours_are_switched(plain):
    plain.goto("/")

    plain.get_by_role("button", name="Light colours").click()
    plain.get_by_role("button", name="Dark colours").click()
    plain.get_by_role("button", name="Español").click()

    expect(plain.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(plain.locator("html")).to_have_attribute("lang", "es")


@pytest.mark.parametrize(
    ("scheme", "colours"),
    [
        ("light", ["rgb(27, 42, 48)", "rgb(245, 247, 248)"]),
        ("dark", ["rgb(226, 234, 237)", "rgb(17, 24, 27)"]),
    ],
)
def test_automatic_colours_are_the_systems(plain, scheme, colours):
    plain.emulate_media(color_scheme=scheme)

    plain.goto("/example/products")

    expect(plain.locator("html")).not_to_have_attribute("data-bs-theme", re.compile("."))
    expect(plain.locator("body")).to_have_css("color", colours[0])
    expect(plain.locator("body")).to_have_css("background-color", colours[1])


@pytest.mark.parametrize("scripts", [True, False], ids=["javascript", "no javascript"])
def test_one_of_10_000_categories_is_searched_for_and_chosen(browser, large_site, scripts):
    with browser.new_context(base_url=large_site, java_script_enabled=scripts) as context:
        page, journeys = context.new_page(), []
        page.goto("/example/products/new")
        page.on("framenavigated", lambda frame: journeys.append(frame.url))
        _fill(page)
        select = page.get_by_label("Category", exact=True)
        expect(select.locator("option")).to_have_count(1)

        page.get_by_label("Search: Category").fill("nandu" if _folds(page) else "ÑANDÚ")
        page.get_by_role("button", name="Search").click()
        expect(select.locator("option")).to_have_text(["—", "Ñandú"])
        expect(page.get_by_role("status")).to_have_text("1 result")
        select.select_option("Ñandú")
        expect(page.get_by_label("Name")).to_have_value("Kite")
        expect(page.get_by_label("Featured")).to_be_checked()
        assert len(journeys) == (0 if scripts else 1)
        page.get_by_role("button", name="Create").click()

        expect(page.get_by_role("alert")).to_have_text("Kite was created.")
        expect(page.locator("dd")).to_contain_text(["K-1", "Ñandú"])
        delete(page)


def test_a_search_in_an_expired_form_makes_it_one_that_can_be_saved(browser, large_site):
    with browser.new_context(base_url=large_site) as context:
        page = context.new_page()
        page.goto("/example/products/new")
        _fill(page)
        context.clear_cookies()

        _search_by_enter(page, "category 0042")
        page.get_by_label("Category", exact=True).select_option("Category 0042")
        page.get_by_role("button", name="Create").click()

        expect(page.get_by_role("alert")).to_have_text("Kite was created.")
        delete(page)


@pytest.mark.parametrize("scripts", [True, False], ids=["javascript", "no javascript"])
def test_a_search_changes_no_choice(browser, large_site, scripts):
    with browser.new_context(base_url=large_site, java_script_enabled=scripts) as context:
        page = context.new_page()
        page.goto("/example/products/new")
        _fill(page)
        _search_by_enter(page, "category 004")
        expect(page.get_by_label("Category", exact=True)).to_have_value("")
        [chosen] = page.get_by_label("Category", exact=True).select_option("Category 0042")
        _search_by_enter(page, "category 0077")
        expect(page.get_by_label("Category", exact=True)).to_have_value(chosen)
        page.get_by_role("button", name="Create").click()
        expect(page.locator("dd")).to_contain_text(["K-1", "Category 0042"])

        page.get_by_role("link", name="Edit").click()
        _search_by_enter(page, "category 0088")
        expect(page.get_by_label("Category", exact=True)).to_have_value(chosen)
        page.get_by_role("button", name="Save").click()

        expect(page.locator("dd")).to_contain_text(["K-1", "Category 0042"])
        delete(page)


def _search_by_enter(page, words):
    page.get_by_label("Search: Category").fill(words)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("result")
    select = page.get_by_label("Category", exact=True)
    expect(select).to_be_focused()
    expect(select.locator("option").filter(has_text=words.capitalize()).first).to_be_visible()


def _folds(page):
    """Tell whether the database of the tests compares without accents; PostgreSQL does not."""
    return not page.context.request.get("/example/categories?q=nandu").text().count("Nothing")


def test_enter_in_the_search_searches_and_saves_nothing(browser, large_site):
    with browser.new_context(base_url=large_site) as context:
        page = context.new_page()
        page.goto("/example/products/new")

        page.get_by_label("Search: Category").fill("category 0042")
        page.keyboard.press("Enter")

        options = page.get_by_label("Category", exact=True).locator("option")
        expect(options).to_have_text(["—", "Category 0042"])
        expect(page).to_have_url(re.compile("/new$"))
        assert page.locator("[aria-invalid]").count() == 0


def test_a_search_that_gets_no_form_makes_the_journey(browser, large_site):
    with browser.new_context(base_url=large_site) as context:
        page = context.new_page()
        page.goto("/example/products/new")
        page.route(
            "**/products", lambda route: route.fulfill(status=502, body="Bad gateway"), times=1
        )

        page.get_by_label("Search: Category").fill("category 0042")
        page.get_by_role("button", name="Search").click()

        expect(page).to_have_url(re.compile("/products$"))
        expect(page.get_by_role("status")).to_have_text("1 result")


def test_a_late_answer_of_a_search_takes_nothing_back(browser, large_site):
    with browser.new_context(base_url=large_site) as context:
        page = context.new_page()
        page.goto("/example/products/new")
        select = page.get_by_label("Category", exact=True)
        _search_by_enter(page, "category 0042")

        # It answers when a choice is made, and the user writes elsewhere.
        late = _held_search(page, "category 0055")
        [chosen] = select.select_option("Category 0042")
        page.get_by_label("Name").focus()
        late.continue_()
        expect(select.locator("option")).to_have_text(["—", "Category 0055", "Category 0042"])
        expect(select).to_have_value(chosen)
        expect(page.get_by_label("Name")).to_be_focused()

        # It answers when other words were sought.
        late = _held_search(page, "category 0066")
        _search_by_enter(page, "category 0077")
        [chosen] = select.select_option("Category 0077")
        with page.expect_response("**/products"):
            late.continue_()
        page.wait_for_timeout(300)
        expect(select).to_have_value(chosen)
        expect(page.locator("[name=category-searched]")).to_have_value("category 0077")


def _held_search(page, words):
    """Search for words; return the request, which waits to be sent."""
    held = []
    # No method of a list: Playwright marks the function.
    page.route("**/products", lambda route: held.append(route), times=1)  # noqa: PLW0108
    page.get_by_label("Search: Category").fill(words)
    page.keyboard.press("Enter")
    while not held:
        page.wait_for_timeout(20)
    return held[0]
