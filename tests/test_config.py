"""What config.py makes of the environment, and what it refuses, sentence for sentence."""

import errno
import os
import re
import stat
from pathlib import Path

import pytest
from sqlalchemy import create_engine

import config
import settings
from config import ConfigError
from core.factory import create_app
from core.setting import SETTINGS, check_settings

SECRET = "kq8ZsW2vLx0nT5yJd7RfBc3HgMp9UaEi4XoV"
WIPED = "whose data tests would wipe: use another database (`createdb app_test`)."
MAKE = 'set it to the output of python -c "import secrets; print(secrets.token_urlsafe(48))".'
PRODUCTION = {
    "APP_ENV": "production",
    "SECRET_KEY": SECRET,
    "TRUSTED_HOSTS": "example.com",
    "DATABASE_URL": "postgresql://ana:hunter2@localhost/shop",
}
ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.usefixtures("clean_environment")


def refusal(overrides):
    with pytest.raises(ConfigError) as caught:
        config.load(overrides)
    return caught.value.message


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param(
            {"APP_ENV": "staging"},
            "APP_ENV is 'staging': set it to one of development, testing, production.",
            id="environment",
        ),
        pytest.param({"SECRET_KEY": ""}, f"SECRET_KEY is missing: {MAKE}", id="no-secret"),
        pytest.param(
            {"SECRET_KEY": SECRET[:31]},
            f"SECRET_KEY is shorter than 32 characters: {MAKE}",
            id="short-secret",
        ),
        pytest.param(
            {"SECRET_KEY": f"change-me-{SECRET}"},
            f"SECRET_KEY is an example value that anyone can guess: {MAKE}",
            id="example-secret",
        ),
        pytest.param(
            {"SECRET_KEY": "abc" * 20},
            f"SECRET_KEY is an example value that anyone can guess: {MAKE}",
            id="secret-of-few-characters",
        ),
        pytest.param(
            {"WTF_CSRF_SECRET_KEY": "tiny-1234"},
            f"WTF_CSRF_SECRET_KEY is shorter than 32 characters: {MAKE}",
            id="short-csrf-secret",
        ),
        pytest.param(
            {"SECRET_KEY_FALLBACKS": "dev"},
            f"SECRET_KEY_FALLBACKS is an example value that anyone can guess: {MAKE}",
            id="weak-fallback",
        ),
        pytest.param(
            {"DEBUG": True},
            "FLASK_DEBUG is on in production, where it would show code and run commands for "
            "strangers: unset FLASK_DEBUG and DEBUG (`unset FLASK_DEBUG`).",
            id="debug",
        ),
        pytest.param(
            {"TRUSTED_HOSTS": ""},
            "TRUSTED_HOSTS is missing: set it to the host names the site is served under, for "
            "example TRUSTED_HOSTS=example.com,www.example.com; `hostname -f` prints this "
            "machine's.",
            id="no-hosts",
        ),
        pytest.param(
            {"DATABASE_URL": ""},
            "DATABASE_URL is missing: set it, for example "
            "DATABASE_URL=postgresql://user:password@localhost/name; "
            "`createdb name` makes an empty PostgreSQL database.",
            id="no-database",
        ),
        pytest.param(
            {"DATABASE_URL": "", "SECRET_KEY": "", "TRUSTED_HOSTS": ""},
            "DATABASE_URL is missing: set it, for example "
            "DATABASE_URL=postgresql://user:password@localhost/name; "
            "`createdb name` makes an empty PostgreSQL database. "
            "Set SECRET_KEY and TRUSTED_HOSTS as well.",
            id="several-at-once",
        ),
        pytest.param(
            {"DATABASE_URL": "postgresql//ana:hunter2@localhost"},
            "DATABASE_URL cannot be read: write it as postgresql://user:password@host:5432/name, "
            "with special characters in the password percent-encoded.",
            id="broken-database",
        ),
        pytest.param(
            {"DATABASE_URL": "postgresql://ana:hunter2@localhost:port/shop"},
            "DATABASE_URL cannot be read: write it as postgresql://user:password@host:5432/name, "
            "with special characters in the password percent-encoded.",
            id="broken-port-of-database",
        ),
        pytest.param(
            {"DATABASE_URL": "mariadb://ana:hunter2@localhost"},
            "DATABASE_URL names no database: write it as "
            "postgresql://user:password@host:5432/name.",
            id="database-without-a-name",
        ),
        pytest.param({"PORT": "http"}, "PORT is 'http': set it to a whole number.", id="port"),
        *(
            pytest.param({name: "0"}, f"{name} is '0': set it to a number from 1 on.", id=name)
            for name in ("WEB_CONCURRENCY", "WEB_THREADS", "DB_POOL_SIZE")
        ),
        pytest.param(
            {"PORT": "65536"}, "PORT is '65536': set it to a number up to 65535.", id="high-port"
        ),
        pytest.param(
            {"LOG_LEVEL": "loud"},
            "LOG_LEVEL is 'loud': set it to one of DEBUG, INFO, WARNING, ERROR.",
            id="log-level",
        ),
        pytest.param(
            {"DATABASE_URL": "oracle://ana:hunter2@localhost/shop"},
            "DATABASE_URL needs the driver oracle, which is not installed: install it "
            "(MariaDB's by `pip install -r requirements-optional.txt`) or use another URL.",
            id="driver-that-is-not-installed",
        ),
        pytest.param(
            {"DATABASE_URL": "cabinet://ana:hunter2@localhost/shop"},
            "DATABASE_URL needs the driver cabinet, which is not installed: install it "
            "(MariaDB's by `pip install -r requirements-optional.txt`) or use another URL.",
            id="driver-that-nobody-knows",
        ),
        *(
            pytest.param(
                {"CORS_ORIGINS": f"https://shop.example.com,{origin}"},
                f"CORS_ORIGINS is 'https://shop.example.com,{origin}': set it to origins such as "
                "https://shop.example.com without a path and with xn--... for other letters, or * "
                "for all.",
                id=f"origin-{origin}",
            )
            for origin in (
                "https://*.example.com",
                "https://shop.example.com/",
                "shop",
                "*",
                "http://a:70000",
            )
        ),
        *(
            pytest.param(
                {"TRUSTED_HOSTS": f"example.com,{host}"},
                f"TRUSTED_HOSTS is 'example.com,{host}': set it to names such as example.com or "
                ".example.com, without https://, port, _ or *, and with xn--... for other "
                "letters.",
                id=f"host-{host}",
            )
            for host in (
                "https://example.com/",
                "example.com:443",
                "example.com/",
                "*.a.b",
                "[::1]",
                "my_app.internal",
                "example..com",
                "straße.de",
            )
        ),
        *(
            pytest.param(
                {"REDIS_URL": url},
                "REDIS_URL cannot be read: write it as redis://localhost:6379/0, or as "
                "redis://:password@host:6379/0 with special characters percent-encoded.",
                id=url,
            )
            for url in (
                "127.0.0.1:6379",
                "http://:hunter2@localhost",
                "redis+x://:hunter2@localhost/0",
                "redis://:hunter/2@localhost:6379/0",
                "redis://:hunter#2@localhost:6379/0",
                "redis://localhost:port",
            )
        ),
        pytest.param(
            {"DATABASE_URL": "sqlite://shop.db"},
            "DATABASE_URL cannot be read: write three slashes before a file in instance/, "
            "sqlite:///shop.db, and four before an absolute path.",
            id="two-slashes",
        ),
        pytest.param(
            {"DATABASE_URL": "sqlite:////nowhere/of/it/shop.db"},
            "DATABASE_URL names a file in /nowhere/of/it, which does not exist: mend the path or "
            "make the folder.",
            id="folder-that-does-not-exist",
        ),
        pytest.param(
            {"DB_STATEMENT_TIMEOUT_MS": "99999999999999"},
            "DB_STATEMENT_TIMEOUT_MS is '99999999999999': set it to a number up to 2147483647.",
            id="too-large",
        ),
        pytest.param(
            {"MAX_CONTENT_LENGTH": "-1"},
            "MAX_CONTENT_LENGTH is '-1': set it to a whole number.",
            id="negative-limit",
        ),
        pytest.param(
            {"MAX_CONTENT_LENGTH": "0"},
            "MAX_CONTENT_LENGTH is '0': set it to a number from 1 on.",
            id="no-length-at-all",
        ),
        pytest.param(
            {"COOKIE_SECURE": "maybe"},
            "COOKIE_SECURE is 'maybe': set it to true or false.",
            id="flag",
        ),
    ],
)
def test_production_refuses_with_one_sentence(changes, sentence):
    message = refusal({**PRODUCTION, **changes})

    assert message == sentence
    assert SECRET not in message
    assert "hunter2" not in message


