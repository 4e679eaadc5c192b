"""GET /metrics, for Prometheus and nobody else."""

import hmac
import os
import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from flask import Response, abort, current_app, request
from flask.blueprints import BlueprintSetupState
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from . import ops_bp
from .metrics import registry

PATH = "/metrics"
# A proxy on this machine brings strangers from a loopback address, but adds one of these headers.
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")


@ops_bp.get(PATH)
def metrics() -> Response:
    """Answer in Prometheus's text format."""
    if not (_has_token() or _is_local()):
        abort(404)
    return Response(generate_latest(registry()), content_type=CONTENT_TYPE_LATEST)


def _has_token() -> bool:
    token = current_app.config["OPS_METRICS_TOKEN"]
    sent = request.authorization
    if not token or sent is None or sent.type != "bearer":
        return False
    return hmac.compare_digest(str(sent.token).encode(), token.encode())


def _is_local() -> bool:
    if any(name in request.headers for name in FORWARDED):
        return False
    address = _address(request.remote_addr or "")
    return address is not None and address.is_loopback


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@ops_bp.record_once
def answer_under_addresses(state: BlueprintSetupState) -> None:
    """Let Prometheus ask by IP address, which is not among the trusted hosts.

    A page of another site cannot use this: its browser sends the name of that site.
    """
    app = state.app
    app.config.setdefault("OPS_METRICS_TOKEN", os.environ.get("OPS_METRICS_TOKEN", ""))
    app.wsgi_app = _by_address(app.wsgi_app, app.config["TRUSTED_HOSTS"][0].lstrip("."))


def _by_address(wsgi_app: Callable[..., Iterable[bytes]], host: str) -> Any:
    def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # "[::1]:5000" and "10.0.0.7" alike.
        name = re.sub(r":\d+$|[\[\]]", "", environ.get("HTTP_HOST", ""))
        if environ.get("PATH_INFO") == PATH and _address(name):
            environ["HTTP_HOST"] = host
        return wsgi_app(environ, start_response)

    return call
