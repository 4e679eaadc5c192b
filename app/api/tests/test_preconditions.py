"""ETag, If-Match and If-None-Match: no change is lost, nothing is sent twice."""

import threading

import pytest

from .conftest import make_book
from .sending import Sender, over_http


@pytest.mark.parametrize("form", ['"{}"', 'W/"{}"', '"{}:gzip"', '"{}-gzip"', '"x", "{}"', "*"])
def test_if_match_of_the_present_version_is_accepted(send_both, shelf, form):
    send, url = send_both, f"/books/{shelf['book']['id']}"
    tag = send("GET", url).headers["etag"].strip('"')

    answer = send("PATCH", url, {"title": "Mine"}, headers={"If-Match": form.format(tag)})

    assert (answer.status, answer.data["title"]) == (200, "Mine")


def test_the_second_of_two_changes_with_if_match_is_refused(send_both, shelf):
    send, url = send_both, f"/books/{shelf['book']['id']}"
    tag = send("GET", url).headers["etag"]

    first = send("PATCH", url, {"title": "First"}, headers={"If-Match": tag})
    second = send("PATCH", url, {"title": "Second"}, headers={"If-Match": tag})

    assert (first.status, second.status) == (200, 412)
    assert send("GET", url).data["title"] == "First"
    again = send("PATCH", url, {"title": "Second"}, headers={"If-Match": first.headers["etag"]})
    assert (again.status, again.data["title"]) == (200, "Second")


def test_delete_heeds_if_match(send, book):
    url = f"/books/{book['id']}"
    tag = send("GET", url).headers["etag"]
    send("PATCH", url, {"title": "Changed"})

    assert send("DELETE", url, headers={"If-Match": tag}).status == 412
    tag = send("GET", url).headers["etag"]
    assert send("DELETE", url, headers={"If-Match": tag}).status == 204


def test_what_the_client_has_already_is_304(send_both, shelf):
    send, url = send_both, f"/books/{shelf['book']['id']}"
    tag = send("GET", url).headers["etag"]

    same = send("GET", url, headers={"If-None-Match": tag})
    send("PATCH", url, {"title": "New"})
    changed = send("GET", url, headers={"If-None-Match": tag})

    assert (same.status, same.body, same.headers["etag"]) == (304, b"", tag)
    assert (changed.status, changed.data["title"]) == (200, "New")


def test_of_many_changes_at_once_none_is_lost(live_server):
    """Raise a number from several clients, each with If-Match, until each has done its part."""
    send = Sender(over_http(live_server.url))
    author = send("POST", "/authors", {"name": "Busy"}).data
    url = f"/books/{make_book(send, author, pages=1)['id']}"
    outcomes = []

    def raise_pages():
        done = 0
        while done < 10:
            shown = send("GET", url)
            pages = {"pages": shown.data["pages"] + 1}
            answer = send("PATCH", url, pages, headers={"If-Match": shown.headers["etag"]})
            outcomes.append(answer.status)
            done += answer.status == 200

    threads = [threading.Thread(target=raise_pages) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert send("GET", url).data["pages"] == 41
    assert outcomes.count(200) == 40
    assert set(outcomes) <= {200, 409, 412}
    assert send("DELETE", url).status == 204
    assert send("DELETE", f"/authors/{author['id']}").status == 204
