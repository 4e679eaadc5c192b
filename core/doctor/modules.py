"""Checks of app/: which modules are listed, and which are not."""

import re
from collections.abc import Iterator

from flask import Flask

import config
import settings
from core.doctor.finding import Finding, ok, warn
from core.modules import installed_modules
from core.setting import setting

# Optional modules have this line in __init__.py, which nobody imports while they are not listed.
OPTIONAL = re.compile(r"^OPTIONAL = True$", re.MULTILINE)


def listed(app: Flask) -> Iterator[Finding]:
    """Name the modules that started; those that did not are among the troubles."""
    names = ", ".join(module.entry for module in installed_modules())
    if not names and "troubles" in app.extensions:
        return
    if hasattr(settings, "INSTALLED_APPS"):
        yield ok("modules", names or "none is listed")
    else:
        remedy = "add INSTALLED_APPS = [...] with your modules"
        yield warn("modules", "settings.py has no INSTALLED_APPS", remedy)


def unlisted(app: Flask) -> Iterator[Finding]:
    """Look for folders of app/ that nobody listed."""
    for folder in sorted((config.BASE_DIR / "app").glob("*/")):
        package = folder / "__init__.py"
        if f"app.{folder.name}" in setting("INSTALLED_APPS") or not any(folder.glob("*.py")):
            continue
        if not package.exists():
            remedy = f"create app/{folder.name}/__init__.py or delete the folder"
            yield warn("modules", f"app/{folder.name}/ has no __init__.py", remedy)
        elif not OPTIONAL.search(package.read_text(encoding="utf-8")):
            remedy = f'add "app.{folder.name}" to INSTALLED_APPS in settings.py, or delete it'
            yield warn("modules", f"app/{folder.name}/ is not listed", remedy)
