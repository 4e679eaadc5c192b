"""The shapes of the API: items, lists, preconditions, and what a body or a query may not be."""

import gzip
from decimal import Decimal
from io import BytesIO

import pytest
from flask import Blueprint, Flask, Response, g, request
from marshmallow import Schema, fields, post_dump
from sqlalchemy import select
from werkzeug.exceptions import NotFound
from werkzeug.routing import Rule

from core.listing import MAX_OFFSET
from core.module_errors import ModuleError
from core.rest import Api, Resource, _located, create, delete, item, page_of, update
from core.setting import DEFAULTS
from services import db
from tests.sample.models import Box, Thing
from tests.sample.schemas import ThingSchema

PROBLEM = "application/problem+json"
PER_PAGE, MOST = DEFAULTS["PER_PAGE"], DEFAULTS["MAX_PER_PAGE"]
NO_PAGE = f"'page': it must be a whole number from 1 to {MAX_OFFSET}."
NO_SIZE = f"'per_page': it must be a whole number from 1 to {MOST}."


@pytest.fixture(params=["inside", "outside"])
def things(request, inside):
    """The URL of the list, under API_PREFIX and elsewhere."""
    return f"{inside if request.param == 'inside' else '/outside'}/things"


@pytest.fixture
def box(save):
    return save(Box(name="Drawer"))


@pytest.fixture
def body(box):
    return {"name": "Ñandú", "code": "K1", "price": "1.50", "box_id": box.id}


@pytest.fixture
def thing(save, box):
    """The URL of a stored thing, and the thing."""
    record = save(Thing(name="Key", code="K1", price=Decimal("1.50"), amount=7, box_id=box.id))
    return f"/outside/things/{record.id}", record


@pytest.fixture
def many(save, box):
    for number in range(PER_PAGE + 5):
        save(Thing(name=f"Thing {number}", code=f"T{number}", price=1, box_id=box.id))


def test_a_created_item_is_answered_with_its_address(client, things, body):
    answer = client.post(things, json=body)

    item = answer.json["data"]
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{things}/{item['id']}"
    assert answer.headers["ETag"]
    assert client.get(answer.headers["Location"]).json == answer.json


def test_an_item_has_exact_decimals_and_times_in_utc(client, body):
    answer = client.post("/outside/things", json=body | {"size": "xl", "made_on": "2024-02-29"})

    item = answer.json["data"]
    created, updated = item.pop("created_at"), item.pop("updated_at")
    assert created.endswith("Z")
    assert updated.endswith("Z")
    assert item.pop("id") > 0
    assert item == {
        **body,
        "note": None,
        "amount": 0,
        "shelf": None,
        "size": "xl",
        "made_on": "2024-02-29",
        "active": False,
        "box": {"id": body["box_id"], "name": "Drawer"},
        "version": 1,
    }
    assert "Ñandú" in answer.text


def test_an_item_that_is_deleted_is_gone(client, thing):
    url, _ = thing

    answer = client.delete(url)

    assert (answer.status_code, answer.data) == (204, b"")
    assert client.get(url).status_code == 404


def test_put_replaces_all_and_an_absent_optional_goes_to_its_default(client, thing, body):
    url, _ = thing

    answer = client.put(url, json=body)

    assert answer.status_code == 200
    assert (answer.json["data"]["name"], answer.json["data"]["amount"]) == ("Ñandú", 0)
    assert answer.json["data"]["version"] == 2


def test_put_refuses_a_body_without_what_is_required(client, thing):
    url, _ = thing

    answer = client.put(url, json={"name": "Key"})

    assert answer.status_code == 422
    assert set(answer.json["errors"]) == {"code", "price", "box_id"}


def test_patch_changes_what_it_names(client, thing):
    url, _ = thing

    answer = client.patch(url, json={"note": "new"})

    item = answer.json["data"]
    assert (item["note"], item["amount"], item["price"]) == ("new", 7, "1.50")


