"""A form with forms in it: the lines of an order on its page."""

from io import BytesIO
from types import SimpleNamespace

import pytest
from flask import render_template_string
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from sqlalchemy.orm import Mapped, declarative_base, mapped_column
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, FieldList, Form, FormField, SelectField, StringField
from wtforms.validators import Length

from core.choices import SearchSelectField
from core.constraints import Violation
from core.form_fields import LinesField
from core.forms import CONFLICT, ModelForm
from core.pages import database_rules
from services import db
from tests.kinds.models import Order, OrderLine
from tests.kinds.storing import app_with_places
from tests.reading import Reader
from tests.sample.models import Box, Crate, Size, Specimen, Thing

PAGE = '{% from "macros/form.html" import render_form %}{{ render_form(form, "/", "Save") }}'
SENT = {
    "number": "A1",
    "lines-0-text": "Tea",
    "lines-0-amount": "1",
    "lines-1-text": "Milk",
    "lines-1-amount": "2",
}


class LineForm(ModelForm):
    class Meta:
        model = OrderLine
        fields = ("text", "amount")
        csrf = False


class OrderForm(ModelForm):
    lines = FieldList(
        FormField(LineForm, default=OrderLine), "Line", [Length(min=1, message="None.")]
    )

    class Meta:
        model = Order
        fields = ("number", "lines")
        csrf = False


class ThingLineForm(ModelForm):
    near = SearchSelectField("Near", model=Box)

    class Meta:
        model = Thing
        fields = ("box",)
        csrf = False


class ThingsForm(ModelForm):
    lines = FieldList(FormField(ThingLineForm, default=Thing), min_entries=7)


def order(*lines):
    made = (OrderLine(text=text, amount=amount) for text, amount in lines)
    return Order(number="A1", version=4, lines=list(made))


def saved_order(*texts):
    """Return an order that is stored, with lines of these texts."""
    made = Order(number="A1", lines=[OrderLine(text=text, amount=1) for text in texts])
    db.session.add(made)
    db.session.commit()
    return made


def submitted(stored, **changed):
    form = OrderForm(MultiDict(SENT | changed), obj=stored)
    form.version = SimpleNamespace()
    return form


def test_lines_are_added_changed_and_removed(app):
    with app.test_request_context(method="POST"):
        shorter, longer = order(("Tea", 1), ("Ink", 3), ("Pen", 1)), order()
        for record in (shorter, longer):
            submitted(record).populate_obj(record)

    for record in (shorter, longer):
        assert [(line.text, line.amount) for line in record.lines] == [("Tea", 1), ("Milk", 2)]


@pytest.mark.parametrize(
    ("lines", "stored"),
    [
        pytest.param([("Tea", 1), ("Milk", 2)], {}, id="the-same"),
        pytest.param([("Tea", 1), ("Milk", 3)], {"lines"}, id="changed"),
        pytest.param([("Tea", 1)], {"lines"}, id="added"),
        pytest.param([("Tea", 1), ("Milk", 2), ("Ink", 3)], {"lines"}, id="removed"),
    ],
)
def test_a_conflict_is_told_where_the_lines_differ(app, lines, stored):
    with app.test_request_context(method="POST"):
        form = submitted(order(*lines))
        form.show_conflict()

    assert set(form.stored) == set(stored)


def test_each_line_has_its_errors_at_its_fields(app):
    with app.test_request_context(method="POST"):
        form = OrderForm(MultiDict(SENT | {"lines-0-amount": "x", "lines-1-text": ""}))
        form.validate()
        page = render_template_string(PAGE, form=form)

    reader = Reader(page)
    told = {own["id"] for _, own in reader.tags if own.get("id", "").endswith("-errors")}
    assert told == {"lines-0-amount-errors", "lines-1-text-errors"}
    assert [own["id"] for _, own in reader.tags if "autofocus" in own] == ["lines-0-amount"]
    assert "Line 1" in page
    assert "Line 2" in page
    assert "{" not in page


def test_an_error_of_the_list_itself_is_told(app):
    with app.test_request_context(method="POST"):
        form = OrderForm(MultiDict({"number": "A1"}))
        form.validate()
        page = render_template_string(PAGE, form=form)

    assert '<div id="lines-errors"' in page
    assert "None." in page


