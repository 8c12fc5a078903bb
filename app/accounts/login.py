"""Flask-Login: who the request comes from, and what happens when somebody signs in.

A cookie carries a random token; everything it stands for is a row (`AccountSession`). Flask's own signed session
holds messages, CSRF's secret and a guest's cart, and nothing that says who anybody is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import (
    Flask,
    Response,
    after_this_request,
    current_app,
    flash,
    g,
    jsonify,
    redirect,
    request,
    session,
    url_for,
)
from flask_babel import gettext as _
from flask_login import LoginManager, current_user

from app.accounts import sessions, words
from app.accounts.models import Account, AccountSession
from app.audit import service as audit
from app.core.auth import Access, declared_access
from app.core.db import db, transaction

login_manager = LoginManager()

# Called with the account, in the sign-in's transaction and while the guest's session is still there. Rooms above
# accounts add theirs at import: the cart merges the guest's cart this way.
on_sign_in: list[Callable[[Account], None]] = []

_FLASHES = "_flashes"


def init_app(app: Flask) -> None:
    """Attach sign-in to the app."""
    login_manager.init_app(app)
    words.init_app(app)
    app.before_request(_touch)


def sign_in(account: Account, *, remember: bool, second_factor: bool = False) -> None:
    """Sign the account in on this browser, in a session that has nothing of the one before but what is still to be
    shown. Called outside a transaction."""
    before = current_session()
    with transaction():
        for callback in on_sign_in:
            callback(account)
        if before is not None:
            sessions.revoke(before.account_id, before.id)
        made, token = sessions.begin(
            account,
            remembered=remember,
            address=request.remote_addr,
            user_agent=request.user_agent.string,
            second_factor=second_factor,
        )
        if account.is_staff:
            audit.record(account.id, "session.begin", f"account:{account.id}", {"session": made.id})
    flashes = session.get(_FLASHES)
    session.clear()
    if flashes:
        session[_FLASHES] = flashes
    g.account_session, g._login_user = made, account
    longest = sessions.LONGEST_STAFF if account.is_staff else sessions.LONGEST
    _set_cookie(token, int(longest.total_seconds()) if remember else None)


def sign_out() -> None:
    """Sign out on this browser, and forget what its session held."""
    present = current_session()
    if present is not None:
        with transaction():
            sessions.revoke(present.account_id, present.id)
    forget_browser()


def forget_browser() -> None:
    """Take the cookie away; the row was ended already."""
    session.clear()
    g.account_session = None
    g.pop("_login_user", None)
    _set_cookie("", 0)


def current_session() -> AccountSession | None:
    """The row behind the request's cookie, while it is in force."""
    return getattr(g, "account_session", None) if current_user.is_authenticated else None


def prove_first(back: str) -> Any:
    """None where the person showed lately who they are; else the way to do so now, and then back to that page."""
    present = current_session()
    if present is not None and sessions.is_proved(present):
        return None
    flash(_("Type your password once more before this; then repeat what you did."))
    return redirect(url_for("accounts.account.prove", next=back), 303)


def cookie_name() -> str:
    """What the cookie is called. `__Host-`: a browser takes it from this very host alone, and over HTTPS."""
    return "__Host-wavecrate-id" if current_app.config["SESSION_COOKIE_SECURE"] else "wavecrate-id"


@login_manager.request_loader
def _load(_request: object) -> Account | None:
    token = request.cookies.get(cookie_name())
    found = sessions.find(token) if token else None
    g.account_session = found[0] if found else None
    return found[1] if found else None


def _touch() -> None:
    """Note now and then that a session is used. Before anything else happens, for it commits."""
    if not request.endpoint or request.endpoint == "static" or cookie_name() not in request.cookies:
        return
    if declared_access(current_app, request.endpoint) is Access.SIGNATURE:
        return
    present = current_session()
    if present is not None and sessions.needs_touch(present):
        with transaction():
            account = db.session.get_one(Account, present.account_id)
            sessions.touch(present, account, address=request.remote_addr, user_agent=request.user_agent.string)


def _set_cookie(token: str, max_age: int | None) -> None:
    name, secure = cookie_name(), bool(current_app.config["SESSION_COOKIE_SECURE"])

    @after_this_request
    def _on_answer(response: Response) -> Response:
        response.set_cookie(name, token, max_age=max_age, path="/", secure=secure, httponly=True, samesite="Lax")
        return response


@login_manager.unauthorized_handler
def _unauthorized() -> Any:
    if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json":
        return jsonify(error=_("Sign in to go on.")), 401
    flash(_("Sign in to go on."))
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("accounts.sign_in", next=back))
