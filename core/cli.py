"""The commands of core: `flask setup` prepares a clone, `flask seed` fills the demo's tables."""

import secrets
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import ScriptInfo, with_appcontext
from flask_babel import force_locale
from sqlalchemy import inspect, select
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from config import BASE_DIR, INSTANCE_DIR
from core.database import check_connection, unusable
from core.doctor import doctor
from core.generator.command import generate
from core.models import Base
from core.modules import Module, import_optional, installed_modules
from core.openapi.command import openapi
from core.schema_state import REMEDY, alembic_config, alembic_part, lacks_migration
from core.static_files import collect_static
from services import db

SETUP_ROWS = 60


def init_cli(app: Flask) -> None:
    """Add the commands; those of modules, too, report in one sentence that the database is away."""
    for command in app.cli.commands.values():
        _tell_in_a_sentence(command)
    for command in (setup, seed, doctor, collect_static, openapi, generate):
        app.cli.add_command(command)


def _tell_in_a_sentence(command: Any) -> None:
    for inner in getattr(command, "commands", {}).values():
        _tell_in_a_sentence(inner)
    # Several applications of a process share a module's commands: wrap each once.
    if command.callback and not hasattr(command.callback, "tells"):
        command.callback = _telling(command.callback)


def _telling(callback: Callable[..., Any]) -> Any:
    @wraps(callback)
    def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return callback(*args, **kwargs)
        except OperationalError as error:
            # An error with a statement is another fault: the connection was there.
            if error.statement is not None:
                raise
            info: Any = click.get_current_context().find_object(ScriptInfo)
            with info.load_app().app_context():
                raise unusable(error) from None

    told.tells = True  # type: ignore[attr-defined]
    return told


@click.command()
@with_appcontext
def setup() -> None:
    """Prepare this clone: .env, database, demo data. Repeating it changes nothing."""
    if current_app.config["APP_ENV"] == "production":
        raise click.ClickException(
            "flask setup is for development: in production set the environment's variables "
            "and run `alembic upgrade head`."
        )
    _write_env()
    check_connection()
    fresh = not inspect(db.engine).has_table("alembic_version")
    _upgrade()
    try:
        _seed_once(fresh)
    except SQLAlchemyError as error:
        if not lacks_migration(error):
            raise
        # No failure: the site starts all the same, and shows this remedy, too.
        click.echo(f"No demo data: {_remedy()}", err=True)


@click.command()
@click.option("--rows", default=SETUP_ROWS, show_default=True, type=click.IntRange(1, 10_000_000))
@click.option("--force", is_flag=True, help="Seed a production database.")
@with_appcontext
def seed(rows: int, force: bool) -> None:
    """Load the modules' demo data; a second time adds nothing."""
    if current_app.config["APP_ENV"] == "production" and not force:
        raise click.ClickException("This is production: add --force to put demo data into it.")
    check_connection()
    try:
        for module in installed_modules():
            if seeds := import_optional(f"{module.entry}.seeds"):
                _run(module, seeds, rows)
    except SQLAlchemyError as error:
        if lacks_migration(error):
            raise click.ClickException(_remedy()) from error
        raise


def _remedy() -> str:
    # Commands speak English, as the log does; by default they would speak the first of LANGUAGES.
    with force_locale("en"):
        return str(REMEDY)


def _write_env() -> None:
    path = BASE_DIR / ".env"
    if path.exists():
        return
    key = secrets.token_urlsafe(48)
    text = (BASE_DIR / ".env.example").read_text(encoding="utf-8")
    # A file that appeared meanwhile is somebody's, and stays.
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text.replace("\nSECRET_KEY=\n", f"\nSECRET_KEY={key}\n"), encoding="utf-8")
    click.echo("Wrote .env with a secret of its own.")


def _upgrade() -> None:
    try:
        alembic_part("command").upgrade(alembic_config(), "head")
    except alembic_part("util").CommandError as error:
        raise click.ClickException(str(error)) from error


def _seed_once(fresh: bool) -> None:
    """Seed a new database, or one that this clone has not seen, but never beside existing rows."""
    marker = INSTANCE_DIR / "seeded"
    database = db.engine.url.render_as_string(hide_password=True)
    known = marker.read_text(encoding="utf-8").splitlines() if marker.exists() else []
    if not fresh and database in known:
        return
    for module in installed_modules():
        if (seeds := import_optional(f"{module.entry}.seeds")) and not _has_rows(module):
            _run(module, seeds, SETUP_ROWS)
    INSTANCE_DIR.mkdir(0o700, exist_ok=True)
    marker.write_text("\n".join(dict.fromkeys([*known, database])) + "\n", encoding="utf-8")


def _has_rows(module: Module) -> bool:
    """Tell whether a table of a model of this module has rows."""
    return any(
        db.session.execute(select(mapper.local_table).limit(1)).first()
        for mapper in Base.registry.mappers
        if mapper.class_.__module__.startswith(f"{module.entry}.")
    )


def _run(module: Module, seeds: ModuleType, rows: int) -> None:
    """Run a module's seed(rows), which yields the number of rows it has dealt with so far."""
    seed = getattr(seeds, "seed", None)
    if seed is None:
        raise click.ClickException(f"{seeds.__name__} has no seed(rows): see core/seeding.py.")
    with click.progressbar(length=rows, label=module.entry) as bar:
        for count in seed(rows):
            bar.update(count - bar.pos)
    db.session.commit()
