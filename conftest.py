"""Gives every test, the modules' own too, the fixtures of core/testing.py and tests/project.py."""

pytest_plugins = ["core.testing", "tests.project"]
