"""DB_PGBOUNCER=true behind a real PgBouncer in transaction mode, where connections are shared."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from config import parse_url
from core.database import remedy
from core.factory import create_app
from core.modules import installed_metadata
from core.testing import free_port, scratch_database
from services import db
from tests.load import Load
from tests.sample.models import Box
from tests.serving import THING, live_site, program, serving, wait_for_port

pytestmark = pytest.mark.postgresql
POOL = 3
SETTINGS = """
[databases]
* = host={host} port={port} {login}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool}
"""


@contextmanager
def pgbouncer(server, folder):
    """Start PgBouncer before a database; yield the database's URL through it."""
    command, port = program("pgbouncer"), free_port()
    login = f"user={server.username}" + (f" password={server.password}" if server.password else "")
    settings = folder / "pgbouncer.ini"
    values = {"host": server.host, "port": server.port or 5432, "login": login}
    settings.write_text(SETTINGS.format(listen=port, pool=POOL, **values))
    # It refuses to run as root.
    user = "nobody" if os.getuid() == 0 else None
    if user:
        shutil.chown(folder, user)
        for parent in [folder, *folder.parents[:-2]]:
            parent.chmod(parent.stat().st_mode | 0o011)
    with (
        (folder / "output").open("wb") as output,
        subprocess.Popen([command, str(settings)], user=user, stdout=output, stderr=output) as it,
    ):
        try:
            wait_for_port(port, folder / "output")
            yield server.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        finally:
            it.terminate()


@pytest.fixture
def bounced_url(postgresql_url, tmp_path):
    folder = tmp_path / "pgbouncer"
    folder.mkdir()
    with scratch_database(tmp_path, "bounced", postgresql_url) as url:
        # A server whose zone is not ours: what is stored in UTC must be read in UTC.
        _execute(url, f"ALTER DATABASE {make_url(url).database} SET timezone = 'Asia/Tokyo'")
        with pgbouncer(make_url(url), folder) as bounced:
            yield bounced


def _execute(url, statement):
    """Return the first value of what a statement returns, outside of any transaction."""
    engine = create_engine(parse_url("DATABASE_URL", url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        result = connection.execute(text(statement))
        value = result.scalar() if result.returns_rows else None
    engine.dispose()
    return value


@pytest.fixture
def site(make_app, bounced_url):
    application = make_app(
        ["tests.sample"],
        DATABASE_URL=bounced_url,
        DB_PGBOUNCER="true",
        DB_STATEMENT_TIMEOUT_MS="1000",
    )
    # By an engine without that limit: on a busy machine a CREATE TABLE takes longer.
    engine = create_engine(parse_url("DATABASE_URL", bounced_url))
    with application.app_context():
        for metadata in installed_metadata():
            metadata.create_all(engine)
        engine.dispose()
        db.session.add(Box(name="Bounced"))
        db.session.commit()
    return application


def test_without_the_variable_pgbouncer_refuses_the_connection(bounced_url):
    application = create_app({"APP_ENV": "testing", "DATABASE_URL": bounced_url}, [])

    with (
        application.app_context(),
        pytest.raises(OperationalError, match="unsupported startup parameter") as caught,
    ):
        db.engine.connect()

    with application.app_context():
        assert remedy(caught.value) == "set DB_PGBOUNCER=true"


def test_records_are_written_and_read(site):
    created = site.test_client().post("/outside/things", json={**THING, "code": "N-1"})

    shown = site.test_client().get(created.location)

    assert created.status_code == 201
    assert shown.json == created.json
    written = datetime.fromisoformat(shown.json["data"]["created_at"])
    assert abs(datetime.now(UTC) - written) < timedelta(minutes=1)
    assert shown.json["data"]["created_at"].endswith(("Z", "+00:00"))


def test_a_statement_over_its_time_is_ended(site):
    with site.app_context(), pytest.raises(OperationalError, match="statement timeout"):
        db.session.execute(text("SELECT pg_sleep(5)"))


def test_a_lock_is_not_waited_for_beyond_the_time(site):
    with site.app_context(), db.engine.connect() as holder:
        holder.execute(text("LOCK TABLE sample_box"))
        with pytest.raises(OperationalError, match="timeout"):
            db.session.execute(text("UPDATE sample_box SET name = name"))


def test_the_limits_stay_in_their_transaction(site, bounced_url):
    with site.app_context():
        db.session.execute(text("SELECT 1"))
        db.session.rollback()
    # Another program gets the same connection of PgBouncer's.
    limit = _execute(bounced_url, "SHOW statement_timeout")
    zone = _execute(bounced_url, "SHOW timezone")

    assert (limit, zone) == ("0", "Asia/Tokyo")


@pytest.mark.structure
def test_more_threads_than_connections_are_served(scaffold, bounced_url):
    site = live_site(scaffold.having(DB_PGBOUNCER="true"), bounced_url)

    with serving(site) as server, Load(server.address, "/outside/things", THING) as load:
        load.wait_for(300)

    assert (load.lost, load.refused, set(load.answers)) == ([], 0, {201})
