"""What goes in and out of the API: fields derived from the models."""

from marshmallow import fields

from core.schemas import Schema

from .models import City, Country


class CountrySchema(Schema):
    class Meta(Schema.Meta):
        model = Country


class CitySchema(Schema):
    class Meta(Schema.Meta):
        model = City
        include_fk = True

    country = fields.Nested(CountrySchema(only=("id", "iso", "name")), dump_only=True)
