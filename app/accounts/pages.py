"""A person's own pages: profile, addresses, devices, security. Whatever opens the account to others asks for the
password once more first."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts import addresses, leaving, limits, login, passwords, registration, service, sessions, tokens
from app.accounts.forms import (
    ActionForm,
    AddressForm,
    ChangePasswordForm,
    NewEmailForm,
    ProfileForm,
    ProveForm,
)
from app.accounts.models import TokenPurpose
from app.accounts.redirects import own_path
from app.core.auth import Access, access
from app.core.db import transaction
from app.core.errors import NotFound
from app.core.store import settings

blueprint = Blueprint("account", __name__, url_prefix="/account")


def limited(limit: limits.Limit, *, account: str | None, counted: bool = True) -> None:
    """Count a try of what the request asks for, in a transaction of its own; raise TooMany."""
    if not counted:
        return
    with transaction():
        limits.note(limit, account=account, address=request.remote_addr, scale=settings().rate_limit_scale)


@blueprint.route("", methods=["GET", "POST"])
@access(Access.SIGNED_IN)
def profile() -> Any:
    """Name, language, currency."""
    form = ProfileForm(obj=None if request.method == "POST" else current_user)
    form.offer_choices()
    if request.method == "GET":
        form.locale.data, form.currency.data = current_user.locale or "", current_user.currency or ""
    if form.validate_on_submit():
        try:
            with transaction():
                service.set_profile(
                    current_user,
                    name=form.name.data or "",
                    locale=form.locale.data or None,
                    currency=form.currency.data or None,
                )
        except service.BadAccount as error:
            form.name.errors = [str(error)]
        else:
            flash(_("Saved."), "success")
            return redirect(url_for("accounts.account.profile"), 303)
    return render_template("accounts/profile.html", form=form), 422 if form.is_submitted() else 200


@blueprint.get("/addresses")
@access(Access.SIGNED_IN)
def address_book() -> str:
    """Every address of the person's."""
    return render_template("accounts/addresses.html", addresses=addresses.of_account(current_user.id))


@blueprint.route("/addresses/new", methods=["GET", "POST"])
@blueprint.route("/addresses/<address_id>", methods=["GET", "POST"])
@access(Access.SIGNED_IN)
def address(address_id: str | None = None) -> Any:
    """Write an address into the book, or anew."""
    held = addresses.one(current_user.id, address_id) if address_id else None
    form = AddressForm(obj=held)
    form.offer_choices()
    if form.validate_on_submit():
        typed = addresses.Address(
            name=_line(form.name.data),
            line1=_line(form.line1.data),
            line2=_line(form.line2.data) or None,
            postal_code=_line(form.postal_code.data) or None,
            city=_line(form.city.data),
            region=_line(form.region.data) or None,
            country=form.country.data,
        )
        try:
            with transaction():
                if held is not None:
                    addresses.change(held, typed)
                else:
                    addresses.add(current_user.id, typed)
        except service.BadAccount as error:
            form.name.errors = [str(error)]
        else:
            flash(_("Saved."), "success")
            return redirect(url_for("accounts.account.address_book"), 303)
    return render_template("accounts/address.html", form=form, held=held), 422 if form.is_submitted() else 200


@blueprint.post("/addresses/<address_id>/remove")
@access(Access.SIGNED_IN)
def remove_address(address_id: str) -> Any:
    """Take an address out of the book."""
    with transaction():
        addresses.remove(addresses.one(current_user.id, address_id))
    flash(_("The address is removed."), "success")
    return redirect(url_for("accounts.account.address_book"), 303)


@blueprint.get("/devices")
@access(Access.SIGNED_IN)
def devices() -> str:
    """Where the person is signed in."""
    return render_template(
        "accounts/devices.html",
        sessions=sessions.of_account(current_user.id),
        present=login.current_session(),
    )


@blueprint.post("/devices/<session_id>/sign-out")
@access(Access.SIGNED_IN)
def sign_out_device(session_id: str) -> Any:
    """Sign out one of them; one's own is the same as signing out."""
    present = login.current_session()
    with transaction():
        ended = sessions.revoke(current_user.id, session_id)
    if not ended:
        raise NotFound(_("That device is signed out already."))
    if present is not None and present.id == session_id:
        login.forget_browser()
        flash(_("You are signed out."))
        return redirect("/", 303)
    flash(_("That device is signed out."), "success")
    return redirect(url_for("accounts.account.devices"), 303)


@blueprint.post("/devices/sign-out")
@access(Access.SIGNED_IN)
def sign_out_everywhere() -> Any:
    """Sign out everywhere, here too."""
    with transaction():
        sessions.revoke_all(current_user.id)
    login.forget_browser()
    flash(_("You are signed out everywhere."), "success")
    return redirect(url_for("accounts.sign_in"), 303)


