"""One form field for each kind of column: what it shows, takes, refuses and keeps."""

import re
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import REAL, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from werkzeug.datastructures import MultiDict
from wtforms import Form
from wtforms.validators import NumberRange

from core.form_fields import LocalDecimalField, LocalFloatField, SecondsField
from core.forms import ModelForm
from services import db
from tests.kinds.models import Derived, Record
from tests.reading import Reader, form_on, submit
from tests.sample.forms import SpecimenForm
from tests.sample.models import Box, Mood, Size, Specimen

TOKEN = uuid.UUID("12345678-1234-5678-1234-567812345678")
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FULL = {
    "line": "Ñandú",
    "prose": "One\nTwo",
    "whole": -5,
    "small": 3,
    "big": 2**40,
    "exact": Decimal("1234.50"),
    "ratio": 0.1,
    "day": date(2024, 2, 29),
    "moment": MOMENT,
    "wall": MOMENT.replace(tzinfo=None),
    "clock": time(3, 4, 5),
    "span": timedelta(days=-1, hours=2),
    "extra": {"tags": ["ñ", 1.5, None], "deep": {"a": True}},
    "flag": False,
    "agreed": None,
    "size": Size.SMALL,
    "mood": Mood.BAD,
    "word": "blue",
    "token": TOKEN,
    "serial": "S1",
    "grade": 3,
}


@pytest.fixture(autouse=True)
def madrid(app, monkeypatch):
    monkeypatch.setattr(app.extensions["babel"], "default_timezone", "Europe/Madrid")


@pytest.fixture
def specimen(save):
    box = save(Box(name="Drawer"))
    return save(Specimen(**FULL, boxes=[box]))


@pytest.fixture
def url(specimen):
    return f"/sample/specimens/{specimen.id}/edit"


@pytest.fixture
def stored(app, specimen):
    """Read the fields from the database again."""

    def read(*names):
        with app.app_context():
            record = db.session.get(Specimen, specimen.id)
            return {name: getattr(record, name) for name in names}

    return read


def test_a_form_that_is_sent_unchanged_changes_nothing(client, url, stored):
    answer = submit(client, url)

    assert answer.status_code == 302
    assert stored(*FULL) == FULL
    assert [box.name for box in stored("boxes")["boxes"]] == ["Drawer"]


@pytest.mark.parametrize(
    ("name", "sent", "expected"),
    [
        pytest.param("line", "  trimmed ", "trimmed", id="text-is-trimmed"),
        pytest.param("prose", "", None, id="no-optional-text"),
        pytest.param("whole", "2147483647", 2147483647, id="largest-integer"),
        pytest.param("whole", "", None, id="no-integer"),
        pytest.param("small", "-32767", -32767, id="small-integer"),
        pytest.param("big", str(2**63 - 1), 2**63 - 1, id="big-integer"),
        pytest.param("exact", "9999.99", Decimal("9999.99"), id="decimal"),
        pytest.param("exact", "7", Decimal("7.00"), id="decimal-without-places"),
        pytest.param("ratio", "1e-3", 0.001, id="float"),
        pytest.param("ratio", "1,5", 1.5, id="float-with-a-comma"),
        pytest.param("day", "2000-12-31", date(2000, 12, 31), id="date"),
        pytest.param("day", "", None, id="no-date"),
        pytest.param(
            "moment",
            "2026-07-01T12:00",
            datetime(2026, 7, 1, 10, tzinfo=UTC),
            id="time-of-a-browser-in-its-zone",
        ),
        pytest.param("moment", "", None, id="no-time"),
        pytest.param("wall", "2026-01-02T03:04:05", FULL["wall"], id="time-without-a-zone"),
        pytest.param("clock", "23:59", time(23, 59), id="time-of-day"),
        pytest.param("span", "90061", timedelta(days=1, seconds=3661), id="span"),
        pytest.param("span", "-60", timedelta(minutes=-1), id="span-backwards"),
        pytest.param("span", "", None, id="no-span"),
        pytest.param("extra", ' ["a", 1] ', ["a", 1], id="json"),
        pytest.param("extra", "7", 7, id="json-of-a-number"),
        pytest.param("extra", "", None, id="no-json"),
        pytest.param("day", "0001-01-01", date(1, 1, 1), id="first-day"),
        pytest.param("flag", "y", True, id="checked-box"),
        pytest.param("flag", None, False, id="unchecked-box"),
        pytest.param("agreed", "true", True, id="yes"),
        pytest.param("agreed", "false", False, id="no"),
        pytest.param("agreed", "", None, id="neither-yes-nor-no"),
        pytest.param("size", "xl", Size.EXTRA_LARGE, id="enum"),
        pytest.param("mood", "good", Mood.GOOD, id="optional-enum"),
        pytest.param("mood", "", None, id="no-enum"),
        pytest.param("word", "red", "red", id="enum-of-texts"),
        pytest.param("word", "", None, id="no-enum-of-texts"),
        pytest.param("token", str(uuid.UUID(int=7)), uuid.UUID(int=7), id="uuid"),
        pytest.param("token", "", None, id="no-uuid"),
        pytest.param("boxes", None, [], id="none-of-many"),
    ],
)
def test_a_value_is_taken(client, url, stored, name, sent, expected):
    answer = submit(client, url, **{name: sent})

    assert answer.status_code == 302, Reader(answer.text).texts
    assert stored(name) == {name: expected}


