"""create_app(): the table of contents of start-up."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask

import config as configuration
from core.application import Application
from core.assets import init_assets
from core.cli import init_cli
from core.database import init_database
from core.errors import init_errors
from core.fragments import init_fragments
from core.health import init_health
from core.i18n import init_i18n
from core.limits import init_limits
from core.logs import init_logs
from core.modules import init_modules
from core.openapi import init_openapi
from core.pages import init_pages
from core.rest import init_rest
from core.security import init_security
from core.sessions import init_sessions
from core.setting import check_settings, setting
from core.undefined import init_undefined
from core.urls import init_urls


def create_app(
    config: Mapping[str, Any] | None = None, installed_apps: Sequence[str] | None = None
) -> Flask:
    """Build an application.

    `config` stands in for variables of the environment ("DATABASE_URL") or sets keys of Flask's
    configuration; `installed_apps` replaces settings.INSTALLED_APPS. Raises ConfigError and
    ModuleError. Applications of one process share the imported modules, nothing else.
    """
    check_settings()
    app = Application(
        "app",
        root_path=str(configuration.BASE_DIR / "app"),
        instance_path=str(configuration.INSTANCE_DIR),
        static_url_path="/static",
        static_folder=None,
    )
    app.config.from_mapping(configuration.load(config))
    init_logs(app)
    init_database(app)
    init_urls(app)
    init_sessions(app)
    init_security(app)
    init_errors(app)
    init_health(app)
    init_rest(app)
    init_undefined(app)
    init_modules(app, setting("INSTALLED_APPS") if installed_apps is None else installed_apps)
    init_limits(app)
    init_i18n(app)
    init_pages(app)
    init_openapi(app)
    init_fragments(app)
    init_assets(app)
    init_cli(app)
    return app
