"""What goes in and out of the API: fields derived from the models, with their rules."""

from marshmallow import fields

from core.schemas import Schema

from .models import Box, Specimen, Thing


class BoxSchema(Schema):
    class Meta(Schema.Meta):
        model = Box


class ThingSchema(Schema):
    class Meta(Schema.Meta):
        model = Thing
        include_fk = True

    box = fields.Nested(BoxSchema(only=("id", "name")), dump_only=True)


class SpecimenSchema(Schema):
    class Meta(Schema.Meta):
        model = Specimen
        exclude = ("word", "serial")
        dump_only = ("id", "doubled", "loud")
