"""The promises of the module; they leave with it."""
