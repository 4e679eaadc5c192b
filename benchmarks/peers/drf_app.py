"""Django REST Framework: serializers, generic views, persistent connections, orjson, JSON only."""

# ruff: noqa: E402 - Django is configured before its models can be made.

import os
from typing import Any
from urllib.parse import urlsplit

import django
import orjson
from django.conf import settings

database = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ["SECRET_KEY"],
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=[],
    TIME_ZONE="UTC",
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": database.path[1:],
            "USER": database.username,
            "PASSWORD": database.password,
            "HOST": database.hostname,
            "PORT": database.port,
            "CONN_MAX_AGE": None,
        }
    },
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "EXCEPTION_HANDLER": f"{__name__}.problem",
    },
)
django.setup()

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.core.wsgi import get_wsgi_application
from django.db import IntegrityError, models
from django.http import JsonResponse
from django.urls import path
from django.views.decorators.http import conditional_page
from envelope import envelope
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler

RULES = {"uq_api_book_isbn": "isbn", "fk_api_book_author_id_api_author": "author_id"}


class Author(models.Model):
    """An author, in the project's table."""

    name = models.CharField(max_length=120)

    class Meta:
        """Where it is stored."""

        managed = False
        app_label = "peers"
        db_table = "api_author"


class Book(models.Model):
    """A book, in the project's table."""

    title = models.CharField(max_length=200)
    isbn = models.CharField(max_length=13, validators=[RegexValidator(r"^97[89][0-9]{10}\Z")])
    price = models.DecimalField(max_digits=10, decimal_places=2, validators=[MinValueValidator(0)])
    published = models.DateField(null=True)
    pages = models.IntegerField(
        null=True, validators=[MinValueValidator(1), MaxValueValidator(100_000)]
    )
    author = models.ForeignKey(Author, models.PROTECT)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    version = models.IntegerField(default=1)

    class Meta:
        """Where it is stored."""

        managed = False
        app_label = "peers"
        db_table = "api_book"


class AuthorSerializer(serializers.ModelSerializer):
    """The author inside a book."""

    class Meta:
        """What of the model is shown."""

        model = Author
        fields = ("id", "name")


class BookSerializer(serializers.ModelSerializer):
    """A book with its author."""

    author_id = serializers.IntegerField()
    author = AuthorSerializer(read_only=True)

    class Meta:
        """What of the model is shown, and what only the server sets."""

        model = Book
        fields = (
            *("id", "title", "isbn", "price", "published", "pages", "author_id", "author"),
            *("created_at", "updated_at", "version"),
        )
        read_only_fields = ("id", "created_at", "updated_at", "version")

    def update(self, instance: Book, validated_data: dict[str, Any]) -> Book:
        """Count the versions."""
        instance.version += 1
        return super().update(instance, validated_data)


class ORJSONRenderer(BaseRenderer):
    """JSON by orjson."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, *args: Any) -> bytes:
        """Return the body."""
        return b"" if data is None else orjson.dumps(data)


class Pages(BasePagination):
    """Pages with a total, unless count=none."""

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        """Return the rows of the page."""
        args = request.query_params
        page, per_page = int(args.get("page", 1)), min(int(args.get("per_page", 20)), 100)
        total = None if args.get("count") == "none" else queryset.count()
        rows = list(queryset[(page - 1) * per_page : page * per_page])
        self.envelope = envelope(args, page, per_page, total, len(rows))
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        """Answer with the rows and what stands around them."""
        return Response({"data": data, **self.envelope})


class BookList(generics.ListCreateAPIView):
    """The collection."""

    queryset = Book.objects.select_related("author").order_by("id")
    serializer_class = BookSerializer
    renderer_classes = [ORJSONRenderer]
    pagination_class = Pages

    def create(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Store a new book."""
        response = super().create(request, *args, **kwargs)
        response["Location"] = f"/api/v1/books/{response.data['id']}"
        response.data = {"data": response.data}
        return response


class BookItem(generics.RetrieveUpdateAPIView):
    """One book."""

    queryset = Book.objects.select_related("author")
    serializer_class = BookSerializer
    renderer_classes = [ORJSONRenderer]

    def finalize_response(
        self, request: Any, response: Response, *args: Any, **kw: Any
    ) -> Response:
        """Put the book into its envelope."""
        if response.status_code == 200:
            response.data = {"data": response.data}
        return super().finalize_response(request, response, *args, **kw)


def problem(error: Exception, context: Any) -> Response | None:
    """Answer every failure in the same shape."""
    errors: Any = None
    if isinstance(error, ValidationError):
        status, errors = 422, error.detail
    elif isinstance(error, IntegrityError):
        rule = error.__cause__.diag.constraint_name  # type: ignore[union-attr]
        status, errors = 409, {RULES[rule]: ["The database refuses this value."]}
    elif response := exception_handler(error, context):
        status = response.status_code
    else:
        return None
    body = {"type": "about:blank", "title": type(error).__name__, "status": status}
    body |= {"errors": errors} if errors else {"detail": str(error)}
    return Response(body, status, content_type="application/problem+json")


urlpatterns = [
    path("api/v1/books", BookList.as_view()),
    # Django's own tag: an MD5 of the body.
    path("api/v1/books/<int:pk>", conditional_page(BookItem.as_view())),
    path("health/live", lambda request: JsonResponse({"status": "ok"})),
]
app = get_wsgi_application()
