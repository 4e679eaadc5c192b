"""What `flask generate --api` writes for a model like these reads as this module does."""

import ast
from pathlib import Path

import pytest

from app import api
from core.generator.attributes import Spec, read
from core.generator.command import files

HERE = Path(api.__file__).parent


def definitions(text):
    """Return the code of each class without what its docstrings say."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
            node.body[0] = ast.Pass()
    return {node.name: ast.dump(node) for node in tree.body if isinstance(node, ast.ClassDef)}


@pytest.mark.parametrize("file", ["resources.py", "schemas.py"])
def test_the_code_is_that_of_an_author(file):
    attributes = [read("name:string:120")]
    generated = files(Spec("api", "Author", "authors", attributes, pages=False, api=True))
    made, here = definitions(generated[file]), definitions((HERE / file).read_text("utf-8"))

    assert made
    assert made == {name: here[name] for name in made}
