"""Holds docs/recipes.md to its word on logins: accounts, roles, companies, tokens."""

import re
import shlex
import shutil

import pytest

from tests.documents import (
    KEY,
    Block,
    block_with,
    follow,
    read,
    write_documented,
    write_files,
)
from tests.project import Project, mostly_on

ACCOUNT = """
import re
from run import app

def form(path, **fields):
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get(path).text)[1]
    return fields | {"csrf_token": token}

def sign_in(password, email="Me@example.com"):
    return client.post("/login", data=form("/login", email=email, password=password, stay="y"))

client = app.test_client()
refused = client.get("/api/v1/tasks")
assert (refused.status_code, refused.mimetype) == (401, "application/problem+json")
for path, status in (("openapi.json", 401), ("docs", 302)):
    assert client.get(f"/api/v1/{path}").status_code == status, path
assert client.get("/notes/?q=milk").location == "/login"
away = client.get(f"/notes/?q={''.join(map(str, range(2000)))}")
assert (away.location, "Set-Cookie" in away.headers) == ("/login", False), away.headers
assert "me@example.com" not in client.get("/").text
for wrong in (sign_in("wrong"), sign_in("secret", "you@example.com"), sign_in("secret", "me\\0@b")):
    assert wrong.status_code == 422, wrong.text
# A browser and a password manager know what to fill in (WCAG 1.3.5).
assert re.findall('autocomplete="(.*?)"', wrong.text) == ["username", "current-password"]
# A pattern that tries each @ anew would be busy for a minute, with all others waiting.
assert sign_in("secret", "@" * 400_000).status_code == 422
token = form("/login")["csrf_token"]
assert client.post("/login", json=[1], headers={"X-CSRFToken": token}).status_code == 422
home = sign_in("secret")
assert home.location.endswith("/notes/?q=milk"), home.location
assert "Expires" in home.headers["Set-Cookie"]
assert "me@example.com" in client.get("/").text
assert client.get("/api/v1/docs").status_code == 200
token = form("/notes/new")["csrf_token"]
posted = [
    client.post("/api/v1/tasks", json={"title": "Rest"}, headers=headers).status_code
    for headers in ({}, {"X-CSRFToken": token})
]
assert posted == [400, 201], posted
for path in ("/notes/", "/notes/1/delete"):
    # The session is gone, as after a new key, and with it what a token is compared with.
    other = app.test_client()
    gone = other.post(path, data={"title": "Milk", "csrf_token": token})
    assert gone.location == "/login", gone.text
    assert "You were signed out, so nothing was saved" in other.get("/login").text
    with other.session_transaction() as stored:
        assert "next" not in stored
client.post("/logout", data=form("/notes/new"))
assert client.get("/notes/").status_code == 302
assert sign_in("wrong").status_code == 422
assert [sign_in("wrong").status_code for _ in range(10)][-1] == 429
print("done")
"""
# With a database that refuses every connection.
AWAY = """
from run import app

client = app.test_client()
with client.session_transaction() as session:
    session["_user_id"] = "1"
assert client.get("/").status_code == 200
for path, mimetype in (("notes/", "text/html"), ("api/v1/tasks", "application/problem+json")):
    away = client.get(f"/{path}")
    assert (away.status_code, away.mimetype) == (503, mimetype), away.text
assert "Back in a moment" in client.get("/notes/", headers={"Accept-Language": "en"}).text
print("done")
"""
SESSION = """
import pytest
from werkzeug.security import generate_password_hash
from app.accounts.models import User
from core.openapi import api_document

PLACE = "/api/v1/session"
RIGHT = {"email": "me@example.com", "password": "secret"}

def test_session(app, save, monkeypatch):
    save(User(email=RIGHT["email"], password=generate_password_hash("secret")))
    client = app.test_client()
    assert client.post(PLACE, json=RIGHT).status_code == 400
    nobody = client.get(PLACE).json["data"]
    assert nobody["email"] is None
    head = {"X-CSRFToken": nobody["csrf_token"]}
    assert client.get("/api/v1/tasks").status_code == 401
    wrong = client.post(PLACE, json=RIGHT | {"password": "x"}, headers=head)
    assert wrong.status_code == 422
    assert wrong.json["errors"] == {
        "password": ["This e-mail and this password do not belong together."]
    }
    for sent in ([], RIGHT | {"password": "\\ud800"}):
        assert client.post(PLACE, json=sent, headers=head).status_code == 422
    assert client.post(PLACE, json=RIGHT, headers=head).json["data"]["email"] == RIGHT["email"]
    assert client.post("/api/v1/tasks", json={"title": "Rest"}).status_code == 400
    assert client.post("/api/v1/tasks", json={"title": "Rest"}, headers=head).status_code == 201
    with monkeypatch.context() as gone:
        gone.setattr(User, "is_active", False)
        assert client.get(PLACE).json["data"]["email"] is None
        assert client.post(PLACE, json=RIGHT, headers=head).status_code == 422
    assert client.delete(PLACE, headers=head).status_code == 204
    assert client.get(PLACE).json["data"]["email"] is None
    assert client.get("/api/v1/tasks").status_code == 401

def test_the_body_is_described(app):
    with app.app_context():
        said = api_document()["paths"][PLACE]["post"]["requestBody"]
    assert said["content"]["application/json"]["schema"]["$ref"].endswith("/SignInInput")
"""


