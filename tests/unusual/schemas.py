"""Schemas derived from the models."""

from marshmallow import EXCLUDE, fields, validate
from marshmallow_sqlalchemy import auto_field

from core.fields import String
from core.schemas import Schema

from .models import Animal, Bird, Boat, Cat, Harbour, Lieu, Measure, Sheet, Stone, Tide


class AnimalSchema(Schema):
    class Meta(Schema.Meta):
        model = Animal


class CatSchema(Schema):
    class Meta(Schema.Meta):
        model = Cat
        exclude = ("name",)

    called = auto_field("name", data_key="full-name")


class BirdSchema(Schema):
    class Meta(Schema.Meta):
        model = Bird


class StoneSchema(Schema):
    # Not ours, which refuses what no database stores.
    name = fields.String(required=True)

    class Meta(Schema.Meta):
        model = Stone


class LieuÉtroitSchema(Schema):
    """Fields declared in place of derived ones."""

    class Meta(Schema.Meta):
        model = Lieu
        unknown = EXCLUDE

    mail = fields.Email(dump_only=True)
    code = String(allow_none=True, validate=validate.Regexp("^A."))
    day = fields.Date(format="%d.%m.%Y", allow_none=True)
    made = fields.DateTime(attribute="at", format="%d/%m/%Y", dump_only=True)
    stamp = fields.DateTime(attribute="at", format="timestamp", dump_only=True)
    mailed = fields.DateTime(attribute="at", format="rfc", dump_only=True)
    number = fields.Integer(attribute="id", as_string=True, dump_only=True)
    within = fields.Pluck(lambda: LieuÉtroitSchema(only=("code",)), "code", dump_only=True)


class SheetSchema(Schema):
    class Meta(Schema.Meta):
        model = Sheet


class MeasureSchema(Schema):
    class Meta(Schema.Meta):
        model = Measure


class TideSchema(Schema):
    class Meta(Schema.Meta):
        model = Tide


class BoatSchema(Schema):
    class Meta(Schema.Meta):
        model = Boat
        include_fk = True


class HarbourSchema(Schema):
    class Meta(Schema.Meta):
        model = Harbour
