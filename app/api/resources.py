"""The resources of the module: URL -> schema -> model -> {"data": ...}."""

from flask import Response

from core.rest import Api, Resource, body, create, delete, item, page_of, update

from . import api_bp
from .schemas import AuthorSchema, BookSchema

api = Api(api_bp)
author_schema = AuthorSchema()
book_schema = BookSchema()


class AuthorList(Resource):
    schema = author_schema

    def get(self) -> Response:
        """List the authors."""
        return page_of(author_schema)

    def post(self) -> Response:
        """Create an author."""
        return create(author_schema, author_schema.load(body()), ".author_item")


class AuthorItem(Resource):
    schema = author_schema

    def get(self, id: int) -> Response:
        """Show an author."""
        return item(author_schema, id)

    def put(self, id: int) -> Response:
        """Replace an author."""
        return update(author_schema, id)

    def patch(self, id: int) -> Response:
        """Change the named fields of an author."""
        return update(author_schema, id, partial=True)

    def delete(self, id: int) -> tuple[str, int]:
        """Delete an author who has no books."""
        return delete(author_schema, id)


class BookList(Resource):
    schema = book_schema

    def get(self) -> Response:
        """List the books with their authors."""
        return page_of(book_schema)

    def post(self) -> Response:
        """Create a book."""
        return create(book_schema, book_schema.load(body()), ".book_item")


class BookItem(Resource):
    schema = book_schema

    def get(self, id: int) -> Response:
        """Show a book."""
        return item(book_schema, id)

    def put(self, id: int) -> Response:
        """Replace a book."""
        return update(book_schema, id)

    def patch(self, id: int) -> Response:
        """Change the named fields of a book."""
        return update(book_schema, id, partial=True)

    def delete(self, id: int) -> tuple[str, int]:
        """Delete a book."""
        return delete(book_schema, id)


api.add_resource(AuthorList, "/authors", endpoint="author_list")
api.add_resource(AuthorItem, "/authors/<int:id>", endpoint="author_item")
api.add_resource(BookList, "/books", endpoint="book_list")
api.add_resource(BookItem, "/books/<int:id>", endpoint="book_item")
