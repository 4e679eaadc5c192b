"""What a product wants to look different it changes from its side: core stays as it is."""

import re
import sys
from pathlib import Path

import pytest
from flask import Flask, request

import settings
from core.application import Application
from tests.reading import Reader

ROOT = Path(__file__).resolve().parent.parent
BASE = """<html><head>
<title>{% block title %}{% endblock %}</title>
<link rel="stylesheet" href="{{ url_for('core.static', filename='app.css') }}">
<link rel="icon" href="{{ url_for('core.static', filename='favicon.svg') }}">
</head><body class="ours">{% block content %}{% endblock %}</body></html>
"""
HOME = "{% extends 'base.html' %}{% block content %}Our home{% endblock %}"
MISSING = "{% extends 'base.html' %}{% block content %}Lost: {{ status }}{% endblock %}"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file of the product, whose folder app/ is that of the applications made here."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "facade", raising=False)
    monkeypatch.setattr(Application, "jinja_loader", Flask.jinja_loader)

    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def replaced_by_app(write, make_app):
    write("app/templates/base.html", BASE)
    write("app/templates/welcome.html", HOME)
    write("app/templates/errors/404.html", MISSING)
    write("app/static/app.css", "body { color: teal }")
    write("app/static/favicon.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>")
    write("app/static/extra/print.css", "body { color: black }")
    return make_app(["tests.listed"]).test_client()


@pytest.fixture
def replaced_by_a_module(write, make_app):
    write(
        "facade/__init__.py",
        "from flask import Blueprint, render_template\n\n"
        "bp = Blueprint('facade', __name__, template_folder='templates', static_folder='static',\n"
        "               static_url_path='/facade')\n"
        "bp.add_url_rule('/', 'home', lambda: render_template('facade/home.html'))\n",
    )
    write("facade/templates/base.html", BASE.replace("core.static", "facade.static"))
    write("facade/templates/facade/home.html", HOME)
    write("facade/templates/errors/404.html", MISSING)
    write("facade/static/app.css", "body { color: teal }")
    write("facade/static/favicon.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>")
    return make_app(["facade", "tests.listed"]).test_client()


@pytest.fixture(params=["replaced_by_app", "replaced_by_a_module"])
def client(request):
    return request.getfixturevalue(request.param)


def test_the_home_page_is_the_products(client):
    answer = client.get("/")

    assert answer.status_code == 200
    assert '<body class="ours">Our home</body>' in answer.text


def test_an_error_page_is_the_products(client):
    answer = client.get("/nowhere")

    assert answer.status_code == 404
    assert '<body class="ours">Lost: 404</body>' in answer.text


def test_the_other_error_pages_stand_in_its_layout(client):
    answer = client.post("/")

    assert answer.status_code == 405
    assert '<body class="ours">' in answer.text
    assert "Not possible here" in answer.text


def test_an_error_whose_page_fails_is_told_without_it(write, make_app):
    write("app/templates/base.html", "{{ 1 // 0 }}")

    answer = make_app().test_client().get("/nowhere")

    assert (answer.status_code, answer.text) == (404, "Not Found\n")
    assert answer.headers["X-Request-ID"]


@pytest.mark.parametrize("part", ["header.html", "preferences.html"])
def test_a_part_of_the_products_own_may_depend_on_who_asks(write, make_app, part):
    write(f"app/templates/macros/{part}", "{{ person() }}, {{ request.args.name }}, {{ user }}")
    app = make_app()
    app.add_template_global(lambda: request.args["name"], "person")
    app.context_processor(lambda: {"user": request.args["name"]})
    client = app.test_client()

    ana, leo = (client.get("/", query_string={"name": name}).text for name in ("Ana", "Leo"))

    assert "Ana, Ana, Ana" in ana
    assert "Leo, Leo, Leo" in leo


def test_style_sheet_and_icon_are_the_products(client):
    links = {
        own["rel"]: own["href"] for tag, own in Reader(client.get("/").text).tags if tag == "link"
    }

    style, icon = (client.get(links[rel], buffered=True) for rel in ("stylesheet", "icon"))

    assert style.text == "body { color: teal }"
    assert style.cache_control.max_age > 0
    assert icon.text.startswith("<svg xmlns=")
    assert icon.mimetype == "image/svg+xml"


def test_files_that_the_product_does_not_replace_are_cores(replaced_by_app):
    answer = replaced_by_app.get("/core/static/theme.js", buffered=True)

    assert answer.status_code == 200
    assert "theme" in answer.text


def test_files_of_its_own_have_their_address_too(replaced_by_app):
    answer = replaced_by_app.get("/core/static/extra/print.css", buffered=True)

    assert answer.text == "body { color: black }"


@pytest.mark.parametrize(
    "path", ["..%2ftemplates%2fbase.html", "../templates/base.html", "%2e%2e/templates/base.html"]
)
def test_nothing_else_of_the_product_is_served(replaced_by_app, path):
    assert replaced_by_app.get(f"/core/static/{path}").status_code == 404


def test_the_name_of_the_product_is_all_that_is_visible(make_app, monkeypatch):
    monkeypatch.setattr(settings, "APP_NAME", "Corner Shop")

    client = make_app(["tests.listed"]).test_client()

    for path in ("/", "/nowhere"):
        page = client.get(path).text
        assert "Corner Shop" in page
        assert "Andamio" not in page


def contrast(one, other):
    """Return the contrast of two colours (WCAG 2.2)."""
    light, dark = sorted(map(luminance, (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    digits = colour.lstrip("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_a_browser_without_light_dark_has_the_light_theme():
    style = (ROOT / "core" / "static" / "app.css").read_text(encoding="utf-8")
    first, _, rest = style.partition("@supports not (color: light-dark(red, red))")
    light = dict(re.findall(r"(--[\w-]+): light-dark\(([^,]+), ", first))

    assert light
    assert (
        light.items()
        <= dict(re.findall(r"^    (--[\w-]+): ([^;]+);", rest.partition("\n}")[0], re.M)).items()
    )


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("mark", "grounds"),
    [
        ("focus", ("page", "surface", "surface-head", "brand-soft")),
        ("control", ("page", "surface")),
    ],
)
def test_the_focus_and_the_edge_of_an_input_are_seen(mark, grounds, theme):
    style = (ROOT / "core" / "static" / "app.css").read_text(encoding="utf-8")
    pairs = re.findall(r"--([\w-]+): light-dark\(([^)]+)\)", style)
    colours = {name: pair.split(", ")[theme] for name, pair in pairs}
    colours["focus"] = colours[re.search(r"outline: 3px solid var\(--([\w-]+)\)", style)[1]]

    least = min(contrast(colours[mark], colours[ground]) for ground in grounds)

    # WCAG 1.4.11.
    assert least >= 3
