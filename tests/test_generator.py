"""`flask generate`: what it writes works as it is, what it refuses it explains."""

import re
import subprocess
import sys

import click
import pytest

import config
from core.generator import command
from core.generator.additions import joined, with_link
from core.generator.attributes import KINDS, Spec, read
from tests.project import ENGINES, PYTHON

EVERY_TYPE = [
    "name:string:80:unique",
    "price:money",
    "stock:integer:unique",
    "weight:decimal:optional",
    "notes:text:optional",
    "status:enum:draft,on_sale",
    "size:enum:S,XXL",
    "sold_on:date:optional",
    "seen_at:datetime",
    "visible:boolean",
    "insured:boolean:optional",
]


@pytest.fixture
def shop(scaffold):
    """A copy with generated modules: pages, an API, and both with records of the first."""

    def generate(module, *arguments):
        scaffold.python("-m", "flask", "generate", module, *arguments)
        scaffold.add_entry(f"app.{module}")

    # A model that gives its module the name, and one with an irregular plural.
    generate("clients", "Client", "name:string", "tax_number:string:20:unique")
    generate("tasks", "Task", "title:string", "code:string:2:unique", "--api")
    client = "client:references:app.clients.models.Client"
    referrer = "referrer:references:app.clients.models.Client:optional"
    mice = ["ShelfMouse", *EVERY_TYPE, client, referrer, "--plural", "shelf_mice"]
    generate("shop", *mice, "--both")
    # Further ones go into modules that are there; an enum's name may be taken.
    mouse = "mouse:references:app.shop.models.ShelfMouse"
    order = ["Order", "number:string:20:unique", "status:enum:open,sent", "due:date", client, mouse]
    scaffold.python("-m", "flask", "generate", "shop", *order, "--both")
    item = ["OrderItem", "name:string:40", "order:references:app.shop.models.Order"]
    scaffold.python("-m", "flask", "generate", "shop", *item, "--both")
    scaffold.python("-m", "flask", "generate", "tasks", "Step", "title:string", "--api")
    return scaffold


@pytest.mark.structure
def test_what_is_generated_passes_its_tests_and_the_checks(shop):
    modules = ("app/clients", "app/tasks", "app/shop")

    shop.revision()
    shop.alembic("upgrade", "head")
    untranslated = shop.run(PYTHON, "scripts/translations.py").stdout

    assert "'Clients'" in untranslated
    # What all generated modules say, core has in Spanish.
    assert "was created" not in untranslated
    assert " passed" in shop.python("-m", "pytest", "-q", *modules)
    shop.python("-m", "ruff", "check", *modules)
    shop.python("-m", "ruff", "format", "--check", *modules)
    shop.python("-m", "djlint", "--quiet", "--check", *modules)


@pytest.mark.parametrize(("currency", "places"), [("USD", 2), ("CLP", 0), ("KWD", 3)])
def test_money_has_the_places_of_the_currency(monkeypatch, currency, places):
    monkeypatch.setattr("settings.CURRENCY", currency)

    assert f"Numeric(12, {places})" in read("price:money").declaration


@pytest.mark.structure
@pytest.mark.parametrize(
    "attributes", [["name:string"], ["name:string", "size:enum:s,m", "day:date"]]
)
def test_short_names_need_no_formatter(app, tmp_path, attributes):
    spec = Spec("shop", "Article", "articles", [read(one) for one in attributes], True, True)
    for path, text in command.files(spec).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    line = [sys.executable, "-m", "ruff", "format", "--check", "--line-length=100", str(tmp_path)]
    result = subprocess.run(line, capture_output=True, text=True, check=False)

    assert (result.stderr, result.returncode) == ("", 0), result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_what_is_generated_migrates_on_each_engine(shop, database_url):
    on_engine = shop.on(database_url)

    on_engine.revision()
    on_engine.alembic("upgrade", "head")
    on_engine.alembic("check")


@pytest.mark.slow
def test_what_is_generated_has_the_types_that_it_says(shop):
    files = [str(path) for path in shop.root.glob("app/*/*.py")]

    shop.python("-m", "mypy", *files)


@pytest.fixture
def generate(app, tmp_path, monkeypatch):
    """Run the command in an empty folder; return its output, of a refusal too."""
    monkeypatch.setattr(command, "BASE_DIR", tmp_path)

    def generate(text):
        return app.test_cli_runner().invoke(args=["generate", *text.split()]).output

    return generate


def test_it_says_what_it_wrote_and_what_comes_next(generate, tmp_path):
    output = generate("drawers Drawer title:string")

    assert "wrote app/drawers/models.py" in output
    assert 'Add "app.drawers", to INSTALLED_APPS' in output
    assert (tmp_path / "app/drawers/tests/test_pages.py").exists()


@pytest.mark.parametrize("document", ["README.md", "README.es.md"])
def test_what_the_readme_shows_is_taken(generate, document):
    text = (config.BASE_DIR / document).read_text(encoding="utf-8")
    line = re.search("^flask generate (.+)$", text, re.MULTILINE)[1]
    table = re.search(r"^\| `string`.*?\n\n", text, re.MULTILINE | re.DOTALL)[0]

    assert "wrote app/shop/models.py" in generate(line)
    for example in re.findall(r"\| `([^`]+)` \|$", table, re.MULTILINE):
        name = example.partition(":")[0]
        assert name == "client" or read(example).name == name
    assert set(re.findall(r"`(\w+)`", table)) == set(KINDS)


def test_it_writes_over_nothing(generate, tmp_path):
    models = tmp_path / "app/drawers/models.py"
    models.parent.mkdir(parents=True)
    models.write_text("mine")

    assert "app/drawers exists and is not listed" in generate("drawers Drawer title:string")
    assert [*models.parent.iterdir()] == [models]
    assert models.read_text() == "mine"


