"""deploy/, Dockerfile and compose.yaml, checked by the tools that know their formats."""

import fnmatch
import json
import os
import re
import runpy
import shlex
import shutil
import stat
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from config import BASE_DIR, VARIABLES, load
from core.testing import free_port, production_environment, wait_for
from tests.project import copy_project
from tests.serving import program

yaml = pytest.importorskip("yaml")
jsonschema = pytest.importorskip("jsonschema")
DOCKERFILE = (BASE_DIR / "Dockerfile").read_text(encoding="utf-8")
KUBERNETES = sorted((BASE_DIR / "deploy/kubernetes").glob("*.yaml"))


def tool(name, *arguments):
    """Run a program of the virtual environment; fail with what it says."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(f"{name} is not installed: make check installs it")
    result = subprocess.run([found, *arguments], cwd=BASE_DIR, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def instructions(stage=None):
    """Return the Dockerfile's instructions as pairs, of one stage or of all."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    found = [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]
    if stage is None:
        return found
    begins = [i for i, (name, _) in enumerate(found) if name == "FROM"]
    ends = [*begins[1:], len(found)]
    stages = {
        found[b][1].rpartition(" AS ")[2]: found[b:e] for b, e in zip(begins, ends, strict=True)
    }
    return stages[stage]


def stack():
    return yaml.safe_load((BASE_DIR / "compose.yaml").read_text(encoding="utf-8"))


def manifests():
    return [one for path in KUBERNETES for one in yaml.safe_load_all(path.read_text())]


# Images


def test_hadolint_finds_nothing():
    tool("hadolint", "Dockerfile")


def test_the_image_runs_as_a_user_that_is_not_root():
    users = [value for name, value in instructions("web") if name == "USER"]

    assert users == ["10001:10001"]


def test_no_image_takes_its_base_without_a_version():
    stages = [value for name, value in instructions() if name == "FROM"]
    bases = {stage.partition(" AS ")[0] for stage in stages} - {"site"}

    assert all(re.search(r":\d+\.\d+", base) for base in bases)


class Answers(BaseHTTPRequestHandler):
    """A server whose one answer is chosen by the test."""

    status = 200

    def do_GET(self):
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (500, False), (None, False)])
def test_the_health_check_fails_on_an_error_and_on_silence(status, healthy):
    [check] = [value for name, value in instructions("web") if name == "HEALTHCHECK"]
    command = json.loads(check.partition("CMD ")[2])
    handler = type("Handler", (Answers,), {"status": status})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        if status:
            threading.Thread(target=server.handle_request).start()
        port = server.server_port if status else free_port()

        result = subprocess.run(
            [sys.executable, *command[1:]],
            env={**os.environ, "PORT": str(port)},
            stderr=subprocess.DEVNULL,
        )

    assert (result.returncode == 0) == healthy


