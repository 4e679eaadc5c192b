"""How gunicorn serves `run:app`; what depends on the machine comes from config.py."""

from config import server

_server = server()
bind = _server["bind"]
workers = _server["workers"]
threads = _server["threads"]
worker_class = "gthread"
timeout = 30
graceful_timeout = 30
# Workers retire now and then, so that a slow leak in a dependency never grows up.
max_requests = 10_000
max_requests_jitter = 1_000
# Else all servers of a user open one socket in their home and take it from each other.
control_socket_disable = True
