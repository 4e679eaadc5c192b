"""OpenTelemetry: a trace of each request with its queries, if the environment says where to."""

import os
from functools import partial
from typing import Any

from flask import Flask, request, request_started
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import SecurityError

from core.setting import setting
from services import db

from . import ops_bp
from .optional import load

VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
# Probes and scrapes would bury the rest.
EXCLUDED = "/health/live$,/health/ready$,/metrics$"
# How long an ending process waits to send its last spans. The library's own limit, where nobody
# takes them, is half a minute.
LAST_MS = 1000


@ops_bp.record_once
def trace(state: BlueprintSetupState) -> None:
    endpoint = state.app.config.get(VARIABLE) or os.environ.get(VARIABLE)
    if not endpoint:
        return
    # OpenTelemetry reads this and its other variables from the environment.
    os.environ[VARIABLE] = endpoint
    os.environ.setdefault("OTEL_SERVICE_NAME", setting("APP_NAME"))
    provider = _provider()
    flask = load(VARIABLE, "opentelemetry.instrumentation.flask")
    queries = load(VARIABLE, "opentelemetry.instrumentation.sqlalchemy")
    flask.FlaskInstrumentor.instrument_app(
        state.app, tracer_provider=provider, excluded_urls=EXCLUDED, response_hook=_without_query
    )
    request_started.connect(_name_url, state.app)
    with state.app.app_context():
        # Its release of 2026 refuses SQLAlchemy 2.1 but works with it: a test reads its spans. The
        # skip can go when it accepts 2.1.
        queries.SQLAlchemyInstrumentor().instrument(
            engine=db.engine, tracer_provider=provider, skip_dep_check=True
        )


def _provider() -> Any:
    """Return what sends spans, in the background; it also serves the product's own spans."""
    sdk = load(VARIABLE, "opentelemetry.sdk.trace")
    export = load(VARIABLE, "opentelemetry.sdk.trace.export")
    http = load(VARIABLE, "opentelemetry.exporter.otlp.proto.http.trace_exporter")
    provider = sdk.TracerProvider()
    processor = export.BatchSpanProcessor(http.OTLPSpanExporter())
    batches = processor._batch_processor  # noqa: SLF001 - no public way
    processor.shutdown = partial(batches.shutdown, timeout_millis=LAST_MS)
    provider.add_span_processor(processor)
    load(VARIABLE, "opentelemetry.trace").set_tracer_provider(provider)
    return provider


def _name_url(app: Flask) -> None:
    # For an untrusted host, reading request.url raises; the library reads it, even while the
    # answer is on its way. This must come before the library's hook.
    if isinstance(request.routing_exception, SecurityError):
        request.url = request.path


def _without_query(span: Any, status: str, headers: Any) -> None:
    # Query strings hold tokens and e-mail addresses. Here, because the library sets these last.
    if span and span.is_recording():
        span.set_attributes({"http.target": request.path, "url.query": ""})
