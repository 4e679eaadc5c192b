"""A decimal is stored as it was sent, or it is refused, and so is a moment: on each engine."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from flask import json
from marshmallow import ValidationError
from sqlalchemy import Numeric, bindparam, cast, func, select
from sqlalchemy.exc import StatementError

from core.fields import MOST_LEVELS
from core.schemas import Schema
from services import db
from tests.kinds.models import Record
from tests.kinds.storing import app_with_a_place
from tests.project import ENGINES

hypothesis = pytest.importorskip("hypothesis", reason="the checks' requirements have it")
st = hypothesis.strategies


DEEPEST = 1
for _ in range(MOST_LEVELS):
    DEEPEST = [DEEPEST]


class NumbersSchema(Schema):
    class Meta(Schema.Meta):
        model = Record
        fields = (
            *("exact", "vast", "whole", "ratio", "loose", "brief"),
            *("data", "moment", "clock", "span"),
        )


@pytest.fixture(scope="module", params=ENGINES)
def app(request, tmp_path_factory):
    with app_with_a_place(request.param, tmp_path_factory.mktemp("kinds")) as application:
        yield application


def stored(app, name, text):
    """Return what comes back of a number of JSON, None if it was refused."""
    with app.app_context():
        try:
            values = NumbersSchema(only=(name,)).load(json.loads(f'{{"{name}": {text}}}'))
            db.session.add(Record(name="x", home_id=1, **values))
            db.session.flush()
            found = db.session.scalar(select(getattr(Record, name)))
        except (ValueError, ValidationError, StatementError):
            found = None
        db.session.rollback()
        return found


NUMBERS = st.decimals("-9999999999999999", "9999999999999999", places=4).map(str) | st.from_regex(
    r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,22})?([eE][-+]?[0-9]{1,3})?", fullmatch=True
)


@hypothesis.settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[*hypothesis.HealthCheck],
)
@hypothesis.given(NUMBERS, st.booleans())
def test_a_decimal_comes_back_as_it_was_sent_or_is_refused(app, text, quoted):
    for name in ("exact", "vast"):
        found = stored(app, name, f'"{text}"' if quoted else text)

        assert found is None or found == Decimal(text)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        pytest.param("vast", "12345678901.2345", Decimal("12345678901.2345"), id="15-digits"),
        pytest.param("exact", "1.250e1", Decimal("12.50"), id="exponent"),
        pytest.param("exact", "12.500000000000000001", None, id="digits-beyond-a-float"),
        pytest.param("exact", "1e-400", None, id="below-a-float"),
        pytest.param("ratio", "0.1000000000000000055511151231257827", 0.1, id="long-float"),
        pytest.param("loose", "1234567.891", 1234567.891, id="float-without-a-precision"),
        pytest.param("ratio", "1e400", None, id="endless-float"),
        pytest.param("brief", "-1e-113", 0.0, id="below-a-real"),
        pytest.param("brief", "3.5e38", None, id="beyond-a-real"),
        pytest.param("whole", "7.0", 7, id="whole"),
        pytest.param("whole", "7.00000000000000000001", None, id="almost-whole"),
        pytest.param("data", '{"a": [0.5, 1e3]}', {"a": [0.5, 1000.0]}, id="json"),
        pytest.param("data", "12345678901234567890", 12345678901234567890, id="json-number"),
        pytest.param("data", f"{'[' * 31}1{']' * 31}", DEEPEST, id="deepest-json"),
        pytest.param("data", f"{'[' * 32}{']' * 32}", None, id="too-deep-json"),
    ],
)
def test_a_number_is_taken_for_what_it_is(app, name, text, expected):
    assert stored(app, name, text) == expected


def test_more_digits_than_a_float_has_are_kept_or_refused(app):
    with app.app_context():
        is_sqlite = db.engine.dialect.name == "sqlite"

    found = stored(app, "vast", "1234567890123456.7891")

    assert found == (None if is_sqlite else Decimal("1234567890123456.7891"))


@pytest.mark.parametrize("text", ["0.1", "1234.5678", "9.99", "-12.300", "123456789.012345"])
def test_fifteen_digits_come_back_whatever_the_places(app, text):
    number = Decimal(text)
    with app.app_context():
        for kind in (Numeric(38, 18), Numeric(30, 15)):
            found = db.session.scalar(select(cast(bindparam("n", number, kind), kind)))

            assert found == number
            assert -found.as_tuple().exponent == kind.scale


def test_what_is_computed_is_rounded_to_its_places(app):
    with app.app_context():
        db.session.add(Record(name="x", home_id=1, exact=Decimal(1) / 3))
        db.session.flush()

        assert db.session.scalar(select(Record.exact)) == Decimal("0.33")

        db.session.rollback()


def test_what_is_reckoned_with_is_not_rounded(app):
    with app.app_context():
        db.session.add(Record(name="x", home_id=1, exact=Decimal(200), vast=Decimal(200)))
        db.session.flush()
        reckoned = cast(Record.exact * Decimal("1.175"), Numeric(20, 4))
        above = select(func.count()).where(Record.exact > Decimal("199.999"))

        assert db.session.scalar(select(reckoned)) == 235
        assert db.session.scalar(above) == 1

        db.session.rollback()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "moment",
            '"2026-01-31T23:59:59.000001Z"',
            datetime(2026, 1, 31, 23, 59, 59, 1, tzinfo=UTC),
        ),
        ("clock", '"09:30:15.999999"', time(9, 30, 15, 999999)),
        ("span", "-90000.000001", timedelta(seconds=-90000, microseconds=-1)),
    ],
)
def test_a_time_keeps_its_microseconds(app, name, text, expected):
    assert stored(app, name, text) == expected
