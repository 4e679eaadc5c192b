"""The menu of a product with many modules: on a phone it opens from a button, without a script."""

from threading import Thread

import pytest
from werkzeug.serving import make_server

from tests import listed
from tests.reading import Reader

ENTRIES = ["Customers", "Orders", "Invoices", "Stock", "Suppliers"]


@pytest.fixture
def site(make_app, monkeypatch, request):
    menu = [(listed.MENU[0][0], text) for text in ENTRIES[: request.param]]
    monkeypatch.setattr(listed, "MENU", menu)
    return make_app(["tests.listed"])


@pytest.mark.parametrize(("site", "folds"), [(4, False), (5, True)], indirect=["site"])
def test_a_long_menu_can_be_folded(site, folds):
    page = Reader(site.test_client().get("/").text)

    buttons = [own for tag, own in page.tags if tag == "button" and "popovertarget" in own]

    assert ("popover" in page.tag("nav")) == folds
    assert [own["popovertarget"] for own in buttons] == ["_menu"] * folds


@pytest.mark.browser
@pytest.mark.parametrize("site", [5], indirect=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_it_opens_and_closes(browser, site, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    server = make_server("127.0.0.1", 0, site, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page(
        base_url=f"http://127.0.0.1:{server.port}",
        color_scheme=scheme,
        viewport={"width": 320, "height": 568},
    )
    page.goto("/lost")
    entry, button = page.get_by_text("Suppliers"), page.locator(".site-fold")

    hidden = not entry.is_visible()
    button.press("Enter")
    shown = entry.is_visible()
    found = axe.run(page).response["violations"]
    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    page.keyboard.press("Escape")
    closed = not entry.is_visible()
    page.set_viewport_size({"width": 1280, "height": 568})
    wide = entry.is_visible(), button.is_visible()

    page.close()
    server.shutdown()
    assert (hidden, shown, closed, wide) == (True, True, True, (True, False))
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    assert wider <= 0