@pytest.mark.structure
def test_the_login_of_the_document_guards_pages_and_api(scaffold, sqlite_url):
    pytest.importorskip("flask_login")
    document = "docs/recipes.md"
    project = scaffold.on(sqlite_url)
    for folder in ("app/notes/", "app/tasks/"):
        write_files(project, folder)
    write_documented(project, "docs/recipes.md", "app/accounts/")
    for module in ("notes", "tasks"):
        guard = block_with(document, "python", f"@{module}_bp.before_request").text
        project.replace(f"app/{module}/__init__.py", "\nfrom . import", f"{guard}\nfrom . import")
    close = block_with(document, "python", "close_the_document").text
    project.replace("app/accounts/__init__.py", "\nfrom . import", f"{close}\nfrom . import")
    base = (project.root / "core/templates/base.html").read_text(encoding="utf-8")
    line = block_with(document, "jinja", "{% include").text
    header = re.search(r".*macros/header.html.*\n", base)[0]
    project.write("app/templates/base.html", base.replace(header, header + line))
    routes = "from . import routes\n"
    told = re.search(r"`(from .browser import .*?)`", read(document))[1]
    project.replace("app/accounts/__init__.py", routes, f"{routes}{told}\n")
    project.write("app/accounts/tests/__init__.py", "")
    project.write("app/accounts/tests/test_session.py", SESSION)
    project.install("app.accounts", "app.notes", "app.tasks")

    *migrate, add = block_with(document, "sh", "flask accounts").commands
    for command in migrate:
        project.alembic(*command[1:])
    follow(project, Block("sh", shlex.join([*add, "--password", "secret"])))
    again = project.run(*add, "--password", "secret")

    assert again.returncode == 1
    assert again.stderr == "Error: There is a user me@example.com already.\n"
    assert project.python("-c", ACCOUNT).startswith("done")
    signed_in = block_with(document, "python", "stored.update(_user_id")
    for module in ("notes", "tasks"):
        project.write(signed_in.path.replace("notes", module), signed_in.text)
        assert " passed" in project.python("-m", "pytest", "-q", f"app/{module}")
    assert " passed" in project.python("-m", "pytest", "-q", "app/accounts/tests/test_session.py")
    away = project.having(
        DATABASE_URL="postgresql://shop@127.0.0.1:1/shop",
        APP_ENV="production",
        SECRET_KEY=KEY,
        TRUSTED_HOSTS="localhost",
        COOKIE_SECURE="false",
    )
    assert away.python("-c", AWAY).startswith("done")


