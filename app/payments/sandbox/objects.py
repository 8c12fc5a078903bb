"""Objects in Stripe's shapes: the fields the shop reads, and enough around them to be recognised.

https://docs.stripe.com/api, version 2026-10-28.endive. Pure: nothing here is kept and nobody is told.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

from app.payments.sandbox import currencies

API_VERSION = "2026-10-28.endive"

Body = dict[str, Any]


def new_id(prefix: str) -> str:
    """An id as Stripe's look."""
    return f"{prefix}_{secrets.token_hex(12)}"


def payment_intent(
    session: Body, method: str, metadata: dict[str, str], *, status: str = "succeeded", created: float | None = None
) -> Body:
    """The payment that a session is completed by."""
    paid = status == "succeeded"
    return {
        "id": new_id("pi"),
        "object": "payment_intent",
        "amount": session["amount_total"],
        "amount_capturable": 0,
        "amount_received": session["amount_total"] if paid else 0,
        "canceled_at": None,
        "capture_method": "automatic_async",
        "created": int(time.time() if created is None else created),
        "currency": session["currency"],
        "customer": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": metadata,
        "next_action": None,
        "payment_method": new_id("pm"),
        "payment_method_types": [method],
        "receipt_email": None,
        "status": status,
    }


def charge(payment: Body, details: Body, billing: Body, *, status: str, error: Body | None = None) -> Body:
    """An attempt to take a payment's money; `error` says why it was declined."""
    paid = status == "succeeded"
    return {
        "id": new_id("ch" if details["type"] == "card" else "py"),
        "object": "charge",
        "amount": payment["amount"],
        "amount_captured": payment["amount"] if paid else 0,
        "amount_refunded": 0,
        "balance_transaction": None,
        "billing_details": billing,
        "captured": paid,
        "created": payment["created"],
        "currency": payment["currency"],
        "customer": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": error["code"] if error else None,
        "failure_message": error["message"] if error else None,
        "livemode": False,
        "metadata": payment["metadata"],
        "paid": paid,
        "payment_intent": payment["id"],
        "payment_method": payment["payment_method"],
        "payment_method_details": details,
        "receipt_email": None,
        "refunded": False,
        "status": status,
    }


def balance_transaction(
    source: Body, kind: str, amount: int, *, account: str, fee: int = 0, created: float, what: str = "Stripe fee"
) -> Body:
    """What something did to the account's balance; `amount` (minus: money that left) in the source's currency.

    Like Stripe's it counts in the account's currency, and so does `fee`.
    """
    exchange = currencies.rate(source["currency"], account)
    settled = currencies.settle(amount, source["currency"], account)
    parts = [{"amount": fee, "application": None, "currency": account, "description": what, "type": "stripe_fee"}]
    return {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": settled,
        "available_on": int(created) + 7 * 86_400,
        "created": int(created),
        "currency": account,
        "description": None,
        "exchange_rate": None if exchange is None else round(float(exchange), 6),
        "fee": fee,
        "fee_details": parts if fee else [],
        "net": settled - fee,
        "reporting_category": {"payment": "charge", "payment_refund": "refund", "adjustment": "dispute"}.get(
            kind, kind
        ),
        "source": source["id"],
        "status": "pending",
        "type": kind,
    }


def completed(
    session: Body, payment: Body | None, email: str | None, *, country: str | None = None, name: str | None = None
) -> Body:
    """A session whose page was left by paying, or by owing nothing."""
    paid = payment is None or payment["status"] == "succeeded"
    address = {"city": None, "country": country, "line1": None, "line2": None, "postal_code": None, "state": None}
    return session | {
        "customer_details": {
            "address": address if country else None,
            "email": email,
            "name": name,
            "phone": None,
            "tax_exempt": "none",
            "tax_ids": [],
        },
        "payment_intent": payment["id"] if payment else None,
        "payment_status": "no_payment_required" if payment is None else "paid" if paid else "unpaid",
        "status": "complete",
        "url": None,
    }


def refund(
    charged: Body, amount: int, reason: str | None, metadata: dict[str, str], *, status: str, created: float
) -> Body:
    """Money on its way back."""
    return {
        "id": new_id("re" if charged["payment_method_details"]["type"] == "card" else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charged["id"],
        "created": int(created),
        "currency": charged["currency"],
        "metadata": metadata,
        "payment_intent": charged["payment_intent"],
        "pending_reason": "processing" if status == "pending" else None,
        "reason": reason,
        "receipt_number": None,
        "status": status,
    }


def dispute(charged: Body, amount: int, reason: str, *, created: float) -> Body:
    """A payment the buyer's bank takes back until the case is closed."""
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charged["id"],
        "created": int(created),
        "currency": charged["currency"],
        "enhanced_eligibility_types": [],
        "evidence_details": {
            "due_by": int(created) + 7 * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charged["payment_intent"],
        "reason": reason,
        "status": "needs_response",
    }


def event(kind: str, subject: Body, *, created: float | None = None) -> Body:
    """Something happened to an object."""
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": int(time.time() if created is None else created),
        "data": {"object": subject},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
