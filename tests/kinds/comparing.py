"""Sets what a plan writes beside what dump() writes."""

from typing import Any

from flask import current_app
from sqlalchemy import Select, select

from core.plan import plan_of
from core.schemas import Schema
from services import db


def both(
    schema: Schema, shown: tuple[str, ...] | None = None, statement: Select[Any] | None = None
) -> tuple[bytes, bytes]:
    """Return what the plan and what dump() make of the rows of a select, as the answers' bytes."""
    model: Any = schema.opts.model
    statement = select(model).order_by(model.id) if statement is None else statement
    plan = plan_of(schema, shown)
    planned = plan.write(plan.fetch(plan.select(statement), {}))
    dumped = schema.dump(db.session.scalars(statement).unique().all(), many=True)
    if shown is not None:
        keys = {schema.dump_fields[name].data_key or name for name in shown}
        dumped = [{key: one[key] for key in one if key in keys} for one in dumped]
    return encoded(planned), encoded(dumped)


def encoded(value: Any) -> bytes:
    return current_app.json.dumps(value).encode()
