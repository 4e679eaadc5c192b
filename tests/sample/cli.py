"""A command of the module, found because the file is called cli.py."""

import click

from . import sample_bp


@sample_bp.cli.command("greet")
def greet() -> None:
    click.echo("Hello from the sample.")
