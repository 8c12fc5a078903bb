"""Staff's pages about people: find an account, see how it stands, help it, and say what it may do."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import or_, select

from app.accounts import login, registration, service, sessions
from app.accounts.models import Account, Role
from app.audit import queries as audit_queries
from app.audit import service as audit
from app.core.auth import Permission, access
from app.core.db import db, transaction
from app.core.errors import NotFound, WavecrateError
from app.core.i18n import locale_code

blueprint = Blueprint("people", __name__, url_prefix="/staff/people")

_MOST = 50


@blueprint.get("")
@access(Permission.PEOPLE_READ)
def find() -> str:
    """Accounts by address, name or id; without words, those of staff."""
    words = request.args.get("q", "").replace("\0", "").strip()[:200]
    query = select(Account).order_by(Account.created_at.desc(), Account.id).limit(_MOST)
    if words:
        like = words.lower()
        query = query.where(
            or_(
                Account.id == words,
                Account.email.contains(like, autoescape=True),
                Account.name.icontains(words, autoescape=True),
            )
        )
    else:
        query = query.where(Account.role != Role.CUSTOMER)
    return render_template("accounts/people.html", words=words, found=list(db.session.scalars(query)), most=_MOST)


@blueprint.get("/<account_id>")
@access(Permission.PEOPLE_READ)
def show(account_id: str) -> str:
    """One account."""
    person = _person(account_id)
    return render_template(
        "accounts/person.html",
        person=person,
        sessions=sessions.of_account(person.id),
        roles=list(Role),
        Permission=Permission,
    )


@blueprint.post("/<account_id>/sign-out")
@access(Permission.PEOPLE_HELP)
def sign_out(account_id: str) -> Any:
    """Sign the person out everywhere."""
    person = _person(account_id)
    with transaction():
        ended = sessions.revoke_all(person.id)
        audit.record(current_user.id, "account.sign_out", f"account:{person.id}", {"sessions": ended})
    flash(_("%(name)s is signed out everywhere.", name=person.name), "success")
    return redirect(url_for("accounts.people.show", account_id=account_id), 303)


@blueprint.post("/<account_id>/letter")
@access(Permission.PEOPLE_HELP)
def send_letter(account_id: str) -> Any:
    """Send the person the letter that leads to a new password."""
    person = _person(account_id)
    with transaction():
        registration.ask_for_password(person.email, locale=person.locale or locale_code())
        audit.record(current_user.id, "account.password_letter", f"account:{person.id}")
    flash(_("The e-mail is on its way to %(name)s.", name=person.name), "success")
    return redirect(url_for("accounts.people.show", account_id=account_id), 303)


@blueprint.post("/<account_id>/role")
@access(Permission.PEOPLE_ROLES)
def set_role(account_id: str) -> Any:
    """Make the person something else to the shop."""
    there = url_for("accounts.people.show", account_id=account_id)
    asked = login.prove_first(there)
    if asked is not None:
        return asked
    person, wanted = _person(account_id), request.form.get("role", "")
    try:
        if wanted not in set(Role):
            raise WavecrateError(_("Choose one of the roles."))
        with transaction():
            service.set_role(person, Role(wanted), by=current_user)
    except WavecrateError as error:
        flash(str(error), "error")
    else:
        flash(_("Saved."), "success")
    return redirect(there, 303)


def _person(account_id: str) -> Account:
    found = db.session.get(Account, account_id)
    if found is None:
        raise NotFound(_("There is no such account."))
    return found


def _name(actor_id: str) -> str | None:
    found = db.session.get(Account, actor_id)
    return f"{found.name} ({found.email})" if found else None


def _find(words: str) -> str | None:
    found = service.by_email(words)
    return found.id if found else None


audit_queries.naming.append(_name)
audit_queries.finding.append(_find)
