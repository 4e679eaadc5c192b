"""The resources of the module: URL -> schema -> model -> {"data": ...}."""

from typing import Any

from flask import Response

from core.rest import Api, Resource, body, check_match, create, delete, item, page_of, update
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
        return update(thing_schema, id)

    def patch(self, id: int) -> Response:
        return update(thing_schema, id, partial=True)

    def delete(self, id: int) -> tuple[str, int]:
        return delete(thing_schema, id)


class ThingMark(Resource):
    schema = thing_schema
    describe = {"post": {"requestBody": None, "responses": {415: None}}}

    def post(self, id: int) -> Response:
        """Mark a thing."""
        thing = db.get_or_404(Thing, id)
        check_match(thing_schema, thing)
        thing.active = True
        db.session.commit()
        return item(thing_schema, thing)


class ThingTwin(Resource):
    schema = thing_schema
    if_match_required = True

    def post(self, id: int) -> Response:
        return item(thing_schema, id)


def _several(name: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


BULK = {
    "requestBody": {"content": {"application/json": {"schema": _several("ThingInput")}}},
    "responses": {
        "201": {
            "headers": {"ETag": None, "Location": None},
            "content": {
                "application/json": {
                    "schema": {"type": "object", "properties": {"data": _several("Thing")}}
                }
            },
        }
    },
}


class ThingBulk(Resource):
    schema = thing_schema
    describe = {"post": BULK}

    def post(self) -> tuple[Any, int]:
        things = [thing_schema.new(values) for values in thing_schema.load(body(), many=True)]
        db.session.add_all(things)
        db.session.flush()
        answer = {"data": thing_schema.dump(things, many=True)}
        db.session.commit()
        return answer, 201


CSV = {"application/json": None, "text/csv": {"schema": {"type": "string"}}}


class Lines(Resource):
    """Lines that are no JSON, at once or streamed; of one the document knows nothing."""

    describe = {"get": {"responses": {"200": {"content": CSV}}}}

    def get(self) -> Response:
        return Response("a,b\n", mimetype="text/csv")


class Stream(Lines):
    def get(self) -> Response:
        return Response(iter(["a,b\n", "1,2\n"]), mimetype="text/csv")


class Undescribed(Lines):
    describe = {}


class BoxThings(Resource):
    """A list inside of a record, whose key the URL has."""

    schema = thing_schema

    def get(self, id: int) -> Response:
        return page_of(thing_schema, db.select(Thing).where(Thing.box_id == id))

    def post(self, id: int) -> Response:
        return create(thing_schema, thing_schema.load(body()), ".thing_item")


FAULT = {
    "summary": "Fail in the named way",
    "responses": {
        "402": {"description": "Pay first."},
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
    api.add_resource(ThingMark, "/things/<int:id>/mark", endpoint="thing_mark")
    api.add_resource(ThingTwin, "/things/<int:id>/twin", endpoint="thing_twin")
    api.add_resource(ThingBulk, "/things/bulk", endpoint="thing_bulk")
    api.add_resource(BoxThings, "/boxes/<int:id>/things", endpoint="box_things")
    for lines in (Lines, Stream, Undescribed):
        name = lines.__name__.lower()
        api.add_resource(lines, f"/{name}", endpoint=name)
    api.add_resource(Fault, "/faults/<name>", endpoint="fault")
