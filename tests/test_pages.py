"""The HTML side: lists, the welcome page, templates that win, and no inline code anywhere."""

import re
from decimal import Decimal
from urllib.parse import unquote

import pytest
from flask import get_flashed_messages, render_template, render_template_string
from jinja2 import DictLoader
from sqlalchemy import insert, text
from sqlalchemy.exc import DataError, DBAPIError

import settings
from core import listing, paging
from core.errors import OUT_OF_RANGE, STALE
from core.export import csv_of
from core.listing import MAX_OFFSET
from core.modules import installed_metadata
from core.pages import database_rules, page_of
from core.setting import DEFAULTS, setting
from services import db
from tests.reading import Reader, form_on, submit
from tests.sample.forms import CrateForm
from tests.sample.models import Box, Crate, Specimen, Thing

INDEX = "/sample/things"
METHODS = ("GET", "HEAD")
PER_PAGE, MOST = DEFAULTS["PER_PAGE"], DEFAULTS["MAX_PER_PAGE"]


@pytest.fixture
def box(save):
    return save(Box(name="Drawer"))


@pytest.fixture
def thing(save, box):
    return save(Thing(name="Key", code="K1", price=Decimal(1), box_id=box.id))


@pytest.fixture
def many(save, box):
    for number in range(PER_PAGE + 5):
        save(Thing(name=f"Thing {number}", code=f"T{number}", price=1, box_id=box.id))


def names_on(answer):
    return re.findall(r">(Thing \d+)</a>", answer.text)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("query", "first", "count"),
    [
        pytest.param("", 0, PER_PAGE, id="nothing"),
        pytest.param("page=2", PER_PAGE, 5, id="second"),
        pytest.param("per_page=2&page=3", 4, 2, id="small"),
        pytest.param("page=99", None, 0, id="past-the-end"),
        pytest.param(f"per_page={MOST}", 0, PER_PAGE + 5, id="largest-page"),
        pytest.param(f"per_page={MOST + 1}", 0, PER_PAGE, id="page-size-past-the-largest"),
        pytest.param(f"per_page={10**8}", 0, PER_PAGE, id="page-size-of-millions"),
        pytest.param("page=-1", 0, PER_PAGE, id="negative"),
        pytest.param("page=0&per_page=0", 0, PER_PAGE, id="zero"),
        pytest.param("page=1.5&per_page=many", 0, PER_PAGE, id="words"),
        pytest.param("page=" + "9" * 5000, 0, PER_PAGE, id="endless"),
        pytest.param("page=%00&per_page=%FF", 0, PER_PAGE, id="no-text"),
        pytest.param("page=%D9%A3", 0, PER_PAGE, id="arabic-digit"),
        pytest.param("page=2&page=1", PER_PAGE, 5, id="twice"),
        pytest.param("colour=red&sort=password", 0, PER_PAGE, id="unknown"),
        pytest.param("endpoint=x&_method=POST", 0, PER_PAGE, id="names-of-url-for"),
        pytest.param("filter[code]=T1&filter[price]=a", 0, PER_PAGE, id="no-filter"),
        pytest.param("q='%20OR%201=1--", None, 0, id="injection"),
        pytest.param("q=%25&page=", None, 0, id="wildcard"),
        pytest.param("page[]=2", 0, PER_PAGE, id="brackets"),
    ],
)
def test_a_list_answers_any_query(client, query, first, count):
    answer = client.get(f"{INDEX}?{query}")

    names = names_on(answer)
    assert answer.status_code == 200
    assert len(names) == count
    assert names[:1] == ([] if first is None else [f"Thing {first}"])


@pytest.mark.parametrize(
    ("query", "is_read"),
    [
        pytest.param(f"page={MAX_OFFSET // 10 + 1}&per_page=10", True, id="last-that-is-read"),
        pytest.param(f"page={MAX_OFFSET // 10 + 2}&per_page=10", False, id="one-further"),
        pytest.param("page=999999999&per_page=10", False, id="far"),
    ],
)
def test_no_page_past_the_last_that_is_read_is_asked_for(client, thing, query, is_read):
    answer = client.get(f"{INDEX}?{query}")

    assert answer.status_code == 200
    assert ("This list has no page" in answer.text) == is_read
    assert (">Key</a>" in answer.text) != is_read


