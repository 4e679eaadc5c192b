"""Holds docs/search.md to its word: its searches, sums and lists are asked for."""

import pytest

from tests.documents import (
    BILLING,
    add_module,
    block_with,
    blocks,
    install_billing,
    invoice_resources,
    revise,
    write_files,
)
from tests.project import empty_database, mostly_on

SEARCH = """
from run import app
from core.pages import page_of
from app.notes.models import Note
from services import db

with app.test_request_context("/?q=NANDU"):
    db.session.add(Note(title="Ñandú"))
    db.session.flush()
    print([note.title == "Ñandú" for note in page_of(Note)])
"""


@pytest.mark.structure
@mostly_on("postgresql")
def test_the_index_of_the_document_serves_a_search_without_accents(
    scaffold, database_url, tmp_path
):
    document = "docs/search.md"
    project = scaffold.on(database_url)
    add_module(project, "app/notes/")
    index, accents, comparator, events, *_ = blocks(document, "python")

    for code in (index, accents):
        revise(project, blocks(document)[blocks(document).index(code) - 1], code)
    project.alembic_each("upgrade head", "check", "downgrade -2", "upgrade head")
    project.replace("app/notes/models.py", "from flask_babel", f"{comparator.text}from flask_babel")
    project.replace(
        "app/notes/models.py",
        "title: Mapped[str] = mapped_column(String(120), unique=True)\n",
        block_with(document, "text", "comparator_factory").text,
    )

    models = (project.root / "app/notes/models.py").read_text(encoding="utf-8")
    project.write("app/notes/models.py", f"{models}\n{events.text}")

    assert project.python("-c", SEARCH) == "[True]\n"
    assert "No new upgrade operations" in project.alembic("check")
    if database_url.startswith("postgresql"):
        with empty_database("postgresql", tmp_path, "plain_test") as url:
            tested = project.having(TEST_DATABASE_URL=url)
            assert " passed" in tested.python("-m", "pytest", "-q", "app/notes")


TOTALS = """
from app.billing.models import Invoice, Line
from core.factory import create_app
from services import db

application = create_app()
with application.app_context():
    db.create_all()
    for number, prices in enumerate((("2.10", "0.20"), (), ("9",), ("2.30",))):
        db.session.add(Invoice(number=str(number), lines=[
            Line(text="Tea", price=price) for price in prices]))
    db.session.commit()
client, url = application.test_client(), "/api/v1/invoices"

def found(query):
    data = client.get(f"{url}?{query}").json["data"]
    return [f"{one['number']}:{one['total']}" for one in data]

assert found("sort=-total,number") == ["2:9.00", "0:2.30", "3:2.30", "1:0.00"], found("sort=-total")
assert found("sort=number&filter[total]=2.30") == ["0:2.30", "3:2.30"]
assert found("filter[total][gte]=2.31") == ["2:9.00"]
seen, cursor = [], ""
while cursor is not None:
    page = client.get(f"{url}?sort=total,-number&per_page=1{cursor}").json
    seen += [one["number"] for one in page["data"]]
    after = page["meta"]["next_cursor"]
    cursor = after and f"&cursor={after}"
assert seen == ["1", "3", "0", "2"], seen
sent = client.post(url, json={"number": "9", "lines": [], "total": "5"})
assert (sent.status_code, list(sent.json["errors"])) == (422, ["total"]), sent.text
print("done")
"""


def test_a_list_is_sorted_and_filtered_by_the_total_of_the_document(scaffold, database_url):
    project = scaffold.on(database_url)
    listing = (
        'listing = Listing(filters=("total",), sort=("number", "total"), default="id")\n'
        '    __tablename__ = "billing_invoice"\n'
    )
    models = BILLING.replace('__tablename__ = "billing_invoice"\n', listing)
    total = block_with("docs/search.md", "python", "Invoice.total").text
    models = f"from core.listing import Listing\n{models}\n{total}"
    install_billing(project, models, invoice_resources())

    assert project.python("-c", TOTALS).strip() == "done"


RELATED = """
from app.notes.models import Folder, Note, Tag
from run import app
from services import db

with app.app_context():
    home, work = Folder(name="Home"), Folder(name="Work 100%")
    new, old = Tag(name="new"), Tag(name="old")
    db.session.add_all(
        Note(title=title, folder=folder, tags=tags)
        for title, folder, tags in (
            ("Milk", home, [new, old]), ("Tea", work, [new]), ("Rent", home, [old])
        )
    )
    db.session.commit()
client = app.test_client()

def shown(url):
    text = client.get(f"/notes/{url}").text
    return [title for title in ("Milk", "Tea", "Rent") if f"<td>{title}</td>" in text]

assert shown("in/om") == ["Milk", "Rent"]
assert shown("in/%25") == ["Tea"]
assert shown("in/om?q=milk") == ["Milk"]
assert shown("tagged/new") == ["Milk", "Tea"]
assert "/notes/in/om?sort=title" in client.get("/notes/in/om").text
print("done")
"""
FOLDERS = """
from sqlalchemy import Column, ForeignKey, Table

note_tag = Table(
    "notes_note_tag",
    Base.metadata,
    Column("note_id", ForeignKey("notes_note.id"), primary_key=True),
    Column("tag_id", ForeignKey("notes_tag.id"), primary_key=True),
)

class Folder(Base):
    __tablename__ = "notes_folder"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))

class Tag(Base):
    __tablename__ = "notes_tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))

class Note"""


@pytest.mark.structure
@mostly_on("postgresql")
def test_the_lists_of_the_document_go_by_what_is_related(scaffold, database_url):
    project = scaffold.on(database_url)
    write_files(project, "app/notes/")
    project.replace("app/notes/models.py", "import Mapped, ", "import Mapped, relationship, ")
    project.replace("app/notes/models.py", "\nclass Note", FOLDERS)
    related = (
        '    folder_id: Mapped[int] = mapped_column(ForeignKey("notes_folder.id"))\n'
        "    folder: Mapped[Folder] = relationship()\n"
        "    tags: Mapped[list[Tag]] = relationship(secondary=note_tag)\n"
    )
    project.replace("app/notes/models.py", "    text: Mapped", f"{related}    text: Mapped")
    project.replace("app/notes/routes.py", "import Note\n", "import Folder, Note, Tag\n")
    routes = project.root / "app/notes/routes.py"
    lists = block_with("docs/search.md", "python", "def note_in(").text
    routes.write_text(f"from sqlalchemy import select\n{routes.read_text()}\n\n{lists}")
    project.install("app.notes")
    project.revision()
    project.alembic("upgrade", "head")

    assert project.python("-c", RELATED).startswith("done")
