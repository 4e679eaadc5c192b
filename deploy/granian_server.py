"""The other production server: `python -m deploy.granian_server` instead of `gunicorn run:app`."""

import sys
from importlib import import_module
from typing import Any

from click import ClickException

from config import ConfigError, server

try:
    from granian import Granian
    from granian.constants import Interfaces
except ModuleNotFoundError as error:
    sys.exit(f"Error: {error.name} is missing: pip install -r requirements-optional.txt")

# Its own lines look like the app's, which writes the one for each request.
LINES: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "core.logs.JSONFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "loggers": {"_granian": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}


def main() -> None:
    """Serve with the address, the processes and the threads that gunicorn would have."""
    try:
        options = server()
        # What the workers will load, here first: each would say for itself what it refuses.
        import_module("run")
    except (ConfigError, ClickException) as error:
        sys.exit(f"Error: {error.message}")
    host, _, port = str(options["bind"]).rpartition(":")
    Granian(
        "run:app",
        host.strip("[]"),
        int(port),
        interface=Interfaces.WSGI,
        websockets=False,
        workers=int(options["workers"]),
        blocking_threads=int(options["threads"]),
        # A worker that crashed or grew is replaced. One that hangs is not noticed.
        respawn_failed_workers=True,
        workers_max_rss=1024,
        workers_kill_timeout=30,
        log_dictconfig=LINES,
    ).serve()


# A worker imports this file again.
if __name__ == "__main__":
    main()
