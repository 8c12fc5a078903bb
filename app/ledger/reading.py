"""The books for people: entries that match, and what each account came to over a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import ColumnElement, case, func, select

from app.core.db import db
from app.core.money import Money
from app.core.paging import Page, page_of
from app.ledger.models import Book, Entry, EntryKind, Posting

PAGE_SIZE = 50
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; what is None doesn't matter. Days are UTC, both included."""

    since: date | None = None
    until: date | None = None
    kind: EntryKind | None = None
    account: Book | None = None
    about: str | None = None  # an order's id, a payment's, or an entry's key


@dataclass(frozen=True, slots=True)
class Balance:
    """An account in one currency: what it had before, what was put on it (debit and credit), what it has then."""

    book: Book
    before: Money
    debit: Money
    credit: Money

    @property
    def after(self) -> Money:
        """What it has at the end."""
        return Money(self.before.minor + self.debit.minor - self.credit.minor, self.before.currency)


def search(wanted: Wanted, page: int = 1) -> Page[Entry]:
    """Entries that match, newest first."""
    return page_of(select(Entry).where(*_conditions(wanted)), Entry.number.desc(), number=page, size=PAGE_SIZE)


def every(wanted: Wanted) -> Iterator[Entry]:
    """All entries that match, oldest first, read as they are taken."""
    last = 0
    while True:
        batch = list(
            db.session.scalars(
                select(Entry).where(*_conditions(wanted), Entry.number > last).order_by(Entry.number).limit(_BATCH)
            )
        )
        yield from batch
        if len(batch) < _BATCH:
            return
        last = batch[-1].number
        db.session.expunge_all()


def balances(since: date | None, until: date | None) -> list[Balance]:
    """Each account in each currency it was ever used in until then: currencies by code, accounts as `Book` has them."""
    begins = Entry.at < _midnight(since) if since else Entry.id.is_(None)
    within = ~begins if since else Entry.id.is_not(None)

    def sum_of(condition: ColumnElement[bool], amount: ColumnElement[int]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, amount), else_=0)), 0)

    rows = db.session.execute(
        select(
            Posting.account,
            Posting.currency,
            sum_of(begins, Posting.minor.expression),
            sum_of(within & (Posting.minor > 0), Posting.minor.expression),
            sum_of(within & (Posting.minor < 0), -Posting.minor),
        )
        .join(Entry, Entry.id == Posting.entry_id)
        .where(Entry.at < _midnight(until) + timedelta(days=1) if until else Entry.id.is_not(None))
        .group_by(Posting.account, Posting.currency)
    ).all()
    found = [
        Balance(Book(account), Money(int(before), currency), Money(int(debit), currency), Money(int(credit), currency))
        for account, currency, before, debit, credit in rows
    ]
    order = list(Book)
    return sorted(found, key=lambda each: (each.before.currency, order.index(each.book)))


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.since:
        conditions.append(Entry.at >= _midnight(wanted.since))
    if wanted.until:
        conditions.append(Entry.at < _midnight(wanted.until) + timedelta(days=1))
    if wanted.kind:
        conditions.append(Entry.kind == wanted.kind)
    if wanted.account:
        conditions.append(Entry.id.in_(select(Posting.entry_id).where(Posting.account == wanted.account)))
    if wanted.about:
        conditions.append(
            (Entry.order_id == wanted.about) | (Entry.payment_id == wanted.about) | (Entry.key == wanted.about)
        )
    return conditions


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
