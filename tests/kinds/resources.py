"""The lists of the module."""

from flask import Response

from core.rest import Api, Resource, item, page_of

from . import kinds_bp
from .schemas import LoudSchema, PlainSchema, RecordSchema

record_schema = RecordSchema()
loud_schema = LoudSchema()
plain_schema = PlainSchema()


class RecordList(Resource):
    def get(self) -> Response:
        return page_of(record_schema)


class RecordItem(Resource):
    def get(self, id: int) -> Response:
        return item(record_schema, id)


class LoudList(Resource):
    def get(self) -> Response:
        return page_of(loud_schema)


class PlainList(Resource):
    def get(self) -> Response:
        return page_of(plain_schema)


api = Api(kinds_bp)
api.add_resource(RecordList, "/records")
api.add_resource(RecordItem, "/records/<int:id>")
api.add_resource(LoudList, "/loud")
api.add_resource(PlainList, "/plain")
