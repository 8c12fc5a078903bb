"""The second factor's pages: showing it at sign-in, and one's own page to add and remove what counts as one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import segno
from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from markupsafe import Markup

from app.accounts import factors, limits, login, pages, passkeys, sessions
from app.accounts.errors import BadAccount
from app.accounts.forms import CodeForm
from app.accounts.models import Account, AccountSession
from app.accounts.redirects import own_path
from app.core.auth import Access, access
from app.core.db import transaction
from app.core.errors import Forbidden, NotFound
from app.core.store import settings

blueprint = Blueprint("second", __name__)


@blueprint.route("/sign-in/second", methods=["GET", "POST"])
@access(Access.PUBLIC)
def show() -> Any:
    """The second half of signing in: six digits, a recovery code, or a passkey by script."""
    account, pending = _pending()
    form = CodeForm()
    onward = own_path(form.next.data) or own_path(request.args.get("next"))
    if form.validate_on_submit():
        pages.limited(limits.CODE, account=account.id)
        with transaction():
            right = factors.check_code(account, form.code.data or "")
        if right:
            return redirect(_complete(account, pending, onward), 303)
        form.code.errors = [_("This code does not open the account. Codes of the app change every 30 seconds.")]
    form.next.data = onward
    return render_template(
        "accounts/second.html", form=form, onward=onward, passkeys=factors.passkeys(account.id)
    ), 422 if form.is_submitted() else 200


@blueprint.post("/sign-in/second/passkey/options")
@access(Access.PUBLIC)
def ask_for_passkey() -> Any:
    """What the browser needs to show a passkey."""
    account, pending = _pending()
    with transaction():
        return jsonify(passkeys.to_show(account, pending.id, _site()))


@blueprint.post("/sign-in/second/passkey")
@access(Access.PUBLIC)
def show_passkey() -> Any:
    """Take what the browser showed; answer with where to go."""
    account, pending = _pending()
    pages.limited(limits.CODE, account=account.id)
    with transaction():
        right = passkeys.check(account, pending.id, _site(), _answer())
    if not right:
        raise Forbidden(_("This passkey does not open the account. Try another, or type a code."))
    return jsonify(next=_complete(account, pending, own_path(request.args.get("next"))))


@blueprint.get("/account/second-factor")
@access(Access.SIGNED_IN)
@login.before_second_factor
def own() -> Any:
    """What counts as the person's second factor."""
    return login.prove_first(url_for(".own")) or _own()


@blueprint.post("/account/second-factor/app")
@access(Access.SIGNED_IN)
@login.before_second_factor
def begin_app() -> Any:
    """Show the secret for an authenticator app."""
    asked = login.prove_first(url_for(".own"))
    if asked is not None:
        return asked
    with transaction():
        factors.begin_totp(current_user)
    return redirect(url_for(".own", _anchor="app"), 303)


@blueprint.post("/account/second-factor/app/confirm")
@access(Access.SIGNED_IN)
@login.before_second_factor
def confirm_app() -> Any:
    """The app counts, once it has shown the right code."""
    asked = login.prove_first(url_for(".own"))
    if asked is not None:
        return asked
    form = CodeForm()
    if not form.validate_on_submit():
        return _own(form), 422
    pages.limited(limits.CODE, account=current_user.id)
    try:
        with transaction():
            codes = factors.confirm_totp(current_user, form.code.data or "")
            limits.clear(limits.CODE, account=current_user.id)
            _shown_here()
    except BadAccount as error:
        form.code.errors = [str(error)]
        return _own(form), 422
    flash(_("The app counts from now on."), "success")
    return _codes(codes) if codes else redirect(url_for(".own"), 303)


@blueprint.post("/account/second-factor/app/remove")
@access(Access.SIGNED_IN)
def remove_app() -> Any:
    """The app counts no longer."""
    asked = login.prove_first(url_for(".own"))
    if asked is not None:
        return asked
    with transaction():
        factors.remove_totp(current_user)
    flash(_("The app counts no longer."), "success")
    return redirect(url_for(".own"), 303)


