"""Languages: the user's choice, catalogues of core and of the modules, money and numbers."""

import re
from collections.abc import Callable, Hashable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation, localcontext
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import (
    NumberFormatError,
    format_currency,
    format_decimal,
    get_currency_precision,
    get_decimal_symbol,
    get_group_symbol,
    parse_decimal,
)
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    g,
    has_app_context,
    has_request_context,
    redirect,
    request,
)
from flask_babel import (
    Babel,
    Domain,
    get_locale,
    get_timezone,
    get_translations,
    gettext,
    to_user_timezone,
)
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from flask_wtf import FlaskForm
from flask_wtf.i18n import translations as stock_texts
from jinja2 import pass_eval_context
from markupsafe import Markup
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header
from wtforms.meta import DefaultMeta

from core.assets import YEAR
from core.modules import installed_modules
from core.problem import wants_problem
from core.setting import setting

# Shown where there is no value.
EMPTY = "—"
THEMES = ("auto", "light", "dark")
MOST_PLACES = 10
# Letters that are written from the right, and characters that turn the text behind them.
OTHER_DIRECTION = re.compile(
    r"[\u0590-\u08FF\u200F\u202A-\u202E\u2066-\u2069\uFB1D-\uFDFF\uFE70-\uFEFC"
    r"\U00010800-\U00010FFF\U0001E800-\U0001EFFF]"
)

# With it, Jinja would take a lazy text for safe HTML, and the values in it, too.
del LazyString.__html__

bp = Blueprint("preferences", __name__)


def init_i18n(app: Flask) -> None:
    """Bind the translations of core, the modules and app/ itself; for each text the last wins."""
    with app.app_context():
        packages = [Path(str(module.package.__file__)) for module in installed_modules()]
    own = Path(app.root_path, "templates")
    folders = [path.parent / "translations" for path in (Path(__file__), *packages, own)]
    # One Babel for each application: it keeps the catalogues that it has read.
    babel = Babel(
        app,
        default_locale=setting("LANGUAGES")[0],
        default_translation_directories=";".join(str(path) for path in folders if path.is_dir()),
        default_timezone=setting("TIMEZONE"),
        locale_selector=select_language,
    )
    with app.app_context():
        babel.domain_instance = _Domain()
    _give_texts(app.jinja_env)
    app.register_blueprint(bp)
    app.jinja_env.filters.update(
        numberformat=_number, dateformat=write_date, datetimeformat=write_moment
    )
    app.jinja_env.globals.update(
        # As HTML writes it (BCP 47): es-CO, which Python calls es_CO.
        language=lambda: str(get_locale()).replace("_", "-"),
        form_language=lambda: str(form_locale()),
        languages={code: _own_name(code) for code in setting("LANGUAGES")},
        money=money,
        theme=lambda: _cookie("theme", THEMES) or "auto",
    )


def _give_texts(environment: Any) -> None:
    """Give templates _() and its kin: Flask-Babel's own look up the domain for each text."""
    environment.install_gettext_callables(
        gettext=None,  # Our own: see below.
        ngettext=lambda one, many, number: _translations().ungettext(one, many, number),
        pgettext=None,
        npgettext=lambda context, one, many, number: _translations().unpgettext(
            context, one, many, number
        ),
        newstyle=True,
    )
    environment.globals["_"] = environment.globals["gettext"] = _text
    environment.globals["pgettext"] = _text_of_context
    environment.filters["apart"] = apart


# Jinja's own _() looks up in the template's context, at each text, which function translates.
@pass_eval_context
def _text(place: Any, text: str, /, **values: Any) -> str:
    return _filled(place, _translations().ugettext(text), values)


@pass_eval_context
def _text_of_context(place: Any, context: str, text: str, /, **values: Any) -> str:
    return _filled(place, _translations().upgettext(context, text), values)


def _filled(place: Any, found: Any, values: dict[str, Any]) -> str:
    if place.autoescape:
        found = Markup(found)  # nosec B704 - of the catalogue; it escapes what is put in.
    if not values:
        # Without values a text is no format, as in Python: "Discount (%)" must not fail.
        return found.replace("%%", "%")  # type: ignore[no-any-return]
    return found % _each_apart(values)  # type: ignore[no-any-return]


def apart(value: Any) -> Any:
    """Return a value for a sentence; isolate right-to-left text, which would turn the sentence."""
    text = value if isinstance(value, str) else str(value)
    # U+2068 and U+2069 isolate a text (UAX #9).
    return "\u2068" + text + "\u2069" if OTHER_DIRECTION.search(text) else value


def _each_apart(values: dict[str, Any]) -> dict[str, Any]:
    return {name: apart(value) for name, value in values.items()}


def _own_name(code: str) -> str:
    name = str(Locale.parse(code).get_display_name(code))
    # Not capitalize(), which would write "Español (colombia)".
    return f"{name[:1].upper()}{name[1:]}"


