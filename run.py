"""Builds the application: `python run.py` serves it in development, gunicorn serves `run:app`."""

import socket
import sys

from werkzeug.serving import is_running_from_reloader

from config import ConfigError
from core.doctor import is_called, stand_in
from core.factory import create_app
from core.modules import ModuleError

try:
    app = create_app()
except (ConfigError, ModuleError) as error:
    # A server needs the exception to stop its workers; a person at a prompt needs the sentence.
    if __name__ == "__main__" and isinstance(error, ConfigError):
        sys.exit(f"Error: {error.message}")
    if not is_called():
        raise
    # `flask doctor` examines what can be built of it, and says what cannot.
    app = stand_in(create_app)


def serve() -> None:
    """Serve with Flask's development server; never in production."""
    host, port = app.config["HOST"], app.config["PORT"]
    if app.config["APP_ENV"] == "production":
        sys.exit(
            "Error: run.py serves development only: start production with `gunicorn run:app` "
            "(docs/deployment.md)."
        )
    if not is_running_from_reloader():
        _check_port(host, port)
    # The interactive debugger runs code for whoever reaches it: on this machine only.
    loopback = host in ("127.0.0.1", "localhost", "::1")
    app.run(host, port, debug=app.debug, use_debugger=app.debug and loopback)


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.exit(
                f"Error: cannot serve on {host}:{port} ({error.strerror}): stop the program that "
                "uses the port (on macOS: AirPlay Receiver on 5000) or set another one in .env, "
                "for example PORT=5001."
            )


if __name__ == "__main__":
    serve()
