"""The API's document says what the API does: every route, limit, status, header and example."""

import json
import re
from enum import IntEnum
from functools import partial
from importlib import import_module

import pytest
from apispec import APISpec
from flask import Blueprint, Flask, abort
from marshmallow import INCLUDE, Schema
from marshmallow.fields import Decimal, Enum, Float, Integer, List, Nested, String
from marshmallow.validate import ContainsOnly, Email, Equal, Length, OneOf, Range, Regexp

from core.fields import MOST_ITEMS, ExactDecimal
from core.limits import count
from core.module_errors import ModuleError
from core.openapi import api_document
from core.openapi.components import Components
from core.openapi.document import METHODS, VERSION, api_routes
from core.openapi.examples import NoExampleError, example, resolved
from core.openapi.parameters import path_of
from core.openapi.types import NAME, name_types
from core.rest import Api, Resource, delete, item, page_of
from core.schemas import Schema as ModelSchema
from core.setting import setting
from tests.kinds.schemas import RecordSchema
from tests.sample.models import Box, Thing
from tests.sample.schemas import ThingSchema

API = setting("API_PREFIX")
PARTS = ("put", "patch")
NUMBER = {"type": "integer", "minimum": -(2**31) + 1, "maximum": 2**31 - 1}


@pytest.fixture
def document(app):
    with app.app_context():
        return api_document()


@pytest.fixture
def limited(make_app):
    application = make_app(["tests.limited"])
    with application.app_context():
        return api_document()


@pytest.fixture
def kinds(make_app):
    with make_app(["tests.kinds"]).app_context():
        return api_document()


def _parameters(operation):
    return {one["name"]: one for one in operation["parameters"]}


class TestServing:
    def test_the_document_is_served_with_a_tag_and_the_usual_headers(self, client):
        first = client.get(f"{API}/openapi.json")
        again = client.get(f"{API}/openapi.json", headers={"If-None-Match": first.headers["ETag"]})

        assert (first.status_code, first.mimetype) == (200, "application/json")
        assert first.json["openapi"] == "3.1.1"
        assert first.headers["X-Content-Type-Options"] == "nosniff"
        assert first.headers["X-Request-ID"]
        assert (again.status_code, again.data) == (304, b"")

    def test_it_is_made_once(self, app, client):
        client.get(f"{API}/openapi.json")
        with app.app_context():
            made = api_document()

            client.get(f"{API}/openapi.json")

            assert api_document() is made

    def test_behind_a_proxy_its_server_has_the_root_path(self, client):
        answer = client.get(f"{API}/openapi.json", environ_overrides={"SCRIPT_NAME": "/shop"})

        assert answer.json["servers"] == [{"url": "/shop"}]

    def test_an_application_without_an_api_has_an_empty_document(self, make_app):
        client = make_app([]).test_client()

        assert client.get(f"{API}/openapi.json").json["paths"] == {}
        assert "No installed module has an API yet." in client.get(f"{API}/docs").text


def test_every_route_of_every_api_is_in_the_document(app: Flask, document):
    wanted = {
        (path_of(rule), method.lower())
        for rule, _ in api_routes(app)
        for method in METHODS
        if method in rule.methods
    }
    described = {(path, name) for path, methods in document["paths"].items() for name in methods}

    assert described == wanted
    assert len(wanted) >= 14


def test_the_document_is_valid_openapi(client):
    validator = pytest.importorskip("openapi_spec_validator")

    validator.validate(client.get(f"{API}/openapi.json").json)


def test_operations_have_names_of_their_own(document):
    names = [one["operationId"] for path in document["paths"].values() for one in path.values()]

    assert len(names) == len(set(names))


def test_every_example_is_valid(document):
    jsonschema = pytest.importorskip("jsonschema")
    components = {"components": document["components"]}
    contents = [content for content in _contents(document) if "example" in content]

    for content in contents:
        schema = {**content["schema"], **components}
        jsonschema.Draft202012Validator(schema).validate(content["example"])

    assert len(contents) > 20


@pytest.mark.parametrize(
    ("field", "schema", "value"),
    [
        (Integer(validate=Range(min=10, min_inclusive=False)), {"exclusiveMinimum": 10}, 11),
        (Integer(validate=Range(max=-5, max_inclusive=False)), {"exclusiveMaximum": -5}, -6),
        (Integer(validate=Range(max=-5)), {"maximum": -5}, -5),
        (Integer(validate=Range(min=5)), {"minimum": 5}, 5),
        (Float(validate=Range(0, 0.5, min_inclusive=False)), {"exclusiveMinimum": 0}, 0.5),
        (
            Float(validate=Range(0, 0.5, min_inclusive=False, max_inclusive=False)),
            {"exclusiveMaximum": 0.5},
            0.25,
        ),
        (List(Integer(), validate=Length(max=0)), {"maxItems": 0}, []),
        (List(Integer(), validate=Length(min=2)), {"minItems": 2}, [1, 1]),
        (String(validate=Regexp(r"(?i)^[a-z]+\Z")), {}, "One"),
        (String(validate=Regexp("^[a-z]+$", re.IGNORECASE)), {}, "One"),
    ],
)
def test_an_example_keeps_to_the_limits_of_its_field(field, schema, value):
    field._bind_to_schema("one", Schema())
    found = Components(APISpec("", "", VERSION)).converter.field2property(field)

    assert schema.items() <= found.items()
    assert "pattern" not in found
    assert example(found, {}, "one") == value


