"""A client for single requests: what the checks before a run ask of each server."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from benchmarks.scenarios import Scenario
from benchmarks.servers import Running


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @cached_property
    def json(self) -> Any:
        """Return the body as JSON; None if it is empty."""
        return json.loads(self.text) if self.text else None


def ask(server: Running, scenario: Scenario) -> Answer:
    """Send the scenario's first request."""
    one, address = scenario.example, urlsplit(server.url)
    connection = HTTPConnection(str(address.hostname), address.port, timeout=20)
    try:
        connection.request(one.method, one.path, one.body or None, dict(one.headers))
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read().decode(errors="replace"))
    finally:
        connection.close()


def fitted(server: Running, scenario: Scenario) -> Scenario:
    """Return the scenario with what differs by server: its tag of an item, its URL of a file."""
    if scenario.status == 304:
        tag = ask(server, replace(scenario, status=200)).headers.get("etag", "")
        return replace(scenario, headers={"If-None-Match": tag})
    if scenario.name == "static":
        page = ask(server, Scenario("page", "", "/example/products")).text
        link = re.search(rf'"({re.escape(scenario.path)}[^"]*)"', page)
        return replace(scenario, path=link[1]) if link else scenario
    return scenario
