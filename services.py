"""The shared objects, created unbound; core/factory.py binds them to an application."""

import logging
import re
from ipaddress import IPv6Network

from flask import current_app, request
from flask_bootstrap import Bootstrap5
from flask_compress import Compress
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_marshmallow import Marshmallow
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

from core.base import DeclarativeModel

db = SQLAlchemy(model_class=DeclarativeModel)
ma = Marshmallow()
csrf = CSRFProtect()
bootstrap = Bootstrap5()
compress = Compress()


WITH_PORT = re.compile(r"\[([^]]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")


def _client() -> str:
    """Return the client that a limit counts: for IPv6 the whole /64 network of its address."""
    # Some proxies append the port, which differs for each connection.
    found = WITH_PORT.fullmatch(address := get_remote_address())
    address = found[1] or found[2] if found else address
    try:
        network = IPv6Network((address, 64), strict=False)
    except ValueError:
        return address
    # ::/64 holds this machine (::1) and all mapped IPv4 addresses: each counts by itself.
    return address if str(network) == "::/64" else str(network)


# The limit is read from the current application: one process may hold several.
limiter = Limiter(
    _client,
    default_limits=[lambda: current_app.config["RATE_LIMIT"]],
    # The default is for the API alone: on a page with a limit of its own for POST, GET is free.
    default_limits_exempt_when=lambda: (
        request.blueprint not in current_app.extensions["api_blueprints"]
    ),
)
log = logging.getLogger("app")
