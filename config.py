"""WHERE the product runs: the only reader of the environment and .env; refuses what is unsafe."""

import inspect
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import click
from dotenv import dotenv_values
from dotenv.parser import parse_stream
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

SETTINGS_ERROR = ""
try:
    import settings
except (Exception, SystemExit) as error:
    # load() raises it, so that `flask doctor` shows a finding and other commands one sentence.
    SETTINGS_ERROR = f"{type(error).__name__}: {error}"
    settings = sys.modules["settings"] = ModuleType("settings")

BASE_DIR = Path(__file__).resolve().parent
INSTANCE_DIR = BASE_DIR / "instance"

LOOPBACK_HOSTS = ["localhost", ".localhost", "127.0.0.1"]
# The variables that have no default in production.
REQUIRED = ("DATABASE_URL", "SECRET_KEY", "TRUSTED_HOSTS")
MAKE_SECRET = 'python -c "import secrets; print(secrets.token_urlsafe(48))"'
# Words of example keys; a random key holds one of them about once in a million.
EXAMPLE_WORDS = re.compile("change|example|secret|insecure|default|password|replace", re.IGNORECASE)
DRIVERS = {
    "postgres": "postgresql+psycopg2",
    "postgresql": "postgresql+psycopg2",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}

# Options of libpq: a server whose network was cut off is given up after about 15 seconds.
TCP = {
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15000,
}

# connect_args that the URL's query does not replace; its `options` are added to ours.
OURS = {"isolation_level", "options", "init_command"}

NAME = r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.?"
HOST = re.compile(rf"\.?{NAME}")
ORIGIN = re.compile(rf"(https?)://({NAME})(?::([0-9]{{1,5}}))?")
REDIS = re.compile(
    r"rediss?://([^/?#]*@)?(\[[^]/]+\]|[^/?#@:]*)(:[0-9]*)?([/?].*)?"
    r"|redis\+(unix|cluster|sentinel)://.*"
)


class ConfigError(click.ClickException):
    """A configuration that the app refuses; the message names the variable and the remedy."""


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _integer(text: str, most: int | None = None, least: int = 0) -> int:
    if not re.fullmatch(r"\d{1,99}", text):
        raise ValueError("a whole number")
    if int(text) < least:
        raise ValueError(f"a number from {least} on")
    if most is not None and int(text) > most:
        raise ValueError(f"a number up to {most}")
    return int(text)


def _flag(text: str) -> bool | None:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    if text:
        raise ValueError("true or false")
    return None


def _origins(text: str) -> list[str]:
    if text.strip() == "*":
        return ["*"]
    # Flask-CORS reads an origin with a star or a bracket as a pattern, which matches others too.
    found = [ORIGIN.fullmatch(origin) for origin in _list(text.lower())]
    if not all(one and int(one[3] or 0) < 2**16 for one in found):
        raise ValueError(
            "origins such as https://shop.example.com without a path and with xn--... for other "
            "letters, or * for all"
        )
    return [_as_sent(one[1], one[2], int(one[3] or 0)) for one in found if one]


def _as_sent(scheme: str, host: str, port: int) -> str:
    """Return an origin as browsers write it: without the default port of its scheme."""
    is_usual = port in (0, {"http": 80, "https": 443}[scheme])
    return f"{scheme}://{host}{'' if is_usual else f':{port}'}"


def _hosts(text: str) -> list[str]:
    # Browsers send host names in lower case, and Flask compares letter by letter.
    hosts = _list(text.lower())
    # Flask compares names alone: an entry with a scheme or a port would never match.
    if not all(map(HOST.fullmatch, hosts)):
        raise ValueError(
            "names such as example.com or .example.com, without https://, port, _ or *, and with "
            "xn--... for other letters"
        )
    return hosts


