"""How an API announces the end of a resource, so that its clients learn of it in time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from flask import Response
from werkzeug.http import http_date


@dataclass(frozen=True)
class Deprecation:
    """Since when a resource is out of date, when it will go, and where to read what to do.

    It is sent as the headers Deprecation (RFC 9745), Sunset (RFC 8594) and Link.
    """

    since: date
    sunset: date | None = None
    link: str = ""

    def headers(self) -> Iterator[tuple[str, str]]:
        """Yield the headers."""
        since = datetime.combine(self.since, time(), UTC)
        yield "Deprecation", f"@{int(since.timestamp())}"
        if self.sunset:
            yield "Sunset", http_date(self.sunset)
        if self.link:
            yield "Link", f'<{self.link}>; rel="deprecation"'

    def announce(self, response: Response) -> Response:
        """Add the headers to an answer."""
        response.headers.extend(self.headers())
        return response
