"""Plans write what dump() writes: over generated schemas and rows, on each engine."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import NamedTuple
from uuid import UUID

import pytest
from marshmallow import fields, post_dump
from marshmallow_sqlalchemy.fields import Nested

from core.plan import Plan, plan_of
from core.schemas import ExactDecimal, Interval, ISODateTime, Schema, String
from services import db
from tests.kinds.comparing import both
from tests.kinds.models import EXPRESSIONS, Level, Phase, Record
from tests.kinds.schemas import HookedPlaceSchema, PlaceSchema, RecordSchema, Shout
from tests.kinds.storing import app_with_places, flush
from tests.project import ENGINES

hypothesis = pytest.importorskip("hypothesis", reason="the checks' requirements have it")
st = hypothesis.strategies

# Whole records, with which rows are compared here, ask for what belongs to each.
pytestmark = pytest.mark.repeats_queries
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


class Odd(NamedTuple):
    """A maker of a field that has no plan."""

    make: object


NUMBERS = [
    fields.Integer,
    partial(fields.Integer, as_string=True),
    fields.Float,
    fields.Decimal,
    ExactDecimal,
    partial(ExactDecimal, 1),
    partial(ExactDecimal, 2),
    fields.String,
    fields.Raw,
    fields.Boolean,
]
FIELDS = {
    "id": NUMBERS,
    "name": [String, fields.String, fields.Email, fields.Url, fields.Raw, Odd(Shout)],
    "note": [String, fields.String, Odd(partial(fields.Constant, 5)), Odd(Shout)],
    "whole": NUMBERS,
    "big": NUMBERS,
    "exact": [*NUMBERS[2:], partial(fields.Decimal, 1, as_string=True)],
    "vast": NUMBERS[2:],
    "brief": NUMBERS[2:],
    "ratio": [*NUMBERS[2:], partial(fields.Float, as_string=True)],
    "rough": NUMBERS[2:],
    "day": [fields.Date, partial(fields.Date, format="%d.%m.%Y"), fields.Raw],
    "moment": [
        ISODateTime,
        fields.DateTime,
        partial(fields.DateTime, format="rfc"),
        partial(fields.DateTime, format="timestamp_ms"),
        partial(fields.AwareDateTime, format="%Y"),
        fields.NaiveDateTime,
        fields.Raw,
        Odd(partial(fields.Method, "shown_moment")),
    ],
    "clock": [fields.Time, partial(fields.Time, format="%H:%M"), fields.String],
    "span": [Interval, fields.TimeDelta, partial(fields.TimeDelta, "days")],
    "flag": [fields.Boolean, fields.Raw, fields.String],
    "phase": [partial(fields.Enum, Phase), partial(fields.Enum, Phase, by_value=True)],
    "level": [partial(fields.Enum, Level, by_value=True), partial(fields.Enum, Level)],
    "word": [fields.String, fields.Raw, Odd(partial(fields.Function, lambda one: one.word))],
    "token": [fields.UUID, fields.String, fields.Raw],
    "data": [fields.Raw, Odd(fields.Dict)],
    "shout": [fields.String, fields.Raw],
    "double": [ExactDecimal, fields.Decimal, fields.Float],
    "rest": [fields.Integer, fields.String],
    "home": [
        partial(fields.Nested, PlaceSchema),
        partial(Nested, PlaceSchema, exclude=("name", "region.name")),
        partial(fields.Nested, lambda: PlaceSchema(only=("id",))),
        Odd(partial(fields.Nested, HookedPlaceSchema)),
        Odd(partial(fields.Pluck, PlaceSchema, "name")),
    ],
    "spot": [
        partial(fields.Nested, PlaceSchema),
        partial(fields.Nested, PlaceSchema, only=("name", "region.id")),
        partial(Nested, PlaceSchema(only=("height",))),
    ],
    "parent": [
        partial(fields.Nested, lambda: RecordSchema(only=("id", "spelt", "moment", "exact"))),
        partial(fields.Nested, RecordSchema, exclude=("spelt",)),
    ],
    "children": [Odd(partial(fields.List, fields.Nested(RecordSchema(only=("id",)))))],
}
COLUMNS = [*EXPRESSIONS, *(name for name in FIELDS if name in Record.__table__.c)]


@st.composite
def made_fields(draw):
    """Fields by their names: an attribute's own or another, with another key or not."""
    made = {}
    is_known = True
    for attribute in draw(st.lists(st.sampled_from([*FIELDS]), min_size=1, unique=True)):
        maker = draw(st.sampled_from(FIELDS[attribute]))
        odd = isinstance(maker, Odd)
        if odd and not draw(st.booleans()):
            continue
        name, options = attribute, {}
        if draw(st.booleans()):
            name = f"{attribute}_shown"
            options["attribute"] = attribute
        if draw(st.booleans()):
            options["data_key"] = draw(st.sampled_from([f"key of {name}", f'{name}\'s "ñ" \\']))
        role = draw(st.sampled_from(["both", "both", "dump_only", "load_only"]))
        if role != "both":
            options[role] = True
        is_known = is_known and not odd
        made[name] = (maker.make if odd else maker)(**options)
    return made, is_known