def _redis(text: str) -> str:
    if text and not REDIS.fullmatch(text):
        # Do not quote the URL, which holds a password.
        raise ConfigError(
            "REDIS_URL cannot be read: write it as redis://localhost:6379/0, or as "
            "redis://:password@host:6379/0 with special characters percent-encoded."
        )
    return text


def _one_of(allowed: tuple[str, ...], text: str) -> str:
    if text not in allowed:
        raise ValueError(f"one of {', '.join(allowed)}")
    return text


def _log_level(text: str) -> str:
    return _one_of(("DEBUG", "INFO", "WARNING", "ERROR"), text.upper())


# Every variable: its default, and the function that reads its text, whose ValueError says what to
# set. .env.example explains the variables; a test keeps it and this list equal.
VARIABLES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "APP_ENV": ("development", partial(_one_of, ("development", "testing", "production"))),
    "SECRET_KEY": ("", str),
    "SECRET_KEY_FALLBACKS": ("", _list),
    "WTF_CSRF_SECRET_KEY": ("", str),
    "DATABASE_URL": ("", str),
    "TEST_DATABASE_URL": ("", str),
    "TRUSTED_HOSTS": ("", _hosts),
    # As in a URL, an IPv6 address may stand in brackets.
    "HOST": ("127.0.0.1", lambda text: text.strip("[]")),
    "PORT": ("5000", partial(_integer, most=65535)),
    "LOG_LEVEL": ("INFO", _log_level),
    "PROXY_COUNT": ("0", _integer),
    "REDIS_URL": ("", _redis),
    "SESSION_REDIS": ("false", _flag),
    "CORS_ORIGINS": ("", _origins),
    "RATE_LIMIT": ("", str),
    # 0 would refuse every form, not allow any size.
    "MAX_CONTENT_LENGTH": ("2097152", partial(_integer, least=1)),
    # A pool of 0 would have no limit.
    "DB_POOL_SIZE": ("5", partial(_integer, least=1)),
    "DB_MAX_OVERFLOW": ("10", _integer),
    # The largest that PostgreSQL accepts.
    "DB_STATEMENT_TIMEOUT_MS": ("15000", partial(_integer, most=2**31 - 1)),
    "DB_PGBOUNCER": ("false", _flag),
    # Far more than any machine needs: without a cap, gunicorn would fork until it dies.
    "WEB_CONCURRENCY": ("2", partial(_integer, least=1, most=500)),
    "WEB_THREADS": ("4", partial(_integer, least=1, most=500)),
    "COOKIE_SECURE": ("", _flag),
    "ALEMBIC_ALLOW_DROP": ("", _list),
}

# Keys of Flask and its extensions that are the same wherever the product runs.
FIXED = {
    "SESSION_COOKIE_SAMESITE": "Lax",
    # For Flask-Login, if the product uses it: its cookie keeps a user logged in for a year.
    "REMEMBER_COOKIE_SAMESITE": "Lax",
    "REMEMBER_COOKIE_HTTPONLY": True,
    "PERMANENT_SESSION_LIFETIME": timedelta(days=14),
    # A form that was left open over lunch can be sent: its token lasts as long as the session.
    "WTF_CSRF_TIME_LIMIT": None,
    "BOOTSTRAP_SERVE_LOCAL": True,
    # For forms with a file: Flask's default of 1,000 is too small for an invoice of 99 lines.
    "MAX_FORM_PARTS": 3_000,
}


@contextmanager
def _sentences() -> Iterator[None]:
    """Turn an unreadable .env, or an unusable file in instance/, into a ConfigError."""
    try:
        yield
    except UnicodeDecodeError:
        raise ConfigError(".env is not UTF-8 text: save it as UTF-8 in your editor.") from None
    except OSError as error:
        raise ConfigError(
            f"{error.filename} cannot be used ({error.strerror}): the user that runs this must own "
            "it (chown)."
        ) from None


