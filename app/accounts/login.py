"""Flask-Login: who the request comes from, and what happens when somebody signs in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, flash, jsonify, redirect, request, session, url_for
from flask_babel import gettext as _
from flask_login import LoginManager, login_user, logout_user

from app.accounts.models import Account
from app.core.db import db

login_manager = LoginManager()

# Called with the account, in the sign-in's transaction and while the guest's session is still there. Rooms above
# accounts add theirs at import: the cart merges the guest's cart this way.
on_sign_in: list[Callable[[Account], None]] = []

_FLASHES = "_flashes"


def init_app(app: Flask) -> None:
    """Attach sign-in to the app."""
    login_manager.init_app(app)


def greet(account: Account) -> None:
    """Do what the rooms above want done for somebody signing in; called in the sign-in's transaction."""
    for callback in on_sign_in:
        callback(account)


def start_session(account: Account, *, remember: bool) -> None:
    """Sign the account in, in a session that has nothing of the one before but the messages still to be shown."""
    flashes = session.get(_FLASHES)
    session.clear()
    if flashes:
        session[_FLASHES] = flashes
    login_user(account, remember=remember)


def end_session() -> None:
    """Sign out and forget the session."""
    logout_user()
    # logout_user leaves a note in the session that the remember cookie is to be cleared.
    remember = session.get("_remember")
    session.clear()
    if remember is not None:
        session["_remember"] = remember


@login_manager.user_loader
def _load(account_id: str) -> Account | None:
    return db.session.get(Account, account_id)


@login_manager.unauthorized_handler
def _unauthorized() -> Any:
    if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json":
        return jsonify(error=_("Sign in to go on.")), 401
    flash(_("Sign in to go on."))
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("accounts.sign_in", next=back))
