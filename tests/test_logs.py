"""One line per event, with the id of its request."""

import json
import logging
import re
import sys
import warnings

import pytest
from flask import request
from sqlalchemy import text

from core.logs import JSONFormatter, LineFormatter
from services import db, log

SENT = "0123abcd-EF"


def record(message="It rains.", error=None, name="app"):
    exc_info = (type(error), error, None) if error else None
    return logging.LogRecord(name, logging.WARNING, __file__, 1, message, (), exc_info)


@pytest.mark.parametrize("path", ["/", "/sample/things", "/nowhere", "/sample/faults/abort"])
def test_every_answer_has_an_id_of_its_own(client, path):
    ids = [client.get(path).headers["X-Request-ID"] for _ in range(2)]

    assert all(re.fullmatch("[0-9a-f]{32}", id) for id in ids)
    assert len(set(ids)) == 2


def test_a_well_formed_id_of_the_client_is_taken_over(client):
    answer = client.get("/outside/things/0", headers={"X-Request-ID": SENT})

    assert answer.headers["X-Request-ID"] == SENT
    assert answer.json["request_id"] == SENT


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param("1234567", id="short"),
        pytest.param("1" * 65, id="long"),
        pytest.param("id with spaces", id="spaces"),
        pytest.param("<script>", id="markup"),
    ],
)
def test_an_id_of_another_form_is_replaced(client, sent):
    answer = client.get("/health/live", headers={"X-Request-ID": sent})

    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])


def test_a_line_bears_time_level_message_and_request(app):
    with app.test_request_context(headers={"X-Request-ID": SENT}):
        line = LineFormatter().format(record())

    assert re.fullmatch(rf"\d\d:\d\d:\d\d WARNING: It rains\. \[{SENT}\]", line)


def test_a_line_of_a_library_bears_its_name():
    line = LineFormatter().format(record(name="werkzeug"))

    assert line.endswith(" WARNING werkzeug: It rains.")


def test_a_line_shows_the_traceback_below():
    lines = LineFormatter().format(record(error=KeyError("lost"))).splitlines()

    assert lines[1:] == ["  KeyError: 'lost'"]


@pytest.mark.parametrize(
    ("character", "shown"),
    [("\n", r"\n"), ("\r", r"\r"), ("\x1b", r"\x1b"), ("\x85", r"\x85"), ("\x00", r"\x00")],
    ids=["new-line", "return", "escape", "next-line", "nul"],
)
def test_no_input_forges_a_line(character, shown):
    line = LineFormatter().format(record(f"a{character}b"))

    assert line.endswith(f"a{shown}b")


def test_a_line_of_the_server_is_shown_without_its_colours():
    line = LineFormatter().format(record("\x1b[33mPress CTRL+C to quit\x1b[0m"))

    assert line.endswith(": Press CTRL+C to quit")


def start_of_the_server(level=logging.INFO, *args):
    text = "WARNING: A.\n * Running on http://127.0.0.1:5000\x1b"
    return logging.LogRecord("werkzeug", level, __file__, 1, text + "%s" * len(args), args, None)


def test_the_address_of_the_development_server_is_a_line_to_click_on():
    lines = LineFormatter().format(start_of_the_server()).splitlines()

    assert lines[0].endswith(" INFO werkzeug: WARNING: A.")
    assert lines[1:] == [r"   * Running on http://127.0.0.1:5000\x1b"]


@pytest.mark.parametrize(
    "given", [(logging.ERROR,), (logging.INFO, "GET /")], ids=["error", "path"]
)
def test_what_the_server_says_of_a_request_stays_on_one_line(given):
    assert len(LineFormatter().format(start_of_the_server(*given)).splitlines()) == 1


def test_no_text_of_an_exception_forges_a_line():
    lines = LineFormatter().format(record(error=ValueError("a\n12:00:00 INFO: b\x1b"))).splitlines()

    assert lines[1:] == ["  ValueError: a", r"  12:00:00 INFO: b\x1b"]


@pytest.mark.parametrize("formatter", [LineFormatter(), JSONFormatter()], ids=["line", "json"])
def test_no_path_forges_a_line(make_app, formatter):
    app = make_app()

    with app.test_request_context("/a\n12:00:00 INFO: b", headers={"X-Request-ID": "x\ty" * 4}):
        line = formatter.format(record("Exception on /a\n12:00:00 INFO: b"))

    assert len(line.splitlines()) == 1