FORGOTTEN = """
import re
from run import app
from services import db
from app.accounts.models import User
from app.mail.models import Mail
from werkzeug.security import check_password_hash, generate_password_hash

with app.app_context():
    for name, role in (("me", "reader"), ("boss", "editor")):
        db.session.add(User(email=f"{name}@example.com", password="-", role=role))
    db.session.commit()
client = app.test_client()

def send(path, **values):
    names = r'name="(csrf_token)"[^>]*value="([^"]*)"'
    return client.post(path, data=dict(re.findall(names, client.get(path).text)) | values)

def mails():
    with app.app_context():
        return [(one.recipient, one.text) for one in db.session.query(Mail)]

for email in ("you@example.com", "Me@example.com"):
    asked = send("/forgotten", email=email)
    assert (asked.status_code, asked.location) == (302, "/login"), asked.text
((recipient, link),) = mails()
assert recipient == "me@example.com"
assert "/reset?token=" in link
path = link.partition("localhost")[2]
assert send("/forgotten", email="me@b\\0").status_code == 422
assert send(path, password="short").status_code == 422
assert send(path + "-", password="long enough").location == "/forgotten"
assert client.get(path + "-").location == "/forgotten"
done = send(path, password="long enough")
assert (done.status_code, done.location) == (302, "/login"), done.text
assert client.get(path).location == "/forgotten"
for email in ("New@example.com", "me@example.com"):
    asked = send("/sign-up", email=email)
    assert (asked.status_code, asked.location) == (302, "/login"), asked.text
(_, (recipient, link), known) = mails()
assert recipient == "new@example.com"
assert known == ("me@example.com", "http://localhost/login")
path = link.partition("localhost")[2]
assert send("/sign-up", email="me").status_code == 422
assert client.get("/join?token=-").location == "/sign-up"
assert send(path, password="short").status_code == 422
assert send(path, password="long enough").location == "/login"
assert client.get(path).location == "/login"
send("/login", email="new@example.com", password="long enough")
assert client.get("/notes/").status_code == 403
with app.app_context():
    new = db.session.query(User).filter_by(email="new@example.com").one()
    new.password = generate_password_hash("another one")
    db.session.commit()
assert client.get("/notes/").status_code == 302
with app.app_context():
    me, boss = db.session.query(User).order_by(User.id).limit(2)
    assert check_password_hash(me.password, "long enough")
    boss.password = generate_password_hash("long enough")
    db.session.commit()
seen = [client.get("/notes/").status_code]
for name in ("me", "boss"):
    send("/login", email=f"{name}@example.com", password="long enough")
    seen.append(client.get("/notes/").status_code)
assert seen == [302, 403, 200], seen
assert app.test_client().options("/notes/").status_code == 403
print("done")
"""
PEOPLE = """
import re
import pytest
from sqlalchemy import select
from app.accounts.models import User
from app.mail.models import Mail
from core.factory import create_app
from services import db

@pytest.fixture(autouse=True)
def without_tokens(app, monkeypatch):
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)

@pytest.fixture
def owner(app, client, save):
    user = save(User(email="boss@example.com", password="-", role="owner"))
    with client.session_transaction() as stored:
        stored["_user_id"] = user.get_id()
    return user

def test_only_an_owner_sees_them(app, client, save):
    reader = save(User(email="me@example.com", password="-", role="editor"))
    assert client.get("/people").location == "/login"
    with client.session_transaction() as stored:
        stored["_user_id"] = reader.get_id()
    for path in ("/people", "/people/new", f"/people/{reader.id}/edit"):
        assert client.get(path).status_code == 403
    for path in ("/people/new", f"/people/{reader.id}/edit"):
        assert client.post(path).status_code == 403

def test_who_is_invited_chooses_a_password(app, client, owner):
    wrong = client.post("/people/new", data={"email": "Boss@example.com", "role": "reader"})
    assert wrong.status_code == 422 and "already" in wrong.text
    assert client.post("/people/new", data={"email": "x", "role": "king"}).status_code == 422
    done = client.post("/people/new", data={"email": "New@example.com", "role": "editor"})
    assert (done.status_code, done.location) == (302, "/people"), done.text
    with app.app_context():
        mail = db.session.scalars(select(Mail)).one()
        assert mail.recipient == "new@example.com"
    link = mail.text.partition("localhost")[2]
    stranger = app.test_client()
    chosen = stranger.post(link, data={"password": "long enough"})
    assert chosen.location == "/login", chosen.text
    entered = {"email": "new@example.com", "password": "long enough"}
    assert stranger.post("/login", data=entered).status_code == 302
    listed = client.get("/people?q=new@").text
    assert "new@example.com" in listed and "boss@example.com" not in listed.partition("<table")[2]

def test_the_last_owner_stays(app, client, owner, save):
    mine = f"/people/{owner.id}/edit"
    for sent in ({"role": "reader", "is_active": "y"}, {"role": "owner"}):
        refused = client.post(mine, data={**sent, "version": 1})
        assert refused.status_code == 422 and "Nobody else is an owner." in refused.text
    other = save(User(email="two@example.com", password="-", role="reader"))
    page = f"/people/{other.id}/edit"
    assert client.post(page, data={"role": "owner", "is_active": "y"}).location == "/people"
    assert client.post(mine, data={"role": "reader", "is_active": "y"}).location == "/people"
    assert client.get("/people").status_code == 403
    assert client.get("/people/999/edit").status_code in (403, 404)

def test_who_is_shut_out_is_out(app, client, owner, save):
    other = save(User(email="two@example.com", password="-", role="reader"))
    theirs = app.test_client()
    with theirs.session_transaction() as stored:
        stored["_user_id"] = other.get_id()
    assert theirs.get("/notes/").status_code == 403
    assert client.post(f"/people/{other.id}/edit", data={"role": "reader"}).status_code == 302
    assert theirs.get("/notes/").location == "/login"
"""


