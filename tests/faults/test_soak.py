"""Ten minutes of all that a site does: no request fails, no memory grows, no connection leaks.

SOAK_SECONDS is how long; SOAK_REPORT names the file that the result is written to.
"""

import json
import os
import re
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from core.setting import setting
from tests.load import HEADERS, Load
from tests.reading import form_on
from tests.serving import THING, serving

pytestmark = [pytest.mark.structure, pytest.mark.slow]
SECONDS = int(os.environ.get("SOAK_SECONDS", "600"))
REPORT = os.environ.get("SOAK_REPORT")
# Until then caches fill: statements, templates, the pool.
WARM_UP = min(60, SECONDS / 4)
GROWTH = 0.05
API = f"{setting('API_PREFIX')}/sample/things"
# What a client does, one after the other; the forms write as often as the API does.
STEPS = ("list", "page", "create", "item", "new", "form", "edit", "search")


@dataclass
class Visitors(Load):
    """Clients of pages, forms and the API in turn; `done` counts what they did."""

    done: Counter[str] = field(default_factory=Counter)
    # A form that was opened, and the cookie that it came with, by the client that will send it.
    forms: dict[str, Any] = field(default_factory=dict)

    def _ask(self, connection: HTTPConnection, code: str, sent: int) -> HTTPResponse:
        step = STEPS[sent % len(STEPS)]
        self.done[step] += 1
        return getattr(self, f"_{step}")(connection, code)

    def _list(self, connection, code):
        return self._get(connection, f"{API}?per_page=20&sort=-id")[0]

    def _item(self, connection, code):
        return self._get(connection, f"{API}/1")[0]

    def _search(self, connection, code):
        return self._get(connection, f"/sample/things?q={code}")[0]

    def _page(self, connection, code):
        return self._get(connection, "/sample/things?sort=-price&page=2")[0]

    def _edit(self, connection, code):
        return self._get(connection, "/sample/things/1/edit")[0]

    def _create(self, connection, code):
        body = json.dumps({**THING, "code": code})
        connection.request("POST", API, body, HEADERS)
        return self._read(connection)[0]

    def _new(self, connection, code):
        response, text = self._get(connection, "/sample/things/new")
        cookie = (response.headers["Set-Cookie"] or "").partition(";")[0]
        self.forms[code.rpartition("-")[0]] = cookie, form_on(Page(text))
        return response

    def _form(self, connection, code):
        if code.rpartition("-")[0] not in self.forms:
            return self._new(connection, code)
        cookie, form = self.forms.pop(code.rpartition("-")[0])
        for name, value in {"name": "Nail", "code": code, "price": "1.50", "box": "1"}.items():
            form.values.setlist(name, [value])
        body = urlencode(list(form.values.items(multi=True)))
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", form.action, body, headers)
        response = self._read(connection)[0]
        if response.status == 302:
            self.created.append(code)
        return response

    def _get(self, connection, path):
        connection.request("GET", path)
        return self._read(connection)

    @staticmethod
    def _read(connection):
        response = connection.getresponse()
        return response, response.read().decode()


class Page:
    """What tests.reading needs of an answer."""

    def __init__(self, text):
        self.text = text


def memory(server):
    """Return what the workers take, shared pages by their share, in MB."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in server.workers]
    return sum(int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1]) for text in texts) / 1024


def connections(cluster):
    [(open_,)] = cluster.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%_session'"
    )
    return open_


def test_ten_minutes_of_all_that_a_site_does(site, cluster, tmp_path):
    quiet = site.having(DB_STATEMENT_TIMEOUT_MS="15000")
    # Who retires takes its memory along, which would hide what it had gained.
    site.replace("gunicorn.conf.py", "max_requests = 10_000", "max_requests = 0")
    with serving(quiet) as server, Visitors(server.address, "/", prefix="s") as visitors:
        time.sleep(WARM_UP)
        workers, first, begun = server.workers, memory(server), time.monotonic()
        samples = [first]
        while time.monotonic() - begun < SECONDS - WARM_UP:
            time.sleep(min(10, SECONDS / 20))
            samples.append(memory(server))
        visitors.stop()
        took = WARM_UP + time.monotonic() - begun
        # A minute's mean on either side: a request that is under way has memory of its own.
        sixth = max(1, len(samples) // 6)
        before, after = sum(samples[:sixth]) / sixth, sum(samples[-sixth:]) / sixth
        open_ = connections(cluster)
        assert server.workers == workers

    report = {
        "seconds": round(took),
        "requests": visitors.answers.total(),
        "per second": round(visitors.answers.total() / took),
        "answers": dict(sorted(visitors.answers.items())),
        "failed": len(visitors.lost) + len(visitors.troubles),
        "records made": len(visitors.created),
        "records missing": len(visitors.missing(cluster.codes())),
        "memory at first, MB": round(before, 1),
        "memory at last, MB": round(after, 1),
        "growth": f"{(after / before - 1):.1%}",
        "connections open": open_,
        **{f"asked: {step}": count for step, count in sorted(visitors.done.items())},
    }
    (tmp_path / "soak.md").write_text(written(report), encoding="utf-8")
    if REPORT:
        shutil.copy(tmp_path / "soak.md", REPORT)

    assert (visitors.lost, visitors.troubles, visitors.refused) == ([], [], 0)
    assert visitors.missing(cluster.codes()) == set()
    assert after < before * (1 + GROWTH), samples
    # As many as the pools keep: more would be open only if some were never given back.
    assert open_ <= 2 * 5


def written(report):
    rows = "".join(f"| {name} | {value} |\n" for name, value in report.items())
    return f"{INTRODUCTION}\n| | |\n|---|---|\n{rows}"


INTRODUCTION = """# Soak

Two workers on PostgreSQL; six clients that read and search lists, open pages and items, and write
by form and by API. Memory is that of both workers, shared pages by their share: the mean of the
first sixth of the time after a minute of warming up, and of the last sixth.

Written by `SOAK_REPORT=docs/soak.md python -m pytest tests/faults/test_soak.py`; `make slow` runs
it as well.

[Operations](operations.md)
"""
