"""ETags and sparse answers: what a tag stands for, and that it survives compression."""

import gzip
from decimal import Decimal

import brotli
import pytest

from core.setting import setting
from services import db
from tests.sample.models import Box, Thing

LIST = "/outside/things"
LONG = "A note that is worth compressing. " * 40
UNPACK = {"gzip": gzip.decompress, "br": brotli.decompress}


@pytest.fixture
def box(save):
    return save(Box(name="Drawer"))


@pytest.fixture
def url(save, box):
    thing = save(Thing(name="Key", code="K1", price=Decimal("1.50"), note=LONG, box_id=box.id))
    return f"{LIST}/{thing.id}"


def tag(client, url, **headers):
    return client.get(url, headers=headers).headers["ETag"]


def rename(app, record, name):
    with app.app_context():
        db.session.get(type(record), record.id).name = name
        db.session.commit()


def test_an_item_has_a_strong_tag_and_a_list_a_weak_one(client, url):
    assert tag(client, url).startswith('"')
    assert tag(client, LIST).startswith('W/"')


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("query", ["", "?fields=id,name"])
def test_a_list_that_the_client_has_is_not_sent_again(client, url, query, method):
    had = tag(client, f"{LIST}{query}")

    answer = client.open(f"{LIST}{query}", method=method, headers={"If-None-Match": had})

    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", had)


def test_a_list_that_has_changed_is_sent_again(app, client, box, url):
    had = tag(client, LIST)
    rename(app, box, "Shelf")

    answer = client.get(LIST, headers={"If-None-Match": had})

    assert answer.status_code == 200
    assert answer.json["data"][0]["box"]["name"] == "Shelf"


def test_tags_vary_with_the_fields_that_are_shown(client, url):
    queries = ["", "?fields=id", "?fields=name", "?fields=id,name"]

    tags = {tag(client, f"{url}{query}") for query in queries}

    assert len(tags) == len(queries)
    assert tag(client, f"{url}?fields=name,id,name") == tag(client, f"{url}?fields=id,name")


def test_a_tag_changes_with_what_the_nested_record_shows(app, client, box, url):
    before = [tag(client, f"{url}{query}") for query in ("", "?fields=box", "?fields=name")]

    rename(app, box, "Shelf")

    after = [tag(client, f"{url}{query}") for query in ("", "?fields=box", "?fields=name")]
    assert not set(before) & set(after)


def test_a_change_by_the_tag_of_an_older_nested_record_is_refused(app, client, box, url):
    had = tag(client, url)
    rename(app, box, "Shelf")

    answer = client.patch(url, json={"name": "X"}, headers={"If-Match": had})

    assert answer.status_code == 412


@pytest.mark.parametrize("quoted", ['"*"', 'W/"*"'])
def test_a_star_in_quotes_is_a_tag_and_not_any(client, url, quoted):
    answer = client.patch(url, json={"name": "X"}, headers={"If-Match": quoted})

    assert answer.status_code == 412


def test_an_answer_to_a_change_has_the_tag_of_what_is_read_next(client, url):
    answers = [
        client.patch(url, json={"name": "Patched"}),
        client.put(url, json=put_body(client, url)),
    ]

    assert answers[0].headers["ETag"] != answers[1].headers["ETag"]
    assert tag(client, url) == answers[1].headers["ETag"]
    assert client.get(url).json == answers[1].json


def put_body(client, url):
    names = ("name", "code", "price", "box_id")
    return {name: client.get(url).json["data"][name] for name in names} | {"note": "Put"}


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_a_tag_of_a_compressed_answer_is_taken(client, url, encoding):
    answer = client.get(url, headers={"Accept-Encoding": encoding})

    had = answer.headers["ETag"]
    assert answer.headers["Content-Encoding"] == encoding
    assert UNPACK[encoding](answer.data) == client.get(url).data
    assert had != tag(client, url)
    again = client.get(url, headers={"Accept-Encoding": encoding, "If-None-Match": had})
    assert (again.status_code, again.data) == (304, b"")
    assert client.patch(url, json={"name": "X"}, headers={"If-Match": had}).status_code == 200
    assert client.patch(url, json={"name": "Y"}, headers={"If-Match": had}).status_code == 412


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_a_compressed_list_that_the_client_has_is_not_sent_again(client, url, encoding):
    headers = {"Accept-Encoding": encoding}
    answer = client.get(LIST, headers=headers)

    again = client.get(LIST, headers={**headers, "If-None-Match": answer.headers["ETag"]})

    assert answer.headers["Content-Encoding"] == encoding
    assert (again.status_code, again.data) == (304, b"")


def test_the_link_header_says_what_the_links_say(client, save, box):
    for number in range(7):
        save(Thing(name=f"T{number}", code=f"T{number}", price=1, box_id=box.id))

    answer = client.get(f"{LIST}?per_page=2&page=2&filter[price][gte]=1&sort=-name,id")

    links = {name: one for name, one in answer.json["links"].items() if one}
    told = dict(reversed(part.split("; ")) for part in answer.headers["Link"].split(", "))
    assert told == {f'rel="{name}"': f"<{one}>" for name, one in links.items()}
    assert set(links) == {"self", "first", "prev", "next", "last"}