WRONG = {
    "APP_NAME": (None, " "),
    "API_PREFIX": ("api", "/api/", "", None),
    "INSTALLED_APPS": (None, "app.shop", [5]),
    "PER_PAGE": ("20", 0, True),
    "MAX_PER_PAGE": ("100",),
    "LANGUAGES": ("es", [], ["español"], ["pt-BR"], None),
    "TIMEZONE": ("Bogota", None),
    "CURRENCY": ("pesos", None, "ABC"),
    "CORS_HEADERS": ("X-Tenant", ["X Tenant"], [""], None),
    "CSP": (
        {"script-src": "https://x.com"},
        {"scripts-src": ["https://x.com"]},
        {"script-src": ["https://x.com; img-src *"]},
        {"script-src": ["https://x.com https://y.com"]},
        {"script-src": ["https://x.com\n"]},
        {"script-src": ["https://ł.com"]},
        None,
    ),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_setting_that_a_request_would_fail_with_stops_the_start(monkeypatch, name, value):
    monkeypatch.setattr(settings, name, value, raising=False)

    with pytest.raises(ConfigError) as caught:
        create_app({"APP_ENV": "testing"}, [])

    wanted = SETTINGS[name][2]
    assert caught.value.message == f"{name} in settings.py is {value!r}: set it to {wanted}."


@pytest.mark.parametrize(("typed", "meant"), [("TIME_ZONE", "TIMEZONE"), ("LANGUAGE", "LANGUAGES")])
def test_a_setting_that_was_mistyped_stops_the_start(monkeypatch, typed, meant):
    monkeypatch.delattr(settings, meant, raising=False)
    monkeypatch.setattr(settings, typed, "es", raising=False)

    with pytest.raises(ConfigError) as caught:
        check_settings()

    assert (
        caught.value.message == f"settings.py has {typed} and no {meant}: rename it, or set both."
    )


def test_a_setting_of_the_product_may_resemble_one_that_is_set(monkeypatch):
    monkeypatch.setattr(settings, "LANGUAGES", ["es"], raising=False)
    monkeypatch.setattr(settings, "LANGUAGE", "es", raising=False)
    monkeypatch.setattr(settings, "SHOP_COLOUR", "red", raising=False)

    check_settings()


def test_a_setting_may_be_a_tuple(monkeypatch):
    monkeypatch.setattr(settings, "LANGUAGES", ("es", "pt_BR"))
    monkeypatch.setattr(settings, "CSP", {"script-src": ("https://x.com:8443/a-b.js",)})

    check_settings()


@pytest.mark.parametrize("read", [config.load, config.server])
def test_an_env_file_of_another_user_is_one_sentence(monkeypatch, tmp_path, read):
    def refuse(path, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (tmp_path / ".env").touch()
    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(ConfigError) as caught:
        read()

    assert caught.value.message == (
        f"{tmp_path}/.env cannot be used (Permission denied): the user that runs this must own it "
        "(chown)."
    )


def test_an_instance_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "instance").write_text("a file")

    message = refusal({})

    assert message.startswith(f"{tmp_path}/instance cannot be used (File exists): ")


def test_an_env_file_that_is_no_text_is_one_sentence(tmp_path):
    (tmp_path / ".env").write_bytes("PORT=5000\n".encode("utf-16"))

    assert refusal({}) == ".env is not UTF-8 text: save it as UTF-8 in your editor."


@pytest.mark.parametrize("read", [config.load, config.server])
@pytest.mark.parametrize(
    "line", ["SECRET KEY=hunter2", 'DATABASE_URL="sqlite:///hunter2', "SECRET_KEY"]
)
def test_a_line_of_the_env_file_that_says_nothing_is_one_sentence(tmp_path, read, line):
    (tmp_path / ".env").write_text(f"# Of this machine\n\n{line}\nPORT=7000\n")

    with pytest.raises(ConfigError) as caught:
        read()

    assert caught.value.message == (
        "Line 3 of .env cannot be read: write it as NAME=value, a value with spaces in quotes, "
        "and close each quote."
    )


def test_production_refuses_the_debug_switch_of_flask(monkeypatch):
    monkeypatch.setenv("FLASK_DEBUG", "1")

    message = refusal(PRODUCTION)

    assert message.startswith("FLASK_DEBUG is on in production, ")


def test_production_accepts_a_complete_environment():
    loaded = config.load(PRODUCTION)

    assert loaded["SECRET_KEY"] == loaded["WTF_CSRF_SECRET_KEY"] == SECRET
    assert loaded["TRUSTED_HOSTS"] == ["example.com"]
    assert (loaded["DEBUG"], loaded["TESTING"]) == (False, False)
    assert loaded["SESSION_COOKIE_SECURE"] is loaded["REMEMBER_COOKIE_SECURE"] is True
    assert loaded["REMEMBER_COOKIE_HTTPONLY"] is True
    assert loaded["SESSION_COOKIE_SAMESITE"] == loaded["REMEMBER_COOKIE_SAMESITE"] == "Lax"
    assert re.fullmatch(r"__Host-\w+_session", loaded["SESSION_COOKIE_NAME"])


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        pytest.param(
            "postgresql://ana:hunter2@localhost/shop",
            "TEST_DATABASE_URL names the database 'shop', which tests would wipe: "
            "use one whose name ends in _test (`createdb app_test`).",
            id="name",
        ),
        pytest.param(
            "postgres://ana:hunter2@localhost/shop_test",
            f"TEST_DATABASE_URL equals DATABASE_URL, {WIPED}",
            id="equal",
        ),
        *(
            pytest.param(url, f"TEST_DATABASE_URL equals DATABASE_URL, {WIPED}", id=name)
            for name, url in {
                "port": "postgresql://ana:hunter2@localhost:5432/shop_test",
                "address": "postgresql://eva@127.0.0.1/shop_test",
                "options": "postgresql://ana@localhost/shop_test?sslmode=disable",
                "query": "postgresql:///shop_test?host=localhost&port=5432",
            }.items()
        ),
    ],
)
def test_tests_refuse_a_database_that_may_be_somebodys(monkeypatch, url, sentence):
    monkeypatch.setenv("DATABASE_URL", "postgresql://ana:hunter2@localhost/shop_test")

    message = refusal({"APP_ENV": "testing", "TEST_DATABASE_URL": url})

    assert message == sentence