def test_production_writes_one_json_object_a_line(app):
    with app.test_request_context("/some/path", method="POST", headers={"X-Request-ID": SENT}):
        line = JSONFormatter().format(record("a\nb", KeyError("lost")))

    entry = json.loads(line)
    assert "\n" not in line
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[0-9:.]+\+00:00", entry.pop("time"))
    assert entry == {
        "level": "WARNING",
        "logger": "app",
        "message": "a\nb",
        "request_id": SENT,
        "method": "POST",
        "path": "/some/path",
        "exception": "KeyError: 'lost'",
    }


def test_outside_a_request_there_is_no_request_id():
    entry = json.loads(JSONFormatter().format(record()))

    assert set(entry) == {"time", "level", "logger", "message"}


@pytest.mark.parametrize(
    ("environment", "formatter"), [("testing", LineFormatter), ("production", JSONFormatter)]
)
def test_the_environment_chooses_the_form(make_app, production, environment, formatter):
    make_app(**{**production, "APP_ENV": environment})

    handler = logging.getLogger().handlers[-1]

    assert isinstance(handler.formatter, formatter)
    assert handler.stream is sys.stderr


def test_a_second_application_does_not_double_the_lines(make_app, capsys):
    make_app()
    make_app()

    log.warning("once")

    assert capsys.readouterr().err.count("once") == 1


def test_a_warning_of_python_is_a_line_in_production(make_app, production, capsys):
    with warnings.catch_warnings():
        logging.captureWarnings(capture=False)
        make_app([], **production)
        warnings.simplefilter("always")

        warnings.warn("Something is old.", UserWarning, stacklevel=1)

        logging.captureWarnings(capture=False)
    line = json.loads(capsys.readouterr().err)
    assert (line["logger"], line["level"]) == ("py.warnings", "WARNING")
    assert "UserWarning: Something is old." in line["message"]


def test_the_level_is_the_configurations(make_app, capsys):
    make_app(LOG_LEVEL="error")

    log.warning("quiet")
    log.error("loud")

    assert capsys.readouterr().err.split()[1:] == ["ERROR:", "loud"]


def test_a_crash_is_logged_with_its_request_id_and_traceback(make_app, production, capsys):
    client = make_app(["tests.sample"], **production).test_client()

    answer = client.get("/sample/faults/crash", headers={"X-Request-ID": SENT})

    [line, _] = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert answer.status_code == 500
    assert (entry["level"], entry["request_id"], entry["path"]) == (
        "ERROR",
        SENT,
        "/sample/faults/crash",
    )
    assert entry["exception"].endswith("RuntimeError: the password is hunter2")


def spend():
    """Fail in the database with what was sent, as a table that is missing makes it fail."""
    values = {"card": request.form["card"]}
    db.session.execute(text("SELECT :card FROM nowhere"), values)


def crash():
    raise RuntimeError("torn")


@pytest.mark.parametrize("view", [spend, crash])
@pytest.mark.parametrize("environment", ["testing", "production"])
def test_what_people_send_stays_out_of_the_log(make_app, production, capsys, environment, view):
    app = make_app(**{**production, "APP_ENV": environment}, WTF_CSRF_ENABLED=False)
    app.testing = False
    app.add_url_rule("/fail", "fail", view, methods=["POST"])
    headers = {"Authorization": "Bearer of-the-header", "Cookie": "session=of-the-cookie"}

    answer = app.test_client().post(
        "/fail?token=of-the-query", data={"card": "of-the-body"}, headers=headers
    )

    logged = capsys.readouterr().err
    assert answer.status_code in (500, 503)
    assert "Traceback" in logged
    assert [
        word for word in ("header", "cookie", "query", "body") if f"of-the-{word}" in logged
    ] == []


def test_the_password_of_the_database_stays_out_of_the_log(make_app, production, capsys):
    url = "postgresql://shop:hunter2@127.0.0.1:1/shop"
    app = make_app(**production, DATABASE_URL=url)
    app.add_url_rule("/ask", "ask", lambda: str(db.session.scalar(text("SELECT 1"))))

    answer = app.test_client().get("/ask")

    logged = capsys.readouterr().err
    assert answer.status_code == 503
    [line] = [one for one in logged.splitlines() if "database unavailable" in one]
    assert "Connection refused" in json.loads(line)["message"]
    assert "exception" not in json.loads(line)
    assert "hunter2" not in logged
