"""Holds docs/recipes.md to its word, all but its logins: each recipe is followed and used."""

import re
from io import BytesIO

import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from tests.documents import (
    BILLING,
    ROOT,
    Block,
    block_with,
    blocks,
    follow,
    install_billing,
    invoice_resources,
    read,
    revise,
    write_documented,
    write_files,
)
from tests.project import mostly_on


@pytest.mark.parametrize("language", ["python", "jinja"])
def test_the_recipes_speak_spanish(language):
    """Who copies one has its texts from core's catalogue."""
    with (ROOT / "core/translations/es/LC_MESSAGES/messages.po").open("rb") as file:
        translated = {one.id for one in read_po(file) if one.string}
    words = {"_": None, "_l": None, "ngettext": (1, 2)}
    method = {"jinja": "jinja2"}.get(language, language)

    sources = [BytesIO(one.text.encode()) for one in blocks("docs/recipes.md", language)]
    texts = {text for one in sources for _, text, *_ in extract(method, one, words)}

    assert len(texts) > 4
    assert texts - translated == set()


TREE = """
import re
from threading import Barrier, Thread
from run import app
from services import db
from app.folders.models import Folder

client, items = app.test_client(), "/api/v1/folders"

def make(name, parent=None):
    made = client.post(items, json={"name": name, "parent_id": parent})
    assert made.status_code == 201, made.text
    return made.json["data"]["id"]

def move(id, parent):
    return app.test_client().patch(f"{items}/{id}", json={"parent_id": parent})

top = make("Top")
middle = make("Middle", top)
low, alone = make("Low", middle), make("Alone")
for parent in (top, middle, low):
    refused = move(top, parent)
    assert refused.status_code == 422, refused.text
    assert refused.json["errors"] == {"parent_id": ["A folder cannot be in itself."]}
assert move(low, alone).status_code == move(low, middle).status_code == 200
assert move(alone, 999).status_code == 409
edit = client.get(f"/folders/{top}/edit").text
hidden = dict(re.findall(r'name="(csrf_token|version)"[^>]*value="([^"]*)"', edit))
page = client.post(f"/folders/{top}", data={"name": "Top", "parent": low, **hidden})
assert page.status_code == 422 and "A folder cannot be in itself." in page.text, page.text
with app.app_context():
    below = db.session.scalars(db.session.get(Folder, top).below()).all()
    assert sorted(folder.name for folder in below) == ["Low", "Middle"]
assert client.delete(f"{items}/{middle}").status_code == 409
tree = client.get("/folders/tree").text
assert re.findall("Top|Middle|Low|Alone|</ul>", tree.partition("<main")[2])[:4] == [
    "Alone", "Top", "Middle", "Low"
]
with app.app_context():
    first, second = (db.session.get(Folder, make(name)) for name in ("One", "Two"))
    first.parent_id = second.id
    try:
        second.parent_id = first.id
    except ValueError as error:
        assert str(error) == "A folder cannot be in itself."
    else:
        raise AssertionError("a circle within one transaction")
    db.session.rollback()
    deep = None
    for number in range(200):
        deep = Folder(name=f"Deep {number:03}", parent=deep)
        db.session.add(deep)
    db.session.commit()
tree = client.get("/folders/tree")
assert tree.status_code == 200 and "Deep 049" in tree.text and "Deep 050" not in tree.text
for number in range(5):
    pair = make(f"A{number}"), make(f"B{number}")
    gate, statuses = Barrier(2), []
    def both(id, parent):
        gate.wait()
        statuses.append(move(id, parent).status_code)
    threads = [Thread(target=both, args=args) for args in (pair, pair[::-1])]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(statuses) == [200, 422], statuses
print("done")
"""


@pytest.mark.structure
@mostly_on("postgresql")
def test_the_tree_of_the_document_has_no_circle(scaffold, database_url):
    project = scaffold.on(database_url)
    document = "docs/recipes.md"
    generate = re.search("`(flask generate folders .*?)`", read(document))[1]
    follow(project, Block("sh", generate))
    write_documented(project, document, "app/folders/")
    project.replace("app/folders/forms.py", '("name",)', '("name", "parent")')
    project.replace("app/folders/schemas.py", '"name",', '"name", "parent_id",')
    project.replace("app/folders/schemas.py", "model = Folder", "model = Folder; include_fk = True")
    project.replace("app/folders/__init__.py", "resources, routes", "resources, routes, tree")
    project.install("app.folders")
    project.alembic_each("revision --autogenerate -m made", "upgrade head")

    assert project.python("-c", TREE).startswith("done")
    assert " passed" in project.python("-m", "pytest", "-q", "app/folders")