def test_links_that_a_proxy_would_refuse_as_a_header_stand_in_the_body(client, url):
    answer = client.get(f"{LIST}?per_page=1&filter[price][in]={'1.50,' * 200}1.50")

    header = answer.headers["Link"]
    assert 'rel="last"' in header
    assert 'rel="self"' not in header
    assert len(header) < 2500
    assert client.get(answer.json["links"]["self"]).json["data"] == answer.json["data"]


@pytest.mark.parametrize("suffix", ["-gzip", ":br"])
def test_a_proxys_name_for_its_coding_is_no_other_state(client, url, suffix):
    had = f'{tag(client, url)[:-1]}{suffix}"'

    assert client.get(url, headers={"If-None-Match": had}).status_code == 304


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(("names", "status"), [("*", 412), ("{had}", 412), ('"other"', 200)])
def test_a_change_is_refused_if_the_record_has_the_state_of_if_none_match(
    client, url, method, names, status
):
    sent = put_body(client, url)
    headers = {"If-None-Match": names.format(had=tag(client, url))}

    answer = client.open(url, method=method, json=sent, headers=headers)

    assert answer.status_code == (204 if (method, status) == ("DELETE", 200) else status)


@pytest.mark.parametrize("names", ["x{had}", '"x" {had}', '{had}"x"', "{had}.00", '"x'])
def test_what_is_no_list_of_tags_names_no_state(client, url, names):
    headers = {"If-Match": names.format(had=tag(client, url))}

    assert client.patch(url, json={"name": "X"}, headers=headers).status_code == 412


# ---- Sparse answers


def test_a_list_shows_the_fields_that_are_asked_for(client, url, box):
    answer = client.get(f"{LIST}?fields=price,box,name")

    assert answer.json["data"] == [
        {"name": "Key", "price": "1.50", "box": {"id": box.id, "name": "Drawer"}}
    ]
    assert answer.json["links"]["first"] == f"{LIST}?fields=price,box,name&page=1"


def test_an_item_shows_the_fields_that_are_asked_for(client, url):
    assert client.get(f"{url}?fields=code").json == {"data": {"code": "K1"}}


def test_a_created_or_changed_item_shows_the_fields_that_are_asked_for(client, url, box):
    body = {"name": "New", "code": "N1", "price": "2", "box_id": box.id}

    created = client.post(f"{LIST}?fields=name,version", json=body)
    patched = client.patch(f"{url}?fields=price", json={"price": "7"})
    replaced = client.put(f"{url}?fields=name", json={**body, "code": "N2"})

    assert (created.status_code, created.json) == (201, {"data": {"name": "New", "version": 1}})
    assert client.get(created.headers["Location"]).json["data"]["price"] == "2.00"
    assert (patched.status_code, patched.json) == (200, {"data": {"price": "7.00"}})
    assert (replaced.status_code, replaced.json) == (200, {"data": {"name": "New"}})


QUERIES = ["", "?fields=price", "?fields=id,name"]


@pytest.mark.parametrize("changed", QUERIES)
@pytest.mark.parametrize("shown", QUERIES)
def test_a_tag_guards_the_whole_record_whichever_fields_were_shown(client, url, shown, changed):
    had = {"If-Match": tag(client, f"{url}{shown}")}

    first = client.patch(f"{url}{changed}", json={"note": "Mine"}, headers=had)
    second = client.patch(f"{url}{changed}", json={"price": "8"}, headers=had)

    assert (first.status_code, second.status_code) == (200, 412)
    assert client.get(url).json["data"]["price"] == "1.50"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["item", "item?fields=name", "list", "document"])
def test_a_read_of_another_state_is_refused_without_the_data(client, url, method, path):
    document = f"{setting('API_PREFIX')}/openapi.json"
    url = {"list": LIST, "document": document}.get(path, path.replace("item", url))
    had = tag(client, url)

    same = client.open(url, method=method, headers={"If-Match": had})
    known = client.open(url, method=method, headers={"If-Match": had, "If-None-Match": had})
    other = client.open(url, method=method, headers={"If-Match": '"other"'})

    assert (same.status_code, known.status_code, other.status_code) == (200, 304, 412)
    assert other.mimetype == "application/problem+json"
    assert b"data" not in other.data


NAMES = (
    "box, id, name, code, note, price, amount, shelf, size, made_on, active, box_id, created_at, "
    "updated_at, version"
)


@pytest.mark.parametrize("fields", ["", "colour", "name,colour", "name,", "box.name", "__class__"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_unknown_fields_are_refused_before_anything_is_changed(client, url, method, fields):
    answer = client.open(f"{url}?fields={fields}", method=method, json={"name": "Changed"})

    unknown = next(name for name in fields.split(",") if name != "name")
    assert answer.status_code == 400
    assert answer.json["detail"] == f"'fields': {unknown!r} is unknown; allowed are {NAMES}."
    assert client.get(url).json["data"]["name"] == "Key"


def test_nothing_is_created_when_the_answer_asks_for_unknown_fields(client, box):
    body = {"name": "New", "code": "N1", "price": "2", "box_id": box.id}

    answer = client.post(f"{LIST}?fields=colour", json=body)

    assert answer.status_code == 400
    assert client.get(LIST).json["data"] == []


def test_unknown_fields_of_a_list_are_refused(client):
    answer = client.get(f"{LIST}?fields=name,colour")

    assert answer.status_code == 400
    assert answer.json["detail"] == f"'fields': 'colour' is unknown; allowed are {NAMES}."
