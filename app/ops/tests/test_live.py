"""The module under gunicorn with two workers, and at the ends of its protocols."""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.metadata import packages_distributions
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from core.testing import free_port, wait_for

pytestmark = pytest.mark.structure

SHAKY = """
import os
from flask import Blueprint
from sqlalchemy import text
from services import db

bp = Blueprint("shaky", __name__, url_prefix="/shaky")

@bp.get("/<int:number>")
def show(number):
    found = db.session.scalar(text("SELECT :number"), {"number": number})
    return {"number": found, "pid": os.getpid()}

@bp.get("/pid")
def pid():
    return str(os.getpid())

@bp.get("/crash")
def crash():
    unsaid = "kept-in-a-variable"
    raise RuntimeError(f"torn, of {len(unsaid)}")
"""


@pytest.fixture
def shaky(project):
    """A copy with this module and one that fails."""
    pytest.importorskip("prometheus_client")
    project.write("app/shaky/__init__.py", SHAKY)
    project.install("app.ops", "app.shaky")
    return project


@contextmanager
def served(project, **variables):
    """Serve the copy in production with two workers; yield its URL and the master's process."""
    port = free_port()
    environment = {
        "APP_ENV": "production",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "TRUSTED_HOSTS": "shop.example",
        "DATABASE_URL": "sqlite:///live.db",
        "COOKIE_SECURE": "false",
        "WEB_CONCURRENCY": "2",
        "PORT": str(port),
        # A deprecation in a library is the business of its release, not of this server.
        "PYTHONWARNINGS": "",
        **variables,
    }
    command = [sys.executable, "-m", "gunicorn", "run:app"]
    environment = project.having(**environment).environment
    with subprocess.Popen(command, cwd=project.root, env=environment) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/health/ready")
            # The first answers before the second is there, which would miss a signal to stop.
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            until(lambda: len(children.read_text().split()) >= 2)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def get(url, **headers):
    """Return the status and the body; each call is a connection of its own."""
    request = Request(url, headers={"Host": "shop.example", "Connection": "close", **headers})
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def until(found, seconds=15):
    """Wait until `found()` returns something; return it."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.1)
    return result


def wait_for_both(url):
    """Wait until the second worker answers as well, which the first may do long before."""
    until(lambda: len({get(f"{url}/shaky/pid")[1] for _ in range(20)}) == 2)


def visit_all_workers(url, times):
    """Send requests; return the process ids that answered."""
    return {json.loads(get(f"{url}/shaky/{n}")[1])["pid"] for n in range(times)}


def test_the_counts_of_all_processes_add_up(shaky, samples, tmp_path):
    folder = tmp_path / "prometheus"

    with served(shaky, PROMETHEUS_MULTIPROC_DIR=str(folder)) as url:
        wait_for_both(url)
        first = visit_all_workers(url, 60)
        # What a dead worker counted is not lost, what it had open is.
        os.kill(min(first), signal.SIGKILL)
        until(lambda: len(visit_all_workers(url, 20) - {min(first)}) == 2)
        before = samples(get(f"{url}/metrics")[1])
        visit_all_workers(url, 40)
        numbers = samples(get(f"{url}/metrics")[1])

    key = ("app_requests_total", "/shaky/<int:number>", "2xx", "GET")
    assert before[key] >= 60 + 20
    assert numbers[key] - before[key] == 40
    assert numbers[("app_request_seconds_count", "/shaky/<int:number>", "2xx")] == numbers[key]
    assert 0 < numbers[("app_db_connections",)] <= numbers[("app_db_connections_limit",)] == 30
    assert numbers[("app_db_connections_in_use",)] == 0


@pytest.mark.parametrize(
    "variables", [{}, {"PROMETHEUS_MULTIPROC_DIR": ""}], ids=["unset", "empty"]
)
def test_without_a_folder_the_processes_have_one_of_their_own(shaky, samples, variables):
    with served(shaky, **variables) as url:
        wait_for_both(url)
        worker = visit_all_workers(url, 40).pop()
        seen = [samples(get(f"{url}/metrics")[1]) for _ in range(6)]
        master = re.search(r"PPid:\s+(\d+)", Path(f"/proc/{worker}/status").read_text())[1]
        # In the memory: no full disk takes it away.
        during = list(Path("/dev/shm").glob(f"metrics-{master}-*"))

    key = ("app_requests_total", "/shaky/<int:number>", "2xx", "GET")
    assert [numbers[key] for numbers in seen] == [40] * 6
    assert len(during) == 1
    assert not during[0].exists()


def test_workers_that_retire_leave_no_files_behind(shaky, samples, tmp_path):
    folder = tmp_path / "prometheus"
    retiring = {"GUNICORN_CMD_ARGS": "--max-requests 5 --max-requests-jitter 0"}

    with served(shaky, PROMETHEUS_MULTIPROC_DIR=str(folder), **retiring) as url:
        pids = visit_all_workers(url, 60)
        numbers = samples(get(f"{url}/metrics")[1])

    assert len(pids) > 4
    assert numbers["app_requests_total", "/shaky/<int:number>", "2xx", "GET"] == 60
    # An old one may still live when the next has come.
    assert len(list(folder.glob("*.lock"))) <= 4


def test_a_crash_reaches_sentry_with_its_request_and_nothing_that_was_sent(shaky, collector):
    pytest.importorskip("sentry_sdk")
    dsn = f"http://public@127.0.0.1:{collector.server_port}/7"

    with served(shaky, SENTRY_DSN=dsn) as url:
        status, _ = get(
            f"{url}/shaky/crash?token=of-the-query",
            **{
                "X-Request-ID": "request-of-mine",
                "Cookie": "session=of-the-cookie",
                "Referer": f"{url}/reset?token=of-the-referer",
                "X-Shop-Key": "of-the-header",
                "User-Agent": "Lynx",
            },
        )
        sent = until(lambda: [body for _, body in collector.received if b"torn" in body])[0]

    assert status == 500
    assert collector.received[0][0] == "/api/7/envelope/"
    [event] = [json.loads(line) for line in sent.splitlines() if b'"exception"' in line]
    assert event["exception"]["values"][0]["type"] == "RuntimeError"
    assert event["tags"]["request_id"] == "request-of-mine"
    assert event["environment"] == "production"
    frames = event["exception"]["values"][0]["stacktrace"]["frames"]
    assert not [frame for frame in frames if "vars" in frame]
    assert event["request"]["headers"]["User-Agent"] == "Lynx"
    for secret in (b"of-the-query", b"of-the-cookie", b"of-the-referer", b"of-the-header"):
        assert secret not in sent


def test_traces_reach_the_collector_with_their_queries(shaky, collector):
    trace = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    def spans():
        for path, body in list(collector.received):
            assert path == "/v1/traces"
            message = trace.ExportTraceServiceRequest.FromString(body)
            for resource in message.resource_spans:
                for scope in resource.scope_spans:
                    yield from scope.spans

    with served(shaky, **variables) as url:
        status, _ = get(f"{url}/shaky/7?token=of-the-query")
        [request] = until(lambda: [s for s in spans() if s.name == "GET /shaky/<int:number>"])
        queries = until(lambda: [s for s in spans() if s.parent_span_id == request.span_id])

    assert status == 200
    assert {span.trace_id for span in queries} == {request.trace_id}
    assert any("SELECT ?" in str(span.attributes) for span in queries)
    assert not [span for span in spans() if "/health" in span.name]
    assert not [body for _, body in collector.received if b"of-the-query" in body]


def test_with_traces_a_host_that_is_not_trusted_is_refused_as_without(shaky, collector):
    pytest.importorskip("opentelemetry.instrumentation.flask")
    endpoint = f"http://127.0.0.1:{collector.server_port}"

    with served(shaky, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as url:
        refused = [get(f"{url}{path}", Host="evil.example") for path in ("/shaky/7", "/no")]
        health = get(f"{url}/health/live", Host="evil.example")

    assert [status for status, _ in refused] == [400, 400]
    assert health[0] == 200


def test_the_packages_of_the_checks_are_not_needed(shaky, collector):
    """What is installed beside the lock files of a server may hide that one of them lacks it."""
    pytest.importorskip("opentelemetry.instrumentation.sqlalchemy")
    address = f"http://127.0.0.1:{collector.server_port}"
    locks = [
        (shaky.root / f"requirements{name}.txt").read_text() for name in ("", "-app", "-optional")
    ]
    pinned = set(re.findall(r"^([\w-]+)(?:\[.*\])?==", "".join(locks), re.MULTILINE))
    foreign = [
        package
        for package, owners in packages_distributions().items()
        if pinned.isdisjoint(re.sub(r"[-_.]+", "-", owner).lower() for owner in owners)
    ]
    hidden = f"import sys; [sys.modules.setdefault(name) for name in {foreign!r}]; import run"
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "SENTRY_DSN": "http://public@127.0.0.1/7"}

    result = shaky.having(**variables).run("python", "-c", hidden)

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("package", "variables", "sentence"),
    [
        pytest.param(
            "prometheus_client",
            {},
            "prometheus-client is not installed: "
            "run `pip install -r requirements-optional.txt` or remove the entry.",
            id="prometheus",
        ),
        pytest.param(
            "sentry_sdk",
            {"SENTRY_DSN": "http://public@127.0.0.1/7"},
            "SENTRY_DSN is set, but sentry-sdk is not installed: "
            "pip install -r requirements-optional.txt, or unset the variable.",
            id="sentry",
        ),
        pytest.param(
            "opentelemetry",
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but opentelemetry is not installed: "
            "pip install -r requirements-optional.txt, or unset the variable.",
            id="opentelemetry",
        ),
    ],
)
def test_a_package_that_is_missing_is_named(shaky, package, variables, sentence):
    hidden = f"import sys; sys.modules[{package!r}] = None; import run"

    result = shaky.having(**variables).run("python", "-c", hidden)

    last = result.stderr.splitlines()[-1]
    assert result.returncode == 1
    assert last.startswith("core.module_errors.ModuleError: ")
    assert sentence in last


def test_a_collector_that_is_away_does_not_hold_a_stop(shaky):
    pytest.importorskip("opentelemetry.sdk")
    # What is registered first is done last.
    visit = (
        "import atexit, time; atexit.register(lambda: print('waited', time.monotonic() - ended))\n"
        "from run import app; app.test_client().get('/shaky/1'); ended = time.monotonic()"
    )

    waited = shaky.having(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1").python("-c", visit)

    assert float(re.search(r"waited ([\d.]+)", waited)[1]) < 4


def test_a_dsn_that_cannot_be_read_is_one_sentence(shaky):
    pytest.importorskip("sentry_sdk")

    result = shaky.having(SENTRY_DSN="nonsense").run("python", "-c", "import run")

    assert result.stderr.splitlines()[-1].startswith(
        "core.module_errors.ModuleError: SENTRY_DSN cannot be read ("
    )
