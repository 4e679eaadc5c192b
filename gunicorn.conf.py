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

# What config.py or a module refuses is told to the operator in a sentence, not by a traceback.
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
# code nor a new configuration: only a restart does, and with the socket unit in deploy/systemd no
# client is refused meanwhile.
preload_app = True
# Seconds: a worker that finishes no request for this long, while others wait for it, is replaced.
timeout = 30
# Seconds that running requests may take to finish when the server stops.
graceful_timeout = 30
# Longer than nginx keeps its idle connections (60 s): if gunicorn closed one first, nginx might
# just be sending it a request.
keepalive = 75
# Workers are replaced now and then, so that a slow leak in a dependency stays small.
max_requests = 10_000
max_requests_jitter = 1_000
# Clients beyond this number wait. A process may open 1,024 files on most systems, the connections
# to the database included, and a worker that reaches that limit dies.
worker_connections = 900
# Workers touch a file to show that they are alive; on a busy disk they would seem dead. In some
# containers and chroots only root may write to /dev/shm.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
# PROXY_COUNT alone decides which forwarded headers count (core/security.py), not who sends them.
forwarded_allow_ips = ""
secure_scheme_headers = {}
forwarder_headers = ""
# The longest that nginx accepts.
limit_request_line = 8190
# Otherwise all servers of one user share a control socket in its home and take it from each other.
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
