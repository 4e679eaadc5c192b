"""What goes out of the module's API: fields derived from the models."""

from typing import Any

from marshmallow import fields, post_dump, post_load
from marshmallow_sqlalchemy.fields import Nested

from core.schemas import Schema

from .models import COLUMNS, Order, OrderLine, Place, Plain, Record, Scooter, Truck


class Shout(fields.String):
    """A field of a product's own."""

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str:
        return f"{value}!"


class PlaceSchema(Schema):
    class Meta(Schema.Meta):
        model = Place

    region = Nested(lambda: PlaceSchema(exclude=("region",)), dump_only=True)


class HookedPlaceSchema(PlaceSchema):
    @post_dump
    def count_keys(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {**data, "keys": len(data)}


class RecordSchema(Schema):
    class Meta(Schema.Meta):
        model = Record
        fields = (*COLUMNS, "seal", "spelt")

    # Its key in the answer is not its name.
    spelt = fields.String(attribute="name", data_key="spelling", dump_only=True)


class PlainSchema(Schema):
    class Meta(Schema.Meta):
        model = Plain


class OrderLineSchema(Schema):
    class Meta(Schema.Meta):
        model = OrderLine

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> OrderLine:
        return OrderLine(**data)


class OrderSchema(Schema):
    class Meta(Schema.Meta):
        model = Order
        exclude = ("house",)

    lines = fields.Nested(OrderLineSchema(many=True), required=True)


class TruckSchema(Schema):
    class Meta(Schema.Meta):
        model = Truck


class ScooterSchema(Schema):
    class Meta(Schema.Meta):
        model = Scooter


class LoudSchema(Schema):
    """It has no plan."""

    class Meta(Schema.Meta):
        model = Record
        fields = ("id", "name", "loud")

    loud = fields.Function(lambda record: record.name.upper(), data_key="LOUD")