def test_a_head_request_answers_as_get_without_the_body(client, thing):
    url, _ = thing

    answer = client.head(url)

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["ETag"] == client.get(url).headers["ETag"]


def test_an_empty_list_has_its_shape(client, things):
    answer = client.get(things)

    first = f"{things}?page=1"
    assert answer.status_code == 200
    assert answer.json == {
        "data": [],
        "meta": {
            "page": 1,
            "per_page": PER_PAGE,
            "total": 0,
            "total_is_estimate": False,
            "next_cursor": None,
        },
        "links": {"self": first, "first": first, "prev": None, "next": None, "last": first},
    }


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("page", "names", "around"),
    [
        pytest.param(1, ["Thing 0", "Thing 9"], (None, 2, 3), id="first"),
        pytest.param(2, ["Thing 10", "Thing 19"], (1, 3, 3), id="middle"),
        pytest.param(3, ["Thing 20", "Thing 24"], (2, None, 3), id="last"),
        pytest.param(4, [], (3, None, 3), id="past-the-end"),
        pytest.param(99, [], (3, None, 3), id="far-past-the-end"),
    ],
)
def test_a_page_links_to_those_around_it(client, page, names, around):
    answer = client.get(f"/outside/things?page={page}&per_page=10")

    def link(number):
        return number and f"/outside/things?page={number}&per_page=10"

    data = answer.json["data"]
    prev, next_, last = around
    assert answer.status_code == 200
    assert [thing["name"] for thing in (data[:1] + data[-1:])] == names
    assert (answer.json["meta"]["page"], answer.json["meta"]["total"]) == (page, PER_PAGE + 5)
    assert answer.json["links"] == {
        "self": link(page),
        "first": link(1),
        "prev": link(prev),
        "next": link(next_),
        "last": link(last),
    }


@pytest.mark.usefixtures("many")
def test_a_list_is_paged_without_being_asked(client):
    answer = client.get("/outside/things")

    assert len(answer.json["data"]) == PER_PAGE


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        pytest.param(
            "color=red",
            "'color': it is unknown; allowed are page, per_page, cursor, count, fields, q, sort, "
            "filter[price], filter[size], filter[made_on], filter[active], filter[box_id].",
            id="unknown",
        ),
        pytest.param("page=0", NO_PAGE, id="page-zero"),
        pytest.param("page=-1", NO_PAGE, id="negative"),
        pytest.param("page=", NO_PAGE, id="empty"),
        pytest.param("page=1.0", NO_PAGE, id="fraction"),
        pytest.param("page=%EF%BC%91", NO_PAGE, id="full-width-digit"),
        pytest.param("page=1&page=2", "'page': it stands twice.", id="twice"),
        pytest.param("page=" + "9" * 99, NO_PAGE, id="endless"),
        pytest.param(f"per_page={MOST + 1}", NO_SIZE, id="large-page"),
        pytest.param("per_page=0", NO_SIZE, id="empty-page"),
        pytest.param(
            f"page={MAX_OFFSET}&per_page={MOST}",
            f"'page': pages end after {MAX_OFFSET} rows; narrow the list down or go on by cursor.",
            id="far",
        ),
    ],
)
def test_a_query_that_is_not_understood_is_refused(client, query, detail):
    answer = client.get(f"/outside/things?{query}")

    assert (answer.status_code, answer.mimetype) == (400, PROBLEM)
    assert answer.json["detail"] == detail


def test_the_largest_page_is_answered(client):
    answer = client.get(f"/outside/things?per_page={MOST}")

    assert (answer.status_code, answer.json["meta"]["per_page"]) == (200, MOST)


def test_what_the_client_has_is_not_sent_again(client, thing):
    url, _ = thing
    tag = client.get(url).headers["ETag"]

    answer = client.get(url, headers={"If-None-Match": tag})

    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)


