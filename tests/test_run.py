"""`python run.py` for development, `run:app` for servers."""

import socket
import subprocess
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from core.testing import free_port, wait_for
from tests.test_serving import wait_until


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def sentence(result):
    """Return the one line with which the start gives up."""
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    return line


def test_a_port_that_is_taken_is_answered_with_one_sentence(scaffold, taken_port):
    result = scaffold.having(PORT=str(taken_port)).run("python", "run.py")

    assert sentence(result) == (
        f"Error: 127.0.0.1:{taken_port} cannot be used (Address already in use): stop the program "
        "that uses the port (this site itself? on macOS: AirPlay Receiver on 5000) or set another "
        "one in .env, for example PORT=5001."
    )


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid", "a..b"])
def test_an_address_of_another_machine_is_answered_with_one_sentence(scaffold, host):
    result = scaffold.having(HOST=host, PORT=str(free_port())).run("python", "run.py")

    assert sentence(result).endswith(
        "set HOST to an address of this machine, 127.0.0.1 or 0.0.0.0."
    )


def test_a_python_without_the_packages_is_answered_with_one_sentence(scaffold):
    command = [sys.executable, "-I", "-S", "run.py"]

    result = subprocess.run(command, cwd=scaffold.root, capture_output=True, text=True)

    assert sentence(result) == (
        "Error: No module named 'click': activate the virtual environment "
        "(`. .venv/bin/activate`; `make venv` makes it, or installs what it lacks); its Python is "
        "3.11 or newer."
    )


@pytest.mark.parametrize("argument", ["--help", "8080"])
def test_an_argument_is_not_passed_over_in_silence(scaffold, argument):
    result = scaffold.having(PORT=str(free_port())).run("python", "run.py", argument)

    assert sentence(result) == (
        "Error: run.py takes no arguments: set HOST and PORT in .env or in the environment."
    )


def test_production_is_sent_to_gunicorn(scaffold):
    production = {
        "APP_ENV": "production",
        "SECRET_KEY": "kq8ZsW2vLx0nT5yJd7RfBc3HgMp9UaEi4XoV",
        "TRUSTED_HOSTS": "localhost",
        "DATABASE_URL": "sqlite:///app.db",
    }

    result = scaffold.having(**production).run("python", "run.py")

    assert sentence(result) == (
        "Error: run.py serves development only: start production with `gunicorn run:app` "
        "(docs/deployment.md)."
    )


def test_a_configuration_that_is_refused_is_one_sentence(scaffold):
    result = scaffold.having(APP_ENV="staging").run("python", "run.py")

    assert sentence(result) == (
        "Error: APP_ENV is 'staging': set it to one of development, testing, production."
    )


def test_a_server_gets_the_refusal_as_an_exception(scaffold):
    result = scaffold.having(APP_ENV="staging").run("python", "-c", "import run")

    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("config.ConfigError: APP_ENV is 'staging'")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        pytest.param(
            {"WEB_THREADS": "many"},
            "Error: WEB_THREADS is 'many': set it to a whole number.",
            id="server",
        ),
        pytest.param(
            {"APP_ENV": "staging"},
            "Error: APP_ENV is 'staging': set it to one of development, testing, production.",
            id="application",
        ),
    ],
)
def test_gunicorn_tells_it_in_a_sentence(scaffold, wrong, told):
    result = scaffold.having(**wrong).run("python", "-m", "gunicorn", "run:app")

    assert sentence(result) == told


def test_run_serves_the_site(scaffold):
    port = str(free_port())
    project = scaffold.having(PORT=port)
    command = [sys.executable, "run.py"]

    with subprocess.Popen(
        command, cwd=project.root, env=project.environment, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/health/live")
            url = f"http://127.0.0.1:{port}/"
            with urlopen(Request(url, headers={"Accept-Language": "en"})) as answer:
                page = answer.read().decode()
        finally:
            process.terminate()

    assert "no module is installed yet" in page


def text_of(url):
    """Return what a site answers, whatever its status; nothing while it starts anew."""
    try:
        return urlopen(url, timeout=5).read().decode()
    except HTTPError as error:
        return error.read().decode()
    except OSError:
        return ""


@pytest.mark.structure
def test_run_comes_back_when_a_broken_file_is_mended(scaffold):
    port, path = str(free_port()), "app/notes/__init__.py"
    right = 'from flask import Blueprint\n\nbp = Blueprint("notes", __name__)\n'
    scaffold.write(path, right)
    scaffold.install("app.notes")
    project = scaffold.having(PORT=port)
    log, url = project.root / "log", f"http://127.0.0.1:{port}/health/live"

    with (
        log.open("w") as output,
        subprocess.Popen(
            [sys.executable, "run.py"], cwd=project.root, env=project.environment, stderr=output
        ) as process,
    ):
        try:
            wait_for(url)
            project.write(path, f"{right}x = (\n")
            wait_until(lambda: "'(' was never closed" in log.read_text())
            wait_until(lambda: "line 4, or remove the entry" in text_of(url))
            project.write(path, right)
            wait_for(url)
        finally:
            process.terminate()
