"""The sample module in production: gunicorn on a database of its own, and nginx before it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config import BASE_DIR
from core.factory import create_app
from core.testing import LiveServer, free_port, production_environment, served, wait_for
from services import db

RUN = '''"""The application of the tests for gunicorn."""

from core.factory import create_app

app = create_app(None, ["tests.sample"])
'''
# As a proxy in front of the application is set up, with compression that answers on the way get.
NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    gzip on;
    gzip_proxied any;
    gzip_min_length 100;
    gzip_types application/json application/problem+json;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {url};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            {headers}
        }}
    }}
}}
"""


@contextmanager
def sample_served(
    folder: Path, database_url: str, until: str = "/health/ready", **environment: str
) -> Iterator[LiveServer]:
    """Serve the sample module by gunicorn from a folder of its own."""
    (folder / "run.py").write_text(RUN)
    shutil.copy(BASE_DIR / "gunicorn.conf.py", folder)
    variables = production_environment(database_url) | environment | {"PYTHONPATH": str(BASE_DIR)}
    with served(variables, folder, until) as url:
        yield LiveServer(url, variables)


def make_tables(database_url: str) -> None:
    """Create the sample's tables, as a migration would."""
    application = create_app({"APP_ENV": "testing", "DATABASE_URL": database_url}, ["tests.sample"])
    with application.app_context():
        tables = [one for one in db.metadata.sorted_tables if one.name.startswith("sample_")]
        db.metadata.create_all(db.engine, tables=tables)
        db.engine.dispose()


@contextmanager
def nginx_before(url: str, folder: Path, headers: str = "") -> Iterator[str]:
    """Put nginx in front of a server; yield its URL."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("no nginx on this machine: apt-get install nginx-light")
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, port=port, url=url, headers=headers))
    command = [program, "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(configuration)]
    with subprocess.Popen(command) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/health/ready")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