@st.composite
def schemas(draw):
    """A schema of Record, what of it is asked for, and whether it should have a plan."""
    made, is_known = draw(made_fields())
    taken = {name.removesuffix("_shown") for name in made}
    free = [name for name in COLUMNS if name not in taken]
    automatic = draw(st.lists(st.sampled_from(free), unique=True)) if free else []

    class Meta(Schema.Meta):
        model = Record
        register = False
        fields = tuple(dict.fromkeys([*made, *automatic]))

    body = {"Meta": Meta, "shown_moment": lambda self, one: one.name, **made}
    if hooked := draw(st.sampled_from([False] * 7 + [True])):
        body["add"] = post_dump(lambda self, data, **kwargs: {**data, "added": True})
    schema = type("Generated", (Schema,), body)
    shown = [*schema().dump_fields]
    hypothesis.assume(shown)
    names = st.lists(st.sampled_from(shown), min_size=1, unique=True)
    options = draw(
        st.sampled_from([{}, {}, {"only": tuple(draw(names))}, {"exclude": tuple(draw(names))}])
    )
    one = schema(**options)
    hypothesis.assume(one.dump_fields)
    sparse = draw(st.none() | st.lists(st.sampled_from([*one.dump_fields]), min_size=1))
    asked = sparse if sparse is None else tuple(sorted(set(sparse)))
    # What is left out may have been what no plan knows.
    return one, asked, is_known and not hooked


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
MOMENTS = st.datetimes(
    MOMENT.replace(year=1001, tzinfo=None),
    MOMENT.replace(year=9998, tzinfo=None),
    timezones=st.just(UTC),
)
VALUES = {
    "note": TEXTS,
    "whole": st.integers(-(2**31) + 1, 2**31 - 1),
    "big": st.integers(-(2**63) + 1, 2**63 - 1),
    "exact": st.decimals("-99999", "99999", places=2),
    "vast": st.decimals("-99999999999", "99999999999", places=4),
    "brief": st.floats(-1e6, 1e6, width=32),
    "ratio": st.floats(-1e15, 1e15),
    "rough": st.floats(-99999, 99999),
    "day": st.dates(date(1001, 1, 1)),
    "moment": MOMENTS,
    "clock": st.times(),
    "span": st.timedeltas(timedelta(days=-9999), timedelta(days=9999)),
    "flag": st.booleans(),
    "phase": st.sampled_from(Phase),
    "level": st.sampled_from(Level),
    "word": st.sampled_from(["red", "blue"]),
    # MariaDB refuses what is no UUID of a known version.
    "token": st.uuids(version=4),
    "data": st.dictionaries(TEXTS, st.integers(-5, 5), max_size=2),
    "spot_id": st.integers(1, 3),
}
ROWS = st.lists(
    st.fixed_dictionaries(
        {"name": TEXTS, "home_id": st.integers(1, 3)},
        optional={name: st.none() | values for name, values in VALUES.items()},
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module", params=ENGINES)
def app(request, tmp_path_factory):
    """An application with three places and no records, on each engine with a server."""
    with app_with_places(request.param, tmp_path_factory.mktemp("kinds")) as application:
        yield application


EMPTY = {"name": "", "home_id": 1}
FULL = {
    "name": "Ñandú \U0001f58b",
    "home_id": 3,
    "note": '"\\\n\u2028',
    "whole": -7,
    "big": 2**63 - 1,
    "exact": Decimal("12.50"),
    "rough": 12.5,
    "vast": Decimal("12345678901.2345"),
    "brief": 0.25,
    "ratio": 0.1 + 0.2,
    "day": date(2024, 2, 29),
    "moment": MOMENT,
    "clock": time(23, 59, 58, 7),
    "span": timedelta(hours=40),
    "level": Level.HIGH,
    "flag": True,
    "phase": Phase.WELL_USED,
    "word": "red",
    "token": UUID(int=2**127 + 2**78),
    "data": {"ñ": [1, None]},
    "spot_id": 2,
}


def settings(examples, **others):
    return hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        # The application of the module serves all examples; each rolls back what it stored.
        suppress_health_check=[*hypothesis.HealthCheck],
        **others,
    )


def holds(app, case, rows):
    schema, shown, is_known = case
    with app.test_request_context():
        previous = None
        for number, row in enumerate(rows):
            record = Record(**row, parent=previous if number % 2 else None)
            flush(record)
            previous = record
        db.session.expunge_all()

        planned, dumped = both(schema, shown)

        db.session.rollback()
    assert planned == dumped
    assert isinstance(plan_of(schema, shown), Plan) or not is_known


@settings(60, derandomize=True)
@hypothesis.given(schemas(), ROWS)
def test_a_plan_writes_what_dump_writes(app, case, rows):
    hypothesis.note({name: type(field) for name, field in case[0].dump_fields.items()})
    holds(app, case, [FULL, *rows])


@pytest.mark.parametrize("attribute", FIELDS)
def test_each_field_alone_writes_what_it_writes_in_dump(app, attribute):
    for maker in FIELDS[attribute]:
        odd = isinstance(maker, Odd)

        class Meta(Schema.Meta):
            model = Record
            register = False
            fields = (attribute,)

        body = {"Meta": Meta, "shown_moment": lambda self, one: one.name}
        made = (maker.make if odd else maker)()
        schema = type("Alone", (Schema,), {**body, attribute: made})()
        holds(app, (schema, None, not odd), [FULL, EMPTY, {**FULL, "exact": Decimal("-0.05")}])


@pytest.mark.slow
@settings(2000)
@hypothesis.given(schemas(), ROWS)
def test_a_plan_writes_what_dump_writes_over_thousands_of_schemas(app, case, rows):
    hypothesis.note({name: type(field) for name, field in case[0].dump_fields.items()})
    holds(app, case, [FULL, *rows])
