"""The resources of the module: URL -> schema -> model -> {"data": ...}."""

from flask import Response

from core.rest import Api, Resource, body, check_match, create, item, page_of
from services import db

from . import faults, inside_bp, outside_bp
from .models import Thing
from .schemas import ThingSchema

thing_schema = ThingSchema()


class ThingList(Resource):
    schema = thing_schema

    def get(self) -> Response:
        return page_of(thing_schema)

    def post(self) -> Response:
        return create(thing_schema, thing_schema.load(body()), ".thing_item")


class ThingItem(Resource):
    schema = thing_schema

    def get(self, id: int) -> Response:
        return item(thing_schema, id)

    def put(self, id: int) -> Response:
        return self._change(id, partial=False)

    def patch(self, id: int) -> Response:
        return self._change(id, partial=True)

    def delete(self, id: int) -> tuple[str, int]:
        thing = db.get_or_404(Thing, id)
        check_match(thing_schema, thing)
        db.session.delete(thing)
        db.session.commit()
        return "", 204

    def _change(self, id: int, partial: bool) -> Response:
        thing = db.get_or_404(Thing, id)
        check_match(thing_schema, thing)
        thing_schema.fill(thing, body(), partial=partial)
        db.session.commit()
        return item(thing_schema, thing)


FAULT = {
    "summary": "Fail in the named way",
    "responses": {
        "403": {"description": "Not for you."},
        "409": {"$ref": "#/components/responses/Conflict"},
        "412": {"$ref": "#/components/responses/PreconditionFailed"},
        "422": {"$ref": "#/components/responses/UnprocessableContent"},
        "429": {"description": "Slow down."},
    },
}


class Fault(Resource):
    describe = {"get": FAULT, "post": FAULT}

    def get(self, name: str) -> str:
        return faults.fault(name)

    post = get


for bp in (inside_bp, outside_bp):
    api = Api(bp)
    api.add_resource(ThingList, "/things", endpoint="thing_list")
    api.add_resource(ThingItem, "/things/<int:id>", endpoint="thing_item")
    api.add_resource(Fault, "/faults/<name>", endpoint="fault")