SENDING = """
from core.factory import create_app
from services import db
from app.billing.models import Line, Tag

application = create_app()
with application.app_context():
    db.create_all()
    db.session.add_all([Tag(id=1, name="new"), Tag(id=2, name="paid")])
    db.session.commit()
client, url = application.test_client(), "/api/v1/invoices"
sent = {"number": "A1", "lines": [{"text": "Tea", "price": "2.50"}], "tag_ids": [1, 2]}
made = client.post(url, json=sent)
assert made.status_code == 201, made.text
assert [tag["name"] for tag in made.json["data"]["tags"]] == ["new", "paid"]
assert made.json["data"]["lines"] == [{"id": 1, "text": "Tea", "price": "2.50"}]
two = [{"text": "Cup", "price": "1"}, {"text": "Pot", "price": "9"}]
put = client.put(f"{url}/1", json={"number": "A1", "lines": two})
assert put.status_code == 200, put.text
assert [line["text"] for line in put.json["data"]["lines"]] == ["Cup", "Pot"]
assert put.json["data"]["tags"] == []
patched = client.patch(f"{url}/1", json={"tag_ids": [2]})
assert len(patched.json["data"]["lines"]) == 2
assert [tag["id"] for tag in patched.json["data"]["tags"]] == [2]
wrong = client.patch(f"{url}/1", json={"tag_ids": [2, 3]})
assert (wrong.status_code, wrong.json["errors"]) == (422, {"tag_ids": ["There is no such tag."]})
wrong = client.post(url, json={"number": "A2", "lines": [{"text": "Tea"}]})
assert wrong.status_code == 422, wrong.text
wrong = client.patch(f"{url}/1", json={"lines": [{"text": "Tea?", "price": "1"}]})
assert wrong.json["errors"] == {"lines": {"text": ["Which?"]}}, wrong.text
assert client.get("/api/v1/openapi.json").status_code == 200
with application.app_context():
    assert db.session.query(Line).count() == 2
print("done")
"""
PAGES = """
bp = Blueprint('invoices', __name__, url_prefix='/invoices', template_folder='templates')
from . import routes
from ."""
EDITING = """
from flask import redirect, render_template, url_for
from core.pages import database_rules
from services import db
from . import bp
from .forms import InvoiceForm
from .models import Invoice

@bp.get("/<int:id>")
def invoice_edit(id):
    invoice = db.get_or_404(Invoice, id)
    form = InvoiceForm(obj=invoice)
    return render_template("billing/invoice_edit.html", form=form, invoice=invoice)

"""
EDIT = """
{% extends "base.html" %}
{% from "macros/form.html" import render_form %}
{% block title %}{{ invoice.number }}{% endblock %}
{% block content %}
{{ render_form(form, url_for(".invoice_update", id=invoice.id), "") }}
{% endblock %}
"""
TYPING = """
import re
from core.factory import create_app
from services import db
from app.billing.models import Invoice, Line

application = create_app({"WTF_CSRF_ENABLED": False})
with application.app_context():
    db.session.add(Invoice(id=9, number="A9", lines=[Line(text="Tea", price=2)]))
    db.session.commit()
client, url = application.test_client(), "/invoices/9"
shown = client.get(url).text
assert "Line 1" in shown and "Line 2" not in shown and "Add a line" in shown
sent = {"number": "A9", "lines-0-text": "Tea", "lines-0-price": "2"}
more = client.post(url, data=sent | {"add": "Add a line"})
assert more.status_code == 200 and "lines-1-price" in more.text
assert re.search('autofocus[^>]*id="lines-1-text"', more.text)
two = sent | {"lines-1-text": "Cup", "lines-1-price": "x"}
wrong = client.post(url, data=two)
assert wrong.status_code == 422 and 'id="lines-1-price-errors"' in wrong.text
blank = {"lines-2-text": "", "lines-2-price": "", "lines-2-_key": ""}
assert client.post(url, data=two | {"lines-1-price": "3"} | blank).status_code == 302
assert client.post(url, data=two | {"lines-1-price": "3", "lines-0-remove": "y"}).status_code == 302
many = {f"lines-{n}-{name}": value for n in range(150) for name, value in
        (("text", "Tea"), ("price", "2"))}
for sent in (many, many | {"add": "Add a line"}):
    wrong = client.post(url, data={"number": "A9"} | sent)
    assert wrong.status_code == 422 and "At most 99 lines." in wrong.text, wrong.text
with application.app_context():
    assert [line.text for line in db.session.get(Invoice, 9).lines] == ["Cup"]
print("done")
"""