def add_roles(project: Project) -> None:
    """Give the users of the recipes what the section on pages for the accounts names."""
    path, text = "app/accounts/models.py", read("docs/recipes.md")
    told = [re.search(f"`({name} .*?)`", text)[1] for name in ("role:", "is_active:", "labels =")]
    users = (project.root / path).read_text(encoding="utf-8")
    users = users.replace("import String", "import String, true")
    columns = "".join(f"    {line}\n" for line in told)
    babel = "from flask_babel import lazy_gettext as _l\n"
    project.write(path, babel + users.replace("    listing =", f"{columns}    listing ="))


@pytest.mark.structure
def test_a_forgotten_password_signing_up_and_roles_are_as_documented(scaffold, sqlite_url):
    pytest.importorskip("flask_login")
    project = scaffold.on(sqlite_url)
    write_files(project, "app/notes/")
    write_documented(project, "docs/recipes.md", "app/accounts/")
    write_documented(project, "docs/growing.md", "app/mail/")
    guard = block_with("docs/recipes.md", "python", "def require_role").text
    project.replace("app/notes/__init__.py", "\nfrom . import", f"{guard}\nfrom . import")
    project.replace(
        "app/accounts/__init__.py",
        "from . import routes",
        "from . import forgotten, people, roles, routes, sign_up, tokens\n"
        "from .devices import devices_bp\nfrom .joining import joining_bp",
    )
    add_roles(project)
    project.write("app/accounts/tests/__init__.py", "")
    project.write("app/accounts/tests/test_people.py", PEOPLE)
    project.install("app.mail", "app.accounts", "app.notes")
    project.alembic_each("revision --autogenerate -m made", "upgrade head")

    assert project.python("-c", FORGOTTEN).startswith("done")
    give = ("flask", "accounts", "role")
    nobody = project.run(*give, "nobody@example.com", "owner")
    assert nobody.stderr == "Error: There is no user nobody@example.com.\n"
    assert (
        "'boss' is not one of 'reader', 'editor'" in project.run(*give, "me@e.com", "boss").stderr
    )
    assert project.run(*give, "Me@example.com", "owner").returncode == 0
    assert " passed" in project.python("-m", "pytest", "-q", "app/accounts")


