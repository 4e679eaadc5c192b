"""What core derives from models that inherit, rename columns or let the database fill some."""

import pytest
from sqlalchemy import delete

from core.conformance import ConformingClient
from core.pages import page_of
from core.paging import options_of
from services import db
from tests.project import ENGINES, app_on
from tests.unusual.models import Animal, Bird, Cat, Sheet, Stone

# Keys that no sequence reaches here.
ROWS = [
    (Animal, {"key": 1001, "name": "Snail"}),
    (Cat, {"key": 1002, "name": "Tom"}),
    (Cat, {"key": 1003, "name": "Felix"}),
    (Bird, {"key": 1004, "name": "Crow", "wings": 2}),
    (Stone, {"id": 1001, "name": "Flint"}),
]
INHERITED = {
    Cat: ["Felix", "Tom"],
    Bird: ["Crow"],
    Stone: ["Flint"],
    Animal: ["Crow", "Felix", "Snail", "Tom"],
}


@pytest.fixture(scope="module", params=ENGINES)
def app(request, tmp_path_factory):
    """An application with the rows above, on each engine that there is a server for."""
    folder = tmp_path_factory.mktemp("unusual")
    with app_on(request.param, folder, "tests.unusual") as application:
        application.test_client_class = ConformingClient
        with application.app_context():
            db.session.add_all(model(**values) for model, values in ROWS)
            db.session.commit()
        yield application


@pytest.fixture
def isolated(app):
    """What these tests store they delete."""


@pytest.mark.parametrize("model", INHERITED)
def test_an_inherited_listing_is_of_the_models_own_rows(app, client, model):
    names = INHERITED[model]

    with app.test_request_context("/?sort=name"):
        page = page_of(model)
        seen = [record.name for record in page]
        options = [text for _, text in options_of(model, 10)] if model is not Stone else names
    answer = client.get(f"/unusual/{model.__name__.lower()}s?sort=name").json

    assert (seen, page.total, options) == (names, len(names), names)
    assert [one["name"] for one in answer["data"]] == names
    assert answer["meta"]["total"] == len(names)


def test_a_list_knows_attributes_by_their_names_and_not_by_those_of_their_columns(client):
    found = client.get("/unusual/birds?filter[name]=Crow&q=crow").json["data"]
    whole = client.get("/unusual/animals?sort=-name").json["data"]
    first = client.get("/unusual/animals?sort=-name&per_page=1").json
    others = client.get(f"/unusual/animals?cursor={first['meta']['next_cursor']}").json

    assert [one["key"] for one in found] == [1004]
    assert [one["key"] for one in whole] == [1002, 1001, 1003, 1004]
    assert first["data"] + others["data"] == whole


@pytest.mark.parametrize("field", ["key", "kind"])
def test_no_client_chooses_a_key_that_is_counted_or_the_class_of_a_row(client, field):
    answer = client.post("/unusual/birds", json={"name": "Owl", field: "7"})

    assert (answer.status_code, answer.json["errors"]) == (422, {field: ["Unknown field."]})


def test_the_class_of_a_new_row_is_that_of_its_model(app, client):
    answer = client.post("/unusual/birds", json={"name": "Owl"})

    assert answer.json["data"]["kind"] == "bird"
    with app.app_context():
        db.session.delete(db.session.get(Bird, answer.json["data"]["key"]))
        db.session.commit()


def test_what_the_database_computes_is_answered_and_not_taken(app, client):
    made = client.post("/unusual/sheets", json={"width": 2, "height": 3})
    changed = client.put(made.headers["Location"], json={"width": 4, "height": 3})
    refused = client.put(made.headers["Location"], json={"width": 4, "height": 3, "area": 1})

    assert (made.json["data"]["area"], changed.json["data"]["area"]) == (6, 12)
    assert (refused.status_code, refused.json["errors"]) == (422, {"area": ["Unknown field."]})
    with app.app_context():
        db.session.execute(delete(Sheet))
        db.session.commit()
