"""What import-linter cannot see: names of modules, files that must or must not be there."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import core

ROOT = Path(__file__).resolve().parent.parent
# What stays when the demo is deleted.
SCAFFOLD = [
    path
    for folder in ("core", "tests")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".py", ".html", ".css", ".mako"}
]


def demo_modules():
    """Return the names that the contract about the demo gives; nothing else may say them."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    layers = [layer for contract in contracts for layer in contract.get("layers", [])]
    return re.findall(r"\w+", " ".join(layers))


def imports_of(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


@pytest.mark.parametrize("path", SCAFFOLD, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_of_the_scaffold_names_a_module_of_the_demo(path):
    text = path.read_text(encoding="utf-8")

    named = [
        name for name in demo_modules() if re.search(rf"\bapp[./]{name}\b|url_for\(.{name}\.", text)
    ]

    assert named == []


@pytest.mark.parametrize("folder", ["core", "app", "tests"])
def test_every_folder_with_python_files_is_a_package(folder):
    folders = {path.parent for path in (ROOT / folder).rglob("*.py")}

    missing = [path for path in folders if not (path / "__init__.py").exists()]

    assert missing == []


def test_core_imports_of_ours_its_own_and_what_lies_beneath():
    imported = {name for path in (ROOT / "core").rglob("*.py") for name in imports_of(path)}
    ours = {name for name in imported if (ROOT / name.partition(".")[0]).exists()}
    ours |= {name for name in imported if (ROOT / f"{name}.py").exists()}

    assert {name.partition(".")[0] for name in ours} <= {
        "alembic",
        "config",
        "core",
        "services",
        "settings",
    }


def test_only_config_reads_the_environment():
    # The tests' fixtures give the environment to the programs that they start.
    files = [*(ROOT / "core").rglob("*.py"), *ROOT.glob("*.py")]
    readers = [
        str(path.relative_to(ROOT))
        for path in files
        if re.search(r"os\.(environ|getenv)|load_dotenv|dotenv_values", path.read_text())
    ]

    assert sorted(readers) == ["config.py", "core/testing.py"]


def test_the_map_of_core_names_each_of_its_files():
    folder = ROOT / "core"
    packages = {path.parent.name for path in folder.glob("*/__init__.py")} - {"tests"}
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    groups = (core.__doc__ or "").partition(":\n\n")[2]

    named = re.findall(r"\w+(?=[,\n/])", groups)

    assert sorted(named) == sorted(files | packages)
