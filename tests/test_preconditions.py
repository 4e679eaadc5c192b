"""If-Match guards each record, on each engine, also of a model that counts no versions."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from sqlalchemy import delete
from werkzeug.exceptions import NotFound

from core.rest import check_match
from services import db
from tests.kinds.models import Place
from tests.kinds.schemas import PlaceSchema
from tests.kinds.storing import app_with_places
from tests.project import ENGINES

WRITERS, CHANGES = 4, 6


@pytest.fixture(scope="module", params=ENGINES)
def app(request, tmp_path_factory):
    with app_with_places(request.param, tmp_path_factory.mktemp("kinds")) as application:
        yield application


def test_of_writers_with_if_match_each_acknowledged_one_counts(app):
    with app.app_context():
        db.session.get_one(Place, 2).height = Decimal(0)
        db.session.commit()

    def raise_height(_):
        client, outcomes = app.test_client(), Counter()
        while outcomes[200] < CHANGES:
            shown = client.get("/kinds/places/2")
            height = Decimal(shown.json["data"]["height"]) + 1
            had = {"If-Match": shown.headers["ETag"]}
            changed = client.patch("/kinds/places/2", json={"height": str(height)}, headers=had)
            outcomes[changed.status_code] += 1
        return outcomes

    with ThreadPoolExecutor(WRITERS) as pool:
        outcomes = sum(pool.map(raise_height, range(WRITERS)), Counter())

    shown = app.test_client().get("/kinds/places/2").json["data"]["height"]
    assert Decimal(shown) == WRITERS * CHANGES
    assert set(outcomes) <= {200, 412}


def order_of(*texts):
    return {"number": "A1", "lines": [{"text": text, "amount": 1} for text in texts]}


def test_of_two_who_replace_only_what_is_in_a_record_one_is_refused(app):
    def put(text):
        return app.test_client().put(url, json=order_of(text), headers={"If-Match": tag})

    for _ in range(10):
        made = app.test_client().post("/kinds/orders", json=order_of("Tea"))
        url, tag = made.headers["Location"], made.headers["ETag"]
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(put, ("Cup", "Pot")))

        done, refused = sorted(answers, key=lambda answer: answer.status_code)
        assert (done.status_code, refused.status_code) == (200, 412)
        assert app.test_client().get(url).json == done.json


def test_a_record_that_is_deleted_meanwhile_is_not_found(app):
    with app.app_context():
        db.session.add(Place(id=9, name="Gone"))
        db.session.commit()
    tag = app.test_client().get("/kinds/places/9").headers["ETag"]

    with app.test_request_context(method="PATCH", headers={"If-Match": tag}):
        place = db.session.get_one(Place, 9)
        gone = delete(Place).where(Place.id == 9)
        db.session.execute(gone, execution_options={"synchronize_session": False})

        with pytest.raises(NotFound):
            check_match(PlaceSchema(), place)

        db.session.commit()
