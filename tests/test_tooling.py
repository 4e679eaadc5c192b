"""Holds the commands around the code to their word: make, its messages, the lock files."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parent.parent

needs_make = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # A make that started these tests hands its own options down in the environment.
    inherited = ("MAKE", "MFLAGS", "GNUMAKEFLAGS", "PYTHON", "VENV", "ARGS")
    env = {key: value for key, value in os.environ.items() if not key.startswith(inherited)}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=env, capture_output=True, text=True)


def refusal(tmp_path: Path, python: str | Path) -> str:
    """Return the one line, beside those of make itself, with which `make run` gives up."""
    result = make("run", f"PYTHON={python}", f"VENV={tmp_path}/.venv")

    assert result.returncode != 0
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("make")]
    assert len(lines) == 1, result.stderr
    return lines[0]


def stub(tmp_path: Path, script: str) -> Path:
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@needs_make
def test_bare_make_lists_every_command_with_one_line():
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    commands = set(phony.split()) - {"venv", "venv-dev"}

    result = make()

    listed = dict(re.findall(r"^  make (\S+) +(\S.*)$", result.stdout, re.MULTILINE))
    assert set(listed) == commands
    assert len(result.stdout.splitlines()) == len(commands)


@needs_make
def test_an_old_python_is_refused_with_one_sentence(tmp_path):
    message = refusal(tmp_path, stub(tmp_path, "echo 3.9"))

    assert "needs Python 3.11 or newer but found Python 3.9" in message
    assert "make run PYTHON=" in message


@needs_make
def test_no_python_is_answered_with_one_sentence(tmp_path):
    message = refusal(tmp_path, tmp_path / "absent")

    assert "needs Python 3.11 or newer but found none" in message


@needs_make
def test_a_python_without_venv_is_answered_with_one_sentence(tmp_path):
    # As on Debian, where the package python3 leaves ensurepip to python3-venv.
    python = stub(tmp_path, f'case "$2" in *ensurepip*) exit 1 ;; esac\nexec {sys.executable} "$@"')

    message = refusal(tmp_path, python)

    version = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    assert "has no venv module" in message
    assert f"apt install {version}" in message


def test_the_flask_command_starts_the_application_of_run():
    assert dotenv_values(ROOT / ".flaskenv") == {"FLASK_APP": "run"}


def test_the_folder_alembic_does_not_hide_the_library():
    assert not (ROOT / "alembic" / "__init__.py").exists()
    assert "site-packages" in importlib.util.find_spec("alembic").origin


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("settings.py", set()),
        ("config.py", {"settings"}),
        ("services.py", {"core.base"}),
    ],
)
def test_imports_of_the_root_files_point_one_way(name, allowed):
    ours = {"alembic", "app", "config", "core", "run", "services", "settings", "tests"}
    tree = ast.parse((ROOT / name).read_text())

    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert {module for module in imported if module.split(".")[0] in ours} <= allowed


@pytest.mark.parametrize(
    "source", sorted(ROOT.glob("requirements*.in")), ids=lambda path: path.name
)
def test_every_direct_requirement_is_pinned_with_hashes(source):
    names = re.findall(r"^([A-Za-z0-9._-]+)", source.read_text(), re.MULTILINE)
    wanted = {re.sub(r"[-_.]+", "-", name).lower() for name in names if not name.startswith("-")}

    lock = source.with_suffix(".txt").read_text()

    # A package may have two pins, for older and newer Pythons.
    pins = re.findall(
        r"^([a-z0-9-]+)(?:\[.*\])?==\S+.*(?:\n    --hash=sha256:.*)+", lock, re.MULTILINE
    )
    assert wanted <= set(pins)
    assert len(pins) == len(re.findall(r"^[a-z0-9].*==", lock, re.MULTILINE))
