"""Projects to throw away: the scaffold with many modules of the README, and many revisions."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.database import ROOT

FOLDERS = ("core", "alembic")
FILES = ("alembic.ini", "app/__init__.py", "config.py", "services.py", "settings.py", "run.py")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "versions")
# The modules that the README builds, by its code blocks: the first line of each names its file.
EXAMPLES = ("notes", "tasks")
BLOCK = re.compile(r"^```\w+\n((?:# |\{# )(app/(\w+)/\S+).*?)^```$", re.MULTILINE | re.DOTALL)
REVISION = '''"""Table {number}"""

import sqlalchemy as sa
from alembic import op

revision = "growth_{number:04}"
down_revision = {previous!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "growth_{number:04}",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_growth_{number:04}")),
        sa.UniqueConstraint("name", name=op.f("uq_growth_{number:04}_name")),
    )


def downgrade() -> None:
    op.drop_table("growth_{number:04}")
'''


@contextmanager
def project(modules: int, revisions: int) -> Iterator[Path]:
    """Yield a copy of the project with so many modules of the README and so many revisions."""
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        for path in FOLDERS:
            shutil.copytree(ROOT / path, folder / path, ignore=LEFT_OUT)
        (folder / "app").mkdir()
        for path in FILES:
            shutil.copy(ROOT / path, folder / path)
        entries = [_write_module(folder, number) for number in range(modules)]
        with (folder / "settings.py").open("a", encoding="utf-8") as file:
            file.write(f"\nINSTALLED_APPS = {entries!r}\n")
        for number in range(1, revisions + 1):
            _write_revision(folder, number)
        yield folder


def _write_module(folder: Path, number: int) -> str:
    """Write a module, by turns one with pages and one with an API; return its entry."""
    name = EXAMPLES[number % len(EXAMPLES)]
    own = f"{name}{number}"
    for text, path, module in BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8")):
        if module == name and "/tests/" not in path and "require_login" not in text:
            file = folder / path.replace(name, own)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace(name, own), encoding="utf-8")
    return f"app.{own}"


def _write_revision(folder: Path, number: int) -> None:
    versions = folder / "alembic/versions"
    versions.mkdir(exist_ok=True)
    previous = f"growth_{number - 1:04}" if number > 1 else None
    text = REVISION.format(number=number, previous=previous)
    (versions / f"growth_{number:04}.py").write_text(text, encoding="utf-8")
