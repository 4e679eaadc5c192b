"""Languages: who chooses them, what they say, and numbers and money as people write them."""

import sys
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.numbers import get_currency_precision
from flask import abort, jsonify, render_template_string
from flask_babel import force_locale, gettext, lazy_gettext
from flask_limiter.errors import RateLimitExceeded
from limits import parse
from markupsafe import Markup
from werkzeug.exceptions import default_exceptions

import settings
from core.i18n import _parsed, money, read_decimal
from core.models import today
from core.setting import setting
from core.testing import app_on_test_database, use_default_settings
from tests.reading import Reader

INDEX = "/listed/"
SPANISH = {"Accept-Language": "es-CO,es;q=0.9,en;q=0.5"}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("i18n")
    with pytest.MonkeyPatch.context() as patch:
        use_default_settings(patch)
        with app_on_test_database(folder, ["tests.listed"]) as application:
            yield application


@pytest.fixture
def unguarded(make_app):
    """A client whose forms need no token."""
    return make_app(WTF_CSRF_ENABLED=False).test_client()


def language_of(answer):
    return Reader(answer.text).tag("html")["lang"]


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        pytest.param("", "en", id="nothing"),
        pytest.param("es", "es", id="spanish"),
        pytest.param("es-CO,es;q=0.9,en;q=0.5", "es", id="of-a-country"),
        pytest.param("en-GB,es;q=0.5", "en", id="the-first"),
        pytest.param("de,es;q=0.5", "es", id="the-best-of-ours"),
        pytest.param("de", "en", id="none-of-ours"),
        pytest.param("*", "en", id="any"),
        pytest.param("es;q=0", "en", id="anything-else"),
        pytest.param(";;q=x,=,\x7f" + "a" * 500, "en", id="nonsense"),
    ],
)
def test_a_page_speaks_the_language_of_the_browser(client, wanted, language):
    answer = client.get(INDEX, headers={"Accept-Language": wanted})

    assert language_of(answer) == language
    assert ("Buscar" in answer.text) is (language == "es")


@pytest.mark.parametrize("choice", ["es", "en"])
def test_the_users_choice_wins_over_the_browser(client, choice):
    client.set_cookie("lang", choice)

    for browser in ("es", "en", "de"):
        answer = client.get(INDEX, headers={"Accept-Language": browser})
        assert language_of(answer) == choice


@pytest.mark.parametrize("cookie", ["de", "ES", "es-CO", "", "../../etc", "x" * 4000])
def test_a_choice_that_is_none_of_ours_is_ignored(client, cookie):
    client.set_cookie("lang", cookie)

    assert language_of(client.get(INDEX, headers=SPANISH)) == "es"


def test_the_switch_names_the_other_language_in_its_own_words(client):
    pages = (client.get(INDEX, headers=headers).text for headers in ({}, SPANISH))

    english, spanish = (" ".join(page.split()) for page in pages)
    assert 'name="lang" value="es" lang="es">Español</button>' in english
    assert 'name="lang" value="en" lang="en">English</button>' in spanish


def test_a_choice_lasts_a_year_and_comes_back_to_the_page(client):
    form = Reader(client.get(f"{INDEX}?q=a+b&page=1").text).forms[0]

    answer = client.post("/language", data={**form.values, "lang": "es"})

    cookie = client.get_cookie("lang")
    assert (answer.status_code, answer.location) == (302, f"{INDEX}?q=a+b&page=1")
    assert (cookie.value, cookie.max_age, cookie.path) == ("es", 365 * 24 * 3600, "/")
    assert (cookie.http_only, cookie.same_site) == (True, "Lax")
    assert language_of(client.get(answer.location)) == "es"


def test_a_choice_over_https_travels_over_https_only(unguarded):
    unguarded.post("/language", data={"lang": "es"}, base_url="https://localhost")

    assert unguarded.get_cookie("lang").secure


