"""The JSON of the project: what it writes, and that it reads nothing else."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from flask import json, jsonify


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z", id="utc"),
        pytest.param(
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-5))),
            "2026-01-02T03:04:05-05:00",
            id="offset",
        ),
        pytest.param(date(2024, 2, 29), "2024-02-29", id="date"),
        pytest.param(Decimal("12.50"), "12.50", id="decimal"),
        pytest.param(Decimal("1E+3"), "1000", id="decimal-with-exponent"),
        pytest.param(UUID(int=7), "00000000-0000-0000-0000-000000000007", id="uuid"),
    ],
)
def test_a_value_is_written_as_a_text(app, value, written):
    with app.test_request_context():
        answer = jsonify(value)

    assert answer.json == written


def test_keys_keep_their_order_and_letters_their_form(app):
    with app.app_context():
        text = json.dumps({"z": "Ñ", "a": 1})

    assert text == '{"z":"Ñ","a":1}'


def test_what_has_no_form_in_json_is_refused(app):
    with app.app_context(), pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(object())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "a": 1}', "A key stands twice in an object of the JSON."),
        ('{"b": [{"a": 1, "a": 2}]}', "A key stands twice in an object of the JSON."),
        ("[NaN]", "NaN is not JSON."),
        ("-Infinity", "-Infinity is not JSON."),
        ("[" * 100_000, "The JSON is nested too deeply."),
        ("9" * 5000, "A number is out of range."),
    ],
    ids=["duplicate-key", "duplicate-key-within", "nan", "infinity", "depth", "digits"],
)
def test_what_the_standard_library_lets_pass_is_refused(app, text, reason):
    with app.app_context(), pytest.raises(ValueError, match=f"^{reason}$"):
        json.loads(text)