@pytest.mark.parametrize(
    ("name", "sent", "message"),
    [
        pytest.param("line", "", "This field is required.", id="no-text"),
        pytest.param("line", "   ", "This field is required.", id="blank-text"),
        pytest.param("line", " \u200b\u3164", "This field is required.", id="invisible-text"),
        pytest.param(
            "line", "x" * 41, "Field cannot be longer than 40 characters.", id="long-text"
        ),
        pytest.param("line", "a\x00b", "NUL characters are not allowed.", id="nul"),
        pytest.param("prose", "a\x00b", "NUL characters are not allowed.", id="nul-in-long-text"),
        pytest.param("agreed", "y", "Not a valid choice.", id="no-boolean"),
        pytest.param("whole", "1.5", "Not a valid integer value.", id="no-integer"),
        pytest.param("whole", "9" * 400, "Not a valid integer value.", id="integer-past-a-float"),
        pytest.param("whole", "9" * 5000, "Not a valid integer value.", id="endless-integer"),
        pytest.param(
            "whole",
            "2147483648",
            "Number must be between -2147483647 and 2147483647.",
            id="integer-out-of-range",
        ),
        pytest.param(
            "small",
            "32768",
            "Number must be between -32767 and 32767.",
            id="small-integer-out-of-range",
        ),
        pytest.param(
            "big",
            str(2**63),
            f"Number must be between -{2**63 - 1} and {2**63 - 1}.",
            id="big-integer-out-of-range",
        ),
        pytest.param("exact", "1.005", "At most 2 decimal places.", id="places"),
        pytest.param(
            "exact",
            "10000",
            "Number must be between -9999.99 and 9999.99.",
            id="decimal-out-of-range",
        ),
        pytest.param("exact", "a", "Not a valid decimal value.", id="no-decimal"),
        pytest.param("exact", "NaN", "Not a valid decimal value.", id="not-a-number"),
        pytest.param(
            "exact",
            "1e9999999",
            "Not a valid decimal value.",
            id="endless-decimal",
        ),
        pytest.param("whole", "1_000", "Not a valid integer value.", id="underscore-in-integer"),
        pytest.param("exact", "1_000", "Not a valid decimal value.", id="underscore-in-decimal"),
        pytest.param("exact", "5e1", "Not a valid decimal value.", id="exponent-in-decimal"),
        pytest.param("ratio", "1_000", "Not a valid float value.", id="underscore-in-float"),
        pytest.param("ratio", "a", "Not a valid float value.", id="no-float"),
        pytest.param("day", "2023-02-29", "Not a valid date value.", id="no-date"),
        pytest.param("moment", "yesterday", "Not a valid datetime value.", id="no-time"),
        pytest.param("clock", "25:00", "Not a valid time value.", id="no-time-of-day"),
        pytest.param("span", "1:30", "Not a valid decimal value.", id="no-span"),
        pytest.param("span", "0.0000001", "At most 6 decimal places.", id="places-of-a-span"),
        pytest.param(
            "span",
            "4294967297",
            "Number must be between -4294967296 and 4294967296.",
            id="span-out-of-range",
        ),
        pytest.param("extra", "{'a': 1}", "This is not valid JSON.", id="no-json"),
        pytest.param("extra", '{"a": 1, "a": 2}', "This is not valid JSON.", id="key-twice"),
        pytest.param("extra", "[NaN]", "This is not valid JSON.", id="nan-in-json"),
        pytest.param("extra", r'["\u0000"]', "This is not valid JSON.", id="nul-in-json"),
        pytest.param("extra", "[" * 10**5, "This is not valid JSON.", id="endless-json"),
        pytest.param("size", "medium", "Not a valid choice.", id="no-member"),
        pytest.param("mood", "odd", "Not a valid choice.", id="no-member-of-an-optional-enum"),
        pytest.param("token", "1234", "This is not a valid UUID.", id="no-uuid"),
    ],
)
def test_a_value_is_refused_at_its_field_and_kept(client, url, stored, name, sent, message):
    before = stored(*FULL)

    answer = submit(client, url, **{name: sent})

    assert answer.status_code == 200
    assert message in Reader(answer.text).texts[f"{name}-errors"]
    assert stored(*FULL) == before


