"""What happens to a form: its fields, its messages, and two people at once."""

import re
import threading
from decimal import Decimal
from io import BytesIO
from types import SimpleNamespace

import pytest
from flask import flash, g, get_flashed_messages, redirect, render_template_string, request
from flask_wtf import FlaskForm
from marshmallow import ValidationError
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    bindparam,
    select,
    text,
)
from sqlalchemy.orm.exc import ObjectDeletedError
from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    FileField,
    Form,
    FormField,
    HiddenField,
    PasswordField,
    StringField,
    SubmitField,
)
from wtforms.validators import DataRequired, InputRequired, Regexp
from wtforms.widgets import HiddenInput, TextInput

from core.choices import SearchSelectField
from core.constraints import Violation
from core.errors import EXPIRED_BUTTON, LOST
from core.expired import EXPIRED
from core.forms import CONFLICT, ModelForm
from core.i18n import EMPTY
from core.models import Base, Versioned
from core.pages import database_rules
from services import db
from tests.reading import Reader, form_on, submit
from tests.sample.forms import BoxForm, CrateForm, HandmadeForm, SpecimenForm, TagForm, ThingForm
from tests.sample.models import Box, Crate, Scan, Size, Specimen, Tag, Thing

NEW = "/sample/things/new"
REQUIRED = "This field is required."
TAKEN = "This value is already taken."


@pytest.fixture
def box(save):
    return save(Box(name="Drawer"))


@pytest.fixture
def thing(save, box):
    return save(Thing(name="Key", code="K1", price=Decimal("1.50"), shelf=4, box_id=box.id))


@pytest.fixture
def edit(thing):
    return f"/sample/things/{thing.id}/edit"


def things(app):
    with app.app_context():
        return db.session.scalars(select(Thing).order_by(Thing.id)).all()


def stored(app, id):
    with app.app_context():
        return db.session.get(Thing, id)


def errors_on(answer):
    """Return the messages at the fields, by their names."""
    texts = Reader(answer.text).texts
    return {id.removesuffix("-errors"): text for id, text in texts.items() if "-errors" in id}


def test_a_complete_form_makes_a_record(client, app, box):
    answer = submit(client, NEW, name="Pen", code="P1", price="2.5", active="y", box=str(box.id))

    [thing] = things(app)
    assert answer.status_code == 302
    assert (thing.name, thing.code, thing.price) == ("Pen", "P1", Decimal("2.50"))
    assert (thing.note, thing.shelf, thing.made_on) == (None, None, None)
    assert (thing.amount, thing.size, thing.active) == (0, Size.SMALL, True)
    assert (thing.box_id, thing.version) == (box.id, 1)


def test_an_empty_form_says_what_is_required(client, app):
    answer = submit(client, NEW, amount="")

    assert answer.status_code == 422
    assert errors_on(answer) == dict.fromkeys(("name", "code", "price", "amount", "box"), REQUIRED)
    assert things(app) == []


@pytest.mark.parametrize("name", ["name", "price", "amount", "made_on", "size", "box", "version"])
def test_a_file_in_a_field_for_text_is_left_out(client, app, thing, edit, name):
    form = form_on(client.get(edit))
    form.values[name] = (BytesIO(b"abc"), "a.txt")

    answer = client.post(form.action, data=form.values, content_type="multipart/form-data")

    # As if the field had not been sent: it may be one that need not be.
    assert answer.status_code in (302, 422)
    assert stored(app, thing.id).name == "Key"


@pytest.mark.parametrize("sent", [{"name": 5, "code": ["x"]}, [1], 5])
def test_json_is_no_form(client, app, sent):
    token = form_on(client.get(NEW)).values["csrf_token"]

    answer = client.post("/sample/things", json=sent, headers={"X-CSRFToken": token})

    assert answer.status_code == 422
    assert things(app) == []


class SearchForm(FlaskForm):
    """One of the product's own, without a model."""

    words = StringField("", [Regexp("[a-z]+")])
    picture = FileField("")


@pytest.mark.parametrize(
    "sent",
    [
        {"json": {"words": 5}},
        {"json": [1]},
        {"data": {"words": (BytesIO(b"abc"), "a.txt"), "picture": (BytesIO(b"abc"), "b.png")}},
    ],
    ids=["number", "list", "file"],
)
def test_any_form_takes_texts_and_files_where_they_belong(app, sent):
    with app.test_request_context(method="POST", **sent):
        form = SearchForm(meta={"csrf": False})

        assert form.validate() is False
        assert form.words.data is None
        assert (form.picture.data is not None) == ("data" in sent)


def test_what_was_typed_is_kept(client, box):
    typed = {"name": "A <b>", "note": "x & y", "price": "a lot", "size": "xl", "made_on": "soon"}

    answer = submit(client, NEW, **typed, active="y", box=str(box.id))

    values = form_on(answer).values.to_dict()
    assert {name: values[name] for name in typed} == typed
    assert (values["active"], values["box"]) == ("y", str(box.id))