VISITS = """
from sqlalchemy import ForeignKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column, relationship
from app.accounts.models import User
from app.companies.models import OfTenant
from core.listing import Listing
from core.models import Base, Timestamps, Versioned

class Visit(OfTenant, Timestamps, Versioned, Base):
    __tablename__ = "visits_visit"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "technician_id"], ["accounts_user.tenant_id", "accounts_user.id"]
        ),
    )
    listing = Listing(
        search=("title",), filters=("technician_id",), sort=("title",), default="title"
    )
    labels = {"title": "Title", "technician": "Technician"}
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(80))
    technician_id: Mapped[int]
    technician: Mapped[User] = relationship(foreign_keys="Visit.technician_id")

    def __str__(self):
        return self.title
"""
COMPANIES = """
import re
from run import app
from services import db
from app.accounts.models import User
from app.mail.models import Mail

def send(client, path, url="", **values):
    names = r'name="(csrf_token|version)"[^>]*value="([^"]*)"'
    hidden = dict(re.findall(names, client.get(path).text))
    return client.post(url or path, data=hidden | values)

def link():
    with app.app_context():
        last = db.session.query(Mail).order_by(Mail.id.desc()).first()
        return last.text.partition("localhost")[2]

def join(company):
    client = app.test_client()
    send(client, "/sign-up", email=f"{company}@example.com")
    blank = send(client, link(), password="long enough", company="  ")
    assert blank.status_code == 422, blank.text
    done = send(client, link(), password="long enough", company=company)
    assert done.location == "/login", done.text
    send(client, "/login", email=f"{company}@example.com", password="long enough")
    return client

one, two = join("one"), join("two")
with app.app_context():
    ids = {user.email: user.id for user in db.session.query(User)}
other = app.test_client()
send(other, "/sign-up", email="three@example.com")
taken = send(other, link(), password="long enough", company="two")
assert taken.status_code == 422 and "There is a company of this name." in taken.text, taken.text
for client, word, others in ((one, "one", "two"), (two, "two", "one")):
    mine, theirs = (ids[f"{name}@example.com"] for name in (word, others))
    for path in ("/people", "/visits/", "/visits/new"):
        shown = client.get(path).text
        assert f"{word}@example.com" in shown and f"{others}@example.com" not in shown, path
    assert client.get(f"/people/{theirs}/edit").status_code == 404
    assert client.get(f"/people/{mine}/edit").status_code == 200
    # Whoever is the only owner of a company stays one, though there are other companies.
    refused = send(client, f"/people/{mine}/edit", role="reader", is_active="y")
    assert refused.status_code == 422 and "Nobody else is an owner." in refused.text
    stolen = send(client, "/visits/new", "/visits/", title=f"Of {word}", technician=theirs)
    assert stolen.status_code == 422, stolen.status_code
    made = send(client, "/visits/new", "/visits/", title=f"Of {word}", technician=mine)
    assert made.status_code == 302, made.text
    assert f"Of {others}" not in client.get("/visits/").text
    assert f"Of {others}" not in client.get(f"/visits/?technician_id={theirs}").text
assert send(one, "/people/new", email="helper@example.com", role="reader").status_code == 302
assert "helper@example.com" in one.get("/people").text
assert "helper@example.com" not in two.get("/people").text
assert app.test_client().options("/visits/").status_code == 403
assert app.test_client().get("/visits/").location == "/login"
print("done")
"""
OURS = """
from app.accounts.models import User
from app.visits.models import Visit

def test_pages_are_those_of_a_company(client, save, user, company):
    save(Visit(title="Lift", technician_id=user.id))
    assert "Lift" in client.get("/visits/").text
    assert "me@example.com" in client.get("/people").text
"""


