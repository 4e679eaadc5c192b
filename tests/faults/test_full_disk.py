"""SQLite's disk is full: what is written is refused until there is room again."""

import time
from pathlib import Path

import pytest

from tests.load import AWAY
from tests.project import connected
from tests.serving import live_site, serving

pytestmark = pytest.mark.structure
# SQLite's own limit stands for the disk's. It is a connection's; a file says how high it is.
DISK = """
from pathlib import Path

from flask import Blueprint
from sqlalchemy import event

from services import db

bp = Blueprint("disk", __name__)


@bp.record_once
def watch(state):
    with state.app.app_context():
        event.listen(db.engine, "checkout", limit)


def limit(connection, *_):
    connection.execute(f"PRAGMA max_page_count = {Path('pages').read_text()}")
"""


def test_the_disk_of_sqlite_is_full(scaffold, sqlite_url, load):
    site = live_site(scaffold, sqlite_url)
    site.write("app/disk/__init__.py", DISK)
    site.install("tests.sample", "app.probe", "app.disk")
    pages = site.write("pages", str(2**30))
    with connected(sqlite_url) as connection:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar()

    with serving(site) as server, load(server) as clients:
        clients.wait_for(50)
        _replace(pages, used + 20)
        deadline = time.monotonic() + 30
        while not clients.answers[503]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        written = clients.answers[201]
        time.sleep(1)
        ready, read = server.get("/health/ready"), clients.answers[200]
        _replace(pages, 2**30)
        ended = time.monotonic()

        assert clients.recovered(ended) == []

    with connected(sqlite_url) as connection:
        stored = set(connection.exec_driver_sql("SELECT code FROM sample_thing").scalars())
    assert ready == {"status": "ok"}
    assert read > 0
    assert clients.answers[201] > written
    assert {what for _, what in clients.troubles} == {AWAY}
    assert (clients.lost, clients.missing(stored)) == ([], set())


def _replace(path: Path, pages: int) -> None:
    """Write a file that is read all the time."""
    aside = path.with_name("aside")
    aside.write_text(str(pages))
    aside.replace(path)
