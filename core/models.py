"""What the modules' models inherit: the base, and mixins for times and versions."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from babel.dates import get_timezone
from sqlalchemy import event
from sqlalchemy.orm import MANYTOONE, Mapped, RelationshipProperty, mapped_column
from sqlalchemy.orm.attributes import set_committed_value

from core.base import DeclarativeModel, UTCDateTime
from core.setting import setting
from services import db

if TYPE_CHECKING:
    from flask_sqlalchemy.model import Model

    class _Base(Model, DeclarativeModel):
        __abstract__ = True

else:
    _Base = db.Model


def utcnow() -> datetime:
    """Return the time as the columns take it: aware, in UTC."""
    return datetime.now(UTC)


def today() -> date:
    """Return the day in settings.TIMEZONE: the server's own clock may be a day ahead of it."""
    return datetime.now(get_timezone(setting("TIMEZONE"))).date()


class Base(_Base):
    """The scaffold's model base; the tables of its models are in one metadata, db.metadata."""

    __abstract__ = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {getattr(self, 'id', None)}>"


@event.listens_for(Base, "attribute_instrument", propagate=True)
def _fit_columns(model: Any, name: str, attribute: Any) -> None:
    for column in getattr(attribute.prop, "columns", ()):
        if isinstance(column, sa.Column):
            column.type = _fitted(column)


def _fitted(column: Any) -> Any:
    """Return a column's type, changed to keep equal values on all engines, and None as NULL."""
    kind, variants = column.type, column.type._variant_mapping  # noqa: SLF001
    if type(kind) is sa.DateTime and kind.timezone and not variants:
        # The type of Mapped[datetime]: only PostgreSQL returns it with its zone.
        kind = UTCDateTime()
    in_json = [one for one in (kind, *variants.values()) if isinstance(one, sa.JSON)]
    for one in in_json:
        # None is NULL, not the null of JSON, which no filter finds; JSON.NULL sets the latter.
        one.none_as_null = True
    has_default = column.default is not None or column.server_default is not None
    if column.nullable and has_default and not in_json:
        # None that was set stays NULL: the default is only for what nobody has set.
        kind = kind.evaluates_none()
    return kind


def label_of(model: Any, name: str) -> Any:
    """Return the text for a column or relationship: from the model's `labels`, else its name.

    A label made by lazy_gettext stays lazy, so that each request reads its own language.
    """
    label = getattr(model, "labels", {}).get(name)
    return label or name.removesuffix("_id").strip("_").replace("_", " ").capitalize()


class Timestamps:
    """When a row was made and last changed, in UTC."""

    created_at: Mapped[datetime] = mapped_column(default=utcnow, sort_order=900)
    updated_at: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow, sort_order=901)


class Versioned:
    """A counter that each change checks and raises, so that no save overwrites an unseen change.

    A change is an UPDATE of the row, of its many-to-many collections, or of its parts: records that
    live and die with it (delete-orphan), if the session has loaded them through this record. Other
    related records are rows of their own, with a version of their own if they are Versioned.
    """

    version: Mapped[int] = mapped_column(sort_order=902)

    def expect_version(self, version: int) -> None:
        """Let the next flush raise StaleDataError unless the row still has this version.

        Call it before the record is changed.
        """
        set_committed_value(self, "version", version)


@event.listens_for(Versioned, "instrument_class", propagate=True)
def _count_changes(mapper: Any, model: Any) -> None:
    """Let the mapper count. Not by __mapper_args__, which a model may replace by its own."""
    if mapper.version_id_col is None:
        # A joined subclass has no such column in its table: its parent's counts for both.
        mapper.version_id_col = mapper.local_table.columns.get("version")


@event.listens_for(Versioned, "attribute_instrument", propagate=True)
def _watch(model: Any, name: str, attribute: Any) -> None:
    prop = attribute.prop
    if not isinstance(prop, RelationshipProperty) or prop.viewonly:
        return
    # A many-to-one is a column of this row; a plain one-to-many changes only the other rows.
    if prop.secondary is None and (not prop.cascade.delete_orphan or prop.direction is MANYTOONE):
        return

    def changed(record: Any, *values: Any) -> None:
        *_, initiator = values
        # A change made from the other side counts for the record there alone: otherwise all who
        # use a tag would wait for the tag's row.
        if initiator.parent_token is attribute.impl.parent_token:
            raise_version(record)

    for kind in ("append", "remove") if prop.uselist else ("set",):
        event.listen(attribute, kind, changed)


def raise_version(record: Any) -> None:
    """Make the next flush write the row: a change of related rows alone checks no version."""
    state = sa.inspect(record)
    if state.persistent and "version" not in state.committed_state:
        record.version += 1
