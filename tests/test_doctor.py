"""`flask doctor`: what it finds, with which remedy, and when it fails."""

import json
import os
import re
import shutil
import socket
import subprocess
from collections import namedtuple
from functools import cache, wraps
from pathlib import Path

import pytest
from flask.views import View
from jinja2 import FileSystemLoader
from werkzeug.routing import Map, Rule

import config
import core.doctor
from core.doctor import DEPLOYED, machine
from core.doctor.deployment import home
from core.rest import Resource
from services import limiter
from tests.project import (
    ENGINES,
    Project,
    connected,
    copy_project,
    empty_database,
    without_product,
)

MODELS = """
from sqlalchemy.orm import Mapped, mapped_column
from core.models import Base

class Item(Base):
    __tablename__ = "shop_item"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
STRONG = "kq8ZsW2vLx0nT5yJd7RfBc3HgMp9UaEi4XoV"
PRODUCTION = {
    "APP_ENV": "production",
    "SECRET_KEY": STRONG,
    "WTF_CSRF_SECRET_KEY": STRONG[::-1],
    "TRUSTED_HOSTS": "shop.example",
    "PROXY_COUNT": "1",
}
Seen = namedtuple("Seen", "code findings")


def seen(exit_code, output):
    """Return the exit code and {(name, status): (text, remedy)}."""
    return Seen(
        exit_code, {(f["name"], f["status"]): (f["text"], f["remedy"]) for f in json.loads(output)}
    )


def examine(app, *options):
    result = app.test_cli_runner().invoke(args=["doctor", "--json", *options])
    return seen(result.exit_code, result.output)


def doctor(project, *options):
    """Run the command in a copy of the project."""
    result = project.run("flask", "doctor", "--json", *options)
    assert result.stderr == ""
    return seen(result.returncode, result.stdout)


def failures(result):
    return {name for name, status in result.findings if status == "fail"}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """A folder with a clone that has one module, and its database."""
    folder = tmp_path_factory.mktemp("shop")
    project = without_product(copy_project(folder / "project"))
    project.add_module("shop", MODELS)
    project = project.on(f"sqlite:///{folder.as_posix()}/own.db")
    project.alembic_each("revision --autogenerate -m made", "upgrade head")
    return folder


@pytest.fixture
def shop(migrated, tmp_path, sqlite_url):
    """A clone with one module, migrated."""
    shutil.copytree(migrated, tmp_path, dirs_exist_ok=True)
    return Project(tmp_path / "project").on(sqlite_url)


def test_a_clone_that_is_well_passes(shop):
    shop.write(".env", "APP_ENV=development\n").chmod(0o600)

    result = doctor(shop)

    assert result.code == 0
    assert {name for name, _ in result.findings} == {
        "python",
        "venv",
        "env-file",
        "configuration",
        "port",
        "secrets",
        "modules",
        "database",
        "encoding",
        "migrations",
        "models",
    }
    assert failures(result) == set()
    assert result.findings["modules", "ok"] == ("app.shop", "")


def test_the_report_has_a_line_for_each_finding_and_one_for_its_remedy(scaffold):
    result = scaffold.having(APP_ENV="staging").run("flask", "doctor")

    assert result.returncode == 1
    lines = result.stdout.splitlines()
    position = lines.index("fail  configuration  APP_ENV is 'staging'")
    assert lines[position + 1].split(None, 1) == [
        "->",
        "set it to one of development, testing, production.",
    ]
    assert lines[-1].startswith("1 to mend, ")


@pytest.mark.parametrize("command", ["setup", "routes"])
def test_other_commands_still_refuse_a_broken_configuration(scaffold, command):
    result = scaffold.having(APP_ENV="staging").run("flask", command)

    assert result.returncode == 1
    assert "Error: APP_ENV is 'staging'" in result.stderr


def test_a_broken_configuration_is_a_finding(scaffold):
    result = doctor(scaffold.having(**PRODUCTION, DATABASE_URL="nonsense"))

    assert result.code == 1
    text, remedy = result.findings["configuration", "fail"]
    assert text == "DATABASE_URL cannot be read"
    assert remedy.startswith("write it as postgresql://user:password@host:5432/name")


INSTALL = "install that package (requirements-app.in, then make lock)"


@pytest.mark.structure
def test_each_broken_module_is_a_finding_and_the_rest_is_examined(shop):
    shop.write("app/torn/__init__.py", "import nowhere\n")
    shop.install("app.torn", "app.absent", "app.shop")

    result = shop.run("flask", "doctor", "--json")

    findings = [f for f in json.loads(result.stdout) if f["name"] == "modules"]
    assert result.returncode == 1
    assert [(f["status"], f["remedy"]) for f in findings] == [
        ("fail", f"{INSTALL}, mend app/torn/__init__.py, line 1, or remove the entry."),
        ("fail", "create it or remove the entry."),
        ("ok", ""),
    ]
    assert "ModuleNotFoundError" in findings[0]["text"]
    assert findings[2]["text"] == "app.shop"


@pytest.mark.structure
def test_a_models_file_that_fails_halfway_is_blamed_for_its_own_fault_alone(shop):
    """Its first table is known by then, to which neither its name nor other modules may lead."""
    blueprint = "from flask import Blueprint\nbp = Blueprint({!r}, __name__)\n"
    models = MODELS.replace("shop_item", "torn_item") + "SIZE = Strng(9)\n"
    line = len(models.splitlines())
    shop.write("app/torn/__init__.py", blueprint.format("torn"))
    shop.write("app/torn/models.py", models)
    shop.write("app/user/__init__.py", f"{blueprint.format('user')}from app.torn import models\n")
    shop.install("app.shop", "app.torn", "app.user")

    result = shop.having(PYTHONWARNINGS="ignore").run("flask", "doctor", "--json")

    (found,) = [f for f in json.loads(result.stdout) if f["name"] == "modules"]
    assert "name 'Strng' is not defined" in found["text"]
    assert found["remedy"] == f"mend app/torn/models.py, line {line}, or remove the entry."


@pytest.mark.structure
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INSTALLED_APPS", "app.shop"),
        ("INSTALLED_APPS", None),
        ("LANGUAGES", []),
        ("APP_NAME", 5),
        ("CSP", {"script": []}),
    ],
)
def test_a_wrong_setting_is_one_finding(scaffold, name, value):
    scaffold.write("settings.py", f"{name} = {value!r}\n")

    result = doctor(scaffold)

    text, remedy = result.findings["configuration", "fail"]
    assert failures(result) == {"configuration"}
    assert text == f"{name} in settings.py is {value!r}"
    assert remedy.startswith("set it to ")


@pytest.mark.structure
def test_a_start_that_ends_in_any_error_is_a_finding(shop):
    shop.write(
        "app/torn/__init__.py",
        "from flask import Blueprint\n\n"
        "bp = Blueprint('torn', __name__)\n"
        "bp.record_once(lambda state: {}['lost'])\n",
    )
    shop.install("app.shop", "app.torn")

    result = doctor(shop)

    assert result.findings["configuration", "fail"] == (
        "KeyError: 'lost'",
        "mend what it names; `flask routes` shows where",
    )


def test_a_check_that_fails_hides_no_other(make_app, monkeypatch):
    def redis(app):
        raise ValueError("Port could not be cast")

    monkeypatch.setattr(core.doctor, "BUILT", [redis, machine.port])

    result = examine(make_app())

    assert result.findings["redis", "fail"][0] == "ValueError: Port could not be cast"
    # Whether it is free: somebody may run the site.
    assert "port" in {name for name, _ in result.findings}


@pytest.mark.structure
@pytest.mark.parametrize("code", ["raise SystemExit(3)", "import sys; sys.exit('no licence')"])
def test_a_module_that_ends_the_program_is_a_finding(shop, code):
    shop.write("app/quits/__init__.py", f"{code}\n")
    shop.install("app.quits", "app.shop")

    result = doctor(shop)

    assert "SystemExit" in result.findings["modules", "fail"][0]
    assert result.findings["modules", "ok"][0] == "app.shop"


@pytest.mark.structure
def test_a_broken_relationship_is_a_finding_of_its_module(shop):
    shop.write(
        "app/torn/__init__.py", "from flask import Blueprint\nbp = Blueprint('torn', __name__)\n"
    )
    shop.write("app/torn/models.py", TORN)
    shop.install("app.shop", "app.torn")

    result = doctor(shop)

    text, remedy = result.findings["modules", "fail"]
    assert text.startswith("INSTALLED_APPS lists 'app.torn', whose model Leaf cannot be used (")
    assert remedy == "mend its relationships and their foreign keys."
    assert result.findings["modules", "ok"][0] == "app.shop"


KEY = """
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship
from core.models import Base
from app.shop.models import Item

