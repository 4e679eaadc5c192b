"""The forms of the module, derived from its models."""

from wtforms.validators import NumberRange

from core.forms import ModelForm

from .models import Category, Product


class CategoryForm(ModelForm):
    class Meta:
        model = Category
        fields = ("name",)


class ProductForm(ModelForm):
    class Meta:
        model = Product
        fields = (
            "name",
            "sku",
            "description",
            "price",
            "stock",
            "status",
            "released_on",
            "featured",
            "category",
        )
        field_args = {
            "sku": {"label": "SKU", "description": "The code on the shelf; no two are equal."},
            "price": {"validators": [NumberRange(min=0)]},
            "stock": {"validators": [NumberRange(min=0)]},
        }
