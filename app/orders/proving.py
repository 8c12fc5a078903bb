"""What the shop's own rows must come to: each entry to nothing, each order's books to its licenses. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, func, or_, select, text

from app.core.db import db
from app.core.money import Money
from app.ledger import queries as ledger
from app.ledger.models import Book, Entry, Posting
from app.licenses import queries as licenses
from app.licenses.models import License
from app.orders import entitlement, queries
from app.orders.models import Claim, Order, OrderLine, OrderRefund

_BATCH = 200

Told = Callable[[float, float, str], None]


class Fault(StrEnum):
    """What can be wrong."""

    UNBALANCED = "unbalanced"  # an entry, or all accounts together, don't come to nothing
    UNGUARDED = "unguarded"  # what keeps the ledger from being rewritten is off
    UNBOOKED = "unbooked"  # a paid order has no sale in the books
    OWED = "owed"  # a buyer owes something, or is owed, though the order is paid
    LICENSE = "license"  # a license doesn't stand as the ledger says
    GIVEN_AWAY = "given_away"  # a license of an order that nobody paid
    GIFT = "gift"  # a claimed gift is not earned, or one that waits is
    NOT_IN_BOOKS = "not_in_books"  # a payment that only the gateway knows
    NOT_AT_GATEWAY = "not_at_gateway"  # a payment that only the books know
    AMOUNTS = "amounts"  # both know it, and not the same of it


@dataclass(frozen=True, slots=True)
class Difference:
    """Something wrong: with what, how, and what to do about it."""

    fault: Fault
    subject: str  # an entry's key, "order 1001", a payment's id, a trigger's name
    says: str
    remedy: str


def entries() -> int:
    """How many entries there are."""
    return db.session.scalar(select(func.count()).select_from(Entry)) or 0


def sums() -> Iterator[Difference]:
    """Entries that don't come to nothing, and currencies whose accounts don't."""
    written = _("It was written past the shop: compare with a backup, and look for who could write to the database.")
    off = select(Posting.entry_id).group_by(Posting.entry_id, Posting.currency).having(func.sum(Posting.minor) != 0)
    alone = select(Entry.id).outerjoin(Posting).group_by(Entry.id).having(func.count(Posting.number) < 2)
    for key in db.session.scalars(select(Entry.key).where(or_(Entry.id.in_(off), Entry.id.in_(alone)))):
        yield Difference(Fault.UNBALANCED, key, _("The entry does not balance."), written)
    totals = select(Posting.currency, func.sum(Posting.minor)).group_by(Posting.currency)
    for currency, minor in db.session.execute(totals):
        if minor:
            says = _("All accounts come to %(amount)s.", amount=_said(Money(int(minor), currency)))
            yield Difference(Fault.UNBALANCED, currency, says, written)


_TRIGGERS = text(
    """
    SELECT tgrelid::regclass::text AS of, tgname AS name, pg_get_triggerdef(pg_trigger.oid) AS is,
           tgenabled IN ('O', 'A') AND prosrc LIKE '%RAISE EXCEPTION%' AS works
    FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE tgrelid IN ('ledger_entry'::regclass, 'ledger_posting'::regclass) AND NOT tgisinternal
    """
)
_GUARDS = {
    "append_only": ("BEFORE", "DELETE", "UPDATE", "TRUNCATE", "EXECUTE FUNCTION ledger_is_append_only()"),
    "balances": ("AFTER INSERT", "DEFERRABLE INITIALLY DEFERRED", "EXECUTE FUNCTION ledger_entry_balances()"),
}


def guards() -> Iterator[Difference]:
    """Triggers that are missing, changed or off: without them rows could be rewritten unseen."""
    there = {(row.of, row.name): row for row in db.session.execute(_TRIGGERS)}
    for table in ("ledger_entry", "ledger_posting"):
        for name, words in _GUARDS.items():
            found = there.get((table, name))
            if found is None or not found.works or not all(each in found[2] for each in words):
                yield Difference(
                    Fault.UNGUARDED,
                    f"{table}.{name}",
                    _("The trigger that keeps the ledger from being rewritten is missing, changed or off."),
                    _("Put it back as migrations/versions/0012_ledger.py makes it, and compare with a backup."),
                )


def orders(since: datetime | None, on_progress: Told) -> Iterator[Difference]:
    """Paid orders whose books or licenses are not as they should be."""
    paid = _paid(since)
    total, done, last = counted(since), 0, 0
    while True:
        batch = list(
            db.session.scalars(select(Order).where(*paid, Order.number > last).order_by(Order.number).limit(_BATCH))
        )
        if not batch:
            break
        known = _Known.of(batch)
        for order in batch:
            yield from _order(order, known)
            done += 1
            on_progress(done, total, f"order {order.number}")
        last = batch[-1].number
        db.session.expunge_all()
    yield from _given_away()


def counted(since: datetime | None) -> int:
    """How many orders `orders` looks at."""
    return db.session.scalar(select(func.count()).select_from(Order).where(*_paid(since))) or 0


def _paid(since: datetime | None) -> list[ColumnElement[bool]]:
    return [Order.paid_at.is_not(None), *([Order.paid_at >= since] if since else [])]


@dataclass(frozen=True, slots=True)
class _Known:
    """What the rows say of a batch of orders, each thing read at once."""

    booked: set[str]  # keys of sales
    owed: dict[str, list[Money]]
    money: dict[str, dict[str, dict[Book, int]]]
    asked: dict[str, list[OrderRefund]]
    held: dict[str, License]
    claimed: dict[str, bool]

    @classmethod
    def of(cls, batch: list[Order]) -> _Known:
        """Read it."""
        named = [order.id for order in batch]
        return cls(
            booked=ledger.written_of([f"order:{each}" for each in named]),
            owed=_owed(named),
            money=ledger.lines_money(named),
            asked=queries.asked_of(named),
            held=licenses.granted([key for order in batch for line in order.lines for key, _r, _t in line.grants]),
            claimed=_claimed(named),
        )


def _order(order: Order, known: _Known) -> Iterator[Difference]:
    name = f"order {order.number}"
    follow = _("Run “wavecrate ledger follow %(number)s”.", number=order.number)
    if order.total_minor and f"order:{order.id}" not in known.booked:
        yield Difference(Fault.UNBOOKED, name, _("It is paid, and its sale is not in the books."), follow)
        return
    money = known.money.get(order.id, {})
    standing = entitlement.standing(order, entitlement.remaining(order, money, known.asked.get(order.id, [])))
    for amount in known.owed.get(order.id, []):
        says = _("The buyer’s account has %(amount)s left, not nothing.", amount=_said(amount))
        yield Difference(Fault.OWED, name, says, follow)
    for line in order.lines:
        for key, _release, _track in line.grants:
            found = known.held.get(key)
            if found is None:
                says = _("“%(title)s” was never granted.", title=line.title)
                yield Difference(
                    Fault.LICENSE,
                    name,
                    says,
                    _("Licenses are granted once, when an order is paid: restore the row from a backup, or refund it."),
                )
            elif (found.revoked_at is None) != standing[line.id]:
                should = _("should stand") if standing[line.id] else _("should be shut: no money is behind it")
                says = _("The license for “%(title)s” %(should)s.", title=line.title, should=should)
                yield Difference(Fault.LICENSE, name, says, follow)
        if line.is_gift and known.claimed.get(line.id) and money.get(line.id, {}).get(Book.GIFTS, 0) > 0:
            says = _("The gift “%(title)s” is claimed, and its money is not booked as earned.", title=line.title)
            yield Difference(Fault.GIFT, name, says, follow)


def _given_away() -> Iterator[Difference]:
    """Licenses that stand and hang on a line of an order that isn't paid."""
    line_of = func.split_part(License.grant_key, ":", 1)
    rows = db.session.execute(
        select(Order.number, OrderLine.title)
        .join(OrderLine, OrderLine.order_id == Order.id)
        .join(License, line_of == OrderLine.id)
        .where(Order.paid_at.is_(None), License.revoked_at.is_(None))
        .order_by(Order.number)
    )
    for number, title in rows:
        yield Difference(
            Fault.GIVEN_AWAY,
            f"order {number}",
            _("“%(title)s” is licensed, and the order is not paid.", title=title),
            _("Run “wavecrate ledger follow %(number)s”; if it stays unpaid, find out who granted it.", number=number),
        )


def _owed(order_ids: list[str]) -> dict[str, list[Money]]:
    rows = db.session.execute(
        select(Entry.order_id, Posting.currency, func.sum(Posting.minor))
        .join(Posting, Posting.entry_id == Entry.id)
        .where(Entry.order_id.in_(order_ids), Posting.account == Book.BUYERS)
        .group_by(Entry.order_id, Posting.currency)
        .having(func.sum(Posting.minor) != 0)
    )
    found: dict[str, list[Money]] = {}
    for order_id, currency, minor in rows:
        found.setdefault(order_id or "", []).append(Money(int(minor), currency))
    return found


def _claimed(order_ids: list[str]) -> dict[str, bool]:
    rows = db.session.execute(
        select(Claim.line_id, Claim.claimed_at.is_not(None)).where(
            Claim.order_id.in_(order_ids), Claim.line_id.is_not(None)
        )
    )
    return {line_id: bool(is_claimed) for line_id, is_claimed in rows if line_id}


def _said(amount: Money) -> str:
    return f"{amount.decimal} {amount.currency}"
