"""What a plan reads and writes on each engine, and what has none."""

from decimal import Decimal

import pytest
from marshmallow import fields
from sqlalchemy import event, select
from sqlalchemy.orm import selectinload, with_loader_criteria

from core.listing import Query, listing_of
from core.paging import ListPage
from core.plan import Dump, Plan, plan_of
from core.rows import rows_of
from core.schemas import Schema, String
from services import db
from tests.kinds.comparing import both
from tests.kinds.models import Place, Record, Scooter, Sign, Truck, Vehicle
from tests.kinds.schemas import (
    HookedPlaceSchema,
    LoudSchema,
    PlaceSchema,
    RecordSchema,
    ScooterSchema,
    Shout,
    TruckSchema,
)
from tests.kinds.storing import app_with_places, flush
from tests.project import ENGINES
from tests.sample.schemas import BoxSchema, SpecimenSchema, ThingSchema

# Whole records, with which rows are compared here, ask for what belongs to each.
pytestmark = pytest.mark.repeats_queries


@pytest.fixture(scope="module", params=ENGINES)
def app(request, tmp_path_factory):
    """An application with three places and no records, on each engine with a server."""
    with app_with_places(request.param, tmp_path_factory.mktemp("kinds")) as application:
        yield application


@pytest.fixture
def isolated(app):
    """What a test stores is never committed."""
    with app.test_request_context():
        yield
        db.session.rollback()


@pytest.fixture
def statements(app, isolated):
    """The selects that the test sends from here on."""
    seen = []

    def note(connection, cursor, statement, *others):
        if statement.startswith("SELECT"):
            seen.append(" ".join(statement.split()))

    event.listen(db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine, "before_cursor_execute", note)


def test_a_plan_reads_the_columns_it_shows_and_no_others(statements):
    plan = plan_of(RecordSchema(only=("name", "exact")))

    plan.fetch(plan.select(select(Record)), {})

    (statement,) = statements
    assert statement == "SELECT kinds_record.name, kinds_record.exact FROM kinds_record"


def test_what_is_not_asked_for_is_not_read(statements):
    plan = plan_of(RecordSchema(), ("day",), ("id",))

    plan.fetch(plan.select(select(Record)), {})

    (statement,) = statements
    assert statement == "SELECT kinds_record.day, kinds_record.id FROM kinds_record"


def test_nested_schemas_are_read_in_the_same_statement(statements):
    flush(Record(id=1, name="a", home_id=3), Record(id=2, name="b", home_id=1, parent_id=1))
    statements.clear()
    schema = _schema(
        home=fields.Nested(PlaceSchema),
        parent=fields.Nested(_schema(name=String(), spot=fields.Nested(PlaceSchema))),
    )
    plan = plan_of(schema)

    written = plan.write(plan.fetch(plan.select(select(Record).order_by(Record.id)), {}))

    assert len(statements) == 1
    assert written[0]["home"]["region"] == {"id": 2, "name": "Lima", "height": "161.00"}
    assert [one["parent"] for one in written] == [None, {"name": "a", "spot": None}]


def _schema(model=Record, **made):
    class Meta(Schema.Meta):
        fields = tuple(made)
        register = False

    Meta.model = model
    return type("Made", (Schema,), {"Meta": Meta, **made})()


def test_a_relation_that_may_be_absent_takes_no_row_away(isolated):
    flush(Record(name="a", home_id=1), Record(name="b", home_id=1, spot_id=2))

    planned, dumped = both(_schema(name=String(), spot=fields.Nested(PlaceSchema)))

    assert planned == dumped
    assert planned.count(b'"name"') == 2 + 2


def test_a_record_on_the_other_side_of_a_key_takes_no_row_away(isolated):
    sign = fields.Nested(_schema(Sign, text=String()))

    schema = _schema(Place, name=String(), sign=sign)
    planned, dumped = both(schema)

    assert planned == dumped
    # A join might bring several of them, if no constraint forbids it.
    assert isinstance(plan_of(schema), Dump)
    assert planned.count(b'"sign"') == 3


@pytest.mark.parametrize(
    ("schema", "records"),
    [
        pytest.param(TruckSchema(), 1, id="a-table-of-its-own"),
        pytest.param(ScooterSchema(), 2, id="in-its-parents-table"),
    ],
)
def test_a_subclass_shows_its_own_rows(isolated, schema, records):
    flush(Vehicle(name="V"), Truck(name="T", load=3), Scooter(name="S"), Scooter(name="T"))

    planned, dumped = both(schema)

    assert planned == dumped
    assert planned.count(b'"id"') == records


def test_what_a_statement_loads_for_dump_does_not_disturb_a_plan(isolated):
    flush(Record(name="a", home_id=1, spot_id=2))
    statement = select(Record).join(Record.home).where(Place.name == "Andes")

    planned, dumped = both(
        _schema(name=String(), home=fields.Nested(PlaceSchema)),
        statement=statement.options(selectinload(Record.spot)),
    )

    assert planned == dumped
    assert planned.startswith(b'[{"name":"a","home":{')


