"""Schemas derived from the models."""

from core.schemas import Schema

from .models import Animal, Bird, Cat, Measure, Sheet, Stone


class AnimalSchema(Schema):
    class Meta(Schema.Meta):
        model = Animal


class CatSchema(Schema):
    class Meta(Schema.Meta):
        model = Cat


class BirdSchema(Schema):
    class Meta(Schema.Meta):
        model = Bird


class StoneSchema(Schema):
    class Meta(Schema.Meta):
        model = Stone


class SheetSchema(Schema):
    class Meta(Schema.Meta):
        model = Sheet


class MeasureSchema(Schema):
    class Meta(Schema.Meta):
        model = Measure
