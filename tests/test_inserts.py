"""A record that one statement stores is the record that the session would store."""

import uuid
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from marshmallow import ValidationError
from marshmallow_sqlalchemy.fields import Nested
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.inserts import insert_of
from core.rest import create, item
from core.schemas import Schema
from services import db
from tests.kinds.models import (
    EXPRESSIONS,
    Careful,
    Derived,
    Filled,
    Level,
    Made,
    Phase,
    Place,
    Record,
    Truck,
)
from tests.kinds.schemas import HookedPlaceSchema, PlaceSchema, RecordSchema, TruckSchema
from tests.kinds.storing import app_with_places, clear
from tests.project import ENGINES

# Unwatched, so that statements that are kept take their short way (core/reads.py).
pytestmark = pytest.mark.repeats_queries

FULL = {
    "name": "Ñandú",
    "note": "a 'quoted' %s :new_name",
    "whole": -7,
    "big": 2**62,
    "exact": Decimal("1234.50"),
    "vast": Decimal("12.0001"),
    "rough": 2.5,
    "ratio": 0.1,
    "loose": 0.1,
    "brief": 0.5,
    "thin": 0.5,
    "day": date(2026, 1, 31),
    "moment": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    "clock": time(9, 30),
    "span": timedelta(seconds=90),
    "flag": True,
    "phase": Phase.WELL_USED,
    "level": Level.HIGH,
    "word": "blue",
    "token": uuid.UUID(int=5),
    "data": {"a": [1, None, "ñ"]},
    "tree": [1],
    "seal": b"\x00\xff",
    "home_id": 3,
    "spot_id": 1,
}
LEAST = {"name": "x", "home_id": 2}
EMPTY = dict.fromkeys(FULL) | LEAST
ENDPOINT = "kinds.recorditem"
NULLS = {"id": None, "name": "x", "status": None, "code": None, "rank": None, "word": None}


class WholeSchema(Schema):
    """All columns of a record, and what it belongs to."""

    class Meta(Schema.Meta):
        model = Record
        exclude = EXPRESSIONS

    home = Nested(PlaceSchema, dump_only=True)
    spot = Nested(PlaceSchema, dump_only=True)


class FamilySchema(Schema):
    """What a record shows of another in its own table."""

    class Meta(Schema.Meta):
        model = Record

    parent = Nested(RecordSchema, dump_only=True)


class FilledSchema(Schema):
    class Meta(Schema.Meta):
        model = Filled
        exclude = ("shout",)


class CarefulSchema(Schema):
    class Meta(Schema.Meta):
        model = Careful


class DerivedSchema(Schema):
    class Meta(Schema.Meta):
        model = Derived


class MadeSchema(Schema):
    class Meta(Schema.Meta):
        model = Made


@pytest.fixture(scope="module", params=ENGINES)
def app(request, tmp_path_factory):
    """An application with three places, whose commits all connections see."""
    with app_with_places(request.param, tmp_path_factory.mktemp("inserts")) as application:
        yield application


@pytest.fixture
def posting(app):
    """A request that stores something."""
    with app.test_request_context(method="POST"):
        yield
        db.session.rollback()
    clear(app)


def number_stored(app):
    """Return how many records another connection sees."""
    db.session.rollback()
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(Record))


@contextmanager
def listening(target, name):
    """Yield what an event was told of, which is listened to in the block alone."""
    told = []

    def note(*args):
        told.append(args)

    event.listen(target, name, note)
    yield told
    event.remove(target, name, note)


@pytest.mark.parametrize("values", [FULL, LEAST, EMPTY], ids=["full", "least", "empty"])
def test_the_answer_is_that_of_a_read_afterwards(posting, values):
    schema = WholeSchema()

    made = create(schema, values, ENDPOINT)

    record_id = made.get_json()["data"]["id"]
    read = item(schema, record_id)
    assert made.status_code == 201
    assert made.headers["Location"] == f"/kinds/records/{record_id}"
    assert (made.get_data(), made.get_etag()) == (read.get_data(), read.get_etag())


@pytest.mark.parametrize("values", [FULL, LEAST, EMPTY], ids=["full", "least", "empty"])
def test_what_is_stored_is_what_the_session_stores(posting, values):
    made = create(WholeSchema(), values, ENDPOINT).get_json()["data"]
    record = Record(**values)
    db.session.add(record)
    db.session.commit()

    columns = [column for column in Record.__table__.c if column.name != "id"]
    one, other = db.session.execute(
        select(*columns).where(Record.id.in_([made["id"], record.id]))
    ).all()

    assert one == other


@pytest.mark.parametrize("values", [LEAST, EMPTY], ids=["least", "empty"])
def test_no_json_is_null(posting, values):
    create(WholeSchema(), values, ENDPOINT)
    db.session.add(Record(**values))
    # What was there is taken away.
    changed = Record(**FULL)
    db.session.add(changed)
    db.session.flush()
    WholeSchema().fill(changed, {"name": "x"})
    db.session.commit()

    is_null = Record.data.is_(None) & Record.tree.is_(None)
    assert db.session.scalars(select(is_null).order_by(Record.id)).all() == [True] * 3


def test_on_postgresql_it_takes_one_statement_and_elsewhere_the_session(app, posting, queries):
    with queries() as seen:
        create(WholeSchema(), FULL, ENDPOINT)

    is_postgresql = db.engine.dialect.name == "postgresql"
    assert (len(seen) == 1) is is_postgresql
    assert ("WITH" in seen[0]) is is_postgresql


def test_it_is_stored_when_the_answer_is_there(app, posting):
    create(RecordSchema(), LEAST, ENDPOINT)

    assert number_stored(app) == 1