class Leaf(Base):
    __tablename__ = "torn_leaf"
    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("shop_itme.id"))
    item: Mapped[Item] = relationship()
"""


@pytest.mark.structure
def test_no_module_is_blamed_for_the_model_of_another(shop):
    blueprint = "from flask import Blueprint\nbp = Blueprint('torn', __name__)\n"
    shop.write("app/torn/__init__.py", f"{blueprint}from . import models\n")
    shop.write("app/torn/models.py", KEY)
    for name in ("one", "two"):
        shop.write(
            f"app/{name}/__init__.py",
            f"{blueprint.replace('torn', name)}import sqlalchemy.orm\nfrom app.torn import models\n"
            "sqlalchemy.orm.configure_mappers()\n",
        )
    shop.install("app.shop", "app.torn", "app.one", "app.two")

    result = shop.run("flask", "doctor", "--json")

    (found,) = [f["text"] for f in json.loads(result.stdout) if f["name"] == "modules"]
    assert found.startswith(
        "INSTALLED_APPS lists 'app.torn', whose column Leaf.item_id is a foreign key to 'shop_itme'"
    )


TORN = """
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship
from core.models import Base

class Leaf(Base):
    __tablename__ = "torn_leaf"
    id: Mapped[int] = mapped_column(primary_key=True)
    trees: Mapped[list["Treee"]] = relationship()
