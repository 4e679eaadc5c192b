"""A list and an item of each schema."""

from typing import Any

from flask import Response

from core.columns import key_names
from core.rest import Api, Resource, body, create, delete, item, page_of, update
from core.schemas import Schema

from . import unusual_bp
from .schemas import (
    AnimalSchema,
    BirdSchema,
    BoatSchema,
    CatSchema,
    HarbourSchema,
    LieuÉtroitSchema,
    MeasureSchema,
    SheetSchema,
    StoneSchema,
    TideSchema,
)

api = Api(unusual_bp)


def add(schema: Schema, name: str, url: str = "") -> None:
    class Several(Resource):
        def get(self) -> Response:
            return page_of(schema)

        def post(self) -> Response:
            return create(schema, schema.load(body()), f".{name}_item")

    class One(Resource):
        def get(self, **key: Any) -> Response:
            return item(schema, tuple(key.values()))

        def put(self, **key: Any) -> Response:
            return update(schema, tuple(key.values()))

        def delete(self, **key: Any) -> tuple[str, int]:
            return delete(schema, tuple(key.values()))

    Several.schema = One.schema = schema
    url = url or f"<int:{key_names(schema.opts.model)[0]}>"
    api.add_resource(Several, f"/{name}s", endpoint=f"{name}_list")
    api.add_resource(One, f"/{name}s/{url}", endpoint=f"{name}_item")


add(AnimalSchema(), "animal")
add(CatSchema(), "cat")
add(BirdSchema(), "bird")
add(StoneSchema(), "stone")
add(SheetSchema(), "sheet")
add(MeasureSchema(), "measure")
add(LieuÉtroitSchema(), "place")
add(TideSchema(), "tide", "<moment:at>/<date:day>/<grade>")
add(BoatSchema(), "boat")
add(HarbourSchema(), "harbour", "<uuid:key>")
