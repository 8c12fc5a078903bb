"""Money on its way back to the buyer."""

from __future__ import annotations

import sqlite3

from app.payments.sandbox import objects
from app.payments.sandbox.bank import Bank, Body, refuse
from app.payments.sandbox.state import State

REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def charge_to_refund(bank: Bank, connection: sqlite3.Connection, payment_id: str | None, charge_id: str | None) -> Body:
    """The charge a refund is asked for; raise Refused where it has none that can be given back."""
    if charge_id is not None:
        return bank.find(connection, "charge", charge_id, param="charge")
    payment = bank.find(connection, "payment_intent", payment_id or "", param="payment_intent")
    if payment["status"] != "succeeded" or payment["latest_charge"] is None:
        raise refuse(f"This PaymentIntent ({payment['id']}) does not have a successful charge to refund.")
    return bank.find(connection, "charge", payment["latest_charge"])


def create(
    bank: Bank,
    connection: sqlite3.Connection,
    charge: Body,
    amount: int | None,
    *,
    reason: str | None,
    metadata: dict[str, str],
) -> Body:
    """Give a charge back, whole (None: what is left of it) or in part."""
    left = charge["amount_captured"] - charge["amount_refunded"]
    if left <= 0:
        raise refuse(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if any(each["status"] not in ("won", "warning_closed") for each in _disputes(connection, charge)):
        raise refuse(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if amount is not None and amount > left:
        raise refuse(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left}).", param="amount")
    plan = State.private(connection, charge["id"]).get("refunds", "succeeded")
    status = "pending" if plan == "pending" else "succeeded"
    made = objects.refund(charge, amount or left, reason, metadata, status=status, created=bank.now())
    _account(bank, connection, made, charge, -made["amount"], "balance_transaction")
    charge["amount_refunded"] += made["amount"]
    charge["refunded"] = charge["amount_refunded"] >= charge["amount"]
    State.put(connection, charge)
    State.put(connection, made)
    bank.emit(connection, "charge.refunded", charge)
    bank.emit(connection, "refund.created", made)
    if plan != "succeeded":
        outcome = "succeeded" if plan == "pending" else "failed"
        State.later(connection, bank.now() + bank.settle_delay, "refund", made["id"], outcome)
    return made


def end(bank: Bank, connection: sqlite3.Connection, refund_id: str, outcome: str) -> None:
    """A slow refund arrives, or comes back: then the money is the shop's again."""
    refund = bank.find(connection, "refund", refund_id)
    refund |= {"status": outcome, "pending_reason": None}
    if outcome == "failed":
        charge = bank.find(connection, "charge", refund["charge"])
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False
        State.put(connection, charge)
        refund["failure_reason"] = "expired_or_canceled_card"
        _account(bank, connection, refund, charge, refund["amount"], "failure_balance_transaction")
    State.put(connection, refund)
    if outcome == "failed":
        bank.emit(connection, "refund.failed", refund)
    bank.emit(connection, "refund.updated", refund)
    bank.emit(connection, "charge.refund.updated", refund)


def _disputes(connection: sqlite3.Connection, charge: Body) -> list[Body]:
    if not charge["disputed"]:
        return []
    return State.of_payment(connection, charge["payment_intent"], "dispute")


def _account(bank: Bank, connection: sqlite3.Connection, refund: Body, charge: Body, amount: int, slot: str) -> None:
    kind = "refund" if charge["payment_method_details"]["type"] == "card" else "payment_refund"
    if amount > 0:
        kind = "refund_failure" if kind == "refund" else "payment_failure_refund"
    moved = objects.balance_transaction(refund, kind, amount, account=bank.currency, created=bank.now())
    State.put(connection, moved)
    refund[slot] = moved["id"]