def context(project):
    """Remove from a copy of the project what .dockerignore keeps out of the build."""
    rules = [
        line
        for line in (BASE_DIR / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    for path in sorted(project.root.rglob("*"), reverse=True):
        name = path.relative_to(project.root).as_posix()
        if path.is_file() and ignored(name, rules):
            path.unlink()
    return project


def ignored(name, rules):
    """Tell whether the last rule that matches a file, or a folder above it, keeps it out."""
    verdict = False
    names = [name, *(parent.as_posix() for parent in Path(name).parents)]
    for rule in rules:
        pattern = rule.lstrip("!").removeprefix("**/")
        anywhere = "**/" in rule
        candidates = [Path(one).name for one in names] if anywhere else names
        if any(fnmatch.fnmatchcase(one, pattern) for one in candidates):
            verdict = not rule.startswith("!")
    return verdict


def test_secrets_databases_and_tests_stay_out_of_the_image(project):
    for secret in (".env", "deploy/production.env", "instance/app.db", "app/shop/own.env"):
        project.write(secret, "SECRET_KEY=hunter2")

    context(project)

    names = {p.relative_to(project.root).as_posix() for p in project.root.rglob("*") if p.is_file()}
    assert {"run.py", "gunicorn.conf.py", ".flaskenv", "alembic.ini", "alembic/env.py"} <= names
    assert [
        name for name in names if re.search(r"\.env$|^instance|tests/|\.git/|\.db$", name)
    ] == []


@pytest.mark.slow
def test_the_steps_of_the_image_make_an_app_that_serves(tmp_path):
    """Replay COPY and RUN of the stages in a plain folder: no engine is needed for that."""
    source = context(copy_project(tmp_path / "context")).root
    home = tmp_path / "srv/andamio"
    home.mkdir(parents=True)
    path = f"{home}/.venv/bin:{Path(sys.executable).resolve().parent}:{os.environ['PATH']}"
    for name, value in [*instructions("packages"), *instructions("site")]:
        if name == "COPY" and "--from" not in value:
            *names, target = value.split()
            for copied in names:
                place(source / copied, home / target)
        elif name == "RUN":
            variables = {"PATH": path, "HOME": str(tmp_path)}
            subprocess.run(["sh", "-ec", value], cwd=home, env=variables, check=True)

    environment = production_environment(f"sqlite:///{tmp_path}/own.db")
    variables = {name: environment[name] for name in environment if name in VARIABLES}
    [command] = [value for name, value in instructions("web") if name == "CMD"]
    with subprocess.Popen(
        json.loads(command),
        cwd=home,
        env={**variables, "PATH": path},
        executable=f"{home}/.venv/bin/gunicorn",
    ) as process:
        wait_for(f"http://127.0.0.1:{environment['PORT']}/health/ready")
        process.terminate()

    assert process.returncode == 0
    assert list((home / "static").glob("*/core/static/app.css"))


def place(source, target):
    """Copy like COPY does: a file into a folder, or the content of a folder."""
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


# The stack


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("vendor.compose-spec", "compose.yaml"),
        ("vendor.github-workflows", ".github/workflows/check.yml"),
    ],
)
def test_the_file_keeps_to_its_schema(schema, path):
    tool("check-jsonschema", "--builtin-schema", schema, path)


def test_the_stack_has_no_secret_and_no_default_for_one():
    services = stack()["services"]

    assert [s for s in services if services[s].get("env_file") == "deploy/production.env"] == [
        "db",
        "migrate",
        "web",
    ]
    given = {name for service in services.values() for name in service.get("environment", {})}
    assert given == {"PROXY_COUNT", "REDIS_URL", "SESSION_REDIS", "RATE_LIMIT"}


def test_web_starts_after_the_migrations_and_nginx_after_web():
    services = stack()["services"]

    conditions = {
        (name, before, wait["condition"])
        for name, service in services.items()
        for before, wait in service.get("depends_on", {}).items()
    }
    assert conditions == {
        ("migrate", "db", "service_healthy"),
        ("web", "migrate", "service_completed_successfully"),
        ("web", "redis", "service_healthy"),
        ("nginx", "web", "service_healthy"),
    }
    assert services["migrate"]["command"] == ["alembic", "upgrade", "head"]


def new_env(folder):
    shutil.copy(BASE_DIR / "deploy/new-env.sh", folder)
    return subprocess.run(["sh", f"{folder}/new-env.sh"], capture_output=True, text=True)


def test_the_secrets_of_the_stack_are_made_once_and_production_takes_them(tmp_path, monkeypatch):
    first, again = new_env(tmp_path), new_env(tmp_path)
    file = tmp_path / "production.env"
    pairs = [line.partition("=") for line in file.read_text().splitlines() if "=" in line]
    values = {name: value for name, _, value in pairs}

    configuration = load({name: values[name] for name in values if name in VARIABLES})

    assert (first.returncode, again.returncode) == (0, 1)
    assert "is there already" in again.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    url = configuration["SQLALCHEMY_DATABASE_URI"]
    assert (url.username, url.password) == (values["POSTGRES_USER"], values["POSTGRES_PASSWORD"])
    assert configuration["APP_ENV"] == "production"
    assert len({values[key] for key in ("SECRET_KEY", "WTF_CSRF_SECRET_KEY")}) == 2


