"""From a payment page to money: paid, declined, paid later, refused later, expired."""

from __future__ import annotations

import sqlite3

from app.payments.sandbox import cards, currencies, disputes, objects
from app.payments.sandbox.bank import Bank, Body
from app.payments.sandbox.cards import Means
from app.payments.sandbox.state import State

# Percent and a fixed part, in hundredths of the account's currency: near enough to what Stripe takes in Europe.
_FEES = {"alipay": (3.0, 25), "wechat_pay": (3.0, 25), "paypal": (2.99, 25), "sepa_debit": (0.0, 35)}
_NEAR_CARD, _FAR_CARD = (1.5, 25), (3.25, 25)
_NEAR = frozenset({"AT", "BE", "DE", "DK", "ES", "FI", "FR", "IE", "IT", "NL", "NO", "PL", "PT", "SE"})


def pay(
    bank: Bank,
    connection: sqlite3.Connection,
    session: Body,
    means: Means | None,
    *,
    email: str | None,
    country: str | None = None,
    name: str | None = None,
) -> Body:
    """Pay an open session's page with that (None where nothing is owed); return the session as it is then.

    A declined payment leaves it open, with a payment that may be tried again.
    """
    if means is None:
        session = objects.completed(session, None, email, country=country, name=name)
        State.put(connection, session)
        bank.emit(connection, "checkout.session.completed", session)
        return session
    payment = _payment_of(bank, connection, session, means)
    billing = {
        "address": {"country": country or means.country} if (country or means.country) else None,
        "email": email,
        "name": name,
        "phone": None,
    }
    if means.decline is not None:
        _fail(
            bank,
            connection,
            payment,
            objects.charge(payment, means.details, billing, status="failed", error=means.decline),
            means.decline,
        )
        session["payment_intent"] = payment["id"]
        State.put(connection, session)
        return session
    later = means.method in currencies.DELAYED
    charge = objects.charge(payment, means.details, billing, status="pending" if later else "succeeded")
    State.put(connection, charge, {"refunds": means.refunds, "dispute": means.dispute})
    payment |= {"latest_charge": charge["id"], "last_payment_error": None, "payment_method_types": [means.method]}
    payment["status"] = "processing" if later else "succeeded"
    country = country or means.country
    session = objects.completed(session, payment, email, country=country, name=name)
    State.put(connection, session)
    if later:
        State.put(connection, payment)
        bank.emit(connection, "checkout.session.completed", session)
        bank.emit(connection, "payment_intent.processing", payment)
        due = bank.now() + bank.settle_delay
        State.later(connection, due, "settle", session["id"], "failed" if means.fails_later else "succeeded")
    else:
        bank.emit(connection, "checkout.session.completed", session)
        _succeed(bank, connection, payment, charge)
    return session


def settle(bank: Bank, connection: sqlite3.Connection, session_id: str, outcome: str) -> None:
    """A delayed payment comes to its end."""
    session = bank.find(connection, "checkout.session", session_id)
    payment = bank.find(connection, "payment_intent", session["payment_intent"])
    charge = bank.find(connection, "charge", payment["latest_charge"])
    if outcome == "succeeded":
        session["payment_status"] = "paid"
        State.put(connection, session)
        bank.emit(connection, "checkout.session.async_payment_succeeded", session)
        _succeed(bank, connection, payment, charge)
        return
    bank.emit(connection, "checkout.session.async_payment_failed", session)
    _fail(bank, connection, payment, charge, cards.refused(charge["payment_method_details"]["type"]))


def expire(bank: Bank, connection: sqlite3.Connection, session_id: str, _outcome: str = "") -> Body:
    """Close a session that is still open, and say so; any other stays as it is."""
    session = bank.find(connection, "checkout.session", session_id)
    if session["status"] != "open":
        return session
    session |= {"status": "expired", "url": None}
    State.put(connection, session)
    bank.emit(connection, "checkout.session.expired", session)
    if session["payment_intent"]:
        payment = bank.find(connection, "payment_intent", session["payment_intent"])
        payment |= {"status": "canceled", "canceled_at": int(bank.now()), "cancellation_reason": "automatic"}
        State.put(connection, payment)
        bank.emit(connection, "payment_intent.canceled", payment)
    return session


def _payment_of(bank: Bank, connection: sqlite3.Connection, session: Body, means: Means) -> Body:
    """The session's payment: made at the first attempt, the same at every later one."""
    if session["payment_intent"]:
        return bank.find(connection, "payment_intent", session["payment_intent"])
    metadata = State.private(connection, session["id"]).get("payment_metadata", {})
    made = objects.payment_intent(session, means.method, metadata, status="requires_payment_method", created=bank.now())
    State.put(connection, made)
    bank.emit(connection, "payment_intent.created", made)
    return made


def _succeed(bank: Bank, connection: sqlite3.Connection, payment: Body, charge: Body) -> None:
    details = charge["payment_method_details"]
    percent, fixed = _FEES.get(details["type"]) or (_NEAR_CARD if details["card"]["country"] in _NEAR else _FAR_CARD)
    settled = currencies.settle(charge["amount"], charge["currency"], bank.currency)
    fee = min(settled, round(settled * percent / 100) + fixed * 10 ** currencies.digits(bank.currency) // 100)
    kind = "charge" if details["type"] == "card" else "payment"
    moved = objects.balance_transaction(
        charge, kind, charge["amount"], account=bank.currency, fee=fee, created=bank.now()
    )
    charge |= {"status": "succeeded", "paid": True, "captured": True, "amount_captured": charge["amount"]}
    charge["balance_transaction"] = moved["id"]
    payment |= {"status": "succeeded", "amount_received": payment["amount"]}
    for each in (moved, charge, payment):
        State.put(connection, each)
    bank.emit(connection, "payment_intent.succeeded", payment)
    bank.emit(connection, "charge.succeeded", charge)
    reason = State.private(connection, charge["id"]).get("dispute")
    if reason:
        disputes.begin(bank, connection, charge, reason=reason)


def _fail(bank: Bank, connection: sqlite3.Connection, payment: Body, charge: Body, error: Body) -> None:
    charge |= {"status": "failed", "paid": False, "failure_code": error["code"], "failure_message": error["message"]}
    payment |= {"status": "requires_payment_method", "latest_charge": charge["id"]}
    payment["last_payment_error"] = error | {"charge": charge["id"]}
    State.put(connection, charge)
    State.put(connection, payment)
    bank.emit(connection, "charge.failed", charge)
    bank.emit(connection, "payment_intent.payment_failed", payment)
