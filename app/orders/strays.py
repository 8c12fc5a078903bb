"""Giving back a payment that bought nothing: what a person decides about a case of a mismatch."""

from __future__ import annotations

from flask_babel import gettext as _

from app.audit import service as audit
from app.core.db import db, transaction
from app.core.errors import Conflict
from app.core.money import Money
from app.ledger import queries as ledger
from app.orders import refunds, settlement
from app.orders.locks import locked
from app.orders.models import Case, CaseKind, OrderRefund, RefundOrigin
from app.payments import stripe_gateway as gateway


class NothingToGiveBack(Conflict):
    """No money of this payment waits to be given back."""


def waiting(case: Case) -> Money | None:
    """What the books still hold of a mismatched payment that bought nothing; None: nothing, or it is another case."""
    if case.kind != CaseKind.MISMATCH or case.payment_id is None:
        return None
    held = ledger.unapplied(case.payment_id)
    return next((each for each in held if each.minor > 0), None)


def give_back(case_id: str, *, by: str) -> OrderRefund | None:
    """Have the gateway give it all back, and the books say so; the refund, or None where the payment names no order.

    Called with no unsaved work in the session. Asked twice, it is one refund. Raises NothingToGiveBack, RefundRefused
    where the gateway won't, PaymentUnavailable where that isn't known. What names an order is made by a job then.
    """
    with transaction():
        case = db.session.get(Case, case_id)
        if case is None or waiting(case) is None:
            raise _nothing()
        payment_id, order_id, number = case.payment_id, case.order_id, case.number
    assert payment_id is not None
    payment = gateway.read_payment(payment_id)
    facts = {"case": number, "payment": payment_id}
    if order_id is None:
        with transaction():
            audit.record(by, "payment.give_back", f"case:{case_id}", facts)
        gateway.refund(payment_id, None, f"case-{case_id}")
        settlement.follow_payment(payment_id)
        return None
    with transaction():
        order = locked(order_id)
        assert order is not None
        made = refunds.ask_stray(order, payment, f"case {number}", origin=RefundOrigin.STAFF, asked_by=by)
        if made is None:
            raise _nothing()
        audit.record(by, "payment.give_back", f"order:{order_id}", facts)
    return settlement.try_to_carry_out(made.id)


def _nothing() -> NothingToGiveBack:
    return NothingToGiveBack(_("No money of this payment waits to be given back. Load the page again."))