def test_the_records_within_others_of_the_documents_are_written(scaffold, sqlite_url):
    document = "docs/recipes.md"
    project = scaffold.on(sqlite_url)
    resources = invoice_resources()
    patch, end = re.search(r"    def patch.*?(?=    def delete)", resources, re.DOTALL).span()
    put = resources[patch:end].replace("def patch", "def put").replace(", partial=True", "")
    resources = resources[:patch] + put + resources[patch:]
    install_billing(project, BILLING, resources)

    assert project.python("-c", SENDING).strip() == "done"

    pages = project.root / "app/billing/__init__.py"
    pages.write_text(pages.read_text().replace("\nfrom .", PAGES))
    project.write("app/billing/forms.py", block_with(document, "python", "LinesField").text)
    update = block_with(document, "python", "def invoice_update").text
    project.write("app/billing/routes.py", EDITING + update)
    project.write("app/billing/templates/billing/invoice_edit.html", EDIT)

    assert project.python("-c", TYPING).strip() == "done"


AUDITED = """
from app.audit.models import Change
from app.notes.models import Note
from core.factory import create_app
from flask import session
from services import db

application = create_app()
with application.test_request_context():
    session["_user_id"] = "7.abc"
    note = Note(title="Milk")
    db.session.add(note)
    db.session.commit()
    note.text = "Two litres"
    db.session.commit()
    note.title = "Lost"
    db.session.flush()
    db.session.rollback()
    note.text = str(note.text)
    db.session.commit()
with application.app_context():
    db.session.delete(db.session.get(Note, 1))
    db.session.commit()
    for one in db.session.query(Change).order_by(Change.id):
        print(one.table, one.record, one.action, one.user, one.values)
"""


@pytest.mark.structure
@mostly_on("postgresql")
def test_who_changed_what_is_kept_as_documented(scaffold, database_url):
    document = "docs/recipes.md"
    project = scaffold.on(database_url)
    write_files(project, "app/notes/")
    write_documented(project, document, "app/audit/")
    audited = block_with(document, "text", "audited =").text
    project.replace("app/notes/models.py", "    labels = {", f"    {audited}    labels = {{")
    project.install("app.audit", "app.notes")
    project.alembic_each("revision --autogenerate -m made", "upgrade head")

    assert project.python("-c", AUDITED).splitlines() == [
        "notes_note 1 made 7 {'title': [None, 'Milk']}",
        "notes_note 1 changed 7 {'text': [None, 'Two litres']}",
        "notes_note 1 deleted None {}",
    ]


SALES = """
from flask import Blueprint, flash, redirect, render_template_string, url_for
from flask_babel import gettext as _

from core.pages import database_rules, expect_shown_version
from services import db

from .models import Invoice, Status

bp = Blueprint("sales", __name__, url_prefix="/sales")
PAGE = '''{% extends "base.html" %}{% from "macros/form.html" import post_button %}
{% block title %}{{ invoice }}{% endblock %}{% block content %}BUTTONS{% endblock %}'''


@bp.get("/<int:id>")
def invoice_show(id):
    return render_template_string(PAGE, invoice=db.get_or_404(Invoice, id))


"""
ISSUING = """
import re
from concurrent.futures import ThreadPoolExecutor
from core.factory import create_app
from services import db
from app.sales.models import Invoice, Series, Status

app = create_app({"WTF_CSRF_ENABLED": False})
with app.app_context():
    db.create_all()
    db.session.add_all(Invoice(customer=f"C{n}", total=1) for n in range(9))
    db.session.commit()

def step(id, name, **data):
    return app.test_client().post(f"/sales/{id}/{name}", data=data).status_code

def issue(id):
    if id % 3:
        return step(id, "issued")
    with app.app_context():
        db.session.get(Invoice, id).become(Status.ISSUED)
        db.session.rollback()

assert step(1, "paid") == 409
page = app.test_client().get("/sales/1").text
assert re.findall('action="([^"]*)"', page.partition("<main")[2]) == ["/sales/1/issued"], page
assert step(1, "issued") == 302
with ThreadPoolExecutor(4) as pool:
    list(pool.map(issue, range(2, 10)))
with app.app_context():
    issued = [one.number for one in db.session.query(Invoice) if one.number]
    assert sorted(issued) == [1, 2, 3, 4, 5, 6], issued
    assert db.session.get(Series, "invoices").last == 6
assert [step(1, "voided", version=1), step(1, "voided"), step(1, "paid")] == [302, 302, 409]
with app.app_context():
    assert (db.session.get(Invoice, 1).status, db.session.get(Invoice, 1).number) == (
        Status.VOIDED, 1
    )
print("done")
"""