@pytest.mark.parametrize("url", ["sqlite:///mine_test.db", "sqlite:///../instance/mine_test.db"])
def test_tests_refuse_the_database_of_the_developers_env_file(tmp_path, url):
    (tmp_path / ".env").write_text("DATABASE_URL=sqlite:///mine_test.db\n")

    message = refusal({"APP_ENV": "testing", "TEST_DATABASE_URL": url})

    assert message.startswith("TEST_DATABASE_URL equals DATABASE_URL, ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("postgres://u:p@h/d", "postgresql+psycopg2://u:p@h/d", id="postgres"),
        pytest.param("postgresql://u:p@h/d", "postgresql+psycopg2://u:p@h/d", id="postgresql"),
        pytest.param("mysql://u:p@h/d", "mysql+pymysql://u:p@h/d", id="mysql"),
        pytest.param("mariadb://u:p@h/d", "mariadb+pymysql://u:p@h/d", id="mariadb"),
        pytest.param("postgresql+psycopg://u@h/d", "postgresql+psycopg://u@h/d", id="own-driver"),
        pytest.param(
            "postgres://u:p@h/d?sslmode=require",
            "postgresql+psycopg2://u:p@h/d?sslmode=require",
            id="query",
        ),
        pytest.param("sqlite://", "sqlite://", id="memory"),
        pytest.param("sqlite:////srv/app.db", "sqlite:////srv/app.db", id="absolute-file"),
    ],
)
def test_a_database_url_gets_the_driver_that_is_installed(text, expected):
    url = config.parse_url("DATABASE_URL", text)

    assert url.render_as_string(hide_password=False) == expected