def test_a_list_of_plain_fields_is_shown(app):
    class Plain(ModelForm):
        mails = FieldList(StringField("Mail", [Length(max=3)]), "Mails")

    with app.test_request_context(method="POST"):
        form = Plain(MultiDict({"mails-0": "long"}), meta={"csrf": False})
        form.validate()
        page = render_template_string(PAGE, form=form)

    assert 'value="long"' in page
    assert '<div id="mails-0-errors"' in page
    assert "[" not in page


def test_the_lines_ask_for_their_choices_together(app, save, queries):
    save(Box(name="Drawer"))

    with app.test_request_context(), queries() as seen:
        page = render_template_string(PAGE, form=ThingsForm())

    assert page.count(">Drawer<") == 14
    assert len(seen) == 2


def test_choices_are_asked_for_anew_in_each_request(app, save):
    pages = []
    # Whose g all requests within share.
    with app.app_context():
        for name in ("Drawer", "Attic"):
            save(Box(name=name))
            with app.test_request_context():
                pages.append(render_template_string(PAGE, form=ThingLineForm()))

    assert ["Attic" in page for page in pages] == [False, True]


def test_a_conflict_is_told_of_a_list_that_was_empty(app):
    class Tags(ModelForm):
        extra = FieldList(StringField())

        class Meta:
            model = Specimen
            fields = ("extra",)

    with app.test_request_context(method="POST"):
        specimen = Specimen(extra=None)
        form = Tags(MultiDict({"extra-0": "a"}), obj=specimen, meta={"csrf": False})
        specimen.version, form.version = 1, SimpleNamespace()
        form.show_conflict()

    assert form.stored == {"extra": "—"}


def test_what_is_required_within_a_line_is_explained(app):
    class Files(ModelForm):
        lines = FieldList(FormField(LineForm), min_entries=1)

    with app.test_request_context():
        page = render_template_string(PAGE, form=Files())

    assert "Fields marked with * are required." in page


def test_what_a_new_record_has_not_been_given_is_the_default(app):
    class NewThing(ModelForm):
        class Meta:
            model = Thing
            fields = ("name", "size", "amount", "shelf", "active")

    with app.test_request_context():
        form = NewThing(obj=Thing(name="Key", shelf=None, active=True))

    assert form.data == {
        "name": "Key",
        "size": Size.SMALL,
        "amount": 0,
        "shelf": None,
        "active": True,
        "version": None,
        "csrf_token": form.csrf_token.data,
    }


def test_a_field_that_is_no_attribute_stands_behind_those_of_the_model(app):
    class Extended(ModelForm):
        extra = StringField("Extra")

        class Meta:
            model = Thing
            fields = ("name", "code")

    # As that of the first form that a process reads.
    Extended.extra.creation_counter = 1

    with app.test_request_context():
        names = [field.name for field in Extended()]

    assert names[:3] == ["name", "code", "extra"]


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    with app_with_places("sqlite", tmp_path_factory.mktemp("orders")) as application:
        yield application


def saved(order, form=OrderForm, **sent):
    """Return the form that was sent, after its commit, and whether that went well."""
    form = form(MultiDict({"number": "A1", "version": "1"} | sent), obj=order)
    form.populate_obj(order)
    with database_rules(form):
        db.session.commit()
        return form, True
    return form, False


def test_of_two_who_change_a_line_the_second_sees_both_versions(orders):
    with orders.test_request_context(method="POST"):
        order = saved_order("Tea")
        _, is_first_saved = saved(order, **{"lines-0-text": "Tea", "lines-0-amount": "2"})
        form, is_second_saved = saved(order, **{"lines-0-text": "Cup", "lines-0-amount": "1"})

        assert (is_first_saved, is_second_saved) == (True, False)
        assert (order.version, order.lines[0].amount, list(form.stored)) == (2, 2, ["lines"])


def test_a_line_that_somebody_else_added_with_the_same_texts_is_told(orders):
    tea = {"lines-0-text": "Tea", "lines-0-amount": "1"}
    with orders.test_request_context(method="POST"):
        order = saved_order()
        saved(order, **tea)
        form, is_second_saved = saved(order, **tea | {"lines-0-_key": ""}, form=KeyedForm)

        assert not is_second_saved
        assert list(form.stored) == ["lines"]