def test_a_record_is_found_by_its_key(isolated):
    flush(Record(id=7, name="Ñandú", home_id=1))
    schema = _schema(name=String())

    for plan in (plan_of(schema), Dump(schema, None)):
        assert plan.write(plan.find((7,))) == [{"name": "Ñandú"}]
        assert list(plan.find((8,))) == []


@pytest.mark.parametrize("shown", [("id", "loud"), ("name",), None])
def test_without_a_plan_the_same_is_left_out(isolated, shown):
    flush(Record(id=7, name="Ñandú", home_id=1))

    planned, dumped = both(LoudSchema(), shown)

    assert planned == dumped
    assert (b'"LOUD":"\xc3\x91AND\xc3\x9a"' in planned) is (shown != ("name",))


# ---- What has no plan


class OwnDumpSchema(Schema):
    class Meta(Schema.Meta):
        model = Record

    def dump(self, obj, **kwargs):
        return super().dump(obj, **kwargs)


class OwnAttributesSchema(Schema):
    class Meta(Schema.Meta):
        model = Record

    def get_attribute(self, obj, attr, default):
        return super().get_attribute(obj, attr, default)


UNKNOWN = {
    "a-method": {"one": fields.Method("dumps")},
    "a-function": {"one": fields.Function(len)},
    "a-constant": {"one": fields.Constant(1)},
    "a-field-of-its-own": {"name": Shout()},
    "a-list": {"children": fields.List(fields.Nested(PlaceSchema))},
    "many": {"children": fields.Nested(PlaceSchema, many=True)},
    "plucked": {"home": fields.Pluck(PlaceSchema, "name")},
    "a-hook-within": {"home": fields.Nested(HookedPlaceSchema)},
    "a-path": {"one": fields.String(attribute="home.name", dump_only=True)},
    "no-column": {"one": fields.String(attribute="query", dump_only=True)},
    "a-relation-as-a-text": {"home": fields.String()},
    "a-key-as-an-object": {"home_id": fields.Nested(PlaceSchema)},
}


@pytest.mark.parametrize("made", UNKNOWN.values(), ids=UNKNOWN)
def test_what_only_dump_knows_has_no_plan(app, made):
    schema = _schema(**made)

    with app.app_context():
        plan = plan_of(schema)

    assert isinstance(plan, Dump)


def test_a_decimal_is_written_without_an_exponent(app):
    numbers = [Decimal("2.50"), Decimal("1E-9"), Decimal("0E-9"), Decimal("1E+3"), None]

    with app.app_context():
        written = plan_of(RecordSchema(only=("exact",))).write([(one,) for one in numbers])

    texts = ["2.50", "0.000000001", "0.000000000", "1000", None]
    assert written == [{"exact": text} for text in texts]


@pytest.mark.parametrize("schema", [OwnDumpSchema(), OwnAttributesSchema(), HookedPlaceSchema()])
def test_a_schema_with_ways_of_its_own_has_no_plan(app, schema):
    with app.app_context():
        assert isinstance(plan_of(schema), Dump)


@pytest.mark.parametrize(
    "schema", [BoxSchema, ThingSchema, SpecimenSchema, RecordSchema, PlaceSchema]
)
def test_a_schema_of_known_fields_always_has_a_plan(app, schema):
    one = schema()

    with app.app_context():
        made = [plan_of(one), *(plan_of(one, (name,)) for name in one.dump_fields)]

    assert {type(plan) for plan in made} == {Plan}


def test_rows_reach_a_record_behind_another(app, isolated):
    db.session.add(Place(id=91, name="Dorset", region=Place(id=92, name="Wessex")))
    db.session.flush()
    rows = rows_of(Place, ("name", "region.region.name", "region.name"))

    found = rows.fetch(rows.select(select(Place).where(Place.name == "Dorset")), {})

    assert [tuple(row) for row in found] == [("Dorset", None, "Wessex")]


@pytest.fixture
def only_high(app):
    """Places without a height are hidden from every select of the session, as if deleted."""

    def hide(state):
        state.statement = state.statement.options(
            with_loader_criteria(Place, Place.height.is_not(None), include_aliases=True)
        )

    event.listen(db.session, "do_orm_execute", hide)
    yield
    event.remove(db.session, "do_orm_execute", hide)


def test_what_a_listener_hides_is_not_read_past_the_session(app, only_high):
    plan, listing = plan_of(PlaceSchema()), listing_of(Place)

    with app.test_request_context():
        found = [[len(plan.find((id,))) for id in (1, 2)]]
    with app.test_request_context():
        page = ListPage(None, listing, Query(count="exact"), plan)
        found.append([len(page.items), page.total])

    assert found == [[0, 1], [1, 1]]


def test_who_prepares_transactions_prepares_those_of_reads(app):
    begun = []

    def note(session, transaction, connection):
        begun.append(connection)

    event.listen(db.session, "after_begin", note)
    with app.test_request_context():
        plan_of(PlaceSchema()).find((1,))
    event.remove(db.session, "after_begin", note)

    assert len(begun) == 1
