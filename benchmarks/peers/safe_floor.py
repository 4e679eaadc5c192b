"""The safe floor: the floor with the project's headers, request id and limits, by hand."""

import json
import os
import re
import sys
import uuid

from flask import Response, request
from floor_pages import app

__all__ = ["app"]
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
}
REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
# A line for each request, while the project writes one: the check before a run compares the two.
LOGS_REQUESTS = os.environ.get("LOG_REQUESTS") == "true"

app.config["MAX_CONTENT_LENGTH"] = 2 * 1024 * 1024
app.config["TRUSTED_HOSTS"] = ["127.0.0.1"]


@app.after_request
def protect(response: Response) -> Response:
    """Add the headers and the request's id."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    sent = request.headers.get("X-Request-ID", "")
    request_id = sent if REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
    response.headers["X-Request-ID"] = request_id
    if LOGS_REQUESTS:
        line = {"path": request.path, "status": response.status_code, "request_id": request_id}
        sys.stderr.write(json.dumps({"level": "INFO", "method": request.method, **line}) + "\n")
    return response
