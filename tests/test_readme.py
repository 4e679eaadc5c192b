"""Holds the documents to their word: commands are run, code is served, tables are compared."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from apispec import APISpec
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from flask import url_for
from jinja2 import Environment

import config
from core.openapi.answers import add_shared
from core.openapi.document import VERSION
from core.security import content_security_policy
from core.setting import DEFAULTS
from core.testing import free_port, wait_for
from tests.project import PYTHON, Project, connected, empty_database, mostly_on

ROOT = config.BASE_DIR
KEY = "kq8ZsW2vLx0nT5yJd7RfBc3HgMp9UaEi4XoV"
PAIRS = [
    ("README.md", "README.es.md"),
    ("docs/migrations.md", "docs/migraciones.es.md"),
    ("docs/search.md", "docs/busqueda.es.md"),
    ("docs/api.md", "docs/api.es.md"),
    ("docs/operations.md", "docs/operacion.es.md"),
    ("docs/recipes.md", "docs/recetas.es.md"),
    ("docs/deployment.md", "docs/despliegue.es.md"),
    ("docs/growing.md", "docs/crecer.es.md"),
]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
)
# Blocks in these languages are typed in or saved: not a letter may differ. The words in the others
# are translated.
EXACT = {"sh", "powershell", "python", "jinja", "sql"}
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block; `path` is the file that its first line names, if it names one."""

    language: str
    text: str

    @property
    def path(self) -> str:
        named = re.match(r"(?:#|\{#) (app/\S+)(?: #\})?$", self.text, re.MULTILINE)
        return named[1] if named else ""

    @property
    def parts(self) -> list[str]:
        """The imports and what stands below them, each between two empty lines."""
        return self.text.split("\n\n\n")

    @property
    def commands(self) -> list[list[str]]:
        return [shlex.split(line) for line in self.text.splitlines()]


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def prose(document: str) -> str:
    return FENCED.sub("", read(document))


def blocks(document: str, language: str = "") -> list[Block]:
    found = [Block(*match) for match in FENCED.findall(read(document))]
    return [block for block in found if language in ("", block.language)]


def block_with(document: str, language: str, words: str) -> Block:
    return next(block for block in blocks(document, language) if words in block.text)


def headings(document: str) -> list[tuple[str, str]]:
    return re.findall(r"^(#+) (.+)$", prose(document), re.MULTILINE)


def table_under(document: str, head: str) -> list[list[str]]:
    """Return the cells of the rows of the table whose first head is this one."""
    rows = prose(document).partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def anchors(document: str) -> set[str]:
    """Return the anchors that GitHub makes of the headings."""
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title in headings(document)
    }


# What the documents say


@pytest.mark.parametrize(("english", "spanish"), PAIRS)
def test_both_languages_have_the_same_structure(english, spanish):
    levels = [[level for level, _ in headings(document)] for document in (english, spanish)]
    languages = [[block.language for block in blocks(document)] for document in (english, spanish)]
    rows = [prose(document).count("\n|") for document in (english, spanish)]

    assert levels[0] == levels[1]
    assert languages[0] == languages[1]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(("english", "spanish"), PAIRS)
def test_both_languages_have_the_same_commands_and_code(english, spanish):
    exact = [
        [block for block in blocks(document) if block.language in EXACT]
        for document in (english, spanish)
    ]

    assert exact[0] == exact[1]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_fence_is_closed_and_names_its_language(document):
    assert "```" not in prose(document)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_call_within_a_sentence_can_be_written_in_a_template(document):
    calls = re.findall(r"`((?:url_for|list_controls)\([^`]*\))`", read(document))

    for call in calls:
        Environment(autoescape=True).compile_expression(call.replace("...", "name=1"))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_within_the_project_leads_somewhere(document):
    targets = re.findall(r"\]\((?!https?:)([^)]+)\)", prose(document))

    for target in targets:
        path, _, anchor = target.partition("#")
        linked = (ROOT / document).parent / path if path else ROOT / document
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked.resolve().relative_to(ROOT).as_posix()), target


@pytest.mark.parametrize(
    ("document", "head"), [("README.md", "Variable"), ("README.es.md", "Variable")]
)
def test_the_configuration_table_has_every_variable_with_its_default(document, head):
    rows = {name.strip("`"): default for name, _, default, _ in table_under(document, head)}

    assert list(rows) == list(config.VARIABLES)
    literal = {name: default for name, (default, _) in config.VARIABLES.items() if default}
    assert {name: rows[name].strip("`") for name in literal} == literal


@pytest.mark.parametrize(
    ("document", "head"), [("README.md", "Setting"), ("README.es.md", "Ajuste")]
)
def test_the_table_of_settings_has_every_setting(document, head):
    named = [name for row in table_under(document, head) for name in re.findall(r"`(\w+)`", row[0])]

    assert sorted(named) == sorted(DEFAULTS)


def test_the_policy_of_the_readme_is_one():
    values = {}
    exec(block_with("README.md", "python", "CSP = ").text, values)

    policy = content_security_policy(values["CSP"])

    assert "script-src 'self' https://plausible.io https://cdn.jsdelivr.net" in policy


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_exists(document):
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    code = [*re.findall(r"`([^`\n]+)`", prose(document)), *(b.text for b in blocks(document, "sh"))]

    named = {
        target for text in code for target in re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)
    }

    assert named <= set(phony.split())


