"""What the books say."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import func, select

from app.core.db import db
from app.ledger.models import Book, Entry, EntryKind, Posting


@dataclass
class PaymentTotals:
    """What the books have of a payment, in its own minor units."""

    captured: int = 0
    refunded: int = 0
    disputed: int = 0
    keys: set[str] = field(default_factory=set)


def line_money(order_id: str) -> dict[str, dict[Book, int]]:
    """The money behind each line of an order, by account, in minor units: earned is positive, taken away negative.

    A line of which nothing was ever booked is not in it.
    """
    rows = db.session.execute(
        select(Posting.line_id, Posting.account, func.sum(Posting.minor))
        .join(Entry, Entry.id == Posting.entry_id)
        .where(Entry.order_id == order_id, Posting.line_id.is_not(None))
        .group_by(Posting.line_id, Posting.account)
    )
    found: dict[str, dict[Book, int]] = {}
    for line_id, account, minor in rows:
        assert line_id is not None  # by the query
        found.setdefault(line_id, {})[Book(account)] = -int(minor)
    return found


def entry(key: str) -> Entry | None:
    """The entry of that key, with its postings; None where there is none."""
    return db.session.scalar(select(Entry).where(Entry.key == key))


def written(key: str) -> bool:
    """Whether there is an entry of that key."""
    return db.session.scalar(select(Entry.id).where(Entry.key == key)) is not None


def of_payment(payment_id: str) -> PaymentTotals:
    """What the books have of a payment."""
    rows = db.session.execute(
        select(Entry.key, Entry.kind, func.sum(Posting.minor))
        .join(Posting, Posting.entry_id == Entry.id)
        .where(Entry.payment_id == payment_id, Posting.account == Book.GATEWAY)
        .group_by(Entry.id)
    )
    totals = PaymentTotals()
    for key, kind, minor in rows:
        totals.keys.add(key)
        if kind == EntryKind.PAYMENT:
            totals.captured += int(minor)
        elif kind in (EntryKind.REFUND, EntryKind.REFUND_FAILED):
            totals.refunded -= int(minor)
        elif kind in (EntryKind.DISPUTE, EntryKind.DISPUTE_WON):
            totals.disputed -= int(minor)
    return totals
