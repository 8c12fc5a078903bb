"""Stripe's objects in the shop's words. Pure: dictionaries in, whether they came as an answer or in a webhook."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from app.core.money import Money
from app.payments.amounts import from_stripe
from app.payments.contract import (
    CheckoutStatus,
    Dispute,
    DisputeState,
    GatewayEvent,
    Payment,
    PaymentState,
    Refund,
    RefundState,
)
from app.pricing.contract import TaxRate

Body = dict[str, Any]

_NOT_PAYABLE = ("requires_payment_method", "canceled")


def checkout_status(session: Body) -> CheckoutStatus:
    """A checkout session, its payment and the payment's last charge expanded where there are any."""
    payment, charge = _expanded(session.get("payment_intent")), None
    if payment is not None:
        charge = _expanded(payment.get("latest_charge"))
    state = PaymentState(session["payment_status"])
    unpaid = session["status"] == "complete" and state == PaymentState.UNPAID
    failed = unpaid and payment is not None and payment["status"] in _NOT_PAYABLE
    buyer = session.get("customer_details") or {}
    method, country = _means(charge)
    return CheckoutStatus(
        id=session["id"],
        order_id=session["client_reference_id"],
        total=from_stripe(session["amount_total"] or 0, session["currency"] or ""),
        paid=state == PaymentState.PAID,
        open=session["status"] == "open",
        payment_id=_id(session.get("payment_intent")),
        state=state,
        expired=session["status"] == "expired",
        underway=unpaid and not failed,
        failed=failed,
        livemode=bool(session["livemode"]),
        email=buyer.get("email"),
        country=(buyer.get("address") or {}).get("country"),
        card_country=country,
        method=method,
    )


def payment(intent: Body, refunds: Iterable[Body], disputes: Iterable[Body]) -> Payment:
    """A payment, its last charge and that one's balance transaction expanded where there are any."""
    charge = _expanded(intent.get("latest_charge")) or {}
    booked = _expanded(charge.get("balance_transaction"))
    currency = intent["currency"]
    told = tuple(dispute(each) for each in disputes)
    disputed = sum(each["amount"] for each, known in zip(disputes, told, strict=True) if known.state in _TAKEN)
    method, country = _means(charge)
    return Payment(
        id=intent["id"],
        order_id=(intent.get("metadata") or {}).get("order"),
        succeeded=intent["status"] == "succeeded",
        captured=from_stripe(intent["amount_received"], currency),
        refunded=from_stripe(charge.get("amount_refunded", 0), currency),
        disputed=from_stripe(disputed, currency),
        fee=_booked(booked, "fee"),
        net=_booked(booked, "net"),
        livemode=bool(intent["livemode"]),
        created=moment(intent["created"]),
        method=method,
        card_country=country,
        refunds=tuple(refund(each) for each in refunds),
        disputes=told,
    )


def refund(body: Body) -> Refund:
    """A refund."""
    return Refund(
        id=body["id"],
        payment_id=_id(body["payment_intent"]) or "",
        amount=from_stripe(body["amount"], body["currency"]),
        state=RefundState(body["status"] or RefundState.PENDING),
        key=(body.get("metadata") or {}).get("key"),
        created=moment(body["created"]),
    )


_TAKEN = (DisputeState.OPEN, DisputeState.LOST)


def dispute(body: Body) -> Dispute:
    """A dispute."""
    status = body["status"]
    if status.startswith("warning_"):
        state = DisputeState.INQUIRY
    else:
        state = {"won": DisputeState.WON, "lost": DisputeState.LOST}.get(status, DisputeState.OPEN)
    return Dispute(
        id=body["id"],
        payment_id=_id(body["payment_intent"]) or "",
        amount=from_stripe(body["amount"], body["currency"]),
        state=state,
        reason=body["reason"],
        created=moment(body["created"]),
    )


def event(payload: Body) -> GatewayEvent:
    """An event; raises KeyError or TypeError where it has not the shape of one."""
    subject = payload["data"]["object"]
    kind = subject.get("object")
    return GatewayEvent(
        id=payload["id"],
        type=payload["type"],
        checkout_id=subject["id"] if kind == "checkout.session" else None,
        payment_id=subject["id"] if kind == "payment_intent" else _id(subject.get("payment_intent")),
        fully_refunded=kind == "charge" and bool(subject.get("refunded")),
        payload=payload,
        created=moment(payload["created"]),
        livemode=bool(payload["livemode"]),
        refund_id=subject["id"] if kind == "refund" else None,
        dispute_id=subject["id"] if kind == "dispute" else None,
    )


_NOT_DUE = (
    "not_collecting",
    "not_subject_to_tax",
    "product_exempt",
    "product_exempt_holiday",
    "zero_rated",
)
_DUE = (
    "portion_product_exempt",
    "portion_reduced_rated",
    "portion_standard_rated",
    "proportionally_rated",
    "reduced_rated",
    "standard_rated",
    "taxable_basis_reduced",
)
_TAXES = {"vat": "VAT", "sales_tax": "Sales tax", "jct": "Consumption tax"}
_PERCENT = Decimal("0.0001")
_TAX_NAME_MAX = 40


def tax_rates(calculation: Body, country: str) -> dict[str, TaxRate | None]:
    """The rate of each line of a tax calculation without tax in its amounts, by the line's reference.

    What a state, a county and a city take is one rate: their percentages added up, each of the part that it taxes.
    None where nothing is due. Raises ValueError where a line doesn't say so.
    """
    return {line["reference"]: _tax_rate(line, country) for line in calculation["line_items"]["data"]}


def _tax_rate(line: Body, country: str) -> TaxRate | None:
    percent, names = Decimal(0), []
    for part in line["tax_breakdown"] or ():
        reason, details = part["taxability_reason"], part["tax_rate_details"]
        if reason in _NOT_DUE:
            continue
        if reason not in _DUE or details is None:
            raise ValueError(f"line {line['reference']!r} is {reason}")
        percent += Decimal(details["percentage_decimal"]) * part["taxable_amount"] / line["amount"]
        name = _TAXES.get(details["tax_type"], details["display_name"])
        if name not in names:
            names.append(name)
    if not line["tax_breakdown"] or bool(percent) != bool(line["amount_tax"]):
        raise ValueError(f"line {line['reference']!r} has a tax that no rate explains")
    return (
        TaxRate(country, percent.quantize(_PERCENT).normalize(), " + ".join(names)[:_TAX_NAME_MAX]) if percent else None
    )


def moment(seconds: int) -> datetime:
    """Stripe's time: seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def _means(charge: Body | None) -> tuple[str | None, str | None]:
    """What a charge that wasn't refused was paid with, and the country that says."""
    if not charge or charge.get("status") == "failed":
        return None, None
    details = charge.get("payment_method_details") or {}
    method = details.get("type")
    return method, (details.get(method) or {}).get("country")


def _booked(transaction: Body | None, name: str) -> Money | None:
    return None if transaction is None else from_stripe(transaction[name], transaction["currency"])


def _expanded(value: Any) -> Body | None:
    return value if isinstance(value, dict) else None


def _id(value: Any) -> str | None:
    """The id of something that may be expanded."""
    return value["id"] if isinstance(value, dict) else value