def test_a_page_past_the_end_of_a_short_list_links_back(client, thing):
    answer = client.get(f"{INDEX}?page=7")

    assert "This list has no page 7." in answer.text
    assert f'href="{INDEX}?page=1">Go to page 1</a>' in answer.text
    assert "Nothing matches." not in answer.text


@pytest.mark.usefixtures("many")
def test_a_page_past_the_end_links_to_the_last(client):
    answer = client.get(f"{INDEX}?page=99&per_page=10")

    assert f'href="{INDEX}?page=3&amp;per_page=10">Previous</a>' in answer.text
    assert f'href="{INDEX}?page=3&amp;per_page=10">Go to page 3</a>' in answer.text
    assert "page=98" not in answer.text


def links_to_pages(answer):
    """Return texts and numbers of the links to pages, the current one marked."""
    text = " ".join(answer.text.split())
    nav = text[text.index('aria-label="Pages"') : text.index("</nav>", text.index("Pages"))]
    found = re.findall(r'class="page-link"( aria-current="page")? href="[^"]*page=(\d+)', nav)
    return [f"({number})" if current else number for current, number in found]


@pytest.mark.usefixtures("many")
def test_past_the_counted_rows_the_current_page_stands_between_its_neighbours(client, monkeypatch):
    monkeypatch.setattr(paging, "MAX_COUNT", 6)

    answer = client.get(f"{INDEX}?per_page=2&page=8")

    assert "More than 6 rows" in answer.text
    # Previous, the first, the neighbours, the current one, Next.
    assert links_to_pages(answer) == ["7", "1", "7", "(8)", "9"]


@pytest.mark.usefixtures("many")
def test_the_last_page_that_may_be_asked_for_has_none_behind_it(client, monkeypatch):
    monkeypatch.setattr(listing, "MAX_OFFSET", 10)
    monkeypatch.setattr(paging, "MAX_OFFSET", 10)
    monkeypatch.setattr(paging, "MAX_COUNT", 6)

    nearer, last = (client.get(f"{INDEX}?per_page=5&page={page}") for page in (2, 3))

    assert links_to_pages(nearer)[-1] == "3"
    assert "page=4" not in last.text
    assert "The list is shown up to here" in last.text
    assert "The list is shown up to here" not in nearer.text


@pytest.fixture
def store(app, box):
    """Store as many things, fast."""

    def store(count):
        common = {"name": "Thing", "price": 1, "box_id": box.id, "version": 1}
        with app.app_context():
            db.session.execute(insert(Thing), [{**common, "code": f"T{n}"} for n in range(count)])
            db.session.commit()

    return store


@pytest.mark.parametrize(
    ("least", "most", "sizes"),
    [
        (20, 100, [20, 50, 100]),
        (10, 30, [10, 20, 30]),
        (25, 25, [25]),
        (15, 1000, [15, 20, 50, 100, 200, 500, 1000]),
    ],
)
def test_the_sizes_of_a_page_are_those_of_the_settings(
    client, store, monkeypatch, least, most, sizes
):
    monkeypatch.setattr(settings, "PER_PAGE", least)
    monkeypatch.setattr(settings, "MAX_PER_PAGE", most)
    store(least + 1)

    text = client.get(f"{INDEX}?q=thing&per_page={least}").text

    offered = text[text.index("list-sizes") :]
    assert re.findall(r"per_page=(\d+)", offered) == [str(size) for size in sizes]


@pytest.mark.usefixtures("many")
def test_a_search_keeps_the_size_of_the_page(client):
    text = client.get(f"{INDEX}?per_page=5&sort=-id&page=2").text

    search = next(form for form in Reader(text).forms if "q" in form.values)
    assert search.values.to_dict() | {"q": ""} == {
        **dict.fromkeys(search.values, ""),
        "sort": "-id",
        "per_page": "5",
    }


def test_a_count_is_written_as_the_language_does(client, store):
    store(1234)

    texts = [client.get(INDEX, headers={"Accept-Language": code}).text for code in ("en", "es")]

    assert "1,234 rows" in texts[0]
    assert "1.234 filas" in texts[1]


@pytest.mark.usefixtures("many")
def test_pages_are_linked(client):
    answer = client.get(f"{INDEX}?page=2&per_page=10&colour=red")

    current = f'aria-current="page" href="{INDEX}?page=2&amp;per_page=10">2</a>'
    links = re.findall(r'class="page-link"\s+href="([^"]+)">([^<]+)<', answer.text)
    assert links == [
        (f"{INDEX}?page={number}&amp;per_page=10", text)
        for number, text in [(1, "Previous"), (1, "1"), (3, "3"), (3, "Next")]
    ]
    assert current in " ".join(answer.text.split())