@pytest.mark.parametrize(
    ("text", "password", "host"),
    [
        pytest.param("postgres://u:p%40ss%25w%2Frd@h:5433/d", "p@ss%w/rd", "h", id="encoded"),
        pytest.param("postgres://u:p@ss@h/d", "p@ss", "h", id="raw-at"),
        pytest.param("postgres://u:p@ss/word@h/d", "p@ss/word", "h", id="raw-at-and-slash"),
        pytest.param("postgres://u:p@h/d", "p", "h", id="plain"),
        pytest.param("postgres://u:p?ss@h/d", "p?ss", "h", id="raw-question-mark"),
        pytest.param("postgres://u:p@h/d?application_name=a@b", "p", "h", id="at-in-query"),
        pytest.param("postgres://u:50%off@h/d", "50%off", "h", id="raw-percent"),
        pytest.param("postgres://u:p@@[::1]:5432/d", "p@", "::1", id="ipv6-host"),
    ],
)
def test_special_characters_in_a_password_are_taken_as_meant(text, password, host):
    url = config.parse_url("DATABASE_URL", text)

    assert (url.username, url.password, url.host, url.database) == ("u", password, host, "d")


def test_a_relative_sqlite_file_lies_in_the_instance_folder(tmp_path):
    url = config.parse_url("DATABASE_URL", "sqlite:///data/app.db")

    assert url.database == str(tmp_path / "instance" / "data" / "app.db")
    assert (tmp_path / "instance" / "data").is_dir()


