"""`flask generate`: writes a module with code like that of the two demo modules."""
