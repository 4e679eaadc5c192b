"""`flask collect-static`: the static files of core, modules and packages in a folder for nginx."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from core.assets import folders_of, hash_of


@click.command("collect-static")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@with_appcontext
def collect_static(folder: Path) -> None:
    """Copy all static files into FOLDER; what earlier versions put there stays.

    /core/static/app.css?v=0123 becomes FOLDER/0123/core/static/app.css. So nginx answers a URL only
    with the content that it was made for, while old and new pages are being served.
    """
    files = list(_files())
    for endpoint, filename in files:
        url = current_app.url_map.bind("").build(endpoint, {"filename": filename})
        source = next(filter(Path.is_file, (path / filename for path in folders_of(endpoint))))
        target = folder / str(hash_of(endpoint, filename)) / url.lstrip("/")
        try:
            _copy(source, target)
        except OSError as error:
            raise click.ClickException(
                f"{target} cannot be written ({error.strerror}): run this as the user that owns "
                f"{folder}, with room on its disk."
            ) from error
    click.echo(f"{folder} has the {len(files)} static files.")


def _files() -> Iterator[tuple[str, str]]:
    """Yield each static file as its endpoint and its name."""
    for endpoint in current_app.view_functions:
        if endpoint.endswith(".static"):
            names = {
                path.relative_to(folder).as_posix()
                for folder in folders_of(endpoint)
                for path in folder.rglob("*")
                if path.is_file()
            }
            yield from ((endpoint, name) for name in sorted(names))


def _copy(source: Path, target: Path) -> None:
    """Copy aside and move into place: nginx must not serve half a file, to be kept for a year."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copyfile(source, aside)
    aside.replace(target)
