"""example

Revision ID: example_0001
Revises:
Create Date: 2026-11-22 12:00:00+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "example_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "example_category",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_example_category")),
        sa.UniqueConstraint("name", name=op.f("uq_example_category_name")),
    )
    op.create_table(
        "example_product",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("sku", sa.String(length=40), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("price", sa.Numeric(precision=10, scale=2), nullable=False),
        sa.Column("stock", sa.Integer(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("draft", "active", "retired", name="status", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("released_on", sa.Date(), nullable=True),
        sa.Column("featured", sa.Boolean(), nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("price >= 0", name=op.f("ck_example_product_price_from_0")),
        sa.CheckConstraint("stock >= 0", name=op.f("ck_example_product_stock_from_0")),
        sa.ForeignKeyConstraint(
            ["category_id"],
            ["example_category.id"],
            name=op.f("fk_example_product_category_id_example_category"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_example_product")),
        sa.UniqueConstraint("sku", name=op.f("uq_example_product_sku")),
    )
    with op.batch_alter_table("example_product", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_example_product_category_id"), ["category_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_example_product_name"), ["name"], unique=False)


def downgrade() -> None:
    op.drop_table("example_product")
    op.drop_table("example_category")