@_sentences()
def load(overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return Flask's configuration for this environment.

    A key of `overrides` that VARIABLES names replaces the environment's value; any other goes
    unchanged into Flask's configuration. Raises ConfigError on a missing or unsafe value.
    """
    if SETTINGS_ERROR:
        raise ConfigError(f"settings.py cannot be imported ({SETTINGS_ERROR}): mend it.")
    overrides = _with_aliases(overrides or {})
    env = _environment(overrides)
    debug = _debug(env, overrides)
    url = _database_url(env, overrides)
    _check_driver(url)
    key = secret_key(env)
    cookie_secure = env["COOKIE_SECURE"]
    if cookie_secure is None:
        cookie_secure = env["APP_ENV"] == "production"
    return {
        **FIXED,
        # Without the two database URLs: as texts they would show their passwords.
        **{name: env[name] for name in VARIABLES if not name.endswith("DATABASE_URL")},
        "DEBUG": debug,
        "TESTING": env["APP_ENV"] == "testing",
        "SECRET_KEY": key,
        # Flask's own limit is for the text fields of a form with a file alone: let it be the same.
        "MAX_FORM_MEMORY_SIZE": env["MAX_CONTENT_LENGTH"],
        # Flask-WTF knows no fallback keys: without a key of its own, a rotation breaks open forms.
        "WTF_CSRF_SECRET_KEY": env["WTF_CSRF_SECRET_KEY"] or key,
        "TRUSTED_HOSTS": _trusted_hosts(env),
        "SQLALCHEMY_DATABASE_URI": url,
        "SQLALCHEMY_ENGINE_OPTIONS": _engine_options(url, env),
        "SESSION_COOKIE_NAME": _cookie_name(cookie_secure),
        "SESSION_COOKIE_SECURE": cookie_secure,
        "REMEMBER_COOKIE_SECURE": cookie_secure,
        **{key: value for key, value in overrides.items() if key not in VARIABLES},
    }


def server() -> dict[str, int | str]:
    """Return what gunicorn.conf.py needs to know: bind, workers and threads."""
    env = _environment({})
    host = f"[{env['HOST']}]" if ":" in env["HOST"] else env["HOST"]
    return {
        "bind": f"{host}:{env['PORT']}",
        "workers": env["WEB_CONCURRENCY"],
        "threads": env["WEB_THREADS"],
    }


def _with_aliases(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Accept Flask's own names for two of our variables, so that the same safeguards apply."""
    overrides = dict(overrides)
    if "SQLALCHEMY_DATABASE_URI" in overrides:
        overrides.setdefault("DATABASE_URL", overrides.pop("SQLALCHEMY_DATABASE_URI"))
    if overrides.pop("TESTING", False):
        overrides.setdefault("APP_ENV", "testing")
    return overrides


def _environment(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Merge defaults, .env (never in tests), the process's environment and overrides."""
    testing = {**os.environ, **overrides}.get("APP_ENV") == "testing"
    dotenv = {} if testing else read_dotenv()
    # Modules may read other variables: the `flask` command exports .env, but no server does.
    for name, value in dotenv.items():
        if name not in VARIABLES:
            os.environ.setdefault(name, value)
    texts = {name: default for name, (default, _) in VARIABLES.items()}
    for source in (dotenv, os.environ, overrides):
        given = {name: source.get(name) for name in VARIABLES}
        texts |= {name: _text(value) for name, value in given.items() if value not in (None, "")}
    return {name: _read(name, texts[name], reader) for name, (_, reader) in VARIABLES.items()}


def _read(name: str, text: str, reader: Callable[[str], Any]) -> Any:
    try:
        return reader(text)
    except ValueError as error:
        raise ConfigError(f"{name} is {text!r}: set it to {error}.") from None


@_sentences()
def read_dotenv() -> dict[str, str]:
    """Return the variables of .env, if there is one. Raises ConfigError for an invalid line.

    python-dotenv itself skips such a line, and the variable would be missing.
    """
    path = BASE_DIR / ".env"
    if not path.exists():
        return {}
    with path.open(encoding="utf-8") as file:
        for line in parse_stream(file):
            if (line.key and line.value is None) or line.error:
                # The parser counts blank lines as the beginning of the statement below them.
                start, text = line.original.line, line.original.string
                number = start + text[: -len(text.lstrip())].count("\n")
                # Do not quote the line, which may hold a secret.
                raise ConfigError(
                    f"Line {number} of .env cannot be read: write it as NAME=value, a value with "
                    "spaces in quotes, and close each quote."
                )
    # dotenv_values() also expands `${NAME}`, as the `flask` command does.
    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, URL):
        return value.render_as_string(hide_password=False)
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value).strip()