# Kubernetes


SCHEMA = json.loads((BASE_DIR / "tests/kubernetes.json").read_text(encoding="utf-8"))


def faults(manifest):
    """Return where a manifest breaks the schema of its kind."""
    reference = {"$ref": f"#/$defs/{KINDS[manifest['kind']]}", "$defs": SCHEMA["$defs"]}
    errors = jsonschema.Draft202012Validator(reference).iter_errors(manifest)
    return [f"{error.json_path}: {error.message}" for error in errors]


KINDS = {
    "Deployment": "io.k8s.api.apps.v1.Deployment",
    "Job": "io.k8s.api.batch.v1.Job",
    "Service": "io.k8s.api.core.v1.Service",
}


@pytest.mark.parametrize("manifest", manifests(), ids=lambda one: one["kind"])
def test_a_manifest_keeps_to_the_schema_of_its_kind(manifest):
    assert faults(manifest) == []


def test_a_field_that_is_misspelt_or_of_another_type_is_noticed():
    [deployment] = [one for one in manifests() if one["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    container["readinesProbe"] = container.pop("readinessProbe")
    container["ports"][0]["containerPort"] = "8000"

    found = faults(deployment)

    assert len(found) == 2
    assert "'readinesProbe' was unexpected" in " ".join(found)
    assert "'8000' is not of type 'integer'" in " ".join(found)


def pods():
    return [
        pytest.param(one["spec"]["template"]["spec"], id=one["kind"])
        for one in manifests()
        if one["kind"] in ("Deployment", "Job")
    ]


@pytest.mark.parametrize("pod", pods())
def test_pods_have_no_rights_and_their_secrets_by_reference(pod):
    [container] = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert (
        f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
        in DOCKERFILE
    )
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["envFrom"] == [{"secretRef": {"name": "andamio"}}]
    assert {one["name"] for one in container.get("env", [])} <= {"PROXY_COUNT"}
    assert not re.search(r":latest$|^[^:]+$", container["image"])


def test_the_probes_ask_what_they_should_and_the_image_answers_there(client):
    [pod] = [one["spec"]["template"]["spec"] for one in manifests() if one["kind"] == "Deployment"]
    [container] = pod["containers"]
    paths = {
        kind: container[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("startup", "liveness", "readiness")
    }

    assert paths == {
        "startup": "/health/live",
        "liveness": "/health/live",
        "readiness": "/health/ready",
    }
    assert {client.get(path).status_code for path in paths.values()} == {200}
    assert f"PORT={container['ports'][0]['containerPort']} " in DOCKERFILE


def test_the_service_finds_the_pods_and_the_job_brings_the_same_image():
    deployment, service, job = (
        next(one for one in manifests() if one["kind"] == kind)
        for kind in ("Deployment", "Service", "Job")
    )
    images = {
        one["spec"]["template"]["spec"]["containers"][0]["image"] for one in (deployment, job)
    }

    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert (
        not service["spec"]["selector"].items()
        <= job["spec"]["template"]["metadata"]["labels"].items()
    )
    assert len(images) == 1


def test_a_pod_has_time_to_end_its_requests():
    [pod] = [one["spec"]["template"]["spec"] for one in manifests() if one["kind"] == "Deployment"]
    wait = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])

    assert pod["terminationGracePeriodSeconds"] > wait + gunicorn_setting("graceful_timeout")


# nginx and systemd


def gunicorn_setting(name):
    text = (BASE_DIR / "gunicorn.conf.py").read_text()
    return int(re.search(rf"^{name} = ([\d_]+)$", text, re.MULTILINE)[1])


def nginx_setting(name):
    text = (BASE_DIR / "deploy/nginx/app.conf").read_text()
    return int(re.search(rf"^{name} (\d+)[sm];$", text, re.MULTILINE)[1])


def test_who_waits_waits_longer_than_whom_he_waits_for():
    unit = (BASE_DIR / "deploy/systemd/andamio.service").read_text()
    stop = int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[1])

    assert nginx_setting("proxy_read_timeout") > gunicorn_setting("timeout")
    # nginx closes idle connections to the app after 60 s.
    assert gunicorn_setting("keepalive") > 60
    assert stop > gunicorn_setting("graceful_timeout")
    assert int(stack()["services"]["web"]["stop_grace_period"][:-1]) > gunicorn_setting(
        "graceful_timeout"
    )
    assert nginx_setting("client_max_body_size") * 1024**2 > int(VARIABLES["MAX_CONTENT_LENGTH"][0])


