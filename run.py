"""Builds the application: `python run.py` serves it in development, gunicorn serves `run:app`."""

import sys

try:
    from click import ClickException
    from werkzeug.serving import is_running_from_reloader

    from core.doctor import is_called, stand_in
    from core.doctor.machine import port_trouble
    from core.factory import create_app
except ImportError as error:
    sys.exit(
        f"Error: {error}: activate the virtual environment (`. .venv/bin/activate`; `make venv` "
        "makes it, or installs what it lacks); its Python is 3.11 or newer."
    )

try:
    app = create_app()
except (Exception, SystemExit) as error:
    if is_called():
        # `flask doctor` examines as much of the app as can be built, and reports the rest.
        app = stand_in(create_app, error)
    elif __name__ == "__main__" and isinstance(error, ClickException):
        error.show()
        if not is_running_from_reloader():
            sys.exit(1)
        # Keep serving: the site shows the error until the changed file is mended.
        said = error.message
        app = create_app(installed_apps=[])
        app.before_request(lambda: (said, 500, {"Content-Type": "text/plain"}))
    else:
        # A server needs the exception to stop its workers, and `flask` shows it by itself.
        raise


def serve() -> None:
    """Serve with Flask's development server; never in production."""
    host, port = app.config["HOST"], app.config["PORT"]
    if sys.argv[1:]:
        sys.exit(
            "Error: run.py takes no arguments: set HOST and PORT in .env or in the environment."
        )
    if app.config["APP_ENV"] == "production":
        sys.exit(
            "Error: run.py serves development only: start production with `gunicorn run:app` "
            "(docs/deployment.md)."
        )
    if not is_running_from_reloader() and (trouble := port_trouble(host, port)):
        sys.exit("Error: {}: {}.".format(*trouble))
    # The debugger runs code for whoever reaches it, so only a loopback HOST gets it.
    loopback = host in ("127.0.0.1", "localhost", "::1")
    app.run(host, port, debug=app.debug, use_debugger=app.debug and loopback)


if __name__ == "__main__":
    serve()