def test_an_error_is_tied_to_its_field(client):
    answer = submit(client, NEW)

    page = Reader(answer.text)
    assert page.tag("input", id="code")["aria-describedby"] == "code-help code-errors"
    assert page.tag("input", id="code")["aria-invalid"] == "true"
    assert page.tag("input", id="name")["aria-describedby"] == "name-errors"
    assert page.texts["code-help"] == "No two are equal."
    assert page.texts["code-errors"] == REQUIRED


def test_a_field_without_help_or_error_is_tied_to_nothing(client):
    page = Reader(client.get(NEW).text)

    assert "aria-describedby" not in page.tag("input", id="name")
    assert "aria-invalid" not in page.tag("input", id="code")


def test_every_field_has_its_label(client):
    page = Reader(client.get(NEW).text)

    labelled = {own["for"] for tag, own in page.tags if tag == "label"}
    assert labelled == set(ThingForm.Meta.fields)


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        pytest.param({"code": "K1"}, {"code": TAKEN}, id="duplicate"),
        pytest.param({"shelf": "4"}, {"shelf": TAKEN, "box": TAKEN}, id="duplicate-pair"),
        pytest.param({"price": "-1"}, {"price": "From 0 on."}, id="check"),
        pytest.param({"amount": "1000"}, {"amount": "This value is not allowed."}, id="limit"),
    ],
)
def test_a_rule_of_the_database_is_a_message_at_its_field(client, app, thing, box, changes, errors):
    typed = {"name": "Pen", "code": "P1", "price": "1", "box": str(box.id), **changes}

    answer = submit(client, NEW, **typed)

    assert answer.status_code == 422
    assert errors_on(answer) == errors
    assert form_on(answer).values["name"] == "Pen"
    assert [thing.code for thing in things(app)] == ["K1"]


@pytest.mark.parametrize("chosen", ["0", "99999999999999999999", "abc", "K1"])
def test_a_parent_that_is_none_is_refused(client, box, chosen):
    answer = submit(client, NEW, name="Pen", code="P1", price="1", box=chosen)

    assert answer.status_code == 422
    assert errors_on(answer) == {"box": "Not a valid choice."}


def test_an_edit_changes_what_was_changed(client, app, thing, edit):
    answer = submit(client, edit, name="Big key")

    changed = stored(app, thing.id)
    assert answer.status_code == 302
    assert (changed.name, changed.code, changed.version) == ("Big key", "K1", 2)
    assert (changed.price, changed.shelf, changed.box_id) == (Decimal("1.50"), 4, thing.box_id)


@pytest.mark.parametrize("name", ["id", "box_id", "created_at"])
def test_only_named_fields_can_be_set(client, app, thing, edit, name):
    before = getattr(stored(app, thing.id), name)

    submit(client, edit, **{name: "77"})

    assert getattr(stored(app, thing.id), name) == before


def test_of_two_people_the_second_sees_both_texts(client, app, thing, edit):
    second = form_on(client.get(edit))
    submit(client, edit, name="First", size="xl", shelf="")
    second.values.setlist("name", ["Second"])

    answer = client.post(second.action, data=second.values)

    texts = Reader(answer.text).texts
    assert answer.status_code == 422
    assert str(CONFLICT) in answer.text
    assert form_on(answer).values["name"] == "Second"
    assert texts["name-stored"] == "Stored now: First"
    assert texts["size-stored"] == "Stored now: Extra large"
    assert texts["shelf-stored"] == "Stored now: —"
    assert "price-stored" not in texts
    assert stored(app, thing.id).name == "First"


class Account(Versioned, Base):
    __table__ = Table(
        "form_account",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("version", Integer, nullable=False),
        Column("name", String(20)),
    )

    def set_password(self, value):
        self.hashed = f"hash of {value}"

    password = property(fset=set_password)


class AccountForm(ModelForm):
    password = PasswordField()

    class Meta:
        model = Account
        fields = ("name", "password")


def test_of_what_can_only_be_written_a_conflict_shows_nothing(app):
    account = Account(id=1, version=2, name="First")

    with app.test_request_context(method="POST", data={"name": "Second", "password": "new"}):
        form = AccountForm(obj=account)
        form.show_conflict()

    assert form.stored == {"name": "First"}


def test_what_is_stored_is_tied_to_its_field(client, edit):
    second = form_on(client.get(edit))
    submit(client, edit, code="K2")

    answer = client.post(second.action, data=second.values)

    described = Reader(answer.text).tag("input", id="code")["aria-describedby"]
    assert described == "code-help code-stored"


def test_after_a_conflict_the_next_save_wins(client, app, thing, edit):
    second = form_on(client.get(edit))
    submit(client, edit, name="First")
    second.values.setlist("name", ["Second"])
    refused = form_on(client.post(second.action, data=second.values))

    answer = client.post(refused.action, data=refused.values)

    assert answer.status_code == 302
    assert stored(app, thing.id).name == "Second"
    assert stored(app, thing.id).version == 3


