"""Sends requests to the API: to the application in this process, or to a server over HTTP."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from flask.testing import FlaskClient

from core.setting import setting

API = setting("API_PREFIX")
ABSENT = object()


@dataclass(frozen=True)
class Answer:
    """A response; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        return self.json["data"]


Transport = Callable[[str, str, bytes, Mapping[str, str]], Answer]


class Sender:
    """Speaks to the API below its prefix; `json` is any value, `body` bytes as they are."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def __call__(
        self,
        method: str,
        path: str,
        json: Any = ABSENT,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        headers = dict(headers or {})
        if json is not ABSENT:
            body = encoded(json)
            headers.setdefault("Content-Type", "application/json")
        url = path if path.startswith(API) else API + path
        return self.transport(method, url, body, headers)


def encoded(value: Any) -> bytes:
    # ASCII, so that half a surrogate pair can be sent at all.
    return json.dumps(value, ensure_ascii=True).encode()


def in_process(client: FlaskClient) -> Transport:
    """Send to the application under test, inside the test's transaction."""

    def send(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        response = client.open(path, method=method, data=body, headers=headers)
        names = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, names, response.data)

    return send


def over_http(url: str) -> Transport:
    """Send to a server of its own."""
    address = urlsplit(url)

    def send(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection = HTTPConnection(str(address.hostname), address.port, timeout=20)
        try:
            connection.request(method, path, body or None, dict(headers))
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    return send
