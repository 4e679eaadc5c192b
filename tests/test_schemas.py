"""What a schema makes of a body: the limits of the columns, exact decimals, times in UTC."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from marshmallow import INCLUDE, ValidationError, fields
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.exceptions import BadRequest

from core.models import Base
from core.schemas import Integer, Schema, String
from services import db
from tests.kinds.models import Careful, Derived, Order, OrderLine, Record
from tests.kinds.schemas import OrderLineSchema, OrderSchema, PlainSchema, RecordSchema
from tests.sample.models import Mood, Scan, Size, Specimen, Thing
from tests.sample.schemas import SpecimenSchema, ThingSchema


class DataSchema(Schema):
    class Meta(Schema.Meta):
        model = Record
        fields = ("data",)


def nested(levels):
    return [nested(levels - 1)] if levels else 1


SPECIMEN = {"line": "x"}
THING = {"name": "Key", "code": "K1", "price": "1.50", "box_id": 1}
LATE = timezone(timedelta(hours=-5))


def loaded(name, value):
    return SpecimenSchema().load(SPECIMEN | {name: value})[name]


@pytest.mark.parametrize(
    ("name", "sent", "expected"),
    [
        pytest.param("whole", 2**31 - 1, 2**31 - 1, id="largest-integer"),
        pytest.param("big", 2**63 - 1, 2**63 - 1, id="big-integer"),
        pytest.param("exact", "12.50", Decimal("12.50"), id="decimal"),
        pytest.param("exact", 12.5, Decimal("12.50"), id="decimal-from-a-number"),
        pytest.param("exact", "1.500", Decimal("1.50"), id="decimal-with-zeros"),
        pytest.param("exact", "1e3", Decimal("1000.00"), id="decimal-with-exponent"),
        pytest.param("exact", "-9999.99", Decimal("-9999.99"), id="smallest-decimal"),
        pytest.param("ratio", 0.1, 0.1, id="float"),
        pytest.param("day", "2024-02-29", date(2024, 2, 29), id="date"),
        pytest.param(
            "moment",
            "2026-01-02T03:04:05Z",
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            id="time-in-utc",
        ),
        pytest.param(
            "moment",
            "2026-01-02t03:04:05z",
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            id="time-in-small-letters",
        ),
        pytest.param(
            "moment",
            "2026-01-02T03:04:05-05:00",
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=LATE),
            id="time-with-offset",
        ),
        pytest.param(
            "moment",
            "2026-01-02T03:04:05",
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            id="time-without-offset",
        ),
        pytest.param("clock", "03:04:05", time(3, 4, 5), id="time-of-day"),
        pytest.param("size", "xl", Size.EXTRA_LARGE, id="enum"),
        pytest.param("mood", None, None, id="no-enum"),
        pytest.param("token", str(UUID(int=7)), UUID(int=7), id="uuid"),
        pytest.param("prose", None, None, id="no-text"),
        pytest.param("prose", "", "", id="empty-optional-text"),
    ],
)
def test_a_value_is_taken(name, sent, expected):
    value = loaded(name, sent)

    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("name", "sent", "message"),
    [
        pytest.param("line", "", "This must not be blank.", id="empty-required-text"),
        pytest.param("line", " \n ", "This must not be blank.", id="blank-required-text"),
        pytest.param("line", "\u200b \u3164", "This must not be blank.", id="invisible-text"),
        pytest.param("line", None, "Field may not be null.", id="null"),
        pytest.param("line", 5, "Not a valid string.", id="no-text"),
        pytest.param("line", "x" * 41, "Longer than maximum length 40.", id="long-text"),
        pytest.param("line", "a\x00b", "NUL characters are not allowed.", id="nul"),
        pytest.param("prose", "\ud800", "This is not valid Unicode text.", id="half-a-character"),
        pytest.param("whole", True, "Not a valid integer.", id="boolean-as-integer"),
        pytest.param("whole", 1.5, "Not a valid integer.", id="fraction"),
        pytest.param("whole", "1", "Not a valid integer.", id="text-as-integer"),
        pytest.param("exact", True, "Not a valid number.", id="boolean-as-decimal"),
        pytest.param("exact", [], "Not a valid number.", id="list-as-decimal"),
        pytest.param("exact", "a lot", "Not a valid number.", id="word-as-decimal"),
        pytest.param("exact", "1.005", "At most 2 decimal places.", id="places"),
        pytest.param("exact", "1" * 2000, "Not a valid number.", id="endless-decimal"),
        pytest.param("exact", "1e9999999", "Not a valid number.", id="huge-exponent"),
        pytest.param("exact", "-1e-9999999", "At most 2 decimal places.", id="tiny-exponent"),
        pytest.param(
            "exact",
            "NaN",
            "Not a valid number.",
            id="not-a-number",
        ),
        pytest.param(
            "exact",
            "sNaN",
            "Not a valid number.",
            id="signaling-nan",
        ),
        pytest.param(
            "ratio",
            float("inf"),
            "Special numeric values (nan or infinity) are not permitted.",
            id="infinity",
        ),
        pytest.param("day", "2023-02-29", "Not a valid date.", id="no-date"),
        pytest.param("day", 5, "Not a valid date.", id="number-as-date"),
        pytest.param("moment", "soon", "Not a valid datetime.", id="no-time"),
        pytest.param("size", "medium", "Must be one of: small, xl.", id="no-member"),
        pytest.param("size", ["xl"], "Must be one of: small, xl.", id="list-as-enum"),
        pytest.param("token", "1234", "Not a valid UUID.", id="no-uuid"),
        pytest.param("flag", "maybe", "Not a valid boolean.", id="no-boolean"),
        pytest.param("exact", "1_0", "Not a valid number.", id="decimal-with-an-underscore"),
        pytest.param("exact", " 1", "Not a valid number.", id="decimal-with-a-space"),
        pytest.param("exact", "\u0661", "Not a valid number.", id="decimal-of-other-digits"),
        pytest.param("exact", "+1", "Not a valid number.", id="decimal-with-a-plus"),
        pytest.param("ratio", "1.5", "Not a valid number.", id="text-as-float"),
        pytest.param("ratio", True, "Not a valid number.", id="boolean-as-float"),
        pytest.param("day", "20240229", "Not a valid date.", id="date-without-hyphens"),
        pytest.param("day", "2024-W09-4", "Not a valid date.", id="date-by-its-week"),
        pytest.param("moment", "20240229T000000Z", "Not a valid datetime.", id="short-time"),
        pytest.param("moment", "2024-02-29", "Not a valid datetime.", id="day-as-time"),
        pytest.param(
            "moment", "2024-02-29T00:00:00+00:60", "Not a valid datetime.", id="no-offset"
        ),
        pytest.param("clock", "0304", "Not a valid time.", id="short-time-of-day"),
        pytest.param("clock", "03:04Z", "Not a valid time.", id="time-of-day-with-offset"),
        pytest.param("token", "0" * 32, "Not a valid UUID.", id="uuid-without-hyphens"),
        pytest.param("id", 5, "This field is read-only.", id="what-the-database-sets"),
        pytest.param("doubled", 5, "This field is read-only.", id="what-the-database-computes"),
        pytest.param("colour", 5, "Unknown field.", id="unknown"),
    ],
)
def test_a_value_is_refused(name, sent, message):
    with pytest.raises(ValidationError) as caught:
        loaded(name, sent)

    assert caught.value.messages == {name: [message]}


@pytest.mark.parametrize(
    ("name", "sent", "limit"),
    [
        ("whole", 2**31, 2**31 - 1),
        ("whole", 10**30, 2**31 - 1),
        ("small", -(2**15), 2**15 - 1),
        ("big", 2**63, 2**63 - 1),
        ("exact", "10000", "9999.99"),
    ],
)
def test_a_number_beyond_its_column_is_refused(name, sent, limit):
    with pytest.raises(ValidationError) as caught:
        loaded(name, sent)

    [message] = caught.value.messages[name]
    assert f"-{limit}" in message
    assert message.endswith(f" {limit}.")


@pytest.mark.parametrize("body", [[], None, "text", 5], ids=["list", "null", "text", "number"])
def test_a_body_that_is_no_object_is_refused(body):
    with pytest.raises(ValidationError) as caught:
        SpecimenSchema().load(body)

    assert caught.value.messages == {"_schema": ["Invalid input type."]}


def test_what_is_absent_has_the_default_of_its_column():
    values = ThingSchema().load(THING)

    assert values == {
        **THING,
        "price": Decimal("1.50"),
        "amount": 0,
        "size": Size.SMALL,
        "active": False,
        "note": None,
        "shelf": None,
        "made_on": None,
    }


def test_what_the_database_fills_is_left_to_it():
    values = SpecimenSchema().load(SPECIMEN)

    assert "grade" not in values


def test_a_default_that_looks_at_the_other_values_is_left_to_the_insert():
    class DerivedSchema(Schema):
        class Meta(Schema.Meta):
            model = Derived

    assert DerivedSchema().load({"name": "Ana"}) == {"name": "Ana"}


def test_what_is_required_is_named():
    with pytest.raises(ValidationError) as caught:
        ThingSchema().load({})

    missing = ["Missing data for required field."]
    assert caught.value.messages == dict.fromkeys(("name", "code", "price", "box_id"), missing)


def test_filling_replaces_all_fields():
    thing = Thing(name="Old", code="K1", amount=7, note="Old", size=Size.EXTRA_LARGE)

    ThingSchema().fill(thing, THING)

    assert (thing.name, thing.amount, thing.note, thing.size) == ("Key", 0, None, Size.SMALL)


def test_filling_in_part_changes_the_named_fields_alone():
    thing = Thing(name="Old", code="K1", amount=7)

    ThingSchema().fill(thing, {"amount": 8}, partial=True)

    assert (thing.name, thing.code, thing.amount, thing.note) == ("Old", "K1", 8, None)


def test_what_a_validator_of_the_model_refuses_is_told_by_the_name_that_was_sent():
    class CarefulSchema(Schema):
        class Meta(Schema.Meta):
            model = Careful
            fields = ("title",)

        title = String(attribute="name")

    with pytest.raises(ValidationError) as caught:
        CarefulSchema().fill(Careful(), {"title": "Ana!"}, partial=True)

    assert caught.value.normalized_messages() == {"title": ["It shouts already."]}


def test_what_is_within_a_record_is_whole_where_the_record_is_filled_in_part():
    order = Order(number="A1")

    OrderSchema().fill(order, {"lines": [{"text": "Tea", "amount": 1}]}, partial=True)
    with pytest.raises(ValidationError) as caught:
        OrderSchema().fill(order, {"lines": [{"text": "Cup"}]}, partial=True)

    assert caught.value.messages == {"lines": {0: {"amount": ["Missing data for required field."]}}}
    assert (order.number, [line.text for line in order.lines]) == ("A1", ["Tea"])


def test_a_record_is_written_exactly():
    specimen = Specimen(
        line="Ñ",
        exact=Decimal("1.5"),
        ratio=0.1,
        day=date(2024, 2, 29),
        moment=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        clock=time(3, 4),
        size=Size.EXTRA_LARGE,
        mood=Mood.BAD,
        token=UUID(int=7),
    )

    written = SpecimenSchema().dump(specimen)

    assert {name: value for name, value in written.items() if value is not None} == {
        "line": "Ñ",
        "exact": "1.50",
        "ratio": 0.1,
        "day": "2024-02-29",
        "moment": "2026-01-02T03:04:05.000678Z",
        "clock": "03:04:00",
        "size": "xl",
        "mood": "bad",
        "token": "00000000-0000-0000-0000-000000000007",
    }


def test_a_schema_does_not_take_what_is_unknown_in_a_nested_list():
    class ManySchema(Schema):
        class Meta(Schema.Meta):
            model = Thing

    with pytest.raises(ValidationError) as caught:
        ManySchema(many=True).load([{"price": "1", "name": "x", "code": "y", "colour": "z"}])

    assert caught.value.messages == {0: {"colour": ["Unknown field."]}}


@pytest.mark.parametrize(
    ("name", "sent", "message"),
    [
        pytest.param("seal", 1, "Not a valid string.", id="number-as-bytes"),
        pytest.param("seal", "AP", "Not valid base64.", id="base64-cut-off"),
        pytest.param("seal", "A P8=", "Not valid base64.", id="base64-with-a-space"),
        pytest.param("seal", "Ñ===", "Not valid base64.", id="no-base64"),
        pytest.param("seal", "AAAA" * 101, "Longer than maximum length 300.", id="long-bytes"),
        pytest.param("word", 1, "Not a valid string.", id="number-as-plain-enum"),
        pytest.param("word", False, "Not a valid string.", id="boolean-as-plain-enum"),
        pytest.param("word", "green", "Must be one of: red, blue.", id="no-word"),
        pytest.param("level", True, "Not a valid integer.", id="boolean-as-numbered-enum"),
        pytest.param("level", 3, "Must be one of: 1, 2.", id="no-level"),
        pytest.param("span", "60", "Not a valid period of time.", id="text-as-span"),
        pytest.param("span", True, "Not a valid period of time.", id="boolean-as-span"),
        pytest.param("data", {"a": ["\ud800"]}, "This is not valid Unicode text.", id="half"),
        pytest.param("data", {"\x00": 1}, "NUL characters are not allowed.", id="nul-as-key"),
        pytest.param("data", nested(32), "This is nested too deeply.", id="deep-json"),
        pytest.param("data", ["\\\x00"], "NUL characters are not allowed.", id="nul-in-json"),
    ],
)
def test_no_kind_of_column_gets_what_its_database_refuses(name, sent, message):
    with pytest.raises(ValidationError) as caught:
        (DataSchema() if name == "data" else RecordSchema(only=(name,))).load({name: sent})

    assert caught.value.messages == {name: [message]}


@pytest.mark.parametrize(
    "sent", [nested(31), {"a": [1, 0.5, None]}, "\\u0000", ["\\", "Ñ\U0001f58b"], 10**30]
)
def test_json_is_taken_as_it_is(sent):
    assert DataSchema().load({"data": sent}) == {"data": sent}


def test_bytes_go_in_and_out_as_base64():
    schema = RecordSchema(only=("seal",))

    values = schema.load({"seal": "AP8="})

    assert values == {"seal": b"\x00\xff"}
    assert schema.dump(values) == {"seal": "AP8="}


def test_put_gives_what_the_database_alone_has_a_default_for(app, save):
    specimen = save(Specimen(line="x", grade=3))

    with app.app_context():
        record = db.session.get_one(Specimen, specimen.id)
        SpecimenSchema().fill(record, {"line": "y"}, partial=True)
        db.session.commit()
        patched = record.grade
        SpecimenSchema().fill(record, {"line": "z"})
        db.session.commit()

        assert (patched, record.grade, record.line) == (3, 7, "z")


OURS = ["created_at", "id", "updated_at", "version"]


def read_only(**options):
    """Return the names that clients may not set, by a `class Meta` that inherits nothing."""
    schema = type("OwnSchema", (Schema,), {"Meta": type("Meta", (), {"model": Thing, **options})})()
    return sorted(name for name, field in schema.fields.items() if field.dump_only)


def test_a_meta_that_forgot_its_base_has_what_stands_there():
    assert read_only() == OURS


def test_names_that_are_read_only_add_to_those_of_all_schemas():
    assert read_only(dump_only=("amount",)) == ["amount", *OURS]
    # What is not declared is not taken in either case.
    assert read_only(dump_only=()) == OURS


def test_of_what_is_read_only_a_declared_field_alone_is_taken():
    class OwnSchema(Schema):
        class Meta(Schema.Meta):
            model = Thing
            dump_only = ()

        id = Integer()

    taken = {name for name, field in OwnSchema().fields.items() if not field.dump_only}

    assert taken.isdisjoint({"created_at", "updated_at", "version"})
    assert "id" in taken


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(
            {"model": Scan, "fields": ("id", "phtoo")},
            "OwnSchema names 'phtoo', which Scan lacks; it has id, photo, meta.",
            id="typo",
        ),
        pytest.param(
            {"model": Thing, "fields": ("id", "box_id")},
            "OwnSchema has no field for 'box_id' of Thing: "
            "add include_fk = True to its class Meta.",
            id="foreign-key",
        ),
        pytest.param(
            {"model": Thing, "fields": ("id", "box")},
            "OwnSchema has no field for 'box' of Thing: declare it, box = fields.Nested(...).",
            id="relationship",
        ),
        pytest.param(
            {"fields": ("id",)},
            "OwnSchema names fields and no model: add model = ... to its class Meta.",
            id="no-model",
        ),
    ],
)
def test_a_name_without_a_field_is_refused_with_the_remedy(options, said):
    meta = type("Meta", (Schema.Meta,), options)

    with pytest.raises(LookupError) as caught:
        type("OwnSchema", (Schema,), {"Meta": meta})()

    assert str(caught.value) == said


@pytest.mark.parametrize("key", ["a/b", "/", ".", ".."])
def test_a_key_that_no_url_holds_is_refused(key):
    with pytest.raises(ValidationError, match="It stands in a URL"):
        PlainSchema().load({"code": key})


@pytest.mark.parametrize("key", ["a", "a b", "...", ".a", "año", "a%2Fb"])
def test_other_keys_are_taken(key):
    assert PlainSchema().load({"code": key}) == {"code": key}


@pytest.mark.parametrize("schema", [OrderSchema(), OrderSchema(many=True)])
def test_more_records_than_a_worker_has_time_for_are_refused_unread(schema):
    many = [{} for _ in range(10_001)]

    with pytest.raises(ValidationError) as refused:
        schema.load(many if schema.many else {"number": "1", "lines": many})

    found = refused.value.messages if schema.many else refused.value.messages["lines"]
    assert found == ["At most 10000 of them in one body."]


def test_more_fields_than_a_worker_has_time_for_are_refused_unread():
    with pytest.raises(ValidationError) as refused:
        OrderSchema().load(dict.fromkeys(map(str, range(10_001))))

    assert refused.value.messages == ["At most 10000 of them in one body."]


def test_a_natural_key_has_no_minus_for_it_stands_in_a_url():
    class Numbered(Base):
        __tablename__ = "schemas_numbered"

        number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)

    class NumberedSchema(Schema):
        class Meta(Schema.Meta):
            model = Numbered

    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        NumberedSchema().load({"number": -1})
    Base.metadata.remove(Numbered.__table__)


@pytest.mark.parametrize("option", [{"unknown": INCLUDE}, {"load_instance": True}], ids=str)
def test_options_that_would_let_clients_set_anything_are_refused(option):
    meta = type("Meta", (Schema.Meta,), {"model": Thing, **option})

    schema = type("OpenSchema", (Schema,), {"Meta": meta})
    with pytest.raises(LookupError, match=next(iter(option))):
        schema()
    with pytest.raises(LookupError, match=next(iter(option))):
        ThingSchema(**option)


def test_a_schema_that_makes_records_does_not_fill_one():
    with pytest.raises(TypeError, match="OrderLineSchema makes records"):
        OrderLineSchema().fill(OrderLine(), {"text": "Tea", "amount": 1})


@pytest.mark.parametrize(
    ("before", "after"),
    [(True, 1), ({"a": [0]}, {"a": [False]}), ({"a": 1}, {"a": 1.0}), ([1], [1, 2]), ({}, [])],
)
def test_json_changes_where_python_sees_no_difference(app, save, before, after):
    specimen = save(Specimen(line="x", extra=before))

    with app.app_context():
        found = db.session.get(Specimen, specimen.id)
        found.extra = after
        db.session.commit()
        stored = repr(found.extra)
        found.extra = after

        assert stored == repr(after)
        assert not db.session.is_modified(found)


def test_a_number_that_came_as_json_is_the_stored_one(app, save):
    specimen = save(Specimen(line="x", extra={"a": [1.5]}))

    with app.app_context():
        found = db.session.get(Specimen, specimen.id)
        found.extra = app.json.loads('{"a": [1.5]}')

        assert not db.session.is_modified(found)


def test_records_of_one_kind_within_each_other_are_refused_when_they_are_too_deep():
    class Branch(Schema):
        twigs = fields.Nested(lambda: Branch(many=True))

    def deep(levels):
        return {"twigs": [deep(levels - 1)] if levels else []}

    assert Branch().load(deep(20))
    with pytest.raises(BadRequest, match="nested too deeply"):
        Branch().load(deep(120))
