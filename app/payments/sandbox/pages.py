"""The payment page: what a buyer sees where Stripe's own would be."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

from babel import Locale
from babel.numbers import format_currency
from flask import Blueprint, Response, redirect, render_template, request

from app.payments.sandbox import cards, currencies, payments
from app.payments.sandbox.api import bank
from app.payments.sandbox.cards import Means
from app.payments.sandbox.state import State
from app.payments.sandbox.texts import translate

blueprint = Blueprint("pages", __name__)


class Problem(Exception):
    """The form cannot be taken as it is; the message is a key of the texts."""


@blueprint.get("/")
def home() -> Response:
    """Says what this is to somebody who came by."""
    return _page("home.html", None)


@blueprint.get("/pay/<session_id>")
def show(session_id: str) -> Response:
    """The payment page of a session."""
    bank().catch_up()
    with bank().state.transaction(write=False) as connection:
        session = State.get(connection, "checkout.session", session_id)
        lines = State.private(connection, session_id).get("lines", [])
    if session is None:
        return _page("closed.html", None, status=404)
    return _render_session(session, lines)


@blueprint.post("/pay/<session_id>")
def pay(session_id: str) -> Any:
    """Pay, or be declined. The browser goes back at once; the webhook finds its own way."""
    bank().catch_up()
    problem = None
    with bank().state.transaction() as connection:
        session = State.get(connection, "checkout.session", session_id)
        if session is None:
            return _page("closed.html", None, status=404)
        lines = State.private(connection, session_id)["lines"]
        if session["status"] == "open":
            try:
                email, means = _email(session), _means(session)
                country = request.form.get("country") or _country(session, means)
                session = payments.pay(bank(), connection, session, means, email=email, country=country)
                problem = None if session["status"] == "complete" else "declined"
            except Problem as refusal:
                problem = str(refusal)
    bank().wake()
    if session["status"] == "expired":
        return _page("closed.html", session, status=410)
    if problem is not None:
        return _render_session(session, lines, problem=problem, chosen=_method(), status=402)
    return redirect(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id), 303)


def _method() -> str:
    """The method that was chosen: a button that declines carries its own; a bare `decline` means the one chosen."""
    declined = request.form.get("decline", "")
    return declined if declined in currencies.METHODS else request.form.get("method", "")


def _means(session: dict[str, Any]) -> Means | None:
    if not session["amount_total"]:
        return None
    method = _method()
    if method not in session["payment_method_types"]:
        raise Problem("choose")
    try:
        return cards.presented(
            method,
            number=request.form.get("number", ""),
            iban=request.form.get("iban", ""),
            email=session["customer_email"] or request.form.get("email"),
            declined=bool(request.form.get("decline")),
        )
    except cards.BadNumber:
        raise Problem("bad_number" if method == "card" else "bad_iban") from None


def _email(session: dict[str, Any]) -> str:
    email: str = session["customer_email"] or request.form.get("email", "").strip()
    if "@" not in email:
        raise Problem("bad_email")
    return email


def _country(session: dict[str, Any], means: Means | None) -> str | None:
    """The billing address' country where the form names none: the card's, or (if one must be given) the reader's."""
    if means is not None and means.country is not None:
        return means.country
    if session["billing_address_collection"] != "required":
        return None
    return "CN" if _locale(session).startswith("zh") else "US"


def _render_session(
    session: dict[str, Any],
    lines: list[dict[str, Any]],
    *,
    problem: str | None = None,
    chosen: str = "card",
    status: int = 200,
) -> Response:
    if session["status"] != "open":
        return _page("closed.html", session, status=410 if session["status"] == "expired" else 200)
    offered = session["payment_method_types"]
    return _page(
        "pay.html",
        session,
        status=status,
        lines=lines,
        problem=problem,
        chosen=chosen if chosen in offered else offered[0],
        given=request.form,
        countries=_countries(_locale(session)),
        test_card=cards.TEST_CARD,
        declined_card=cards.DECLINED_CARD,
        test_iban=cards.TEST_IBAN,
        failing_iban=cards.FAILING_IBAN,
    )


@cache
def _countries(locale: str) -> list[tuple[str, str]]:
    """Every country by code and name, in the order of the names."""
    names = Locale.parse(locale).territories
    found = [(code, name) for code, name in names.items() if len(code) == 2 and code.isalpha()]
    return sorted(
        ((code, name) for code, name in found if code not in ("EU", "EZ", "UN", "ZZ")), key=lambda each: each[1]
    )


def _locale(session: dict[str, Any] | None) -> str:
    locale = session["locale"] if session else "auto"
    if locale == "auto":
        locale = request.accept_languages.best_match(["en", "zh"], "en") or "en"
    return "zh_Hans" if locale.startswith("zh") else "en"


def _page(template: str, session: dict[str, Any] | None, *, status: int = 200, **values: Any) -> Response:
    locale = _locale(session)

    def money(amount: int) -> str:
        assert session is not None
        currency = session["currency"]
        major = Decimal(amount).scaleb(-currencies.digits(currency))
        return str(format_currency(major, currency.upper(), locale=locale))

    body = render_template(
        template,
        session=session,
        lang={"zh_Hans": "zh-Hans"}.get(locale, "en"),
        t=lambda key: translate(key, locale),
        money=money,
        **values,
    )
    response = Response(body, status=status)
    # No form-action: browsers hold it against the redirect back to the shop, whose address is the session's own.
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
