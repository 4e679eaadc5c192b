"""`flask doctor`: examines machine, configuration, modules and database; names each remedy."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

import click
from flask import Flask, current_app
from flask.cli import FlaskGroup, with_appcontext

from core.doctor import configuration, database, deployment, machine, modules
from core.doctor.finding import Finding, crash
from core.module_errors import ModelError, ModuleError
from core.setting import setting

Check = Callable[[Flask], Iterator[Finding]]
# In this order, also of the remedies: a later trouble often goes with an earlier one.
ALWAYS: list[Check] = [
    machine.python,
    machine.virtual_environment,
    machine.env_file,
    configuration.troubles,
]
# These need an application that could be built, even if with fewer modules than are listed.
BUILT: list[Check] = [
    modules.unlisted,
    machine.port,
    configuration.secrets,
    modules.listed,
    configuration.redis,
    database.examine,
]
DEPLOYED: list[Check] = [
    deployment.environment,
    deployment.cookies,
    deployment.hosts,
    deployment.https,
    deployment.form_key,
    deployment.connections,
    deployment.limits,
    deployment.demo,
    deployment.home,
    deployment.guards,
]


@click.command()
@click.option("--deploy", is_flag=True, help="Examine what a public site needs, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@with_appcontext
def doctor(deploy: bool, as_json: bool) -> None:
    """Examine this clone and what it runs on; say what is wrong and what to do."""
    # Log lines, of Alembic and others, do not belong in this report.
    logging.disable(logging.WARNING)
    try:
        checks = _checks(current_app, deploy)
        findings = [found for check in checks for found in _findings(check, current_app)]
    finally:
        logging.disable(logging.NOTSET)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        click.echo("\n".join(_lines(findings)))
    sys.exit(any(finding.status == "fail" for finding in findings))


def is_called() -> bool:
    """Tell whether this process is `flask doctor`, which must run without an application too."""
    context = click.get_current_context(silent=True)
    by_flask = context is not None and isinstance(context.find_root().command, FlaskGroup)
    return by_flask and "doctor" in sys.argv[1:]


def stand_in(create_app: Callable[..., Flask], error: BaseException) -> Flask:
    """Return as much as can be built of an application that failed to start, with its `doctor`."""
    entries = setting("INSTALLED_APPS")
    troubles = [error]
    while broken := _entry_of(error, entries):
        entries = [entry for entry in entries if entry != broken]
        try:
            app = create_app(installed_apps=entries)
            break
        except (Exception, SystemExit) as other:
            error = other
            if any(isinstance(one, ModelError) for one in (*troubles, error)):
                # A broken model, or a half-run models.py, makes blameless modules fail, too.
                app = create_app(installed_apps=[])
                break
            troubles.append(error)
    else:
        app = Flask("app")
        app.cli.add_command(doctor)
    app.extensions["troubles"] = troubles
    return app


def _entry_of(error: BaseException, entries: list[str]) -> str | None:
    """Return the listed module that an error names."""
    named = entries if isinstance(error, ModuleError) else []
    return next((entry for entry in named if repr(entry) in str(error)), None)


def _checks(app: Flask, deploy: bool) -> list[Check]:
    if "modules" not in app.extensions:
        return ALWAYS
    return ALWAYS + BUILT + (DEPLOYED if deploy else [])


def _findings(check: Check, app: Flask) -> Iterator[Finding]:
    """Run a check; if it crashes, that is a finding too, and the other checks still run."""
    try:
        yield from check(app)
    except Exception as error:  # What is broken may be anything.
        yield crash(check.__name__, error)


def _lines(findings: list[Finding]) -> Iterator[str]:
    for finding in findings:
        yield f"{finding.status:<5} {finding.name:<14} {finding.text}"
        if finding.remedy:
            yield f"{'':<5} {'':<14} -> {finding.remedy}"
    counts = [sum(f.status == status for f in findings) for status in ("fail", "warn")]
    yield "{} to mend, {} to look at.".format(*counts)