MESSY = '''"""The tables."""

import enum
from decimal import (
    Decimal,
)

from sqlalchemy import String  # where texts are
from core.models import Base
from .x import a as b


class Status(enum.Enum):
    ON = "on"
'''
FURTHER = '''"""The table."""

import enum
from decimal import Decimal

from sqlalchemy import Numeric, String

from core.models import Base, Versioned

from .x import c


class Order(Versioned, Base):
    pass
'''


def test_a_further_model_stands_behind_the_others_with_its_imports():
    text = joined("app/shop/models.py", MESSY, FURTHER)

    assert text == (
        MESSY.replace("import Base", "import Base, Versioned").replace(
            "import a as b\n", "import a as b, c\nfrom sqlalchemy import Numeric\n"
        )
        + "\n\nclass Order(Versioned, Base):\n    pass\n"
    )


def test_a_further_model_takes_no_name_of_another():
    with pytest.raises(click.ClickException, match=r"app/shop/models\.py has Order already"):
        joined("app/shop/models.py", "Order = 1\n", FURTHER)
    for old, new in [
        ("from a import B\n", "from c import B\n"),
        ("from a import B\n", "class B:\n    pass\n"),
        ("class B:\n    pass\n", "from a import D as B\n"),
        ("import b.c\n", "from a import b\n"),
    ]:
        with pytest.raises(click.ClickException, match="already"):
            joined("app/shop/forms.py", old, new)


@pytest.mark.parametrize(
    ("menu", "longer"),
    [
        ("MENU = [A, B]\nx = 1\n", "MENU = [A, B, C]\nx = 1\n"),
        ('MENU = [\n    ("añil", _l("Añil")),\n]\n', 'MENU = [\n    ("añil", _l("Añil")), C,\n]\n'),
        ("MENU = links()\n", None),
        ("MENU = []\n", None),
        ("", None),
    ],
)
def test_the_menu_gets_a_link_if_it_is_a_list(menu, longer):
    assert with_link(menu, "C") == longer


def test_pretending_writes_nothing(generate, tmp_path):
    assert "would write app/drawers/models.py" in generate("drawers Drawer title:string --pretend")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("1shop Order name:string", "cannot use the name '1shop'"),
        ("class Order name:string", "cannot use the name 'class'"),
        ("../shop Order name:string", "cannot use the name '../shop'"),
        ("año Order name:string", "of the letters a to z without accents"),
        ("core Order name:string", "A blueprint is called 'core'"),
        ("static Order name:string", "app/static/ is for what is no module"),
        ("shop order name:string", "begin with a capital letter, as in Order"),
        ("shop Page name:string", "calls something else page"),
        ("shop Session name:string", "calls something else session"),
        ("shop Money name:string", "calls something else money"),
        ("shop Loop name:string", "calls something else loop"),
        ("shop Item name:string --api", "calls something else item"),
        ("shop Schema name:string --api", "would be called Schema"),
        ("shop Order name:string order:enum:a,b", "would be called Order"),
        ("shop Pizza name:string base:enum:thin,thick", "would be called Base"),
        ("shop List name:string", "cannot use the name 'list'"),
        ("shop Sheep name:string --plural sheep", "as --plural sheep_list"),
        (f"shop {'Order' * 12} name:string", "is longer than 63"),
        ("shop Order name:string --api --plural openapi.json", "cannot use the name"),
        ("shop Order", "Missing argument"),
        ("shop Order count:integer", "the first attribute names the record"),
        ("shop Order name:string:optional", "the first attribute names the record"),
        ("shop Order name:string:5", "of at least 6 letters"),
        ("shop Order name:string name:text", "named twice"),
        ("shop Order name", "'name' has no type: write name:TYPE"),
        ("shop Order name:words", "has no type: write name:TYPE, one of string, text"),
        ("shop Order name:string:long", "write name:string:120"),
        ("shop Order name:string:0", "write name:string:120"),
        ("shop Order name:string note:text:unique", "write note:string:200:unique"),
        ("shop Order name:string size:integer:7", "write size:integer"),
        ("shop Order name:string state:enum", "write state:enum:draft,active"),
        ("shop Order name:string state:enum:Draft", "write state:enum:draft,active"),
        ("shop Order name:string state:enum:a,a", "write state:enum:draft,active"),
        ("shop Order name:string state:enum:a,A", "write state:enum:draft,active"),
        (f"shop Order name:string state:enum:{'a' * 33}", "write state:enum:draft,active"),
        ("shop Order name:string client:references", "references:app.clients.models.Client"),
        (f"shop Order {'n' * 61}:string", "is longer than 60 letters"),
        ("shop Order name:string client:references:os.path", "references:app.clients.models.Cl"),
        ("shop Order name:string base:references:core.models.Base", "key is a whole number"),
        ("shop Order name:string version:integer", "cannot be called 'version'"),
        ("shop Order name:string metadata:text", "cannot be called 'metadata'"),
        ("shop Order name:string meta:text", "cannot be called 'meta'"),
        ("shop Order name:string self:string", "cannot be called 'self'"),
        ("shop Order name:string bool:boolean", "cannot be called 'bool'"),
        ("shop Order name:string data:text", "cannot be called 'data'"),
        ("shop Order name:string date:date", "cannot be called 'date'"),
        ("shop Order name:string Total:money", "cannot be called 'Total'"),
        ("shop Order name:string from:text", "cannot be called 'from'"),
    ],
)
def test_what_it_cannot_do_is_said_with_the_remedy(generate, tmp_path, arguments, message):
    assert message in generate(arguments)
    assert not any(tmp_path.iterdir())
