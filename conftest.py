"""Gives every test, the modules' own too, the fixtures of core and of tests/project.py."""

pytest_plugins = ["core.testing", "core.query_count", "tests.project"]