def test_a_short_list_has_no_links_to_pages(client, thing):
    answer = client.get(INDEX)

    assert 'aria-label="Pages"' not in answer.text
    assert re.search(r"<p>\s*1 row\s*</p>", answer.text)


def test_deleting_what_is_used_says_so(client, thing):
    form = form_on(client.get(INDEX))

    answer = client.post(form.action, data=form.values, follow_redirects=True)

    assert "Not deleted: other records still use this one." in answer.text
    assert "Key" in answer.text


def test_deleting_what_is_not_used_says_so(client, save, thing):
    other = save(Box(name="Other"))
    token = form_on(client.get(INDEX)).values

    answer = client.post(f"/sample/boxes/{other.id}/delete", data=token, follow_redirects=True)

    assert "The box was deleted." in answer.text


def test_without_a_form_a_lost_update_is_a_message(app, thing):
    with app.test_request_context(method="POST"):
        stale = db.session.get(Thing, thing.id)
        stale.expect_version(7)
        stale.name = "Late"

        with database_rules():
            db.session.commit()

        messages = get_flashed_messages(with_categories=True)
    assert messages == [("danger", STALE)]


def test_a_text_that_is_longer_than_the_database_takes_comes_back(client, app, save):
    crate = save(Crate(row=1, place=1))
    url, long = f"/sample/crates/{crate.id}/edit", "x" * 70_000

    answer = submit(client, url, note=long)

    with app.app_context():
        is_limited, note = db.engine.dialect.name == "mariadb", db.session.get(Crate, crate.id).note
    assert (answer.status_code, note) == ((422, None) if is_limited else (302, long))
    if is_limited:
        assert str(OUT_OF_RANGE) in answer.text
        assert form_on(answer).values["note"] == long


def test_a_value_that_the_database_does_not_take_is_told(app):
    refusal = DataError("INSERT", {}, Exception())

    with app.test_request_context(method="POST"):
        form = CrateForm()
        with database_rules(form):
            raise refusal
        with database_rules():
            raise refusal
        messages = get_flashed_messages()

    assert form.form_errors == messages == [OUT_OF_RANGE]


def test_an_error_that_is_no_rule_is_not_hidden(app, isolated):
    with app.test_request_context(method="POST"), pytest.raises(DBAPIError), database_rules():
        db.session.execute(text("SELECT 1 FROM sample_nowhere"))


def test_a_get_deletes_nothing(client, thing):
    answer = client.get(f"/sample/boxes/{thing.box_id}/delete")

    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_the_welcome_page_names_the_modules_and_their_pages(make_app):
    page = make_app(["tests.sample"]).test_client().get("/").text

    assert "<code>tests.sample</code>" in page
    assert f'<a href="{INDEX}">Things</a>' in page


def test_the_product_has_its_name_on_every_page(client):
    page = client.get(INDEX).text

    assert re.search(rf"<title>\s*Things · {setting('APP_NAME')}\s*</title>", page)
    assert "<h1>Things</h1>" in page


def test_a_page_has_its_landmarks(client):
    page = Reader(client.get(INDEX).text)

    assert page.tag("html") == {"lang": "en", "data-theme": "auto"}
    assert page.tag("nav")["aria-label"] == "Main menu"
    assert page.tag("main")["id"] == "_content"
    assert page.tag("a", href="#_content")
    assert page.tag("div", **{"aria-live": "polite"})


@pytest.fixture
def product(make_app, tmp_path, monkeypatch):
    """An application whose one module claims / and brings templates and an error page."""
    folder = tmp_path / "front"
    (folder / "templates" / "errors").mkdir(parents=True)
    (folder / "__init__.py").write_text(
        "from flask import Blueprint, render_template\n\n"
        "bp = Blueprint('front', __name__, template_folder='templates')\n"
        "bp.add_url_rule('/', 'home', lambda: render_template('home.html'))\n"
    )
    templates = {
        "base.html": "<body class=mine>{% block content %}{% endblock %}</body>",
        "home.html": "{% extends 'base.html' %}{% block content %}Our home{% endblock %}",
        "errors/404.html": "Lost in our shop, error {{ status }}",
    }
    for name, source in templates.items():
        (folder / "templates" / name).write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    return make_app(["front"]).test_client()


