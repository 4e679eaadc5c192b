"""api

Revision ID: api_0001
Revises: example_0001, if it is there
Create Date: 2026-11-22 12:00:00+00:00
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "api_0001"
# The two demo modules can be deleted one without the other; yours just name their predecessor.
_example = Path(__file__).with_name("2026_11_22_example_0001_example.py")
down_revision = "example_0001" if _example.exists() else None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_author",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_author")),
    )
    with op.batch_alter_table("api_author", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_author_name"), ["name"], unique=False)

    op.create_table(
        "api_book",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("isbn", sa.String(length=13), nullable=False),
        sa.Column("price", sa.Numeric(precision=10, scale=2), nullable=False),
        sa.Column("published", sa.Date(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("pages > 0", name=op.f("ck_api_book_pages_from_1")),
        sa.CheckConstraint("price >= 0", name=op.f("ck_api_book_price_from_0")),
        sa.ForeignKeyConstraint(
            ["author_id"], ["api_author.id"], name=op.f("fk_api_book_author_id_api_author")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_book")),
        sa.UniqueConstraint("isbn", name=op.f("uq_api_book_isbn")),
    )
    with op.batch_alter_table("api_book", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_book_author_id"), ["author_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_api_book_title"), ["title"], unique=False)


def downgrade() -> None:
    op.drop_table("api_book")
    op.drop_table("api_author")