def test_what_the_request_has_read_or_stored_before_stays_in_one_transaction(app, posting):
    db.session.get(Place, 1)
    create(RecordSchema(), LEAST, ENDPOINT)
    db.session.add(Record(name="before", home_id=1))
    create(RecordSchema(), LEAST, ENDPOINT)

    assert number_stored(app) == 3


def test_a_refused_record_takes_back_what_was_stored_before_it(app, posting):
    db.session.add(Record(name="before", home_id=1))
    with pytest.raises(IntegrityError):
        create(RecordSchema(), LEAST | {"home_id": 99}, ENDPOINT)

    assert number_stored(app) == 0


def test_a_record_that_refers_to_nothing_is_refused(app, posting):
    with pytest.raises(IntegrityError):
        create(WholeSchema(), LEAST | {"home_id": 99}, ENDPOINT)
    db.session.rollback()

    create(WholeSchema(), LEAST, ENDPOINT)
    assert number_stored(app) == 1


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (Record, "before_insert"),
        (Record, "after_insert"),
        (Record.name, "set"),
        (Record, "init"),
        (Session, "before_flush"),
        (Session, "after_transaction_create"),
        (db.session, "after_commit"),
        (db.session, "after_begin"),
    ],
    ids=["insert", "inserted", "set", "init", "flush", "transaction", "commit", "begin"],
)
def test_who_listens_is_told(posting, target, name):
    schema = RecordSchema()
    create(schema, LEAST, ENDPOINT)

    with listening(target, name) as told:
        create(schema, LEAST, ENDPOINT)

    assert told


def test_who_listens_to_one_session_is_told(posting):
    with listening(db.session(), "before_flush") as told:
        create(RecordSchema(), LEAST, ENDPOINT)

    assert told


@pytest.mark.parametrize(
    "values",
    [{"name": "x"}, NULLS, {"name": "x", "new_name": "y", "status": "old", "rank": 1}],
    ids=["absent", "null", "given"],
)
def test_what_nobody_gives_is_what_the_session_would_give(posting, values):
    schema, made_up = FilledSchema(), {"id", "mark"} | ({"code"} - values.keys())
    is_postgresql = db.engine.dialect.name == "postgresql"

    made = create(schema, values, ENDPOINT).get_json()["data"]
    record = Filled(**values)
    db.session.add(record)
    db.session.commit()
    stored = schema.dump(record)
    db.session.rollback()

    assert (insert_of(schema, values) is not None) is is_postgresql
    assert made.keys() == stored.keys()
    assert {name for name in made if made[name] != stored[name]} == made_up


def test_a_null_is_no_default(posting):
    made = create(FilledSchema(), NULLS, ENDPOINT).get_json()["data"]

    assert (made["status"], made["code"], made["rank"]) == (None, None, None)


@pytest.mark.parametrize("name", ["mark", "code"])
def test_what_a_function_makes_is_made_for_each_record(posting, name):
    schema = FilledSchema()

    made = {create(schema, {"name": "x"}, ENDPOINT).get_json()["data"][name] for _ in range(3)}

    assert len(made) == 3


def test_a_record_that_belongs_to_itself_is_shown_as_such(posting):
    data = create(FamilySchema(), LEAST | {"id": 50, "parent_id": 50}, ENDPOINT).get_json()["data"]

    assert data["parent"]["id"] == 50
    db.session.rollback()
    db.session.get(Record, 50).parent_id = None
    db.session.commit()


def test_a_validator_and_a_constructor_are_called(posting):
    careful = create(CarefulSchema(), {"name": "ana"}, ENDPOINT).get_json()["data"]
    made = create(MadeSchema(), {"name": "ana"}, ENDPOINT).get_json()["data"]

    assert (careful["name"], made["name"]) == ("ANA", "ana!")


def test_what_a_validator_refuses_is_told_at_its_field(posting):
    with pytest.raises(ValidationError) as caught:
        create(CarefulSchema(), {"name": "ana!"}, ENDPOINT)

    assert caught.value.normalized_messages() == {"name": ["It shouts already."]}


def test_an_error_of_a_constructor_is_none_of_the_body(posting):
    with pytest.raises(ValueError, match="No fault"):
        create(MadeSchema(), {"name": "faulty"}, ENDPOINT)


def test_a_default_sees_the_other_values(posting):
    data = create(DerivedSchema(), {"name": "Ana"}, ENDPOINT).get_json()["data"]

    assert data["slug"] == "ana"


def test_an_expression_of_sql_is_stored_as_what_it_is_worth(posting):
    data = create(RecordSchema(), LEAST | {"whole": func.length("abc")}, ENDPOINT).get_json()

    assert data["data"]["whole"] == 3


def test_related_records_can_be_given(posting):
    home = db.session.get(Place, 3)

    data = create(WholeSchema(), {"name": "x", "home": home}, ENDPOINT).get_json()["data"]

    assert data["home"]["name"] == "Barranco"


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        (TruckSchema(), {"name": "x", "load": 3}),
        (HookedPlaceSchema(), {"id": 9, "name": "x"}),
        (FilledSchema(), {"name": "x", "shout": "Y"}),
    ],
    ids=["inherits", "hooks", "expression"],
)
def test_what_needs_more_than_a_row_is_left_to_the_session(posting, schema, data):
    assert insert_of(schema, data) is None

    answer = create(schema, data, ENDPOINT).get_json()["data"]

    assert answer["name"] == "x"
    db.session.delete(db.session.get(schema.opts.model, answer["id"]))
    db.session.commit()


def test_a_truck_is_stored_in_both_tables(posting):
    data = create(TruckSchema(), {"name": "x", "load": 3}, ENDPOINT).get_json()["data"]

    truck = db.session.get(Truck, data["id"])
    assert (truck.kind, truck.load) == ("truck", 3)
    db.session.delete(truck)
    db.session.commit()