def test_a_field_may_be_called_properties():
    close = pytest.importorskip("core.conformance")._close
    field = {"type": "object", "properties": {"properties": {"type": "string"}}}

    close(part := {"Feature": field}, True)

    assert part["Feature"]["required"] == ["properties"]
    assert field["properties"] == {"properties": {"type": "string"}}


def test_of_a_list_that_is_empty_yet_there_is_no_example():
    with pytest.raises(NoExampleError):
        example({"type": "string", "enum": []}, {})


def _contents(part):
    if isinstance(part, dict):
        yield from part.get("content", {}).values()
        for one in part.values():
            yield from _contents(one)


class TestBodies:
    def test_what_is_sent_has_the_real_limits_and_nothing_else(self, document):
        sent = document["components"]["schemas"]["ThingInput"]

        assert sent["additionalProperties"] is False
        assert sent["required"] == ["name", "code", "price", "box_id"]
        fields = sent["properties"]
        assert not {"id", "version", "created_at", "box"} & fields.keys()
        assert fields["box_id"] == NUMBER
        assert fields["shelf"] == {**NUMBER, "type": ["integer", "null"]}
        assert fields["amount"] == {**NUMBER, "default": 0}
        assert fields["active"] == {"type": "boolean", "default": False}
        assert fields["size"] == {"$ref": "#/components/schemas/Size", "default": "small"}
        assert fields["made_on"] == {"type": ["string", "null"], "format": "date"}
        assert fields["name"]["maxLength"] == 40

    @pytest.mark.parametrize(
        ("text", "allowed"),
        [("Key", True), ("a\nb", True), ("", False), (" \t", False), ("a\x00b", False)],
    )
    def test_the_pattern_of_a_required_text_is_that_of_the_server(self, document, text, allowed):
        name = document["components"]["schemas"]["ThingInput"]["properties"]["name"]

        assert bool(re.search(name["pattern"], text)) is allowed

    def test_a_decimal_is_answered_as_a_text_and_taken_as_either(self, document):
        schemas = document["components"]["schemas"]
        answered, sent = (schemas[name]["properties"]["price"] for name in ("Thing", "ThingInput"))

        assert answered == {"type": "string", "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]{1,2})?$"}
        text, number = sent["anyOf"]
        assert text == {"type": "string", "pattern": r"^-?(0|[1-9][0-9]{0,7})(\.[0-9]{1,2})?$"}
        assert sent["description"] == "From -99999999.99 to 99999999.99."
        assert (number["type"], number["maximum"], number["multipleOf"]) == (
            "number",
            99999999.99,
            0.01,
        )

    def test_an_answer_promises_no_rule_that_an_older_row_may_break(self, document, kinds):
        thing = document["components"]["schemas"]["Thing"]["properties"]
        record = kinds["components"]["schemas"]["Record"]["properties"]

        assert (thing["name"], thing["amount"]) == ({"type": "string"}, {"type": "integer"})
        assert record["seal"].keys() == {"type", "contentEncoding", "pattern"}
        assert record["span"]["type"] == ["number", "null"]
        assert "minimum" not in record["span"]

    def test_a_patch_needs_nothing_and_fills_in_nothing(self, document):
        patch = document["components"]["schemas"]["ThingPatch"]

        assert "required" not in patch
        assert not [one for one in patch["properties"].values() if "default" in one]

    def test_bytes_are_told_as_base64_with_their_limit(self):
        converter = Components(APISpec("", "", VERSION)).converter

        sent = converter.describe(RecordSchema(only=("seal",)), sent=True)

        seal = sent["properties"]["seal"]
        assert (seal["contentEncoding"], seal["maxLength"]) == ("base64", 400)

    def test_validators_are_told_and_in_answers_only_what_may_be_chosen(self):
        converter = Components(APISpec("", "", VERSION)).converter
        fields = {
            "sizes": List(String(), validate=ContainsOnly(["s", "m"])),
            "size": String(validate=[OneOf(["s", "m"]), Length(max=1)]),
            "state": String(validate=Equal("new")),
            "part": Float(validate=Range(0, 1, min_inclusive=False)),
            "exact": ExactDecimal(2, validate=Range(0, 1, min_inclusive=False)),
            "open": ExactDecimal(2, validate=Range(0)),
            "stock": Decimal(2),
            "more": Nested(Schema.from_dict({}), unknown=INCLUDE),
            "few": Nested(Schema.from_dict({}), many=True, validate=Length(1, 9)),
            "mail": String(validate=Email()),
            "rows": Nested(
                Schema.from_dict({"cells": Nested(Schema.from_dict({}), many=True)}), many=True
            ),
        }
        schema = Schema.from_dict(fields)()

        sent, answered = (converter.describe(schema, sent)["properties"] for sent in (True, False))

        array = {"type": "array", "items": {"type": "string", "enum": ["s", "m"]}}
        assert sent["sizes"] == answered["sizes"] == array
        assert sent["size"] == {"type": "string", "enum": ["s", "m"], "maxLength": 1}
        assert answered["size"] == {"type": "string", "enum": ["s", "m"]}
        assert sent["state"] == {"type": "string", "enum": ["new"]}
        assert answered["state"] == {"type": "string"}
        assert sent["part"] == {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
        exact, open_end = (sent[name]["anyOf"][1] for name in ("exact", "open"))
        assert (exact["exclusiveMinimum"], exact["maximum"]) == (0, 1)
        assert "maximum" not in open_end
        assert open_end["minimum"] == 0
        assert sent["stock"]["anyOf"] == [{"type": "string"}, {"type": "number"}]
        assert answered["stock"]["type"] == "string"
        assert sent["more"]["additionalProperties"] is True
        assert (sent["few"]["minItems"], sent["few"]["maxItems"]) == (1, 9)
        assert sent["mail"]["format"] == "email"
        assert "format" not in answered["mail"]
        assert sent["rows"]["maxItems"] == MOST_ITEMS
        assert "maxItems" not in sent["rows"]["items"]["properties"]["cells"]

    def test_schemas_that_are_alike_have_one_name(self):
        components = Components(APISpec("", "", VERSION, plugins=[]))
        names = {}
        for key, options in {"one": {}, "same": {}, "less": {"exclude": ("price",)}}.items():
            names[key] = components.answered(ThingSchema(**options))["$ref"].rpartition("/")[2]

        assert names == {"one": "Thing", "same": "Thing", "less": "Thing2"}

    @pytest.mark.parametrize("first", ["Order", "OrderItem"])
    def test_schemas_whose_names_meet_are_kept_apart(self, make_app, first):
        names = sorted(["Order", "OrderItem", "Problem"], key=lambda name: name != first)
        blueprint = Blueprint("met", __name__, url_prefix="/met")
        for name in names:
            own = {"model": Box, "fields": (name.lower(),)}
            meta = type("Meta", (ThingSchema.Meta,), own)
            fields = {"Meta": meta, name.lower(): String()}
            schema = type(f"{name}Schema", (ModelSchema,), fields)()
            Api(blueprint).add_resource(
                type(f"{name}List", (Resource,), {"schema": schema, "get": lambda self: None}),
                f"/{name.lower()}s",
            )
            one = {"schema": schema, "get": lambda self, id: None, "__doc__": "One."}
            Api(blueprint).add_resource(
                type(f"{name}One", (Resource,), one), f"/{name.lower()}s/<int:id>"
            )
        app = make_app([])
        app.register_blueprint(blueprint)
        app.extensions["api_blueprints"]["met"] = None
        with app.app_context():
            schemas = api_document()["components"]["schemas"]

        for name in names[:2]:
            assert list(schemas[name]["properties"]) == [name.lower()]
        assert "title" in schemas["Problem"]["properties"]
        assert list(schemas["Problem2"]["properties"]) == ["problem"]
        shown = {key: list(one.get("properties", ())) for key, one in schemas.items()}
        answers = {key for key, properties in shown.items() if properties == ["data"]}
        assert answers == {"OrderItem2", "OrderItemItem", "Problem2Item"}

    def test_a_resource_with_two_urls_has_operations_of_two_names(self, make_app):
        blueprint = Blueprint("two", __name__, url_prefix="/two")
        me = type("Me", (Resource,), {"get": lambda self, id=0: None})
        Api(blueprint).add_resource(me, "/me", "/people/<int:id>", endpoint="me")
        app = make_app([])
        app.register_blueprint(blueprint)
        app.extensions["api_blueprints"]["two"] = None
        with app.app_context():
            paths = api_document()["paths"]

        names = {one["get"]["operationId"] for one in paths.values()}
        assert names == {"two_me_get", "two_me_get_2"}

    def test_a_dictionary_within_an_answer_may_lack_something(self):
        converter = Components(APISpec("", "", VERSION)).converter
        schema = Schema.from_dict({"sum": Nested(Schema.from_dict({"count": Integer()}))})()

        answered = converter.describe(schema)

        assert "required" not in answered["properties"]["sum"]

    def test_what_is_within_a_record_is_whole_in_a_patch_too(self, kinds):
        patch = kinds["components"]["schemas"]["OrderPatch"]

        assert "required" not in patch
        lines = patch["properties"]["lines"]["items"]
        assert resolved(lines, kinds["components"]["schemas"])["required"] == ["text", "amount"]

    def test_lines_have_one_type_in_a_new_record_and_in_a_change(self, kinds):
        schemas = kinds["components"]["schemas"]
        lines = [schemas[name]["properties"]["lines"] for name in ("OrderInput", "OrderPatch")]

        assert [one["items"] for one in lines] == 2 * [
            {"$ref": "#/components/schemas/OrderLinesInput"}
        ]

    def test_a_type_is_named_once_and_its_namesakes_have_numbers(self):
        size = {"type": "string", "enum": ["s"], NAME: "Size"}
        other = {"type": ["string", "null"], "enum": ["m", None], "default": "m", NAME: "Size"}
        things = {"Thing": {"properties": {"a": size, "b": other, "c": {**size}, NAME: {"d": 1}}}}
        made = {"paths": {}, "components": {"schemas": things}}

        name_types(made)

        schemas = made["components"]["schemas"]
        first, second = ({"$ref": f"#/components/schemas/{name}"} for name in ("Size", "Size2"))
        assert schemas["Thing"]["properties"] == {
            "a": first,
            "b": {"anyOf": [second, {"type": "null"}], "default": "m"},
            "c": first,
            NAME: {"d": 1},
        }
        assert schemas["Size2"] == {"type": "string", "enum": ["m"]}

    def test_an_enum_of_numbers_is_named_and_what_is_written_is_the_same_in_each_process(self):
        class Level(IntEnum):
            LOW = 1
            HIGH = 5

        size = {"enum": [1, 5, None], "x-enum-varnames": ["LOW", "HIGH"], NAME: "Level"}
        made = {"paths": {"/": {"schema": size}}, "components": {"schemas": {}}}
        converter = Components(APISpec("", "", VERSION)).converter
        schema = Schema.from_dict({"level": Enum(Level, by_value=True, allow_none=True)})()

        level = converter.describe(schema)["properties"]["level"]
        name_types(made)

        assert level == size
        reference = {"$ref": "#/components/schemas/Level"}
        assert made["paths"]["/"]["schema"] == {"anyOf": [reference, {"type": "null"}]}
        assert list(made["components"]["schemas"]["Level"].items()) == [
            ("enum", [1, 5]),
            ("x-enum-varnames", ["LOW", "HIGH"]),
        ]

    def test_a_number_of_64_bits_keeps_its_size_whatever_else_is_said_of_it(self):
        large = [Range(0, 2**40), OneOf([1, 2])]
        fields = {
            "chosen": Integer(allow_none=True, validate=large),
            "text": Integer(as_string=True, validate=Range(max=2**40)),
        }
        converter = Components(APISpec("", "", VERSION)).converter
        schema = Schema.from_dict(fields)()

        sent, answered = (converter.describe(schema, sent)["properties"] for sent in (True, False))

        assert sent["chosen"]["anyOf"][0]["format"] == "int64"
        assert answered["text"] == {"type": "string"}
        assert "format" not in sent["text"]["anyOf"][0]

    def test_a_nested_record_is_null_where_there_may_be_none(self, document, kinds):
        place, thing = kinds["components"]["schemas"]["Place"], document["components"]["schemas"]

        region = {"$ref": "#/components/schemas/PlaceRegion"}
        assert place["properties"]["region"] == {"anyOf": [region, {"type": "null"}]}
        assert thing["Thing"]["properties"]["box"] == {"$ref": "#/components/schemas/ThingBox"}

    @pytest.mark.parametrize(
        ("name", "value"), [("clock", "09:30:00"), ("span", 1.0), ("word", "red"), ("level", 1)]
    )
    def test_a_column_of_each_kind_has_an_example(self, kinds, name, value):
        answer = kinds["paths"]["/kinds/records/{id}"]["get"]["responses"]["200"]

        assert answer["content"]["application/json"]["example"]["data"][name] == value

    def test_what_is_answered_has_its_nested_record(self, document):
        schemas = document["components"]["schemas"]

        assert list(schemas["ThingBox"]["properties"]) == ["id", "name"]
        assert "additionalProperties" not in schemas["Thing"]

    def test_fields_shortens_an_answer_and_nothing_within_it(self, document):
        schemas = document["components"]["schemas"]

        assert "required" not in schemas["Thing"]
        assert schemas["ThingBox"]["required"] == ["id", "name"]


class TestLists:
    def test_a_list_says_what_may_be_asked(self, document):
        parameters = _parameters(document["paths"]["/outside/things"]["get"])
        schemas = document["components"]["schemas"]

        assert parameters["per_page"]["schema"]["maximum"] == setting("MAX_PER_PAGE")
        assert parameters["page"]["schema"]["minimum"] == 1
        assert parameters["sort"]["schema"]["items"] == {"$ref": "#/components/schemas/ThingSort"}
        assert schemas["ThingSort"]["enum"][:2] == ["id", "-id"]
        assert parameters["sort"]["schema"]["uniqueItems"] is True
        assert "box" in resolved(parameters["fields"]["schema"]["items"], schemas)["enum"]
        assert parameters["count"]["schema"]["enum"] == ["exact", "estimate", "none"]
        assert parameters["filter[box_id][gte]"]["schema"] == NUMBER
        assert parameters["filter[made_on]"]["schema"] == {"type": "string", "format": "date"}
        sizes = parameters["filter[size][in]"]["schema"]["items"]
        assert resolved(sizes, schemas) == {"type": "string", "enum": ["small", "xl"]}
        assert parameters["filter[active][null]"]["schema"] == {"type": "boolean"}
        assert "filter[active][gte]" not in parameters
        assert "filter[name]" not in parameters

    def test_every_parameter_is_one_that_the_list_reads(self, client, document):
        operation = document["paths"]["/outside/things"]["get"]
        names = [one["name"] for one in operation["parameters"] if one["in"] == "query"]

        refusal = client.get("/outside/things?nonsense=1").json["detail"]

        allowed = refusal.partition("allowed are ")[2].rstrip(".").split(", ")
        assert {re.sub(r"\[(gte|lte|in|null)\]$", "", name) for name in names} == set(allowed)


class TestOperations:
    def test_a_key_in_the_url_has_the_limits_of_its_converter(self, document):
        [key] = [
            one
            for one in document["paths"]["/outside/things/{id}"]["get"]["parameters"]
            if one["in"] == "path"
        ]

        assert key["required"] is True
        assert (key["schema"]["minimum"], key["schema"]["maximum"]) == (0, 2**63 - 1)

    def test_a_resource_says_what_the_document_cannot_know(self, document):
        fault = document["paths"]["/outside/faults/{name}"]["get"]

        assert fault["summary"] == "Fail in the named way"
        assert {"200", "400", "403", "404", "429", "503"} <= fault["responses"].keys()

    def test_the_answer_to_a_change_may_be_in_part(self, document):
        paths = document["paths"]
        changes = [paths["/outside/things"]["post"], *map(paths["/outside/things/{id}"].get, PARTS)]

        assert all("fields" in _parameters(operation) for operation in changes)

    def test_a_required_if_match_is_a_required_header(self, limited):
        guarded = limited["paths"][f"{API}/limited/guarded"]["put"]

        assert _parameters(guarded)["If-Match"]["required"] is True
        assert "428" in guarded["responses"]

    def test_a_limited_route_may_answer_429_and_says_what_is_left(self, limited):
        tight, free = (limited["paths"][f"{API}/limited/{one}"]["get"] for one in ("tight", "free"))

        assert "429" in tight["responses"]
        assert "RateLimit-Remaining" in tight["responses"]["200"]["headers"]
        assert "429" not in free["responses"]

    def test_a_limit_of_one_method_is_none_of_the_others(self, limited):
        paths = limited["paths"][f"{API}/limited/sent"]

        assert "429" in paths["post"]["responses"]
        assert "429" not in paths["get"]["responses"]

    def test_a_limit_of_the_configuration_is_one_of_every_route(self, make_app):
        application = make_app(["tests.sample"], RATE_LIMIT="100/minute")

        with application.app_context():
            paths = api_document()["paths"]

        assert all("429" in one["responses"] for path in paths.values() for one in path.values())

    def test_an_announced_end_is_in_the_document(self, limited):
        free = limited["paths"][f"{API}/limited/free"]["get"]

        assert free["deprecated"] is True
        assert {"Deprecation", "Sunset", "Link"} <= free["responses"]["200"]["headers"].keys()


class TestDescriptions:
    """What a route tells of itself, and what only its resource can say."""

    @pytest.fixture
    def thing(self, save):
        box = save(Box(name="Red"))
        return save(Thing(name="Key", code="K1", price=1, box_id=box.id))

    def test_an_action_on_a_record_is_no_creation(self, client, document, thing):
        mark = document["paths"]["/outside/things/{id}/mark"]["post"]

        answers = [client.post(f"/outside/things/{id}/mark") for id in (thing.id, thing.id + 1)]

        assert [answer.status_code for answer in answers] == [200, 404]
        assert {"200", "404", "412"} <= mark["responses"].keys()
        assert "201" not in mark["responses"]
        assert _parameters(mark).keys() == {"id", "If-Match", "fields"}

    def test_an_action_may_take_anything_and_needs_nothing(self, client, document, thing):
        twin = document["paths"]["/outside/things/{id}/twin"]["post"]

        answer = client.post(f"/outside/things/{thing.id}/twin", json=[1])

        assert answer.status_code == 200
        assert twin["requestBody"] == {"content": {"application/json": {"schema": {}}}}
        assert _parameters(twin)["If-Match"]["required"] is False

    def test_a_creation_in_a_list_of_a_record_stays_one(self, document):
        responses = document["paths"]["/outside/boxes/{id}/things"]["post"]["responses"]

        assert "200" not in responses
        assert {"201", "404"} <= responses.keys()

    def test_none_takes_a_part_away(self, document):
        mark = document["paths"]["/outside/things/{id}/mark"]["post"]

        assert "requestBody" not in mark
        assert "415" not in mark["responses"]
        assert "413" in mark["responses"]

    def test_a_described_schema_takes_the_place_of_the_other(self, client, document, thing):
        bulk = document["paths"]["/outside/things/bulk"]["post"]
        new = {"name": "Cup", "price": "1", "box_id": thing.box_id}

        answer = client.post("/outside/things/bulk", json=[{**new, "code": one} for one in "ab"])

        assert [one["code"] for one in answer.json["data"]] == ["a", "b"]
        assert bulk["requestBody"]["required"] is True
        items = {"$ref": "#/components/schemas/ThingInput"}
        content = {"schema": {"type": "array", "items": items}}
        assert bulk["requestBody"]["content"] == {"application/json": content}
        assert bulk["responses"]["201"]["headers"].keys() == {"X-Request-ID"}

    def test_what_is_described_changes_nothing_for_others(self, document):
        post = document["paths"]["/outside/things"]["post"]

        assert "requestBody" in post
        assert {"ETag", "Location"} < post["responses"]["201"]["headers"].keys()

    def test_the_keys_of_a_url_stay_when_parameters_are_described(self, make_app):
        paths = _described(make_app, {"parameters": None})

        assert [one["name"] for one in paths["/own/{id}"]["get"]["parameters"]] == ["id"]

    def test_a_key_of_a_url_may_be_described(self, make_app):
        key = {"name": "id", "in": "path", "description": "Its number.", "schema": {}}
        [shown] = _described(make_app, {"parameters": [key]})["/own/{id}"]["get"]["parameters"]

        assert shown["description"] == "Its number."


def _document_with(make_app, url, resource, modules=()):
    """Return the document of these modules and of an API with one route."""
    application = make_app([*modules])
    blueprint = Blueprint("own", __name__, url_prefix="/own")
    Api(blueprint).add_resource(resource, url, endpoint="own")
    application.register_blueprint(blueprint)
    with application.app_context():
        return api_document()


def _described(make_app, said):
    """Return the paths of an API with one route that says this of itself."""

    class Own(Resource):
        describe = {"get": said}

        def get(self, id):
            return {}

    return _document_with(make_app, "/<int:id>", Own)["paths"]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"psot": {"summary": "x"}}, "post"),
        ({"GET": {}}, "get"),
        ({"get": {"respones": {}}}, "responses"),
        ({"get": {200: {}}}, "another"),
        ({"responses": {}, "get": {"responses": {}}}, "another"),
    ],
)
def test_what_is_described_by_a_wrong_name_is_told_at_once(said, meant):
    with pytest.raises(ModuleError, match=rf"^Own.describe has .*: did you mean '{meant}'\?$"):
        type("Own", (Resource,), {"describe": said})

    for taken in (None, {"get": {"x-internal": True}, "delete": None}):
        type("Own", (Resource,), {"describe": taken})


