"""The parts of a record: what changes of them do to it, and the row that a new one takes."""

import pytest

from services import db
from tests.kinds.models import Order, OrderLine, OrderNote, Place, Stamp, Taste
from tests.kinds.storing import app_with_places
from tests.project import ENGINES


@pytest.fixture(scope="module", params=ENGINES)
def app(request, tmp_path_factory):
    with app_with_places(request.param, tmp_path_factory.mktemp("parts")) as application:
        yield application


def order_of(*texts):
    return {"number": "A1", "lines": [{"text": text, "amount": 1} for text in texts]}


def stored(**values):
    order = Order(number="A1", **values)
    db.session.add(order)
    db.session.commit()
    return order


def test_a_change_of_what_is_in_a_record_alone_raises_its_version(app):
    client = app.test_client()
    made = client.post("/kinds/orders", json=order_of("Tea"))

    changed = client.patch(made.headers["Location"], json={"lines": order_of("Cup")["lines"]})

    assert (made.json["data"]["version"], changed.json["data"]["version"]) == (1, 2)


def test_a_change_within_what_is_in_a_record_raises_its_version_once(app):
    with app.app_context():
        order = stored(lines=[OrderLine(text=text, amount=1) for text in "ab"])
        for line in order.lines:
            line.amount = 2
        db.session.commit()

        assert order.version == 2


def test_a_change_of_a_part_of_a_part_raises_the_version_of_the_whole(app):
    with app.app_context():
        line = OrderLine(text="Tea", amount=1, tastes=[Taste(name="bitter")])
        order = stored(lines=[line])
        order.lines[0].tastes[0].name = "sweet"
        db.session.commit()

        assert order.version == 2


def test_a_line_that_is_changed_by_itself_is_a_record_of_its_own(app):
    with app.app_context():
        order = stored(lines=[OrderLine(text="Tea", amount=1)])
        line = db.session.get(OrderLine, order.lines[0].id, populate_existing=True)
        db.session.expire(order)
        line.amount = 2
        db.session.commit()

        assert order.version == 1


def test_a_put_may_keep_a_line_that_only_one_may_be(app):
    client = app.test_client()
    made = client.post("/kinds/orders", json=order_of("Tea", "Cup"))
    sent = order_of("Cup", "Pot", "Tea")
    sent["lines"][0]["amount"] = 5

    answer = client.put(made.headers["Location"], json=sent)

    shown = {line["text"]: line["amount"] for line in answer.json["data"]["lines"]}
    assert (answer.status_code, shown) == (200, {"Cup": 5, "Pot": 1, "Tea": 1})


def test_of_the_old_row_nothing_stays_where_nothing_was_said(app):
    with app.app_context():
        old = OrderLine(text="Tea", amount=1, remark="Green", state="paid", place_id=1)
        order = stored(lines=[old])
        id = old.id
        order.lines = [OrderLine(text="Tea", amount=2)]
        db.session.commit()

        (line,) = order.lines
        assert (line.id, line.amount, line.remark) == (id, 2, None)
        assert (line.state, line.place_id) == ("new", None)


def test_a_rule_of_a_related_record_is_seen_before_its_key_is_set(app):
    with app.app_context():
        place = db.session.get_one(Place, 2)
        order = stored(lines=[OrderLine(text="Tea", amount=1, place=place)])
        id = order.lines[0].id
        order.lines = [OrderLine(text="Cup", amount=2, place=place)]
        db.session.commit()

        assert [(line.id, line.text, line.place_id) for line in order.lines] == [(id, "Cup", 2)]


@pytest.mark.parametrize("is_loaded", [True, False], ids=["loaded", "not-loaded"])
def test_the_parts_of_a_part_may_be_the_same_again(app, is_loaded):
    def tea():
        return OrderLine(text="Tea", amount=1, tastes=[Taste(name="bitter"), Taste(name="cold")])

    with app.app_context():
        order = stored(lines=[tea()])
        before = [taste.id for taste in order.lines[0].tastes]
        if not is_loaded:
            db.session.expire_all()
        order.lines = [tea()]
        db.session.commit()

        assert [taste.id for taste in order.lines[0].tastes] == before


def test_a_part_may_be_the_same_again_by_a_rule_with_a_default(app):
    with app.app_context():
        order = stored(stamps=[Stamp(name="paid"), Stamp(name="sent")])
        before = [stamp.id for stamp in order.stamps]
        order.stamps = [Stamp(name="paid"), Stamp(name="sent")]
        db.session.commit()

        assert [(stamp.id, stamp.house) for stamp in order.stamps] == [(id, 1) for id in before]


def test_a_record_takes_the_place_of_the_only_one(app):
    with app.app_context():
        order = stored(note=OrderNote())
        id = order.note.id
        order.note = OrderNote()
        db.session.commit()

        assert (order.note.id, order.version) == (id, 2)


def test_a_line_that_moves_to_another_record_keeps_its_row(app):
    with app.app_context():
        one, other = stored(lines=[OrderLine(text="Tea", amount=1)]), stored()
        id = one.lines[0].id
        other.lines.append(one.lines[0])
        one.lines = [OrderLine(text="Tea", amount=2)]
        db.session.commit()

        assert [line.id for line in other.lines] == [id]
        assert [line.amount for line in one.lines] == [2]


def test_two_new_lines_that_are_equal_are_refused(app):
    client = app.test_client()
    made = client.post("/kinds/orders", json=order_of("Tea"))

    refused = client.put(made.headers["Location"], json=order_of("Tea", "Tea"))

    taken = {"lines": {"text": ["This value is already taken."]}}
    assert (refused.status_code, refused.json["errors"]) == (409, taken)


def test_a_record_is_not_stored_before_it_is_filled(app):
    """A collection that is asked for at its turn would send half of the new values."""
    client = app.test_client()
    made = client.post("/kinds/orders", json=order_of("Tea"))

    answer = client.put(made.headers["Location"], json={**order_of("Cup"), "number": "A2"})

    shown = answer.json["data"]
    assert (shown["number"], shown["version"]) == ("A2", 2)