@pytest.mark.parametrize("sent", ["abc", "0", "-1", "9" * 30, "9" * 400, "1.0"])
def test_a_version_that_is_none_saves_nothing(client, app, thing, edit, sent):
    answer = submit(client, edit, name="Forged", version=sent)

    assert answer.status_code == 422
    assert stored(app, thing.id).name == "Key"


def test_a_record_that_vanished_in_the_meantime_is_left_to_the_error_page(app, thing):
    with app.test_request_context(method="POST"):
        form = ThingForm(obj=db.session.get(Thing, thing.id), meta={"csrf": False})
        db.session.rollback()
        db.session.execute(text("DELETE FROM sample_thing"))

        with pytest.raises(ObjectDeletedError):
            form.show_conflict()


def test_a_record_without_versions_has_no_version_field(app):
    with app.test_request_context():
        names = set(SpecimenForm()._fields)

    assert "version" not in names


def test_the_fields_stand_in_the_order_of_meta(app):
    with app.test_request_context():
        names = list(HandmadeForm(meta={"csrf": False})._fields)

    assert names == ["name", "code", "price", "version"]


def test_a_field_by_hand_wins_over_the_derived_one(app):
    with app.test_request_context():
        form = HandmadeForm()

    assert form.code.label.text == "By hand"
    assert not form.code.flags.required


class ScanForm(ModelForm):
    class Meta:
        model = Scan
        fields = ("photo",)


class MisspeltForm(ModelForm):
    class Meta:
        model = Scan
        fields = ("foto",)


class TakenForm(ModelForm):
    class Meta:
        model = Scan
        fields = ("meta",)


class ExtraForm(ModelForm):
    class Meta:
        model = Specimen
        fields = ("extra",)


class FieldForm(ModelForm):
    class Meta:
        model = Scan
        field = ("photo",)


class ComputedForm(ModelForm):
    class Meta:
        model = Specimen
        fields = ("doubled",)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (ScanForm, "ScanForm has no field for 'photo' of Scan: declare one in the class."),
        (MisspeltForm, "MisspeltForm names 'foto', which Scan lacks; it has id, photo, meta."),
        (TakenForm, "TakenForm names 'meta' of Scan, which is something else in every form"),
        (FieldForm, 'FieldForm.Meta has no fields: write fields = ("name", ...).'),
        (ComputedForm, "ComputedForm has no field for 'doubled' of Specimen"),
    ],
)
def test_a_name_without_a_field_is_told(app, form, sentence):
    with app.test_request_context(), pytest.raises(LookupError, match=re.escape(sentence)):
        form()


def test_a_class_meta_in_small_letters_is_refused():
    with pytest.raises(TypeError, match=r"SmallForm has a class meta, .* call it Meta\."):
        type(ModelForm)("SmallForm", (ModelForm,), {"meta": type("meta", (), {"model": Scan})})


def test_a_field_by_hand_needs_no_conversion(app):
    class UploadForm(ModelForm):
        photo = FileField("By hand")

        class Meta:
            model = Scan
            fields = ("photo",)

    macro = '{% from "macros/form.html" import render_form %}{{ render_form(form, "/", "Send") }}'
    with app.test_request_context():
        form = UploadForm(meta={"csrf": False})
        page = Reader(render_template_string(macro, form=form))

    assert list(form._fields) == ["photo"]
    # Else a browser sends the name of the file alone.
    assert page.tag("form")["enctype"] == "multipart/form-data"


def test_a_subclass_names_its_own_fields(app):
    class ShortForm(ThingForm):
        class Meta(ThingForm.Meta):
            fields = ("name",)

    with app.test_request_context(method="POST"):
        thing, form = Thing(code="K1"), ShortForm(MultiDict({"name": "Key", "code": "K2"}))
        form.populate_obj(thing)

    assert (thing.name, thing.code) == ("Key", "K1")


def test_a_command_fills_in_a_form_without_a_request(app, save):
    class ImportForm(ThingForm):
        tag = SearchSelectField("Tag", model=Tag)

    box_id = save(Box(name="Drawer")).id
    rows = [{"name": "Key", "code": "K1", "price": "1,50", "box": str(box_id)}, {"name": "Nut"}]
    rows = [{**row, "amount": "0", "size": "small"} for row in rows]
    with app.app_context():
        forms = [ImportForm(MultiDict(row), meta={"csrf": False}) for row in rows]
        valid = [form.validate() for form in forms]
        forms[0].populate_obj(thing := Thing())
        db.session.rollback()

    assert valid == [True, False]
    assert thing.price == Decimal("1.50")
    assert "code" in forms[1].errors


def test_a_field_that_is_taken_away_stays_as_it_is(app, save):
    thing_id = save(Thing(name="Key", code="K1", price=1, box=Box(name="Drawer"))).id
    with app.test_request_context(method="POST", data={"_conflict": "1"}):
        thing = db.session.get(Thing, thing_id)
        form = ThingForm(MultiDict({"name": "Bolt", "code": "K2"}), obj=thing)
        del form.code
        form.populate_obj(thing)
        form.show_conflict()

        assert (thing.name, thing.code) == ("Bolt", "K1")


