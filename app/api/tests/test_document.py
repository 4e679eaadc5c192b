"""A client made by a public generator from the document, at work on a production server."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import new_isbn
from .sending import API

pytest.importorskip("openapi_python_client")
pytestmark = pytest.mark.structure


@pytest.fixture(scope="module")
def generated(live_server, tmp_path_factory):
    """Generate the client's package; return a function that calls one of its operations."""
    folder = tmp_path_factory.mktemp("client")
    url = f"{live_server.url}{API}/openapi.json"
    program = str(Path(sys.executable).parent / "openapi-python-client")
    command = [program, "generate", "--url", url, "--meta", "none", "--output-path", "bookshop"]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "Warning" not in made.stdout, made.stdout
    sys.path.insert(0, str(folder))
    yield importlib.import_module("bookshop")
    sys.path.remove(str(folder))


@pytest.fixture
def call(generated, live_server):
    with generated.Client(base_url=live_server.url) as client:

        def call(tag, operation, **arguments):
            module = importlib.import_module(f"bookshop.api.{tag}.api_{operation}")
            return module.sync_detailed(client=client, **arguments)

        yield call


def test_a_generated_client_creates_reads_changes_and_deletes(call):
    models = importlib.import_module("bookshop.models")
    author = call("authors", "author_list_post", body=models.AuthorInput(name="Ana")).parsed.data
    body = models.BookInput(title="The Map", isbn=new_isbn(), price="12.50", author_id=author.id)

    book = call("books", "book_list_post", body=body).parsed.data
    shown = call("books", "book_item_get", id=book.id)
    patch = models.BookPatch(title="The Atlas")
    tag = shown.headers["ETag"]
    changed = call("books", "book_item_patch", id=book.id, body=patch, if_match=tag)
    stale = call("books", "book_item_patch", id=book.id, body=patch, if_match=tag)
    deleted = call("books", "book_item_delete", id=book.id)

    assert (shown.parsed.data.author.name, shown.parsed.data.price) == ("Ana", "12.50")
    assert (changed.status_code, changed.parsed.data.title) == (200, "The Atlas")
    assert (stale.status_code, stale.parsed.status) == (412, 412)
    assert (deleted.status_code, deleted.parsed) == (204, None)
    assert call("authors", "author_item_delete", id=author.id).status_code == 204


def test_a_generated_client_searches_filters_and_sorts(call):
    down = importlib.import_module("bookshop.models").BookSort("-price")

    answer = call("books", "book_list_get", per_page=5, sort=[down], filterpricegte="10")

    prices = [float(book.price) for book in answer.parsed.data]
    assert len(prices) == answer.parsed.meta.per_page == 5
    assert prices == sorted(prices, reverse=True)
    assert min(prices) >= 10


def test_a_generated_client_reads_what_was_wrong(call):
    models = importlib.import_module("bookshop.models")
    body = models.BookInput(title="", isbn="1", price="12.50", author_id=1)

    answer = call("books", "book_list_post", body=body)

    assert answer.status_code == 422
    assert set(answer.parsed.errors.to_dict()) == {"title", "isbn"}
