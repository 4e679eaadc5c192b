"""The shared objects, created unbound; core/factory.py binds them to an application."""

import logging

from flask import current_app
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
# The limit is asked of the application at hand: one process may hold several.
limiter = Limiter(get_remote_address, default_limits=[lambda: current_app.config["RATE_LIMIT"]])
log = logging.getLogger("app")