@pytest.mark.parametrize(
    ("name", "sent", "message"),
    [
        ("line", "a\x00b", "No se permiten caracteres NUL."),
        ("token", "1234", "Esto no es un UUID válido."),
    ],
    ids=["nul", "uuid"],
)
def test_what_is_refused_is_told_in_the_users_language(client, url, name, sent, message):
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "es"

    answer = submit(client, url, **{name: sent})

    assert Reader(answer.text).texts[f"{name}-errors"] == message


def test_a_signaling_nan_is_refused(client, url):
    answer = submit(client, url, exact="sNaN")

    assert Reader(answer.text).texts["exact-errors"] == "Not a valid decimal value."


def test_a_decimal_is_shown_and_taken_as_the_language_writes_it(client, url, stored):
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "es"
    form = form_on(client.get(url))
    unchanged = client.post(form.action, data=form.values)
    before = stored("exact")

    answer = submit(client, url, exact="1.234,75")

    assert form.values["exact"] == "1234,50"
    assert (unchanged.status_code, before) == (302, {"exact": FULL["exact"]})
    assert answer.status_code == 302
    assert stored("exact") == {"exact": Decimal("1234.75")}


@pytest.mark.parametrize(
    ("places", "number", "text"),
    [
        pytest.param(2, Decimal("7"), "7.00", id="filled-up"),
        pytest.param(0, Decimal("7"), "7", id="whole"),
        pytest.param(None, Decimal("0.123456789"), "0.123456789", id="any-places"),
        pytest.param(10, Decimal("9" * 28 + "." + "1" * 10), "9" * 28 + "." + "1" * 10, id="long"),
    ],
)
def test_a_decimal_is_shown_to_its_last_digit(app, places, number, text):
    class NumberForm(Form):
        number = LocalDecimalField(places=places)

    with app.test_request_context():
        field = NumberForm(data={"number": number}).number

        assert field._value() == text


def test_a_span_keeps_its_microseconds(app):
    class SpanForm(Form):
        span = SecondsField(places=6)

    span = timedelta(days=-1, microseconds=5)
    with app.test_request_context():
        text = SpanForm(data={"span": span}).span._value()
        typed = SpanForm(MultiDict({"span": text})).span.data

    assert (text, typed) == ("-86399.999995", span)


def test_an_enum_shows_its_labels_and_what_is_stored(client, url):
    page = client.get(url).text

    assert '<option selected value="small">Small</option>' in page
    assert '<option value="xl">Extra large</option>' in page
    assert '<option selected value="bad">In bad mood</option>' in page
    assert '<option value="">—</option>' in page


