"""What the books say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import func, select

from app.core.db import db
from app.core.money import Money
from app.ledger.models import Book, Entry, EntryKind, Posting


@dataclass
class PaymentTotals:
    """What the books have of a payment, in its own minor units; `fee` in the account's own currency, None: unknown."""

    captured: int = 0
    refunded: int = 0
    disputed: int = 0
    currency: str | None = None
    fee: Money | None = None
    keys: set[str] = field(default_factory=set)


def line_money(order_id: str) -> dict[str, dict[Book, int]]:
    """The money behind each line of an order, by account, in minor units: earned is positive, taken away negative.

    A line of which nothing was ever booked is not in it.
    """
    return lines_money([order_id]).get(order_id, {})


def lines_money(order_ids: Collection[str]) -> dict[str, dict[str, dict[Book, int]]]:
    """The same of several orders, by their ids; one of which nothing was booked is not in it."""
    rows = db.session.execute(
        select(Entry.order_id, Posting.line_id, Posting.account, func.sum(Posting.minor))
        .join(Entry, Entry.id == Posting.entry_id)
        .where(Entry.order_id.in_(order_ids), Posting.line_id.is_not(None))
        .group_by(Entry.order_id, Posting.line_id, Posting.account)
    )
    found: dict[str, dict[str, dict[Book, int]]] = {}
    for order_id, line_id, account, minor in rows:
        found.setdefault(order_id or "", {}).setdefault(line_id or "", {})[Book(account)] = -int(minor)
    return found


def entry(key: str) -> Entry | None:
    """The entry of that key, with its postings; None where there is none."""
    return db.session.scalar(select(Entry).where(Entry.key == key))


def written_of(keys: Collection[str]) -> set[str]:
    """Which of these keys have an entry."""
    return set(db.session.scalars(select(Entry.key).where(Entry.key.in_(keys))))


def written(key: str) -> bool:
    """Whether there is an entry of that key."""
    return db.session.scalar(select(Entry.id).where(Entry.key == key)) is not None


def of_payment(payment_id: str) -> PaymentTotals:
    """What the books have of a payment."""
    return of_payments([payment_id]).get(payment_id, PaymentTotals())


def of_payments(payment_ids: Collection[str]) -> dict[str, PaymentTotals]:
    """What the books have of each payment that is in them."""
    rows = db.session.execute(
        select(Entry.payment_id, Entry.key, Entry.kind, Posting.currency, func.sum(Posting.minor))
        .join(Posting, Posting.entry_id == Entry.id)
        .where(Entry.payment_id.in_(payment_ids), Posting.account == Book.GATEWAY)
        .group_by(Entry.id, Posting.currency)
    ).all()
    found: dict[str, PaymentTotals] = {payment_id: PaymentTotals() for payment_id, *_rest in rows if payment_id}
    for payment_id, key, kind, currency, minor in rows:
        totals = found[payment_id or ""]
        totals.keys.add(key)
        if kind == EntryKind.PAYMENT:
            totals.captured, totals.currency = totals.captured + int(minor), currency
        elif kind == EntryKind.FEE:
            totals.fee = Money(-int(minor), currency)
        elif kind in (EntryKind.REFUND, EntryKind.REFUND_FAILED):
            totals.refunded -= int(minor)
        elif kind in (EntryKind.DISPUTE, EntryKind.DISPUTE_WON):
            totals.disputed -= int(minor)
    return found


def unapplied(payment_id: str) -> list[Money]:
    """What came in by a payment for nothing that was sold and wasn't given back, by currency."""
    rows = db.session.execute(
        select(Posting.currency, func.sum(Posting.minor))
        .join(Entry, Entry.id == Posting.entry_id)
        .where(Entry.payment_id == payment_id, Posting.account == Book.UNAPPLIED)
        .group_by(Posting.currency)
    )
    return [Money(-int(minor), currency) for currency, minor in rows if minor]


def payments_of(order_id: str) -> list[str]:
    """The gateway's names of every payment the books have for an order."""
    named = db.session.scalars(
        select(Entry.payment_id)
        .where(Entry.order_id == order_id, Entry.kind == EntryKind.PAYMENT)
        .order_by(Entry.number)
    )
    return [each for each in named if each is not None]


def of_order(order_id: str) -> list[Entry]:
    """Every entry about an order, oldest first."""
    return list(db.session.scalars(select(Entry).where(Entry.order_id == order_id).order_by(Entry.number)))