def with_companies(project: Project) -> None:
    """Change the accounts of the recipes as the section on several companies says."""
    document = "docs/recipes.md"
    text = read(document)
    path = "app/accounts/__init__.py"
    every = "from . import forgotten, people, roles, routes, sign_up"
    project.replace(path, "from . import routes", every)
    add_roles(project)
    path = "app/accounts/models.py"
    imports, user, listener = block_with(document, "python", "only_colleagues").parts
    columns = user.partition("    ...\n")[2]
    project.replace(path, "    listing =", f"{columns}\n    listing =")
    users = (project.root / path).read_text(encoding="utf-8")
    project.write(path, f"{imports}\n{users}\n\n{listener}")
    path = "app/accounts/roles.py"
    line = re.search("`(g.tenant_id = current_user.*?)`", text)[1]
    view = "return view(*args, **kwargs)"
    project.replace(path, view, f"{line}\n            {view}")
    project.replace(path, "from flask import abort", "from flask import abort, g")
    path = "app/accounts/sign_up.py"
    imports, form, join = block_with(document, "python", "class CompanyForm").parts
    begin, _, rest = (project.root / path).read_text(encoding="utf-8").partition("    form = Pass")
    begin = begin.replace('@bp.route("/join"', f'{form}\n\n\n@bp.route("/join"')
    rest = join.partition("    ...\n")[2] + "\n\n" + rest[rest.index("def send_link") :]
    project.write(path, f"{imports}\n{begin}{rest}")


@pytest.mark.structure
@mostly_on("postgresql")
def test_the_companies_of_the_document_see_nothing_of_each_other(scaffold, database_url):
    pytest.importorskip("flask_login")
    project = scaffold.on(database_url)
    write_documented(project, "docs/growing.md", "app/mail/")
    for folder in ("app/accounts/", "app/companies/"):
        write_documented(project, "docs/recipes.md", folder)
    shutil.rmtree(project.root / "app/accounts/tests")
    with_companies(project)
    apps = ("app.mail", "app.companies", "app.accounts")
    project.install(*apps)
    technician = "technician:references:app.accounts.models.User"
    follow(project, Block("sh", f"flask generate visits Visit title:string:80 {technician}"))
    project.write("app/visits/models.py", VISITS)
    guard = (
        "from app.accounts.roles import ROLES, only\n\n"
        "visits_bp.before_request(only(*ROLES)(lambda: None))\n"
    )
    project.replace("app/visits/__init__.py", "\nfrom . import", f"{guard}\nfrom . import")
    project.install(*apps, "app.visits")
    project.alembic_each("revision --autogenerate -m made", "upgrade head")

    assert project.python("-c", COMPANIES).startswith("done")
    write_documented(project, "docs/recipes.md", "app/conftest.py")
    project.write("app/visits/tests/test_pages.py", OURS)
    assert " passed" in project.python("-m", "pytest", "-q", "app/visits")


TOKENS = """
import os
from run import app

client = app.test_client()

def ask(token=None, **options):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.post("/api/v1/tasks", json={"title": "Rest"}, headers=headers, **options)

refused = ask()
assert (refused.status_code, refused.mimetype) == (401, "application/problem+json")
assert refused.headers["WWW-Authenticate"].startswith("Bearer "), refused.headers
assert ask("wrong").status_code == 401
assert client.get("/api/v1/tasks", auth=("me", "-")).status_code == 401
assert ask(os.environ["ACCOUNTS_TOKEN"]).status_code == int(os.environ["ACCOUNTS_STATUS"])
print("done")
"""
DEVICES = """
from run import app

client = app.test_client()
sent = {"email": "me@example.com", "password": "secret", "name": "tablet"}
refused = client.post("/api/v1/token", json=sent | {"password": "other"})
assert (refused.status_code, [*refused.json["errors"]]) == (422, ["password"])
assert client.post("/api/v1/token", json=sent | {"name": "\\ud800"}).status_code == 422
given = client.post("/api/v1/token", json=sent)
assert given.status_code == 200, given.text
headers = {"Authorization": f"Bearer {given.json['data']['token']}"}
assert client.get("/api/v1/tasks", headers=headers).status_code == 200
assert client.delete("/api/v1/token", headers=headers).status_code == 204
assert client.get("/api/v1/tasks", headers=headers).status_code == 401
assert client.delete("/api/v1/token", headers=headers).status_code == 401
print("done")
"""
# What takes a token's rights: its owner has left, or its time is over.
WITHOUT = {
    "owner": "from app.accounts.models import User\nUser.is_active = False\n",
    "time": (
        "from datetime import timedelta\nfrom app.accounts import tokens\nnow = tokens.utcnow\n"
        "tokens.utcnow = lambda: now() + timedelta(days=366)\n"
    ),
}


