"""The floor's pages: hand-written SQL and templates; `gunicorn floor_pages:app` serves it all."""

from decimal import Decimal
from typing import Any

from flask import render_template, request
from floor import app, cursor
from floor_words import STATUSES, WORDS

CATEGORIES = "SELECT id, name FROM example_category ORDER BY name"
PRODUCTS = """SELECT p.id, p.name, p.sku, c.name, p.price, p.stock, p.status
FROM example_product p JOIN example_category c ON c.id = p.category_id
ORDER BY p.id DESC LIMIT 20 OFFSET %s"""

app.jinja_env.trim_blocks = True
app.jinja_env.lstrip_blocks = True


@app.get("/example/products")
def product_index() -> str:
    """Show a list with its search, filters and pages."""
    page = int(request.args.get("page", 1))
    with cursor() as sql:
        sql.execute("SELECT count(*) FROM example_product")
        total = sql.fetchone()[0]
        sql.execute(CATEGORIES)
        categories = sql.fetchall()
        sql.execute(PRODUCTS, ((page - 1) * 20,))
        products = sql.fetchall()
    last = max(-(-total // 20), 1)
    numbers = sorted({1, page - 1, page, page + 1, last} & set(range(1, last + 1)))
    found = {"categories": categories, "products": products, "total": total}
    return _page("list.html", "products", page=page, last=last, numbers=numbers, **found)


@app.get("/example/products/new")
def product_new() -> str:
    """Show an empty form."""
    with cursor() as sql:
        sql.execute(CATEGORIES)
        return _page("form.html", "new", categories=sql.fetchall())


def _page(template: str, title: str, **values: Any) -> str:
    language = request.accept_languages.best_match(("en", "es")) or "en"
    return render_template(
        template,
        title=WORDS[language][title],
        language=language,
        money=MONEY[language],
        statuses=STATUSES[language],
        t=WORDS[language],
        **values,
    )


def _english(amount: Decimal) -> str:
    return f"${amount:,}"


def _spanish(amount: Decimal) -> str:
    return f"USD{amount}".replace(".", ",")


MONEY = {"en": _english, "es": _spanish}