@pytest.mark.parametrize("lang", ["de", "", None])
def test_a_language_we_do_not_speak_is_refused(unguarded, lang):
    answer = unguarded.post("/language", data={"lang": lang} if lang is not None else {})

    spanish = unguarded.post("/language", data={"lang": "xx"}, headers=SPANISH)
    assert answer.status_code == 400
    assert unguarded.get_cookie("lang") is None
    assert "must be one of" not in answer.text + spanish.text
    assert "No se pudo completar" in spanish.text


def test_a_choice_needs_the_token_of_a_form(client):
    assert client.post("/language", data={"lang": "es"}).status_code == 400
    assert client.get("/language").status_code == 405


@pytest.mark.parametrize("choice", ["auto", "light", "dark"])
def test_colours_are_chosen_alike(unguarded, choice):
    answer = unguarded.post("/theme", data={"theme": choice, "next": "/"})

    html = Reader(unguarded.get(answer.location).text).tag("html")
    assert html["data-theme"] == choice
    assert html.get("data-bs-theme") == (None if choice == "auto" else choice)


@pytest.mark.parametrize(
    "target",
    ["/", "/listed/?q=a&page=2", "/x?next=https://evil.example", "/%5C%5Cevil.example", "/a//b:c"],
)
def test_a_switch_returns_to_a_path_of_ours(unguarded, target):
    answer = unguarded.post("/language", data={"lang": "es", "next": target})

    assert answer.location == target


@pytest.mark.parametrize(
    "target",
    [
        "",
        "evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/path\\evil",
        "https://evil.example",
        "https:/evil.example",
        "http://[",
        "//[",
        "javascript:alert(1)",
        " //evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\nSet-Cookie: a=b",
        "\t//evil.example",
        "/\x00",
        "/\x7f",
    ],
)
def test_a_switch_leads_nowhere_else(unguarded, target):
    answer = unguarded.post("/language", data={"lang": "es", "next": target})

    assert (answer.status_code, answer.location) == (302, "/")


def test_the_api_speaks_english(client):
    answer = client.get(f"{setting('API_PREFIX')}/nowhere", headers=SPANISH)

    assert answer.json["title"] == "Not Found"
    assert answer.json["detail"] == "There is no such URL."


def test_errors_of_pages_speak_the_users_language(client):
    answer = client.get("/nowhere", headers=SPANISH)

    assert language_of(answer) == "es"
    assert "No hay nada en esta dirección" in answer.text


@pytest.mark.parametrize(
    ("zone", "moment", "text"),
    [
        ("America/Bogota", datetime(2026, 3, 14, 12, tzinfo=UTC), "14 mar 2026, 7:00:00"),
        ("America/Bogota", datetime(2026, 3, 14, 12), "14 mar 2026, 12:00:00"),  # noqa: DTZ001
        ("America/Bogota", datetime(1, 1, 1, tzinfo=UTC), "1 ene 1, 0:00:00"),
        ("Europe/Madrid", datetime(2026, 3, 14, 12, tzinfo=UTC), "14 mar 2026, 13:00:00"),
        ("Europe/Madrid", datetime(9999, 12, 31, 23, tzinfo=UTC), "31 dic 9999, 23:00:00"),
    ],
)
def test_a_page_shows_each_moment_that_is_stored(app, monkeypatch, zone, moment, text):
    monkeypatch.setattr(app.extensions["babel"], "default_timezone", zone)

    with app.test_request_context(headers=SPANISH):
        shown = render_template_string("{{ moment | datetimeformat }}", moment=moment)

    assert shown == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Discount (%)", "Discount (%)"), ("50% off", "50% off"), ("100 %%", "100 %")],
)
def test_a_per_cent_sign_is_one_in_a_template(app, text, shown):
    with app.test_request_context():
        assert render_template_string(f'{{{{ _("{text}") }}}}') == shown
        assert render_template_string("{{ _('%(n)s%%', n='<') }}") == "&lt;%"


