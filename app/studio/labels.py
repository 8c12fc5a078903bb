"""Whose labels an editor may work on, for admins to say."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import func, select

from app.accounts import login
from app.accounts.models import Account
from app.audit import service as audit
from app.catalog import rights
from app.catalog.models import Label
from app.core.auth import Permission, access
from app.core.db import db, transaction
from app.core.errors import NotFound
from app.studio.forms import LabelForm

blueprint = Blueprint("labels", __name__, url_prefix="/editors")


@blueprint.get("/<account_id>/labels")
@access(Permission.PEOPLE_ROLES)
def show(account_id: str) -> Any:
    """The labels of one person."""
    return _page(_person(account_id), LabelForm(formdata=None))


@blueprint.post("/<account_id>/labels")
@access(Permission.PEOPLE_ROLES)
def give(account_id: str) -> Any:
    """Give a label; it must be there already, so that a slip of the pen makes none."""
    there = url_for("studio.labels.show", account_id=account_id)
    asked = login.prove_first(there)
    if asked is not None:
        return asked
    person, form = _person(account_id), LabelForm()
    if form.validate_on_submit():
        wanted = " ".join((form.label.data or "").split()).lower()
        label = db.session.scalars(select(Label).where(func.lower(Label.name) == wanted)).first()
        if label is None:
            form.label.errors = [_("There is no such label. Choose one of the list.")]
        else:
            with transaction():
                if rights.give_label(person, label):
                    audit.record(current_user.id, "label.give", f"account:{person.id}", {"label": label.id})
            flash(_("Saved."), "success")
            return redirect(there, 303)
    return _page(person, form), 422


@blueprint.post("/<account_id>/labels/<label_id>/take")
@access(Permission.PEOPLE_ROLES)
def take(account_id: str, label_id: str) -> Any:
    """Take a label away."""
    there = url_for("studio.labels.show", account_id=account_id)
    asked = login.prove_first(there)
    if asked is not None:
        return asked
    person, label = _person(account_id), db.session.get(Label, label_id)
    with transaction():
        if label is None or not rights.take_label(person, label):
            raise NotFound(_("They do not have this label."))
        audit.record(current_user.id, "label.take", f"account:{person.id}", {"label": label_id})
    flash(_("Saved."), "success")
    return redirect(there, 303)


def _page(person: Account, form: LabelForm) -> str:
    return render_template(
        "studio/labels.html",
        person=person,
        form=form,
        given=rights.labels(person),
        known=list(db.session.scalars(select(Label).order_by(Label.name))),
    )


def _person(account_id: str) -> Account:
    found = db.session.get(Account, account_id)
    if found is None:
        raise NotFound(_("There is no such account."))
    return found
