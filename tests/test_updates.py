"""A change that one statement stores is the change that the session would store."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Response, current_app
from marshmallow import ValidationError, validates
from marshmallow_sqlalchemy.fields import Nested
from sqlalchemy import delete, event, func
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import NotFound, PreconditionFailed

from core.rest import item, update
from core.schemas import Schema
from core.updates import _is_compared, update_of
from services import db
from tests.kinds.models import Counted, Place, Record, Scooter, Tidy, Truck
from tests.kinds.schemas import PlaceSchema
from tests.kinds.storing import app_with_places, clear
from tests.project import ENGINES
from tests.test_inserts import (
    EMPTY,
    FULL,
    CarefulSchema,
    FilledSchema,
    WholeSchema,
    listening,
)

# Unwatched, so that statements that are kept take their short way (core/reads.py).
pytestmark = pytest.mark.repeats_queries

JSON = ("data", "tree")
REALS = ("brief", "thin")
CHANGES = {
    "one": {"name": "other"},
    "to null": {"note": None, "exact": None},
    "all": {name: value for name, value in FULL.items() if name not in (*JSON, *REALS)},
    "all to null": {name: value for name, value in EMPTY.items() if name not in (*JSON, *REALS)},
}


class Loose(sa.TypeDecorator[Any]):
    """A type of a module, which may store what it likes."""

    impl = sa.String
    cache_ok = True


class Trimmed(sa.String):
    """A type of a module that stores other texts than it is given."""


class CountedSchema(Schema):
    class Meta(Schema.Meta):
        model = Counted
        include_fk = True

    place = Nested(PlaceSchema, dump_only=True)


class LookingSchema(CountedSchema):
    """Judges by what is stored."""

    @validates("name")
    def _look(self, name, **kwargs):
        if db.session.scalar(db.select(Counted.amount)) > 9:
            raise ValidationError("Too many.")


class TidySchema(Schema):
    class Meta(Schema.Meta):
        model = Tidy


@pytest.fixture(scope="module", params=ENGINES)
def app(request, tmp_path_factory):
    """An application with three places, whose commits all connections see."""
    with app_with_places(request.param, tmp_path_factory.mktemp("updates")) as application:
        yield application


@pytest.fixture
def patching(app):
    """A request that changes something."""
    with app.test_request_context(method="PATCH"):
        yield
        db.session.rollback()
        db.session.execute(delete(Counted))
        db.session.commit()
    clear(app)


def saved(record: Any) -> int:
    """Store a record as another request did; return its key."""
    db.session.add(record)
    db.session.commit()
    key = int(record.id)
    db.session.remove()
    return key


def changed(
    schema: Schema, key: int, data: Any, partial: bool = False, headers: Any = None
) -> Response:
    """Answer a request with this body, in the session at hand."""
    with current_app.test_request_context(method="PATCH", json=data, headers=headers):
        return update(schema, key, partial)


def row(model: Any, key: int) -> dict[str, Any]:
    """Return what is stored, as another request sees it."""
    db.session.remove()
    record = db.session.get(model, key)
    values = {column.key: getattr(record, column.key) for column in model.__table__.c}
    db.session.remove()
    return values


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_what_is_stored_and_answered_is_what_the_session_would(patching, changes):
    schema = WholeSchema()
    # Bodies carry texts; what they mean is no matter here.
    schema.changes = lambda data, partial: dict(changes)
    start = {"name": "x", "home_id": 2, "note": "before", "exact": 1, "data": [1]}
    one, other = saved(Record(**start)), saved(Record(**start))

    answer = changed(schema, one, {}, partial=True)
    by_session = db.session.get(Record, other)
    for name, value in changes.items():
        setattr(by_session, name, value)
    db.session.commit()

    read = item(schema, one)
    assert (answer.get_data(), answer.get_etag()) == (read.get_data(), read.get_etag())
    assert row(Record, one) | {"id": other} == row(Record, other)


def test_on_postgresql_it_takes_one_statement_and_elsewhere_the_session(patching, queries):
    key = saved(Counted(name="x"))

    with queries() as seen:
        changed(CountedSchema(), key, {"name": "y"}, partial=True)

    is_postgresql = db.engine.dialect.name == "postgresql"
    assert (len(seen) == 1) is is_postgresql
    assert ("UPDATE" in seen[0]) is is_postgresql


def test_a_change_counts_and_sets_what_each_change_sets(patching):
    key = saved(Counted(name="x", place_id=1))
    before = row(Counted, key)

    data = changed(CountedSchema(), key, {"name": "y", "place_id": 2}, partial=True).json["data"]

    after = row(Counted, key)
    differing = {name for name in after if after[name] != before[name]}
    assert differing == {"name", "place_id", "version", "updated_at", "token"}
    assert after["version"] == before["version"] + 1
    assert (data["version"], data["token"]) == (after["version"], after["token"])
    assert data["place"]["name"] == "Lima"


def test_what_changes_nothing_counts_nothing(patching):
    key = saved(Counted(name="x"))
    before = row(Counted, key)

    answer = changed(CountedSchema(), key, {"name": "x"}, partial=True)

    assert row(Counted, key) == before
    assert answer.json["data"]["version"] == before["version"]


def test_a_body_without_fields_changes_nothing(patching):
    key = saved(Counted(name="x"))
    before = row(Counted, key)

    answer = changed(CountedSchema(), key, {}, partial=True)

    assert answer.status_code == 200
    assert row(Counted, key) == before


def test_a_put_replaces_all_fields(patching):
    key = saved(Counted(name="x", new_name="y", amount=9, place_id=1))

    answer = changed(CountedSchema(), key, {"name": "z"})

    after = row(Counted, key)
    assert (after["name"], after["new_name"], after["place_id"]) == ("z", "none", None)
    # What the database alone gives.
    assert after["amount"] == answer.json["data"]["amount"] == 7


def test_what_is_not_there_is_not_found(patching):
    for key in (1, 0):
        with pytest.raises(NotFound):
            changed(CountedSchema(), key, {"name": "x"}, partial=True)


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
def test_another_state_than_the_client_means_stays(patching, header):
    key = saved(Counted(name="x"))
    tag = item(CountedSchema(), key).headers["ETag"]
    headers = {header: '"another"' if header == "If-Match" else tag}

    with pytest.raises(PreconditionFailed):
        changed(CountedSchema(), key, {"name": "y"}, partial=True, headers=headers)

    assert row(Counted, key)["name"] == "x"


def test_the_state_that_the_client_means_is_changed(patching):
    key = saved(Counted(name="x"))
    tag = item(CountedSchema(), key).headers["ETag"]

    answer = changed(CountedSchema(), key, {"name": "y"}, partial=True, headers={"If-Match": tag})

    assert answer.json["data"]["name"] == "y"
    assert answer.headers["ETag"] != tag


def test_a_record_that_calls_itself_empty_is_there(patching, monkeypatch):
    monkeypatch.setattr(Counted, "__len__", lambda record: 0, raising=False)
    key = saved(Counted(name="x"))
    tag = item(CountedSchema(), key).headers["ETag"]

    answer = changed(CountedSchema(), key, {"name": "y"}, headers={"If-Match": tag})

    assert answer.status_code == 200


def test_what_the_handler_has_set_already_stays(patching):
    key = saved(Place(id=99, name="own"))
    tag = item(PlaceSchema(), key).headers["ETag"]
    place = db.session.get(Place, key)
    place.region_id = 1

    changed(PlaceSchema(), key, {"name": "other"}, partial=True, headers={"If-Match": tag})

    stored = row(Place, key)
    db.session.execute(delete(Place).where(Place.id == key))
    db.session.commit()
    assert (stored["name"], stored["region_id"]) == ("other", 1)


@pytest.mark.parametrize("data", [{"name": 5}, []], ids=["value", "list"])
def test_what_is_not_there_is_not_found_whatever_the_body(patching, data):
    with pytest.raises(NotFound):
        changed(CountedSchema(), 1, data, partial=True)

    key = saved(Counted(name="x"))
    with pytest.raises(ValidationError):
        changed(CountedSchema(), key, data, partial=True)


def test_what_a_statement_does_not_find_is_not_there(patching):
    key = saved(Counted(name="x", place_id=1))
    mine = db.select(Counted).where(Counted.place_id == 2)

    with current_app.test_request_context(method="PATCH", json={"name": "y"}):
        with pytest.raises(NotFound):
            update(CountedSchema(), key, partial=True, statement=mine)
        assert row(Counted, key)["name"] == "x"

        # Which finds it no more afterwards.
        yours = db.select(Counted).where(Counted.name == "x")
        assert update(CountedSchema(), key, partial=True, statement=yours).status_code == 200

    assert row(Counted, key)["name"] == "y"


@pytest.mark.parametrize(
    "kind",
    [
        sa.String(4, collation="und-x-icu"),
        sa.CHAR(4),
        sa.NCHAR(4),
        sa.Uuid(as_uuid=False),
        postgresql.CITEXT(),
        sa.JSON(),
        Loose(),
        Trimmed(),
    ],
    ids=repr,
)
def test_values_that_only_postgresql_finds_equal_are_the_sessions_to_compare(kind):
    assert not _is_compared(kind)


@pytest.mark.parametrize("column", Record.__table__.c, ids=lambda column: column.name)
def test_values_of_all_other_kinds_are_compared(column):
    assert _is_compared(column.type) is (column.name not in (*JSON, *REALS))


def test_a_refused_change_leaves_all_as_it_was(patching):
    key = saved(Counted(name="x"))
    before = row(Counted, key)
    db.session.add(Record(name="before", home_id=1))

    with pytest.raises(IntegrityError):
        changed(CountedSchema(), key, {"name": "y", "place_id": 99}, partial=True)
    db.session.rollback()

    assert row(Counted, key) == before
    assert db.session.scalar(db.select(func.count()).select_from(Record)) == 0


def test_what_the_request_has_read_before_is_read_anew(patching):
    key = saved(Counted(name="x"))
    record = db.session.get(Counted, key)

    changed(CountedSchema(), key, {"name": "y"}, partial=True)

    assert (record.name, record.version) == ("y", 2)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (Counted, "before_update"),
        (Counted, "after_update"),
        (Counted.name, "set"),
        (Session, "before_flush"),
        (db.session, "after_commit"),
        (db.session, "do_orm_execute"),
    ],
    ids=["update", "updated", "set", "flush", "commit", "execute"],
)
def test_who_listens_is_told(patching, target, name):
    key = saved(Counted(name="x"))
    changed(CountedSchema(), key, {"name": "y"}, partial=True)

    with listening(target, name) as told:
        changed(CountedSchema(), key, {"name": "z"}, partial=True)

    assert told


def test_who_hides_a_record_hides_it_here_too(patching):
    key = saved(Counted(name="x"))

    def hide(state):
        if state.is_select:
            state.statement = state.statement.where(Counted.name != "x")

    event.listen(db.session, "do_orm_execute", hide)
    try:
        with pytest.raises(NotFound):
            changed(CountedSchema(), key, {"name": "y"}, partial=True)
    finally:
        event.remove(db.session, "do_orm_execute", hide)


class ScooterSchema(Schema):
    class Meta(Schema.Meta):
        model = Scooter
        fields = ("id", "name")


class TruckSchema(Schema):
    class Meta(Schema.Meta):
        model = Truck
        fields = ("id", "name", "load")


@pytest.mark.parametrize(
    ("schema", "values", "changes"),
    [
        (TruckSchema(), {"load": 1}, {"name": "y", "load": 2}),
        (ScooterSchema(), {}, {"name": "y"}),
        (CarefulSchema(), {}, {"name": "Y"}),
        (FilledSchema(), {}, {"name": "y"}),
        (WholeSchema(), {"home_id": 1}, {"name": "y", "data": {"a": 1}}),
        (WholeSchema(), {"home_id": 1}, {"name": "y", "thin": 0.1}),
        (LookingSchema(), {"amount": 1}, {"name": "y"}),
        (TidySchema(), {}, {"name": " y "}),
    ],
    ids=[
        "inherits",
        "single table",
        "validator",
        "version of its own",
        "json",
        "real",
        "hook",
        "setter",
    ],
)
def test_what_needs_more_than_a_row_is_left_to_the_session(patching, schema, values, changes):
    key = saved(schema.opts.model(name="x", **values))
    assert update_of(schema, (key,), changes) is None

    data = changed(schema, key, changes, partial=True).json["data"]

    assert data["name"].lower() == "y"
    db.session.delete(db.session.get(schema.opts.model, key))
    db.session.commit()


@pytest.mark.postgresql
@pytest.mark.parametrize("app", ["postgresql"], indirect=True)
@pytest.mark.parametrize("data", [{"amount": 2}, {"name": "z"}], ids=["another", "the same"])
def test_of_two_changes_at_the_same_moment_one_is_a_conflict(app, patching, data):
    key = saved(Counted(name="x", amount=1))

    def change():
        with app.app_context():
            changed(CountedSchema(), key, data, partial=True)

    with ThreadPoolExecutor(1) as pool, db.engine.connect() as other:
        other.execute(db.update(Counted).values(name="y", version=Counted.version + 1))
        waiting = pool.submit(change)
        with pytest.raises(TimeoutError):
            waiting.result(0.5)
        other.commit()
        with pytest.raises(StaleDataError):
            waiting.result(10)

    after = row(Counted, key)
    assert (after["name"], after["amount"], after["version"]) == ("y", 1, 2)


def test_what_the_request_has_stored_before_is_kept_if_nothing_changes(patching):
    key = saved(Counted(name="x"))
    db.session.execute(db.update(Place).where(Place.id == 3).values(height=5))

    changed(CountedSchema(), key, {"name": "x"}, partial=True)

    assert row(Place, 3)["height"] == 5


def test_a_value_that_each_change_sets_is_set_also_if_it_is_sent_as_it_was(patching):
    key = saved(Counted(name="x", token="before"))

    changed(CountedSchema(), key, {"name": "y", "token": "before"}, partial=True)

    assert row(Counted, key)["token"] != "before"


@pytest.mark.parametrize("name", ["exact", "rough", "ratio", "loose", "brief", "thin", "span"])
def test_a_number_that_is_sent_as_it_is_stored_changes_nothing(patching, name, queries):
    schema = WholeSchema()
    key = saved(Record(name="x", home_id=1, **{name: FULL[name]}))
    schema.changes = lambda data, partial: {name: FULL[name]}

    with queries() as seen:
        changed(schema, key, {}, partial=True)

    # That of PostgreSQL finds none.
    updates = [one for one in seen if "UPDATE" in one and "WITH" not in one]
    assert updates == []


def test_a_statement_may_join_what_it_asks(patching):
    key = saved(Record(name="x", home_id=3))
    schema = WholeSchema()
    schema.changes = lambda data, partial: {"name": "y"}
    found = db.select(Record).join(Record.home).where(Place.name == "Barranco")

    with current_app.test_request_context(method="PATCH", json={}):
        update(schema, key, partial=True, statement=found)

    assert row(Record, key)["name"] == "y"