def test_a_module_may_claim_the_home_page(product):
    assert product.get("/").text == "<body class=mine>Our home</body>"


def test_a_template_of_a_module_wins_over_cores(product):
    assert product.get("/nowhere").text == "Lost in our shop, error 404"


def test_other_error_pages_take_the_layout_of_the_module(product):
    answer = product.post("/")

    assert answer.status_code == 405
    assert answer.text.startswith("<body class=mine>")


def test_everything_a_page_loads_is_served_by_the_application(client):
    page = Reader(client.get(INDEX).text)

    files = [own["href"] for tag, own in page.tags if tag == "link"]
    files += [own["src"] for tag, own in page.tags if "src" in own]
    statuses = {file: client.get(file, buffered=True).status_code for file in files}
    assert len(files) >= 3
    assert statuses == dict.fromkeys(files, 200)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        INDEX,
        f"{INDEX}?per_page=1",
        f"{INDEX}/new",
        f"{INDEX}/{{thing}}/edit",
        "/sample/specimens/{specimen}/edit",
        "/nowhere",
        "/sample/faults/throttled",
    ],
)
def test_no_page_has_inline_scripts_or_styles(client, save, thing, path):
    specimen = save(Specimen(line="x"))
    save(Thing(name="Pen", code="P1", price=1, box_id=thing.box_id))

    answer = client.get(path.format(thing=thing.id, specimen=specimen.id))

    assert inline_code(answer.text) == []


def test_no_page_with_errors_or_a_conflict_has_inline_code(client, thing):
    url = f"{INDEX}/{thing.id}/edit"
    second = form_on(client.get(url))
    submit(client, url, name="First")

    pages = [
        submit(client, f"{INDEX}/new"),
        client.post(second.action, data=second.values),
        client.post(INDEX),
    ]

    assert [page.status_code for page in pages] == [422, 422, 400]
    assert [inline_code(page.text) for page in pages] == [[], [], []]


def test_no_page_of_the_product_has_inline_code(make_app):
    application = make_app([*settings.INSTALLED_APPS, "tests.sample"])
    with application.app_context():
        for metadata in installed_metadata():
            metadata.create_all(db.engine)
    client = application.test_client()

    for rule in application.url_map.iter_rules():
        if "GET" in rule.methods and not rule.arguments:
            # A file that nobody reads would keep its connection.
            with client.get(rule.rule) as answer:
                assert answer.status_code < 500, rule.rule
                assert answer.mimetype != "text/html" or inline_code(answer.text) == [], rule.rule


def inline_code(html):
    """Return what the Content-Security-Policy forbids."""
    page = Reader(html)
    return [
        (tag, own)
        for tag, own in page.tags
        if tag == "style"
        or (tag == "script" and "src" not in own)
        or "style" in own
        or any(name.startswith("on") for name in own)
        or any((own.get(name) or "").startswith("javascript:") for name in ("href", "action"))
    ]


@pytest.mark.parametrize("path", ["/", INDEX, "/nowhere"])
def test_a_page_asked_for_by_head_is_the_page(client, path):
    length = {client.open(path, method=method).headers["Content-Length"] for method in METHODS}

    assert len(length) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/",
        INDEX,
        f"{INDEX}/new",
        "/nowhere",
        "/sample/faults/throttled",
        "/core/static/nothing.css",
    ],
)
def test_no_cache_gives_a_page_to_somebody_else(client, path):
    answer = client.get(path)

    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert {"Accept-Language", "Cookie"} <= set(answer.vary)


def test_what_is_no_page_is_one_for_all_languages(client, inside):
    style = client.get("/core/static/app.css", buffered=True)
    data = client.get(f"{inside}/things")

    assert "private" not in style.headers["Cache-Control"]
    assert "Accept-Language" not in style.vary
    assert "Accept-Language" not in data.vary


def test_the_icon_is_where_browsers_look_for_it(client):
    answer = client.get("/favicon.ico", follow_redirects=True, buffered=True)

    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")


@pytest.mark.parametrize(
    ("path", "mark"),
    [(INDEX, "page"), (f"{INDEX}/new", "true"), ("/sample/specimens/1/edit", None), ("/", None)],
)
def test_the_menu_marks_the_page_or_its_section(client, save, path, mark):
    save(Specimen(id=1, line="x"))

    page = Reader(client.get(path).text)

    links = [own for tag, own in page.tags if tag == "a" and "nav-link" in own.get("class", "")]
    [link] = [own for own in links if own["href"] == INDEX]
    assert link.get("aria-current") == mark
    assert ("active" in link["class"]) is (mark is not None)


