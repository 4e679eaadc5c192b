"""How gunicorn serves `run:app`; what depends on the machine comes from config.py."""

import os
import sys

from config import ConfigError
from core.server import (
    Log,
    Worker,
    close_connections,
    first_configuration,
    share_memory,
    show_in_a_sentence,
    watch_database,
)

# What config.py or a module refuses is for the operator, who needs no traceback.
sys.excepthook = show_in_a_sentence
try:
    _server = first_configuration()
except ConfigError as error:
    sys.exit(f"Error: {error.message}")
bind = _server["bind"]
workers = _server["workers"]
threads = _server["threads"]
worker_class = Worker
logger_class = Log
# The master loads the application, and its workers share that memory. So SIGHUP brings neither new
# code nor a new configuration: a restart does, and with the socket of deploy/systemd it refuses
# nobody.
preload_app = True
# A worker that ends no request for this long, while others wait for it, is replaced.
timeout = 30
# How long requests that are under way may take to end when the server stops.
graceful_timeout = 30
# Longer than nginx keeps its idle connections (60 s): who closes first must not be the one that is
# being sent a request.
keepalive = 75
# Workers retire now and then, so that a slow leak in a dependency never grows up.
max_requests = 10_000
max_requests_jitter = 1_000
# Clients beyond these wait. A process may open 1,024 files on most systems, the database's
# connections included, and a worker that meets this limit dies.
worker_connections = 900
# Workers tell by a file that they live. On a disk that is busy they would seem dead. In some
# containers and chroots nobody but root may write here.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
# What a proxy says is read by PROXY_COUNT alone (core/security.py), not by who says it.
forwarded_allow_ips = ""
secure_scheme_headers = {}
forwarder_headers = ""
# As much as nginx takes.
limit_request_line = 8190
# Else all servers of a user open one socket in their home and take it from each other.
control_socket_disable = True


def when_ready(server):
    """Before the first worker starts."""
    share_memory(server.app.wsgi())


def pre_fork(server, worker):
    """Before each worker starts."""
    close_connections(server.app.wsgi())


def post_worker_init(worker):
    """In each worker."""
    watch_database(worker.app.wsgi())


def on_reload(server):
    """On SIGHUP, which people send after an update."""
    server.log.warning(
        "SIGHUP renews the workers with the code and configuration that were loaded at the start: "
        "restart the server to bring new ones."
    )
