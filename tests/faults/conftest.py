"""The site that is hurt, its database, and the clients that keep count."""

from itertools import count

import pytest

from tests.faults.cluster import cluster as a_cluster
from tests.load import Load
from tests.project import copy_project, without_product
from tests.serving import THING, live_site

PREFIXES = (f"{number}-" for number in count())


@pytest.fixture(scope="module")
def cluster():
    with a_cluster() as server:
        yield server


@pytest.fixture(scope="module")
def site(cluster, tmp_path_factory):
    """A production copy of the project on the cluster, with short time-outs."""
    project = without_product(copy_project(tmp_path_factory.mktemp("site") / "project"))
    return live_site(project, cluster.url).having(DB_STATEMENT_TIMEOUT_MS="1000")


@pytest.fixture
def load():
    """Return a function that has clients read and write in a site."""

    def start(server, **changes):
        options = {"body": THING, "mixed": True, "prefix": next(PREFIXES), **changes}
        return Load(server.address, "/outside/things", **options)

    return start