def test_what_has_changed_is_sent_again(client, thing):
    url, _ = thing
    tag = client.get(url).headers["ETag"]
    client.patch(url, json={"note": "new"})

    answer = client.get(url, headers={"If-None-Match": tag})

    assert answer.status_code == 200
    assert answer.headers["ETag"] != tag


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "form",
    [
        pytest.param("{}", id="as-sent"),
        pytest.param("W/{}", id="weak"),
        pytest.param('"other", {}', id="one-of-a-list"),
        pytest.param("*", id="any"),
    ],
)
def test_a_change_of_the_state_that_was_read_is_made(client, thing, body, method, form):
    url, _ = thing
    tag = client.get(url).headers["ETag"]

    answer = client.open(url, method=method, json=body, headers={"If-Match": form.format(tag)})

    assert answer.status_code in (200, 204)


@pytest.mark.parametrize("suffix", [":gzip", "-gzip", ":br", "-zstd"])
def test_a_tag_that_compression_marked_still_matches(client, thing, suffix):
    url, _ = thing
    tag = client.get(url).headers["ETag"]

    answer = client.patch(url, json={"note": "new"}, headers={"If-Match": f'W/{tag[:-1]}{suffix}"'})

    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("tag", ['"0123456789abcdef01234567"', "none", ""])
def test_a_change_of_another_state_is_refused(client, thing, body, method, tag):
    url, _ = thing

    answer = client.open(url, method=method, json=body, headers={"If-Match": tag})

    assert (answer.status_code, answer.mimetype) == (412, PROBLEM)
    assert answer.json["detail"] == "It has changed since you read it: read it again."
    assert client.get(url).json["data"]["name"] == "Key"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param('{"name": "a", "name": "b"}', 400, id="duplicate-key"),
        pytest.param('{"price": NaN}', 400, id="nan"),
        pytest.param('{"price": Infinity}', 400, id="infinity"),
        pytest.param('{"price": -Infinity}', 400, id="negative-infinity"),
        pytest.param('{"name": ', 400, id="cut-off"),
        pytest.param("{'name': 'a'}", 400, id="single-quotes"),
        pytest.param("", 400, id="nothing"),
        pytest.param("[" * 100_000, 400, id="deep-list"),
        pytest.param('{"a":' * 100_000, 400, id="deep-object"),
        pytest.param(b'{"name": "\xff"}', 400, id="no-utf-8"),
        pytest.param('{"name": "a"}'.encode("utf-16"), 400, id="utf-16"),
        pytest.param('{"name": "a"}'.encode("utf-32-le"), 400, id="utf-32"),
        pytest.param('{"price": 12.500000000000000001}', 422, id="digits-beyond-a-float"),
        pytest.param('{"price": 1e-400}', 422, id="tiny-float"),
        pytest.param('{"amount": 1.00000000000000000001}', 422, id="almost-whole"),
        pytest.param('{"amount": ' + "9" * 5000 + "}", 400, id="endless-integer"),
        pytest.param('{"amount": ' + "9" * 100 + "}", 422, id="huge-integer"),
        pytest.param('{"amount": 1e999}', 400, id="huge-float"),
        pytest.param('{"\\ud800": 1}', 422, id="half-a-character-as-key"),
        pytest.param('{"name": "\\ud800"}', 422, id="half-a-character"),
        pytest.param('{"name": "\\u0000"}', 422, id="nul"),
        pytest.param("null", 422, id="null"),
        pytest.param("[]", 422, id="list"),
        pytest.param('"text"', 422, id="text"),
    ],
)
def test_a_hostile_body_is_refused_as_a_problem(client, sent, status):
    answer = client.post("/outside/things", data=sent, content_type="application/json")

    assert (answer.status_code, answer.mimetype) == (status, PROBLEM)
    assert answer.json["status"] == status


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        pytest.param('{"name": ', "Expecting value: line 1 column 10 (char 9)", id="cut-off"),
        pytest.param('{"a": 1, "a": 2}', "A key stands twice in an object", id="duplicate-key"),
    ],
)
def test_what_is_wrong_with_the_json_is_told_in_production_too(make_app, production, sent, detail):
    client = make_app(["tests.sample"], **production).test_client()

    answer = client.post("/outside/things", data=sent, content_type="application/json")

    assert (answer.status_code, detail in answer.json["detail"]) == (400, True)


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Content-Encoding", "Identity", 422),
        ("Content-Encoding", "gzip", 415),
        ("Content-Range", "bytes 0-1/2", 400),
    ],
)
def test_a_body_comes_whole_and_as_it_is(client, name, value, status):
    assert client.post("/outside/things", json={}, headers={name: value}).status_code == status


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/json-patch+json",
        None,
    ],
)
def test_a_body_of_another_media_type_is_refused(client, media_type):
    answer = client.post("/outside/things", data=b'{"name": "a"}', content_type=media_type)

    assert (answer.status_code, answer.mimetype) == (415, PROBLEM)