def test_without_a_database_url_the_data_lies_in_the_instance_folder(tmp_path):
    loaded = config.load()

    assert loaded["SQLALCHEMY_DATABASE_URI"].database == str(tmp_path / "instance" / "app.db")


def test_tests_without_a_database_url_get_one_in_memory():
    loaded = config.load({"APP_ENV": "testing"})

    assert loaded["SQLALCHEMY_DATABASE_URI"].render_as_string() == "sqlite://"
    assert "pool_size" not in loaded["SQLALCHEMY_ENGINE_OPTIONS"]


def test_a_password_never_shows_in_the_url_or_its_engine():
    loaded = config.load(PRODUCTION)
    engine = create_engine(loaded["SQLALCHEMY_DATABASE_URI"])

    shown = f"{loaded['SQLALCHEMY_DATABASE_URI']!r} {loaded['SQLALCHEMY_DATABASE_URI']} {engine!r}"

    assert "hunter2" not in shown


def test_postgresql_gets_its_timeouts_at_the_start_of_a_connection():
    options = config.load(
        PRODUCTION | {"DB_STATEMENT_TIMEOUT_MS": "2000", "DB_POOL_SIZE": 3, "DB_MAX_OVERFLOW": 4}
    )["SQLALCHEMY_ENGINE_OPTIONS"]

    name = options["connect_args"].pop("application_name")
    assert name.endswith("_session")
    assert options == {
        "pool_timeout": 5,
        "pool_recycle": 1800,
        "pool_size": 3,
        "max_overflow": 4,
        "connect_args": {
            "connect_timeout": 3,
            **config.TCP,
            "options": "-c statement_timeout=2000 -c lock_timeout=2000 "
            "-c idle_in_transaction_session_timeout=60000 -c timezone=UTC",
        },
    }


def test_what_the_url_says_of_a_connection_holds():
    query = "?options=-csearch_path%3Dshop&connect_timeout=20&application_name=shop"
    loaded = config.load(PRODUCTION | {"DATABASE_URL": f"{PRODUCTION['DATABASE_URL']}{query}"})

    engine = create_engine(loaded["SQLALCHEMY_DATABASE_URI"], **loaded["SQLALCHEMY_ENGINE_OPTIONS"])
    _, arguments = engine.dialect.create_connect_args(engine.url)
    arguments |= loaded["SQLALCHEMY_ENGINE_OPTIONS"]["connect_args"]

    assert arguments["options"].startswith("-c statement_timeout=15000 ")
    assert arguments["options"].endswith(" -c timezone=UTC -csearch_path=shop")
    assert (arguments["connect_timeout"], arguments["application_name"]) == ("20", "shop")


