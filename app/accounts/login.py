"""Flask-Login: who the request comes from, and what happens when somebody signs in.

A cookie carries a random token; everything it stands for is a row (`AccountSession`). Flask's own signed session
holds messages, CSRF's secret and a guest's cart, and nothing that says who anybody is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

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

from app.accounts import service, sessions, words
from app.accounts.models import Account, AccountSession
from app.accounts.notices import Notice
from app.audit import service as audit
from app.core import auth, clock
from app.core.auth import Access, declared_access
from app.core.db import db, transaction
from app.core.store import settings

login_manager = LoginManager()

# Called with the account, in the sign-in's transaction and while the guest's session is still there. Rooms above
# accounts add theirs at import: the cart merges the guest's cart this way.
on_sign_in: list[Callable[[Account], None]] = []

View = TypeVar("View", bound=Callable[..., Any])

_FLASHES = "_flashes"
_SHOWN_WITHIN = timedelta(minutes=10)  # the second factor, after the password


def init_app(app: Flask) -> None:
    """Attach sign-in to the app."""
    login_manager.init_app(app)
    words.init_app(app)
    app.before_request(_touch)


def sign_in(account: Account, *, remember: bool, second_factor: bool = False) -> bool:
    """Sign the account in on this browser, in a session that has nothing of the one before but what is still to be
    shown. Called outside a transaction.

    False where the person has a second factor and has yet to show it: until then the session opens nothing.
    """
    before = getattr(g, "account_session", None) if current_user.is_authenticated else getattr(g, "pending", None)
    complete = second_factor or not account.second_factor
    with transaction():
        if complete:
            for callback in on_sign_in:
                callback(account)
            _tell_of_new_device(account)
        if before is not None:
            sessions.revoke(before.account_id, before.id)
        made, token = sessions.begin(
            account,
            remembered=remember,
            address=request.remote_addr,
            user_agent=request.user_agent.string,
            second_factor=second_factor,
        )
        if complete and account.is_staff:
            audit.record(account.id, "session.begin", f"account:{account.id}", {"session": made.id})
    if complete:
        flashes = session.get(_FLASHES)
        session.clear()
        if flashes:
            session[_FLASHES] = flashes
        g.account_session, g._login_user = made, account
    longest = sessions.LONGEST_STAFF if account.is_staff else sessions.LONGEST
    _set_cookie(token, int(longest.total_seconds()) if remember else None)
    return complete


def _tell_of_new_device(account: Account) -> None:
    """A letter where the person was signed in before, but never with this browser on such a device."""
    known = {words.browser(each) for each in sessions.user_agents(account)}
    device = words.browser(request.user_agent.string)
    if known and device not in known:
        service.tell(account, Notice.NEW_SIGN_IN, device=device, address=request.remote_addr or "—")


def pending() -> tuple[Account, AccountSession] | None:
    """Who has typed their password here and has yet to show the second factor."""
    if current_user.is_authenticated:
        return None
    found: AccountSession | None = getattr(g, "pending", None)
    account = db.session.get(Account, found.account_id) if found else None
    return (account, found) if account is not None and found is not None else None


def before_second_factor(view: View) -> View:
    """Staff may call the view before they have a second factor: it is what gives them one."""
    view.before_second_factor = True  # type: ignore[attr-defined]
    return view


def _staff_need_a_second_factor(_kind: object) -> Any:
    """What staff get who have not shown one: the page to set it up. Where STAFF_SECOND_FACTOR is `offered`, nothing."""
    present = current_session()
    if not current_user.is_staff or settings().staff_second_factor == "offered":
        return None
    if present is not None and present.second_factor_at is not None:
        return None
    if getattr(current_app.view_functions[str(request.endpoint)], "before_second_factor", False):
        return None
    if _wants_json():
        return jsonify(error=_("Whoever runs the shop needs a second factor. Add one to your account first.")), 403
    flash(_("Whoever runs the shop needs a second factor: an app or a passkey. Add one to go on."))
    return redirect(url_for("accounts.second.own"))


def sign_out() -> None:
    """Sign out on this browser, and forget what its session held."""
    present = current_session() or getattr(g, "pending", None)  # half a sign-in is ended, too
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
    g.account_session = g.pending = None
    if found is None:
        return None
    present, account = found
    if account.second_factor and present.second_factor_at is None:
        if clock.now() - present.created_at < _SHOWN_WITHIN:
            g.pending = present
        return None
    g.account_session = present
    return account


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
    if _wants_json():
        return jsonify(error=_("Sign in to go on.")), 401
    flash(_("Sign in to go on."))
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("accounts.sign_in", next=back))


def _wants_json() -> bool:
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"


auth.also_needed.append(_staff_need_a_second_factor)
