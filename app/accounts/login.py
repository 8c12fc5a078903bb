"""Flask-Login: who the request comes from."""

from __future__ import annotations

from typing import Any

from flask import Flask, flash, jsonify, redirect, request, url_for
from flask_babel import gettext as _
from flask_login import LoginManager

from app.accounts.models import Account
from app.core.db import db

login_manager = LoginManager()


def init_app(app: Flask) -> None:
    """Attach sign-in to the app."""
    login_manager.init_app(app)


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