@blueprint.post("/account/second-factor/passkey/options")
@access(Access.SIGNED_IN)
@login.before_second_factor
def ask_to_add() -> Any:
    """What the browser needs to make a passkey."""
    present = _proved()
    with transaction():
        return jsonify(passkeys.to_add(current_user, present.id, _site()))


@blueprint.post("/account/second-factor/passkey")
@access(Access.SIGNED_IN)
@login.before_second_factor
def add_passkey() -> Any:
    """Keep what the browser made; answer with where to go, and recovery codes where they are the first."""
    present, answer = _proved(), _answer()
    name = answer.get("name")
    with transaction():
        codes = passkeys.add(current_user, present.id, _site(), answer, name if isinstance(name, str) else "")
        _shown_here()
    flash(_("The passkey counts from now on."), "success")
    return jsonify(next=url_for(".own"), codes=codes)


@blueprint.post("/account/second-factor/passkey/<passkey_id>/remove")
@access(Access.SIGNED_IN)
def remove_passkey(passkey_id: str) -> Any:
    """A passkey counts no longer."""
    asked = login.prove_first(url_for(".own"))
    if asked is not None:
        return asked
    with transaction():
        if not factors.remove_passkey(current_user, passkey_id):
            raise NotFound(_("There is no such passkey. It may be gone already."))
    flash(_("The passkey counts no longer."), "success")
    return redirect(url_for(".own"), 303)


@blueprint.post("/account/second-factor/codes")
@access(Access.SIGNED_IN)
def new_codes() -> Any:
    """Ten new recovery codes; the old ones end."""
    asked = login.prove_first(url_for(".own"))
    if asked is not None:
        return asked
    if not current_user.second_factor:
        raise Forbidden(_("First add an app or a passkey."))
    with transaction():
        codes = factors.new_codes(current_user)
    return _codes(codes)


def _own(form: CodeForm | None = None) -> Any:
    held = factors.totp(current_user.id)
    begun = factors.begun(held)
    setup = factors.setup_address(current_user, begun) if begun else None
    return render_template(
        "accounts/second_factor.html",
        form=form or CodeForm(formdata=None),
        app=held,
        secret=begun,
        setup=setup,
        picture=_picture(setup) if setup else None,
        passkeys=factors.passkeys(current_user.id),
        codes_left=factors.codes_left(current_user.id),
    )


def _picture(address: str) -> Markup:
    """A QR code; white around it, for cameras read none that is light on dark."""
    made = segno.make(address, error="m", micro=False)
    return Markup(made.svg_inline(scale=4, border=4, dark="#000", light="#fff"))  # noqa: S704 - of our own making


def _codes(codes: list[str]) -> Any:
    answer = render_template("accounts/recovery_codes.html", codes=codes)
    return answer, 200, {"Cache-Control": "no-store"}


def _pending() -> tuple[Account, AccountSession]:
    found = login.pending()
    if found is None:
        raise Forbidden(_("This took too long. Sign in once more."))
    return found


def _complete(account: Account, pending: AccountSession, onward: str | None) -> str:
    with transaction():
        limits.clear(limits.CODE, account=account.id)
    login.sign_in(account, remember=pending.remembered, second_factor=True)
    return onward or "/"


def _shown_here() -> None:
    """Who adds a factor has just shown it."""
    present = login.current_session()
    if present is not None:
        sessions.prove(present, second_factor=True)


def _proved() -> AccountSession:
    present = login.current_session()
    if present is None or not sessions.is_proved(present):
        raise Forbidden(_("Type your password once more: load this page again."))
    return present


def _answer() -> dict[str, Any]:
    said = request.get_json(silent=True)
    return said if isinstance(said, dict) else {}


def _site() -> passkeys.Site:
    """In production the configured address; on one's own machine whatever name the browser used for it."""
    address = settings().base_url if settings().environment == "production" else request.host_url.rstrip("/")
    return passkeys.Site(urlsplit(address).hostname or "", address)