def _debug(env: Mapping[str, Any], overrides: Mapping[str, Any]) -> Any:
    debug = overrides.get("DEBUG", env["APP_ENV"] == "development")
    if env["APP_ENV"] != "production":
        return debug
    if debug or _read("FLASK_DEBUG", os.environ.get("FLASK_DEBUG", ""), _flag):
        raise ConfigError(
            "FLASK_DEBUG is on in production, where it would show code and run commands for "
            "strangers: unset FLASK_DEBUG and DEBUG (`unset FLASK_DEBUG`)."
        )
    return debug


def secret_key(env: Mapping[str, Any]) -> str:
    """Return the signing key. Raises ConfigError for a missing or weak key in production."""
    key: str = env["SECRET_KEY"]
    if env["APP_ENV"] == "testing":
        return key or secrets.token_urlsafe(48)
    if env["APP_ENV"] == "development":
        return key or _instance_key()
    if not key:
        raise _missing(env, "SECRET_KEY", f"set it to the output of {MAKE_SECRET}.")
    keys = [(name, env[name]) for name in ("SECRET_KEY", "WTF_CSRF_SECRET_KEY")]
    # Whoever guesses an earlier key can forge sessions, as with the present one.
    keys += [("SECRET_KEY_FALLBACKS", old) for old in env["SECRET_KEY_FALLBACKS"]]
    for name, value in keys:
        if value and (reason := _weakness(value)):
            raise ConfigError(f"{name} {reason}: set it to the output of {MAKE_SECRET}.")
    return key


def _missing(env: Mapping[str, Any], name: str, remedy: str) -> ConfigError:
    """Return the error for a variable that production lacks, naming the others it lacks too."""
    others = [one for one in REQUIRED if one != name and not env.get(one)]
    # No colon in here: `flask doctor` takes what follows the last one as the remedy.
    also = f" Set {' and '.join(others)} as well." if others else ""
    return ConfigError(f"{name} is missing: {remedy}{also}")


def _weakness(key: str) -> str:
    if EXAMPLE_WORDS.search(key) or len(set(key)) < 8:
        return "is an example value that anyone can guess"
    return "is shorter than 32 characters" if len(key) < 32 else ""