@pytest.mark.structure
@mostly_on("postgresql")
def test_the_numbers_of_the_document_have_no_gaps(scaffold, database_url):
    project = scaffold.on(database_url)
    project.write("app/sales/models.py", block_with("docs/recipes.md", "python", "NEXT").text)
    view = block_with("docs/recipes.md", "python", "invoice_step").text
    buttons = block_with("docs/recipes.md", "html", "invoice.following").text
    project.write("app/sales/__init__.py", SALES.replace("BUTTONS", buttons) + view)
    project.install("app.sales")

    assert project.python("-c", ISSUING).strip() == "done"


BOOK = """
from datetime import UTC, datetime
from app.rooms.models import Booking
from core.constraints import violation_of
from core.factory import create_app
from services import db

with create_app().app_context():
    begins, noon, ends = (datetime(2030, 1, 1, hour, tzinfo=UTC) for hour in (9, 12, 15))
    for room, begin, end in ((1, begins, ends), (2, noon, ends), (1, ends, ends.replace(hour=18))):
        db.session.add(Booking(room=room, begins_at=begin, ends_at=end))
        db.session.commit()
    db.session.add(Booking(room=1, begins_at=noon, ends_at=ends))
    try:
        db.session.commit()
    except Exception as error:
        print(error.orig.pgcode)
        db.session.rollback()
        print(violation_of(error))
"""


@pytest.mark.structure
@mostly_on("postgresql")
@pytest.mark.parametrize("made_by", ["revisions", "models"])
def test_no_two_bookings_of_the_document_overlap(scaffold, database_url, made_by):
    project = scaffold.on(database_url)
    project.add_module("rooms", block_with("docs/recipes.md", "python", "ExcludeConstraint").text)
    if made_by == "revisions":
        project.alembic_each("revision --autogenerate -m made", "upgrade head")
        (by_hand,) = [one for one in blocks("docs/recipes.md", "python") if "op.e" in one.text]
        revise(project, Block("sh", 'alembic revision -m "no overlap"'), by_hand)
        output = project.alembic_each("upgrade head", "check", "downgrade -1", "upgrade head")
        assert "No new upgrade operations" in output
    else:
        project.python(
            "-c",
            "from core.factory import create_app; from services import db\n"
            "with create_app().app_context(): db.create_all()",
        )

    said = project.python("-c", BOOK)

    if database_url.startswith("postgresql"):
        assert said.startswith("23P01\n")
        assert "columns=('room',), message='The room is taken at this time.'" in said
    else:
        assert said == ""


UPLOAD = """
import io, re
from run import app

client = app.test_client()

def send(title, name, size=9):
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/notes/new").text)[1]
    data = {"title": title, "csrf_token": token, "upload": (io.BytesIO(b"x" * size), name)}
    return client.post("/notes/", data=data)

assert 'type="file"' in client.get("/notes/new").text
assert send("None", "page.html").status_code == 422
assert send("Large", "a.pdf", 3 * 2**20).status_code == 413
assert send("Milk", "../../settings.PDF").status_code == 302
sent = client.get("/notes/1/attachment")
assert (sent.status_code, sent.data) == (200, b"x" * 9)
assert sent.headers["Content-Disposition"].startswith("attachment;"), sent.headers
assert send("Tea", "").status_code == 302
assert client.get("/notes/2/attachment").status_code == 404

from app.notes.forms import NoteForm
from app.notes.models import Note
from services import db

def edit(**data):
    # As the view that updates the first note does.
    with app.test_request_context(method="POST", data={"title": "Milk", **data}):
        note = db.session.get(Note, 1)
        form = NoteForm(obj=note, meta={"csrf": False})
        assert form.validate(), form.errors
        form.populate_obj(note)
        db.session.commit()
        return "remove" in form, note.attachment

_, kept = edit()
offered, replaced = edit(upload=(io.BytesIO(b"new"), "b.png"), remove="y")
assert offered and kept.endswith(".pdf") and replaced.endswith(".png")
assert client.get("/notes/1/attachment").data == b"new"
assert edit(remove="y") == (True, None)
assert edit() == (False, None)
print("done")
"""