def test_a_subclass_keeps_what_its_base_declares_by_hand(app):
    class HandForm(ModelForm):
        name = StringField("By hand")

        class Meta:
            model = Thing
            fields = ("code", "name")

    class LongerForm(HandForm):
        class Meta(HandForm.Meta):
            fields = ("name", "code", "note")

    with app.test_request_context():
        HandForm()
        form = LongerForm(meta={"csrf": False})

    assert [field.name for field in form][:3] == ["name", "code", "note"]
    assert form.name.label.text == "By hand"
    assert form.code.label.text == "Code"


def test_a_form_without_a_model_is_a_plain_form(app):
    class PlainForm(ModelForm):
        pass

    with app.test_request_context():
        names = list(PlainForm(meta={"csrf": False})._fields)

    assert names == []


def test_a_rule_about_no_field_of_the_form_is_not_shown_there(app):
    class NameForm(ModelForm):
        class Meta:
            model = Thing
            fields = ("name",)

    with app.test_request_context():
        form = NameForm()
        is_shown = form.show_violation(Violation("check", ("price",), "From 0 on."))

    assert is_shown is False


def test_a_rule_of_another_record_is_not_told_at_a_field_of_the_same_name(app, box):
    with app.test_request_context():
        form = BoxForm(meta={"csrf": False})
        with database_rules(form):
            db.session.add(Thing(name=None, code="K1", price=1, box_id=box.id))
            db.session.commit()

        assert not form.name.errors
        assert get_flashed_messages() == ["This value is required."]


def test_rules_are_told_in_a_form_that_belongs_to_no_model(app, box, thing):
    class CodeForm(FlaskForm):
        code = StringField()

    seen = []
    for values in ({"name": "Key", "code": thing.code}, {"name": None, "code": "K2"}):
        with app.test_request_context():
            form = CodeForm(meta={"csrf": False})
            with database_rules(form):
                db.session.add(Thing(price=1, box_id=box.id, **values))
                db.session.commit()
            seen.append((list(form.code.errors), get_flashed_messages()))

    assert seen == [([TAKEN], []), ([], ["This value is required."])]


