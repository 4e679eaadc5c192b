"""Static files: a hash of the content in each URL, so that browsers may keep them for a year."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request, send_from_directory
from werkzeug.exceptions import NotFound

from services import compress

YEAR = 365 * 24 * 3600


def init_assets(app: Flask) -> None:
    """Add ?v=<hash> to the URLs of static files, cache them, compress what goes out."""
    app.config.setdefault("COMPRESS_ALGORITHM", ["br", "gzip"])
    compress.init_app(app)
    app.view_functions["core.static"] = _static
    hashes: dict[tuple[str, str], str | None] = {}

    @app.url_defaults
    def add_hash(endpoint: str, values: dict[str, Any]) -> None:
        # Without a filename it is a view of a module's own, or a URL that Flask refuses.
        if endpoint.endswith(".static") and "filename" in values and "v" not in values:
            key = endpoint, values["filename"]
            # In production the files do not change while the program runs.
            if app.config["APP_ENV"] != "production" or hashes.get(key) is None:
                hashes[key] = hash_of(*key)
            values["v"] = hashes[key]

    app.after_request(_prepare)
    app.after_request(_refuse_encodings)


def _static(filename: str) -> Response:
    """Serve a file of core; one in app/static wins over core's of the same name."""
    own, core = folders_of("core.static")
    try:
        return send_from_directory(own, filename)
    except NotFound:
        return send_from_directory(core, filename)


def _prepare(response: Response) -> Response:
    """Let a browser keep a static file; read it into memory if it will be compressed.

    Flask-Compress gives a stream neither gzip nor the answer 304.
    """
    endpoint = str(request.endpoint)
    filename = (request.view_args or {}).get("filename")
    if not endpoint.endswith(".static") or not filename or response.status_code >= 400:
        return response
    # While two versions are served side by side, one is asked for URLs of the other's content.
    hashed = request.args.get("v")
    if hashed and hashed == hash_of(endpoint, filename):
        response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
    if (
        response.status_code == 200
        and response.mimetype in current_app.config["COMPRESS_MIMETYPES"]
    ):
        response.direct_passthrough = False
        response.make_sequence()
    return response


def _refuse_encodings(response: Response) -> Response:
    """Send no encoding that a client refuses (RFC 9110 12.4.2): Flask-Compress ranks it last."""
    if "q=0" in request.environ.get("HTTP_ACCEPT_ENCODING", "").replace(" ", ""):
        offered = [*current_app.config["COMPRESS_ALGORITHM"], "identity"]
        best = request.accept_encodings.best_match(offered, default="identity")
        request.environ["HTTP_ACCEPT_ENCODING"] = best
    return response


def folders_of(endpoint: str) -> list[Path]:
    """Return the folders of a static endpoint; of two files with one name the first is served."""
    blueprint = current_app.blueprints[endpoint.removesuffix(".static")]
    own = [Path(current_app.root_path, "static")] if endpoint == "core.static" else []
    return [*own, Path(str(blueprint.static_folder))]


def hash_of(endpoint: str, filename: str) -> str | None:
    """Return the hash of a static file's content, or None if there is no such file."""
    paths = (folder / filename for folder in folders_of(endpoint))
    path = next(filter(Path.is_file, paths), None)
    if path is None:
        return None
    state = path.stat()
    return _digest(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1000)
def _digest(path: Path, changed: int, size: int) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=6).hexdigest()
