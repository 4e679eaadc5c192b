"""The command `flask openapi`: prints the document, writes a file, or compares one."""

import difflib
from pathlib import Path

import click
from flask import json
from flask.cli import with_appcontext

from core.openapi import api_document


@click.command()
@click.option("--write", type=click.Path(dir_okay=False, path_type=Path), help="Write this file.")
@click.option("--check", type=click.Path(dir_okay=False, path_type=Path), help="Compare this file.")
@with_appcontext
def openapi(write: Path | None, check: Path | None) -> None:
    """Print the API's OpenAPI document; write it to a file, or check that a file is up to date."""
    made = api_document() | {"servers": [{"url": "/"}]}
    text = json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if write:
        try:
            write.write_text(text, encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"{write} cannot be written: {error.strerror}.") from error
        click.echo(f"Wrote {write}.")
    if check:
        _compare(check, text)
    if not write and not check:
        click.echo(text, nl=False)


def _compare(path: Path, text: str) -> None:
    """Show the differences, and fail if there are any."""
    try:
        old = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise click.ClickException(
            f"{path} cannot be read, {error.strerror}: flask openapi --write {path}"
        ) from error
    lines = difflib.unified_diff(
        old.splitlines(), text.splitlines(), str(path), "the document now", lineterm="", n=2
    )
    if difference := "\n".join(lines):
        click.echo(difference)
        raise click.ClickException(f"The API has changed: flask openapi --write {path}")
    click.echo(f"{path} is up to date.")