def test_a_merge_patch_loses_nothing_of_an_object_that_is_stored(client, thing):
    answer = client.patch(
        thing[0], data=b'{"extra": {"a": 1}}', content_type="application/merge-patch+json"
    )

    assert (answer.status_code, answer.mimetype) == (415, PROBLEM)
    assert "as application/json" in answer.json["detail"]


@pytest.mark.parametrize(("length", "status"), [(100, 400), (101, 413), (5000, 413)])
def test_a_body_without_a_length_is_refused_at_the_limit(make_app, length, status):
    application = make_app(["tests.sample"], MAX_CONTENT_LENGTH="100")

    answer = application.test_client().post(
        "/outside/things",
        input_stream=BytesIO(b"{" * length),
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert (answer.status_code, answer.mimetype) == (status, PROBLEM)


@pytest.mark.parametrize(("length", "status"), [(98, 200), (99, 413), (5000, 413)])
@pytest.mark.parametrize("read", ["form", "data"])
def test_no_body_without_a_length_is_cut_off(make_app, length, status, read):
    application = make_app([], MAX_CONTENT_LENGTH="100")
    application.config["WTF_CSRF_ENABLED"] = False

    @application.post("/echo")
    def echo():
        return request.form["a"] if read == "form" else request.get_data()

    answer = application.test_client().post(
        "/echo",
        input_stream=BytesIO(b"a=" + b"x" * length),
        content_type="application/x-www-form-urlencoded" if read == "form" else "text/plain",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert answer.status_code == status
    assert status == 413 or answer.text.endswith("x" * length)


def test_a_compressed_body_is_refused(client, body):
    answer = client.post(
        "/outside/things",
        data=gzip.compress(b"{}"),
        content_type="application/json",
        headers={"Content-Encoding": "gzip"},
    )

    assert answer.status_code == 415


def test_a_url_with_an_empty_part_is_not_found(client):
    answer = client.get("/api/v1//things")

    assert (answer.status_code, answer.mimetype) == (404, PROBLEM)


def test_of_a_thousand_unknown_fields_the_first_are_named(client, body):
    answer = client.post("/outside/things", json={f"x{number}": 1 for number in range(1000)})

    assert (answer.status_code, len(answer.json["errors"])) == (422, 100)


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        pytest.param({"code": "K1"}, {"code": ["This value is already taken."]}, id="duplicate"),
        pytest.param(
            {"box_id": 2**31 - 1},
            {"box_id": ["This record does not exist or was deleted."]},
            id="no-parent",
        ),
        pytest.param({"price": "-1"}, {"price": ["From 0 on."]}, id="check"),
    ],
)
def test_a_rule_of_the_database_is_a_conflict_at_its_field(client, thing, body, changes, errors):
    answer = client.post("/outside/things", json={**body, "code": "P1", **changes})

    assert (answer.status_code, answer.mimetype) == (409, PROBLEM)
    assert answer.json["errors"] == errors


def test_a_long_unknown_key_is_not_repeated_whole(client, body):
    answer = client.post("/outside/things", json={**body, "x" * 100_000: 1})

    assert answer.status_code == 422
    assert answer.json["errors"] == {"x" * 100: ["Unknown field."]}