def test_behind_pgbouncer_no_options_are_sent():
    options = config.load(PRODUCTION | {"DB_PGBOUNCER": "true"})["SQLALCHEMY_ENGINE_OPTIONS"]

    assert "options" not in options["connect_args"]


def test_mariadb_gets_its_timeouts_by_a_first_command():
    pytest.importorskip("pymysql", reason="the driver of MariaDB is optional")
    url = "mariadb://u:p@localhost/shop"

    options = config.load(PRODUCTION | {"DATABASE_URL": url})["SQLALCHEMY_ENGINE_OPTIONS"]

    assert options["connect_args"]["init_command"] == (
        "SET time_zone = '+00:00', innodb_lock_wait_timeout = 5, lock_wait_timeout = 5 "
        "/*M! , max_statement_time = 15.0 */ /*!50708 , max_execution_time = 15000 */"
    )


def test_what_the_driver_of_mariadb_does_not_know_is_told():
    pytest.importorskip("pymysql", reason="the driver of MariaDB is optional")
    url = "mysql://u:hunter2@localhost/shop?ssl-mode=REQUIRED"

    with pytest.raises(config.ConfigError, match="argument 'ssl-mode'") as refusal:
        config.load(PRODUCTION | {"DATABASE_URL": url})

    assert "hunter2" not in refusal.value.message


