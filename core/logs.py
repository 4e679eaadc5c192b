"""One log line per event with its request id: readable in development, JSON in production."""

import json
import logging
import re
import sys
from datetime import UTC, datetime

from flask import Flask, has_request_context, request

from core.access_log import id_of, init_access_log
from core.encoding import encode

# In ASCII: with the line ends of Unicode, an input could forge a line.
ENCODER = json.JSONEncoder(default=str)
# Werkzeug's lines have colours in them.
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# They log at each command which plugins they load and which sequences they see.
NOISY = ("alembic.runtime.plugins", "alembic.ddl.postgresql")


def init_logs(app: Flask) -> None:
    """Send every log line of the process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name("core.logs")
    handler.setFormatter(JSONFormatter() if _is_production(app) else LineFormatter())
    root = logging.getLogger()
    # A second app in the process takes the handler over; others' handlers (pytest's) stay.
    root.handlers = [h for h in root.handlers if h.get_name() != handler.get_name()] + [handler]
    root.setLevel(app.config["LOG_LEVEL"])
    # gunicorn's own lines: gunicorn.conf.py gives them their format.
    logging.getLogger("gunicorn.error").setLevel(app.config["LOG_LEVEL"])
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # The home page asks Alembic for the database's state at each request.
    logging.getLogger("alembic.runtime.migration").addFilter(
        lambda record: not has_request_context()
    )
    # In development the server itself prints a line per request.
    if _is_production(app):
        # Python's warnings would go to stderr without this format.
        logging.captureWarnings(capture=True)
        init_access_log(app)


def request_id() -> str:
    """Return the id of the current request (core/access_log.py)."""
    return id_of(request.environ)


class LineFormatter(logging.Formatter):
    """A line for the eye; control characters are escaped, so that no input can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        time = self.formatTime(record, "%H:%M:%S")
        name = "" if record.name == "app" else f" {record.name}"
        text, below = record.getMessage(), []
        # Werkzeug's message at its start keeps its lines: an address in it can be clicked on.
        if record.name == "werkzeug" and record.levelno == logging.INFO and not record.args:
            text, *below = text.split("\n")
        request_part = f" [{request_id()}]" if has_request_context() else ""
        line = f"{time} {record.levelname}{name}: {_escaped(text)}{request_part}"
        # Indented: an exception's text may have lines of its own, which must not look like ours.
        if record.exc_info:
            below = self.formatException(record.exc_info).splitlines()
        return "\n".join([line, *(f"  {_escaped(part)}" for part in below)])


class JSONFormatter(logging.Formatter):
    """One JSON object a line, with the exception inside."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        known = getattr(record, "request", None)
        entry |= known if isinstance(known, dict) else _request()
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        line = encode(entry, str)
        return line.decode() if line.isascii() else ENCODER.encode(entry)


def _escaped(text: str) -> str:
    return CONTROL.sub(lambda match: repr(match[0])[1:-1], COLOURS.sub("", text))


def _is_production(app: Flask) -> bool:
    return bool(app.config["APP_ENV"] == "production")


def _request() -> dict[str, object]:
    if not has_request_context():
        return {}
    return {"request_id": request_id(), "method": request.method, "path": request.path}