def _instance_key() -> str:
    """Keep one generated key per clone, so that restarts in development do not end sessions."""
    path = INSTANCE_DIR / "secret_key"
    INSTANCE_DIR.mkdir(0o700, exist_ok=True)
    if not path.exists():
        # Written aside and moved into place, so that no other process reads half a key.
        aside = path.with_name(f"secret_key.{os.getpid()}")
        with open(os.open(aside, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        aside.replace(path)
    return path.read_text()


def _trusted_hosts(env: Mapping[str, Any]) -> list[str]:
    if env["TRUSTED_HOSTS"] or env["APP_ENV"] != "production":
        # If APP_ENV was forgotten, only this machine gets answers: the debugger is not public.
        return env["TRUSTED_HOSTS"] or LOOPBACK_HOSTS
    raise _missing(
        env,
        "TRUSTED_HOSTS",
        "set it to the host names the site is served under, for example "
        "TRUSTED_HOSTS=example.com,www.example.com; `hostname -f` prints this machine's.",
    )


def _cookie_name(secure: bool) -> str:
    app_name = getattr(settings, "APP_NAME", "app").lower()
    name = re.sub(r"[^a-z0-9]+", "_", app_name).strip("_") or "app"
    # With __Host- neither a subdomain nor plain http can set the cookie (RFC 6265bis 4.1.3.2).
    return f"__Host-{name}_session" if secure else f"{name}_session"


def _database_url(env: Mapping[str, Any], overrides: Mapping[str, Any]) -> URL:
    if env["APP_ENV"] == "testing":
        return _test_database_url(env, overrides)
    if env["DATABASE_URL"]:
        return parse_url("DATABASE_URL", env["DATABASE_URL"])
    if env["APP_ENV"] == "production":
        raise _missing(
            env,
            "DATABASE_URL",
            "set it, for example DATABASE_URL=postgresql://user:password@localhost/name; "
            "`createdb name` makes an empty PostgreSQL database.",
        )
    return parse_url("DATABASE_URL", "sqlite:///app.db")


def _test_database_url(env: Mapping[str, Any], overrides: Mapping[str, Any]) -> URL:
    """Return a database that tests may wipe: never the developer's."""
    if explicit := overrides.get("DATABASE_URL"):
        return parse_url("DATABASE_URL", _text(explicit))
    if not env["TEST_DATABASE_URL"]:
        return make_url("sqlite://")
    url = parse_url("TEST_DATABASE_URL", env["TEST_DATABASE_URL"])
    if not Path(url.database or "").stem.endswith("_test"):
        raise ConfigError(
            f"TEST_DATABASE_URL names the database {url.database!r}, which tests would wipe: "
            "use one whose name ends in _test (`createdb app_test`)."
        )
    for own in (os.environ.get("DATABASE_URL"), read_dotenv().get("DATABASE_URL")):
        if own and _place(parse_url("DATABASE_URL", own)) == _place(url):
            raise ConfigError(
                "TEST_DATABASE_URL equals DATABASE_URL, whose data tests would wipe: "
                "use another database (`createdb app_test`)."
            )
    return url


def _place(url: URL) -> tuple[object, ...]:
    """Return what two URLs of one database have in common, however they are written."""
    backend, database = url.get_backend_name(), url.database or ""
    if backend == "sqlite":
        return backend, Path(database.removeprefix("file:").partition("?")[0]).resolve()
    # libpq also reads host and port from the query; a host that is a path is a socket's folder.
    host, port = (str(url.query.get(name) or getattr(url, name) or "") for name in ("host", "port"))
    is_local = host in ("", "localhost", "127.0.0.1", "::1")
    # Both names mean the same server program.
    kind = "mysql" if backend == "mariadb" else backend
    default = "5432" if kind == "postgresql" else "3306"
    return kind, "localhost" if is_local else host, port or default, database


def parse_url(name: str, text: str) -> URL:
    """Return `text` as a URL with the driver this project installs; `name` is for the message."""
    scheme, separator, rest = text.partition("://")
    # The password ends at the last @ before the database's name; the path of a file may hold @.
    is_file = scheme.startswith("sqlite")
    head = rest.partition("?")[0].rpartition("/")[0]
    parts = () if is_file else (head, rest.partition("/")[0])
    at = next((part.rindex("@") for part in parts if "@" in part), 0)
    # Hosting consoles often show passwords with a raw @ or /; SQLAlchemy needs them escaped.
    rest = rest[:at].replace("@", "%40").replace("/", "%2F") + rest[at:]
    try:
        url = make_url(f"{DRIVERS.get(scheme, scheme)}{separator}{rest}")
    except (ArgumentError, ValueError):
        raise ConfigError(
            f"{name} cannot be read: write it as postgresql://user:password@host:5432/name, "
            "with special characters in the password percent-encoded."
        ) from None
    if url.get_backend_name() == "sqlite":
        return _sqlite_path(name, url)
    if not url.database and not {"dbname", "service"} & url.query.keys():
        raise ConfigError(
            f"{name} names no database: write it as postgresql://user:password@host:5432/name."
        )
    return url


def _check_driver(url: URL) -> None:
    try:
        dialect = url.get_dialect()
        driver: Any = dialect.import_dbapi()
    except (ImportError, NoSuchModuleError) as error:
        raise ConfigError(
            f"DATABASE_URL needs the driver {url.drivername}, which is not installed: install it "
            "(MariaDB's by `pip install -r requirements-optional.txt`) or use another URL."
        ) from error
    if dialect.driver != "pymysql":
        # The other drivers report unknown arguments by themselves when they connect.
        return
    try:
        inspect.signature(driver.connect).bind(**dialect().create_connect_args(url)[1])
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"DATABASE_URL holds what PyMySQL does not know ({error}): mend what stands behind its "
            "?, or leave it out; TLS is ?ssl_ca=/path/of/ca.pem."
        ) from None


def _sqlite_path(name: str, url: URL) -> URL:
    """Resolve a relative file against instance/, wherever the process was started."""
    if url.host:
        raise ConfigError(
            f"{name} cannot be read: write three slashes before a file in instance/, "
            f"sqlite:///{url.host}, and four before an absolute path."
        )
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        return url
    path = INSTANCE_DIR / url.database
    if path.is_relative_to(INSTANCE_DIR):
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
    elif not path.parent.is_dir():
        raise ConfigError(
            f"{name} names a file in {path.parent}, which does not exist: mend the path or make "
            "the folder."
        )
    return url.set(database=str(path))


def _engine_options(url: URL, env: Mapping[str, Any]) -> dict[str, Any]:
    """Return create_engine's arguments; each database refuses those of the others.

    Arguments in the URL win over these, such as a schema of PostgreSQL or a longer timeout.
    MariaDB takes only one init_command, so that stays ours.
    """
    timeout = env["DB_STATEMENT_TIMEOUT_MS"]
    if url.get_backend_name() == "sqlite":
        # core/database.py begins transactions itself: sqlite3's own begin comes too late.
        options: dict[str, Any] = {"connect_args": {"isolation_level": None, "timeout": 5}}
        if not url.database or url.database == ":memory:":
            return options
    else:
        options = {"pool_timeout": 5, "pool_recycle": 1800}
        options["connect_args"] = {"connect_timeout": 3}
    options["pool_size"] = env["DB_POOL_SIZE"]
    options["max_overflow"] = env["DB_MAX_OVERFLOW"]
    if url.get_backend_name() == "postgresql":
        options["connect_args"] |= {"application_name": _cookie_name(False), **TCP}
        if not env["DB_PGBOUNCER"]:
            ours = (
                f"-c statement_timeout={timeout} -c lock_timeout={min(timeout or 5000, 5000)} "
                "-c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
            )
            theirs = url.normalized_query.get("options", ())
            options["connect_args"]["options"] = " ".join((ours, *theirs))
    elif url.get_backend_name() in ("mysql", "mariadb"):
        # Longer than the server's own limits: those give an answer, this one cuts the connection.
        silence = timeout // 1000 + 10 if timeout else None
        options["connect_args"] |= {"read_timeout": silence, "write_timeout": silence}
        # As in PostgreSQL: by default, a read after a wait for a lock shows the rows of before it.
        options["isolation_level"] = "READ COMMITTED"
        # MariaDB runs the first comment, MySQL the second: their timeouts differ in name.
        options["connect_args"]["init_command"] = (
            "SET time_zone = '+00:00', innodb_lock_wait_timeout = 5, lock_wait_timeout = 5 "
            f"/*M! , max_statement_time = {timeout / 1000} */ "
            f"/*!50708 , max_execution_time = {timeout} */"
        )
    for name in options["connect_args"].keys() & url.query.keys() - OURS:
        del options["connect_args"][name]
    return options
