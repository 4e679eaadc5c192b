"""nginx with the files of deploy/nginx in front of servers of the tests' own."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from config import BASE_DIR
from core.testing import free_port
from tests.project import Project
from tests.serving import Server, program, running, serving

MAIN = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    include /etc/nginx/mime.types;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {site}
}}
"""


def configuration(
    folder: Path, site: Project, port: int, servers: list[Server], files: Path
) -> str:
    """Return container.conf for these ports, in a main file without fixed paths."""
    text = (files / "container.conf").read_text()
    upstreams = " ".join(f"server 127.0.0.1:{server.port};" for server in servers)
    for old, new in (
        ("/etc/nginx/andamio/", f"{files}/"),
        ("server web:8000;", upstreams),
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("/dev/stdout", f"{folder}/access.log"),
        ("/dev/stderr", f"{folder}/error.log"),
        ("/srv/andamio/static", f"{site.root}/static"),
    ):
        assert old in text
        text = text.replace(old, new)
    return MAIN.format(folder=folder, site=text)


class Front:
    """nginx, the servers behind it, and the lines that it writes."""

    def __init__(self, port: int, folder: Path, servers: list[Server]) -> None:
        self.port, self.folder, self.servers = port, folder, servers
        self.address, self.url = ("127.0.0.1", port), f"http://127.0.0.1:{port}"

    def open(
        self, path: str, data: bytes | None = None, method: str | None = None, **headers: str
    ) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return urlopen(Request(f"{self.url}{path}", data, named, method=method), timeout=30)

    def forget(self) -> None:
        """Remove the lines of what was asked before, of which some may not be written yet."""
        with self.open("/health/live", X_Request_ID="forgotten") as answer:
            answer.read()
        self._written(lambda lines: any('"forgotten"' in line for line in lines))
        # nginx goes on at the end of the file.
        self._log.write_text("")

    def lines(self, count: int) -> list[dict[str, Any]]:
        """Return that many lines."""
        return [json.loads(line) for line in self._written(lambda lines: len(lines) >= count)]

    @property
    def _log(self) -> Path:
        return self.folder / "access.log"

    def _written(self, is_enough: Callable[[list[str]], bool]) -> list[str]:
        """Return the lines when they are enough; nginx writes one after the answer has gone."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            lines = self._log.read_text().splitlines()
            if is_enough(lines):
                return lines
            time.sleep(0.02)
        raise AssertionError(lines)


@contextmanager
def behind_nginx(
    site: Project, folder: Path, count: int = 1, files: Path = BASE_DIR / "deploy/nginx"
) -> Iterator[Front]:
    """Serve a site by some servers behind nginx, which has a folder of its own."""
    nginx = program("nginx")
    site = site.having(PROXY_COUNT="1")
    site.run("flask", "collect-static", "static")
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(site)) for _ in range(count)]
        port = free_port()
        folder.mkdir()
        (folder / "nginx.conf").write_text(configuration(folder, site, port, servers, files))
        command = [nginx, "-p", str(folder), "-e", "stderr", "-c", f"{folder}/nginx.conf"]
        stack.enter_context(running(command, folder, port))
        yield Front(port, folder, servers)
