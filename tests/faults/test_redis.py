"""Redis dies and comes back under load: nobody's write is refused for that."""

import signal
import time

import pytest

from tests.project import connected
from tests.redis_server import Server
from tests.serving import live_site, serving

pytestmark = pytest.mark.structure


@pytest.fixture
def store():
    server = Server()
    yield server
    server.stop()


def test_redis_dies_under_load(scaffold, sqlite_url, load, store):
    site = live_site(scaffold, sqlite_url)
    limited = site.having(REDIS_URL=store.url, RATE_LIMIT="1000000/minute")

    with serving(limited) as server, load(server, mixed=False) as clients:
        for _ in range(3):
            clients.wait_for(50)
            store.stop(signal.SIGKILL)
            clients.wait_for(50)
            ready = server.get("/health/ready")
            store.start()
        ended = time.monotonic()

        assert clients.recovered(ended) == []

    with connected(sqlite_url) as connection:
        stored = set(connection.exec_driver_sql("SELECT code FROM sample_thing").scalars())
    assert ready == {"status": "ok"}
    assert (clients.lost, clients.troubles) == ([], [])
    # Each write was done once and acknowledged: none was done and answered with an error.
    assert stored == set(clients.created)