def test_a_conflict_is_told_until_it_is_saved(orders):
    with orders.test_request_context(method="POST"):
        order = Order(number="B2", version=2, lines=[OrderLine(text="Tea", amount=1)])
        db.session.add(order)
        db.session.commit()
        page = render_template_string(PAGE, form=conflicting(order))

    sent = {own["name"]: own["value"] for _, own in Reader(page).tags if own.get("name")}
    with orders.test_request_context(method="POST", data=sent):
        again = OrderForm(obj=db.session.get(Order, order.id))
        page = render_template_string(PAGE, form=again)

        assert again.validate(), again.errors
    assert again.stored == {"number": "B2"}
    assert page.count(str(CONFLICT)) == 1


def conflicting(order):
    sent = {"number": "A1", "version": "1", "lines-0-text": "Tea", "lines-0-amount": "1"}
    form = OrderForm(MultiDict(sent), obj=order)
    form.show_conflict()
    return form


def test_lines_that_stay_are_no_change(orders):
    with orders.test_request_context(method="POST"):
        order = saved_order("Tea")
        saved(order, **{"lines-0-text": "Tea", "lines-0-amount": "1"})

        assert order.version == 1


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        pytest.param(1, {"lines-0-text": ["Taken."]}, id="the-only-line"),
        pytest.param(2, {"lines": ["Text: Taken."]}, id="one-of-several"),
    ],
)
def test_a_broken_rule_of_a_line_is_told_at_the_lines(app, lines, told):
    violation = Violation("unique", ("text",), "Taken.", "kinds_order_line")

    with app.test_request_context(method="POST"):
        form = OrderForm(obj=order(*[("Tea", 1)] * lines))
        for line in form.lines:
            line.form["text"].label.text = lazy_gettext("Text")
        is_shown = form.show_violation(violation)
        page = Reader(render_template_string(PAGE, form=form))

    assert is_shown
    errors = {name: [page.texts[f"{name}-errors"]] for name in told}
    assert errors == told


def test_a_rule_of_another_table_is_not_told_at_the_lines(app):
    with app.test_request_context(method="POST"):
        form = OrderForm(obj=order(("Tea", 1)))

        assert not form.show_violation(Violation("unique", ("text",), "Taken.", "elsewhere"))
        assert not form.show_violation(Violation("unique", ("text",), "Taken."))


def lines_page(app, sent):
    """Return whether a form of lines with searches may be saved, and its page."""
    with app.test_request_context(method="POST", data=sent):
        form = ThingsForm()
        return form.validate(), Reader(render_template_string(PAGE, form=form))


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        pytest.param({"_search": "lines-3-near"}, "lines-3-near-search", id="button"),
        pytest.param({"lines-3-near-search": "Dra", "_enter": "1"}, "lines-3-near", id="enter"),
    ],
)
def test_a_search_in_a_line_keeps_its_place(app, save, monkeypatch, sent, place):
    monkeypatch.setattr(SearchSelectField, "is_large", True)
    save(Box(name="Drawer"))

    is_valid, page = lines_page(app, sent)

    assert not is_valid
    assert [own["name"] for _, own in page.tags if "autofocus" in own] == [place]


@pytest.mark.parametrize(
    ("sent", "place"),
    [({}, "lines-6-near-search"), ({"lines-6-near-search": "Dra"}, "lines-6-near")],
    ids=["nothing sought", "sought"],
)
def test_a_page_that_begins_at_a_search_begins_at_its_box(app, monkeypatch, sent, place):
    monkeypatch.setattr(SearchSelectField, "is_large", True)
    with app.test_request_context(method="POST", data=sent):
        form = ThingsForm(MultiDict(sent))
        form.focus_on = "lines-6-near"
        page = Reader(render_template_string(PAGE, form=form))

    [focused] = [own for _, own in page.tags if "autofocus" in own]
    assert focused["name"] == place


def test_a_search_for_a_record_with_a_key_of_several_columns_is_refused(app):
    class Place(declarative_base()):
        __tablename__ = "place"

        row: Mapped[int] = mapped_column(primary_key=True)
        number: Mapped[int] = mapped_column(primary_key=True)

    class WithKey(FlaskForm):
        place = SearchSelectField("Place", model=Place)

    with app.test_request_context(), pytest.raises(TypeError, match="use QuerySelectField"):
        WithKey()


