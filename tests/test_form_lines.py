"""A form with forms in it: the lines of an order on its page."""

from types import SimpleNamespace

import pytest
from flask import render_template_string
from werkzeug.datastructures import MultiDict
from wtforms import FieldList, FormField, StringField
from wtforms.validators import Length

from core.choices import SearchSelectField
from core.forms import ModelForm
from tests.kinds.models import Order, OrderLine
from tests.reading import Reader
from tests.sample.models import Box, Size, Specimen, Thing

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
