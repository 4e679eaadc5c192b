"""The product's API under requests that nobody thought of, made from its own document.

`-m slow` makes many more of them; schemathesis.toml says what counts as a failure, and why.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from config import BASE_DIR
from core.setting import setting

pytest.importorskip("schemathesis")
# It takes a server and half a minute: once in all checks is enough.
pytestmark = pytest.mark.structure
API = setting("API_PREFIX")
SEEDS = [1, 2, 3, 4, 5]
DEMO = re.compile("/(authors|books)(/{id})?$")


def _fuzz(url, examples, seed, folder):
    """Run all checks; return the exit code and the report."""
    command = [
        *(str(Path(sys.executable).parent / "schemathesis"), "run", f"{url}{API}/openapi.json"),
        *("--checks", "all", "--continue-on-failure", "--no-color", "--no-shrink"),
        *("--max-examples", str(examples), "--seed", str(seed), "--report-dir", str(folder)),
    ]
    result = subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True)
    return result.returncode, result.stdout + result.stderr


def _holds(url, examples, seed, folder):
    """Fuzz the API, if the product has one. That of the demo must not even be warned of: which
    requests get past a product's guard, and find something, lies in what is stored.
    """
    with urlopen(f"{url}{API}/openapi.json") as answer:
        document = json.load(answer)
    if not document["paths"]:
        return
    code, report = _fuzz(url, examples, seed, folder)

    is_demo = all(DEMO.search(path) for path in document["paths"])
    is_guarded = "Unauthorized" in document["components"].get("responses", {})
    assert code == 0, report
    assert "No issues found" in report or is_guarded or not is_demo, report


def test_no_request_breaks_the_api_or_its_document(live_server, tmp_path):
    _holds(live_server.url, 5, 1, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_no_request_of_many_does(live_server, tmp_path, seed):
    _holds(live_server.url, 200, seed, tmp_path)