"""


@pytest.mark.structure
@pytest.mark.parametrize(
    "text", ["APP_NAME = 'Shop\n", "import nowhere\n"], ids=["syntax", "import"]
)
def test_settings_that_cannot_be_imported_are_a_finding(scaffold, text):
    scaffold.write("settings.py", text)

    result = doctor(scaffold)
    other = scaffold.run("flask", "routes")

    text, remedy = result.findings["configuration", "fail"]
    assert text.startswith("settings.py cannot be imported (")
    assert remedy == "mend it."
    assert other.returncode == 1
    assert "Error: settings.py cannot be imported" in other.stderr


@pytest.mark.structure
def test_settings_without_a_list_of_modules_are_a_warning(scaffold):
    scaffold.write("settings.py", "APP_NAME = 'Shop'\n")

    result = doctor(scaffold)

    assert result.findings["modules", "warn"] == (
        "settings.py has no INSTALLED_APPS",
        "add INSTALLED_APPS = [...] with your modules",
    )


@pytest.mark.structure
def test_folders_that_nobody_listed_are_named(shop):
    shop.write("app/forgotten/__init__.py", "")
    shop.write("app/optional/__init__.py", "OPTIONAL = True\n")

    result = doctor(shop)

    assert result.code == 0
    assert result.findings["modules", "warn"] == (
        "app/forgotten/ is not listed",
        'add "app.forgotten" to INSTALLED_APPS in settings.py, or delete it',
    )


@pytest.mark.structure
def test_a_folder_without_init_is_named(shop):
    shop.write("app/half/models.py", "")

    result = doctor(shop)

    assert result.findings["modules", "warn"] == (
        "app/half/ has no __init__.py",
        "create app/half/__init__.py or delete the folder",
    )


def test_pending_migrations_fail(shop):
    shop.alembic("downgrade", "base")

    result = doctor(shop)

    assert failures(result) == {"migrations"}
    text, remedy = result.findings["migrations", "fail"]
    assert text.startswith("pending: the database is at none, not at ")
    assert remedy == "alembic upgrade head"


def test_a_pending_revision_that_warns_of_a_loss_is_named(shop):
    shop.alembic("revision", "-m", "lossy", "--rev-id", "lossy")
    (path,) = (path for path in shop.revisions if "lossy" in path.name)
    path.write_text(f"# WARNING: a column goes\n{path.read_text()}")

    pending = doctor(shop)
    shop.alembic("upgrade", "head")
    applied = doctor(shop)

    assert pending.findings["migrations", "warn"] == (
        f"{path.name} has a line # WARNING:",
        "deal with it before alembic upgrade head, then delete the line",
    )
    assert ("migrations", "warn") not in applied.findings


@pytest.mark.structure
def test_two_heads_fail(shop):
    shop.alembic("revision", "--splice", "--head", "base", "-m", "other")

    result = doctor(shop)

    assert result.findings["migrations", "fail"][1] == "alembic merge heads"


@pytest.mark.structure
def test_a_database_ahead_of_the_code_fails(shop):
    with connected(shop.variables["DATABASE_URL"]) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'future'")

    result = doctor(shop)

    assert result.findings["migrations", "fail"][0] == (
        "alembic/versions/ lacks the database's future"
    )


@pytest.mark.structure
def test_a_revision_that_cannot_be_read_fails(shop):
    shop.write("alembic/versions/torn.py", "revision =")

    result = doctor(shop)

    text, remedy = result.findings["migrations", "fail"]
    assert text.startswith("SyntaxError: ")
    assert remedy == "mend alembic/versions/"


@pytest.mark.structure
def test_models_that_differ_from_the_migrations_fail(shop):
    shop.replace("app/shop/models.py", "id: Mapped", "name: Mapped[str]\n    id: Mapped")

    result = doctor(shop)

    assert failures(result) == {"models"}
    assert result.findings["models", "fail"][0] == "1 differences from the migrations"


ENUM = """
import enum
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column
from core.models import Base

