"""The production servers: they start, answer, stop and are renewed without a lost request."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import make_url

from config import BASE_DIR
from core.testing import scratch_database
from tests.documents import block_with
from tests.load import Load
from tests.project import Project, copy_project, tables, without_product
from tests.serving import GRANIAN, GUNICORN, THING, live_site, program, serving

pytestmark = pytest.mark.structure
THINGS = "/outside/things"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site that no test changes."""
    folder = tmp_path_factory.mktemp("site")
    project = without_product(copy_project(folder / "project"))
    return live_site(project, f"sqlite:///{folder.as_posix()}/own.db")


@pytest.fixture
def own_site(scaffold, sqlite_url):
    """A site that its test may change."""
    return live_site(scaffold, sqlite_url)


def alone(site):
    """The site with one worker: one of granian's that is asked to stop as it starts does not."""
    return site.having(WEB_CONCURRENCY="1")


@pytest.mark.parametrize("command", [GUNICORN, GRANIAN], ids=["gunicorn", "granian"])
def test_each_request_is_one_json_line_with_its_id(site, command):
    with serving(alone(site), command) as server:
        request = Request(f"{server.url}/outside/things?q=hunter2")
        request.add_header("X-Request-ID", "0123abcd-EF")
        request.add_header("Authorization", "Bearer hunter3")
        with urlopen(request) as answer:
            size = len(answer.read())
        server.stop()

        [entry] = [line for line in server.lines if line["logger"] == "access"]
        assert 0 < entry.pop("duration_ms") < 5000
        del entry["time"]
        assert entry == {
            "level": "INFO",
            "logger": "access",
            "message": "request",
            "request_id": "0123abcd-EF",
            "method": "GET",
            "path": "/outside/things",
            "status": 200,
            "bytes": size,
        }
        assert "hunter" not in server.log.read_text()


@pytest.mark.parametrize("command", [GUNICORN, GRANIAN], ids=["gunicorn", "granian"])
def test_the_servers_own_lines_are_json_too(site, command):
    with serving(alone(site), command) as server:
        server.stop()

        messages = [line["message"] for line in server.lines]
        assert any("Listening at" in message for message in messages)


@pytest.mark.parametrize(
    "sent", [{"SCRIPT_NAME": "/evil"}, {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "off"}]
)
def test_headers_of_a_proxy_that_is_not_configured_mean_nothing(site, sent):
    with serving(site, GUNICORN) as server:
        request = Request(f"{server.url}/outside/things", headers=sent)

        with urlopen(request) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("command", [GUNICORN, GRANIAN], ids=["gunicorn", "granian"])
def test_a_stop_lets_requests_end_that_are_under_way(site, command):
    with serving(site, command) as server, ThreadPoolExecutor() as pool:
        answers = [pool.submit(server.get, "/probe/slow") for _ in range(4)]
        time.sleep(0.5)
        status = server.stop()

    assert status == 0
    assert [answer.result() for answer in answers] == [{"version": "one"}] * 4


def test_a_worker_whose_threads_all_hang_is_replaced(site):
    narrow = alone(site).having(WEB_THREADS="1")
    with serving(narrow, [*GUNICORN, "--timeout=2"]) as server, ThreadPoolExecutor() as pool:
        before = server.get("/probe/")["process"]
        lost = [pool.submit(server.get, "/probe/hang") for _ in range(2)]
        errors = [one.exception(timeout=20) for one in lost]

        assert None not in errors
        assert server.get("/probe/")["process"] != before


@pytest.mark.parametrize("body", [None, THING], ids=["read", "write"])
def test_a_stop_under_load_loses_no_request(site, body):
    with serving(site) as server, Load(server.address, THINGS, body) as load:
        load.wait_for(100)
        status = server.stop()

    assert status == 0
    assert load.lost == []
    assert set(load.answers) == {201 if body else 200}


def test_a_client_that_counts_sees_a_request_that_is_lost():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taker = threading.Thread(target=_take_and_close, args=[listener])
        taker.start()
        with Load(listener.getsockname(), "/", threads=1) as load:
            taker.join()
            time.sleep(0.1)
            listener.close()

    assert load.lost[0].startswith("0-1: ")


def _take_and_close(listener):
    connection, _ = listener.accept()
    connection.close()


def test_workers_that_retire_under_load_lose_no_request(own_site):
    own_site.replace("gunicorn.conf.py", "max_requests = 10_000", "max_requests = 40")
    own_site.replace("gunicorn.conf.py", "jitter = 1_000", "jitter = 20")

    with serving(own_site) as server, Load(server.address, THINGS) as load:
        first = server.workers
        load.wait_for(500)
        last = server.workers

    assert not set(first) & set(last)
    assert (load.lost, load.refused, set(load.answers)) == ([], 0, {200})


def test_a_killed_worker_is_replaced(site):
    with serving(site.having(WEB_CONCURRENCY="1")) as server:
        [victim] = server.workers
        os.kill(victim, signal.SIGKILL)

        answer = server.get("/probe/")

    assert answer["process"] != victim


REVISION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None


def upgrade():
    op.create_table("probe_mark", sa.Column("id", sa.Integer, primary_key=True))
