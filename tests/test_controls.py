"""What a browser does by itself or by forms.js: the menu of a phone, boxes that tick others."""

from contextlib import contextmanager
from threading import Thread

import pytest
from flask import render_template_string
from werkzeug.serving import make_server

import settings
from core.testing import errors_of
from tests import listed
from tests.reading import Reader

ENTRIES = ["Customers", "Orders", "Invoices", "Stock", "Suppliers"]
BOXES = """
{% extends "base.html" %}{% from "macros/listing.html" import tick_all %}
{% block title %}Boxes{% endblock %}
{% block content %}
  <input type="checkbox" form="chosen" name="id" value="1" aria-label="One">
  <input type="checkbox" form="other" name="id" value="2" aria-label="Two">
  {{ tick_all("chosen") }}<form id="chosen"></form><form id="other"></form>
{% endblock %}
"""


@pytest.fixture
def site(make_app, monkeypatch, request):
    menu = [(listed.MENU[0][0], text) for text in ENTRIES[: request.param]]
    monkeypatch.setattr(listed, "MENU", menu)
    monkeypatch.setattr(settings, "APP_NAME", "A name that takes more than one line of a phone")
    return make_app(["tests.listed"])


@contextmanager
def shown(browser, site, path, **options):
    """Serve an application, and open one of its pages."""
    server = make_server("127.0.0.1", 0, site, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page(base_url=f"http://127.0.0.1:{server.port}", **options)
    errors = errors_of(page)
    page.goto(path)
    yield page
    page.close()
    server.shutdown()
    assert errors == []


def bottom_of(element):
    box = element.bounding_box()
    return box["y"] + box["height"]


@pytest.mark.parametrize(("site", "folds"), [(4, False), (5, True)], indirect=["site"])
def test_a_long_menu_can_be_folded(site, folds):
    page = Reader(site.test_client().get("/").text)

    buttons = [own for tag, own in page.tags if tag == "button" and "popovertarget" in own]

    assert ("popover" in page.tag("nav")) == folds
    assert [own["popovertarget"] for own in buttons] == ["_menu"] * folds


@pytest.mark.browser
@pytest.mark.parametrize("site", [5], indirect=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_the_menu_opens_and_closes(browser, site, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    phone = {"width": 320, "height": 568}

    with shown(browser, site, "/lost", color_scheme=scheme, viewport=phone) as page:
        entry, button = page.get_by_text("Suppliers"), page.locator(".site-fold")
        before = entry.is_visible()
        button.press("Enter")
        opened = entry.is_visible()
        gap = page.locator("#_menu").bounding_box()["y"] - bottom_of(button)
        found = axe.run(page).response["violations"]
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        page.keyboard.press("Escape")
        closed = not entry.is_visible()
        button.press("Enter")
        page.get_by_role("navigation").get_by_role("link").last.focus()
        page.keyboard.press("Tab")
        left = entry.is_visible()
        clicked = []
        for _ in range(2):
            button.click()
            clicked.append(entry.is_visible())
        page.set_viewport_size({"width": 1280, "height": 568})
        wide = entry.is_visible(), button.is_visible()

    assert (before, opened, closed, wide) == (False, True, True, (True, False))
    # A focus that goes on is not behind it; its button closes it, too.
    assert (left, clicked) == (False, [True, False])
    # Below its button, however high the product's name makes the header.
    assert abs(gap) < 1
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    assert wider <= 0


@pytest.mark.browser
@pytest.mark.parametrize("site", [1], indirect=True)
@pytest.mark.parametrize("scripts", [True, False])
def test_a_box_ticks_the_others_of_its_form(browser, site, scripts):
    site.add_url_rule("/boxes", "boxes", lambda: render_template_string(BOXES))

    with shown(browser, site, "/boxes", java_script_enabled=scripts) as page:
        box = page.get_by_label("Select all on this page")
        if scripts:
            box.check()
        ticked = [page.get_by_label(name).is_checked() for name in ("One", "Two")]
        is_there = box.is_visible()

    assert (ticked, is_there) == ([scripts, False], scripts)