def test_a_file_that_was_chosen_has_to_be_chosen_again(app):
    class Upload(FlaskForm):
        paper = FileField("Paper")
        other = FileField("Other")

    sent = {"paper": (BytesIO(b"x"), "x.txt")}
    with app.test_request_context(method="POST", data=sent):
        page = Reader(render_template_string(PAGE, form=Upload()))

    assert page.texts["paper-again"] == "Choose the file again: a browser does not keep it."
    assert page.tag("input", id="paper")["aria-describedby"] == "paper-again"
    assert "other-again" not in page.texts


def test_after_a_conflict_the_versions_of_lines_are_those_that_are_stored(app):
    class Within(ModelForm):
        class Meta:
            model = Thing
            fields = ("name",)
            csrf = False

    class Around(ModelForm):
        things = FieldList(FormField(Within))

        class Meta:
            model = Crate
            fields = ()

    sent = {"version": "1", "things-0-name": "Key", "things-0-version": "1"}
    with app.test_request_context(method="POST", data=sent):
        thing = Thing(name="Pen", version=7)
        stored = SimpleNamespace(version=3, things=[thing])
        form = Around(obj=stored)
        form.show_conflict()

        assert form.version.data == 3
        assert form.things[0].form.version.data == 7


class KeyedForm(OrderForm):
    lines = LinesField(FormField(LineForm, default=OrderLine))


@pytest.mark.parametrize("place", ["\u00b2", "9" * 5000, "1x", "-1", ""])
def test_what_is_no_place_of_a_line_is_none(orders, place):
    with orders.test_request_context(method="POST"):
        form = KeyedForm(MultiDict(SENT | {f"lines-{place}-text": "x"}), obj=Order(number="A1"))

        assert [line.form.text.data for line in form.lines] == ["Tea", "Milk"]


def test_the_places_of_lines_may_stand_apart_by_another_sign(app):
    class Under(Form):
        words = LinesField(StringField("Word"), separator="_")

    with app.test_request_context():
        form = Under(MultiDict({"words_0": "a", "words_2": "b"}))

    assert form.words.data == ["a", "b"]


def test_lines_go_back_to_their_records_whatever_others_have_removed(orders):
    with orders.test_request_context(method="POST"):
        lines = [OrderLine(text=text, amount=number) for number, text in enumerate("abc", 1)]
        order = Order(number="A1", lines=lines)
        db.session.add(order)
        db.session.commit()
        page = Reader(render_template_string(PAGE, form=KeyedForm(obj=order)))
        sent = {own["name"]: own.get("value", "") for _, own in page.tags if own.get("name")}
        before = [line.id for line in order.lines]
        db.session.delete(order.lines[0])
        db.session.commit()
        db.session.expire_all()
        sent |= {"lines-2-text": "changed", "version": str(order.version)}
        form = KeyedForm(MultiDict(sent), obj=order)
        form.populate_obj(order)
        db.session.commit()

        assert [sent[f"lines-{number}-_key"] for number in range(3)] == list(map(str, before))
        stored = {line.id: line.text for line in order.lines}
        assert (stored[before[1]], stored[before[2]]) == ("b", "changed")
        assert sorted(stored.values()) == ["a", "b", "changed"]


def page_of(form):
    """Return what a browser sends back of a form that nobody has touched."""
    page = Reader(render_template_string(PAGE, form=form))
    return MultiDict((own["name"], own.get("value", "")) for _, own in page.tags if own.get("name"))


class ShortForm(OrderForm):
    lines = LinesField(FormField(LineForm, default=OrderLine), max_entries=2)


def test_more_lines_than_a_form_takes_are_shown_and_kept(orders):
    with orders.test_request_context(method="POST"):
        order = saved_order("a", "b", "c")
        form = ShortForm(page_of(ShortForm(obj=order)), obj=order)
        form.populate_obj(order)
        db.session.commit()

        assert [line.text for line in order.lines] == ["a", "b", "c"]


def test_a_line_that_somebody_else_has_added_stays(orders):
    with orders.test_request_context(method="POST"):
        order = saved_order("a", "b")
        sent = page_of(KeyedForm(obj=order))
        db.session.add(OrderLine(text="c", amount=1, order_id=order.id))
        db.session.commit()
        db.session.expire_all()
        form = KeyedForm(sent, obj=order)
        form.lines.entries.pop(0)
        form.populate_obj(order)
        db.session.commit()

        assert [line.text for line in order.lines] == ["b", "c"]


