"""The pages of the module: URL -> form -> model -> template."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from core.export import csv_of
from core.pages import database_rules, expect_shown_version, page_of
from services import db

from . import example_bp as bp
from .forms import CategoryForm, ProductForm
from .models import Category, Product, Status

# The columns of a list of products: reading these alone costs half of reading whole records.
COLUMNS = ("id", "name", "sku", "category.name", "price", "stock", "status")


@bp.get("/")
def dashboard() -> ResponseReturnValue:
    categories = db.session.execute(Product.per_category()).all()
    counts = dict(db.session.execute(Product.per_status()).all())
    statuses = [(status.label, counts[status]) for status in Status if status in counts]
    return render_template("example/dashboard.html", categories=categories, statuses=statuses)


@bp.get("/products")
def product_index() -> ResponseReturnValue:
    return render_template("example/product_index.html", page=page_of(Product, columns=COLUMNS))


@bp.get("/products.csv")
def product_csv() -> ResponseReturnValue:
    columns = ("name", "sku", "category.name", "price", "stock", "status", "released_on")
    return csv_of(Product, columns)


@bp.get("/products/<int:id>")
def product_show(id: int) -> ResponseReturnValue:
    product = db.get_or_404(Product, id)
    return render_template("example/product_show.html", product=product)


@bp.get("/products/new")
def product_new() -> ResponseReturnValue:
    return render_template("example/product_new.html", form=ProductForm())


@bp.post("/products")
def product_create() -> ResponseReturnValue:
    product, form = Product(), ProductForm()
    if form.validate():
        form.populate_obj(product)
        db.session.add(product)
        with database_rules(form):
            db.session.commit()
            flash(_("%(name)s was created.", name=product), "success")
            return redirect(url_for(".product_show", id=product.id))
    return render_template("example/product_new.html", form=form), 422


@bp.get("/products/<int:id>/edit")
def product_edit(id: int) -> ResponseReturnValue:
    product = db.get_or_404(Product, id)
    form = ProductForm(obj=product)
    return render_template("example/product_edit.html", form=form, product=product)


@bp.post("/products/<int:id>")
def product_update(id: int) -> ResponseReturnValue:
    product = db.get_or_404(Product, id)
    form = ProductForm(obj=product)
    if form.validate():
        form.populate_obj(product)
        with database_rules(form):
            db.session.commit()
            flash(_("%(name)s was saved.", name=product), "success")
            return redirect(url_for(".product_show", id=id))
    return render_template("example/product_edit.html", form=form, product=product), 422


@bp.post("/products/<int:id>/delete")
def product_delete(id: int) -> ResponseReturnValue:
    product = db.get_or_404(Product, id)
    expect_shown_version(product)
    db.session.delete(product)
    with database_rules():
        db.session.commit()
        flash(_("%(name)s was deleted.", name=product), "success")
        return redirect(url_for(".product_index"))
    return redirect(url_for(".product_show", id=id))


@bp.get("/categories")
def category_index() -> ResponseReturnValue:
    return render_template("example/category_index.html", page=page_of(Category))


@bp.get("/categories/<int:id>")
def category_show(id: int) -> ResponseReturnValue:
    category = db.get_or_404(Category, id)
    page = page_of(Product, Product.in_category(category), COLUMNS)
    return render_template("example/category_show.html", category=category, page=page)


@bp.get("/categories/new")
def category_new() -> ResponseReturnValue:
    return render_template("example/category_new.html", form=CategoryForm())


@bp.post("/categories")
def category_create() -> ResponseReturnValue:
    category, form = Category(), CategoryForm()
    if form.validate():
        form.populate_obj(category)
        db.session.add(category)
        with database_rules(form):
            db.session.commit()
            flash(_("%(name)s was created.", name=category), "success")
            return redirect(url_for(".category_show", id=category.id))
    return render_template("example/category_new.html", form=form), 422


@bp.get("/categories/<int:id>/edit")
def category_edit(id: int) -> ResponseReturnValue:
    category = db.get_or_404(Category, id)
    form = CategoryForm(obj=category)
    return render_template("example/category_edit.html", form=form, category=category)


@bp.post("/categories/<int:id>")
def category_update(id: int) -> ResponseReturnValue:
    category = db.get_or_404(Category, id)
    form = CategoryForm(obj=category)
    if form.validate():
        form.populate_obj(category)
        with database_rules(form):
            db.session.commit()
            flash(_("%(name)s was saved.", name=category), "success")
            return redirect(url_for(".category_show", id=id))
    return render_template("example/category_edit.html", form=form, category=category), 422


@bp.post("/categories/<int:id>/delete")
def category_delete(id: int) -> ResponseReturnValue:
    category = db.get_or_404(Category, id)
    expect_shown_version(category)
    db.session.delete(category)
    with database_rules():
        db.session.commit()
        flash(_("%(name)s was deleted.", name=category), "success")
        return redirect(url_for(".category_index"))
    return redirect(url_for(".category_show", id=id))
