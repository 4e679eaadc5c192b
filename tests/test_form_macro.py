"""What the macro of forms makes of any field: labels, marks, groups of controls, their errors."""

import re

import pytest
from flask import render_template_string
from flask_wtf import FlaskForm
from wtforms import (
    FieldList,
    Form,
    FormField,
    HiddenField,
    RadioField,
    SelectMultipleField,
    StringField,
)
from wtforms.validators import DataRequired, InputRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from tests.reading import Reader

MACRO = '{% from "macros/form.html" import render_form %}{{ render_form(form, "/", "Enter") }}'
REQUIRED = "This field is required."


class AddressForm(Form):
    street = StringField("Street", [DataRequired()])
    note = HiddenField()


class OrderForm(FlaskForm):
    """Fields of several controls."""

    size = RadioField("Size", [InputRequired()], choices=["S", "L"], description="Of the shirt.")
    extras = SelectMultipleField(
        "Extras",
        [DataRequired()],
        choices=["bag", "card"],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    address = FormField(AddressForm, "Address")
    phones = FieldList(StringField("Phone"), "Phones", [Length(max=1)], min_entries=2)


@pytest.fixture
def order_page(app):
    def order_page(**sent):
        with app.test_request_context(method="POST" if sent else "GET", data=sent):
            form = OrderForm()
            form.validate_on_submit()
            return Reader(render_template_string(MACRO, form=form))

    return order_page


def test_controls_that_belong_together_have_one_label(order_page):
    page = order_page()

    groups = [own["id"] for tag, own in page.tags if tag == "fieldset"]
    labels = [own.get("for") for tag, own in page.tags if tag == "label"]
    assert groups == ["size", "extras", "address", "phones"]
    assert [tag for tag, _ in page.tags].count("legend") == len(groups)
    assert labels == [
        *("size-0", "size-1", "extras-0", "extras-1"),
        *("address-street", "phones-0", "phones-1"),
    ]
    assert page.tag("fieldset", id="size")["aria-describedby"] == "size-help"
    assert page.tag("input", id="size-1")["class"] == "form-check-input"
    assert "required" in page.tag("input", id="size-1")
    # A browser would want both: who hears the page is told in the legend.
    assert "required" not in page.tag("input", id="extras-1")
    assert page.tags.count(("span", {"class": "visually-hidden"})) == 1
    assert page.tag("input", id="address-note")["type"] == "hidden"


def test_an_error_of_a_part_is_told_at_the_part(order_page):
    page = order_page(size="M", **{"phones-0": "1", "phones-1": "2"})

    focused = [own["id"] for _, own in page.tags if "autofocus" in own]
    assert page.texts["size-errors"] == "Not a valid choice."
    assert page.texts["extras-errors"] == REQUIRED
    assert page.texts["address-street-errors"] == REQUIRED
    assert page.texts["phones-errors"] == "Field cannot be longer than 1 character."
    assert "address-errors" not in page.texts
    assert page.tag("fieldset", id="size")["aria-describedby"] == "size-help size-errors"
    assert focused == ["size-0"]


def test_the_first_error_has_the_focus_in_a_form_within_the_form_too(order_page):
    page = order_page(size="S", extras="bag")

    assert [own["id"] for _, own in page.tags if "autofocus" in own] == ["address-street"]


def test_what_is_required_is_marked(client):
    page = client.get("/sample/things/new").text

    marked = re.findall(r'<label [^>]*>([^<]*)</label><span class="required"', page)
    assert marked == ["Name", "Code", "Price", "Amount", "Size", "Box"]
    assert "Fields marked with * are required." in page


def test_a_form_without_a_required_field_has_no_word_about_marks(app):
    class NoteForm(FlaskForm):
        note = StringField("Note")

    with app.test_request_context():
        assert "*" not in render_template_string(MACRO, form=NoteForm())