def test_a_removed_line_stays_away_when_the_page_comes_back(orders):
    with orders.test_request_context(method="POST"):
        order = saved_order("a", "b")
        form = KeyedForm(page_of(KeyedForm(obj=order)), obj=order)
        form.lines.entries.pop(1)
        form = KeyedForm(page_of(form), obj=order)
        form.populate_obj(order)
        db.session.commit()

        assert [line.text for line in order.lines] == ["a"]


class RemovedLineForm(LineForm):
    note = StringField("Note", default="none")
    urgent = BooleanField("Urgent")
    kind = SelectField("Kind", choices={"a": "A", "b": "B"})
    remove = BooleanField("Remove")


class DroppingForm(OrderForm):
    lines = LinesField(FormField(RemovedLineForm, default=OrderLine))


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        pytest.param({"text": "", "amount": ""}, ["Tea"], id="blank"),
        pytest.param({"text": " ", "amount": "", "note": "none"}, ["Tea"], id="as-shown"),
        pytest.param({"text": "", "amount": "", "kind": "a"}, ["Tea"], id="first-choice"),
        pytest.param({"text": "", "amount": "", "kind": "b"}, ["Tea", None], id="chosen"),
        pytest.param({"text": "", "amount": "0"}, ["Tea", None], id="zero"),
        pytest.param({"text": "", "amount": "x"}, ["Tea", None], id="wrong"),
        pytest.param({"text": "", "amount": "", "note": "yes"}, ["Tea", None], id="other-text"),
        pytest.param({"text": "", "amount": "", "urgent": "y"}, ["Tea", None], id="ticked"),
        pytest.param({"text": "Milk", "amount": "2"}, ["Tea", "Milk"], id="filled"),
        pytest.param({"text": "Milk", "amount": "2", "remove": "y"}, ["Tea"], id="to-remove"),
    ],
)
def test_lines_to_remove_and_new_ones_left_blank_are_dropped(app, second, kept):
    sent = {"number": "A1", "lines-0-text": "Tea", "lines-0-amount": "1", "lines-1-_key": ""}
    sent |= {f"lines-1-{name}": value for name, value in second.items()}
    with app.test_request_context(method="POST"):
        form = DroppingForm(MultiDict(sent))
        form.lines.drop_removed()

        assert [line.form.text.data for line in form.lines] == kept


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        pytest.param({"lines-0-near-search": "north"}, ["lines-0"], id="words"),
        pytest.param({"_search": "lines-1-near"}, ["lines-1"], id="no-words"),
    ],
)
def test_a_new_line_in_which_somebody_searches_is_not_dropped(app, asked, kept):
    class Searching(ModelForm):
        class Meta:
            model = Order
            fields = ("number",)
            csrf = False

        lines = LinesField(FormField(type("Line", (ThingLineForm,), {"remove": BooleanField("")})))

    sent = {"number": "A1", "lines-0-_key": "", "lines-1-_key": "", **asked}
    with app.test_request_context(method="POST", data=sent):
        form = Searching()
        form.lines.drop_removed()

        assert [line.name for line in form.lines] == kept


def test_words_are_of_the_line_in_which_they_were_typed(app):
    class Gapped(ModelForm):
        class Meta:
            model = Order
            fields = ("number",)
            csrf = False

        lines = LinesField(FormField(ThingLineForm))

    sent = {f"lines-{place}-near-search": f"word {place}" for place in (1, 4)}
    with app.test_request_context(method="POST", data=sent):
        form = Gapped()
        words = [(line.name, line.form.near.words) for line in form.lines]
        added = form.lines.append_entry()
        form.lines.pop_entry(0)

    assert words == [("lines-1", "word 1"), ("lines-4", "word 4")]
    assert [line.name for line in form.lines] == ["lines-0", "lines-1"]
    assert form.lines[1] is added


def test_a_stored_line_that_was_emptied_is_not_dropped(orders):
    with orders.test_request_context(method="POST"):
        order = saved_order("a")
        sent = {"number": "A1", "lines-0-_key": str(order.lines[0].id), "lines-0-text": ""}
        form = DroppingForm(MultiDict(sent), obj=order)
        form.lines.drop_removed()

        assert len(form.lines) == 1
        assert not form.validate()


def test_a_new_line_has_no_key(app):
    with app.test_request_context():
        form = KeyedForm()
        form.lines.append_entry()
        page = Reader(render_template_string(PAGE, form=form))

    keys = [own["value"] for _, own in page.tags if own.get("name") == "lines-0-_key"]
    assert keys == [""]
