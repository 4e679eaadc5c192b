"""What a template shows and is not there is told in development, and nowhere else."""

import pytest
from flask import render_template
from jinja2 import FileSystemLoader

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
