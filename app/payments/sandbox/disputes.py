"""Disputes: the buyer's bank takes the money, and gives it back if the shop is right."""

from __future__ import annotations

import sqlite3

from app.payments.sandbox import currencies, objects
from app.payments.sandbox.bank import Bank, Body, refuse
from app.payments.sandbox.state import State

REASONS = frozenset(
    {"credit_not_processed", "duplicate", "fraudulent", "general", "product_not_received", "product_unacceptable"}
    | {"subscription_canceled", "unrecognized"}
)
_FEE = 20  # of the account's currency, kept whoever wins


def begin(
    bank: Bank, connection: sqlite3.Connection, charge: Body, *, reason: str = "fraudulent", amount: int | None = None
) -> Body:
    """The buyer disputes a charge, or so much of it: the money leaves the account until the case is closed."""
    if charge["status"] != "succeeded":
        raise refuse(f"Charge {charge['id']} took no money; there is nothing to dispute.")
    if charge["disputed"]:
        raise refuse(f"Charge {charge['id']} has been disputed already.")
    left = charge["amount_captured"] - charge["amount_refunded"]
    wanted = left if amount is None else amount
    if not 0 < wanted <= charge["amount_captured"]:
        raise refuse(f"Of charge {charge['id']}, {wanted} cannot be disputed.", param="amount")
    made = objects.dispute(charge, wanted, reason, created=bank.now())
    _move(bank, connection, made, -wanted, _FEE * 10 ** currencies.digits(bank.currency))
    charge["disputed"] = True
    State.put(connection, charge)
    State.put(connection, made)
    bank.emit(connection, "charge.dispute.created", made)
    bank.emit(connection, "charge.dispute.funds_withdrawn", made)
    return made


def close(bank: Bank, connection: sqlite3.Connection, dispute_id: str, outcome: str) -> Body:
    """The bank decides: "won" gives the shop its money back, "lost" does not."""
    found = bank.find(connection, "dispute", dispute_id)
    if found["status"] in ("won", "lost"):
        raise refuse(f"This dispute is already closed: {found['status']}.")
    found["status"] = outcome
    if outcome == "won":
        _move(bank, connection, found, found["amount"], 0)
        State.put(connection, found)
        bank.emit(connection, "charge.dispute.funds_reinstated", found)
    State.put(connection, found)
    bank.emit(connection, "charge.dispute.closed", found)
    return found


def _move(bank: Bank, connection: sqlite3.Connection, dispute: Body, amount: int, fee: int) -> None:
    moved = objects.balance_transaction(
        dispute, "adjustment", amount, account=bank.currency, fee=fee, created=bank.now(), what="Dispute fee"
    )
    State.put(connection, moved)
    dispute["balance_transactions"].append(moved)
