# The images of compose.yaml and deploy/kubernetes: `docker build .` makes the app's, `--target nginx` the other.

FROM python:3.13-slim-bookworm AS packages
WORKDIR /srv/andamio
COPY requirements.txt requirements-app.txt requirements-optional.txt ./
RUN python -m venv .venv \
    && .venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes \
        -r requirements.txt -r requirements-app.txt -r requirements-optional.txt

FROM python:3.13-slim-bookworm AS site
WORKDIR /srv/andamio
ENV PATH="/srv/andamio/.venv/bin:$PATH"
COPY --from=packages /srv/andamio/.venv .venv
COPY . .
# Nothing is written at run time: bytecode and static files are made here.
RUN python -m compileall -q app core alembic config.py run.py services.py settings.py \
    && APP_ENV=testing flask collect-static static

FROM nginxinc/nginx-unprivileged:1.28-alpine AS nginx
COPY deploy/nginx/http.conf deploy/nginx/app.conf deploy/nginx/balancer.conf /etc/nginx/andamio/
COPY deploy/nginx/container.conf /etc/nginx/conf.d/default.conf
COPY --from=site /srv/andamio/static /srv/andamio/static

FROM site AS web
ENV APP_ENV=production HOST=0.0.0.0 PORT=8000 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# A number, so that Kubernetes sees that it is not root. The files are root's, who is not here.
USER 10001:10001
EXPOSE 8000
# The process, not the database: who restarts what is unhealthy would restart for nothing. Past the
# proxy that Docker may put into the environment.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['PORT'] + '/health/live', timeout=4)"]
CMD ["gunicorn", "run:app"]
