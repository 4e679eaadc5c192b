"""The documents as the tests read them, and what their reader does in a copy of the project."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import config
from tests.project import Project

ROOT = config.BASE_DIR
# A secret key that production takes.
KEY = "kq8ZsW2vLx0nT5yJd7RfBc3HgMp9UaEi4XoV"
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
)
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block; `path` is the file that its first line names, if it names one."""

    language: str
    text: str

    @property
    def path(self) -> str:
        named = re.match(r"(?:#|\{#) (app/\S+)(?: #\})?$", self.text, re.MULTILINE)
        return named[1] if named else ""

    @property
    def parts(self) -> list[str]:
        """The imports and what stands below them, each between two empty lines."""
        return self.text.split("\n\n\n")

    @property
    def commands(self) -> list[list[str]]:
        return [shlex.split(line) for line in self.text.splitlines()]


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def prose(document: str) -> str:
    return FENCED.sub("", read(document))


def blocks(document: str, language: str = "") -> list[Block]:
    found = [Block(*match) for match in FENCED.findall(read(document))]
    return [block for block in found if language in ("", block.language)]


def block_with(document: str, language: str, words: str) -> Block:
    return next(block for block in blocks(document, language) if words in block.text)


def table_under(document: str, head: str) -> list[list[str]]:
    """Return the cells of the rows of the table whose first head is this one."""
    rows = prose(document).partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def follow(project: Project, block: Block) -> None:
    """Run a block's commands as its reader would; a leading NAME=value goes to the environment."""
    for command in block.commands:
        variables = {}
        while re.match(r"[A-Z_]+=", command[0]):
            name, _, variables[name] = command.pop(0).partition("=")
        result = project.having(**variables).run(*command)
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"


def write_files(project: Project, folder: str, guarded: bool = False) -> None:
    """Write the files of the README that are in this folder; of two with one name the asked one."""
    for block in blocks("README.md"):
        if block.path.startswith(folder) and guarded == ("require_login" in block.text):
            project.write(block.path, block.text)


def write_documented(project: Project, document: str, folder: str) -> None:
    """Write the files of a document that are in this folder."""
    for block in blocks(document):
        if block.path.startswith(folder):
            project.write(block.path, block.text)


def list_entry(project: Project, folder: str) -> None:
    """Add the line that the README shows to the list in settings.py."""
    entry = block_with("README.md", "text", folder.strip("/").replace("/", "."))
    settings = (project.root / "settings.py").read_text(encoding="utf-8")
    opening, _, entries = settings.rpartition("INSTALLED_APPS = [")
    project.write("settings.py", f"{opening}INSTALLED_APPS = [\n    {entry.text}{entries}")


def add_module(project: Project, folder: str) -> None:
    write_files(project, folder)
    list_entry(project, folder)
    follow(project, block_with("README.md", "sh", f'-m "{Path(folder).name}"'))


def revise(project: Project, command: Block, code: Block) -> None:
    """Make the empty revision of the document and give it the document's code."""
    before = project.revisions
    follow(project, command)
    (path,) = project.revisions - before
    head = path.read_text(encoding="utf-8").partition("def upgrade")[0]
    path.write_text(head + code.text, encoding="utf-8")


# For the README's module of notes.
INSERT_NOTE = """
from run import app
from app.notes.models import Note
from services import db

with app.app_context():
    db.session.add(Note(title="Milk", text="fresh"))
    db.session.commit()
"""
# Records within others, for the documents that show the rest of their module.
BILLING = """
from decimal import Decimal
from sqlalchemy import Column, ForeignKey, Numeric, String, Table
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates
from core.models import Base

invoice_tag = Table(
    "billing_invoice_tag",
    Base.metadata,
    Column("invoice_id", ForeignKey("billing_invoice.id"), primary_key=True),
    Column("tag_id", ForeignKey("billing_tag.id"), primary_key=True),
)

class Line(Base):
    __tablename__ = "billing_line"
    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("billing_invoice.id"))
    text: Mapped[str] = mapped_column(String(40))
    price: Mapped[Decimal] = mapped_column(Numeric(8, 2))

    @validates("text")
    def _is_known(self, key, text):
        if "?" in text:
            raise ValueError("Which?")
        return text

class Tag(Base):
    __tablename__ = "billing_tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))

class Invoice(Base):
    __tablename__ = "billing_invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(40))
    lines: Mapped[list[Line]] = relationship(cascade="all, delete-orphan")
    tags: Mapped[list[Tag]] = relationship(secondary=invoice_tag)
"""


def invoice_resources() -> str:
    """Return the README's resources of tasks as those of invoices."""
    text = block_with("README.md", "python", "class TaskItem").text
    return text.replace("Task", "Invoice").replace("task", "invoice")


def install_billing(project: Project, models: str, resources: str) -> None:
    """Write and list a module of invoices with these models and resources."""
    project.write("app/billing/models.py", models)
    project.write("app/billing/schemas.py", block_with("docs/api.md", "python", "tag_ids").text)
    project.write("app/billing/resources.py", resources)
    project.write(
        "app/billing/__init__.py",
        "from flask import Blueprint\n"
        "invoices_bp = Blueprint('billing', __name__, url_prefix='/api/v1')\n"
        "from . import resources\n",
    )
    project.install("app.billing")
