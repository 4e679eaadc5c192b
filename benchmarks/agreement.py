"""Compares the servers before anything is timed: all give the same answers.

What may differ is named here, and written into the report of the check: nothing else may.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import unified_diff
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import click

from benchmarks.client import Answer, ask, fitted
from benchmarks.scenarios import BOOKS, JSON, NEW, SCENARIOS, WRONG, Scenario
from benchmarks.servers import Running

# Headers that describe the one answer, or the server itself.
OF_THE_ANSWER = {"connection", "content-length", "content-type", "date", "etag", "location"}
OF_THE_ANSWER |= {"server", "set-cookie", "x-request-id", "vary", "cache-control", "last-modified"}
ANY = "(may differ)"


@dataclass(frozen=True)
class Check:
    """A request, and the places of the answer that may differ, with the reason."""

    scenario: Scenario
    may_differ: tuple[str, ...] = ()
    reason: str = ""
    only: tuple[str, ...] = ()


def _named(name: str) -> Scenario:
    return next(one for one in SCENARIOS if one.name == name)


def _post(name: str, body: str, status: int) -> Scenario:
    return Scenario(name, name, BOOKS, "POST", status, body, JSON)


STORED = ("data.id", "data.isbn", "data.created_at", "data.updated_at")
FAILURE = ("type", "status", "errors")
WORDS = "each framework has its own words"
CURSOR = ("meta.next_cursor",)
BY_CURSOR = "only ours can go on by a cursor"
CHECKS = [
    Check(_named("list20"), CURSOR, BY_CURSOR),
    Check(_named("list100"), CURSOR, BY_CURSOR),
    Check(
        _named("list_total"),
        (*CURSOR, "meta.total", "meta.total_is_estimate", "links.last"),
        "ours counts up to a limit, and says so in total_is_estimate; " + BY_CURSOR,
    ),
    Check(replace(_named("item"), first=1)),
    # Numbers 50 and 70 have no date and no pages.
    Check(replace(_named("item"), name="item without a date", first=50)),
    Check(replace(_named("item"), name="item without pages", first=70)),
    Check(_named("not_modified")),
    Check(_named("create"), STORED, "every run stores a book of its own, now"),
    Check(_named("patch"), ("data.updated_at", "data.version"), "every server changes it once"),
    Check(_named("health"), ("status",), WORDS),
    Check(_post("rejected", WRONG, 422), only=FAILURE, reason=WORDS),
    Check(_post("too few pages", NEW.replace("321", "0"), 422), only=FAILURE, reason=WORDS),
    Check(_post("no JSON", '{"title":', 400), only=("type", "status"), reason=WORDS),
    Check(
        _post("duplicate", NEW.replace("979{n10}", "9780000000001"), 409),
        only=FAILURE,
        reason=WORDS,
    ),
    Check(
        _post("missing author", NEW.replace(": 7", ": 999999999").replace("979", "978"), 409),
        only=FAILURE,
        reason=WORDS,
    ),
    Check(Scenario("unknown", "", f"{BOOKS}/0", status=404), only=("type", "status"), reason=WORDS),
]
PAGE_CHECKS = [
    Check(_named("html_list"), reason="the texts of cells, labels and choices are compared"),
    Check(_named("html_form"), reason="the texts of labels and choices are compared"),
]


def check_all(
    servers: list[Running], numbers: Iterator[int], checks: list[Check] | None = None
) -> list[str]:
    """Return a line for each check; stop with the difference if the servers disagree."""
    lines = []
    for check in [*CHECKS, *PAGE_CHECKS] if checks is None else checks:
        asked = [one for one in servers if one.server.pages or not check.scenario.page]
        lines.append(_check(check, asked, numbers))
    return lines


def _check(check: Check, servers: list[Running], numbers: Iterator[int]) -> str:
    answers: dict[str, str] = {}
    without = []
    for server in servers:
        scenario = fitted(server, check.scenario).counting_from(next(numbers))
        answer = ask(server, scenario)
        if lacks_feature(server, check.scenario, answer):
            without.append(server.name)
        else:
            answers[server.name] = comparable(check, answer)
    if without:
        click.echo(f"Left out: {', '.join(without)} does not know {check.scenario.path} yet.")
    _compare(check.scenario, answers)
    reason = f" (may differ: {', '.join(check.may_differ)})" if check.may_differ else ""
    reason += f" [{check.reason}]" if check.reason else ""
    return f"{check.scenario.name}: {check.scenario.status}, {' = '.join(answers)}{reason}"


def lacks_feature(server: Running, scenario: Scenario, answer: Answer) -> bool:
    """Tell whether a checkout of ours is too old for a scenario: it refuses the parameter."""
    is_ours = server.name.startswith("ours")
    return is_ours and "count=" in scenario.path and answer.status == 400


def _compare(scenario: Scenario, answers: dict[str, str]) -> None:
    first, *others = answers or {"": ""}
    for name in others:
        if answers[name] != answers[first]:
            both = answers[first].splitlines(), answers[name].splitlines()
            difference = "\n".join(unified_diff(*both, first, name, lineterm=""))
            raise click.ClickException(f"{scenario.name}: the answers differ.\n{difference}")


def comparable(check: Check, answer: Answer) -> str:
    """Return an answer as text, without what may differ."""
    if answer.status != check.scenario.status:
        return f"{answer.status} {answer.text[:1000]}"
    if check.scenario.page:
        return "\n".join([str(answer.status), *texts(answer.text)])
    body = answer.json
    if check.only:
        body = {name: body.get(name) for name in check.only}
        # The words differ, the fields do not.
        body["errors"] = sorted(body.get("errors") or {})
    for place in check.may_differ:
        _forget(body, place.split("."))
    return f"{answer.status} {json.dumps(_without_order(body), indent=1, sort_keys=True)}"


def _forget(body: Any, place: list[str]) -> None:
    for name in place[:-1]:
        body = body[name]
    if place[-1] not in body:
        raise click.ClickException(f"The answer has no {'.'.join(place)}.")
    body[place[-1]] = ANY


def _without_order(value: Any) -> Any:
    """Return JSON whose URLs have their arguments sorted, and lack count, which is the default."""
    if isinstance(value, dict):
        return {name: _without_order(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_without_order(one) for one in value]
    if isinstance(value, str) and value.startswith(BOOKS):
        url = urlsplit(value)
        return [url.path, *sorted(parse_qsl(url.query))]
    return value


class _Texts(HTMLParser):
    """Collects the texts of cells, labels and choices."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in ("td", "th", "label", "option"):
            self.inside += 1
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "label", "option"):
            self.inside -= 1

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.found[-1] += data


def texts(page: str) -> list[str]:
    """Return the texts of a page's cells, labels and choices, without their white space."""
    parser = _Texts()
    parser.feed(page)
    return [" ".join(text.split()) for text in parser.found]
