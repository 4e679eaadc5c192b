"""Measures the site in production mode with Lighthouse and writes docs/lighthouse.md.

Fails where the median of five runs falls short. Needs Node.js 18.20 or newer and Chromium; fetches
Lighthouse itself.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from flask import url_for  # noqa: E402 - the project's folder is not on the path of a script

from core.factory import create_app  # noqa: E402
from core.modules import installed_modules  # noqa: E402
from core.testing import production_environment, run, scratch_database, served  # noqa: E402

# The last that runs on Node.js 18 and 20, which Debian and Ubuntu have.
LIGHTHOUSE = "lighthouse@12.8.2"
RUNS = 5
# On a busy machine the browser's trace now and then lacks its beginning.
ATTEMPTS = 3
SCREENS = {"phone": [], "desktop": ["--preset=desktop"]}
LEAST = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100}


def main() -> int:
    """Measure every page on every screen; return how many fell short."""
    environment = tools()
    with (
        tempfile.TemporaryDirectory() as folder,
        scratch_database(Path(folder), server="") as database_url,
    ):
        environment |= production_environment(database_url)
        run(["alembic", "upgrade", "head"], environment)
        run(["flask", "seed", "--rows", "100", "--force"], environment)
        with served(environment) as url:
            rows = list(measured(url, environment))
    (ROOT / "docs" / "lighthouse.md").write_text(report(rows), encoding="utf-8")
    short = [row for row in rows if any(row[name] < least for name, least in LEAST.items())]
    for row in short:
        print(f"{row['path']} on a {row['screen']} falls short: {row['lost']}")
    return len(short)


def tools() -> dict[str, str]:
    """Return the variables that let Lighthouse find its browser, or end with what is missing."""
    if not shutil.which("npx"):
        sys.exit("Error: Lighthouse needs Node.js 18.20 or newer with npx: install nodejs and npm.")
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
    if chromium is None:
        sys.exit("Error: no Chromium on this machine: apt-get install chromium")
    # Else its installation would download a browser of its own.
    return {"CHROME_PATH": chromium, "PUPPETEER_SKIP_DOWNLOAD": "true"}


def paths() -> list[str]:
    """Return the home page, and the first list of the modules with its form."""
    app = create_app({"APP_ENV": "testing"})
    with app.test_request_context():
        menu = [endpoint for module in installed_modules() for endpoint, _ in module.menu]
        lists = [endpoint for endpoint in menu if endpoint.endswith("index")][:1]
        forms = [endpoint.removesuffix("index") + "new" for endpoint in lists]
        return ["/", *(url_for(one) for one in lists + forms if one in app.view_functions)]


def measured(url: str, environment: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield a row of medians for each page on each screen."""
    for path in paths():
        for screen, options in SCREENS.items():
            results = [lighthouse(url + path, options, environment) for _ in range(RUNS)]
            row = {"path": path, "screen": screen} | medians(results)
            print(" ".join(str(value) for value in row.values() if value), flush=True)
            yield row


def lighthouse(url: str, options: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Run Lighthouse once; return its report."""
    command = ["npx", "--yes", LIGHTHOUSE, url, "--quiet", "--output=json", *options]
    command.append("--chrome-flags=--headless=new --no-sandbox")
    command.append(f"--only-categories={','.join(LEAST)}")
    for _ in range(ATTEMPTS):
        result = subprocess.run(command, env=environment, capture_output=True, text=True)  # noqa: PLW1510
        if result.returncode == 0:
            return dict(json.loads(result.stdout))
    sys.exit(f"Error: Lighthouse failed on {url}:\n{result.stderr}")


def medians(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each category, the largest paint, and what cost points."""
    row: dict[str, Any] = {
        name: round(median(one["categories"][name]["score"] for one in results) * 100)
        for name in LEAST
    }
    paints = [one["audits"]["largest-contentful-paint"]["numericValue"] for one in results]
    row["paint"] = f"{median(paints) / 1000:.1f} s"
    row["lost"] = ", ".join(sorted(lost(results[-1])))
    row["version"] = results[-1]["lighthouseVersion"]
    row["browser"] = results[-1]["environment"]["hostUserAgent"].split("Chrome/")[1].split(".")[0]
    return row


def lost(result: dict[str, Any]) -> set[str]:
    """Name the audits that cost points of the categories that must be full."""
    full = [name for name, least in LEAST.items() if least == 100]
    references = [ref for name in full for ref in result["categories"][name]["auditRefs"]]
    scores = {ref["id"]: result["audits"][ref["id"]]["score"] for ref in references}
    return {name for name, score in scores.items() if score is not None and score < 1}


def report(rows: list[dict[str, Any]]) -> str:
    """Return the document: what was measured, how, and when."""
    lines = [
        f"| `{row['path']}` | {row['screen']} | "
        + " | ".join(str(row[name]) for name in (*LEAST, "paint"))
        + " |"
        for row in rows
    ]
    return HEAD.format(
        runs=RUNS,
        version=rows[0]["version"],
        browser=rows[0]["browser"],
        cores=os.cpu_count(),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        rows="\n".join(lines),
    )


HEAD = """# Lighthouse

`make slow` measures the site as it is served in production, by gunicorn on SQLite with 100 rows,
and writes this page. Each number is the median of {runs} runs; the command fails below 95 for
performance and below 100 for the others. The phone is Lighthouse's default, with a slow network and
a slow processor.

| page | screen | performance | accessibility | best practices | SEO | largest paint |
|---|---|---|---|---|---|---|
{rows}

Lighthouse {version}, Chromium {browser}, {cores} cores, {date}.
"""


if __name__ == "__main__":
    sys.exit(min(main(), 1))
