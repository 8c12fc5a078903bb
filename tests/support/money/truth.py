"""What the gateway holds: read from the sandbox's own file, not through the shop and not through the API it uses."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from app.payments.sandbox.state import State


@dataclass
class Paid:
    """A payment's money, in minor units of its currency. `fee` is in the account's."""

    id: str
    order_id: str | None
    currency: str
    captured: int = 0
    refunded: int = 0
    disputed: int = 0
    fee: int = 0
    by_key: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # refunds that the shop asked for
    by_hand: int = 0  # refunds it did not ask for
    moving: bool = False  # a refund that is neither there nor back
    questioned: bool = False  # there was a dispute, whatever came of it

    @property
    def kept(self) -> int:
        """What the gateway holds of it for the shop."""
        return self.captured - self.refunded - self.disputed


@dataclass
class Page:
    """A payment page."""

    id: str
    order_id: str | None
    status: str
    payment_id: str | None
    paid: bool

    @property
    def is_open(self) -> bool:
        """Whether it can still be paid."""
        return self.status == "open"


@dataclass
class Truth:
    """All of it."""

    payments: dict[str, Paid]
    pages: dict[str, Page]
    underway: set[str]  # pages whose delayed payment may still end so or so

    def of_order(self, order_id: str) -> list[Paid]:
        """The payments that took money for an order."""
        return [each for each in self.payments.values() if each.order_id == order_id and each.captured]


_STANDS = ("pending", "succeeded", "requires_action")
_TAKEN = ("needs_response", "under_review", "lost")


def read(state: State) -> Truth:
    """The gateway's state at this moment."""
    with state.transaction(write=False) as connection:
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for kind, body in connection.execute("SELECT kind, body FROM object ORDER BY number"):
            found[kind].append(json.loads(body))
        waiting = {subject for (subject,) in connection.execute("SELECT subject FROM task WHERE kind = 'settle'")}
    pages = {
        each["id"]: Page(
            each["id"],
            each["client_reference_id"],
            each["status"],
            each["payment_intent"],
            each["payment_status"] in ("paid", "no_payment_required") and each["status"] == "complete",
        )
        for each in found["checkout.session"]
    }
    fees = {each["id"]: each["fee"] for each in found["balance_transaction"]}
    payments: dict[str, Paid] = {}
    for intent in found["payment_intent"]:
        made = Paid(intent["id"], intent["metadata"].get("order"), intent["currency"].upper())
        made.captured = intent["amount_received"]
        payments[made.id] = made
    for charge in found["charge"]:
        if charge["status"] == "succeeded":
            payments[charge["payment_intent"]].fee += fees.get(charge["balance_transaction"], 0)
    for refund in found["refund"]:
        of = payments[refund["payment_intent"]]
        of.moving = of.moving or refund["status"] == "pending"
        if refund["status"] in _STANDS:
            of.refunded += refund["amount"]
            key = refund["metadata"].get("key")
            if key:
                of.by_key[key] += refund["amount"]
            else:
                of.by_hand += refund["amount"]
    for dispute in found["dispute"]:
        of = payments[dispute["payment_intent"]]
        of.questioned = True
        if dispute["status"] in _TAKEN:
            of.disputed += dispute["amount"]
    return Truth(payments, pages, waiting)
