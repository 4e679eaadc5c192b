"""`flask generate`: writes a module in the words of the demo's two."""