@pytest.mark.parametrize(
    "shown",
    ["none | dateformat", "none | datetimeformat", "none | numberformat", "money(none)"],
)
def test_what_is_not_there_is_shown_as_such(app, shown):
    with app.test_request_context():
        assert render_template_string(f"{{{{ {shown} }}}}") == "—"


@pytest.mark.parametrize(
    ("language", "text", "number"),
    [
        ("en", "12.50", "12.50"),
        ("en", "12,50", "12.50"),
        ("es", "12,50", "12.50"),
        ("es", "12.50", "12.50"),
        ("en", "1,234.50", "1234.50"),
        ("es", "1.234,50", "1234.50"),
        ("es", "1.234", "1234"),
        ("en", "1,234", "1234"),
        ("en", " -7 ", "-7"),
        ("es", "+7", "7"),
    ],
)
def test_a_number_is_read_as_it_is_written(app, language, text, number):
    with app.test_request_context(headers={"Accept-Language": language}):
        assert read_decimal(text) == Decimal(number)


def test_a_space_divides_where_the_language_has_one_of_its_own(app):
    with app.test_request_context(), force_locale("fr"):
        assert read_decimal("1 234,50") == Decimal("1234.50")


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("text", ["", "cheap", "1,2,3.4.5", "1..2", "--1", "NaN", "\x00"])
def test_what_is_no_number_is_refused(app, language, text):
    with (
        app.test_request_context(headers={"Accept-Language": language}),
        pytest.raises(ValueError, match="not a number"),
    ):
        read_decimal(text)


@pytest.mark.parametrize(
    ("language", "currency", "text"),
    [
        ("en", "USD", "$1,234.50"),
        ("en", "EUR", "€1,234.50"),
        ("es", "EUR", "1.234,50\xa0€"),
        ("es", "USD", "1.234,50\xa0US$"),
        ("en", "JPY", "¥1,234.50"),
        ("en", "KWD", "KWD1,234.500"),
    ],
)
def test_money_is_written_as_the_language_does(app, monkeypatch, language, currency, text):
    monkeypatch.setattr(settings, "CURRENCY", currency, raising=False)

    with app.test_request_context(headers={"Accept-Language": language}):
        assert money(Decimal("1234.50")) == text
        assert money(Decimal("7.00")).count("0") == get_currency_precision(currency)
    monkeypatch.setattr(settings, "CURRENCY", "XXX", raising=False)
    with app.test_request_context(headers={"Accept-Language": language}):
        assert money(Decimal("1234.50"), currency) == text


def test_the_first_language_is_for_those_who_ask_for_none(make_app, monkeypatch):
    monkeypatch.setattr(settings, "LANGUAGES", ["es", "en"], raising=False)

    assert language_of(make_app().test_client().get("/")) == "es"


def test_a_language_of_a_country_is_written_as_html_wants_it(make_app, monkeypatch):
    monkeypatch.setattr(settings, "LANGUAGES", ["en", "es_CO"], raising=False)
    client = make_app().test_client()

    english, spanish = client.get("/"), client.get("/", headers=SPANISH)

    button = 'name="lang" value="es_CO" lang="es-CO">Español (Colombia)</button>'
    assert button in " ".join(english.text.split())
    assert language_of(spanish) == "es-CO"
    assert 'value="es_CO"' not in spanish.text
    # The catalogue is that of the language.
    assert "Saltar al contenido" in spanish.text


def test_a_product_of_one_language_has_no_switch(make_app, monkeypatch):
    monkeypatch.setattr(settings, "LANGUAGES", ["en"], raising=False)

    answer = make_app().test_client().get("/", headers=SPANISH)

    assert language_of(answer) == "en"
    assert 'action="/language"' not in answer.text


