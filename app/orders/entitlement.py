"""Licenses follow the ledger: a line's stand as long as there is money behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.discovery import events
from app.discovery.models import EventKind
from app.ledger import queries as ledger
from app.ledger.models import Book
from app.licenses import service as licenses
from app.orders import queries
from app.orders.models import Order, OrderRefund, OrderState, RefundState


def left(order: Order) -> dict[str, int]:
    """What of each line is paid and neither given back, nor asked to be, nor held by a bank; in minor units."""
    return remaining(order, ledger.line_money(order.id), queries.refunds_of(order.id))


def remaining(order: Order, money: Mapping[str, Mapping[Book, int]], rows: Iterable[OrderRefund]) -> dict[str, int]:
    """The same, of what the ledger has of its lines and the rows of its refunds."""
    found = {line.id: sum(money.get(line.id, {}).values()) for line in order.lines}
    for refund in rows:
        # Of its own payment, and not in the ledger yet.
        if refund.state == RefundState.ASKED and refund.payment_id == order.payment_id:
            for line_id, minor in refund.lines.items():
                found[line_id] = found.get(line_id, 0) - minor
    return found


def standing(order: Order, left: Mapping[str, int]) -> dict[str, bool]:
    """Whether each line's licenses are to stand, of what is left of each: what costs nothing stands, all else with its
    money."""
    return {line.id: line.price_minor == 0 or left[line.id] > 0 for line in order.lines}


def apply(order: Order) -> None:
    """Make the order's licenses, and its state, what the ledger says; `order` is locked.

    What costs nothing stands once the order is paid. An order that was paid before there was a ledger is left alone
    until its payment has been asked for.
    """
    if order.paid_at is None or (order.total_minor and not ledger.written(f"order:{order.id}")):
        return
    money = ledger.line_money(order.id)
    stood = standing(order, remaining(order, money, queries.refunds_of(order.id)))
    if order.payment_id:
        totals = ledger.of_payment(order.payment_id)
        order.state = OrderState.REFUNDED if 0 < totals.captured <= totals.refunded else OrderState.PAID
    for line in order.lines:
        stands = stood[line.id]
        reason = "" if stands else _why(money.get(line.id, {}))
        changed = [licenses.set_standing(key, stands, reason) for key, _release, _track in line.grants]
        if any(changed) and order.account_id is not None and not line.is_gift:
            kind = EventKind.PURCHASE if stands else EventKind.REFUND
            releases = [release.id for release in line.offer.releases]
            events.note_together(order.account_id, releases, kind, track_id=line.offer.track_id)


def _why(accounts: Mapping[Book, int]) -> str:
    disputed = accounts.get(Book.DISPUTES) or accounts.get(Book.LOSSES)
    return "the buyer's bank took the money back" if disputed else "refunded"