def select_language() -> Locale:
    """Return the user's choice, else the best of what the browser asks for; English for the API."""
    languages = setting("LANGUAGES")
    if not has_request_context():
        # A command or a job has no reader whose language is known.
        return _parsed(languages[0])
    if wants_problem():
        return _parsed("en")
    wanted = request.headers.get("Accept-Language", "")
    return _parsed(_cookie("lang", languages) or _asked_for(wanted, *languages) or languages[0])


class _Locale(Locale):
    """Babel's locale with its hash kept: Babel makes it of five parts each time it is asked for."""

    def __init__(self, *parts: Any, **named: Any) -> None:
        super().__init__(*parts, **named)
        self._hash = super().__hash__()

    def __hash__(self) -> int:
        return self._hash


# The same object each time: the caches below compare it for each cell of a table.
_parsed = lru_cache(maxsize=64)(_Locale.parse)


def reader_locale() -> Locale:
    """Return get_locale(), by a shortcut if it was found before in this request."""
    found: Locale | None = getattr(_known(), "babel_locale", None)
    return found or get_locale()


def _known() -> Any:
    """Return where Flask-Babel keeps what it found for the request, None before its first use."""
    # Unwrapped once: each attribute read through the proxy would cost three calls.
    return getattr(g._get_current_object(), "_flask_babel", None)  # noqa: SLF001


def _translations() -> Any:
    """Return get_translations(), by a shortcut if the domain was found before in this request."""
    domain = getattr(_known(), "babel_domain", None)
    return domain.get_translations() if domain else get_translations()


def text_key(text: Any) -> Hashable:
    """Return what tells a text from others in its language, without translating a lazy one."""
    # A lazy text by another function, or with values in it, may differ for each reader.
    if type(text) is LazyString and text._func is gettext and not text._kwargs:  # noqa: SLF001
        return text._args  # type: ignore[no-any-return]  # noqa: SLF001
    return str(text)


@lru_cache(maxsize=64)
def _asked_for(header: str, *languages: str) -> str | None:
    """Match the browser's languages one by one: all at once, "en-GB, es" would give Spanish."""
    # A reader who asks for es-MX gets es_CL rather than the next language, or the first of the
    # site; one who asks for zh-Hant gets no other script.
    asked = (
        LanguageAccept([(wanted, quality)]).best_match(languages)
        for language, quality in parse_accept_header(header, LanguageAccept)
        for wanted in (language, re.sub("[-_]([a-zA-Z]{2}|[0-9]{3})$", "", language))
    )
    return next(filter(None, asked), None)


def money(amount: Decimal | None, currency: str = "") -> str:
    """Return an amount in a currency, by default settings.CURRENCY, as the language writes it."""
    currency = currency or setting("CURRENCY")
    return _formatted(_with_currency, amount, reader_locale(), currency=currency)


def _with_currency(amount: Decimal, locale: Locale, currency: str) -> str:
    # A price of 2.50 in a currency without cents must not be shown as 2.
    is_whole = not isfinite(amount) or amount == int(amount)
    fits = is_whole or get_currency_precision(currency) > 0
    return str(format_currency(amount, currency, locale=locale, currency_digits=fits))


def _number(number: Decimal | float | None) -> str:
    """Return a number as the language writes it, a decimal with the places that it has."""
    if isinstance(number, Decimal) and number.is_finite():
        places = max(0, -int(number.as_tuple().exponent))
        # An average may have many more places, which nobody wants to read.
        if places <= MOST_PLACES:
            return _formatted(_with_places, number, reader_locale(), places=places)
    return _formatted(format_decimal, number, reader_locale())


def _with_places(number: Decimal, locale: Locale, places: int) -> str:
    fraction = "." + "0" * places if places else ""
    pattern = re.sub(r"\.#+", fraction, locale.decimal_formats[None].pattern)
    with localcontext(prec=100):
        return format_decimal(number, pattern, locale)


def local(moment: datetime) -> datetime:
    """Return a moment in the reader's zone, settings.TIMEZONE; without a zone it stays as it is."""
    try:
        return to_user_timezone(moment) if moment.tzinfo else moment
    except OverflowError:
        # In that zone it lies before the year 1 or after 9999.
        return moment


def from_local(moment: datetime) -> datetime:
    """Return in UTC a moment that was typed without a zone; of an hour that comes twice, the first.

    Raises ValueError if in UTC it lies before the year 1 or after 9999.
    """
    if moment.tzinfo:
        return moment
    try:
        aware: datetime = get_timezone().localize(moment, is_dst=True)
        return aware.astimezone(UTC)
    except OverflowError:
        raise ValueError("it lies past the last year.") from None


def write_date(day: date | None, style: str = "medium") -> str:
    """Return a day as the language writes it; for a moment, its day in the reader's zone."""
    if isinstance(day, datetime):
        day = local(day).date()
    return _formatted(format_date, day, reader_locale(), format=style)


def write_moment(moment: datetime | None, format: str = "medium", rebase: bool = True) -> str:  # noqa: A002
    """Return a moment as the language writes it, in the reader's zone."""
    # Like Flask-Babel's, which fails at some moments; not cached: a moment has a text in each zone.
    if moment is None:
        return EMPTY
    shown = local(moment) if rebase else moment
    return str(format_datetime(shown, format, locale=reader_locale()))


