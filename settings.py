"""WHAT the product is: its name, its modules, its constants. No environment, no logic."""

# Every visible name and the name of the session cookie come from here.
APP_NAME = "Andamio"

# Each entry is a package under app/. Add yours as "app.<folder>"; remove the demo's two when you
# no longer need them.
INSTALLED_APPS: list[str] = [
    "app.example",
    "app.api",
]

# The path of the API modules; unknown URLs below it are answered in JSON.
API_PREFIX = "/api/v1"

# Rows on a page of a list, and the most that a client may ask for.
PER_PAGE = 20
MAX_PER_PAGE = 100

# The languages of the interface; browsers that ask for none of these get the first.
LANGUAGES = ["en", "es"]

# Times are stored in UTC and shown in this zone; amounts of money are in this currency.
TIMEZONE = "America/Bogota"
CURRENCY = "USD"

# Origins added to the Content-Security-Policy, by directive. For example:
# CSP = {"script-src": ["https://plausible.io"], "connect-src": ["https://plausible.io"]}
CSP: dict[str, list[str]] = {}