def test_a_relation_shows_its_records_as_texts(client, url):
    text = client.get(url).text

    [box] = [own for _, own in Reader(text).tags if "checked" in own and own["name"] == "boxes"]
    assert f'for="{box["id"]}">Drawer</label>' in text


@pytest.mark.parametrize("url", ["/sample/things/new", "/sample/things"], ids=["form", "filter"])
def test_related_records_stand_in_the_order_of_their_texts(client, save, url):
    for name in ("Zebra", "casa", "Ñandú", "Ámbar", "nube"):
        save(Box(name=name))

    page = client.get(url).text

    names = re.findall(r">(Zebra|casa|Ñandú|Ámbar|nube)</option>", page)
    assert names == ["Ámbar", "casa", "Ñandú", "nube", "Zebra"]


def test_a_field_is_labelled_by_its_name_unless_told(client):
    page = client.get("/sample/things/new").text

    assert '<label class="form-label" for="made_on">Made on</label>' in page


def test_a_callable_default_is_called_for_each_form(app):
    with app.test_request_context():
        serials = {SpecimenForm().serial.data for _ in range(2)}

    assert len(serials) == 2


def test_a_constant_default_is_shown(app):
    with app.test_request_context():
        form = SpecimenForm()

    assert (form.flag.data, form.size.data) == (True, Size.EXTRA_LARGE)


def test_what_the_database_fills_may_be_left_out(client, url, stored):
    answer = submit(client, url, grade="")

    assert answer.status_code == 302
    assert stored("grade") == {"grade": 7}


def test_what_the_other_values_decide_may_be_left_out(app):
    class DerivedForm(ModelForm):
        class Meta:
            model = Derived
            fields = ("name", "slug")

    record = Derived(slug="kept")
    with app.test_request_context(method="POST", data={"name": "Ana", "slug": ""}):
        form = DerivedForm(meta={"csrf": False})
        is_valid = form.validate()
        form.populate_obj(record)

    assert (is_valid, form.errors) == (True, {})
    assert (record.name, record.slug) == ("Ana", "kept")


def test_nothing_is_chosen_for_a_parent_until_somebody_chooses(client, save):
    save(Box(name="Drawer"))

    form = form_on(client.get("/sample/things/new"))

    assert form.values["box"] == ""


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (datetime(2026, 7, 1, 10, 0, 5, 678, tzinfo=UTC), "2026-07-01T12:00:05"),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "2026-10-25T02:30:00"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "2026-10-25T02:30:00"),
        (datetime(9999, 12, 31, 23, 59, tzinfo=UTC), "9999-12-31T23:59:00"),
    ],
    ids=["parts of a second", "an hour that comes twice", "its second time", "the last hour"],
)
def test_a_time_is_shown_in_the_zone_and_is_kept_as_it_is(client, save, app, moment, shown):
    id = save(Specimen(line="x", moment=moment)).id
    url = f"/sample/specimens/{id}/edit"

    field = form_on(client.get(url)).values["moment"]
    # Browsers leave seconds that are 0 out.
    answer = submit(client, url, moment=shown.removesuffix(":00"))

    with app.app_context():
        kept = db.session.get(Specimen, id).moment
    assert (field, answer.status_code) == (shown, 302)
    assert kept == moment


@pytest.mark.parametrize(
    ("name", "kept", "shown"),
    [
        ("prose", "", ""),
        ("prose", " One\nTwo ", "One\r\nTwo"),
        ("line", " x", "x"),
        ("line", "One\nTwo", "One\r\nTwo"),
        ("day", date(1, 1, 1), "0001-01-01"),
        ("wall", FULL["wall"].replace(year=999), "0999-01-02T03:04:05"),
        ("clock", time(3, 4, 5, 678), "03:04:05"),
        ("wall", FULL["wall"].replace(microsecond=678), "2026-01-02T03:04:05"),
        ("span", timedelta(seconds=3600), "3600"),
        ("extra", "a", '"a"'),
        ("extra", [], "[]"),
    ],
    ids=str,
)
def test_what_is_shown_and_sent_unchanged_is_kept(app, client, save, name, kept, shown):
    id = save(Specimen(**{"line": "x", name: kept})).id
    with app.app_context():
        before = getattr(db.session.get(Specimen, id), name)
    url = f"/sample/specimens/{id}/edit"

    field = form_on(client.get(url)).values[name].replace("\n", "\r\n")
    answer = submit(client, url, **{name: field})

    with app.app_context():
        after = getattr(db.session.get(Specimen, id), name)
    assert (field, answer.status_code) == (shown, 302)
    assert after == before


