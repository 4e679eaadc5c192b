"""Ways to fail, each by its name, for a page and for a resource alike."""

from datetime import datetime

import flask_restful
from flask import abort
from marshmallow import ValidationError
from sqlalchemy import select, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import TooManyRequests

from services import db

from .models import Box


def crash() -> None:
    raise RuntimeError("the password is hunter2")


def broken_query() -> None:
    db.session.execute(text("SELECT 1 FROM sample_nowhere"))


def unknown_function() -> None:
    db.session.execute(text("SELECT busy_days(1)"))


def too_long() -> None:
    db.session.add(Box(name="x" * 41))
    db.session.commit()


def full_pool() -> None:
    raise PoolTimeoutError("QueuePool limit of size 5 overflow 10 reached")


def unfit() -> None:
    db.session.execute(select(Box).where(Box.created_at == datetime(2026, 1, 1)))  # noqa: DTZ001 - that is the fault


def lost_update() -> None:
    box = Box(name="Lost")
    db.session.add(box)
    db.session.commit()
    db.session.refresh(box)
    db.session.execute(text("UPDATE sample_box SET version = version + 1"))
    box.name = "Found"
    db.session.commit()


def vanished() -> None:
    box = Box(name="Gone")
    db.session.add(box)
    db.session.commit()
    db.session.execute(text("DELETE FROM sample_box"))
    box.name.upper()


def older_schema() -> None:
    db.session.execute(text("INSERT INTO sample_box (nowhere) VALUES (1)"))


def fault(name: str) -> str:
    """Fail in the named way."""
    if name == "abort":
        abort(404, "No such thing.")
    if name == "unpaid":
        abort(402, "Pay first.")
    if name == "restful_abort":
        flask_restful.abort(403, message="Not for you.")
    if name == "throttled":
        raise TooManyRequests("Slow down.", retry_after=7)
    if name == "invalid":
        raise ValidationError({"name": ["Not this one."]})
    if name == "invalid_as_a_whole":
        raise ValidationError("Not like this.")
    if name == "duplicate":
        db.session.add_all([Box(name="Twice"), Box(name="Twice")])
        db.session.commit()
    faults = (crash, broken_query, unknown_function, older_schema, too_long)
    faults += (full_pool, lost_update, vanished, unfit)
    {f.__name__: f for f in faults}[name]()
    return "no fault"
