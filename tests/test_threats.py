"""docs/threats.md: each row names a test that exists; and the two oldest attacks of all."""

import ast
import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.sample.models import Box, Thing

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs/threats.md").read_text(encoding="utf-8")
ROWS = [line.strip("|").split(" | ") for line in TEXT.splitlines() if line.startswith("| ")][1:]
SCRIPT = "<script>alert('1')</script>"


def functions_of(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1][:40])
def test_each_threat_names_the_test_that_shows_its_defence(row):
    asset, attack, defence, named = (cell.strip() for cell in row)
    path, name = re.fullmatch(r"`(\S+\.py)::(test_\w+)`", named).groups()
    module = "/".join(path.split("/")[:2])

    assert asset
    assert attack
    assert defence
    # A module that was deleted took its tests along.
    if path.startswith("tests/") or (ROOT / module).exists():
        assert name in functions_of(ROOT / path)


def test_the_spanish_table_names_the_same_tests():
    spanish = (ROOT / "docs/amenazas.es.md").read_text(encoding="utf-8")
    named = [re.findall(r"`\S+::test_\w+`", text) for text in (TEXT, spanish)]

    assert named[0] == named[1]


def test_there_are_threats():
    assert len(ROWS) > 20


@pytest.fixture
def thing(save):
    box = save(Box(name=SCRIPT))
    return save(Thing(name=SCRIPT, code="K1", price=Decimal(1), box_id=box.id))


def test_what_was_typed_is_shown_and_never_run(client, thing):
    urls = ["/sample/things", f"/sample/things/{thing.id}/edit", f"/sample/things?q={SCRIPT}"]

    pages = [client.get(url).text for url in urls]

    for page in pages:
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(" in page


@pytest.mark.parametrize("typed", ["' OR '1'='1", "x'; DROP TABLE sample_thing; --", "\\' OR 1=1"])
def test_what_was_typed_is_never_sql(client, thing, inside, typed):
    url = f"{inside}/things"

    searched = client.get(url, query_string={"q": typed})
    filtered = client.get(url, query_string={"filter[price]": typed})
    sorted_by = client.get(url, query_string={"sort": typed})

    assert (searched.status_code, searched.json["data"]) == (200, [])
    assert [filtered.status_code, sorted_by.status_code] == [400, 400]
    assert len(client.get(url).json["data"]) == 1
