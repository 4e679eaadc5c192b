"""Every way through the pages with the keyboard alone."""

import re

import pytest

# The browser is a development requirement: the other tests run without it.
expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


def _tab_to(page, target):
    """Press Tab until the target has the focus; what has it meanwhile must be seen."""
    for _ in range(60):
        page.keyboard.press("Tab")
        assert page.evaluate(SHOWS_FOCUS), page.evaluate("document.activeElement.outerHTML")
        if target.evaluate("one => one === document.activeElement"):
            return
    pytest.fail(f"Tab does not reach {target}")


SHOWS_FOCUS = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const box = one.getBoundingClientRect();
  // With the reader's own colours no shadow is drawn.
  const marked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return one === document.body || (marked && box.width > 1 && box.height > 1);
}"""


def _press(page, role, name):
    _tab_to(page, page.get_by_role(role, name=name, exact=True))
    _enter(page)


def _enter(page):
    with page.expect_navigation():
        page.keyboard.press("Enter")


def _type(page, label, text):
    _tab_to(page, page.get_by_label(label, exact=True))
    page.keyboard.type(text)


def test_a_product_is_created_edited_and_deleted(page):
    page.goto("/")
    _tab_to(page, page.get_by_role("navigation").get_by_role("link", name="Products"))
    _enter(page)
    _press(page, "link", "New product")
    expect(page.get_by_role("heading", level=1)).to_have_text("New product")

    _type(page, "Name", "Key ring")
    _type(page, "SKU", "KEY-1")
    _type(page, "Description", "Brass.")
    _type(page, "Price", "cheap")
    _tab_to(page, page.get_by_label("Stock"))
    page.keyboard.press("Control+A")
    page.keyboard.type("7")
    _type(page, "Status", "Act")
    _type(page, "Released on", "03142026")
    _tab_to(page, page.get_by_label("Featured"))
    page.keyboard.press("Space")
    _type(page, "Category", "Tra")
    _press(page, "button", "Create")

    # The first error has the focus: what is wrong is typed over and sent with Enter.
    expect(page.get_by_label("Price")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("4.50")
    _enter(page)
    expect(page.get_by_role("alert")).to_have_text("Key ring was created.")
    expect(page.locator("dd")).to_contain_text(
        ["KEY-1", "Travel", "Brass.", "$4.50", "7", "Active", "Mar 14, 2026", "yes"]
    )

    _press(page, "link", "Edit")
    _tab_to(page, page.get_by_label("Name"))
    page.keyboard.press("End")
    page.keyboard.type(" 2")
    _press(page, "button", "Save")
    expect(page.get_by_role("alert")).to_have_text("Key ring 2 was saved.")

    _tab_to(page, page.locator(".confirm summary"))
    page.keyboard.press("Enter")
    _press(page, "button", "Delete")
    expect(page.get_by_role("alert")).to_have_text("Key ring 2 was deleted.")


def test_a_list_is_searched_filtered_sorted_and_turned(page):
    page.goto("/example/products")

    _tab_to(page, page.get_by_role("searchbox", name="Search"))
    page.keyboard.type("e")
    _enter(page)
    expect(page).to_have_url(re.compile("q=e"))
    _tab_to(page, page.locator("summary"))
    page.keyboard.press("Enter")
    _type(page, "Price from", "1")
    _enter(page)
    expect(page).to_have_url(re.compile("gte%5D=1"))
    _press(page, "link", "Name")
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute(
        "aria-sort", "ascending"
    )
    _press(page, "link", "Next")

    expect(page).to_have_url(re.compile("q=e.*sort=name.*page=2"))
    _press(page, "link", "Clear")
    expect(page).to_have_url(re.compile("/example/products$"))


def test_language_and_colours_are_switched(page):
    page.goto("/example/")

    _press(page, "button", "Español")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    _press(page, "button", "Colores claros")

    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_the_numbers_of_a_picture_are_unfolded(page):
    page.goto("/example/")

    _tab_to(page, page.locator("summary").first)
    page.keyboard.press("Enter")

    expect(page.get_by_role("columnheader", name="Category")).to_be_visible()
