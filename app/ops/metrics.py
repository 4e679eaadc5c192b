"""The numbers, and the hooks that count every request."""

import atexit
import os
import shutil
import tempfile
import time

from flask import Flask, Response, g, request, request_started
from flask.blueprints import BlueprintSetupState
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from . import ops_bp

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def _own_folder() -> str:
    """Make a folder that lives as long as gunicorn's master, which imports this; else return ""."""
    if "SERVER_SOFTWARE" not in os.environ:
        return ""
    master = os.getpid()
    # The files are mapped into memory: on a full disk, counting would end in SIGBUS.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # nosec B108
    folder = tempfile.mkdtemp(prefix=f"metrics-{master}-", dir=memory)
    # Workers are forks of the master and end before it; only the master deletes the folder.
    atexit.register(lambda: os.getpid() == master and shutil.rmtree(folder, ignore_errors=True))
    return folder


# prometheus_client would take an empty variable for a folder.
if folder := os.environ.pop(VARIABLE, "") or _own_folder():
    os.environ[VARIABLE] = folder
    # Before the first metric is made: this import decides where the numbers are kept.
    from .processes import registry
else:

    def registry() -> CollectorRegistry:
        return REGISTRY


# A client may send any word as its method: without this list it could add time series at will.
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

REQUESTS = Counter("app_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram("app_request_seconds", "Time until the answer", ["route", "status"])
QUERY_SECONDS = Histogram("app_query_seconds", "Time of a query in the database")
OPEN = Gauge("app_db_connections", "Connections open", multiprocess_mode="livesum")
IN_USE = Gauge("app_db_connections_in_use", "Connections in use", multiprocess_mode="livesum")
LIMIT = Gauge("app_db_connections_limit", "Connections at most", multiprocess_mode="livesum")


@ops_bp.record_once
def time_requests(state: BlueprintSetupState) -> None:
    # A before_request comes too late: the scaffold's own run first, and may answer the request.
    request_started.connect(_start, state.app)


def _start(app: Flask) -> None:
    g.ops_started = time.perf_counter()


@ops_bp.after_app_request
def count_request(response: Response) -> Response:
    status = f"{response.status_code // 100}xx"
    method = request.method if request.method in METHODS else "other"
    REQUESTS.labels(method, route(), status).inc()
    SECONDS.labels(route(), status).observe(time.perf_counter() - g.ops_started)
    return response


def route() -> str:
    """Return the rule that matched, never the path, whose ids would each make a time series."""
    return request.url_rule.rule if request.url_rule else "none"