class Status(enum.Enum):
    OPEN = "open"
    SOLD = "sold"

class Item(Base):
    __tablename__ = "shop_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[Status | None]
"""
# An enum of the database's own.
NATIVE = "[Status | None] = mapped_column(sa.Enum('open', 'sold', name='state'))"


@pytest.mark.structure
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("is_native", [False, True], ids=["plain", "native"])
def test_rows_with_a_member_that_is_gone_fail(scaffold, tmp_path, engine, is_native):
    kind = NATIVE if is_native else "[Status | None]"
    member = ", 'sold'" if is_native else '    SOLD = "sold"\n'
    with empty_database(engine, tmp_path) as url:
        project = scaffold.on(url)
        project.add_module("shop", ENUM.replace("[Status | None]", kind))
        project.alembic_each("revision --autogenerate -m made", "upgrade head")
        with connected(url) as connection:
            connection.exec_driver_sql(
                "INSERT INTO shop_item (id, status) VALUES (1, 'open'), (2, 'sold'), (3, NULL)"
            )
        before = doctor(project)
        project.replace("app/shop/models.py", member, "")
        # A column that is not there hides nothing of the others.
        absent = "    absent: Mapped[Status | None]\n    status:"
        project.replace("app/shop/models.py", "    status:", absent)

        result = doctor(project)

    assert failures(before) == set()
    assert failures(result) == {"models"}
    assert result.findings["models", "fail"] == (
        "shop_item.status holds 'sold', which is no member of its enum",
        "give these rows another by a revision (docs/migrations.md), or bring the member back",
    )


def test_an_absent_sqlite_file_fails_and_is_not_made(scaffold, tmp_path):
    path = tmp_path / "absent.db"

    result = doctor(scaffold.on(f"sqlite:///{path}"))

    assert failures(result) == {"database"}
    assert result.findings["database", "fail"][1].startswith("flask setup")
    assert not path.exists()


@pytest.mark.postgresql
def test_a_database_that_does_not_exist_is_to_be_created(scaffold, postgresql_url):
    url = config.parse_url("DATABASE_URL", postgresql_url).set(database="nowhere_test")

    result = doctor(scaffold.on(url.render_as_string(hide_password=False)))

    remedy = result.findings["database", "fail"][1]
    assert remedy == "create it (createdb nowhere_test) or mend DATABASE_URL"


def test_a_database_that_does_not_answer_fails_without_its_password(scaffold):
    url = "postgresql://shop:hunter2@127.0.0.1:1/shop"

    result = scaffold.on(url).run("flask", "doctor")

    assert result.returncode == 1
    assert "Connection refused" in result.stdout
    assert "-> start the server or mend DATABASE_URL" in result.stdout
    assert "hunter2" not in result.stdout + result.stderr


def test_a_folder_in_place_of_a_database_is_told_to_name_a_file(scaffold, tmp_path):
    result = doctor(scaffold.on(f"sqlite:///{tmp_path}"))

    assert result.findings["database", "fail"][1] == (
        "let DATABASE_URL name a file that this user may write"
    )


@pytest.mark.postgresql
def test_an_unknown_role_is_to_be_mended(scaffold, postgresql_url):
    url = config.parse_url("DATABASE_URL", postgresql_url).set(username="nobody_of_it")

    result = doctor(scaffold.on(url.render_as_string(hide_password=False)))

    assert result.findings["database", "fail"][1] == (
        "mend user and password in DATABASE_URL or create the user"
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_is_examined(scaffold, tmp_path, engine):
    with empty_database(engine, tmp_path) as url:
        project = scaffold.on(url)
        project.alembic("upgrade", "head")

        result = doctor(project)

    assert failures(result) == set()
    expected = {"sqlite": "UTF-8", "postgresql": "UTF8", "mariadb": "utf8mb4"}
    assert result.findings["encoding", "ok"][0] == expected[engine]


# The machine


def test_a_missing_environment_is_a_warning(make_app, monkeypatch):
    monkeypatch.setattr(machine.sys, "prefix", machine.sys.base_prefix)

    result = examine(make_app())

    assert ("venv", "warn") in result.findings


@pytest.mark.parametrize(
    ("content", "finding", "text"),
    [
        pytest.param(
            b"SECRET_KYE=x\n",
            ("env-file", "warn"),
            ".env sets SECRET_KYE, which config.py does not read",
            id="name",
        ),
        pytest.param(
            b"SHOP_SECRET_KEY=x\nMAIL_PORT=25\nSENTRY_DSN=x\nOPS_METRICS_TOKEN=x\n"
            b"OTEL_EXPORTER_OTLP_ENDPOINT=x\nPROMETHEUS_MULTIPROC_DIR=x\nS3_SECRET_KEY=x\n"
            b"FLASK_DEBUG=0\nFLASK_APP=run\n",
            ("env-file", "ok"),
            "9 variables",
            id="own",
        ),
    ],
)
def test_what_is_wrong_with_the_env_file_is_named(make_app, tmp_path, content, finding, text):
    app = make_app()
    (tmp_path / ".env").write_bytes(content)
    (tmp_path / ".env").chmod(0o600)

    result = examine(app)

    assert result.findings[finding][0] == text


@pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")
def test_an_env_file_that_others_can_read_is_a_warning(make_app, tmp_path):
    (tmp_path / ".env").write_text("PORT=5000\n")
    (tmp_path / ".env").chmod(0o644)

    result = examine(make_app())

    assert result.findings["env-file", "warn"] == ("others can read .env", "chmod 600 .env")


def test_a_line_of_the_env_file_that_cannot_be_read_is_a_finding(scaffold):
    (scaffold.root / ".env").write_text("PORT=5000\nSECRET KEY=hunter2\n")

    result = scaffold.run("flask", "doctor", "--json")

    found = seen(result.returncode, result.stdout)
    assert failures(found) == {"configuration"}
    assert found.findings["configuration", "fail"][0] == "Line 2 of .env cannot be read"
    assert "hunter2" not in result.stdout + result.stderr


def test_an_env_file_that_no_command_of_flask_can_read_is_examined(scaffold):
    (scaffold.root / ".env").write_bytes("PORT=5000\n".encode("utf-16"))

    result = scaffold.run("python", "-m", "core.doctor", "--json")

    assert result.returncode == 1
    assert failures(seen(1, result.stdout)) == {"configuration"}


def test_a_taken_port_is_a_warning(make_app):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        result = examine(make_app(PORT=str(port)))

    text, remedy = result.findings["port", "warn"]
    assert text == f"127.0.0.1:{port} cannot be used (Address already in use)"
    assert remedy.endswith("set another one in .env, for example PORT=5001")


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        pytest.param({"SECRET_KEY": "dev"}, "SECRET_KEY is", id="key"),
        pytest.param(
            {"SECRET_KEY": STRONG, "SECRET_KEY_FALLBACKS": "old"}, "SECRET_KEY_FALL", id="earlier"
        ),
        pytest.param(
            {"SECRET_KEY": STRONG, "WTF_CSRF_SECRET_KEY": "x" * 40}, "WTF_CSRF", id="forms"
        ),
    ],
)
def test_a_key_that_production_would_refuse_is_a_warning(make_app, monkeypatch, keys, named):
    # Which production would refuse, too.
    monkeypatch.setenv("FLASK_DEBUG", "1")
    result = examine(make_app(**keys))

    text, remedy = result.findings["secrets", "warn"]
    assert text.startswith(named)
    assert config.MAKE_SECRET in remedy


@pytest.mark.parametrize(("sessions", "status"), [("false", "warn"), ("true", "fail")])
def test_a_redis_that_is_away_fails_where_sessions_live_there(make_app, sessions, status):
    pytest.importorskip("redis")

    result = examine(make_app(REDIS_URL="redis://127.0.0.1:1/0", SESSION_REDIS=sessions))

    assert result.findings["redis", status] == (
        "does not answer, or does not let this application in",
        "start the server or mend REDIS_URL",
    )


# The deployment


@pytest.fixture
def site(make_app, tmp_path):
    """Build a site as it is deployed, with changes."""
    (tmp_path / "live.db").touch()

    def build(*modules, **changes):
        url = f"sqlite:///{tmp_path.as_posix()}/live.db"
        return make_app(modules, **{**PRODUCTION, "DATABASE_URL": url, **changes})

    return build


def deployment(app):
    """Return what --deploy adds."""
    with app.app_context():
        found = [finding for check in DEPLOYED for finding in check(app)]
    return {(f.name, f.status): (f.text, f.remedy) for f in found}


def test_a_sound_deployment_passes(site):
    statuses = dict(deployment(site()))

    assert set(statuses) == {
        ("debug", "ok"),
        ("cookies", "ok"),
        ("hosts", "ok"),
        ("https", "ok"),
        ("form-key", "ok"),
        ("connections", "warn"),
        ("demo", "ok"),
        ("home", "warn"),
    }


@pytest.mark.parametrize(
    ("changes", "finding", "remedy"),
    [
        pytest.param(
            {"APP_ENV": "development"}, ("environment", "fail"), "set APP_ENV=production", id="env"
        ),
        pytest.param(
            {"APP_ENV": "development", "DEBUG": True},
            ("debug", "fail"),
            "set APP_ENV=production",
            id="debug",
        ),
        pytest.param(
            {"COOKIE_SECURE": "false"},
            ("cookies", "fail"),
            "remove COOKIE_SECURE: production has it on",
            id="cookies",
        ),
        pytest.param(
            {"TRUSTED_HOSTS": "localhost"},
            ("hosts", "fail"),
            "set TRUSTED_HOSTS to your domains, for example TRUSTED_HOSTS=example.com",
            id="hosts",
        ),
        pytest.param(
            {"PROXY_COUNT": "0"},
            ("https", "warn"),
            "set PROXY_COUNT=1 behind nginx; leave it if gunicorn itself has the certificate",
            id="https",
        ),
        pytest.param(
            {"WTF_CSRF_SECRET_KEY": STRONG},
            ("form-key", "fail"),
            f"set WTF_CSRF_SECRET_KEY to the output of {config.MAKE_SECRET}",
            id="form-key",
        ),
    ],
)
def test_what_must_not_be_deployed_is_named(site, changes, finding, remedy):
    found = deployment(site(**changes))

    assert found[finding][1] == remedy


def test_a_demo_must_not_be_deployed(site, monkeypatch):
    import tests.sample

    monkeypatch.setattr(tests.sample, "DEMO", True, raising=False)

    found = deployment(site("tests.sample"))

    assert found["demo", "fail"] == (
        "tests.sample is the demo: open to everyone, without login",
        "remove 'tests.sample' from INSTALLED_APPS; or put a login before it, and delete DEMO",
    )


def test_the_home_page_of_developers_is_named(site, tmp_path):
    theirs, ours, replaced = site(), site(), site()
    ours.url_map = Map([Rule("/", endpoint="shop.home")])
    (tmp_path / "welcome.html").write_text("Welcome")
    replaced.jinja_loader = FileSystemLoader(tmp_path)

    assert deployment(theirs)["home", "warn"] == (
        "/ is the scaffold's own page: it shows anybody the modules",
        "let a module of yours answer /, or write app/templates/welcome.html",
    )
    assert deployment(replaced)["home", "ok"][0] == "core.welcome"
    assert next(home(ours)).text == "shop.home"
    ours.url_map = Map([Rule("/", redirect_to="/shop")])
    assert next(home(ours)).status == "ok"


def test_a_module_that_takes_changes_from_anybody_is_named(site):
    found = deployment(site("tests.sample"))

    text, remedy = found["guards", "warn"]
    assert text.startswith("tests.sample takes changes from anybody, as at /")
    assert remedy == (
        "add a before_request that guards its blueprint, or write PUBLIC = True in "
        "tests/sample/__init__.py"
    )


def test_what_may_be_meant_for_all_or_is_guarded_is_not_named(site, monkeypatch):
    import tests.sample

    guarded = site("tests.sample")
    for name in ("sample", "sample_inside", "sample_outside"):
        guarded.before_request_funcs[name] = [lambda: None]
    assert ("guards", "warn") not in deployment(guarded)
    monkeypatch.setattr(tests.sample, "PUBLIC", True, raising=False)
    assert ("guards", "warn") not in deployment(site("tests.sample"))


def test_a_guard_may_decorate_a_view_a_resource_or_a_method(site):
    def guard(view):
        @wraps(view)
        def guarded(*args, **values):
            return view(*args, **values)

        return guarded

    class Open(Resource):
        def post(self):
            pass

    class Single(View):
        def dispatch_request(self):
            pass

    class Whole(Open):
        decorators = (guard,)

    class Method(Open):
        post = guard(Open.post)

    count = limiter.limit("9/minute")

    class Counted(Open):
        decorators = (count,)

    def names(view):
        application = site("tests.sample")
        application.view_functions.clear()
        rules = [*application.url_map.iter_rules()]
        application.view_functions.update({rule.endpoint: view for rule in rules})
        return ("guards", "warn") in deployment(application)

    assert names(lambda: None)
    assert names(Open.as_view("open"))
    assert names(Single.as_view("single"))
    # A limit asks nobody who he is.
    assert names(count(lambda: None))
    assert names(Counted.as_view("counted"))
    assert not names(count(guard(lambda: None)))
    assert not names(guard(lambda: None))
    assert not names(cache(lambda: None))
    assert not names(Whole.as_view("whole"))
    assert not names(Method.as_view("method"))


@pytest.mark.parametrize(
    ("module", "changes"),
    [("tests.limited", {}), ("tests.sample", {"RATE_LIMIT": "9/minute"})],
    ids=["of-a-route", "of-the-configuration"],
)
def test_limits_that_each_process_counts_are_named(site, monkeypatch, module, changes):
    monkeypatch.setenv("WEB_CONCURRENCY", "1")
    alone = deployment(site(module, **changes))
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    several = deployment(site(module, **changes))
    without = deployment(site("tests.sample"))

    assert several["limits", "warn"] == (
        "4 processes count each for itself: all allow more",
        "set REDIS_URL, so that all processes count together",
    )
    assert ("limits", "warn") not in alone
    assert ("limits", "warn") not in without


@pytest.mark.postgresql
def test_more_connections_than_the_server_allows_fail(site, postgresql_url, monkeypatch):
    url = {"DATABASE_URL": postgresql_url}
    monkeypatch.setenv("WEB_CONCURRENCY", "4")

    few = deployment(site(**url, DB_POOL_SIZE="1", DB_MAX_OVERFLOW="1"))
    many = deployment(site(**url, DB_POOL_SIZE="900", DB_MAX_OVERFLOW="100"))

    assert few["connections", "ok"][0].startswith("4 processes open up to 8 of the ")
    assert many["connections", "fail"] == (
        few["connections", "ok"][0].replace("up to 8", "up to 4000"),
        "lower DB_POOL_SIZE, DB_MAX_OVERFLOW or WEB_CONCURRENCY; each replica counts",
    )


@pytest.mark.postgresql
def test_the_limit_of_a_role_counts(site, postgresql_url):
    role = f"narrow_{os.getpid()}"
    with connected(postgresql_url) as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'x' CONNECTION LIMIT 7")
    try:
        url = config.parse_url("DATABASE_URL", postgresql_url).set(username=role, password="x")

        found = deployment(site(DATABASE_URL=url))
    finally:
        with connected(postgresql_url) as connection:
            connection.exec_driver_sql(f"DROP ROLE {role}")

    assert "of the 7 that the server allows" in found["connections", "fail"][0]


@pytest.mark.mariadb
@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_the_limit_of_a_user_of_mariadb_counts(site, database_url):
    user = f"'narrow_{os.getpid()}'@'%%'"
    with connected(database_url) as connection:
        connection.exec_driver_sql(f"CREATE USER {user} WITH MAX_USER_CONNECTIONS 7")
        connection.exec_driver_sql(f"GRANT ALL ON *.* TO {user}")
    try:
        name = f"narrow_{os.getpid()}"
        url = config.parse_url("DATABASE_URL", database_url).set(username=name, password="")

        found = deployment(site(DATABASE_URL=url))
    finally:
        with connected(database_url) as connection:
            connection.exec_driver_sql(f"DROP USER {user}")

    assert "of the 7 that the server allows" in found["connections", "fail"][0]


@pytest.fixture
def two_roles(scaffold, tmp_path):
    """A clone as the owner of its database has it, and as the role of docs/migrations.md."""
    document = (Path(__file__).resolve().parent.parent / "docs/migrations.md").read_text()
    owner, role = (f"{name}_{os.getpid()}" for name in ("owner", "role"))
    statements = re.findall(r"ALTER DEFAULT PRIVILEGES.*?;", document)
    scaffold.add_module("shop", MODELS)
    with empty_database("postgresql", tmp_path, "roles") as made:
        url = config.parse_url("DATABASE_URL", made)
        with connected(made) as connection:
            for name in (owner, role):
                connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
            connection.exec_driver_sql(f"ALTER DATABASE {url.database} OWNER TO {owner}")
            for one in statements:
                text = re.sub(r"\bshop\b", role, one.replace("shop_owner", owner))
                connection.exec_driver_sql(text)
        urls = (url.set(username=name, password="x") for name in (owner, role))
        yield made, *(scaffold.on(one.render_as_string(hide_password=False)) for one in urls)
        with connected(made) as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {url.database} OWNER TO CURRENT_USER")
            for name in (owner, role):
                connection.exec_driver_sql(f"DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.mark.postgresql
def test_a_role_that_changes_rows_alone_is_enough_for_the_site(two_roles):
    made, owner, site = two_roles

    refused = site.alembic_fails("upgrade", "head")
    refused += site.run("flask", "setup").stderr
    owner.alembic_each("revision --autogenerate -m made", "upgrade head")
    sound = doctor(site)
    with connected(made) as connection:
        role = site.variables["DATABASE_URL"].partition("//")[2].partition(":")[0]
        connection.exec_driver_sql(f"REVOKE SELECT, DELETE ON shop_item FROM {role}")
    lacking = doctor(site)
    with connected(made) as connection:
        connection.exec_driver_sql(f"REVOKE ALL ON alembic_version FROM {role}")
    away = doctor(site)

    assert "Traceback" not in refused
    assert refused.count("permission denied for schema public: let the user of DATABASE") == 2
    assert "rights" not in {name for name, _ in sound.findings}
    assert failures(sound) == set()
    assert lacking.findings["rights", "fail"][0] == "the role may not SELECT shop_item"
    assert lacking.findings["rights", "warn"][0] == "the role may not DELETE shop_item"
    assert away.findings["rights", "fail"][0] == "permission denied for table alembic_version"
    assert "database" not in failures(away)


def test_behind_pgbouncer_connections_are_its_own(site, postgresql_server_that_is_away):
    app = site(DATABASE_URL=postgresql_server_that_is_away, DB_PGBOUNCER="true")

    found = deployment(app)

    assert found["connections", "ok"] == ("PgBouncer holds them", "")


@pytest.fixture
def postgresql_server_that_is_away():
    return "postgresql://shop@127.0.0.1:1/shop"


def test_the_demo_of_this_clone_is_refused(project):
    """What the scaffold ships as its demo says so; a product without one has nothing to refuse."""
    names = subprocess.run(
        ["grep", "-lr", "^DEMO = True", "app"], cwd=project.root, capture_output=True, text=True
    ).stdout.splitlines()

    result = doctor(project.having(**PRODUCTION, DATABASE_URL="sqlite:///own.db"), "--deploy")

    assert ("demo", "fail" if names else "ok") in result.findings


@pytest.mark.parametrize("document", ["docs/operations.md", "docs/operacion.es.md"])
def test_the_document_explains_every_finding(document):
    root = Path(__file__).resolve().parent.parent
    code = "".join(path.read_text() for path in (root / "core/doctor").glob("*.py"))
    named = re.findall(r"^\| `([a-z-]+)` \|", (root / document).read_text(), re.MULTILINE)

    assert sorted(named) == sorted(set(re.findall(r"(?:ok|warn|fail)\(\"([a-z-]+)\"", code)))


@pytest.mark.postgresql
def test_a_database_that_only_reads_is_said(make_app, postgresql_url):
    url = config.parse_url("DATABASE_URL", postgresql_url)
    only = url.update_query_dict({"options": "-cdefault_transaction_read_only=on"})

    result = examine(make_app(DATABASE_URL=only))

    assert result.findings["rights", "fail"][0] == "the database only reads"


def test_a_redis_that_takes_no_session_fails(make_app):
    pytest.importorskip("redis")
    from tests.redis_server import Server

    server = Server()
    try:
        app = make_app(REDIS_URL=server.url, SESSION_REDIS="true")
        well = examine(app)
        server.client.config_set("maxmemory", 1)
        full = examine(app)
    finally:
        server.stop()

    assert ("redis", "ok") in well.findings
    assert full.findings["redis", "fail"][0] == "takes no session (OutOfMemoryError)"
