"""What routes take out of a URL, and what the API's document says of it."""

from datetime import UTC, date, datetime

import pytest
from flask import Flask, url_for
from werkzeug.exceptions import NotFound

from core.openapi.parameters import path_parameters
from core.urls import init_urls

DAY = date(2026, 1, 31)
MOMENT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


@pytest.fixture
def bare():
    """Return an app with a URL of each kind, and no view behind it."""
    app = Flask("bare")
    init_urls(app)
    app.add_url_rule("/days/<date:key>", "day")
    app.add_url_rule("/moments/<moment:key>", "moment")
    return app


@pytest.mark.parametrize(
    ("endpoint", "key", "url"),
    [
        ("day", DAY, "/days/2026-01-31"),
        ("day", date(1, 2, 3), "/days/0001-02-03"),
        ("moment", MOMENT, "/moments/2026-01-31T09:30:00Z"),
        ("moment", MOMENT.replace(microsecond=5), "/moments/2026-01-31T09:30:00.000005Z"),
    ],
)
def test_a_day_and_a_moment_are_keys_of_urls(bare, endpoint, key, url):
    with bare.test_request_context():
        assert url_for(endpoint, key=key) == url
    assert bare.url_map.bind("localhost").match(url) == (endpoint, {"key": key})


@pytest.mark.parametrize(
    "url",
    [
        "/days/2026-02-30",
        "/days/20260131",
        "/days/nope",
        "/moments/2026-01-31T09:30Z",
        "/moments/2026-01-31T09:30:00",
        "/moments/2026-01-31T09:30:00.50Z",
        "/moments/0000-01-31T09:30:00Z",
    ],
)
def test_what_is_no_day_or_a_second_spelling_of_a_moment_is_not_found(bare, url):
    with pytest.raises(NotFound):
        bare.url_map.bind("localhost").match(url)


def test_the_document_says_what_they_look_like(bare):
    found = {rule.endpoint: next(path_parameters(rule)) for rule in bare.url_map.iter_rules("day")}
    found |= {r.endpoint: next(path_parameters(r)) for r in bare.url_map.iter_rules("moment")}

    formats = {name: parameter["schema"]["format"] for name, parameter in found.items()}
    assert formats == {"day": "date", "moment": "date-time"}
