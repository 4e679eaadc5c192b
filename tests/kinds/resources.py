"""The lists of the module."""

from flask import Response

from core.rest import Api, Resource, body, check_match, create, item, page_of
from services import db

from . import kinds_bp
from .models import Order, Place
from .schemas import LoudSchema, OrderSchema, PlaceSchema, PlainSchema, RecordSchema

record_schema = RecordSchema()
loud_schema = LoudSchema()
plain_schema = PlainSchema()
place_schema = PlaceSchema()
order_schema = OrderSchema()


class RecordList(Resource):
    def get(self) -> Response:
        return page_of(record_schema)


class RecordItem(Resource):
    schema = record_schema

    def get(self, id: int) -> Response:
        return item(record_schema, id)


class LoudList(Resource):
    def get(self) -> Response:
        return page_of(loud_schema)


class PlainList(Resource):
    def get(self) -> Response:
        return page_of(plain_schema)


class PlaceItem(Resource):
    schema = place_schema

    def get(self, id: int) -> Response:
        return item(place_schema, id)

    def patch(self, id: int) -> Response:
        place = db.get_or_404(Place, id)
        check_match(place_schema, place)
        place_schema.fill(place, body(), partial=True)
        db.session.commit()
        return item(place_schema, place)


class OrderList(Resource):
    schema = order_schema

    def post(self) -> Response:
        return create(order_schema, order_schema.load(body()), ".orderitem")


class OrderItem(Resource):
    schema = order_schema

    def get(self, id: int) -> Response:
        return item(order_schema, id)

    def put(self, id: int) -> Response:
        return self._change(id, partial=False)

    def patch(self, id: int) -> Response:
        return self._change(id, partial=True)

    def _change(self, id: int, partial: bool) -> Response:
        order = db.get_or_404(Order, id)
        check_match(order_schema, order)
        order_schema.fill(order, body(), partial=partial)
        db.session.commit()
        return item(order_schema, order)


api = Api(kinds_bp)
api.add_resource(RecordList, "/records")
api.add_resource(RecordItem, "/records/<int:id>")
api.add_resource(LoudList, "/loud")
api.add_resource(PlainList, "/plain")
api.add_resource(PlaceItem, "/places/<int:id>")
api.add_resource(OrderList, "/orders")
api.add_resource(OrderItem, "/orders/<int:id>")