@pytest.mark.parametrize(("kept", "shown"), [(1.234, "1,234"), (1.5e-7, "1,5e-07")])
def test_a_float_has_the_decimal_sign_of_its_reader(app, client, save, kept, shown):
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "es"
    id = save(Specimen(line="x", ratio=kept)).id
    url = f"/sample/specimens/{id}/edit"

    page = client.get(url)
    field = form_on(page).values["ratio"]
    submit(client, url, ratio=field)

    # A browser would empty an input of numbers with a comma.
    assert Reader(page.text).tag("input", id="ratio")["type"] == "text"
    with app.app_context():
        assert (field, db.session.get(Specimen, id).ratio) == (shown, kept)


def test_a_line_of_several_has_a_control_that_keeps_them(client, save):
    id = save(Specimen(line="One\nTwo")).id

    page = Reader(client.get(f"/sample/specimens/{id}/edit").text)

    assert page.tag("textarea", id="line")["class"] == "form-control"


def test_a_choice_that_nobody_can_leave_out_is_not_required_in_html(client, url):
    page = Reader(client.get(url).text)

    assert "required" not in page.tag("select", id="size")
    # As its mark tells to who sees the page.
    assert page.tag("select", id="size")["aria-required"] == "true"
    assert "aria-required" not in page.tag("select", id="mood")
    assert "required" in page.tag("input", id="line")


@pytest.mark.parametrize("name", ["moment", "wall", "clock"])
def test_a_browser_takes_other_seconds_than_those_that_are_stored(client, url, name):
    page = Reader(client.get(url).text)

    assert page.tag("input", id=name)["step"] == "any"


class AnsweredForm(ModelForm):
    class Meta:
        model = Record
        fields = ("flag",)


@pytest.mark.parametrize(("stored", "shown"), [(None, ""), (True, "true"), (False, "false")])
def test_a_question_that_nobody_has_answered_stays_so(app, stored, shown):
    record = Record(flag=stored)
    with app.test_request_context():
        page = f"<form method=post>{AnsweredForm(obj=record).flag()}</form>"
    [form] = Reader(page).forms

    with app.test_request_context(method="POST", data=form.values):
        sent = AnsweredForm(obj=record, meta={"csrf": False})
        is_valid = sent.validate()
        sent.populate_obj(record)

    assert (form.values["flag"], is_valid, record.flag) == (shown, True, stored)
    assert re.findall(">([^<]+)</option>", page) == ["—", "yes", "no"]


def test_an_answer_that_is_none_is_refused(app):
    with app.test_request_context(method="POST", data={"flag": "perhaps"}):
        form = AnsweredForm(meta={"csrf": False})

        assert not form.validate()
        assert form.errors == {"flag": ["Not a valid choice."]}


def test_a_keypad_of_digits_is_asked_for_where_no_minus_is_needed(app):
    class NumberForm(Form):
        any = LocalDecimalField()
        price = LocalDecimalField(validators=[NumberRange(min=0)], render_kw={"placeholder": "0"})
        phone = LocalDecimalField(validators=[NumberRange(min=0)], render_kw={"inputmode": "tel"})

    with app.test_request_context():
        page = Reader("<form method=post>" + "".join(field() for field in NumberForm()))

    assert "inputmode" not in page.tag("input", id="any")
    assert page.tag("input", id="price", placeholder="0")["inputmode"] == "decimal"
    assert page.tag("input", id="phone")["inputmode"] == "tel"