def test_the_env_file_is_read_and_the_real_environment_wins(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("PORT=7000\nHOST=0.0.0.0\nSECRET_KEY=a$b${PORT}\n")
    monkeypatch.setenv("PORT", "8000")

    loaded = config.load()

    assert (loaded["HOST"], loaded["PORT"]) == ("0.0.0.0", 8000)
    assert loaded["SECRET_KEY"] == "a$b7000"


@pytest.mark.parametrize("read", [config.load, config.server])
def test_a_variable_of_the_product_reaches_every_process(monkeypatch, tmp_path, read):
    (tmp_path / ".env").write_text("SHOP_MAIL_FROM=a@b.c\nSHOP_MAIL_KEY=file\nPORT=7000\n")
    monkeypatch.setattr(os, "environ", {"SHOP_MAIL_KEY": "real"})

    read()

    assert os.environ == {"SHOP_MAIL_FROM": "a@b.c", "SHOP_MAIL_KEY": "real"}


def test_tests_do_not_read_the_env_file(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("PORT=7000\nSHOP_MAIL_FROM=a@b.c\n")
    monkeypatch.setattr(os, "environ", {})

    loaded = config.load({"APP_ENV": "testing"})

    assert loaded["PORT"] == 5000
    assert os.environ == {}


def test_an_empty_variable_has_its_default(monkeypatch):
    monkeypatch.setenv("PORT", "")

    loaded = config.load()

    assert loaded["PORT"] == 5000


def test_overrides_take_names_of_flask_and_of_the_environment():
    loaded = config.load(
        {"TESTING": True, "SQLALCHEMY_DATABASE_URI": "postgres://h/d", "TRUSTED_HOSTS": ["a", "b"]}
    )

    assert loaded["APP_ENV"] == "testing"
    assert loaded["SQLALCHEMY_DATABASE_URI"].drivername == "postgresql+psycopg2"
    assert loaded["TRUSTED_HOSTS"] == ["a", "b"]


def test_a_url_object_keeps_its_password():
    url = config.parse_url("DATABASE_URL", "postgres://u:p%40ss@h/d")

    loaded = config.load({"DATABASE_URL": url})

    assert loaded["SQLALCHEMY_DATABASE_URI"].password == "p@ss"


def test_other_overrides_go_to_flask_as_they_are():
    loaded = config.load({"WTF_CSRF_ENABLED": False, "SHOP_LIMIT": 3})

    assert (loaded["WTF_CSRF_ENABLED"], loaded["SHOP_LIMIT"]) == (False, 3)


def test_development_answers_this_machine_only():
    loaded = config.load()

    assert loaded["TRUSTED_HOSTS"] == ["localhost", ".localhost", "127.0.0.1"]


@pytest.mark.parametrize(
    "url", ["redis://", "rediss://u:p%2F@[::1]:6379/0?db=1", "redis+sentinel://:p@a:1,b:2/main"]
)
def test_a_redis_is_named_by_any_url_that_its_libraries_read(url):
    assert config.load({"REDIS_URL": url})["REDIS_URL"] == url


@pytest.mark.parametrize(
    ("name", "text", "sent"),
    [
        ("TRUSTED_HOSTS", ".Shop.example", [".shop.example"]),
        ("CORS_ORIGINS", "https://Shop.example:0443", ["https://shop.example"]),
        ("CORS_ORIGINS", "http://a.example:80,http://b:443", ["http://a.example", "http://b:443"]),
    ],
)
def test_names_are_what_browsers_make_of_them(name, text, sent):
    assert config.load({name: text})[name] == sent


def test_an_address_of_ipv6_stands_in_brackets_or_not(monkeypatch):
    for host in ("::1", "[::1]"):
        monkeypatch.setenv("HOST", host)

        assert config.server()["bind"] == "[::1]:5000"
        assert config.load()["HOST"] == "::1"


def test_hosts_are_named_as_browsers_send_them():
    assert config.load({"TRUSTED_HOSTS": "Example.com"})["TRUSTED_HOSTS"] == ["example.com"]


def test_development_keeps_one_generated_key(tmp_path):
    first = config.load()["SECRET_KEY"]

    second = config.load()["SECRET_KEY"]

    path = tmp_path / "instance" / "secret_key"
    assert first == second == path.read_text()
    assert len(first) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 or os.name == "nt"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize("variables", [{}, {"SECRET_KEY": "one"}], ids=["key", "database"])
def test_nobody_else_on_the_machine_reads_what_is_kept(tmp_path, variables):
    config.load(variables)

    assert stat.S_IMODE((tmp_path / "instance").stat().st_mode) == 0o700


def test_tests_get_a_key_of_their_own_each_time():
    keys = {config.load({"APP_ENV": "testing"})["SECRET_KEY"] for _ in range(2)}

    assert len(keys) == 2


def test_fallback_keys_are_split_at_commas():
    loaded = config.load({"SECRET_KEY_FALLBACKS": "one, two,"})

    assert loaded["SECRET_KEY_FALLBACKS"] == ["one", "two"]


def test_gunicorn_gets_address_workers_and_threads(monkeypatch):
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("WEB_CONCURRENCY", "3")

    server = config.server()

    assert server == {"bind": "0.0.0.0:5000", "workers": 3, "threads": 4}


def example_lines():
    text = (ROOT / ".env.example").read_text()
    return re.findall(r"^(# )?([A-Z_]+)=(.*)$", text, re.MULTILINE)


def test_the_example_file_names_every_variable_once_and_in_order():
    assert [name for _, name, _ in example_lines()] == list(config.VARIABLES)


def test_the_example_file_sets_only_what_a_new_clone_needs():
    given = {name: value for comment, name, value in example_lines() if not comment}

    assert given == {"APP_ENV": "development", "SECRET_KEY": ""}


def test_the_example_file_shows_the_defaults():
    # A variable without a default shows how its value looks.
    shown = {name: value for _, name, value in example_lines() if config.VARIABLES[name][0]}

    assert shown == {name: default for name, (default, _) in config.VARIABLES.items() if default}


def test_the_example_file_gives_each_variable_a_purpose_and_a_default():
    text = (ROOT / ".env.example").read_text()
    paragraphs = [p for p in text.split("\n\n") if re.search(r"^(# )?[A-Z_]+=", p, re.MULTILINE)]

    for paragraph in paragraphs:
        assert re.match(r"# \S", paragraph)
        assert re.search(r"default|Default|if empty|Production: required", paragraph), paragraph


def test_a_page_is_not_larger_than_the_largest(monkeypatch):
    monkeypatch.setattr("settings.PER_PAGE", 20, raising=False)
    monkeypatch.setattr("settings.MAX_PER_PAGE", 10, raising=False)

    with pytest.raises(ConfigError, match="PER_PAGE is above MAX_PER_PAGE"):
        check_settings()
