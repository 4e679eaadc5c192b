"""`flask collect-static DIR`: what nginx serves instead of the app."""

import re
from pathlib import Path

import pytest

from core.static_files import collect_static


@pytest.fixture
def collect(make_app, tmp_path):
    """Collect the static files of an application into a folder; return the folder."""
    application = make_app(["tests.listed"])

    def run():
        result = application.test_cli_runner().invoke(collect_static, [str(tmp_path / "static")])
        assert result.exit_code == 0, result.output
        return tmp_path / "static"

    run.app = application
    return run


def linked(page):
    """Return the path and the hash of each static file that a page asks for."""
    return re.findall(r'"(/[^"?]+/static/[^"?]+)\?v=([0-9a-f]{12})[#"]', page)


def test_what_pages_link_is_found_under_its_hash(collect):
    client = collect.app.test_client()

    folder = collect()

    files = linked(client.get("/").text)
    assert files
    for path, version in files:
        assert (folder / version / path[1:]).read_bytes() == client.get(path, buffered=True).data


def test_the_files_of_core_of_modules_and_of_packages_are_there(collect):
    folder = collect()

    owners = {path.relative_to(folder).parts[1] for path in folder.rglob("*") if path.is_file()}
    assert owners == {"core", "bootstrap", "listed"}


def test_a_folder_that_cannot_be_made_is_one_sentence(collect, tmp_path):
    (tmp_path / "static").write_text("a file")

    result = collect.app.test_cli_runner().invoke(collect_static, [str(tmp_path / "static/below")])

    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {tmp_path}/static/below/")
    assert result.output.endswith(
        "cannot be written (Not a directory): run this as the user that owns "
        f"{tmp_path}/static/below, with room on its disk.\n"
    )


def test_a_file_of_the_product_replaces_cores(collect, monkeypatch, tmp_path):
    own = tmp_path / "product" / "static"
    own.mkdir(parents=True)
    (own / "app.css").write_text("body { color: red }")
    (own / "shop.css").write_text("body { color: blue }")
    monkeypatch.setattr(collect.app, "root_path", str(own.parent))

    folder = collect()

    [css] = folder.glob("*/core/static/app.css")
    assert css.read_text() == "body { color: red }"
    assert len(list(folder.glob("*/core/static/shop.css"))) == 1


def test_a_second_time_writes_nothing_and_removes_nothing(collect):
    folder = collect()
    earlier = folder / "0123456789ab" / "core" / "static" / "app.css"
    earlier.parent.mkdir(parents=True)
    earlier.write_text("of an earlier version")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}

    collect()

    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert after == before


def test_no_file_of_a_copy_under_way_is_left(collect):
    folder = collect()

    assert [path for path in Path(folder).rglob("*") if re.search(r"\.\d+$", path.name)] == []