@pytest.mark.parametrize("path", ["things/%D9%A1", "things/%EF%BC%91", "faults/%00", "faults/a%00"])
def test_a_key_that_no_record_can_have_is_not_found(client, things, path):
    answer = client.get(f"{things.removesuffix('things')}{path}")

    assert (answer.status_code, answer.mimetype) == (404, PROBLEM)


@pytest.mark.parametrize("path", ["nowhere", "things/x", "things/1/more", ""])
def test_an_unknown_address_below_an_api_is_a_problem(client, things, path):
    answer = client.get(f"{things.removesuffix('things')}{path}")

    assert (answer.status_code, answer.mimetype) == (404, PROBLEM)


def test_an_unknown_address_beside_an_api_is_a_page(client):
    assert client.get("/outsider").mimetype == "text/html"


def test_a_wrong_method_on_an_item_names_the_right_ones(client, things):
    answer = client.post(f"{things}/1", json={})

    assert (answer.status_code, answer.mimetype) == (405, PROBLEM)
    allowed = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "PUT"}
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_an_unknown_item_is_not_found(client, things, method):
    answer = client.open(f"{things}/999999", method=method, json={})

    assert (answer.status_code, answer.mimetype) == (404, PROBLEM)


class Hooked(ThingSchema):
    @post_dump
    def _name(self, data, **options):
        return data


@pytest.mark.parametrize("schema", [ThingSchema(), Hooked()], ids=["plan", "dump"])
def test_a_statement_says_which_items_there_are(app, thing, schema):
    _, record = thing

    def asked(condition):
        return item(schema, record.id, statement=select(Thing).where(condition))

    with app.test_request_context():
        found = asked(Thing.box_id == record.box_id)
        with pytest.raises(NotFound):
            asked(Thing.box_id != record.box_id)

    assert found.json["data"]["id"] == record.id


class Wrapped(ThingSchema):
    @post_dump(pass_collection=True)
    def _wrap(self, data, many, **options):
        return data if many else {"alone": data}


def test_an_item_is_what_dump_makes_of_one_record(app, thing):
    _, record = thing
    with app.test_request_context():
        assert item(Wrapped(), record).json["data"]["alone"]["id"] == record.id


@pytest.mark.parametrize(
    ("asked", "route", "location"),
    [
        pytest.param("/clubs", "/clubs/<int:id>", "/clubs/7", id="own-name"),
        pytest.param("/clubs", "/clubs/<int:club>", "/clubs/7", id="other-name"),
        pytest.param("/of/3", "/of/<int:of>/clubs/<int:id>", "/of/3/clubs/7", id="within"),
        pytest.param("/of/3", "/of/<int:of>/clubs/<int:club>", "/of/3/clubs/7", id="both"),
        pytest.param("/in/3", "/in/<int:id>/clubs/<int:club>", "/in/3/clubs/7", id="one-name"),
        pytest.param("/clubs", "/of/<int:team>/clubs/<int:id>", "/of/5/clubs/7", id="of-record"),
        pytest.param("/in/3", "/clubs/<int:id>", "/clubs/7", id="copy"),
    ],
)
def test_the_location_of_a_record_has_what_its_route_needs(asked, route, location):
    bp = Blueprint("club", __name__)
    for name, path in {"clubs": "/clubs", "of": "/of/<int:of>", "in": "/in/<int:id>"}.items():
        bp.add_url_rule(path, name, str)
    bp.add_url_rule("/list", "new", str)
    bp.add_url_rule(route, "new", str)
    app = Flask(__name__)
    app.register_blueprint(bp)

    with app.test_request_context(asked):
        answer = _located(Response(), ".new", {"id": 7}, {"team": 5}.get)

    assert answer.headers["Location"] == location


def test_the_location_leaves_to_a_hook_what_it_takes_out_of_the_url():
    bp = Blueprint("club", __name__, url_prefix="/<lang>")
    bp.add_url_rule("/clubs", "clubs", str)
    bp.add_url_rule("/clubs/<int:id>", "new", str)
    bp.url_value_preprocessor(lambda endpoint, values: setattr(g, "lang", values.pop("lang")))
    # As Flask's documents do it.
    bp.url_defaults(lambda endpoint, values: values.setdefault("lang", g.lang))
    app = Flask(__name__)
    app.register_blueprint(bp)

    with app.test_request_context("/es/clubs"):
        app.preprocess_request()
        answer = _located(Response(), "club.new", {"id": 7}, lambda name: None)

    assert answer.headers["Location"] == "/es/clubs/7"


