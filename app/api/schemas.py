"""What goes in and out of the API: fields derived from the models, with their rules."""

from decimal import Decimal

from marshmallow import fields
from marshmallow.validate import Range, Regexp

from core.schemas import ExactDecimal, Integer, Schema, String

from .models import Author, Book


class AuthorSchema(Schema):
    class Meta(Schema.Meta):
        model = Author
        fields = ("id", "name", "created_at", "updated_at", "version")


class BookSchema(Schema):
    class Meta(Schema.Meta):
        model = Book
        include_fk = True
        fields = (
            "id",
            "title",
            "isbn",
            "price",
            "published",
            "pages",
            "author_id",
            "author",
            "created_at",
            "updated_at",
            "version",
        )

    isbn = String(
        required=True,
        validate=Regexp(r"^97[89][0-9]{10}\Z", error="An ISBN-13: 13 digits, 978 or 979 first."),
        metadata={"example": "9780306406157"},
    )
    price = ExactDecimal(2, required=True, validate=Range(min=0, max=Decimal("99999999.99")))
    pages = Integer(
        strict=True, allow_none=True, load_default=None, validate=Range(min=1, max=100_000)
    )
    author = fields.Nested(AuthorSchema(only=("id", "name")), dump_only=True)