# Babel takes longer for a cell than the database for its row; cells repeat.
@lru_cache(maxsize=10_000)
def _formatted(function: Callable[..., str], value: Any, locale: Locale, **options: Any) -> str:
    # Babel would write the current time for None.
    return EMPTY if value is None else function(value, locale=locale, **options)


def form_locale() -> Locale:
    """Return the language that a form was shown in, its `_lang`: the reader may have switched."""
    code = request.form.get("_lang", "") if has_request_context() else ""
    if not code:
        return reader_locale()
    known = {str(locale): locale for locale in map(_parsed, setting("LANGUAGES"))}
    return known.get(code) or reader_locale()


def read_decimal(text: str) -> Decimal:
    """Read a number as people type it: "12,50" and "12.50" alike, "1.234,50" by the language.

    Raises ValueError for what is no number.
    """
    locale = form_locale()
    text = text.strip()
    if re.fullmatch(r"[-+]?\d+([.,]\d{1,2})?", text):
        return Decimal(text.replace(",", "."))
    group = get_group_symbol(locale)
    if group.isspace():
        # No keyboard has this separator: people type a plain space.
        text = text.replace(" ", group)
    try:
        number = parse_decimal(text, locale=locale, strict=True)
    except (NumberFormatError, InvalidOperation) as error:
        raise ValueError("not a number") from error
    # Only Python reads underscores, exponents, and names such as NaN.
    if re.search(r"[^\W\d]", text):
        raise ValueError("not a number")
    return number


def write_decimal(number: Decimal | float, places: int | None = None) -> str:
    """Return a number as people type it, with all its places, or as many as `places` says."""
    # Babel would round to six places, and fail at the digits of a NUMERIC(38, 10).
    if isinstance(number, float):
        text = str(number)
    else:
        text = f"{number:f}" if places is None else f"{number:.{places}f}"
    return text.replace(".", get_decimal_symbol(form_locale()))


def write_seconds(span: timedelta) -> str:
    """Return a span as people type it: in seconds."""
    seconds = Decimal(span // timedelta(microseconds=1)) / 10**6
    return write_decimal(seconds.normalize())


class _FormTexts:
    """The texts of WTForms, in the words of our catalogues where they have some."""

    # What WTForms' own Spanish says wrongly: "greater than", and a span for a time of day.
    mended = (
        _l("Number must be at least %(min)s."),
        _l("Number must be at most %(max)s."),
        _l("Not a valid time value."),
    )

    def gettext(self, text: str) -> str:
        found = _translations().ugettext(text)
        return found if found != text else stock_texts.gettext(text)  # type: ignore[no-any-return]

    def ngettext(self, one: str, many: str, number: int) -> str:
        found = _translations().ungettext(one, many, number)
        is_ours = found not in (one, many)
        return found if is_ours else stock_texts.ngettext(one, many, number)  # type: ignore[no-any-return]


_stock_form_texts = DefaultMeta.get_translations


def _form_texts(meta: Any, form: Any) -> Any:
    return _FormTexts() if has_app_context() else _stock_form_texts(meta, form)


# For plain forms, too, which stand within others.
DefaultMeta.get_translations = _form_texts  # type: ignore[method-assign,assignment]
FlaskForm.Meta.get_translations = _form_texts


class _Domain(Domain):  # type: ignore[misc]
    """The catalogues; the reader's is looked up once for a page of eighty texts, not for each."""

    def get_translations(self) -> Any:
        context = _known()
        # Flask-Babel resets this attribute together with the locale, as in force_locale().
        found = getattr(context, "babel_translations", None)
        if found is None:
            found = super().get_translations()
            if context is not None:
                context.babel_translations = found
        return found

    def gettext(self, string: str, **variables: Any) -> str:
        return super().gettext(string, **_each_apart(variables))  # type: ignore[no-any-return]


@bp.post("/language")
def language() -> Response:
    """Remember the language that the user chose."""
    return _remember("lang", setting("LANGUAGES"))


@bp.post("/theme")
def theme() -> Response:
    """Remember the colours that the user chose."""
    return _remember("theme", THEMES)


def _cookie(name: str, allowed: tuple[str, ...] | list[str]) -> str | None:
    value = request.cookies.get(name)
    return value if value in allowed else None


def _remember(name: str, allowed: tuple[str, ...] | list[str]) -> Response:
    value = request.form.get(name, "")
    if value not in allowed:
        abort(400)
    response = redirect(_own_path(request.form.get("next", "")))
    response.set_cookie(name, value, YEAR, secure=request.is_secure, samesite="Lax", httponly=True)
    return response  # type: ignore[return-value]


def _own_path(target: str) -> str:
    """Return a path of this site; for anything else the start page, so that no link leads away."""
    # Browsers read a backslash as a slash, and pass over tabs and line ends.
    leads_away = re.match(r"/[/\\]|[^/]|$", target) or re.search(r"[\x00-\x1f\x7f\\]", target)
    return f"{request.root_path}/" if leads_away else target
