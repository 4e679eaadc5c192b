"""The product: one package per module, listed in settings.INSTALLED_APPS; nothing is shared."""
