"""The forms of the module, derived from its models."""

from flask_babel import lazy_gettext as _l
from wtforms.validators import InputRequired, NumberRange

from core.choices import SearchSelectField
from core.forms import ModelForm

from .models import Category, Product


class CategoryForm(ModelForm):
    class Meta:
        model = Category
        fields = ("name",)


class ProductForm(ModelForm):
    category = SearchSelectField(
        Product.labels["category"], validators=[InputRequired()], model=Category
    )

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
            "sku": {"description": _l("The code on the shelf; no two are equal.")},
            "price": {"validators": [NumberRange(min=0)]},
            "stock": {"validators": [NumberRange(min=0)]},
        }