@pytest.mark.structure
def test_the_uploads_of_the_document_are_kept_and_sent(scaffold, sqlite_url):
    document = "docs/recipes.md"
    project = scaffold.on(sqlite_url)
    write_files(project, "app/notes/")
    project.write("app/notes/forms.py", block_with(document, "python", "FileField").text)
    column = block_with(document, "text", "attachment: Mapped").text
    project.replace("app/notes/models.py", "    text: Mapped", f"    {column}    text: Mapped")
    routes = project.root / "app/notes/routes.py"
    routes.write_text(routes.read_text() + block_with(document, "python", "note_attachment").text)
    project.install("app.notes")
    project.revision()
    project.alembic("upgrade", "head")

    assert project.python("-c", UPLOAD).startswith("done")
    assert len(list((project.root / "instance/uploads").glob("*.p*"))) == 2
    for path in ("app/notes/large.py", "app/notes/tests/test_large.py"):
        write_documented(project, document, path)
    project.replace("app/notes/__init__.py", "from . import routes", "from . import large, routes")
    assert " passed" in project.python("-m", "pytest", "-q", "app/notes/tests/test_large.py")


@pytest.mark.structure
def test_the_webhooks_of_the_document_are_sent_and_signed(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url)
    write_documented(project, "docs/recipes.md", "app/outgoing/")
    project.install("app.outgoing")
    project.alembic_each("revision --autogenerate -m made", "upgrade head")

    add = ("flask", "outgoing", "add")
    added = [project.run(*add, f"{kind}://example.com") for kind in ("http", "https")]

    assert " passed" in project.python("-m", "pytest", "-q", "app/outgoing")
    assert [one.returncode for one in added] == [1, 0]


SELECTED = """
import re
from run import app
from app.notes.models import Note
from services import db

client = app.test_client()
with app.app_context():
    db.session.add_all([Note(title=f"Note {number}") for number in range(1, 4)])
    db.session.commit()

def delete(*notes):
    shown = client.get("/notes/?q=note").text
    assert shown.count('type="checkbox" form="selected"') == shown.count("<tr>") - 1
    form = re.search('<form method="post" action="([^"]*)"[^>]*id="selected">', shown)[1]
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', shown)[1]
    sent = client.post(form, data={"csrf_token": token, "note": list(notes)})
    assert (sent.status_code, sent.location) == (302, "/notes/?q=note")
    return client.get(sent.location).text

assert 'value="1-1"' in client.get("/notes/").text
old = delete("1-1", "3-2")
assert "Note 1" in old and "Note 3" in old and "deleted" not in old
shown = delete("1-1", "3-1", "1-1", "x", "9-1", f"{10**30}-1")
assert "2 notes were deleted." in shown and "Note 2" in shown and "Note 3" not in shown
print("done")
"""


@pytest.mark.structure
def test_several_records_are_selected_as_documented(scaffold, sqlite_url):
    document, index = "docs/recipes.md", "app/notes/templates/notes/note_index.html"
    project = scaffold.on(sqlite_url)
    write_files(project, "app/notes/")
    routes = project.root / "app/notes/routes.py"
    added = block_with(document, "python", "def note_delete_selected").text
    text = routes.read_text(encoding="utf-8").replace("import flash,", "import request, flash,")
    routes.write_text(text + added, encoding="utf-8")
    cell = block_with(document, "jinja", 'form="selected"').text
    button = block_with(document, "jinja", 'id="selected"').text
    project.replace(index, "columns = [", "columns = [('select', 'narrow'), ")
    project.replace(index, "<tr>\n", f"<tr>\n{cell}")
    project.replace(index, "{% endcall %}\n", f"{{% endcall %}}\n{button}")
    project.replace(index, "import list_controls,", "import tick_all, list_controls,")
    project.install("app.notes")
    project.revision()
    project.alembic("upgrade", "head")

    assert project.python("-c", SELECTED).startswith("done")


