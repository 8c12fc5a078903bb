"""The payment page: what a buyer sees where Stripe's own would be."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from babel.numbers import format_currency
from flask import Blueprint, Response, redirect, render_template, request

from app.payments.sandbox import objects
from app.payments.sandbox.api import Refused, emit, find_session, state, wake_courier
from app.payments.sandbox.state import State
from app.payments.sandbox.texts import translate

blueprint = Blueprint("pages", __name__)

TEST_CARD = "4242 4242 4242 4242"
DECLINED_CARD = "4000 0000 0000 0002"
_THREE = {"bhd", "jod", "kwd", "omr", "tnd"}
_ZERO = {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"}


@blueprint.get("/")
def home() -> Response:
    """Says what this is to somebody who came by."""
    return _page("home.html", None)


@blueprint.get("/pay/<session_id>")
def show(session_id: str) -> Response:
    """The payment page of a session."""
    with state().transaction() as connection:
        try:
            session = find_session(connection, session_id)
        except Refused:
            return _page("closed.html", None, status=404)
        lines = State.private(connection, session_id)["lines"]
    return _render_session(session, lines)


@blueprint.post("/pay/<session_id>")
def pay(session_id: str) -> Any:
    """Pay, or be declined. The browser goes back at once; the webhook finds its own way."""
    with state().transaction() as connection:
        try:
            session = find_session(connection, session_id)
        except Refused:
            return _page("closed.html", None, status=404)
        private = State.private(connection, session_id)
        if session["status"] == "open":
            method = request.form.get("method", "")
            problem = _problem(session, method)
            if problem is not None:
                return _render_session(session, private["lines"], problem=problem, chosen=method, status=402)
            payment = objects.payment_intent(session, method, private["payment_metadata"])
            session = objects.completed(session, payment, session["customer_email"])
            State.put(connection, payment)
            State.put(connection, session)
            emit(connection, "checkout.session.completed", session)
            emit(connection, "payment_intent.succeeded", payment)
    if session["status"] == "expired":
        return _page("closed.html", session, status=410)
    wake_courier()
    return redirect(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id), 303)


def _problem(session: dict[str, Any], method: str) -> str | None:
    """Why this payment is declined, as a key of the texts, or None."""
    if method not in session["payment_method_types"]:
        return "choose"
    if request.form.get("decline"):
        return "declined"
    if method != "card":
        return None
    number = re.sub(r"[\s-]", "", request.form.get("number", ""))
    if not re.fullmatch(r"\d{12,19}", number) or not _luhn(number):
        return "bad_number"
    return "declined" if number == DECLINED_CARD.replace(" ", "") else None


def _luhn(number: str) -> bool:
    """Whether a card number's check digit is right (ISO/IEC 7812-1, annex B)."""
    digits = [int(digit) for digit in reversed(number)]
    return sum(digits[0::2] + [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]) % 10 == 0


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
    return _page(
        "pay.html",
        session,
        status=status,
        lines=lines,
        problem=problem,
        chosen=chosen if chosen in session["payment_method_types"] else "card",
        number=request.form.get("number") or TEST_CARD,
        declined_card=DECLINED_CARD,
    )


def _page(template: str, session: dict[str, Any] | None, *, status: int = 200, **values: Any) -> Response:
    locale = session["locale"] if session else "auto"
    if locale == "auto":
        locale = request.accept_languages.best_match(["en", "zh"], "en") or "en"
    locale = "zh_Hans" if locale.startswith("zh") else "en"

    def money(amount: int) -> str:
        assert session is not None
        currency = session["currency"]
        digits = 0 if currency in _ZERO else 3 if currency in _THREE else 2
        return str(format_currency(Decimal(amount).scaleb(-digits), currency.upper(), locale=locale))

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
