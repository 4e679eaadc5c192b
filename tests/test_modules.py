"""The module contract: what a listed module may be, and each refusal, sentence for sentence."""

import importlib
import sys
from pathlib import Path

import pytest

from core.module_errors import ModuleError

BLUEPRINT = (
    "from flask import Blueprint\n\nbp = Blueprint({name!r}, __name__, url_prefix='/{name}')\n"
)
MODELS = """
from sqlalchemy.orm import Mapped, mapped_column
from core.models import Base

class Record(Base):
    __tablename__ = {table!r}
    id: Mapped[int] = mapped_column(primary_key=True)
"""
OWN_BASE_MODELS = """
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Record(Base):
    __tablename__ = {table!r}
    id: Mapped[int] = mapped_column(primary_key=True)
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write modules without tables into lab/, a package that exists for one test."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, init, **files):
        folder = tmp_path / "lab" / name
        folder.mkdir(parents=True)
        (tmp_path / "lab" / "__init__.py").touch()
        for file, text in {"__init__": init, **files}.items():
            (folder / f"{file}.py").write_text(text)
        importlib.invalidate_caches()

    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] == "lab"]:
        del sys.modules[name]


def refusal(make_app, *entries):
    with pytest.raises(ModuleError) as caught:
        make_app(entries)
    return caught.value


def test_a_missing_module_is_refused(make_app):
    error = refusal(make_app, "app.nowhere")

    assert str(error) == (
        "INSTALLED_APPS lists 'app.nowhere', but there is no app/nowhere/__init__.py: "
        "create it or remove the entry."
    )


def test_a_comma_that_is_missing_is_told(make_app):
    error = refusal(make_app, "app.oneapp.two")

    assert "write a comma between the two entries, or create it" in str(error)


def test_a_module_in_a_missing_package_is_refused(make_app):
    error = refusal(make_app, "apps.shop")

    assert str(error) == (
        "INSTALLED_APPS lists 'apps.shop', but there is no apps/shop/__init__.py: "
        "create it or remove the entry."
    )


def test_a_folder_without_an_init_file_is_refused(make_app, package, tmp_path):
    package("bare", "")
    (tmp_path / "lab" / "bare" / "__init__.py").unlink()

    error = refusal(make_app, "lab.bare")

    assert str(error) == (
        "INSTALLED_APPS lists 'lab.bare', but there is no lab/bare/__init__.py: "
        "create it or remove the entry."
    )


def test_a_file_in_place_of_a_folder_is_refused(make_app, package, tmp_path):
    package("other", "")
    (tmp_path / "lab" / "single.py").write_text(BLUEPRINT.format(name="single"))

    error = refusal(make_app, "lab.single")

    assert str(error) == (
        "INSTALLED_APPS lists 'lab.single', but there is no lab/single/__init__.py: "
        "create it or remove the entry."
    )


def test_a_module_that_fails_to_import_is_refused_with_its_cause(make_app, package):
    package("broken", "import nothing_of_this_name\n")

    error = refusal(make_app, "lab.broken")

    assert str(error) == (
        "INSTALLED_APPS lists 'lab.broken', but importing it failed with ModuleNotFoundError: "
        "No module named 'nothing_of_this_name': install that package (requirements-app.in, then "
        "make lock), mend lab/broken/__init__.py, line 1, or remove the entry."
    )
    assert isinstance(error.__cause__, ModuleNotFoundError)
    assert error.__cause__.name == "nothing_of_this_name"


def test_a_module_whose_models_fail_to_import_is_refused(make_app, package):
    package("shaky", BLUEPRINT.format(name="shaky"), models="1 / 0\n")

    error = refusal(make_app, "lab.shaky")

    assert str(error) == (
        "INSTALLED_APPS lists 'lab.shaky', but importing it failed with ZeroDivisionError: "
        "division by zero: mend lab/shaky/models.py, line 1, or remove the entry."
    )
    assert isinstance(error.__cause__, ZeroDivisionError)


def test_the_line_of_a_syntax_error_is_told(make_app, package):
    package("shaky", BLUEPRINT.format(name="shaky"), models="x = 1\ny = (\n")

    assert "mend lab/shaky/models.py, line 2, or remove" in str(refusal(make_app, "lab.shaky"))


def test_two_views_of_one_name_are_refused(make_app, package):
    page = "bp.add_url_rule('/{0}', 'page', lambda: '{0}')\n"
    init = BLUEPRINT.format(name="twofold") + page.format("one") + page.format("two")
    package("twofold", init)

    assert str(refusal(make_app, "lab.twofold")) == (
        "INSTALLED_APPS lists 'lab.twofold', whose blueprint 'twofold' cannot be registered (View "
        "function mapping is overwriting an existing endpoint function: twofold.page): mend it: no "
        "two of its views have one name."
    )


def test_a_module_without_a_blueprint_is_refused(make_app, package):
    package("plain", "from tests.sample import sample_bp\n")

    error = refusal(make_app, "lab.plain")

    assert str(error) == (
        "INSTALLED_APPS lists 'lab.plain', but lab/plain/__init__.py makes no Blueprint: add "
        "bp = Blueprint('plain', __name__) or remove the entry."
    )


def test_a_module_that_is_listed_twice_is_refused(make_app):
    error = refusal(make_app, "tests.sample", "tests.sample")

    assert str(error) == "INSTALLED_APPS lists 'tests.sample' twice: remove one of the two."


def test_a_blueprint_with_the_name_of_another_is_refused(make_app, package):
    package("copy", BLUEPRINT.format(name="sample"))

    error = refusal(make_app, "tests.sample", "lab.copy")

    assert str(error) == (
        "INSTALLED_APPS lists 'lab.copy', whose blueprint 'sample' has the name of the one in "
        "tests.sample: give it another name in Blueprint(...)."
    )


@pytest.mark.parametrize("name", ["core", "bootstrap"])
def test_a_blueprint_with_a_name_of_the_scaffold_is_refused(make_app, package, name):
    package(f"own_{name}", BLUEPRINT.format(name=name))

    error = refusal(make_app, f"lab.own_{name}")

    assert str(error) == (
        f"INSTALLED_APPS lists 'lab.own_{name}', whose blueprint {name!r} has the name of the one "
        "in the scaffold: give it another name in Blueprint(...)."
    )


@pytest.mark.parametrize("name", ["my-notes", "1st", "class", "mi módulo"])
def test_a_name_that_python_cannot_import_is_refused(make_app, package, name):
    package(name, BLUEPRINT.format(name="plain"))

    error = refusal(make_app, f"lab.{name}")

    assert str(error) == (
        f"INSTALLED_APPS lists 'lab.{name}', which is no name that Python can import: rename it, "
        "by letters, digits and _ that begin with a letter and are no keyword."
    )


@pytest.mark.parametrize(
    "menu",
    [
        "5",
        '["away.page"]',
        '("away.page", "Page")',
        '{"away.page": "Page"}',
        '[(["away"], "Page")]',
    ],
)
def test_a_menu_of_another_shape_is_refused(make_app, package, menu):
    page = "bp.add_url_rule('/', 'page', lambda: '')\n"
    package("away", f"{BLUEPRINT.format(name='away')}{page}MENU = {menu}\n")

    error = refusal(make_app, "lab.away")

    assert str(error) == (
        "INSTALLED_APPS lists 'lab.away', whose MENU is no list of pairs of an endpoint and a "
        'text: write it as MENU = [("notes.note_index", "Notes")].'
    )


def test_a_menu_that_leads_to_no_page_is_told_which_there_are(make_app, package):
    package(
        "away",
        f"{BLUEPRINT.format(name='away')}"
        "bp.add_url_rule('/', 'list', lambda: '')\n"
        "bp.add_url_rule('/new', 'new', lambda: '')\n"
        "bp.add_url_rule('/<int:id>', 'show', lambda id: '')\n"
        "bp.add_url_rule('/send', 'send', lambda: '', methods=['POST'])\n"
        "MENU = [('away.list', 'List'), ('away.ENDPOINT', 'Other')]\n",
    )
    init = sys.path[0] + "/lab/away/__init__.py"
    text = Path(init).read_text()
    causes = {}

    for name in ("show", "send", "index"):
        Path(init).write_text(text.replace("ENDPOINT", name))
        sys.modules.pop("lab.away", None)
        causes[name] = str(refusal(make_app, "lab.away")).partition(", which ")[2]

    remedy = "name one of its own ('away.list', 'away.new')."
    assert causes == {
        "show": f"needs arguments or takes no GET: {remedy}",
        "send": f"needs arguments or takes no GET: {remedy}",
        "index": f"does not exist: {remedy}",
    }


def test_a_menu_may_lead_to_a_page_whose_arguments_have_defaults(make_app, package):
    package(
        "paged",
        f"{BLUEPRINT.format(name='paged')}"
        "@bp.get('/', defaults={'page': 1})\n"
        "@bp.get('/<int:page>')\n"
        "def list(page):\n"
        "    return ''\n"
        "MENU = [('paged.list', 'List')]\n",
    )

    page = make_app(["lab.paged"]).test_client().get("/").text

    assert 'href="/paged/"' in page


def test_a_column_named_metadata_is_refused(scaffold):
    column = "    metadata: Mapped[str] = mapped_column()\n"
    add(scaffold, "one", MODELS.format(table="one_record") + column)

    assert app_of(scaffold, "one") == (
        "INSTALLED_APPS lists 'app.one', whose model names a column metadata, which SQLAlchemy "
        "keeps for itself: write other = mapped_column('metadata') or choose another."
    )


@pytest.mark.parametrize("text", ['"Lost"', 'lazy_gettext("Lost")'], ids=["text", "lazy"])
def test_a_menu_that_leads_nowhere_is_refused(make_app, package, text):
    menu = f'\nfrom flask_babel import lazy_gettext\nMENU = [("lost.nowhere", {text})]\n'
    package("lost", BLUEPRINT.format(name="lost") + menu)

    error = refusal(make_app, "lab.lost")

    assert str(error) == (
        "INSTALLED_APPS lists 'lab.lost', whose MENU leads 'Lost' to the endpoint 'lost.nowhere', "
        "which does not exist: write a page, or import its file (from . import routes) in "
        "__init__.py."
    )


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        pytest.param("/sample/things", "GET /sample/things", id="plain"),
        pytest.param(
            "/sample/things/<int:number>/edit",
            "GET /sample/things/<int:number>/edit",
            id="argument-of-another-name",
        ),
    ],
)
def test_a_url_that_two_blueprints_answer_is_refused(make_app, package, rule, shown):
    package(
        "rival",
        "from flask import Blueprint\n\n"
        "bp = Blueprint('rival', __name__)\n"
        f"bp.add_url_rule({rule!r}, 'page', lambda **_: '')\n",
    )

    error = refusal(make_app, "tests.sample", "lab.rival")

    assert str(error) == (
        "INSTALLED_APPS lists modules whose blueprints 'sample' and 'rival' both answer "
        f"{shown}: give one of them another url_prefix."
    )


def test_two_blueprints_may_answer_different_methods_of_a_url(make_app, package):
    package(
        "partner",
        "from flask import Blueprint\n\n"
        "bp = Blueprint('partner', __name__)\n"
        "bp.add_url_rule('/sample/things', 'page', lambda: 'put', methods=['PUT'])\n",
    )
    application = make_app(["tests.sample", "lab.partner"], WTF_CSRF_ENABLED=False)

    answer = application.test_client().put("/sample/things")

    assert answer.text == "put"


def test_any_name_and_number_of_blueprints_is_served(make_app, package):
    package(
        "pair",
        "from flask import Blueprint\n\n"
        "one = Blueprint('left', __name__, url_prefix='/left')\n"
        "two = Blueprint('right', __name__, url_prefix='/right')\n"
        "one.add_url_rule('/', 'page', lambda: 'left')\n"
        "two.add_url_rule('/', 'page', lambda: 'right')\n",
    )
    client = make_app(["lab.pair"]).test_client()

    texts = [client.get("/left/").text, client.get("/right/").text]

    assert texts == ["left", "right"]


def test_a_blueprint_of_another_package_is_left_to_its_owner(make_app, package):
    package(
        "guest",
        f"{BLUEPRINT.format(name='guest')}from tests.sample import sample_bp\n",
    )

    application = make_app(["lab.guest"])

    assert "guest" in application.blueprints
    assert "sample" not in application.blueprints


def test_a_nested_blueprint_is_registered_once_under_its_parent(make_app, package):
    package(
        "nest",
        "from flask import Blueprint\n\n"
        "child = Blueprint('child', __name__, url_prefix='/child')\n"
        "parent = Blueprint('parent', __name__, url_prefix='/parent')\n"
        "child.add_url_rule('/', 'page', lambda: 'child')\n"
        "parent.register_blueprint(child)\n",
    )

    application = make_app(["lab.nest"])

    rules = [rule.rule for rule in application.url_map.iter_rules() if "child" in rule.endpoint]
    assert rules == ["/parent/child/"]


def test_models_may_import_what_works_in_a_request_only(make_app, package):
    init = BLUEPRINT.format(name="proxied")
    package("proxied", init, models="from flask import current_app, g\n")

    application = make_app(["lab.proxied"])

    assert application.extensions["modules"][0].metadata == []


def test_a_command_in_cli_py_is_found(app):
    result = app.test_cli_runner().invoke(args=["sample", "greet"])

    assert result.output == "Hello from the sample.\n"


def test_the_menu_of_a_module_stands_on_every_page(client):
    page = client.get("/sample/things").text

    assert 'href="/sample/things"' in page.partition("</nav>")[0]


def app_of(scaffold, *names):
    """Return what starting with these modules in a process of its own says."""
    scaffold.install(*(f"app.{name}" for name in names))
    code = (
        "from core.factory import create_app\n"
        "from core.module_errors import ModuleError\n"
        "from core.modules import installed_metadata\n"
        "try:\n"
        "    app = create_app()\n"
        "    with app.app_context():\n"
        "        print(sorted(t for m in installed_metadata() for t in m.tables))\n"
        "except ModuleError as error:\n"
        "    print(error)\n"
    )
    return scaffold.python("-c", code).strip()


def add(scaffold, name, models):
    scaffold.write(f"app/{name}/__init__.py", BLUEPRINT.format(name=name))
    scaffold.write(f"app/{name}/models.py", models)


@pytest.mark.parametrize("path", ["title.name", "folder.name", "folder.", "."])
def test_a_search_of_what_is_no_relationship_is_refused(scaffold, path):
    head = "from core.listing import Listing\n"
    listing = f"    listing = Listing(search=({path!r},), default='id')\n"
    add(scaffold, "one", head + MODELS.format(table="one_record") + listing)

    assert app_of(scaffold, "one").endswith(
        f" names {path!r} in the search of its listing: name a relationship before each dot, and "
        "a column behind the last."
    )


def test_a_table_that_two_modules_declare_is_refused(scaffold):
    add(scaffold, "one", MODELS.format(table="record"))
    add(scaffold, "two", MODELS.format(table="record"))

    assert app_of(scaffold, "one", "two") == (
        "INSTALLED_APPS lists 'app.two', whose table 'record' exists already, in 'app.one': give "
        "it another __tablename__, for example 'two_record'."
    )


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("search", ("id", "nam")),
        ("filters", ("nam",)),
        ("sort", ("nam",)),
        ("default", "id,-nam"),
        ("label", "nam"),
    ],
)
def test_a_listing_that_names_no_column_is_refused(scaffold, part, value):
    head = "from core.listing import Listing\n"
    listing = f"    listing = Listing(**{ {'default': 'id', part: value}!r})\n"
    add(scaffold, "one", head + MODELS.format(table="one_record") + listing)

    assert app_of(scaffold, "one") == (
        f"INSTALLED_APPS lists 'app.one', whose model Record names 'nam' in the {part} of its "
        "listing: name a column of the model, or a column_property."
    )


FORMS = """
from flask import current_app
from wtforms import StringField
from core.forms import ModelForm
from .models import Record

