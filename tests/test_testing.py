"""The fixtures of core/testing.py: nothing of the product is touched, nothing of a test is left."""

from io import BytesIO
from pathlib import Path

import sqlalchemy as sa

import config
from core import testing
from services import db
from tests.sample.models import Box


def test_what_a_test_uploads_is_not_among_the_products_files(app):
    assert Path(app.instance_path).is_dir()
    assert config.INSTANCE_DIR not in (Path(app.instance_path), *Path(app.instance_path).parents)


def test_a_large_upload_leaves_no_file_open(client):
    sent = {"file": (BytesIO(b"x" * 800_000), "photo.jpg")}

    answer = client.post("/no-such-page", data=sent)

    assert answer.request.environ["wsgi.input"].closed


def test_tables_of_a_module_that_is_gone_leave_the_test_database(tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_DATABASE_URL", f"sqlite:///{tmp_path}/left_test.db")
    monkeypatch.setattr(testing, "WORKER", "")
    with testing.app_on_test_database(tmp_path, ["tests.sample"]) as app, app.app_context():
        db.session.add(Box(name="Left"))
        db.session.commit()
        db.session.execute(sa.text("CREATE TABLE gone (box INTEGER REFERENCES sample_box (id))"))
        db.session.execute(sa.text("INSERT INTO gone SELECT id FROM sample_box"))
        db.session.commit()

    with testing.app_on_test_database(tmp_path, ["tests.sample"]) as app, app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Box)) == 0
        assert not sa.inspect(db.session.connection()).has_table("gone")