def test_a_browser_is_told_the_range_of_the_form_within_that_of_the_column(app):
    class RangeForm(ModelForm):
        class Meta:
            model = Specimen
            fields = ("small", "whole")
            field_args = {"small": {"validators": [NumberRange(min=0)]}}

    with app.test_request_context():
        page = Reader("<form method=post>" + "".join(field() for field in RangeForm()))

    small, whole = (page.tag("input", id=name) for name in ("small", "whole"))
    assert (small["min"], small["max"]) == ("0", "32767")
    assert (whole["min"], whole["max"]) == ("-2147483647", "2147483647")


def test_limits_are_told_as_the_language_writes_them(client, url):
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "es"

    answer = submit(client, url, exact="10000")

    message = "El número debe estar entre -9999,99 y 9999,99."
    assert Reader(answer.text).texts["exact-errors"] == message


def test_a_decimal_without_places_is_a_whole_number(app):
    with app.test_request_context():
        form = Form()
        field = LocalDecimalField(places=0).bind(form, "price")
        field.process(MultiDict({"price": "15000,50"}))

    assert field.process_errors == ["Not a valid integer value."]


def test_an_hour_that_comes_twice_is_the_first(app, client, url, stored, monkeypatch):
    monkeypatch.setattr(app.extensions["babel"], "default_timezone", "America/Santiago")

    submit(client, url, moment="2026-04-04T23:15")

    assert stored("moment") == {"moment": datetime(2026, 4, 5, 2, 15, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("zone", "typed", "message"),
    [
        pytest.param(
            "America/Bogota",
            "9999-12-31T23:59",
            "Not a valid datetime value.",
            id="past-the-last-year-in-utc",
        ),
        pytest.param(
            "Europe/Madrid",
            "2027-03-28T02:30",
            "The clocks skip this time: choose an hour earlier or later.",
            id="an-hour-that-the-clocks-skip",
        ),
    ],
)
def test_a_time_that_there_is_not_is_refused(app, client, url, monkeypatch, zone, typed, message):
    monkeypatch.setattr(app.extensions["babel"], "default_timezone", zone)

    answer = submit(client, url, moment=typed)

    assert Reader(answer.text).texts["moment-errors"] == message


class Elsewhere(DeclarativeBase):
    """Tables that no other test makes."""


class Plainly(Elsewhere):
    __tablename__ = "converters_plainly"

    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str] = mapped_column(Text, default="")
    thin: Mapped[float] = mapped_column(REAL)


class PlainlyForm(ModelForm):
    class Meta:
        model = Plainly
        fields = ("note", "thin")
        csrf = False


@pytest.mark.parametrize(
    ("note", "thin", "taken"), [("", "1e-45", ("", 0.0)), (" a ", "0.5", ("a", 0.5))]
)
def test_a_form_takes_what_the_api_takes(app, note, thin, taken):
    with app.test_request_context():
        form = PlainlyForm(MultiDict({"note": note, "thin": thin}))

        assert form.validate(), form.errors
        assert (form.note.data, form.thin.data) == taken


def test_a_number_is_read_in_the_language_in_which_its_form_was_shown(client, url, stored):
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "es"
    form = form_on(client.get(url))
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"

    refused = client.post(form.action, data={**form.values, "exact": "1.234,75", "whole": "x"})
    again = form_on(refused)
    answer = client.post(form.action, data={**again.values, "whole": "-5"})

    assert (form.values["_lang"], again.values["_lang"]) == ("es", "es")
    assert again.values["exact"] == "1.234,75"
    assert answer.status_code == 302
    assert stored("exact") == {"exact": Decimal("1234.75")}


def test_a_form_of_an_unknown_language_is_read_in_the_readers(client, url, stored):
    answer = submit(client, url, exact="1,234.75", _lang="xx")

    assert answer.status_code == 302
    assert stored("exact") == {"exact": Decimal("1234.75")}


@pytest.mark.parametrize(("text", "number"), [("1.234.567", 1234567), ("1.5", 1.5), ("1,5", 1.5)])
def test_a_float_has_the_groups_of_the_language(app, text, number):
    class Scale(Form):
        weight = LocalFloatField()

    with app.test_request_context(headers={"Accept-Language": "es"}):
        form = Scale(MultiDict({"weight": text}))

        assert form.validate()
        assert form.weight.data == number