class RecordForm(ModelForm):
    class Meta:
        model = Record
        fields = ("own", {name!r})

    own = StringField("Declared here")
"""


@pytest.mark.parametrize("name", ["id", "nam"])
def test_a_form_that_names_what_its_model_lacks_is_refused(scaffold, name):
    add(scaffold, "one", MODELS.format(table="one_record"))
    scaffold.write("app/one/forms.py", FORMS.format(name=name))
    scaffold.write("app/one/__init__.py", f"{BLUEPRINT.format(name='one')}from . import forms\n")

    refused = app_of(scaffold, "one")

    assert refused.startswith("INSTALLED_APPS") is (name == "nam")
    if name == "nam":
        assert refused.startswith(
            "INSTALLED_APPS lists 'app.one', whose form RecordForm names 'nam', which Record "
            "lacks: name what it has in Meta.fields: id"
        )


def test_a_listing_whose_single_name_has_no_comma_is_refused(scaffold):
    head = "from core.listing import Listing\n"
    listing = "    listing = Listing(default='id', filters=('name'))\n"
    add(scaffold, "one", head + MODELS.format(table="one_record") + listing)

    assert app_of(scaffold, "one") == (
        "INSTALLED_APPS lists 'app.one', whose model Record names 'name' in the filters of its "
        'listing: write a comma behind a single name, ("name",).'
    )


@pytest.mark.parametrize("part", ["search", "filters", "sort", "default"])
@pytest.mark.parametrize("kind", ["JSON", "JSONB", "LargeBinary", "ARRAY(JSON)"])
def test_a_listing_that_compares_what_cannot_be_is_refused(scaffold, part, kind):
    value = "data" if part == "default" else ("data",)
    head = (
        "from sqlalchemy import ARRAY, JSON, LargeBinary\n"
        "from sqlalchemy.dialects.postgresql import JSONB\n"
        "from core.listing import Listing\n"
    )
    listing = f"    listing = Listing(**{ {'default': 'id', part: value}!r})\n"
    own = f"    data = mapped_column({kind})\n{listing}"
    add(scaffold, "one", head + MODELS.format(table="one_record") + own)

    assert app_of(scaffold, "one") == (
        f"INSTALLED_APPS lists 'app.one', whose model Record names 'data' in the {part} of its "
        "listing: name a column that is neither JSON nor bytes nor a list."
    )


def test_a_listing_without_an_order_is_refused_for_a_model_without_an_id(scaffold):
    head = "from core.listing import Listing\n"
    models = MODELS.format(table="one_record").replace("    id:", "    key:")
    add(scaffold, "one", f"{head}{models}    listing = Listing(sort=('key',))\n")

    assert "names 'id' in the default of its listing" in app_of(scaffold, "one")


def test_a_broken_relationship_is_blamed_on_its_module_and_not_on_the_next(scaffold):
    broken = (
        "from sqlalchemy import ForeignKey\n"
        "from sqlalchemy.orm import relationship\n"
        f"{MODELS.format(table='one_record')}"
        "    other_id: Mapped[int] = mapped_column(ForeignKey('one_record.id'))\n"
        "    other: Mapped['Recrod'] = relationship()\n"
    )
    add(scaffold, "one", broken)
    add(scaffold, "two", MODELS.format(table="two_record").replace("Record", "Note"))
    # As a resource does whose schema looks at a model.
    use = "from sqlalchemy.orm import configure_mappers\nconfigure_mappers()\n"
    scaffold.write("app/two/__init__.py", f"{BLUEPRINT.format(name='two')}{use}")

    said = app_of(scaffold, "one", "two")

    assert said.startswith("INSTALLED_APPS lists 'app.one', whose model Record cannot be used (")
    assert said.endswith("): mend its relationships and their foreign keys.")


def test_a_relationship_to_one_of_two_models_of_a_name_is_told_how_to_say_which(scaffold):
    for name in ("one", "two"):
        models = MODELS.format(table=f"{name}_record")
        add(
            scaffold,
            name,
            f"from sqlalchemy import ForeignKey\n"
            f"from sqlalchemy.orm import relationship\n{models}"
            f"    other_id: Mapped[int | None] = mapped_column(ForeignKey('{name}_record.id'))\n"
            f"    other: Mapped['Record | None'] = relationship()\n",
        )

    said = app_of(scaffold, "one", "two")

    assert said.endswith(
        "write relationship(lambda: Name): another module has a model of that name."
    )


@pytest.mark.parametrize(
    "order", [("one", "two"), ("two", "one")], ids=["own-base-last", "own-base-first"]
)
def test_a_table_that_two_bases_declare_is_refused(scaffold, order):
    add(scaffold, "one", MODELS.format(table="record"))
    add(scaffold, "two", OWN_BASE_MODELS.format(table="record"))

    assert app_of(scaffold, *order) == (
        f"INSTALLED_APPS lists 'app.{order[1]}', whose table 'record' exists already, "
        f"in 'app.{order[0]}': give it another __tablename__, for example '{order[1]}_record'."
    )


def test_a_foreign_key_between_two_bases_is_refused(scaffold):
    add(scaffold, "one", MODELS.format(table="one_record"))
    key = "    one_id: Mapped[int] = mapped_column(ForeignKey('one_record.id'))\n"
    add(scaffold, "two", OWN_BASE_MODELS.format(table="two_record") + key)

    assert app_of(scaffold, "one", "two") == (
        "INSTALLED_APPS lists 'app.two', whose column Record.one_id is a foreign key to "
        "'one_record' of another declarative Base: put both on the scaffold's base "
        "(from core.models import Base)."
    )


def test_a_foreign_key_to_no_table_is_blamed_on_its_module_and_model(scaffold):
    add(scaffold, "one", MODELS.format(table="one_record"))
    key = "    one_id: Mapped[int] = mapped_column(ForeignKey('one_recrod.id'))\n"
    head = "from sqlalchemy import ForeignKey\n"
    models = MODELS.format(table="two_record").replace("Record", "Note")
    add(scaffold, "two", head + models + key)

    assert app_of(scaffold, "one", "two") == (
        "INSTALLED_APPS lists 'app.two', whose column Note.one_id is a foreign key to "
        "'one_recrod', a table that no listed module has: list the module of that table, or mend "
        "the name in ForeignKey(...)."
    )


def test_models_may_lie_in_a_folder(scaffold):
    add(scaffold, "one", MODELS.format(table="one_record"))
    key = "    one_id: Mapped[int] = mapped_column(ForeignKey('one_recrod.id'))\n"
    models = MODELS.format(table="two_record").replace("Record", "Note")
    scaffold.write("app/two/__init__.py", BLUEPRINT.format(name="two"))
    scaffold.write("app/two/models/__init__.py", "from .note import Note\n")
    scaffold.write("app/two/models/note.py", f"from sqlalchemy import ForeignKey\n{models}{key}")

    said = app_of(scaffold, "one", "two")

    assert said.startswith("INSTALLED_APPS lists 'app.two', whose column Note.one_id is a foreign")


def test_models_may_lie_in_files_of_their_own(scaffold):
    key = "    one_id: Mapped[int] = mapped_column(ForeignKey('one_recrod.id'))\n"
    models = MODELS.format(table="two_record").replace("Record", "Note")
    add(scaffold, "two", "from .notes import Note\n")
    scaffold.write("app/two/notes.py", f"from sqlalchemy import ForeignKey\n{models}{key}")

    said = app_of(scaffold, "two")

    assert said.startswith("INSTALLED_APPS lists 'app.two', whose column Note.one_id is a foreign")


def test_a_foreign_key_of_a_table_without_a_model_is_blamed_on_its_module(scaffold):
    add(scaffold, "one", MODELS.format(table="one_record"))
    table = (
        "from sqlalchemy import Column, ForeignKey, Table\n"
        "from services import db\n"
        "link = Table('two_link', db.metadata, Column('one_id', ForeignKey('one_recrod.id')))\n"
    )
    add(scaffold, "two", table)

    said = app_of(scaffold, "one", "two")

    assert said.startswith("INSTALLED_APPS lists 'app.two', whose column two_link.one_id is a for")


@pytest.mark.parametrize(
    "relationship",
    ["", "    one: Mapped['Record | None'] = relationship()\n"],
    ids=["column", "relationship"],
)
def test_a_schema_of_a_model_whose_foreign_key_leads_nowhere_is_told_which(scaffold, relationship):
    add(scaffold, "one", MODELS.format(table="one_record"))
    models = MODELS.format(table="two_record").replace("Record", "Note")
    key = "    one_id: Mapped[int | None] = mapped_column(ForeignKey('one_recrod.id'))\n"
    add(
        scaffold,
        "two",
        "from sqlalchemy import ForeignKey\nfrom sqlalchemy.orm import relationship\n"
        f"{models}{key}{relationship}",
    )
    schema = (
        "from core.schemas import Schema\n"
        "from .models import Note\n\n"
        "class NoteSchema(Schema):\n"
        "    class Meta(Schema.Meta):\n"
        "        model = Note\n"
        "        include_fk = True\n"
    )
    scaffold.write("app/two/__init__.py", BLUEPRINT.format(name="two") + schema)

    assert app_of(scaffold, "one", "two") == (
        "INSTALLED_APPS lists 'app.two', whose column Note.one_id is a foreign key to "
        "'one_recrod', a table that neither it nor a module above it has: list the module of that "
        "table above, or mend the name in ForeignKey(...)."
    )


def test_a_module_whose_key_waits_for_one_below_is_not_blamed_for_another(scaffold):
    note = MODELS.format(table="one_note").replace("Record", "Note")
    key = "    three_id: Mapped[int] = mapped_column(ForeignKey('three_record.id'))\n"
    add(scaffold, "one", f"from sqlalchemy import ForeignKey\n{note}{key}")
    link = MODELS.format(table="two_link").replace("Record", "Link")
    other = MODELS.format(table="two_other").replace("Record", "Other")
    relationship = "    other: Mapped[Other] = relationship()\n"
    load = (
        "from sqlalchemy.orm import configure_mappers\nfrom . import models\nconfigure_mappers()\n"
    )
    head = "from sqlalchemy.orm import relationship\n"
    add(scaffold, "two", f"{head}{other}{link}{relationship}")
    scaffold.write("app/two/__init__.py", BLUEPRINT.format(name="two") + load)
    add(scaffold, "three", MODELS.format(table="three_record"))

    said = app_of(scaffold, "one", "two", "three")

    assert said.startswith("INSTALLED_APPS lists 'app.two', whose model Link cannot be used")


def test_modules_on_the_scaffolds_base_and_on_their_own_live_together(scaffold):
    add(scaffold, "one", MODELS.format(table="one_record"))
    add(scaffold, "two", OWN_BASE_MODELS.format(table="two_record"))

    assert app_of(scaffold, "one", "two") == "['one_record', 'two_record']"


def test_a_module_with_a_base_of_its_own_is_served(scaffold):
    add(scaffold, "two", OWN_BASE_MODELS.format(table="two_record"))
    scaffold.write(
        "app/two/__init__.py",
        f"{BLUEPRINT.format(name='two')}from . import archivo_rutas\n",
    )
    scaffold.write(
        "app/two/archivo_rutas.py",
        "from services import db\n"
        "from . import bp\n"
        "from .models import Base, Record\n\n"
        "@bp.get('/')\n"
        "def show():\n"
        "    Base.metadata.create_all(db.engine)\n"
        "    db.session.add(Record(id=7))\n"
        "    db.session.commit()\n"
        "    return f'record {db.session.get(Record, 7).id}'\n",
    )
    scaffold.install("app.two")

    # A GET that writes is no model; here it saves a form.
    assert scaffold.get("/two/") == "record 7\n"


@pytest.mark.parametrize("command", [("python", "run.py"), ("flask", "routes")])
def test_the_refusal_reaches_the_command_line_as_one_sentence(scaffold, command):
    scaffold.install("app.nowhere")

    result = scaffold.run(*command)

    assert result.returncode == 1
    assert result.stderr == (
        "Error: INSTALLED_APPS lists 'app.nowhere', but there is no app/nowhere/__init__.py: "
        "create it or remove the entry.\n"
    )


@pytest.mark.parametrize("command", [("python", "run.py"), ("flask", "routes")])
def test_an_error_of_the_modules_own_code_is_shown_above_its_sentence(scaffold, command):
    scaffold.write("app/torn/__init__.py", "1 / 0\n")
    scaffold.install("app.torn")

    lines = scaffold.run(*command).stderr.splitlines()

    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2] == "ZeroDivisionError: division by zero"
    assert lines[-1] == (
        "Error: INSTALLED_APPS lists 'app.torn', but importing it failed with ZeroDivisionError: "
        "division by zero: mend app/torn/__init__.py, line 1, or remove the entry."
    )
    assert len(lines) < 20


IN_A_SCHEMA = """
from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    metadata = MetaData(schema="shop")

class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)

class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
"""


def test_foreign_keys_within_a_schema_of_their_own_are_found(package, make_app):
    package("stock", BLUEPRINT.format(name="stock"), models=IN_A_SCHEMA)

    assert "stock" in make_app(["lab.stock"]).blueprints


def test_a_foreign_key_to_a_column_that_is_not_there_is_refused(package, make_app):
    wrong = IN_A_SCHEMA.replace("authors.id", "authors.key")
    package("stock", BLUEPRINT.format(name="stock"), models=wrong)

    said = refusal(make_app, "lab.stock").message
    assert "to 'authors', which has no column 'key': mend the name in ForeignKey(...)" in said
