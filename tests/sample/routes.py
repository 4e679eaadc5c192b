"""The pages of the module: URL -> form -> model -> template."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select, update
from sqlalchemy.orm import lazyload

from core.pages import database_rules, page_of
from services import db

from . import faults
from . import sample_bp as bp
from .forms import BoxForm, CrateForm, SpecimenForm, ThingForm
from .models import Box, Crate, Specimen, Thing


@bp.get("/things")
def thing_index() -> ResponseReturnValue:
    return render_template("sample/index.html", page=page_of(Thing))


@bp.get("/things/one-by-one")
def thing_one_by_one() -> ResponseReturnValue:
    lazy = select(Thing).options(lazyload(Thing.box))
    return render_template("sample/index.html", page=page_of(Thing, lazy))


@bp.get("/things/new")
def thing_new() -> ResponseReturnValue:
    return render_template("sample/edit.html", form=ThingForm(), action=url_for(".thing_create"))


@bp.post("/things")
def thing_create() -> ResponseReturnValue:
    thing, form = Thing(), ThingForm()
    if form.validate():
        form.populate_obj(thing)
        db.session.add(thing)
        with database_rules(form):
            db.session.commit()
            return redirect(url_for(".thing_edit", id=thing.id))
    return render_template("sample/edit.html", form=form, action=request.path), 422


@bp.get("/things/<int:id>/edit")
def thing_edit(id: int) -> ResponseReturnValue:
    form = ThingForm(obj=db.get_or_404(Thing, id))
    return render_template("sample/edit.html", form=form, action=url_for(".thing_update", id=id))


@bp.post("/things/<int:id>")
def thing_update(id: int) -> ResponseReturnValue:
    thing = db.get_or_404(Thing, id)
    form = ThingForm(obj=thing)
    if form.validate():
        form.populate_obj(thing)
        with database_rules(form):
            db.session.commit()
            return redirect(url_for(".thing_edit", id=id))
    return render_template("sample/edit.html", form=form, action=request.path), 422


@bp.post("/boxes/<int:id>/delete")
def box_delete(id: int) -> ResponseReturnValue:
    db.session.delete(db.get_or_404(Box, id))
    with database_rules():
        db.session.commit()
        flash("The box was deleted.", "success")
    return redirect(url_for(".thing_index"))


@bp.route("/specimens/<int:id>/edit", methods=["GET", "POST"])
def specimen_edit(id: int) -> ResponseReturnValue:
    specimen = db.get_or_404(Specimen, id)
    form = SpecimenForm(obj=specimen)
    if form.validate_on_submit():
        form.populate_obj(specimen)
        db.session.commit()
        return redirect(request.path)
    return render_template("sample/edit.html", form=form, action=request.path)


@bp.route("/crates/<int:id>/edit", methods=["GET", "POST"])
def crate_edit(id: int) -> ResponseReturnValue:
    crate = db.get_or_404(Crate, id)
    form = CrateForm(obj=crate)
    if form.validate_on_submit():
        form.populate_obj(crate)
        with database_rules(form):
            db.session.commit()
            return redirect(request.path)
    status = 422 if request.method == "POST" else 200
    return render_template("sample/edit.html", form=form, action=request.path), status


@bp.route("/both", methods=["GET", "POST"])
def both() -> ResponseReturnValue:
    return render_template("sample/edit.html", form=BoxForm(), action=request.path)


@bp.route("/plain", methods=["GET", "POST"])
def plain_new() -> ResponseReturnValue:
    if request.method == "POST":
        db.session.execute(update(Box).values(name=request.form["name"]))
        db.session.commit()
    return "<p>plain</p>"


@bp.post("/plain/create")
def plain_create() -> ResponseReturnValue:
    return redirect(url_for(".plain_new"))


@bp.route("/faults/<name>", methods=["GET", "POST"])
def fault(name: str) -> ResponseReturnValue:
    return faults.fault(name)
