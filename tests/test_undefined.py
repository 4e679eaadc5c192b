"""What a template shows and is not there: told in development, and of a record refused in tests."""

import pytest
from flask import render_template, render_template_string
from jinja2 import FileSystemLoader, UndefinedError
from sqlalchemy import select

from services import db
from tests.sample.models import Box

TEMPLATE = """
{{ thing.titel }}{{ nmae }}{{ "in stock" if nmae }}
{{ thing.titel or "none" }} {{ nmae | default("none") }}{% for one in nmae %}{% endfor %}
"""


@pytest.fixture
def show(make_app, tmp_path):
    (tmp_path / "shown.html").write_text(TEMPLATE)

    def show(environment):
        app = make_app(APP_ENV=environment)
        app.jinja_env.loader = FileSystemLoader(tmp_path)
        with app.test_request_context():
            return render_template("shown.html", thing="Key")

    return show


def test_a_misspelt_name_is_told_in_development(show, tmp_path, capsys):
    page = show("development")

    warnings = [line for line in capsys.readouterr().err.splitlines() if "shows nothing" in line]
    assert page.split() == ["none", "none"]
    assert [line.partition(f"WARNING: {tmp_path}/")[2].partition(" [")[0] for line in warnings] == [
        "shown.html shows nothing: 'str object' has no attribute 'titel'",
        "shown.html shows nothing: 'nmae' is undefined",
    ]


def test_elsewhere_it_is_silent(show, capsys):
    page = show("testing")

    assert page.split() == ["none", "none"]
    assert "shows nothing" not in capsys.readouterr().err


MISSPELT = [
    "{{ box.nmae }}",
    '{{ box.nmae or "-" }}',
    "{% if box.nmae %}x{% endif %}",
    '{% if box.nmae == "a" %}x{% endif %}',
    '{% if box.nmae != "a" %}-{% endif %}',
    "{% for one in box.nmae %}x{% endfor %}",
    "{{ '-' if box.nmae | length == 0 }}",
]


@pytest.mark.parametrize("text", MISSPELT)
@pytest.mark.parametrize("kind", ["record", "row"])
def test_a_column_that_a_record_lacks_fails_a_test(app, isolated, text, kind):
    with app.test_request_context():
        db.session.add(Box(name="Key"))
        db.session.flush()
        box = Box() if kind == "record" else db.session.execute(select(Box.id, Box.name)).first()

        with pytest.raises(UndefinedError, match="has no attribute 'nmae'"):
            render_template_string(text, box=box)
        asked = render_template_string("{{ box.nmae | default('-') }}", box=box)

    assert asked == "-"


@pytest.mark.parametrize("text", MISSPELT)
def test_a_column_that_a_record_lacks_is_told_in_development(make_app, text, capsys):
    app = make_app(APP_ENV="development")
    with app.test_request_context():
        page = render_template_string(text, box=Box())

    assert page in ("", "-")
    assert "has no attribute 'nmae'" in capsys.readouterr().err