IMPORT = """
import io, re
from datetime import date
from run import app
from sqlalchemy import select
from wtforms import DateTimeLocalField, Form, SelectField
from app.notes.importing import typed
from core.form_fields import LocalDecimalField
from app.notes.models import Note
from services import db

class Three(Form):
    sold = SelectField(choices={"": "-", "true": "S\u00ed", "false": "No"})
    weight = LocalDecimalField(places=3)
    begins = DateTimeLocalField()

client = app.test_client()

def send(data, language="es"):
    shown = client.get("/notes/import", headers={"Accept-Language": language}).text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', shown)[1]
    sent = {"csrf_token": token, "file": (io.BytesIO(data), "notes.csv")}
    return client.post("/notes/import", data=sent, headers={"Accept-Language": language})

def notes():
    with app.app_context():
        found = db.session.scalars(select(Note))
        return {one.title: (one.text, one.due, one.pinned) for one in found}

head, long = b"Title;Text;Due;Pinned\\n", b"x" * 200
wrong = send(head + b"Tea;Green\\n;None\\n" + long + b";Long\\nTea;\\n", "en")
assert wrong.status_code == 422 and notes() == {}
assert "3: Title: This field is required." in wrong.text, wrong.text
assert "4: Title: Field cannot be longer than" in wrong.text
assert "5: Tea is there twice." in wrong.text
lacking = send(b"Title,Text,Pinned\\nTea,Green,no\\n", "en")
assert lacking.status_code == 422 and "The first line lacks: Due." in lacking.text
utf = (
    '\\ufeffTitle,Text,Other,Due,Pinned\\n A\u00f1il ,"a, b",,2026-12-31,True\\n'
    'Tea,Green,,,False\\n'
)
for _ in range(2):
    assert send(utf.encode()).status_code == 302
    first = ("a, b", date(2026, 12, 31), True)
    assert notes() == {"A\u00f1il": first, "Tea": ("Green", None, False)}
old = "Title;Text;Due;Pinned\\r\\nA\u00f1il;Azul;31/12/1990;No\\r\\nTea\\r\\n"
assert send(old.encode("cp1252")).status_code == 302
changed = ("Azul", date(1990, 12, 31), False)
assert notes() == {"A\u00f1il": changed, "Tea": (None, None, False)}
for text in (b"31/12/90", b"07/20/2026", b"20 jul 2026", b"2026"):
    assert send(b"Title,Text,Due,Pinned\\nTea,," + text + b",\\n").status_code == 422
lines = b'New,"two\\nlines",,\\n,,,\\n\\nSour,no milk,,,,more\\nTeapot,,,\\nLast,,,\\n'
refused = send(head.replace(b";", b",") + lines, "en").text
assert "6: Text: There is no milk." in refused, refused
assert "7: The database refuses this line." in refused, refused
assert len(re.findall(">[0-9]+: ", refused)) == 2, refused
with app.test_request_context():
    sold = Three().sold
    cells = [typed(sold, text) for text in ("No", "TRUE", "", "s\u00ed ", "x", "'=1", "'a")]
with app.test_request_context(headers={"Accept-Language": "es"}):
    # What core.export writes, and what people do.
    weights = [typed(Three().weight, text) for text in ("1.250", "-1234.500", "1.25", "1,250")]
    spoken = ("2026-07-20T19:30:00Z", "2026-07-20 14:30", "2026-07-20T09:30:15.5", "soon")
    moments = [typed(Three().begins, text) for text in spoken]
begin = "2026-07-20T"
read = [[begin + "14:30:00"], [begin + "14:30:00"], [begin + "09:30:15"], ["soon"]]
assert moments == read, moments
assert weights == [["1,250"], ["-1234,500"], ["1.25"], ["1,250"]], weights
assert cells == [["false"], ["true"], [""], ["true"], ["x"], ["=1"], ["'a"]], cells
for nothing in (b"", b"\\0" * 100, head):
    assert "There is no line below the first one." in send(nothing, "en").text
assert send(b"Title\\n" + b"x\\n" * 5001, "en").text.count("There are more than 5000 lines") == 1
assert "This is no CSV" in send(b"Title\\n" + b"x" * 140000, "en").text
assert len(notes()) == 2
from app.notes.importing import store
with app.app_context():
    assert store([(2, {"T\u00edtulo": "x"})])
    empty = {"Title": "By command", "Text": "", "Due": "", "Pinned": ""}
    assert store([(2, empty)]) == [], store([(2, empty)])
    db.session.commit()
    assert db.session.scalar(select(Note.id).where(Note.title == "By command"))
print("done")
"""
# A rule of the model at a field, and one of the database at a column that is none.
REFUSING = """
    short: Mapped[str] = mapped_column(String(3), unique=True)

    @validates("text")
    def refuse(self, name, text):
        if text == "no milk":
            raise ValueError("There is no milk.")
        return text

    @validates("title")
    def shorten(self, name, title):
        self.short = (title or "")[:3]
        return title
"""


