"""What an operator watches: metrics, traces, errors and slow queries. An optional module.

Add "app.ops" to INSTALLED_APPS and run `pip install -r requirements-optional.txt`. Then:

- `/metrics` answers Prometheus: requests by route, their time, queries, connections. Only this
  machine may read it, or whoever sends OPS_METRICS_TOKEN as a bearer token; others get a 404.
  Several processes share their numbers through a folder: PROMETHEUS_MULTIPROC_DIR, empty at each
  start, or else a temporary one that gunicorn's master makes.
- A query that takes OPS_SLOW_QUERY_MS (settings.py; 500) is logged with its route.
- Traces go to OTEL_EXPORTER_OTLP_ENDPOINT and errors to SENTRY_DSN, where these are set.

It also shows how a module joins in without an edit of core: by its blueprint. `record_once` runs
when the application registers the blueprint; `before_app_request` and its kin run for each request.
"""

from importlib.util import find_spec

from flask import Blueprint

from core.module_errors import ModuleError

# Tells `flask doctor` that INSTALLED_APPS need not list this module.
OPTIONAL = True

ops_bp = Blueprint("ops", __name__)

if find_spec("prometheus_client"):
    from . import metrics, queries, reporting, routes, tracing
else:

    @ops_bp.record_once
    def refuse(state: object) -> None:
        raise ModuleError(
            f"INSTALLED_APPS lists {__name__!r}, but prometheus-client is not installed: run "
            "`pip install -r requirements-optional.txt` or remove the entry."
        )