def test_nothing_is_stored_for_a_location_that_there_is_not(app, save):
    box = save(Box(name="Drawer"))
    message = "There is no endpoint 'sample.thing_itm': did you mean sample.thing_"
    values = {"name": "Key", "code": "K1", "price": Decimal(1), "box_id": box.id}
    with app.test_request_context(), pytest.raises(LookupError, match=message):
        create(ThingSchema(), values, "sample.thing_itm")

    with app.app_context():
        assert db.session.scalars(select(Thing)).all() == []


def test_a_statement_with_a_limit_of_its_own_is_refused(app):
    with app.test_request_context(), pytest.raises(ValueError, match=r"narrow its rows by where"):
        page_of(ThingSchema(), select(Thing).limit(3))


@pytest.mark.parametrize("how", ["nested", "renamed"])
def test_an_api_whose_guards_flask_would_not_ask_is_refused(make_app, how):
    child, parent = Blueprint("child", __name__), Blueprint("parent", __name__)
    Api(child)
    parent.register_blueprint(child)
    app = make_app([])
    blueprint, options = {"nested": (parent, {}), "renamed": (child, {"name": "other"})}[how]

    with pytest.raises(ModuleError, match="'child' of an Api is registered within another"):
        app.register_blueprint(blueprint, **options)


class FormlessSchema(Schema):
    name = fields.String()


class NamedResource(Resource):
    schema = ThingSchema()
    body_schema = ThingSchema(only=("name",))

    def patch(self, id):
        return update(self.schema, id, partial=True)

    def put(self, id):
        return update(ThingSchema(only=("price",)), id)


def test_a_change_is_read_by_the_schema_that_reads_bodies(make_app):
    application = make_app(["tests.sample"])
    blueprint = Blueprint("named", __name__, url_prefix="/named")
    Api(blueprint).add_resource(NamedResource, "/<int:id>", endpoint="one")
    application.register_blueprint(blueprint)
    with application.app_context():
        db.create_all()
        db.session.add(Thing(id=1, name="Key", code="K1", price=1, box=Box(name="Drawer")))
        db.session.commit()
    client = application.test_client()

    refused = client.patch("/named/1", json={"name": "Nut", "price": "9.00"})
    taken = client.patch("/named/1", json={"name": "Bolt"})
    other = client.put("/named/1", json={"name": "Nut"})

    assert (refused.status_code, [*refused.json["errors"]]) == (422, ["price"])
    assert (taken.json["data"]["name"], taken.json["data"]["price"]) == ("Bolt", "1.00")
    # A schema of its own is that of this change alone.
    assert {*other.json["errors"]} == {"name", "price"}


@pytest.mark.parametrize("use", [item, update, delete])
@pytest.mark.parametrize("key", [(), (1, 2)])
def test_a_key_with_other_parts_than_the_models_is_named(app, use, key):
    with (
        app.test_request_context(method="PATCH", json={}),
        pytest.raises(LookupError, match=rf"^The key of Thing is \(id\): {len(key)} values were"),
    ):
        use(ThingSchema(), key)


def test_a_schema_that_reads_bodies_of_something_else_changes_nothing(app, thing, monkeypatch):
    class Other(NamedResource):
        body_schema = FormlessSchema()

    _, record = thing
    monkeypatch.setitem(app.view_functions, "other", Other.as_view("other"))
    with app.test_request_context("/", method="PATCH", json={"name": "Nut"}):
        request.url_rule = Rule("/other", endpoint="other")

        with pytest.raises(LookupError, match=r"^The body_schema of Other has another model"):
            update(Other.schema, record.id, partial=True)