@pytest.mark.structure
def test_a_spreadsheet_is_imported_as_documented(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url)
    write_files(project, "app/notes/")
    write_documented(project, "docs/recipes.md", "app/notes/importing.py")
    write_documented(project, "docs/recipes.md", "app/notes/templates/")
    more = "due: Mapped[date | None]\n    pinned: Mapped[bool] = mapped_column(default=False)"
    project.replace("app/notes/models.py", "    text: Mapped", f"    {more}\n    text: Mapped")
    head = "from datetime import date\nfrom sqlalchemy.orm import validates\nfrom flask"
    project.replace("app/notes/models.py", "from flask", head)
    with (project.root / "app/notes/models.py").open("a", encoding="utf-8") as models:
        models.write(REFUSING)
    project.replace("app/notes/forms.py", '"text")', '"text", "due", "pinned")')
    project.replace("app/notes/__init__.py", "import routes", "import importing, routes")
    with (project.root / "settings.py").open("a", encoding="utf-8") as settings:
        settings.write('\nTIMEZONE = "America/Bogota"\n')
    project.install("app.notes")
    project.revision()
    project.alembic("upgrade", "head")

    assert project.python("-c", IMPORT).startswith("done")


ONCE = """
import re
from run import app

client = app.test_client()

def send(form, title):
    fields = {one: re.search(f'name="{one}"[^>]*value="([^"]+)"', form)[1] for one in NAMES}
    return client.post("/notes/", data={"title": title, "text": "", **fields})

NAMES = ("csrf_token", "key")
form, other = (client.get("/notes/new").text for _ in range(2))
assert send(form, "").status_code == 422
assert send(form, "Milk").status_code == send(form, "Milk again").status_code == 302
assert "This was saved already." in client.get("/notes/").text
assert send(other, "Tea").status_code == 302
listed = client.get("/notes/").text
assert "Milk" in listed and "Tea" in listed and "again" not in listed

def ask(key, title="Rest"):
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/api/v1/tasks", json={"title": title}, headers=headers)

made, again = ask("A"), ask("A", "Other")
assert made.status_code == again.status_code == 201
assert (made.json, made.location) == (again.json, again.location)
codes = [ask(key, f"Rest {n}").status_code for n, key in enumerate(("B", "", "", "x" * 37))]
assert codes == [201, 201, 201, 400], codes
print("done")
"""


@pytest.mark.structure
def test_what_may_not_be_made_twice_is_made_once(scaffold, sqlite_url):
    document = "docs/recipes.md"
    project = scaffold.on(sqlite_url)
    rule, column = block_with(document, "text", 'UniqueConstraint("key"').text.splitlines()
    for module, imports in (("notes", ""), ("tasks", "from flask_babel import lazy_gettext as _l")):
        write_files(project, f"app/{module}/")
        models = f"app/{module}/models.py"
        project.replace(models, "from sqlalchemy import", f"{imports}\nfrom sqlalchemy import")
        project.replace(models, "import String", "import UniqueConstraint, String")
        project.replace(models, "    id: Mapped", f"    {rule}\n    {column}\n    id: Mapped")
    for path, start, words in (
        ("app/notes/forms.py", "class NoteForm", "key = HiddenField"),
        ("app/notes/routes.py", '@bp.post("/")\n', "Note.key =="),
        ("app/tasks/resources.py", "class TaskList", "Idempotency-Key"),
    ):
        text = (project.root / path).read_text(encoding="utf-8")
        before, _, after = text.partition(start)
        rest = re.search(r"\n\n\n(?:class|@bp)", after)
        block = block_with(document, "python", words).text
        project.write(path, f"{before}{block}{after[rest.start() :] if rest else ''}")
    project.replace("app/notes/routes.py", "from core", "from sqlalchemy import select\nfrom core")
    project.install("app.notes", "app.tasks")
    project.revision()
    project.alembic("upgrade", "head")

    assert project.python("-c", ONCE).startswith("done")
