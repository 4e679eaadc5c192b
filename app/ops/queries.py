"""Watches the database: the time of each query, the slow ones by name, the connections."""

import re
import time
from functools import partial
from typing import Any

from flask import has_request_context
from flask.blueprints import BlueprintSetupState
from sqlalchemy import Engine, QueuePool, event

import settings
from services import db, log

from . import ops_bp
from .metrics import IN_USE, LIMIT, OPEN, QUERY_SECONDS, route

DEFAULT_MS = 500
LONGEST = 1000
# Ids of the pool's records whose connection is in use.
in_use: set[int] = set()


@ops_bp.record_once
def watch(state: BlueprintSetupState) -> None:
    config = state.app.config
    config.setdefault("OPS_SLOW_QUERY_MS", getattr(settings, "OPS_SLOW_QUERY_MS", DEFAULT_MS))
    # In the arguments of both events, the third is the statement and the fifth its context.
    observe = partial(_observe, config["OPS_SLOW_QUERY_MS"])
    with state.app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", _start)
    event.listen(engine, "after_cursor_execute", lambda *args: observe(args[4], args[2]))
    # The slowest of all are those that the database cancelled.
    event.listen(engine, "handle_error", lambda e: observe(e.execution_context, e.statement))
    _watch_pool(engine, config["SQLALCHEMY_ENGINE_OPTIONS"].get("max_overflow", 10))


def _start(
    connection: Any, cursor: Any, statement: str, values: Any, context: Any, *_: Any
) -> None:
    context.ops_started = time.perf_counter()


def _observe(threshold: float, context: Any, statement: str) -> None:
    if not hasattr(context, "ops_started"):
        return  # It failed before it reached the database.
    seconds = time.perf_counter() - context.ops_started
    QUERY_SECONDS.observe(seconds)
    if seconds * 1000 >= threshold:
        # The statement as it was sent: its values travel apart and stay out of the log.
        text = re.sub(r"\s+", " ", statement)[:LONGEST]
        where = route() if has_request_context() else "no request"
        log.warning("slow query: %d ms in %s: %s", seconds * 1000, where, text)


def _watch_pool(engine: Engine, overflow: int) -> None:
    limit = engine.pool.size() + overflow if isinstance(engine.pool, QueuePool) else 1

    def opened(*_: Any) -> None:
        # Here and not at the start: a forked worker has metrics of its own.
        LIMIT.set(limit)
        OPEN.inc()

    event.listen(engine, "connect", opened)
    event.listen(engine, "close", lambda *_: OPEN.dec())
    event.listen(engine, "checkout", _taken)
    event.listen(engine, "checkin", _given_back)


def _taken(_: Any, record: Any, *__: Any) -> None:
    in_use.add(id(record))
    IN_USE.set(len(in_use))


def _given_back(_: Any, record: Any) -> None:
    # Called also for a connection that could not be opened, and so was never taken.
    in_use.discard(id(record))
    IN_USE.set(len(in_use))
