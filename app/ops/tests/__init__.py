"""Tests of this module; they leave with it."""