@pytest.mark.parametrize(("environment", "is_told"), [("development", True), ("testing", False)])
def test_the_next_step_is_told_to_developers_alone(make_app, environment, is_told):
    client = make_app(APP_ENV=environment).test_client()

    text = client.get("/").text

    assert ("INSTALLED_APPS" in text) is is_told
    assert ("The next step" in text) is is_told


def test_a_model_without_a_listing_is_listed_in_the_order_of_its_key(app, save):
    for row in (7, 3):
        save(Crate(row=row, place=1))

    with app.test_request_context("/?q=x&filter[row]=7&sort=row"):
        rows = [crate.row for crate in page_of(Crate).items]
        lines = csv_of(Crate, ("row",)).get_data(as_text=True).split()

    assert rows == [7, 3]
    assert lines[1:] == ["7", "3"]


@pytest.mark.parametrize(
    ("sent_to", "back"),
    [
        ("/sample/things", "/sample/things/new"),
        ("/sample/things/{id}", "/sample/things/{id}/edit"),
        ("/sample/both?x=1", "/sample/both?x=1"),
        ("/sample/both?x=%23%3F", "/sample/both?x=%23%3F"),
        ("/sample/boxes/{id}/delete", "/"),
        ("/sample/nowhere", "/"),
    ],
)
def test_on_a_page_that_answers_a_form_a_switch_leads_to_the_form(client, thing, sent_to, back):
    page = Reader(client.post(sent_to.format(id=thing.id)).text)

    assert page.forms[0].values["next"] == back.format(id=thing.id)


@pytest.mark.parametrize("name", ["C%23", "what%3F", "50%25", "ñandú"])
def test_a_switch_leads_back_to_a_page_of_any_name(make_app, name):
    app = make_app()
    app.add_url_rule("/tags/<name>", view_func=lambda name: render_template("base.html"))
    client = app.test_client()

    target = Reader(client.get(f"/tags/{name}").text).forms[0].values["next"]

    assert client.get(target).status_code == 200
    assert unquote(target) == unquote(f"/tags/{name}")


def title_of(answer):
    return " ".join(re.search("<title>(.*?)</title>", answer.text, re.DOTALL)[1].split())


@pytest.mark.usefixtures("many")
def test_the_title_tells_the_pages_of_a_list_apart(client):
    titles = [title_of(client.get(f"{INDEX}?page={page}")) for page in (1, 2)]

    name = setting("APP_NAME")
    assert titles == [f"Things · {name}", f"Things (page 2) · {name}"]


def test_the_title_tells_of_errors_in_a_form(client):
    form = form_on(client.get(f"{INDEX}/new"))

    refused = client.post(form.action, data=form.values)

    assert title_of(refused) == f"Error: Edit · {setting('APP_NAME')}"


@pytest.mark.parametrize("what", [{}, "about", 3, None], ids=repr)
def test_a_product_may_call_something_else_a_page_or_a_form(app, what):
    with app.test_request_context(method="POST"):
        text = render_template_string("{% extends 'base.html' %}", page=what, form=what)

    assert "(page" not in text
    assert "Error:" not in text


def test_icons_stay_small_where_the_style_sheet_does_not_come(client):
    icons = [own for tag, own in Reader(client.get(INDEX).text).tags if own.get("class") == "icon"]

    assert icons
    assert {own.get("width") for own in icons} == {"16"}


@pytest.mark.parametrize(("length", "is_kept"), [(0, True), (1000, False)])
def test_a_part_is_kept_unless_the_url_is_long(make_app, length, is_kept):
    # A client could fill the memory with the parts of a thousand long ones.
    app = make_app()
    app.jinja_env.loader = DictLoader({"part.html": "{{ count() }}"})
    app.jinja_env.globals["count"] = iter("ab").__next__

    with app.test_request_context(f"/?q={'x' * length}"):
        parts = [app.jinja_env.globals["fragment"]("part.html") for _ in range(2)]

    assert parts == ["a", "a" if is_kept else "b"]


def test_a_list_repeats_no_more_of_a_search_than_it_looks_for(app):
    with app.test_request_context("/", query_string={"q": f"{'x' * 200}yz"}):
        assert page_of(Thing).url(2) == f"/?q={'x' * 200}&page=2"
