"""Holds docs/migrations.md to its word: its revisions go up and down."""

import pytest

from tests.documents import INSERT_NOTE, add_module, block_with, blocks, follow, revise
from tests.project import connected, mostly_on


@pytest.mark.structure
@mostly_on("postgresql")
def test_the_migrations_of_the_document_go_up_and_down(scaffold, database_url):
    document = "docs/migrations.md"
    project = scaffold.on(database_url)
    add_module(project, "app/notes/")
    project.python("-c", INSERT_NOTE)

    codes = blocks(document, "python")
    for code in codes:
        command = blocks(document)[blocks(document).index(code) - 1]
        revise(project, command, code)
    for step in ("upgrade head", f"downgrade -{len(codes)}", "upgrade head"):
        project.alembic(*step.split())

    with connected(database_url) as connection:
        note = connection.exec_driver_sql(
            "SELECT title, slug, views, status, body FROM memos_note"
            " JOIN notes_address ON note_id = memos_note.id"
        )
        assert tuple(note.one()) == ("Milk", "milk", 0, 2, "fresh")


COUNTED = """
from sqlalchemy import Identity
from sqlalchemy.orm import Mapped, mapped_column
from core.models import Base

class Note(Base):
    __tablename__ = "notes_note"
    id: Mapped[int] = mapped_column(primary_key=True)
"""


@pytest.mark.structure
@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_statements_of_the_document_make_a_key_an_identity(scaffold, database_url):
    statements = block_with("docs/migrations.md", "sql", "AS IDENTITY").text.splitlines()
    # Alembic writes autoincrement=... for MariaDB, and PostgreSQL warns that it knows none.
    project = scaffold.on(database_url).having(PYTHONWARNINGS="")
    project.add_module("notes", COUNTED)
    project.alembic_each("revision --autogenerate -m made", "upgrade head")
    with connected(database_url) as connection:
        connection.exec_driver_sql("INSERT INTO notes_note (id) VALUES (1)")
    project.replace("app/notes/models.py", "(primary_key", "(Identity(), primary_key")

    path = project.revision()
    written = path.read_text(encoding="utf-8")
    code = "\n".join(f"    op.execute({statement!r})" for statement in statements)
    path.write_text(written.partition("def upgrade")[0] + f"def upgrade():\n{code}\n")

    assert "WARNING: Column notes_note.id gets, changes or loses an Identity()" in written
    assert "No new upgrade operations" in project.alembic_each("upgrade head", "check")
    with connected(database_url) as connection:
        made = connection.exec_driver_sql("INSERT INTO notes_note DEFAULT VALUES RETURNING id")
        assert made.scalar_one() == 2


@pytest.mark.structure
@pytest.mark.slow
def test_the_other_commands_of_the_document_work(scaffold, sqlite_url):
    document = "docs/migrations.md"
    project = scaffold.on(sqlite_url)
    add_module(project, "app/notes/")
    (base,) = [path.name.split("_")[3] for path in project.revisions]

    follow(project, block_with(document, "sh", "--sql"))
    follow(project, block_with(document, "sh", "stamp"))
    follow(project, block_with(document, "sh", "downgrade"))
    for message in ("mine", "theirs"):
        project.alembic("revision", "--splice", "--head", base, "-m", message)
    assert "multiple head" in project.alembic_fails("upgrade", "head").lower()
    follow(project, block_with(document, "sh", "merge"))
    follow(project, block_with(document, "sh", '"what changed"'))

    project.install()
    follow(project, block_with(document, "sh", "ALEMBIC_ALLOW_DROP"))
    assert "notes_note" not in project.alembic("check")