@pytest.mark.parametrize("language", ["sh", "powershell"])
def test_the_tests_without_make_are_those_of_make(language):
    quick = re.search(r"^QUICK := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]

    commands = block_with("README.md", language, "python -m pytest -m").commands

    assert commands == [["python", "-m", "pytest", "-m", quick]]


@pytest.mark.parametrize(
    ("document", "head"), [("README.md", "Whose"), ("README.es.md", "De quién")]
)
def test_the_table_of_owners_names_what_exists(document, head):
    paths = [
        path for row in table_under(document, head) for path in re.findall(r"`([^`]+)`", row[1])
    ]
    made_later = {".env", "instance/"}

    assert "core/" in paths
    assert "settings.py" in paths
    assert [path for path in paths if path not in made_later and not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("document", "head"), [("docs/api.md", "Kind"), ("docs/api.es.md", "Clase")]
)
def test_the_table_of_what_apis_share_names_all_of_it(document, head):
    spec = APISpec("", "", VERSION)
    add_shared(spec)
    rows = {
        kind.strip("`"): re.findall(r"`([^`]+)`", names)
        for kind, names in table_under(document, head)
    }

    shared = {kind: list(getattr(spec.components, kind)) for kind in rows}

    assert {kind: rows[kind][: len(names)] for kind, names in shared.items()} == shared
    assert [len(rows[kind]) - len(names) for kind, names in shared.items()] == [0, 0, 6]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_requirements_file_exists(document):
    named = re.findall(r"-r (requirements\S*\.txt)", read(document))

    assert [name for name in named if not (ROOT / name).is_file()] == []


# What they tell the reader to do


def follow(project: Project, block: Block) -> None:
    """Run a block's commands as its reader would; a leading NAME=value goes to the environment."""
    for command in block.commands:
        variables = {}
        while re.match(r"[A-Z_]+=", command[0]):
            name, _, variables[name] = command.pop(0).partition("=")
        result = project.having(**variables).run(*command)
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"


def write_files(project: Project, folder: str, guarded: bool = False) -> None:
    """Write the files of the README that are in this folder; of two with one name the asked one."""
    for block in blocks("README.md"):
        if block.path.startswith(folder) and guarded == ("require_login" in block.text):
            project.write(block.path, block.text)


def write_documented(project: Project, document: str, folder: str) -> None:
    """Write the files of a document that are in this folder."""
    for block in blocks(document):
        if block.path.startswith(folder):
            project.write(block.path, block.text)


def list_entry(project: Project, folder: str) -> None:
    """Add the line that the README shows to the list in settings.py."""
    entry = block_with("README.md", "text", folder.strip("/").replace("/", "."))
    settings = (project.root / "settings.py").read_text(encoding="utf-8")
    opening, _, entries = settings.rpartition("INSTALLED_APPS = [")
    project.write("settings.py", f"{opening}INSTALLED_APPS = [\n    {entry.text}{entries}")


def add_module(project: Project, folder: str) -> None:
    write_files(project, folder)
    list_entry(project, folder)
    follow(project, block_with("README.md", "sh", f'-m "{Path(folder).name}"'))


@contextmanager
def serving(project: Project) -> Iterator[str]:
    """Run `python run.py` in the copy; yield the URL it serves."""
    port = str(free_port())
    command = [sys.executable, "run.py"]
    environment = project.having(PORT=port).environment
    with subprocess.Popen(
        command, cwd=project.root, env=environment, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/health/ready")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def answer(request: Request | str) -> tuple[int, str]:
    with urlopen(request, timeout=10) as response:
        return response.status, response.read().decode()


def curl(line: list[str], base: str) -> tuple[int, str]:
    """Send what a curl command of the README sends, to the server at `base`."""
    options = dict(pairwise(line))
    url = next(word for word in line if word.startswith("http"))
    headers = dict([options["-H"].split(": ")]) if "-H" in options else {}
    body = options["-d"].encode() if "-d" in options else None
    return answer(Request(url.replace("http://127.0.0.1:5000", base), body, headers))


@pytest.mark.structure
@mostly_on("sqlite")
def test_the_modules_of_the_readme_work_as_written(scaffold, database_url):
    project = scaffold.on(database_url)
    project.write(
        "app/inventory/__init__.py", block_with("README.md", "python", "archivo_rutas").text
    )

    for folder in ("app/inventory/", "app/notes/", "app/tasks/"):
        add_module(project, folder)

    with serving(project) as url:
        assert json.loads(answer(f"{url}/inventory")[1]) == {"items": []}
        project.python("-c", INSERT_NOTE)
        row = re.search(
            r"<thead>(.*)</thead>.*?<tr>(.*?)</tr>", answer(f"{url}/notes/")[1], re.DOTALL
        )
        assert row[1].count("<th") == row[2].count("<td") == 4
        create, index = block_with("README.md", "sh", "curl").commands
        assert curl(create, url)[0] == 201
        assert json.loads(curl(index, url)[1])["data"][0]["title"] == "Water the plants"


LOGIN = """
import re
from run import app

client = app.test_client()
print(client.get("/notes/").location, client.get("/api/v1/tasks").status_code)
with client.session_transaction() as session:
    session["user_id"] = 1
form = client.get("/notes/new").text
token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)[1]
for headers in ({}, {"X-CSRFToken": token}):
    print(client.post("/api/v1/tasks", json={"title": "Rest"}, headers=headers).status_code)
"""


@pytest.mark.structure
def test_the_login_of_the_readme_guards_pages_and_api(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url)
    for folder in ("app/notes/", "app/tasks/"):
        add_module(project, folder)
        write_files(project, folder, guarded=True)

    result = project.run(PYTHON, "-c", LOGIN)

    assert result.stdout.splitlines() == ["/login 401", "400", "201"], result.stderr


def test_the_link_of_the_readme_leads_to_the_site(app, monkeypatch):
    monkeypatch.setitem(app.config, "TRUSTED_HOSTS", ["example.com"])
    monkeypatch.setenv("NOTES_SITE", "https://example.com")
    # In place of a module's page, which is not there.
    values = {
        "os": os,
        "current_app": app,
        "url_for": lambda _, **options: url_for("core.welcome", **options),
    }

    with app.app_context():
        exec(block_with("README.md", "python", "link = ").text, values)

    assert values["link"] == "https://example.com/"


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
    models = (project.root / "app/accounts/models.py").read_text(encoding="utf-8")
    document = (ROOT / "docs/recipes.md").read_text("utf-8")
    columns = [re.search(f"`({name}: .*?)`", document)[1] for name in ("role", "is_active")]
    labels = re.search("`(labels = .*?)`", document)[1]
    models = models.replace("import String", "import String, true")
    models = models.replace("    id:", f"    {labels}\n\n    id:", 1)
    head = "from flask_babel import lazy_gettext as _l\n"
    project.write("app/accounts/models.py", head + models + "".join(f"    {c}\n" for c in columns))
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
    path = "app/accounts/models.py"
    users = (project.root / path).read_text(encoding="utf-8")
    told = [re.search(f"`({name} .*?)`", text)[1] for name in ("role:", "is_active:", "labels =")]
    imports, user, listener = block_with(document, "python", "only_colleagues").parts
    columns = "".join(f"    {line}\n" for line in told) + user.partition("    ...\n")[2] + "\n"
    users = users.replace("import String", "import String, true")
    users = users.replace("    listing =", columns + "    listing =")
    babel = "from flask_babel import lazy_gettext as _l\n"
    project.write(path, f"{babel}{imports}\n{users}\n\n{listener}")
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


@pytest.mark.structure
def test_the_code_of_the_documents_passes_the_linter(scaffold):
    for document in DOCUMENTS:
        for block in blocks(document, "python"):
            if block.path:
                scaffold.write(block.path, block.text)

    assert "All checks passed!" in scaffold.run("ruff", "check", "app").stdout
    assert "already formatted" in scaffold.run("ruff", "format", "--check", "app").stdout


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


@pytest.mark.structure
def test_templates_of_the_product_replace_those_of_core(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url)
    project.write("app/templates/errors/404.html", "{% extends 'base.html' %}")
    project.write("app/templates/base.html", "The look of the product")

    assert project.get("/nowhere") == "The look of the product\n"


@pytest.mark.structure
def test_the_lines_without_make_set_the_project_up(project):
    lines = block_with("README.md", "sh", "flask setup").commands
    assert [line[0] for line in lines] == ["python3", ".", "pip", "flask", "python"]
    shells = block_with("README.md", "powershell", "flask setup").commands
    assert shells[-3:] == lines[-3:]

    result = project.run(*lines[-2])

    assert result.returncode == 0, result.stderr
    with serving(project) as url:
        assert answer(f"{url}/")[0] == 200


@pytest.mark.structure
def test_production_takes_the_readmes_variables_once_the_keys_are_filled_in(project):
    text = block_with("README.md", "ini", "APP_ENV").text
    project.write(".env", text)
    check = ("gunicorn", "--check-config", "run:app")

    refused = project.run(*check)
    project.write(".env", re.sub(r"<.+>", KEY, text))
    accepted = project.run(*check)

    assert refused.returncode != 0
    assert "SECRET_KEY is shorter than 32 characters" in refused.stderr
    assert accepted.returncode == 0, accepted.stderr


def revise(project: Project, command: Block, code: Block) -> None:
    """Make the empty revision of the document and give it the document's code."""
    before = project.revisions
    follow(project, command)
    (path,) = project.revisions - before
    head = path.read_text(encoding="utf-8").partition("def upgrade")[0]
    path.write_text(head + code.text, encoding="utf-8")


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


INSERT_NOTE = """
from run import app
from app.notes.models import Note
from services import db

with app.app_context():
    db.session.add(Note(title="Milk", text="fresh"))
    db.session.commit()
"""


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


BILLING = """
from decimal import Decimal
from sqlalchemy import Column, ForeignKey, Numeric, String, Table
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates
from core.models import Base

invoice_tag = Table(
    "billing_invoice_tag",
    Base.metadata,
    Column("invoice_id", ForeignKey("billing_invoice.id"), primary_key=True),
    Column("tag_id", ForeignKey("billing_tag.id"), primary_key=True),
)

class Line(Base):
    __tablename__ = "billing_line"
    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("billing_invoice.id"))
    text: Mapped[str] = mapped_column(String(40))
    price: Mapped[Decimal] = mapped_column(Numeric(8, 2))

    @validates("text")
    def _is_known(self, key, text):
        if "?" in text:
            raise ValueError("Which?")
        return text

class Tag(Base):
    __tablename__ = "billing_tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))

class Invoice(Base):
    __tablename__ = "billing_invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(40))
    lines: Mapped[list[Line]] = relationship(cascade="all, delete-orphan")
    tags: Mapped[list[Tag]] = relationship(secondary=invoice_tag)
"""
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


def invoice_resources() -> str:
    """Return the README's resources of tasks as those of invoices."""
    text = block_with("README.md", "python", "class TaskItem").text
    return text.replace("Task", "Invoice").replace("task", "invoice")


def install_billing(project: Project, models: str, resources: str) -> None:
    """Write and list a module of invoices with these models and resources."""
    project.write("app/billing/models.py", models)
    project.write("app/billing/schemas.py", block_with("docs/api.md", "python", "tag_ids").text)
    project.write("app/billing/resources.py", resources)
    project.write(
        "app/billing/__init__.py",
        "from flask import Blueprint\n"
        "invoices_bp = Blueprint('billing', __name__, url_prefix='/api/v1')\n"
        "from . import resources\n",
    )
    project.install("app.billing")


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


ADDING_UP = """
from core.factory import create_app
from services import db

application = create_app()
with application.app_context():
    db.create_all()
client, url = application.test_client(), "/api/v1/invoices"
tea = {"text": "Tea", "price": "2.50"}
made = client.post(url, json={"number": "A1", "total": "2.50", "lines": [tea], "tag_ids": []})
assert made.status_code == 201, made.text
told = {"total": ["The lines do not add up to it."]}
for sent in ({"total": "30"}, {"lines": [tea, tea]}):
    refused = client.patch(f"{url}/1", json=sent)
    assert (refused.status_code, refused.json["errors"]) == (422, told), refused.text
assert client.get(f"{url}/1").json == made.json
both = client.patch(f"{url}/1", json={"total": "5.00", "lines": [tea, tea]})
assert both.status_code == 200, both.text
print("done")
"""


def test_a_rule_across_lines_holds_for_a_patch_as_the_document_says(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url)
    total = "total: Mapped[Decimal] = mapped_column(Numeric(8, 2))\n    lines: "
    resources = invoice_resources()
    own = block_with("docs/api.md", "python", "class InvoiceItem").text
    item = re.search(r"class InvoiceItem.*?(?=\n\napi\.)", resources, re.DOTALL)[0]
    install_billing(project, BILLING.replace("lines: ", total), resources.replace(item, own))

    assert project.python("-c", ADDING_UP).strip() == "done"


ACTING = """
import hashlib, hmac, os
from importlib.util import find_spec
from core.factory import create_app
from services import db

application = create_app()
if find_spec("jsonschema"):
    from core.conformance import ConformingClient
    application.test_client_class = ConformingClient
with application.app_context():
    db.create_all()
client, url = application.test_client(), "/api/v1/tasks"

def post(path, json=None, **headers):
    return client.post(url + path, json=json, headers={"X-Tenant": "1", **headers})

assert post("/1/done").status_code == 404
two = post("/bulk", [{"title": "Tea"}, {"title": "Cup"}])
assert (two.status_code, [task["id"] for task in two.json["data"]]) == (201, [1, 2])
done = post("/1/done")
assert (done.status_code, done.json["data"]["done"]) == (200, True)
assert done.json["data"]["loud"] == "TEA"
assert post("/1/done", **{"If-Match": two.headers.get("ETag", '"old"')}).status_code == 412
picture = {"data": b"PNG", "content_type": "image/png", "headers": {"X-Tenant": "1"}}
shown = [client.get(f"{url}/1/picture", headers={"X-Tenant": "1"})]
assert client.put(f"{url}/1/picture", **picture).status_code == 204
assert client.put(f"{url}/1/picture", **picture | {"content_type": "text/csv"}).status_code == 415
shown.append(client.get(f"{url}/1/picture", headers={"X-Tenant": "1"}))
assert [one.status_code for one in shown] == [404, 200]
assert (shown[1].data, shown[1].mimetype) == (b"PNG", "image/png")
wrong = post("/bulk", [{"title": "Pot"}, {}])
assert (wrong.status_code, list(wrong.json["errors"])) == (422, ["1"])
assert post("/bulk", {"title": "Pot"}).status_code == 422
many = post("/bulk", [{"title": str(number)} for number in range(101)])
assert (many.status_code, many.json["errors"]) == (422, {"_schema": ["At most 100 tasks at once."]})
assert post("/bulk", [{"title": "Pot"}, {"title": "Tea"}]).status_code == 409
assert len(client.get(url, headers={"X-Tenant": "1"}).json["data"]) == 2
paths = client.get("/api/v1/openapi.json").json["paths"]
assert "requestBody" not in paths[url + "/{id}/done"]["post"]
assert "200" not in paths[url + "/bulk"]["post"]["responses"]
assert "429" in paths[url]["get"]["responses"]

left = [
    client.get(url, headers={"X-Tenant": tenant}).headers["RateLimit-Remaining"]
    for tenant in ("1", "1", "2")
]
assert left == ["998", "997", "999"], left

def pay(sent, signature=None):
    signature = signature or hmac.new(b"shared", sent, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Signature": signature}
    return client.post("/api/v1/hooks/payments", data=sent, headers=headers)

assert pay(b'{"order": "A1", "more": 1}').status_code == 204
for sent, status in ((b'{}', 422), (b'[1]', 422), (b'{"order": 1}', 422), (b'{', 400)):
    refused = pay(sent)
    assert (refused.status_code, refused.mimetype) == (status, "application/problem+json"), sent
for other in ("a" * 64, "\xe9"):
    refused = pay(b'{"order": "A1"}', other)
    assert (refused.status_code, refused.mimetype) == (401, "application/problem+json")
for unset in ({"HOOKS_SECRET": ""}, {}):
    del os.environ["HOOKS_SECRET"]
    os.environ.update(unset)
    forged = hmac.new(b"", b'{"order": "A1"}', hashlib.sha256).hexdigest()
    assert pay(b'{"order": "A1"}', forged).status_code == 401
print("done")
"""


def test_the_actions_limits_and_webhooks_of_the_document_work(scaffold, sqlite_url):
    document = "docs/api.md"
    project = scaffold.on(sqlite_url).having(HOOKS_SECRET="shared")
    write_files(project, "app/tasks/")
    for name in ("TaskDone", "TaskPicture", "TaskBulk"):
        code = block_with(document, "python", f"class {name}").text
        with (project.root / "app/tasks/resources.py").open("a") as file:
            file.write(f"\n\n{code}")
    column = re.search("`(picture: .*?)`", read(document))[1]
    models = (project.root / "app/tasks/models.py").read_text(encoding="utf-8")
    models = models.replace("import String", "import LargeBinary, String")
    project.write("app/tasks/models.py", f"{models}    {column}\n")
    limit = block_with(document, "python", "def tenant").text
    limit = f"from services import limiter\n{limit}".partition("class TaskList(Resource):\n")
    project.replace("app/tasks/resources.py", "class TaskList(Resource):\n", "".join(limit))
    project.replace(
        "app/tasks/__init__.py",
        "from . import resources",
        "from flask import g, request\n"
        "@tasks_bp.before_request\n"
        "def know_tenant():\n"
        "    g.tenant_id = request.headers['X-Tenant']\n"
        "from . import resources",
    )
    project.replace(
        "app/tasks/schemas.py",
        '"version")\n',
        '"version", "loud")\n'
        "    loud = fields.String(dump_only=True)\n"
        "    @post_dump\n"
        "    def add(self, data, **kwargs):\n"
        "        return data | {'loud': data['title'].upper()}\n",
    )
    project.replace(
        "app/tasks/schemas.py", "from core", "from marshmallow import fields, post_dump\nfrom core"
    )
    project.write("app/hooks/__init__.py", block_with(document, "python", "csrf.exempt").text)
    project.install("app.tasks", "app.hooks")

    assert project.python("-c", ACTING).startswith("done")


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


OWNED = """
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column
from core.models import Base

class Project(Base):
    __tablename__ = "mine_project"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int]

class Task(Base):
    __tablename__ = "mine_task"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int]
    project_id: Mapped[int] = mapped_column(ForeignKey("mine_project.id"))
"""
OWNING = """
from flask import g
from sqlalchemy import select
from core.schemas import Schema
from services import db
from .models import Project, Task
"""
NAMING = """
from flask import g
from marshmallow import ValidationError
from core.factory import create_app
from services import db
from app.mine.models import Project
from app.mine.schemas import TaskSchema

with create_app().test_request_context(method="POST"):
    db.create_all()
    db.session.add_all([Project(id=1, owner_id=7), Project(id=2, owner_id=8)])
    db.session.commit()
    g.user_id = 7
    assert TaskSchema().load({"project_id": 1}) == {"project_id": 1}
    try:
        TaskSchema().load({"project_id": 2})
    except ValidationError as error:
        print(error.messages)
"""


SUMMED = """
from app.tasks.models import Task

def test_the_counts_are_as_documented(client, save):
    for title, done in (("a", True), ("b", False), ("c", False)):
        save(Task(title=title, done=done))
    counts = client.get("/api/v1/tasks/counts").json["data"]
    assert sorted(counts, key=str) == [{"done": False, "tasks": 2}, {"done": True, "tasks": 1}]
"""


def test_what_is_computed_is_answered_as_the_document_says(scaffold, database_url):
    project = scaffold.on(database_url)
    write_files(project, "app/tasks/")
    write_documented(project, "docs/api.md", "app/tasks/counts.py")
    project.replace("app/tasks/__init__.py", "import resources", "import counts, resources")
    project.write("app/tasks/tests/test_counts.py", SUMMED)
    project.install("app.tasks")

    tested = project.run("python", "-m", "pytest", "-q", "app/tasks/tests/test_counts.py")

    assert tested.returncode == 0, tested.stdout


def test_a_key_of_somebody_elses_record_is_refused_as_the_document_says(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url)
    project.add_module("mine", OWNED)
    schema = block_with("docs/api.md", "python", "find_project").text
    project.write("app/mine/schemas.py", OWNING + schema)

    told = project.python("-c", NAMING)

    assert told.splitlines()[0] == "{'project_id': ['There is no such project.']}"


TENANT = """
from flask import g, request
@tasks_bp.before_request
def know_tenant():
    g.tenant_id = int(request.headers["X-Tenant"])
from . import resources"""
RENTED = """
from core.schemas import Schema
from .models import Project, Task

class ProjectSchema(Schema):
    class Meta(Schema.Meta):
        model = Project
        exclude = ("tenant_id",)

class TaskSchema(Schema):
    class Meta(Schema.Meta):
        model = Task
        include_fk = True
        exclude = ("tenant_id",)
"""
PROJECTS = """
from .schemas import ProjectSchema

class ProjectList(Resource):
    schema = ProjectSchema()
    def post(self):
        return create(self.schema, self.schema.load(body()), ".task_item")

api.add_resource(ProjectList, "/projects", endpoint="project_list")
"""
RENTING = """
from flask import g
from sqlalchemy import delete, update
from core.factory import create_app
from services import db
from app.tasks.models import Task

application = create_app()
with application.app_context():
    db.create_all()
client, url = application.test_client(), "/api/v1/tasks"

def ask(tenant, method, path, json=None):
    headers = {"X-Tenant": str(tenant)}
    return client.open("/api/v1/" + path, method=method, json=json, headers=headers)

first, second = (ask(tenant, "POST", "projects", {"name": "Move"}) for tenant in (1, 2))
assert (first.status_code, second.status_code) == (201, 201), second.text
taken = ask(1, "POST", "projects", {"name": "Move"})
assert (taken.status_code, list(taken.json["errors"])) == (409, ["name"]), taken.text
mine, theirs = first.json["data"]["id"], second.json["data"]["id"]
made = ask(1, "POST", "tasks", {"title": "Pack", "project_id": mine})
assert (made.status_code, "tenant_id" in made.json["data"]) == (201, False), made.text
item = f"tasks/{made.json['data']['id']}"
for method, path in (("POST", "tasks"), ("PATCH", item)):
    for key in (theirs, 99):
        wrong = ask(1, method, path, {"title": "Steal", "project_id": key})
        told = {"project_id": ["This record does not exist or was deleted."]}
        assert (wrong.status_code, wrong.json["errors"]) == (409, told), wrong.text
sent = ask(1, "POST", "tasks", {"title": "x", "project_id": mine, "tenant_id": 2})
assert sent.status_code == 422, sent.text
found = [ask(tenant, "GET", "tasks?count=exact").json["meta"]["total"] for tenant in (1, 2)]
assert found == [1, 0], found
for method in ("GET", "PATCH", "DELETE"):
    assert ask(2, method, item, {"title": "Steal"}).status_code == 404, method
with application.app_context():
    assert db.session.query(Task).count() == 0
    g.tenant_id = 2
    db.session.execute(update(Task).values(title="Steal"))
    db.session.execute(delete(Task))
    db.session.commit()
assert ask(1, "GET", item).json["data"]["title"] == "Pack"
print("done")
"""

OF_A_TENANT = """
from app.tasks.models import Project, Task
from services import db

def test_what_a_test_stores_is_the_tenants(app, save):
    project = save(Project(name="Move"))
    save(Task(title="Pack", project_id=project.id))
    with app.app_context():
        assert [one.tenant_id for one in db.session.query(Task)] == [1]

def test_in_a_request_the_guard_alone_says_whose_it_is(app, client, save):
    project = save(Project(name="Move"))
    save(Task(title="Pack", project_id=project.id))
    app.add_url_rule("/unguarded", view_func=lambda: {"n": db.session.query(Task).count()})

    assert client.get("/unguarded").json == {"n": 0}
    url = "/api/v1/tasks"
    assert [client.get(url, headers={"X-Tenant": n}).json["meta"]["total"] for n in "12"] == [1, 0]
"""


def test_a_tenant_of_the_document_reaches_nothing_of_another(scaffold, database_url):
    project = scaffold.on(database_url)
    write_files(project, "app/tasks/")
    project.replace("app/tasks/__init__.py", "\nfrom . import resources", TENANT)
    models = block_with("docs/api.md", "python", "only_the_tenants").text
    # Another of its kind, as in a model between two others.
    [key] = re.findall(r"        ForeignKeyConstraint\(.*?\n        \),\n", models, re.DOTALL)
    models = models.replace(key, key + key.replace('"project_id"', '"next_id"'))
    [relation] = re.findall(r"    project_id: .*\n    project: .*\n", models)
    more = relation.replace("project_id", "next_id").replace("project:", "next:")
    models = models.replace(relation, relation + more.replace("Mapped[int]", "Mapped[int | None]"))
    project.write(
        "app/tasks/models.py",
        f"{models}\nfrom sqlalchemy.orm import configure_mappers\n"
        "import warnings\nwarnings.simplefilter('error')\nconfigure_mappers()\n",
    )
    project.write("app/tasks/schemas.py", RENTED)
    resources = project.root / "app/tasks/resources.py"
    resources.write_text(resources.read_text(encoding="utf-8") + PROJECTS, encoding="utf-8")
    project.install("app.tasks")

    assert project.python("-c", RENTING).strip() == "done"
    fixture = block_with("docs/api.md", "python", "of_a_tenant").text
    project.write("app/tasks/tests/conftest.py", fixture)
    project.write("app/tasks/tests/test_tasks.py", OF_A_TENANT)
    belonging = block_with("docs/api.md", "python", "open_to_all").text
    project.write("app/tasks/tests/test_tenants.py", belonging)
    tested = project.run("python", "-m", "pytest", "-q", "app/tasks")
    assert tested.returncode == 0, tested.stdout
    text = (project.root / "app/tasks/models.py").read_text(encoding="utf-8")
    project.write("app/tasks/models.py", text + DAMAGE)
    tested = project.run("python", "-m", "pytest", "-q", "app/tasks/tests/test_tenants.py")
    assert "['Damage']" in tested.stdout, tested.stdout


DAMAGE = """
from sqlalchemy import ForeignKey


class Damage(Base):
    __tablename__ = "tasks_damage"
    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks_task.id"))
"""

TIDYING = """

from . import notes_bp


@notes_bp.cli.command("tidy")
def tidy():
    from sqlalchemy import delete
    from services import db
    from .models import Note

    db.session.execute(delete(Note))
    db.session.commit()
"""


def test_a_command_is_tested_as_documented(scaffold):
    write_files(scaffold, "app/notes/")
    scaffold.write("app/notes/cli.py", TIDYING)
    test = block_with("README.md", "python", "def test_tidy").text
    path = scaffold.root / "app/notes/tests/test_notes.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"from services import db\n{text}\n\n{test}", encoding="utf-8")
    scaffold.install("app.notes")

    tested = scaffold.run("python", "-m", "pytest", "-q", "app/notes", "-k", "tidy")

    assert "1 passed" in tested.stdout, tested.stdout


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


EVENTS = """
from sqlalchemy.orm import Mapped, mapped_column
from core.models import Base, Versioned

class Event(Versioned, Base):
    __tablename__ = "tickets_event"
    id: Mapped[int] = mapped_column(primary_key=True)
    sold: Mapped[int] = mapped_column(default=0)
    quota: Mapped[int]
"""
SELLING = """
from threading import Barrier, Thread
from app.tickets.models import Event
from app.tickets.selling import sell
from core.factory import create_app
from services import db
from werkzeug.exceptions import Conflict

application, told, all_are_there = create_app(), [], Barrier(8)
with application.app_context():
    db.create_all()
    db.session.add(Event(quota=10))
    db.session.commit()

def buy():
    with application.test_request_context():
        all_are_there.wait()
        try:
            sell(1, 2)
            db.session.commit()
            told.append("sold")
        except Conflict:
            told.append("none left")

buyers = [Thread(target=buy) for _ in range(8)]
for one in buyers:
    one.start()
for one in buyers:
    one.join()
with application.app_context():
    event = db.session.get(Event, 1)
    print(told.count("sold"), told.count("none left"), event.sold, event.version)
"""


def test_the_last_seats_of_the_document_are_sold_once(scaffold, database_url):
    project = scaffold.on(database_url)
    project.add_module("tickets", EVENTS)
    project.write("app/tickets/selling.py", block_with("docs/api.md", "python", "def sell").text)

    assert project.python("-c", SELLING).strip() == "5 3 10 6"


KEPT = """
from app.tasks.models import Project, Task
from core.factory import create_app
from core.paging import options_of
from services import db
from sqlalchemy import select

application = create_app()
with application.app_context():
    db.create_all()
    projects = [Project(name="Move"), Project(name="Stay")]
    db.session.add_all(projects)
    db.session.flush()
    db.session.add_all(Task(title=str(n), project_id=projects[n % 2].id) for n in range(6))
    db.session.commit()
client, url = application.test_client(), "/api/v1/tasks"

def listed(query=""):
    body = client.get(f"{url}?sort=id&count=exact{query}").json
    return [task["title"] for task in body["data"]], body["meta"]["total"]

assert client.delete(f"{url}/1").status_code == 204
assert [client.get(f"{url}/{id}").status_code for id in (1, 2)] == [404, 200]
for method in ("PATCH", "DELETE"):
    assert client.open(f"{url}/1", method=method, json={"title": "x"}).status_code == 404, method
assert listed() == (["1", "2", "3", "4", "5"], 5), listed()
assert listed("&filter[project_id]=2") == (["1", "3", "5"], 3)
with application.app_context():
    db.session.get(Project, 2).deleted_at = db.session.get(Project, 2).created_at
    db.session.commit()
assert listed() == (["1", "2", "3", "4", "5"], 5), listed()
shown = {task["title"]: task["project"] for task in client.get(url).json["data"]}
assert (shown["1"], shown["2"]) == (None, {"name": "Move"}), shown
with application.test_request_context(url):
    assert options_of(Project, 9) == [("1", "Move")]
    from core.export import csv_of
    assert len(csv_of(Task, ("title",)).get_data(as_text=True).split()) == 6
    from core.rest import page_of
    from app.tasks.resources import task_schema
    gone = select(Task).where(Task.deleted_at.is_not(None)).execution_options(with_deleted=True)
with application.test_request_context(f"{url}?per_page=1&count=exact"):
    assert page_of(task_schema, gone).json["meta"]["total"] == 1
from core.rest import check_match, item
for match, status in (({}, 200), ({"If-Match": '"other"'}, 412)):
    with application.test_request_context(url, method="PUT", headers=match):
        task = db.session.scalars(gone).one()
        tag = item(task_schema, task, statement=gone).headers["ETag"]
        try:
            check_match(task_schema, task, gone)
        except Exception as refusal:
            assert refusal.code == status, refusal
        else:
            assert status == 200
made = [client.post(url, json={"title": "0", "project_id": 1}).status_code for _ in range(2)]
assert made == AGAIN, made
with application.app_context():
    db.engine.dispose()
print("done")
"""
FILED = """

class Project(Deletable, Timestamps, Base):
    __tablename__ = "tasks_project"
    listing = Listing(label="name")
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))


class Task"""


def test_what_is_deleted_as_the_document_says_is_hidden_and_kept(scaffold, database_url):
    project = scaffold.on(database_url)
    write_files(project, "app/tasks/")
    listener = block_with("docs/api.md", "python", "without_the_deleted").text
    models = (project.root / "app/tasks/models.py").read_text(encoding="utf-8")
    index = re.search(r"`(Index\(.*?\))`; MariaDB", read("docs/api.md"))[1]
    models = models.replace("(120), unique=True)", "(120))").replace('("done",)', '("project_id",)')
    head, _, task = models.partition("\n\nclass Task")
    task = task.replace("(Timestamps", "(Deletable, Timestamps").replace(
        '"tasks_task"\n',
        f'"tasks_task"\n    __table_args__ = ({index},)\n'
        '    project_id: Mapped[int] = mapped_column(ForeignKey("tasks_project.id"))\n'
        '    project: Mapped[Project] = relationship(lazy="joined")\n',
    )
    more = (
        "from sqlalchemy import ForeignKey, Index, text\nfrom sqlalchemy.orm import relationship\n"
    )
    project.write("app/tasks/models.py", f"{more}{head}\n{listener}\n{FILED}{task}")
    project.write(
        "app/tasks/schemas.py",
        "from marshmallow import fields\n"
        "from core.schemas import Schema\n"
        "from .models import Project, Task\n"
        "class ProjectSchema(Schema):\n"
        "    class Meta(Schema.Meta):\n"
        "        model, fields = Project, ('name',)\n"
        "class TaskSchema(Schema):\n"
        "    class Meta(Schema.Meta):\n"
        "        model, include_fk, exclude = Task, True, ('deleted_at',)\n"
        "    project = fields.Nested(ProjectSchema, dump_only=True, allow_none=True)\n",
    )
    resources = "app/tasks/resources.py"
    kept = block_with("docs/api.md", "python", "into the bin").text
    handler = '    def delete(self, id):\n        """Delete a task."""\n'
    project.replace(resources, f"{handler}        return delete(task_schema, id)\n", kept)
    more = "from core.models import utcnow\nfrom core.rest import check_match\n"
    project.replace(resources, "from . import", f"{more}from services import db\nfrom . import")
    project.replace(resources, "from .schemas", "from .models import Task\nfrom .schemas")
    project.install("app.tasks")
    # MariaDB has the index without its condition: a name stays taken.
    again = "[409, 409]" if database_url.startswith("mariadb") else "[201, 409]"

    assert project.python("-c", KEPT.replace("AGAIN", again)).strip() == "done"


SHELVES = """
import enum
from datetime import date
from decimal import Decimal
from sqlalchemy import ForeignKey, Numeric, String
from sqlalchemy.orm import Mapped, mapped_column
from core.models import Base, Timestamps, Versioned

class Kind(enum.Enum):
    OLD = "old"
    NEW = "new"

class Book(Timestamps, Versioned, Base):
    __tablename__ = "shelves_book"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelves_shelf.id"))
    kind: Mapped[Kind]
    price: Mapped[Decimal] = mapped_column(Numeric(8, 2))
    lent: Mapped[bool]
    day: Mapped[date | None]

class Shelf(Base):
    __tablename__ = "shelves_shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
"""
FILL = """
from run import app
from app.shelves.models import *
from services import db

with app.app_context():
    db.session.add(Shelf(name="Añil"))
    db.session.flush()
    for number in range(1500):
        book = Book(shelf_id=1, kind=Kind.NEW, price=Decimal(number) / 100, lent=number % 2 == 0)
        db.session.add(book)
    book.day = date(2026, 2, 28)
    db.session.commit()
"""
SHOW = """
from run import app
from app.shelves.models import *
from services import db
from sqlalchemy import select

with app.app_context():
    for model in (Shelf, Book):
        for row in db.session.execute(select(model.__table__).order_by(model.id)):
            print(*row)
"""
ADD = """
from run import app
from app.shelves.models import *
from services import db

with app.app_context():
    shelf = Shelf(name="Later")
    db.session.add(shelf)
    db.session.commit()
    print(shelf.id)
"""


@pytest.mark.structure
@pytest.mark.postgresql
@mostly_on("sqlite")
def test_the_rows_move_to_another_database_as_documented(scaffold, database_url, tmp_path):
    document = "docs/operations.md"
    upgrade, move = block_with(document, "sh", "python move.py").commands
    scaffold.add_module("shelves", SHELVES)
    scaffold.write("move.py", block_with(document, "python", "move.py").text)
    old = scaffold.on(database_url)
    old.revision()
    old.alembic("upgrade", "head")
    old.python("-c", FILL)

    with empty_database("postgresql", tmp_path, "moved") as url:
        new = scaffold.on(url)
        new.alembic(*upgrade[2:])
        scaffold.python(move[1], database_url, url)
        moved, kept = (project.python("-c", SHOW) for project in (new, old))
        added = new.python("-c", ADD)

    assert moved == kept
    assert len(moved.splitlines()) == 1501
    assert added == "2\n"


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


OUTBOX = """
import os
import smtplib
from run import app
from app.mail.models import Mail
from services import db

class SMTP:
    def __init__(self, host, port, timeout):
        self.steps = [host, port, timeout > 0]
        opened.append(self.steps)
    def starttls(self, context):
        self.steps.append(context.check_hostname)
    def login(self, *account):
        self.steps.append(account)
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
    def send_message(self, message):
        if message["To"] == "none@example.com":
            raise smtplib.SMTPRecipientsRefused({})
        if message["Subject"] == "late" and len(taken) < 2:
            raise smtplib.SMTPServerDisconnected("away")
        assert message["Message-ID"].endswith("@example.com>") and message["Date"]
        taken.append((message["To"], message["Subject"], message.get_content()))

smtplib.SMTP, taken, opened = SMTP, [], []
with app.app_context():
    for recipient in ('"', "a\\n"):
        db.session.add(Mail(recipient=recipient, subject="no address", text="-"))
    for recipient, subject in (("me", "one"), ("none", "two"), ("you", "three"), ("me", "late")):
        db.session.add(Mail(recipient=f"{recipient}@example.com", subject=subject, text="Añil"))
    db.session.commit()
    db.session.add(Mail(recipient="me@example.com", subject="undone", text="-"))
    db.session.flush()
    db.session.rollback()
runner = app.test_cli_runner()
assert runner.invoke(args=["mail", "send"]).exit_code == 0
os.environ.update(MAIL_SERVER="smtp.example.com:587", MAIL_USER="shop", MAIL_PASSWORD="word")
assert runner.invoke(args=["mail", "send"]).exit_code == 0
provider = ["smtp.example.com", 587, True, True, ("shop", "word")]
assert opened == [["localhost", 25, True], provider], opened
assert [subject for _, subject, _ in taken] == ["one", "three", "late"], taken
assert taken[0] == ("me@example.com", "one", "Añil\\n")
with app.app_context():
    states = db.session.scalars(db.select(Mail.state).order_by(Mail.id)).all()
assert states == ["refused", "refused", "sent", "refused", "sent", "sent"], states
print("done")
"""


@pytest.mark.structure
@mostly_on("postgresql")
def test_the_outbox_of_the_document_sends_what_was_committed(scaffold, database_url):
    project = scaffold.on(database_url)
    for block in blocks("docs/growing.md"):
        if block.path:
            project.write(block.path, block.text)
    project.install("app.mail")
    project.revision()
    project.alembic("upgrade", "head")

    assert project.having(MAIL_SERVER="localhost").python("-c", OUTBOX).startswith("done")
    with connected(database_url) as connection:
        connection.exec_driver_sql("UPDATE mail_mail SET state = 'waiting' WHERE subject = 'one'")
    away = project.having(MAIL_SERVER="127.0.0.1:1").run("flask", "mail", "send")
    assert away.stderr.startswith("Error: MAIL_SERVER 127.0.0.1:1 cannot be used: "), away.stderr
    shown = project.run("flask", "mail", "send")
    assert "To: me@example.com\nSubject: one\n\nAñil\n" in shown.stdout, shown.stderr


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
