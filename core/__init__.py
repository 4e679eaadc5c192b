"""The machinery: one file or small package per concern, each with one verb for the factory."""
