"""Routes of accounts: sign-up, sign-in, sign-out, and the language."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, abort, flash, redirect, render_template, request
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts import login, service
from app.accounts.forms import SignInForm, SignUpForm
from app.accounts.redirects import own_path, without_language
from app.core.auth import Access, access
from app.core.db import transaction
from app.core.i18n import COOKIE, LOCALES
from app.core.store import settings

blueprint = Blueprint("accounts", __name__)

_YEAR_SECONDS = 365 * 24 * 3600


@blueprint.route("/sign-in", methods=["GET", "POST"])
@access(Access.PUBLIC)
def sign_in() -> Any:
    """Sign in with e-mail and password."""
    form = SignInForm()
    onward = _onward(form.next.data)
    if current_user.is_authenticated:
        return redirect(onward or "/")
    status = 200
    if form.validate_on_submit():
        with transaction():
            account = service.authenticate(form.email.data, form.password.data)
            if account is not None:
                login.greet(account)
        if account is not None:
            login.start_session(account, remember=form.remember.data)
            return redirect(onward or "/", 303)
        # One answer for an unknown address and a wrong password: it tells nobody who has an account.
        form.password.errors = [_("The e-mail address and the password do not go together. Check both.")]
    if form.is_submitted():
        status = 422
    form.next.data = onward
    return render_template("accounts/sign_in.html", form=form, onward=onward), status


@blueprint.route("/sign-up", methods=["GET", "POST"])
@access(Access.PUBLIC)
def sign_up() -> Any:
    """Make an account and sign in with it."""
    form = SignUpForm()
    onward = _onward(form.next.data)
    if current_user.is_authenticated:
        return redirect(onward or "/")
    status = 200
    if form.validate_on_submit():
        account = None
        try:
            with transaction():
                account = service.register(
                    form.email.data, form.password.data, form.name.data, locale=request.cookies.get(COOKIE)
                )
                login.greet(account)
        except service.EmailTaken as error:
            form.email.errors = [str(error)]
        except service.BadAccount as error:
            form.password.errors = [str(error)]
        else:
            login.start_session(account, remember=False)
            flash(_("Welcome, %(name)s.", name=account.name), "success")
            return redirect(onward or "/", 303)
    if form.is_submitted():
        status = 422
    form.next.data = onward
    return render_template("accounts/sign_up.html", form=form, onward=onward), status


@blueprint.post("/sign-out")
@access(Access.PUBLIC)
def sign_out() -> Any:
    """Sign out."""
    login.end_session()
    flash(_("You are signed out."))
    return redirect("/", 303)


@blueprint.post("/language")
@blueprint.route("/language/<code>", methods=["GET", "POST"])
@access(Access.PUBLIC)
def set_language(code: str | None = None) -> Any:
    """Speak another language from now on, here (a cookie) and wherever the person signs in; return to the page."""
    code = code or request.form.get("locale")
    if code not in LOCALES:
        abort(404)
    if current_user.is_authenticated and current_user.locale != code:
        with transaction():
            service.set_locale(current_user, code)
    response = redirect(without_language(_onward(request.form.get("next")) or _referring_page() or "/"), 303)
    response.set_cookie(
        COOKIE,
        code,
        max_age=_YEAR_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=settings().base_url.startswith("https://"),
    )
    return response


def _onward(field: str | None) -> str | None:
    return own_path(field) or own_path(request.args.get("next"))


def _referring_page() -> str | None:
    """The page of ours that the link was on."""
    referrer = urlsplit(request.referrer or "")
    if referrer.netloc != request.host:
        return None
    return own_path(f"{referrer.path}?{referrer.query}" if referrer.query else referrer.path)
