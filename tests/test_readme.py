"""Holds the README to its word, and all documents to what they share."""

import json
import os
import re
from itertools import pairwise
from urllib.request import Request, urlopen

import pytest
from flask import url_for
from jinja2 import Environment

import config
from core.security import content_security_policy
from core.setting import DEFAULTS
from tests.documents import (
    DOCUMENTS,
    INSERT_NOTE,
    KEY,
    ROOT,
    add_module,
    block_with,
    blocks,
    prose,
    read,
    table_under,
    write_files,
)
from tests.project import PYTHON, mostly_on

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
# Blocks in these languages are typed in or saved: not a letter may differ. The words in the others
# are translated.
EXACT = {"sh", "powershell", "python", "jinja", "sql"}


def headings(document: str) -> list[tuple[str, str]]:
    return re.findall(r"^(#+) (.+)$", prose(document), re.MULTILINE)


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


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_requirements_file_exists(document):
    named = re.findall(r"-r (requirements\S*\.txt)", read(document))

    assert [name for name in named if not (ROOT / name).is_file()] == []


# What they tell the reader to do


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

    with project.serving() as url:
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


@pytest.mark.structure
def test_the_code_of_the_documents_passes_the_linter(scaffold):
    for document in DOCUMENTS:
        for block in blocks(document, "python"):
            if block.path:
                scaffold.write(block.path, block.text)

    assert "All checks passed!" in scaffold.run("ruff", "check", "app").stdout
    assert "already formatted" in scaffold.run("ruff", "format", "--check", "app").stdout


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
    with project.serving() as url:
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