"""


def test_an_update_as_documented_refuses_and_loses_nothing(own_site, tmp_path):
    # The user's name and the path of the virtual environment are those of a server.
    text = block_with("docs/deployment.md", "sh", "systemctl restart").text
    commands = re.sub(r"sudo -u andamio (\.venv/bin/)?", "", text).splitlines()[1:]
    origin = published(own_site, tmp_path / "origin.git")
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener, ExitStack() as stack:
        old = stack.enter_context(serving(own_site, listener=listener))
        load = stack.enter_context(Load(old.address, THINGS))
        load.wait_for(50)

        publish_an_update(origin, tmp_path / "author")
        for command in commands[:-1]:
            # What is installed already is taken without a network.
            words = command.replace("git", program("git"), 1).split()
            result = own_site.having(PIP_NO_INDEX="1").run(*words)
            # The doctor has its say about a site that listens to this machine alone.
            assert result.returncode == 0 or "doctor" in words, (command, result.stderr)
        old.stop()
        new = stack.enter_context(serving(own_site, listener=listener))
        load.wait_for(50)
        load.stop()
        answer = new.get("/probe/")

    assert [command.split()[0] for command in commands] == [
        "git",
        "pip",
        "alembic",
        "flask",
        "flask",
        "sudo",
    ]
    assert answer["version"] == "two"
    assert "probe_mark" in tables(own_site.variables["DATABASE_URL"])
    assert (load.lost, load.refused, set(load.answers)) == ([], 0, {200})


def published(site, origin):
    """Make the site a clone of a repository that has what it has; return the repository."""
    for command in (
        "init --quiet --initial-branch=main",
        "add --all",
        "commit --quiet --message=One",
        f"clone --quiet --bare . {origin}",
        f"remote add origin {origin}",
        "fetch --quiet",
        "branch --quiet --set-upstream-to=origin/main",
    ):
        git(command, site.root)
    return origin


def publish_an_update(origin, folder):
    """Push other code and a migration from another clone."""
    git(f"clone --quiet {origin} {folder}", folder.parent)
    author = Project(folder)
    author.replace("app/probe/__init__.py", '"one"', '"two"')
    author.write("alembic/versions/0001_mark.py", REVISION)
    git("add --all", folder)
    git("commit --quiet --message=Two", folder)
    git("push --quiet", folder)


def git(command, folder):
    person = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *person, *command.split()], cwd=folder, check=True)


def test_sighup_with_an_env_file_that_is_refused_ends_nothing(own_site):
    with serving(own_site) as server:
        before = server.workers
        own_site.write(".env", "a line that says nothing\n")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.workers and not set(before) & set(server.workers))

        assert server.get("/probe/")["version"] == "one"


def test_sighup_says_that_it_brings_neither_new_code_nor_a_new_configuration(own_site):
    with serving(own_site) as server:
        before = server.workers
        own_site.replace("app/probe/__init__.py", '"one"', '"two"')
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.workers and not set(before) & set(server.workers))

        assert server.get("/probe/")["version"] == "one"
        [warning] = [line for line in server.lines if line["level"] == "WARNING"]
        assert "code and configuration that were loaded at the start: restart" in warning["message"]


@pytest.mark.postgresql
def test_processes_share_memory_and_no_connection(scaffold, postgresql_url, tmp_path):
    with scratch_database(tmp_path, "fork", postgresql_url) as url:
        site = live_site(scaffold, url)
        # A module that opens connections at the import, in the process that workers are forks of.
        site.replace("run.py", "def serve()", f"{AT_IMPORT}\n\ndef serve()")

        with serving(site) as server, Load(server.address, THINGS) as load:
            load.wait_for(200)
            open_ = [connections(pid, make_url(url).port) for pid in server.workers]
            in_master = connections(server.process.pid, make_url(url).port)

    assert in_master == set()
    assert all(open_)
    assert not set.intersection(*open_)
    assert (load.lost, set(load.answers)) == ([], {200})


AT_IMPORT = """
from sqlalchemy import text
from services import db

with app.app_context():
    db.session.execute(text("SELECT 1"))
"""


def connections(pid, port):
    """Return the inodes of a process's sockets that are connected to this port."""
    wanted = f":{port or 5432:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    connected = {row[9] for row in rows if row[2].endswith(wanted)}
    links = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        # A file may be closed meanwhile.
        with suppress(FileNotFoundError):
            links.append(str(link.readlink()))
    return {link[8:-1] for link in links if link.startswith("socket:")} & connected


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_share_most_of_their_memory(own_site):
    totals = []
    without = CONFIGURATION.partition("def when_ready")[0].replace("app = True", "app = False")
    for configuration in (CONFIGURATION, without):
        own_site.write("gunicorn.conf.py", configuration)
        with serving(own_site.having(WEB_CONCURRENCY="4")) as server:
            with Load(server.address, THINGS) as load:
                load.wait_for(200)
            totals.append(sum(map(private_memory, server.workers)))

    assert totals[0] < totals[1] * 0.7, totals


CONFIGURATION = (BASE_DIR / "gunicorn.conf.py").read_text(encoding="utf-8")


def private_memory(pid):
    """Return how much a process has to itself, in kB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(map(int, re.findall(r"^Private_\w+:\s+(\d+)", text, re.MULTILINE)))


def wait_until(happened, seconds=20):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunks"])
@pytest.mark.parametrize(
    ("method", "path", "megabytes", "status"),
    [
        ("POST", THINGS, 3, 413),
        ("POST", THINGS, 10, 413),
        ("POST", "/nowhere", 1, 404),
        ("DELETE", THINGS, 1, 405),
    ],
)
def test_a_refused_body_is_read_so_that_its_sender_sees_the_answer(
    site, method, path, megabytes, status, is_chunked
):
    with serving(site, GUNICORN) as server, closing(HTTPConnection(*server.address)) as connection:
        body = b"x" * megabytes * 2**20
        # Of parts nobody knows the length.
        body = iter([body]) if is_chunked else body
        connection.request(method, path, body, {"Content-Type": "application/json"})
        refused = connection.getresponse()
        refused.read()
        connection.request("GET", THINGS)

        assert (refused.status, connection.getresponse().status) == (status, 200)
