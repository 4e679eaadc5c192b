"""An application with this module, and the other ends of its protocols."""

import gzip
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import brotli
import pytest

from core.factory import create_app
from services import db

DECODERS = {"identity": bytes, "gzip": gzip.decompress, "br": brotli.decompress}


@pytest.fixture
def make_ops(tmp_path, caplog):
    """Build applications of this module alone, on an SQLite file."""
    pytest.importorskip("prometheus_client")
    applications = []

    def make(**overrides):
        url = f"sqlite:///{tmp_path.as_posix()}/ops.db"
        configuration = {"APP_ENV": "testing", "DATABASE_URL": url, **overrides}
        application = create_app(configuration, ["app.ops"])
        applications.append(application)
        return application

    yield make
    for application in applications:
        with application.app_context():
            db.engine.dispose()


@pytest.fixture
def samples():
    """Read /metrics with the library's own parser: {(name, labels): value}."""
    parser = pytest.importorskip("prometheus_client.parser")

    def read(text):
        families = parser.text_string_to_metric_families(text)
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
        }

    return read


@pytest.fixture
def collector():
    """An HTTP server that keeps what it is sent, as (path, body)."""
    received = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            decode = DECODERS[self.headers.get("Content-Encoding", "identity")]
            received.append((self.path, decode(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Collector)) as server:
        server.received = received
        yield server


@contextmanager
def _serving(server):
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