def test_a_deletion_without_a_schema_answers_nothing(make_app):
    class Own(Resource):
        def delete(self, id):
            return "", 204

    paths = _document_with(make_app, "/<int:id>", Own)["paths"]
    answers = paths["/own/{id}"]["delete"]["responses"]

    assert "content" not in answers["204"]
    assert "200" not in answers


def test_what_another_schema_reads_is_what_is_sent(make_app):
    class Fewer(Resource):
        schema = ThingSchema()
        body_schema = ThingSchema(only=("name",))

        def post(self):
            pass

    document = _document_with(make_app, "/things", Fewer, ["tests.sample"])

    def properties_of(content):
        name = content["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        return document["components"]["schemas"][name]["properties"]

    post = document["paths"]["/own/things"]["post"]
    assert properties_of(post["requestBody"]).keys() == {"name"}
    answered = properties_of(post["responses"]["201"])["data"]["$ref"].rpartition("/")[2]
    assert len(document["components"]["schemas"][answered]["properties"]) > 5


@pytest.mark.parametrize(
    ("url", "reader"),
    [
        pytest.param("/things/<int:id>/move", ThingSchema(), id="action"),
        pytest.param("/session", None, id="no-schema"),
    ],
)
def test_a_schema_that_reads_bodies_is_told_of_every_post(make_app, url, reader):
    class Move(Resource):
        schema = reader
        body_schema = ThingSchema(only=("name",))
        many = False

        def post(self, id=0):
            pass

    paths = _document_with(make_app, url, Move, ["tests.sample"])["paths"]
    (move,) = paths[f"/own{url.replace('<int:id>', '{id}')}"].values()

    assert move["requestBody"]["required"] is True
    assert "$ref" in move["requestBody"]["content"]["application/json"]["schema"]


class TestLinting:
    """What the linters of Redocly and Stoplight ask of a document."""

    def test_an_operation_without_a_guard_is_declared_open(self, document):
        assert document["security"] == []

    def test_every_tag_is_declared_once(self, document):
        used = {
            name
            for path in document["paths"].values()
            for one in path.values()
            for name in one["tags"]
        }
        declared = [one["name"] for one in document["tags"]]

        assert sorted(declared) == sorted(used)

    @pytest.mark.parametrize("fixture", ["document", "limited", "kinds"])
    def test_every_component_is_used(self, request, fixture):
        document = request.getfixturevalue(fixture)
        text = json.dumps(document)

        unused = [
            name
            for kind, components in document["components"].items()
            for name in components
            # A security scheme is named without its place.
            if f'"#/components/{kind}/{name}"' not in text and f'{{"{name}": []}}' not in text
        ]

        assert unused == []

    def test_a_component_is_there_where_it_is_used(self, document, limited):
        assert "Deprecation" not in document["components"]["headers"]
        assert "Deprecation" in limited["components"]["headers"]
        assert "TooManyRequests" in limited["components"]["responses"]


def test_a_resource_says_what_its_url_does_not_tell(make_app):
    class Within(Resource):
        schema = ThingSchema()
        many = True

        def get(self, place):
            pass

    class Best(Resource):
        schema = ThingSchema()
        many = False

        def get(self):
            pass

    application = make_app(["tests.sample"])
    blueprint = Blueprint("told", __name__, url_prefix="/told")
    Api(blueprint).add_resource(Within, "/within/<place>", endpoint="within")
    application.register_blueprint(blueprint)
    other = Blueprint("other", __name__, url_prefix="/told")
    Api(other).add_resource(Best, "/best", endpoint="best")
    application.register_blueprint(other)

    with application.app_context():
        paths = api_document()["paths"]

    within, best = (paths[f"/told/{name}"]["get"] for name in ("within/{place}", "best"))
    assert {"page", "place", "sort"} <= _parameters(within).keys()
    assert "page" not in _parameters(best)
    names = [
        one["responses"]["200"]["content"]["application/json"]["schema"] for one in (within, best)
    ]
    assert [name["$ref"].rpartition("/")[2] for name in names] == ["ThingPage", "ThingItem"]


class SumSchema(Schema):
    total = Integer()


@pytest.mark.parametrize(("is_many", "kind"), [(None, "array"), (False, None)])
def test_what_is_computed_has_no_pages_and_no_state(make_app, is_many, kind):
    class Sum(Resource):
        schema = SumSchema()
        many = is_many

        def get(self):
            return {"data": self.schema.dump({"total": 3}, many=False)}

        def post(self):
            pass

        def delete(self):
            pass

    document = _document_with(make_app, "/sum", Sum)
    get, post, gone = (document["paths"]["/own/sum"][one] for one in ("get", "post", "delete"))

    assert get["parameters"] == gone["parameters"] == []
    assert get["responses"].keys() & {"200", "304", "412", "414"} == {"200"}
    assert get["responses"]["200"]["headers"].keys() == {"X-Request-ID"}
    content = get["responses"]["200"]["content"]["application/json"]
    whole = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    assert whole["properties"].keys() == {"data"}
    assert whole["properties"]["data"].get("type") == kind
    assert post["responses"].keys() & {"200", "201"} == {"200"}
    made = post["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    assert made.endswith("/SumItem")


def test_a_schema_without_a_model_has_nothing_to_find_or_store(app):
    with app.test_request_context("/"):
        for use in (page_of, partial(item, record=1), partial(delete, key=1)):
            with pytest.raises(LookupError, match="SumSchema has no model, in which"):
                use(SumSchema())


class Secret(Resource):
    def get(self):
        return {}


KEY = {"type": "apiKey", "in": "header", "name": "X-API-Key"}


class TestGuards:
    @pytest.fixture
    def guarded(self, make_app):
        """Return a function that makes an application whose API has, or has no, guard."""

        def make(guard=None, **options):
            application = make_app([], RATE_LIMIT="100/minute")
            blueprint = Blueprint("guarded", __name__, url_prefix="/guarded")
            Api(blueprint, **options).add_resource(Secret, "/secrets", endpoint="secrets")
            if guard:
                blueprint.before_request(guard)
            application.register_blueprint(blueprint)
            application.before_request_funcs.setdefault("guarded", []).append(count)
            return application

        return make

    def _document(self, application):
        with application.app_context():
            made = api_document()
        return made, made["paths"]["/guarded/secrets"]["get"]

    def test_without_a_guard_nothing_is_said_of_one(self, guarded):
        document, operation = self._document(guarded())

        assert not {"401", "403"} & operation["responses"].keys()
        assert "Unauthorized" not in document["components"]["responses"]
        assert "security" not in operation

    def test_a_guard_may_answer_401_and_403(self, guarded):
        document, operation = self._document(guarded(lambda: abort(401)))

        names = {"401": "Unauthorized", "403": "Forbidden"}
        for status, name in names.items():
            assert operation["responses"][status] == {"$ref": f"#/components/responses/{name}"}
            assert name in document["components"]["responses"]

    @pytest.mark.parametrize("status", [401, 403])
    def test_the_answer_of_a_guard_is_as_documented(self, guarded, status):
        pytest.importorskip("jsonschema")
        application = guarded(lambda: abort(status))
        application.test_client_class = import_module("core.conformance").ConformingClient

        assert application.test_client().get("/guarded/secrets").status_code == status

    def test_an_api_says_how_to_pass_its_guard(self, guarded):
        document, operation = self._document(guarded(security=KEY))

        assert document["components"]["securitySchemes"] == {"guarded": KEY}
        assert operation["security"] == [{"guarded": []}]
        assert "401" in operation["responses"]

    @pytest.mark.parametrize(
        ("security", "passed"),
        [
            (KEY, "-H &#39;X-API-Key: KEY&#39;"),
            ({"type": "apiKey", "in": "cookie", "name": "key"}, "-b key=KEY"),
            ({"type": "http", "scheme": "basic"}, "-u USER"),
            (
                {"type": "http", "scheme": "bearer"},
                "-H &#39;Authorization: Bearer TOKEN&#39;",
            ),
            ({"type": "apiKey", "in": "query", "name": "key"}, ""),
        ],
    )
    def test_the_command_of_the_page_passes_the_guard(self, guarded, security, passed):
        page = guarded(security=security).test_client().get(f"{API}/docs").text

        assert f"curl -i http://localhost/guarded/secrets {passed}".strip() in page

    @pytest.mark.parametrize("described", [[], [{}], [{"other": []}], [{"guarded": [], "b": []}]])
    def test_the_page_takes_any_security_that_is_described(self, make_app, described):
        one = type("One", (Secret,), {"describe": {"get": {"security": described}}})
        application = make_app([])
        blueprint = Blueprint("guarded", __name__, url_prefix="/guarded")
        Api(blueprint, security=KEY).add_resource(one, "/secrets", endpoint="secrets")
        application.register_blueprint(blueprint)

        assert application.test_client().get(f"{API}/docs").status_code == 200

    def test_apis_with_one_guard_have_one_scheme(self, make_app):
        application = make_app([])
        for name in ("first", "second"):
            blueprint = Blueprint(name, __name__, url_prefix=f"/{name}")
            Api(blueprint, security=dict(KEY)).add_resource(Secret, "/secrets", endpoint="secrets")
            application.register_blueprint(blueprint)

        with application.app_context():
            made = api_document()

        assert made["components"]["securitySchemes"] == {"first": KEY}
        assert made["paths"]["/second/secrets"]["get"]["security"] == [{"first": []}]

    def test_a_method_that_the_guard_lets_pass_may_be_described_as_open(self, make_app):
        class Open(Secret):
            describe = {"get": {"security": [], "responses": {"401": None, "403": None}}}

        application = make_app([])
        blueprint = Blueprint("open", __name__, url_prefix="/guarded")
        Api(blueprint, security=KEY).add_resource(Open, "/secrets", endpoint="secrets")
        application.register_blueprint(blueprint)

        _, operation = self._document(application)

        assert operation["security"] == []
        assert not {"401", "403"} & operation["responses"].keys()


class TestConformance:
    """The client of the tests itself: it fails where answer and document differ."""

    def test_an_undocumented_status_fails(self, client, document, monkeypatch):
        pytest.importorskip("jsonschema")
        monkeypatch.delitem(document["paths"]["/outside/things"]["get"]["responses"], "200")

        with pytest.raises(AssertionError, match="200 is not documented"):
            client.get("/outside/things")

    def test_a_field_that_is_not_documented_fails(self, client, document, monkeypatch):
        pytest.importorskip("jsonschema")
        schemas = document["components"]["schemas"]
        monkeypatch.delitem(schemas["PageMeta"]["properties"], "total")

        with pytest.raises(AssertionError, match="'total' was unexpected"):
            client.get("/outside/things")

    def test_a_missing_header_fails(self, client, document, monkeypatch):
        pytest.importorskip("jsonschema")
        answer = document["paths"]["/outside/things"]["get"]["responses"]["200"]
        monkeypatch.setitem(answer["headers"], "X-Promised", {"required": True})

        with pytest.raises(AssertionError, match="X-Promised"):
            client.get("/outside/things")

    def test_a_fixed_path_is_not_taken_for_one_with_a_key(self, client, document, monkeypatch):
        pytest.importorskip("jsonschema")
        paths = document["paths"]
        monkeypatch.setitem(paths, "/outside/{name}", paths.pop("/outside/things"))
        monkeypatch.setitem(paths, "/outside/things", {"get": {"responses": {}}})

        with pytest.raises(AssertionError, match="200 is not documented"):
            client.get("/outside/things")

    @pytest.mark.parametrize("name", ["lines", "stream"])
    def test_of_what_is_no_json_the_media_type_is_compared(self, client, name):
        assert client.get(f"/outside/{name}").text.startswith("a,b\n")

    def test_another_media_type_than_the_documented_fails(self, client):
        pytest.importorskip("jsonschema")

        with pytest.raises(AssertionError, match="200 is text/csv"):
            client.get("/outside/undescribed")


class TestCommand:
    def test_it_prints_the_document(self, app, document):
        result = app.test_cli_runner().invoke(args=["openapi"])

        assert json.loads(result.output) == document | {"servers": [{"url": "/"}]}

    def test_a_written_file_is_up_to_date(self, app, tmp_path):
        path = str(tmp_path / "openapi.json")
        written = app.test_cli_runner().invoke(args=["openapi", "--write", path])

        checked = app.test_cli_runner().invoke(args=["openapi", "--check", path])

        assert (written.exit_code, checked.exit_code) == (0, 0)
        assert f"{path} is up to date." in checked.output

    def test_a_file_that_differs_fails_with_the_difference(self, app, tmp_path):
        path = tmp_path / "openapi.json"
        app.test_cli_runner().invoke(args=["openapi", "--write", str(path)])
        path.write_text(path.read_text().replace('"maximum": 100,', '"maximum": 50,'))

        result = app.test_cli_runner().invoke(args=["openapi", "--check", str(path)])

        assert result.exit_code == 1
        assert '-              "maximum": 50,\n+              "maximum": 100,' in result.output
        assert f"flask openapi --write {path}" in result.output

    @pytest.mark.parametrize(("option", "word"), [("--check", "read"), ("--write", "written")])
    def test_a_file_that_cannot_be_used_is_named(self, app, tmp_path, option, word):
        path = tmp_path / "nowhere" / "openapi.json"

        result = app.test_cli_runner().invoke(args=["openapi", option, str(path)])

        assert (result.exit_code, f"{path} cannot be {word}" in result.output) == (1, True)

    def test_a_file_of_another_encoding_differs(self, app, tmp_path):
        path = tmp_path / "openapi.json"
        path.write_bytes("ñ".encode("latin-1"))

        result = app.test_cli_runner().invoke(args=["openapi", "--check", str(path)])

        assert "The API has changed" in result.output


class TestPage:
    def test_it_shows_each_operation_with_its_rules_and_a_command(self, client, document):
        page = client.get(f"{API}/docs").text

        for path, operations in document["paths"].items():
            assert f"<code>{path}</code>" in page
            for operation in operations.values():
                assert f'<h2 id="{operation["operationId"]}">' in page
        assert "curl -i http://localhost/outside/things/1" in page
        assert "at most 40 characters; not blank" in page
        assert f'href="{API}/openapi.json"' in page

    def test_it_speaks_the_language_of_its_reader(self, client):
        page = client.get(f"{API}/docs", headers={"Accept-Language": "es"}).text

        assert "Respuestas" in page
        assert "como máximo 40 caracteres" in page

    def test_what_is_english_in_any_language_says_so(self, client):
        page = client.get(f"{API}/docs", headers={"Accept-Language": "es"}).text
        english = re.findall(r'<(\w+) lang="en">\s*(.*?)\s*</\1>', page, re.DOTALL)
        rest = re.sub(r'<(\w+) lang="en">.*?</\1>|<pre.*?</pre>', "", page, flags=re.DOTALL)

        words = {text for _, text in english}
        assert {"Mark a thing.", "One page of the list.", "Rows on a page."} <= words
        assert not re.search("Mark a thing|The record|Rows |There is |At most ", rest)

    def test_what_the_document_marks_as_code_is_code(self, client):
        page = client.get(f"{API}/docs").text

        assert "<code>next_cursor</code> of an answer" in page
        assert "`" not in re.sub("<pre.*?</pre>", "", page, flags=re.DOTALL)

    def test_an_answer_without_headers_of_its_own_has_no_line_for_them(self, client):
        page = client.get(f"{API}/docs").text

        assert "Headers: ETag" in page
        assert not re.search(r"Headers:\s*<", page)

    def test_it_has_no_inline_code(self, client):
        page = client.get(f"{API}/docs").text

        assert "<style" not in page
        assert not re.search(r"\s(style|on\w+)=", page)
        assert not re.search(r"<script(?![^>]*\ssrc=)", page)

    def test_the_home_page_leads_to_it(self, client):
        assert f'href="{API}/docs"' in client.get("/").text


@pytest.mark.browser
@pytest.mark.parametrize(
    ("language", "width", "scheme"),
    [("en", 360, "light"), ("es", 360, "dark"), ("en", 1280, "dark"), ("es", 1280, "light")],
)
def test_the_page_is_accessible(browser, live_server, scheme, width, language):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = browser.new_page(
        base_url=live_server.url,
        color_scheme=scheme,
        locale=language,
        viewport={"width": width, "height": 900},
    )
    page.goto(f"{API}/docs")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")

    found = axe.run(page).response

    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    page.close()
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    assert wider <= 0