@blueprint.get("/security")
@access(Access.SIGNED_IN)
def security() -> str:
    """Password and e-mail address."""
    return _security()


@blueprint.post("/password")
@access(Access.SIGNED_IN)
def change_password() -> Any:
    """Set another password; all other devices are signed out."""
    form = ChangePasswordForm()
    if form.validate_on_submit():
        limited(limits.PROVE, account=current_user.id)
        present = login.current_session()
        try:
            with transaction():
                if not passwords.matches(current_user.password_hash, form.present.data or ""):
                    raise service.BadAccount(_("This is not your present password."))
                limits.clear(limits.PROVE, account=current_user.id)
                service.change_password(
                    current_user, form.password.data or "", keep_session=present.id if present else None
                )
        except service.BadPassword as error:
            form.password.errors = [str(error)]
        except service.BadAccount as error:
            form.present.errors = [str(error)]
        else:
            flash(_("Your password is changed. Your other devices are signed out."), "success")
            return redirect(url_for("accounts.account.security"), 303)
    return _security(password=form), 422


@blueprint.post("/email")
@access(Access.SIGNED_IN)
def ask_for_new_email() -> Any:
    """Send a letter to the address that is to be the person's."""
    asked = login.prove_first(url_for("accounts.account.security"))
    if asked is not None:
        return asked
    form = NewEmailForm()
    if form.validate_on_submit():
        limited(limits.LETTER, account=current_user.id)
        try:
            with transaction():
                registration.ask_for_new_email(current_user, form.email.data or "")
        except service.BadAccount as error:
            form.email.errors = [str(error)]
        else:
            flash(_("We sent an e-mail to the new address. Follow its link within an hour."), "success")
            return redirect(url_for("accounts.account.security"), 303)
    return _security(email=form), 422


@blueprint.route("/email/<token>", methods=["GET", "POST"])
@access(Access.PUBLIC)
def change_email(token: str) -> Any:
    """Make the address that a letter was sent to the account's; asked first, for some programs follow every link."""
    limited(limits.REDEEM, account=None, counted=request.method == "POST")
    found = tokens.look_at(TokenPurpose.CHANGE_EMAIL, token)
    email, form = found.email, ActionForm()
    if form.validate_on_submit():
        present = login.current_session()
        with transaction():
            registration.change_email(token, keep_session=present.id if present else None)
        flash(_("Your e-mail address is %(email)s now.", email=email), "success")
        return redirect(url_for("accounts.account.security"), 303)
    return render_template("accounts/change_email.html", form=form, email=email, token=token)


@blueprint.post("/export")
@access(Access.SIGNED_IN)
def export() -> Any:
    """Everything the shop holds of the person, as a file."""
    asked = login.prove_first(url_for("accounts.account.security"))
    if asked is not None:
        return asked
    answer = Response(leaving.export(current_user), content_type="application/zip")
    answer.headers["Content-Disposition"] = 'attachment; filename="wavecrate-my-data.zip"'
    return answer


@blueprint.post("/close")
@access(Access.SIGNED_IN)
def close() -> Any:
    """Delete the account; `sure` says that it is meant."""
    there = url_for("accounts.account.security")
    asked = login.prove_first(there)
    if asked is not None:
        return asked
    try:
        if request.form.get("sure") != "yes":
            raise service.BadAccount(_("Nothing was deleted. Tick that you are sure."))
        with transaction():
            leaving.close(current_user._get_current_object())
    except service.BadAccount as error:
        flash(str(error), "error")
        return redirect(there, 303)
    login.forget_browser()
    flash(_("Your account is deleted."), "success")
    return redirect("/", 303)


@blueprint.route("/prove", methods=["GET", "POST"])
@access(Access.SIGNED_IN)
@login.before_second_factor
def prove() -> Any:
    """The password once more, before something that matters."""
    form = ProveForm()
    onward = own_path(form.next.data) or own_path(request.args.get("next")) or url_for("accounts.account.security")
    present = login.current_session()
    if form.validate_on_submit() and present is not None:
        limited(limits.PROVE, account=current_user.id)
        if passwords.matches(current_user.password_hash, form.password.data or ""):
            with transaction():
                limits.clear(limits.PROVE, account=current_user.id)
                sessions.prove(present)
            return redirect(onward, 303)
        form.password.errors = [_("This is not your password.")]
    form.next.data = onward
    return render_template("accounts/prove.html", form=form), 422 if form.is_submitted() else 200


def _security(password: ChangePasswordForm | None = None, email: NewEmailForm | None = None) -> str:
    return render_template(
        "accounts/security.html",
        password=password or ChangePasswordForm(formdata=None),
        email=email or NewEmailForm(formdata=None),
    )


def _line(text: str | None) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text or "").split())
