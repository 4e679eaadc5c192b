"""`make audit`: a known vulnerability fails it, and so does a package without an answer."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from core.testing import free_port

pytest.importorskip("pip_audit")

LOCKS = {
    "requirements.txt": "flask==3.1.3 \\\n    --hash=sha256:0\ncolorama==0.4.6 ; os_name == 'nt'",
    "requirements-dev.txt": "Some_Tool[extra]==1.0 ; python_version < '3.0'\nflask==3.1.2",
    "requirements-optional.txt": "",
    "requirements-app.txt": "# None yet.",
}
FAULTY = ("some-tool", "1.0")


@pytest.fixture
def advisories():
    """A service that speaks OSV's protocol and knows one fault."""
    asked = []

    class Advisories(BaseHTTPRequestHandler):
        def do_POST(self):
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((query["package"]["name"], query["version"]))
            body = json.dumps({"vulns": [fault()]} if asked[-1] == self.server.faulty else {})
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Advisories)
    server.asked, server.faulty = asked, None
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def fault():
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}]
    package = {"name": FAULTY[0], "ecosystem": "PyPI"}
    return {
        "id": "PYSEC-2026-1",
        "published": "2026-01-01T00:00:00Z",
        "details": "It lets strangers in.",
        "affected": [{"package": package, "ranges": ranges}],
    }


@pytest.fixture
def audit(scaffold):
    """Run the script on small lock files."""
    for name, text in LOCKS.items():
        scaffold.write(name, text + "\n")

    def run(port):
        url = f"http://127.0.0.1:{port}"
        return scaffold.having(PYTHONWARNINGS="").run(
            "python", "scripts/audit.py", "-s", "osv", "--osv-url", url
        )

    return run


def test_every_pin_of_every_file_is_audited(audit, advisories):
    result = audit(advisories.server_port)

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "4 packages audited, none with a known fault.\n"
    assert sorted(advisories.asked) == [
        ("colorama", "0.4.6"),
        ("flask", "3.1.2"),
        ("flask", "3.1.3"),
        ("some-tool", "1.0"),
    ]


def test_a_known_vulnerability_fails(audit, advisories):
    advisories.faulty = FAULTY

    result = audit(advisories.server_port)

    assert result.returncode == 1
    assert result.stdout == "some-tool 1.0: PYSEC-2026-1, fixed in 1.1\n"
    assert result.stderr == "Renew these packages: make lock UPGRADE=1\n"


def test_an_advisory_service_that_is_away_fails_with_one_sentence(audit):
    result = audit(free_port())

    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == (
        "Nothing was audited: the advisory service does not answer. Try again with a network."
    )


def test_a_package_without_an_answer_fails(audit, advisories, scaffold):
    scaffold.write("requirements-app.txt", "ours==not-a-version\n")

    result = audit(advisories.server_port)

    assert result.returncode == 1
    assert "ours not-a-version" in result.stderr
