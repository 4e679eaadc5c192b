"""Runs Python in a process of its own, in a third of the time that `python` takes.

Two thirds of what a command of the project takes is to load the libraries. A server of
multiprocessing loads them once; each command is a fork of it that has seen nothing of ours. Unlike
`python` it does not tell of a resource that is still open at the end.
"""

import atexit
import multiprocessing
import os
import re
import runpy
import subprocess
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

# What run.py and alembic load, but no driver and nothing that a product may do without.
LIBRARIES = (
    "alembic.config",
    "apispec.ext.marshmallow",
    "flask.cli",
    "flask_babel",
    "flask_bootstrap",
    "flask_compress",
    "flask_cors",
    "flask_limiter",
    "flask_marshmallow",
    "flask_restful",
    "flask_sqlalchemy",
    "flask_wtf",
    "marshmallow_sqlalchemy",
    "orjson",
    "pytest",
    "sqlalchemy.dialects.sqlite",
    "werkzeug.serving",
    "wtforms_sqlalchemy.fields",
)
# macOS and Windows fork no process that has loaded libraries. Coverage counts what starts anew.
AVAILABLE = sys.platform == "linux" and "COVERAGE_PROCESS_CONFIG" not in os.environ


@cache
def _server() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LIBRARIES))
    return context


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run what would follow `python`: a script, `-c` and code or `-m` and a module."""
    with tempfile.TemporaryDirectory() as kept:
        files = [Path(kept, name) for name in ("output", "errors")]
        arguments = (list(command), str(folder), dict(environment), [str(file) for file in files])
        process = _server().Process(target=_become, args=arguments)
        process.start()
        process.join()
        texts = [file.read_text("utf-8") for file in files]
        return subprocess.CompletedProcess(command, process.exitcode, *texts)


def _become(command: list[str], folder: str, environment: dict[str, str], files: list[str]) -> None:
    for descriptor, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    # The copy has such a package of its own.
    for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
        del sys.modules[name]
    original = str(Path(__file__).parents[1])
    theirs = (sys.prefix, sys.base_prefix)
    libraries = [path for path in sys.path if path.startswith(theirs) and path != original]
    sys.dont_write_bytecode = True
    for option in filter(None, environment.get("PYTHONWARNINGS", "").split(",")):
        action, _, message = option.partition(":")
        warnings.filterwarnings(action, re.escape(message))
    try:
        if command[0] == "-c":
            code, sys.argv, sys.path = command[1], ["-c", *command[2:]], ["", *libraries]
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(code, "<string>", "exec"), main.__dict__)
        elif command[0] == "-m":
            sys.argv, sys.path = command[1:], [folder, *libraries]
            runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv, sys.path = command, [str(Path(command[0]).parent), *libraries]
            runpy.run_path(command[0], run_name="__main__")
    except Exception:
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
    finally:
        # A process of multiprocessing leaves this out.
        atexit._run_exitfuncs()
