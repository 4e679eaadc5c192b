"""The data of a run: a PostgreSQL database of its own, with the project's tables and many rows.

`python -m benchmarks.database 1000000` makes one that stays, for measurements by hand.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from pathlib import Path

import click
from sqlalchemy import URL, Engine, NullPool, create_engine, inspect, text

from config import parse_url
from scripts.databases import PostgreSQL, any_server

ROOT = Path(__file__).resolve().parent.parent
AUTHORS, CATEGORIES, PRODUCTS = 1_000, 40, 1_000
NUMBERS = count(1)
MOMENT = "CAST('2026-01-01 00:00:00+00' AS timestamptz) moment"
# Every value follows from the row's number, so that all runs read the same.
ROWS = {
    "api_author": f"""
INSERT INTO api_author (id, name, created_at, updated_at, version)
SELECT n, 'Author ' || n, moment, moment, 1
FROM generate_series(1, :authors) n, {MOMENT}""",
    "api_book": f"""
INSERT INTO api_book
    (id, title, isbn, price, published, pages, author_id, created_at, updated_at, version)
SELECT n, 'The Book of Number ' || n, '978' || lpad(CAST(n AS text), 10, '0'),
    (500 + n % 9500) / 100.0,
    CASE WHEN n % 50 > 0 THEN CAST('2000-01-01' AS date) + n % 9000 END,
    CASE WHEN n % 70 > 0 THEN 80 + n % 900 END,
    1 + n * 271 % :authors, moment + n * interval '1 second', moment + n * interval '1 second', 1
FROM generate_series(1, :books) n, {MOMENT}""",
    "example_category": f"""
INSERT INTO example_category (id, name, created_at, updated_at, version)
SELECT n, 'Category ' || lpad(CAST(n AS text), 3, '0'), moment, moment, 1
FROM generate_series(1, :categories) n, {MOMENT}""",
    "example_product": f"""
INSERT INTO example_product
    (id, name, sku, price, stock, status, released_on, featured, category_id,
     created_at, updated_at, version)
SELECT n, 'Product ' || n, 'SKU-' || n, (500 + n % 95000) / 100.0, n % 200,
    (ARRAY['draft', 'active', 'retired'])[1 + n % 3], CAST('2000-01-01' AS date) + n % 9000,
    n % 10 = 0, 1 + n % :categories, moment, moment, 1
FROM generate_series(1, :products) n, {MOMENT}""",
}


@contextmanager
def bench_database(
    books: int,
    name: str = "",
    keep: bool = False,
    server_url: str | None = None,
    products: int = PRODUCTS,
) -> Iterator[URL]:
    """Yield the URL of a new database with this many rows; it goes at the end unless kept.

    It is made on `server_url`, by default on BENCH_DATABASE_URL's server.
    """
    # A run may have several.
    name = name or f"andamio_bench_{os.getpid()}_{next(NUMBERS)}"
    with _server(server_url or os.environ.get("BENCH_DATABASE_URL")) as server:
        administer(server, f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
        # All servers write at the speed of memory: the disk is not what is compared.
        administer(server, f"ALTER DATABASE {name} SET synchronous_commit = off")
        try:
            url = server.set(drivername="postgresql", database=name)
            migrate(url)
            fill(url, books, products)
            yield url
        finally:
            if not keep:
                administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def _server(named: str | None) -> AbstractContextManager[URL]:
    """Return the named server, one that runs on this machine, or a temporary one."""
    if named:
        return nullcontext(parse_url("BENCH_DATABASE_URL", named))
    return any_server(PostgreSQL())


def production(url: URL) -> dict[str, str]:
    """Return the variables of a production process on this database."""
    return {
        "APP_ENV": "production",
        "DATABASE_URL": url.render_as_string(hide_password=False),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "TRUSTED_HOSTS": "127.0.0.1",
        "HOST": "127.0.0.1",
        "WEB_CONCURRENCY": "1",
        "WEB_THREADS": "4",
        "LOG_LEVEL": "INFO",
    }


def migrate(url: URL) -> None:
    """Bring the tables into being, as a deployment does."""
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    environment = {**os.environ, **production(url)}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise click.ClickException(f"alembic upgrade head failed:\n{result.stderr}")


def fill(url: URL, books: int, products: int = PRODUCTS) -> None:
    """Insert the rows into empty tables, and let PostgreSQL count them."""
    numbers = {
        "books": books,
        "authors": AUTHORS,
        "categories": CATEGORIES,
        "products": products,
    }
    # A module that was deleted has no tables.
    tables = [table for table in ROWS if inspect(_engine(url)).has_table(table)]
    sequences = (f"SELECT setval('{t}_id_seq', (SELECT max(id) FROM {t}))" for t in tables)
    rows = (ROWS[table] for table in tables)
    administer(url, *rows, *sequences, "VACUUM ANALYZE", **numbers)


def tidy(url: URL, books: int) -> None:
    """Remove what a round created, so that each round reads the same number of rows."""
    administer(url, f"DELETE FROM api_book WHERE id > {books}", "VACUUM ANALYZE api_book")


def backends(url: URL) -> list[int]:
    """Return the processes of PostgreSQL that work for the servers."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    with _engine(url).connect() as connection:
        return list(connection.execute(text(query)).scalars())


def version_of(url: URL) -> str:
    """Return PostgreSQL's version."""
    with _engine(url).connect() as connection:
        return str(connection.execute(text("SHOW server_version")).scalar())


def administer(url: URL, *statements: str, **numbers: int) -> None:
    """Run statements, each a transaction of its own."""
    with _engine(url).connect() as connection:
        for statement in statements:
            values = {name: n for name, n in numbers.items() if f":{name}" in statement}
            connection.execute(text(statement), values)


def _engine(url: URL) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg2", database=url.database or "postgres"),
        isolation_level="AUTOCOMMIT",
        # Nothing stays connected to a database that is about to go.
        poolclass=NullPool,
    )


if __name__ == "__main__":
    books = int(sys.argv[1])
    with bench_database(books, f"andamio_bench_{books}", keep=True) as made:
        click.echo(made.render_as_string(hide_password=False))