@pytest.fixture
def parlour(make_app, tmp_path, monkeypatch):
    """A client of an application whose module has words of its own for a text of core."""
    folder = tmp_path / "parlour"
    catalogue = folder / "translations/es/LC_MESSAGES/messages.mo"
    catalogue.parent.mkdir(parents=True)
    (folder / "__init__.py").write_text(
        "from flask import Blueprint\nfrom flask_babel import gettext as _, lazy_gettext as _l\n\n"
        "bp = Blueprint('parlour', __name__)\n"
        "bp.add_url_rule('/parlour', 'tea', lambda: _('Tea'))\n"
        "MENU = [('parlour.tea', _l('Tea'))]\n"
    )
    words = Catalog(locale="es")
    words.add("Tea", "Té")
    words.add("Welcome", "Pase adelante")
    with catalogue.open("wb") as file:
        write_mo(file, words)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "parlour", raising=False)
    return make_app(["parlour"]).test_client()


def test_a_module_brings_a_catalogue_whose_words_win(parlour):
    page = parlour.get("/", headers=SPANISH).text

    assert parlour.get("/parlour", headers=SPANISH).text == "Té"
    assert "<h1>Pase adelante</h1>" in page
    assert ">Té</a>" in page
    assert "Módulos instalados" in page


def test_without_a_translation_a_text_stays_as_it_is(parlour):
    assert parlour.get("/parlour").text == "Tea"


@pytest.mark.parametrize(
    ("status", "heading"),
    [(410, "Ya no está"), (418, "No se pudo completar"), (502, "Algo salió mal")],
)
def test_an_error_that_no_view_has_words_for_is_told_in_the_language(make_app, status, heading):
    application = make_app()
    application.add_url_rule("/broken", "broken", lambda: abort(status))

    answer = application.test_client().get("/broken", headers=SPANISH)

    assert answer.status_code == status
    assert f"<h1>{heading}</h1>" in answer.text
    assert default_exceptions[status].description not in answer.text


def test_a_page_that_is_asked_for_too_often_says_so_in_the_language(make_app):
    def crowded():
        raise RateLimitExceeded(SimpleNamespace(error_message=None, limit=parse("1/minute")))

    application = make_app(RATE_LIMIT="1/minute")
    application.add_url_rule("/crowded", "crowded", crowded)

    answer = application.test_client().get("/crowded", headers=SPANISH)

    assert answer.status_code == 429
    assert "Demasiadas solicitudes" in answer.text
    assert "asked" not in answer.text


def test_a_docstring_is_shown_in_english_only(make_app):
    client = make_app(["tests.listed"]).test_client()

    english, spanish = (client.get("/", headers=headers).text for headers in ({}, SPANISH))

    assert "A module for the tests of lists" in english
    assert "A module for the tests of lists" not in spanish
    assert "<code>tests.listed</code>" in spanish


def test_behind_a_prefix_a_switch_leads_back_below_it(client):
    prefix = {"SCRIPT_NAME": "/shop"}
    form = Reader(client.get(f"{INDEX}?q=a", environ_overrides=prefix).text).forms[0]

    back = client.post("/language", data={**form.values, "lang": "es"}, environ_overrides=prefix)
    form.values["next"] = "//evil.example"
    start = client.post("/language", data={**form.values, "lang": "es"}, environ_overrides=prefix)

    assert (form.action, back.location, start.location) == (
        "/shop/language",
        f"/shop{INDEX}?q=a",
        "/shop/",
    )