def test_a_worker_opens_fewer_files_than_most_systems_allow():
    of_the_database = sum(int(VARIABLES[name][0]) for name in ("DB_POOL_SIZE", "DB_MAX_OVERFLOW"))

    assert gunicorn_setting("worker_connections") + of_the_database < 1024 - 50


@pytest.mark.parametrize(("may_write", "folder"), [(True, "/dev/shm"), (False, None)])
def test_a_shared_memory_that_is_closed_to_the_user_is_left_alone(monkeypatch, may_write, folder):
    monkeypatch.setattr(os, "access", lambda path, mode: may_write)

    assert runpy.run_path(str(BASE_DIR / "gunicorn.conf.py"))["worker_tmp_dir"] == folder


def test_nginx_takes_the_site_with_its_certificates(tmp_path):
    nginx = program("nginx")
    subprocess.run(
        shlex.split(
            "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=example.com -keyout key -out crt"
        ),
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    site = (BASE_DIR / "deploy/nginx/site.conf").read_text()
    for old, new in (
        ("/srv/andamio/deploy", f"{BASE_DIR}/deploy"),
        ("/etc/letsencrypt/live/example.com/fullchain.pem", f"{tmp_path}/crt"),
        ("/etc/letsencrypt/live/example.com/privkey.pem", f"{tmp_path}/key"),
        ("/var/log/nginx/andamio.log", f"{tmp_path}/log"),
        ("/var/log/nginx/andamio-error.log", f"{tmp_path}/error-log"),
    ):
        assert old in site
        site = site.replace(old, new)
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid; events {{}} http {{ {site} }}")

    result = subprocess.run(
        [nginx, "-t", "-e", "stderr", "-p", str(tmp_path), "-c", f"{tmp_path}/nginx.conf"],
        capture_output=True,
        text=True,
    )

    assert result.returncode == 0, result.stderr
    assert "[warn]" not in result.stderr


def test_systemd_takes_the_units(tmp_path):
    analyze = program("systemd-analyze")
    for unit in (BASE_DIR / "deploy/systemd").iterdir():
        text = unit.read_text().replace("/srv/andamio/.venv/bin/gunicorn", sys.executable)
        (tmp_path / unit.name).write_text(text)

    result = subprocess.run(
        [analyze, "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
    )

    ours = [line for line in result.stderr.splitlines() if "andamio" in line]
    assert (result.returncode, ours) == (0, [])


def test_the_socket_of_systemd_is_where_nginx_sends_requests():
    unit = (BASE_DIR / "deploy/systemd/andamio.socket").read_text()
    [address] = re.findall(r"^ListenStream=(.+)$", unit, re.MULTILINE)

    assert f"server {address};" in (BASE_DIR / "deploy/nginx/site.conf").read_text()
    assert address == f"{VARIABLES['HOST'][0]}:{VARIABLES['PORT'][0]}"