@pytest.mark.structure
def test_the_tokens_of_the_document_guard_an_api(scaffold, sqlite_url):
    pytest.importorskip("flask_login")
    document = "docs/recipes.md"
    project = scaffold.on(sqlite_url)
    write_files(project, "app/tasks/")
    write_documented(project, "docs/recipes.md", "app/accounts/")
    guard = block_with(document, "python", "before_request(require_token)").text
    project.replace("app/tasks/__init__.py", "\nfrom . import", f"\n{guard}\nfrom . import")
    project.replace(
        "app/accounts/__init__.py", "from . import routes", "from . import routes, tokens"
    )
    told = re.search(r"`Api\(bp(, security=.*?)\)`", read(document))[1]
    api = re.search(r"Api\(\w+", (project.root / "app/tasks/resources.py").read_text("utf-8"))[0]
    project.replace("app/tasks/resources.py", api, api + told)
    project.install("app.accounts", "app.tasks")
    project.alembic_each("revision --autogenerate -m made", "upgrade head")
    accounts, who = ("flask", "accounts"), ("me@example.com", "phone")

    nobody = project.run(*accounts, "token", *who)
    project.run(*accounts, "add", who[0], "--password", "secret")
    token = project.run(*accounts, "token", *who).stdout.strip()
    ended, token = token, project.run(*accounts, "token", *who).stdout.strip()
    having = project.having(ACCOUNTS_TOKEN=token, ACCOUNTS_STATUS="201")
    passed = having.python("-c", TOKENS)
    assert project.having(ACCOUNTS_TOKEN=ended, ACCOUNTS_STATUS="401").python("-c", TOKENS)
    project.replace(
        "app/accounts/__init__.py",
        "import routes, tokens",
        "import routes, tokens\nfrom .devices import devices_bp",
    )
    assert having.python("-c", DEVICES) == "done\n"
    role = block_with(document, "python", "g.user.role").text
    guarded = project.root / "app/tasks/__init__.py"
    before = guarded.read_text(encoding="utf-8")
    guarded.write_text(f"{before}\n{role}", encoding="utf-8")
    # Whoever may write is told that there is such a task already.
    for name, status in (("reader", "403"), ("owner", "409")):
        given = f"from app.accounts.models import User\nUser.role = {name!r}\n{TOKENS}"
        assert having.having(ACCOUNTS_STATUS=status).python("-c", given) == "done\n"
    guarded.write_text(before, encoding="utf-8")
    over = project.having(ACCOUNTS_TOKEN=token, ACCOUNTS_STATUS="401")
    left = [over.python("-c", f"{WITHOUT[how]}{TOKENS}") for how in WITHOUT]
    gone = [project.run(*accounts, "revoke", *who).returncode for _ in range(2)]

    assert nobody.stderr == "Error: There is no user me@example.com.\n"
    assert passed.startswith("done")
    assert [one.strip() for one in left] == ["done", "done"]
    assert gone == [0, 1]
    assert over.python("-c", TOKENS)
    project.write(
        "app/tasks/tests/conftest.py", block_with(document, "python", "of-the-tests").text
    )
    tested = project.run("python", "-m", "pytest", "-q", "app/tasks")
    assert tested.returncode == 0, tested.stdout
