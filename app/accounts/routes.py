"""Routes of accounts: coming in (sign-in, sign-up, a new password), going out, and the language."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts import limits, login, pages, people, registration, second, service, tokens
from app.accounts.forms import EmailForm, NewPasswordForm, SignInForm, WelcomeForm
from app.accounts.models import TokenPurpose
from app.accounts.redirects import own_path, without_language
from app.core.auth import Access, access
from app.core.db import transaction
from app.core.errors import WavecrateError
from app.core.i18n import COOKIE, LOCALES, locale_code
from app.core.store import settings

blueprint = Blueprint("accounts", __name__)
blueprint.register_blueprint(pages.blueprint)
blueprint.register_blueprint(people.blueprint)
blueprint.register_blueprint(second.blueprint)

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
        email = service.normalise_email(form.email.data)
        pages.limited(limits.SIGN_IN, account=email)
        with transaction():
            account = service.authenticate(email, form.password.data)
            if account is not None:
                limits.clear(limits.SIGN_IN, account=email)
        if account is not None:
            if not login.sign_in(account, remember=form.remember.data):
                return redirect(url_for("accounts.second.show", next=onward), 303)
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
    """Ask for an account: a letter leads on."""
    form = EmailForm()
    onward = _onward(form.next.data)
    if current_user.is_authenticated:
        return redirect(onward or "/")
    if form.validate_on_submit():
        return _letter_sent(form, onward, registration.ask_for_account, again=url_for("accounts.sign_up"))
    status = 422 if form.is_submitted() else 200
    form.next.data = onward
    return render_template("accounts/sign_up.html", form=form, onward=onward), status


@blueprint.route("/password", methods=["GET", "POST"])
@access(Access.PUBLIC)
def forgotten() -> Any:
    """Ask for a new password: a letter leads on."""
    form = EmailForm()
    onward = _onward(form.next.data)
    if form.validate_on_submit():
        return _letter_sent(form, onward, registration.ask_for_password, again=url_for("accounts.forgotten"))
    status = 422 if form.is_submitted() else 200
    form.next.data = onward
    if not form.is_submitted() and current_user.is_authenticated:
        form.email.data = current_user.email
    return render_template("accounts/forgotten.html", form=form, onward=onward), status


@blueprint.route("/welcome/<token>", methods=["GET", "POST"])
@access(Access.PUBLIC)
def welcome(token: str) -> Any:
    """Make the account that a letter was sent for, and sign in with it."""
    pages.limited(limits.REDEEM, account=None, counted=request.method == "POST")
    form = WelcomeForm()
    onward = _onward(form.next.data)
    invited = tokens.look_at(TokenPurpose.REGISTER, token)
    if form.validate_on_submit():
        try:
            with transaction():
                account = registration.complete(
                    token, name=form.name.data, password=form.password.data, locale=locale_code()
                )
        except service.EmailTaken:
            flash(_("There is an account with this address by now. Sign in to it."))
            return redirect(url_for("accounts.sign_in", next=onward), 303)
        except service.BadAccount as error:
            form.password.errors = [str(error)]
        else:
            login.sign_in(account, remember=False)
            flash(_("Welcome, %(name)s.", name=account.name), "success")
            return redirect(onward or "/", 303)
    status = 422 if form.is_submitted() else 200
    form.next.data = onward
    return render_template("accounts/welcome.html", form=form, token=token, email=invited.email), status


@blueprint.route("/password/<token>", methods=["GET", "POST"])
@access(Access.PUBLIC)
def reset(token: str) -> Any:
    """Choose a new password by a letter's link; everywhere else one is signed out."""
    pages.limited(limits.REDEEM, account=None, counted=request.method == "POST")
    form = NewPasswordForm()
    onward = _onward(form.next.data)
    asked = tokens.look_at(TokenPurpose.RESET, token)
    if form.validate_on_submit():
        try:
            with transaction():
                account = registration.reset_password(token, form.password.data)
                limits.clear(limits.SIGN_IN, account=account.email)
        except service.BadAccount as error:
            form.password.errors = [str(error)]
        else:
            login.forget_browser()
            flash(_("Your password is changed. Sign in with it."), "success")
            return redirect(url_for("accounts.sign_in", next=onward), 303)
    status = 422 if form.is_submitted() else 200
    form.next.data = onward
    return render_template("accounts/reset.html", form=form, token=token, email=asked.email), status


@blueprint.post("/sign-out")
@access(Access.PUBLIC)
def sign_out() -> Any:
    """Sign out."""
    login.sign_out()
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


def _letter_sent(form: EmailForm, onward: str | None, ask: Any, *, again: str) -> Any:
    """Send it, and say so in the same words whether or not the shop knows the address."""
    email = service.normalise_email(form.email.data)
    pages.limited(limits.LETTER, account=email)
    try:
        with transaction():
            ask(email, locale=locale_code(), onward=onward)
    except WavecrateError as error:
        form.email.errors = [str(error)]
        return render_template("accounts/sign_up.html", form=form, onward=onward), 422
    form.next.data = onward
    return render_template("accounts/letter_sent.html", form=form, email=email, again=again)


def _onward(field: str | None) -> str | None:
    return own_path(field) or own_path(request.args.get("next"))


def _referring_page() -> str | None:
    """The page of ours that the link was on."""
    referrer = urlsplit(request.referrer or "")
    if referrer.netloc != request.host:
        return None
    return own_path(f"{referrer.path}?{referrer.query}" if referrer.query else referrer.path)
