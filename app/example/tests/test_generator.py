"""What `flask generate` writes for a model like these reads as this module does."""

import ast
from pathlib import Path

import pytest

from app import example
from core.generator.attributes import Spec, read
from core.generator.command import files

HERE = Path(example.__file__).parent


@pytest.fixture(scope="module")
def generated():
    return files(Spec("example", "Category", "categories", [read("name:string:80:unique")]))


def definitions(text):
    """Return the code of each class and function, however its lines are broken."""
    named = (ast.ClassDef, ast.FunctionDef)
    return {node.name: ast.dump(node) for node in ast.parse(text).body if isinstance(node, named)}


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("routes.py", {"index", "new", "create", "edit", "update", "delete"}),
        ("forms.py", {"CategoryForm"}),
    ],
)
def test_the_code_is_that_of_a_category(generated, file, names):
    names = {name if name[0].isupper() else f"category_{name}" for name in names}
    made, here = definitions(generated[file]), definitions((HERE / file).read_text("utf-8"))

    assert {name: made[name] for name in names} == {name: here[name] for name in names}


@pytest.mark.parametrize("name", ["index", "new", "edit"])
def test_the_templates_are_those_of_a_category(generated, name):
    path = f"templates/example/category_{name}.html"

    assert generated[path] == (HERE / path).read_text("utf-8")


def test_the_model_is_declared_as_a_category(generated):
    columns = "    name: Mapped[str] = mapped_column(String(80), unique=True)\n"

    assert columns in generated["models.py"]
    assert columns in (HERE / "models.py").read_text("utf-8")
