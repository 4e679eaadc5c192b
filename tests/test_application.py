"""What core/application.py leaves out of Jinja changes nothing of what templates show."""

import pytest
from flask import g, render_template_string, request
from jinja2 import pass_context, pass_environment


@pass_context
def seen(context, name):
    return context.get(name)


@pass_environment
def trims(environment):
    return environment.trim_blocks


class Seen:
    """What is called by its class, and takes the context there."""

    @pass_context
    def __call__(self, context, name):
        return context.get(name)


def spent():
    raise StopIteration


@pytest.fixture
def show(app):
    def show(source, **values):
        with app.test_request_context():
            return render_template_string(source, **values)

    return show


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{{ call('name') }}", "Key"),
        ("{% for n in 'ab' %}{% set name = n %}{{ call('name') }}{% endfor %}", "ab"),
    ],
    ids=["of the page", "of a loop"],
)
@pytest.mark.parametrize("call", [seen, Seen()], ids=["function", "object"])
def test_what_takes_the_context_gets_it(show, source, shown, call):
    assert show(source, call=call, name="Key") == shown


def test_what_takes_the_environment_gets_it(show, app):
    assert show("{{ trims() }}", trims=trims) == str(app.jinja_env.trim_blocks)


def test_what_takes_neither_gets_its_own_arguments_alone(show):
    page = show("{% for n in (1, 2) %}{{ dict(n=n) }}{{ '-'.join(('a', 'b')) }} {% endfor %}")

    assert page.replace("&#39;", "'") == "{'n': 1}a-b {'n': 2}a-b "


def test_what_has_nothing_more_shows_nothing(show):
    assert show("{{ spent() }}", spent=spent) == ""


def test_a_global_that_comes_later_is_seen_and_that_of_a_template_is_its_own(app):
    template = app.jinja_env.from_string("{{ late }} {{ own }}", globals={"own": 1})
    other = app.jinja_env.from_string("{{ own }}")

    app.jinja_env.globals["late"] = 2

    assert template.render() == "2 1"
    assert other.render() == ""


def test_a_proxy_has_the_attributes_of_its_object_and_asks_for_a_request_without_one(app):
    with app.test_request_context("/here"):
        assert request.path == "/here"
        assert getattr(g, "missing", "default") == "default"
        with pytest.raises(AttributeError, match="'Request' object has no attribute 'missing'"):
            request.missing  # noqa: B018

    with pytest.raises(RuntimeError, match="Working outside of request context"):
        request.path  # noqa: B018


@pytest.mark.parametrize("text", ["Basic \u00ff", "Basic x", ""])
def test_a_login_that_cannot_be_read_is_none(app, text):
    with app.test_request_context(headers={"Authorization": text}):
        assert request.authorization is None
