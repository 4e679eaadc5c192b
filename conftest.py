"""Gives every test of the project, the modules' own too, the fixtures of core/testing.py."""

pytest_plugins = ["core.testing"]