def test_a_language_of_a_country_is_named_as_html_names_it(make_app, monkeypatch):
    monkeypatch.setattr(settings, "LANGUAGES", ["en", "pt_BR", "zh_Hant_TW"])
    client = make_app(["tests.listed"]).test_client()

    page = Reader(client.get("/", headers={"Accept-Language": "pt-BR"}).text)

    switches = {own["value"]: own["lang"] for _, own in page.tags if own.get("name") == "lang"}
    assert page.tag("html")["lang"] == "pt-BR"
    assert switches == {"en": "en", "zh_Hant_TW": "zh-Hant-TW"}


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("es-ES", "es-CL"),
        ("es-419,es;q=0.9", "es-CL"),
        ("es-MX,en;q=0.5", "es-CL"),
        ("de-AT,en-GB;q=0.5", "en"),
        ("pt,es_AR;q=0.5", "es-CL"),
        ("zh-Hant-TW", "en"),
    ],
)
def test_who_asks_for_another_country_reads_their_language(make_app, monkeypatch, wanted, language):
    monkeypatch.setattr(settings, "LANGUAGES", ["en", "es_CL", "zh_Hans_CN"])
    client = make_app(["tests.listed"]).test_client()

    assert language_of(client.get("/", headers={"Accept-Language": wanted})) == language


def test_the_words_of_app_itself_win(make_app, tmp_path, monkeypatch):
    folder = tmp_path / "app" / "translations" / "es" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    catalog = Catalog(locale="es")
    catalog.add("Search", "Indagar")
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, catalog)

    answer = make_app(["tests.listed"]).test_client()

    assert answer.application.root_path == str(tmp_path / "app")
    with answer.application.test_request_context(headers=SPANISH):
        assert gettext("Search") == "Indagar"
        assert gettext("Filters") == "Filtros"


def test_a_lazy_text_is_no_html(app):
    text = lazy_gettext("Hello %(name)s, can't you?", name="<b>Ana</b>")
    with app.test_request_context():
        page = render_template_string("{{ text }}", text=text)
        answer = jsonify(text)

    assert page == "Hello &lt;b&gt;Ana&lt;/b&gt;, can&#39;t you?"
    assert answer.json == "Hello <b>Ana</b>, can't you?"


def test_a_language_is_the_same_key_as_babels_own():
    parsed = _parsed("es_CO")

    assert {parsed: 1}[Locale.parse("es_CO")] == 1


@pytest.mark.parametrize("name", ["אב", "عرب", "a\u202eb"], ids=ascii)
def test_a_name_of_the_other_direction_is_kept_apart_in_a_sentence(app, name):
    apart = f"\u2068{name}\u2069"
    shown = "{{ _('%(name)s was saved.', name=name) }} {{ name | apart }}"

    with app.test_request_context():
        texts = [
            gettext("%(name)s was saved.", name=name),
            str(lazy_gettext("%(name)s was saved.", name=name)),
            render_template_string(shown, name=name),
        ]

    assert texts == [*[f"{apart} was saved."] * 2, f"{apart} was saved. {apart}"]


def test_other_values_of_a_sentence_stay_as_they_are_and_are_escaped(app):
    shown = "{{ _('%(name)s, %(html)s, %(count)d', name=name, html=html, count=3) }}"

    with app.test_request_context():
        text = render_template_string(shown, name="<Ñandú>", html=Markup("<b>א</b>"))

    assert text == "&lt;Ñandú&gt;, \u2068<b>א</b>\u2069, 3"


def test_today_is_the_day_of_the_products_zone(monkeypatch):
    days = []
    # 25 hours apart: never the same day.
    for zone in ("Pacific/Pago_Pago", "Pacific/Kiritimati"):
        monkeypatch.setattr(settings, "TIMEZONE", zone, raising=False)
        days.append(today())

    assert days[0] < days[1]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Decimal("2.50"), "2,50"),
        (Decimal("2.5"), "2,5"),
        (Decimal("1234.5678"), "1.234,5678"),
        (Decimal("0.0004"), "0,0004"),
        (Decimal("1E+3"), "1.000"),
        (Decimal("2.50000000000000000000"), "2,5"),
        (Decimal("Infinity"), "∞"),
        (1234567, "1.234.567"),
        (0.5, "0,5"),
    ],
)
def test_a_number_has_the_places_that_it_has(app, number, text):
    with app.test_request_context(headers=SPANISH):
        assert render_template_string("{{ number | numberformat }}", number=number) == text
