"""Measures the project against hand-written code and against other frameworks: `make bench`."""
