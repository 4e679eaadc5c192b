"""The forms of the module, derived from its models."""

from wtforms import StringField

from core.choices import SearchSelectField
from core.forms import ModelForm

from .models import Box, Crate, Specimen, Tag, Thing


class BoxForm(ModelForm):
    class Meta:
        model = Box
        fields = ("name",)


class ThingForm(ModelForm):
    class Meta:
        model = Thing
        fields = (
            "name",
            "code",
            "note",
            "price",
            "amount",
            "shelf",
            "size",
            "made_on",
            "active",
            "box",
        )
        field_args = {"code": {"label": "Code", "description": "No two are equal."}}


class SpecimenForm(ModelForm):
    class Meta:
        model = Specimen
        fields = (
            "line",
            "prose",
            "whole",
            "small",
            "big",
            "exact",
            "ratio",
            "day",
            "moment",
            "wall",
            "clock",
            "span",
            "extra",
            "flag",
            "agreed",
            "size",
            "mood",
            "word",
            "token",
            "serial",
            "grade",
            "boxes",
        )


class CrateForm(ModelForm):
    class Meta:
        model = Crate
        fields = ("row", "place", "note", "tags")


class TagForm(ModelForm):
    tag = SearchSelectField("Tag", model=Tag)


class HandmadeForm(ModelForm):
    """One field by hand, in its place of the order."""

    class Meta:
        model = Thing
        fields = ("name", "code", "price")

    code = StringField("By hand")
