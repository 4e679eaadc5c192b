"""Static files: a hash in each URL, a year in the cache for it, compressed on the way."""

import gzip
import re
import sys

import pytest
from werkzeug.datastructures import ResponseCacheControl
from werkzeug.http import parse_cache_control_header

from core.assets import YEAR
from tests.reading import Reader

INDEX = "/listed/"


@pytest.fixture
def client(make_app, tmp_path):
    return make_app(["tests.listed"]).test_client()


def files_of(client, path="/"):
    page = Reader(client.get(path).text)
    addresses = [own.get("href") if tag == "link" else own.get("src") for tag, own in page.tags]
    return [address for tag, address in zip(page.tags, addresses, strict=True) if _loads(tag)]


def _loads(tag):
    return tag[0] == "link" or (tag[0] in ("script", "img") and "src" in tag[1])


def cache_of(answer):
    return parse_cache_control_header(answer.headers.get("Cache-Control"), cls=ResponseCacheControl)


def test_every_file_of_a_page_has_a_hash_and_may_be_kept_for_a_year(client):
    files = files_of(client)

    names = {file.partition("?")[0].rpartition("/")[2] for file in files}
    assert names >= {"app.css", "favicon.svg", "theme.js", "bootstrap.min.css"}
    for file in files:
        answer = client.get(file, buffered=True)
        cache = cache_of(answer)
        assert re.search(r"\?v=[0-9a-f]{12}$", file), file
        assert answer.status_code == 200
        assert (cache.max_age, cache.public, cache.immutable) == (YEAR, True, True), file
        assert not cache.no_cache


def test_files_of_a_module_have_one_too(app_of_a_module):
    client, url, _ = app_of_a_module

    assert re.fullmatch(r"/annex/static/annex\.css\?v=[0-9a-f]{12}", url())
    assert cache_of(client.get(url(), buffered=True)).max_age == YEAR


def test_a_file_that_changes_has_another_url(app_of_a_module):
    _, url, file = app_of_a_module
    before = url()

    file.write_text("b { color: blue }")

    assert url() != before
    file.write_text("b { color: red }")
    assert url() == before


def test_a_url_of_another_version_is_not_kept(app_of_a_module):
    client, url, file = app_of_a_module
    before = url()
    file.write_text("b { color: blue }")

    answer = client.get(before, buffered=True)

    assert answer.text == "b { color: blue }"
    assert cache_of(answer).max_age is None


@pytest.mark.parametrize(
    "path", ["/core/static/app.css", "/core/static/app.css?v=", "/core/static/app.css?v=1"]
)
def test_without_its_hash_a_file_is_asked_for_each_time(client, path):
    cache = cache_of(client.get(path, buffered=True))

    assert cache.no_cache
    assert cache.max_age is None


@pytest.mark.parametrize(
    "path",
    [
        "/core/static/nowhere.css?v=1",
        "/core/static/../settings.py?v=1",
        "/core/static/%2e%2e/factory.py",
        "/core/static/..%5cfactory.py",
        "/core/static/%00",
        "/core/static/" + "x" * 5000,
    ],
)
def test_what_is_no_file_is_not_found_and_not_kept(client, path):
    answer = client.get(path)

    assert answer.status_code == 404
    assert cache_of(answer).max_age is None


def test_a_page_with_such_an_argument_is_not_kept(client):
    assert cache_of(client.get("/?v=1")).max_age is None


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("br, gzip", "br"),
        ("gzip", "gzip"),
        ("", None),
        ("zstd", None),
        ("br;q=0.5, gzip", "gzip"),
        ("gzip;q=0", None),
        ("br; q=0, gzip;q=0.000", None),
        ("*;q=0", None),
        ("br;q=0, *", "gzip"),
        ("br;q=0, gzip", "gzip"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/core/static/app.css"])
def test_an_answer_is_compressed_for_those_who_take_it(client, path, accepted, encoding):
    answer = client.get(path, headers={"Accept-Encoding": accepted}, buffered=True)

    assert answer.headers.get("Content-Encoding") == encoding
    assert "Accept-Encoding" in answer.headers["Vary"]


def test_what_was_compressed_is_the_file(client):
    plain = client.get("/core/static/app.css", buffered=True)
    packed = client.get("/core/static/app.css", headers={"Accept-Encoding": "gzip"}, buffered=True)

    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 2


@pytest.mark.parametrize("encoding", ["", "gzip", "br"])
def test_who_has_a_file_already_gets_no_second_copy(client, encoding):
    headers = {"Accept-Encoding": encoding}
    url = next(file for file in files_of(client) if "app.css" in file)
    first = client.get(url, headers=headers, buffered=True)

    second = client.get(
        url, headers={**headers, "If-None-Match": first.headers["ETag"]}, buffered=True
    )

    assert (second.status_code, second.data) == (304, b"")
    assert cache_of(second).max_age == YEAR


@pytest.fixture
def app_of_a_module(make_app, tmp_path, monkeypatch):
    """A client of an application with one module, its file's URL now, and the file."""
    folder = tmp_path / "annex"
    (folder / "static").mkdir(parents=True)
    (folder / "__init__.py").write_text(
        "from flask import Blueprint, url_for\n\n"
        "bp = Blueprint('annex', __name__, url_prefix='/annex', static_folder='static')\n"
        "bp.add_url_rule('/', 'url', lambda: url_for('.static', filename='annex.css'))\n"
    )
    file = folder / "static/annex.css"
    file.write_text("b { color: red }")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "annex", raising=False)
    client = make_app(["annex"]).test_client()
    return client, lambda: client.get("/annex/").text, file