def test_threads_that_open_a_form_for_the_first_time_get_all_fields(app):
    class FreshForm(ModelForm):
        class Meta:
            model = Thing
            fields = ThingForm.Meta.fields

    seen, start = [], threading.Barrier(8)

    def open_form():
        with app.test_request_context():
            start.wait()
            seen.append(list(FreshForm(meta={"csrf": False})._fields))

    threads = [threading.Thread(target=open_form) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [[*ThingForm.Meta.fields, "version"]] * 8


def test_a_form_without_its_token_comes_back_with_what_was_typed(client, app, box):
    form = form_on(client.get(NEW))
    del form.values["csrf_token"]
    typed = {"name": "A <b>", "code": "P1", "price": "2.5", "active": "y", "box": str(box.id)}
    for name, value in typed.items():
        form.values.setlist(name, [value])

    answer = client.post(form.action, data=form.values)

    returned = form_on(answer)
    assert answer.status_code == 400
    assert str(EXPIRED) in answer.text
    assert {name: returned.values[name] for name in typed} == typed
    assert things(app) == []

    again = client.post(returned.action, data=returned.values)

    assert again.status_code == 302
    assert [thing.name for thing in things(app)] == ["A <b>"]


def test_an_edit_without_its_token_keeps_the_version_that_was_read(client, app, thing, edit):
    form = form_on(client.get(edit))
    submit(client, edit, name="First")
    form.values.setlist("name", ["Second"])
    del form.values["csrf_token"]

    returned = form_on(client.post(form.action, data=form.values))
    answer = client.post(returned.action, data=returned.values)

    assert returned.values["version"] == "1"
    assert answer.status_code == 422
    assert stored(app, thing.id).name == "First"


def test_a_form_without_its_token_of_a_record_that_vanished_is_not_found(client):
    answer = client.post("/sample/things/999999", data={"name": "Late"})

    assert answer.status_code == 404
    assert str(EXPIRED) not in answer.text
    assert str(LOST) in answer.text
    assert str(LOST) not in client.get("/sample/things/999999").text


def test_a_button_without_its_token_says_so_and_changes_nothing(client, app, thing):
    answer = client.post(f"/sample/boxes/{thing.box_id}/delete")

    assert answer.status_code == 400
    assert str(EXPIRED_BUTTON) in answer.text
    assert len(things(app)) == 1


def test_a_box_form_is_derived_with_its_limits(app):
    with app.test_request_context(method="POST"):
        form = BoxForm(MultiDict({"name": "x" * 41}), meta={"csrf": False})
        form.validate()

    assert form.errors == {"name": ["Field cannot be longer than 40 characters."]}


@pytest.mark.parametrize(
    ("spelling", "is_chosen"),
    [("{}", True), ("", False), ("1", False), ("x", False), ("{{{}}}", False)],
    ids=["its key", "nothing", "a number", "no key", "another spelling"],
)
def test_a_related_record_whose_key_is_no_number_is_chosen(app, save, spelling, is_chosen):
    tag = save(Tag(name="Fragile"))
    typed = MultiDict({"tag": spelling.format(tag.id)})

    with app.test_request_context(method="POST"):
        form = TagForm(typed, meta={"csrf": False})
        chosen, is_valid = form.tag.data, form.validate()
        html = form.tag()

    assert (chosen.id if chosen else None) == (tag.id if is_chosen else None)
    assert is_valid is (is_chosen or not spelling)
    assert (f'selected value="{tag.id}"' in html) is is_chosen


def _soft():
    return select(Tag).where(Tag.name.startswith("S"))


class SoftForm(ModelForm):
    tag = SearchSelectField("Tag", model=Tag, statement=_soft)


class TestAStatementOfChoices:
    """What may be chosen is what a statement finds, and what is stored."""

    @pytest.fixture
    def tags(self, save):
        return [save(Tag(name=name)) for name in ("Soap", "Stone", "Wash", "Sand", "Sugar")]

    def form(self, stored=None, **typed):
        return SoftForm(MultiDict(typed), obj=SimpleNamespace(tag=stored), meta={"csrf": False})

    def test_what_it_finds_is_offered_by_its_text(self, app, tags):
        with app.test_request_context(method="POST"):
            offered = [choice.label for choice in self.form().tag.iter_choices()]

        assert offered == [EMPTY, "Sand", "Soap", "Stone", "Sugar"]

    def test_a_search_looks_there_alone(self, app, tags, monkeypatch):
        monkeypatch.setattr(SearchSelectField, "is_large", True)
        monkeypatch.setattr("core.choices.RESULTS", 3)
        with app.test_request_context(method="POST", data={"tag-search": "s"}):
            found = self.form().tag._found
        with app.test_request_context(method="POST", data={"tag-search": "wash"}):
            other = self.form().tag._found

        assert len(found) == 3
        assert "Wash" not in found.values()
        assert other == {}

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_form_that_sends_a_get_is_searched_too(self, app, tags, monkeypatch, method):
        monkeypatch.setattr(SearchSelectField, "is_large", True)
        sent = {"query_string" if method == "GET" else "data": {"tag-search": "soa"}}
        with app.test_request_context(method=method, **sent):
            assert [*self.form().tag._found.values()] == ["Soap"]

    @pytest.mark.parametrize(("place", "is_valid"), [(0, True), (2, False)])
    def test_another_is_refused(self, app, tags, place, is_valid):
        with app.test_request_context(method="POST"):
            form = self.form(tag=str(tags[place].id))

            assert form.validate() is is_valid

    def test_what_is_stored_stays(self, app, tags):
        with app.test_request_context(method="POST"):
            stored = db.session.get(Tag, tags[2].id)
            form = self.form(stored, tag=str(stored.id))

            assert form.validate()
            assert form.tag.data is stored


@pytest.fixture
def specimen(save):
    return save(Specimen(line="x"))


def _post_without_token(client, url, **typed):
    form = form_on(client.get(url))
    form.values.poplist("csrf_token")
    for name, value in typed.items():
        form.values.setlist(name, [value])
    return client.post(form.action, data=form.values)


def test_an_expired_form_of_one_address_for_both_comes_back_with_what_was_typed(
    client, app, specimen
):
    url = f"/sample/specimens/{specimen.id}/edit"

    answer = _post_without_token(client, url, line="Typed", whole="many")
    values = form_on(answer).values
    with app.app_context():
        line = db.session.get(Specimen, specimen.id).line
    saved = client.post(url, data={**values.to_dict(), "whole": "7"})

    assert answer.status_code == 400
    assert str(EXPIRED) in answer.text
    assert (values["line"], values["whole"], line) == ("Typed", "many", "x")
    assert saved.status_code == 302


@pytest.mark.parametrize("url", ["/sample/plain", "/sample/plain/create"], ids=["own", "other"])
def test_an_address_for_both_whose_form_is_not_of_ours_is_not_run(client, app, box, url):
    answer = client.post(url, data={"name": "Forged"})

    assert answer.status_code == 400
    assert str(EXPIRED_BUTTON) in answer.text
    assert str(EXPIRED) not in answer.text + client.get(NEW).text
    with app.app_context():
        assert db.session.get(Box, box.id).name == "Drawer"


@pytest.mark.parametrize("url", ["/sample/things/{}", "/sample/boxes/{}/delete"])
def test_an_expired_form_or_button_does_not_walk_past_a_login(client, app, thing, monkeypatch, url):
    monkeypatch.setitem(app.before_request_funcs, "sample", [lambda: ("Sign in.", 401)])

    answer = client.post(url.format(thing.id), data={"code": "x"})

    assert (answer.status_code, answer.text) == (401, "Sign in.")


def test_an_expired_form_below_a_part_of_the_url_that_a_hook_takes(client, app, thing, monkeypatch):
    edit = app.view_functions["sample.thing_edit"]
    monkeypatch.setitem(app.view_functions, "sample.thing_edit", lambda: edit(id=g.thing_id))

    def take(endpoint, values):
        g.thing_id = values.pop("id")

    monkeypatch.setitem(app.url_value_preprocessors, "sample", [take])

    answer = client.post(f"/sample/things/{thing.id}", data={"code": "as typed"})

    assert answer.status_code == 400
    assert str(EXPIRED) in answer.text
    assert "as typed" in answer.text


@pytest.mark.parametrize(("says", "left"), [("", []), ("Log in first.", ["Log in first."])])
def test_an_expired_form_does_not_walk_past_the_login_of_its_view(
    client, app, thing, monkeypatch, says, left
):
    def login_required(**_):
        if says:
            flash(says)
        return redirect("/login")

    monkeypatch.setitem(app.view_functions, "sample.thing_edit", login_required)

    answer = client.post(f"/sample/things/{thing.id}", data={"code": "x"})

    assert (answer.status_code, answer.location) == (302, "/login")
    with client.session_transaction() as session:
        assert [message for _, message in session.get("_flashes", [])] == left


def _choose_less(form):
    form.size.choices = [("small", "Small")]


def _drop_one(form):
    form.size.choices.pop()


def _describe(form):
    form.name.description = "For one reader."


def _hide(form):
    form.note.widget = HiddenInput()


def _call(form):
    form.name.widget = TextInput("tel")


def _fix(form):
    form.name.flags.readonly = True


@pytest.mark.parametrize(
    "change",
    [_choose_less, _drop_one, _describe, _hide, _call, _fix, lambda form: form.__delitem__("note")],
    ids=["choices", "one choice less", "help", "widget", "kind of widget", "flags", "fields"],
)
def test_a_form_that_a_view_changes_is_kept_apart(app, change):
    with app.test_request_context(NEW):
        usual, changed = ThingForm(), ThingForm()
        change(changed)

        assert usual.cache_key == ThingForm().cache_key
        assert changed.cache_key != usual.cache_key


def test_a_form_with_words_of_the_url_is_not_kept(app):
    with app.test_request_context(f"{NEW}?tag-search=evil"):
        assert SoftForm().cache_key is None


class GradeForm(ModelForm):
    class Meta:
        model = Specimen
        fields = ("line", "grade", "span")


def test_what_the_database_fills_is_filled_again_where_it_is_cleared(app, save):
    specimen = save(Specimen(line="a", grade=9))
    with app.test_request_context(method="POST"):
        specimen = db.session.get(Specimen, specimen.id)
        form = GradeForm(MultiDict({"line": "a", "grade": ""}), obj=specimen)
        form.populate_obj(specimen)
        db.session.commit()

        assert specimen.grade == 7


def test_a_span_out_of_range_is_none(app):
    with app.test_request_context(method="POST"):
        form = GradeForm(MultiDict({"line": "a", "span": "9" * 20}))

        assert not form.validate()
        assert form.span.data is None


class CratesForm(ModelForm):
    class Meta:
        model = Tag
        fields = ("name", "crate_set")


def test_a_collection_without_order_is_set(app, save):
    crates = [save(Crate(row=1, place=place)) for place in (1, 2)]
    with app.test_request_context(method="POST"):
        tag = Tag(name="a")
        db.session.add(tag)
        sent = [("name", "b"), *(("crate_set", str(one.id)) for one in crates)]
        CratesForm(MultiDict(sent), obj=tag).populate_obj(tag)
        db.session.flush()

        assert {crate.place for crate in tag.crate_set} == {1, 2}


def test_a_search_saves_no_form_of_any_kind(app):
    class Plain(FlaskForm):
        tag = SearchSelectField("Tag", model=Tag)

    sent = {"_search": "tag", "tag-search": "so", "tag": ""}
    with app.test_request_context(method="POST", data=sent):
        form = Plain(meta={"csrf": False})

        assert not form.validate_on_submit()


def test_null_is_no_json_that_is_wrong(app):
    with app.test_request_context(method="POST"):
        assert not SpecimenForm(MultiDict({"extra": "null"})).extra.process_errors


def test_a_form_with_values_of_the_url_is_not_kept(app):
    with app.test_request_context(f"{NEW}?price=mine"):
        assert ThingForm(MultiDict({"price": "mine"})).cache_key is None


def test_nobody_else_gets_to_see_what_an_expired_form_held(client, app):
    mine = _post_without_token(client, "/sample/both", name="Mine")
    other = app.test_client().get("/sample/both")

    assert form_on(mine).values["name"] == "Mine"
    assert form_on(other).values["name"] == ""


@pytest.mark.parametrize(
    ("stored", "typed", "told"),
    [
        ({"a": [1]}, "[1]", '{"a": [1]}'),
        ([{"a": 1}], '[{"a": 2}]', '[{"a": 1}]'),
        (None, "[]", "—"),
    ],
    ids=str,
)
def test_a_conflict_shows_json(app, stored, typed, told):
    with app.test_request_context(method="POST"):
        specimen = Specimen(extra=stored)
        form = ExtraForm(MultiDict({"extra": typed}), obj=specimen, meta={"csrf": False})
        specimen.version, form.version = 1, SimpleNamespace()
        form.show_conflict()

    assert form.stored == {"extra": told}


def test_a_conflict_has_the_focus(client, edit):
    second = form_on(client.get(edit))
    submit(client, edit, name="First")

    answer = client.post(second.action, data=second.values)

    [focused] = [own for _, own in Reader(answer.text).tags if "autofocus" in own]
    assert (focused["role"], focused["tabindex"]) == ("alert", "-1")


@pytest.fixture
def tags(save):
    return [save(Tag(name=name)) for name in ("Fragile", "Heavy", "Wet")]


@pytest.fixture
def crate(save, app, tags):
    crate = save(Crate(row=1, place=1))
    with app.app_context():
        db.session.get(Crate, crate.id).tags = [db.session.get(Tag, tags[0].id)]
        db.session.commit()
    return f"/sample/crates/{crate.id}/edit"


def tags_of(app):
    with app.app_context():
        [crate] = db.session.scalars(select(Crate))
        return sorted(tag.name for tag in crate.tags)


def test_of_many_each_has_a_box_under_one_label(client, app, crate):
    page = Reader(client.get(crate).text)

    boxes = [own for _, own in page.tags if own.get("name") == "tags"]
    assert page.tag("fieldset", id="tags")
    assert [own["type"] for own in boxes] == ["checkbox"] * 3
    assert ["checked" in own for own in boxes] == [True, False, False]
    assert not any("required" in own or "aria-required" in own for own in boxes)
    submit(client, crate, tags=None)
    assert tags_of(app) == []


def test_of_very_many_there_is_a_select(client, app, crate, save):
    for number in range(200):
        save(Tag(name=f"tag {number}"))

    page = Reader(client.get(crate).text)

    assert "multiple" in page.tag("select", id="tags")


@pytest.mark.parametrize(
    ("language", "message"), [("en", "Not a valid choice."), ("es", "No es una opción válida.")]
)
def test_one_of_many_that_does_not_exist_saves_nothing(client, app, crate, tags, language, message):
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language

    answer = submit(client, crate, row="2", tags=[str(tags[1].id), "999"])

    assert answer.status_code == 422
    assert errors_on(answer) == {"tags": message}
    assert tags_of(app) == ["Fragile"]


def test_a_parent_that_is_none_is_refused_in_the_language_of_the_reader(client, box):
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "es"

    answer = submit(client, NEW, name="Pen", code="P1", price="1", box="999")

    assert errors_on(answer) == {"box": "No es una opción válida."}


def test_a_change_of_many_alone_raises_the_version(client, app, crate, tags):
    before = form_on(client.get(crate)).values["version"]

    submit(client, crate, tags=[str(tags[1].id), str(tags[2].id)])

    assert form_on(client.get(crate)).values["version"] == str(int(before) + 1)
    assert tags_of(app) == ["Heavy", "Wet"]


def test_a_form_that_is_sent_unchanged_leaves_the_version_alone(client, crate):
    before = form_on(client.get(crate)).values["version"]

    submit(client, crate)

    assert form_on(client.get(crate)).values["version"] == before


@pytest.mark.parametrize("first", [{"tags": []}, {"note": "Mine"}], ids=["many", "a text"])
def test_of_two_who_change_many_the_second_sees_what_is_stored(client, app, crate, tags, first):
    second = form_on(client.get(crate))
    submit(client, crate, **{"tags": [str(tag.id) for tag in tags[:2]], **first})
    expected = tags_of(app)
    second.values.setlist("tags", [str(tags[2].id)])

    answer = client.post(second.action, data=second.values)

    texts = Reader(answer.text).texts
    assert answer.status_code == 422
    assert str(CONFLICT) in answer.text
    assert texts["tags-stored"] == f"Stored now: {', '.join(expected) or '—'}"
    assert form_on(answer).values.getlist("tags") == [str(tags[2].id)]
    assert tags_of(app) == expected

    again = form_on(answer)
    saved = client.post(again.action, data=again.values)

    assert (saved.status_code, tags_of(app)) == (302, ["Wet"])


@pytest.mark.parametrize(
    ("typed", "messages"),
    [
        ({"row": "-1"}, {"row": "No es una opción válida."}),
        ({"place": "100"}, {"place": "From 0 on. To 99."}),
        (
            {"row": "-1", "place": "100"},
            {"row": "No es una opción válida.", "place": "From 0 on. To 99."},
        ),
    ],
    ids=["ValueError", "ValidationError", "both"],
)
def test_what_the_model_refuses_is_told_at_its_field(client, app, crate, typed, messages):
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "es"

    answer = submit(client, crate, note="Typed", **typed)

    shown = form_on(answer).values.to_dict()
    assert answer.status_code == 422
    assert errors_on(answer) == messages
    assert {name: shown[name] for name in typed} == typed
    with app.app_context():
        [stored] = db.session.scalars(select(Crate))
    assert (shown["note"], stored.note, stored.row, stored.place) == ("Typed", None, 1, 1)

    mended = {**shown, "row": "5", "place": "6"}
    assert client.post(crate, data=mended).status_code == 302


def test_a_refusal_of_the_model_that_no_view_looks_for_saves_nothing(app):
    with app.test_request_context(method="POST"):
        form = CrateForm(MultiDict({"row": "-1", "place": "1"}), meta={"csrf": False})
        form.populate_obj(Crate())

        with pytest.raises(ValidationError, match="Not a valid choice"):
            db.session.commit()


def test_a_refusal_of_the_model_is_told_without_a_form_too(app, isolated):
    with app.test_request_context(method="POST"):
        form = CrateForm(MultiDict({"row": "-1", "place": "1"}), meta={"csrf": False})
        form.populate_obj(Crate())
        with database_rules():
            db.session.commit()

        assert get_flashed_messages() == ["Not a valid choice."]


def test_a_refusal_ends_with_its_transaction(app, isolated):
    with app.test_request_context(method="POST"):
        form = CrateForm(MultiDict({"row": "-1", "place": "1"}), meta={"csrf": False})
        form.populate_obj(Crate())
        form.populate_obj(Crate())
        db.session.rollback()
        db.session.add(Tag(name="Audit"))

        db.session.commit()


def test_what_a_filter_refuses_of_what_is_stored_can_be_mended(app):
    class DigitsForm(ModelForm):
        note = StringField(filters=[lambda text: text and str(int(text))])

        class Meta:
            model = Thing
            fields = ("note",)

    with app.test_request_context(method="POST"):
        thing = Thing(note="12-34")
        DigitsForm(MultiDict({"note": "55"}), meta={"csrf": False}).populate_obj(thing)

        assert thing.note == "55"


class LoginForm(FlaskForm):
    """A form of no model, with names that the macro might take for something else."""

    visible = StringField("Name", [DataRequired()])
    key = PasswordField("Password", description="Keep it.")
    remember = BooleanField("Remember me")
    next = HiddenField()
    submit = SubmitField("Go")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_form_of_no_model_is_rendered(app, method):
    macro = '{% from "macros/form.html" import render_form %}{{ render_form(form, "/", "Enter") }}'

    with app.test_request_context(method=method):
        form = LoginForm()
        form.validate_on_submit()
        page = Reader(render_template_string(macro, form=form))

    [sent] = page.forms
    labels = [own["for"] for tag, own in page.tags if tag == "label"]
    focused = [own["name"] for _, own in page.tags if "autofocus" in own]
    assert set(sent.values) == {"csrf_token", "_lang", "next", "visible", "key"}
    assert labels == ["visible", "key", "remember"]
    assert page.tag("input", id="key")["aria-describedby"] == "key-help"
    assert page.tag("input", id="submit")["class"] == "btn btn-primary"
    assert focused == (["visible"] if method == "POST" else [])
    assert not [own for tag, own in page.tags if tag == "a"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_expired_form_takes_what_was_typed_whatever_the_method_is_treated_as(app, method):
    with app.test_request_context(method=method, data={"visible": "Ana"}):
        g.expired = request.form
        typed, explicit = LoginForm(), LoginForm(formdata=None)

    assert (typed.visible.data, explicit.visible.data) == ("Ana", None)


def test_the_page_of_an_expired_form_is_never_run_as_a_post(client, app, monkeypatch):
    seen = []
    monkeypatch.setitem(
        app.view_functions, "sample.thing_new", lambda: seen.append(request.method) or "A page."
    )

    answer = client.post("/sample/things", data={"name": "Key"})

    assert (answer.status_code, answer.text, seen) == (400, "A page.", ["GET"])


def test_a_decimal_that_sqlite_cannot_keep_is_told_in_the_form(make_app):
    with make_app(["tests.sample"], DATABASE_URL="sqlite://").test_request_context(method="POST"):
        form = BoxForm(meta={"csrf": False})
        with database_rules(form):
            db.session.execute(select(bindparam("n", Decimal("1" * 18), Numeric(20, 2))))

    assert form.form_errors == ["A value is too long or out of range."]


def test_a_plain_form_within_another_speaks_the_readers_language(app):
    class Street(Form):
        street = StringField(validators=[InputRequired()])

    class Address(FlaskForm):
        inner = FormField(Street)

    with app.test_request_context(headers={"Accept-Language": "es"}, method="POST"):
        form = Address(MultiDict({"x": "y"}), meta={"csrf": False})
        form.validate()

    assert form.inner.street.errors == ["Este campo es obligatorio."]
    alone = Street(MultiDict())
    assert not alone.validate()
