"""What `alembic` runs; the logic is in core/migrations.py."""

from alembic import context

from core.migrations import migrate, module_metadata

# Filled from INSTALLED_APPS. You may add metadata of your own: duplicates count once.
target_metadata = module_metadata()

migrate(context, target_metadata)
