"""Orders as they are once they are paid, made without a gateway: rows, licenses and the ledger's entry."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import select
from support import rows
from support.shop import offer

from app.accounts.models import Account
from app.catalog.models import BundledRelease, Offer, OfferKind, Release, Track
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.ledger.models import Book, EntryKind, Posting
from app.ledger.service import Post, write
from app.letters.models import Letter
from app.licenses import queries as licensed
from app.licenses import service as licenses
from app.licenses.models import License
from app.orders import books, claims, waiting
from app.orders.models import Claim, Order, OrderLine, OrderState

_numbers = itertools.count(1)


@dataclass
class Sold:
    """A line to be: what, for how much, for whom."""

    what: Release | Track | Offer
    minor: int = 990
    tax: int = 158
    gift_to: str | None = None
    gift_on: date | None = None
    more: dict[str, Any] = field(default_factory=dict)


def bundle(*releases: Release, title: str = "Both", minor: int = 1500) -> Offer:
    """An offer of several releases."""
    made = Offer(kind=OfferKind.BUNDLE, title=title, price_minor=minor, currency="EUR")
    made.members = [BundledRelease(release=each, position=at) for at, each in enumerate(releases, 1)]
    db.session.add(made)
    db.session.commit()
    return made


def rental(release: Release, *, days: int = 30, hours: int = 48, minor: int = 390) -> Offer:
    """An offer to rent it."""
    made = Offer(
        kind=OfferKind.RENTAL,
        release_id=release.id,
        price_minor=minor,
        currency="EUR",
        rental_days=days,
        rental_hours=hours,
    )
    db.session.add(made)
    db.session.commit()
    return made


def order(*sold: Sold, account: Account | None = None, email: str | None = None, **more: Any) -> Order:
    """A paid order of these lines with its licenses and its entry in the ledger, committed; its claims are not made."""
    number = next(_numbers)
    made = Order(
        account_id=account.id if account is not None else None,
        email=email or (account.email if account is not None else f"guest{number}@example.org"),
        locale=more.pop("locale", "en"),
        currency=more.pop("currency", "EUR"),
        total_minor=sum(each.minor for each in sold),
        state=OrderState.PAID,
        paid_at=clock.now(),
        payment_id=f"pi_made_{number}",
        paid_by="card",
        **more,
    )
    made.lines = [_line(position, each) for position, each in enumerate(sold, 1)]
    db.session.add(made)
    db.session.flush()
    made = db.session.get_one(Order, made.id, populate_existing=True)
    for line in made.lines:
        terms = (line.offer.rental_days, line.offer.rental_hours)
        for key, release_id, track_id in line.grants:
            licenses.grant(
                made.account_id if not line.is_gift else None,
                release_id=release_id,
                track_id=track_id,
                grant_key=key,
                rental=(terms[0], terms[1]) if terms[0] is not None and terms[1] is not None else None,
            )
    books.sold(made, clock.now())
    db.session.commit()
    return made


def claimable(*sold: Sold, **more: Any) -> Order:
    """The same, and what is nobody's waits for its owner."""
    made = order(*sold, **more)
    claims.make_for(made)
    db.session.commit()
    return made


def gift(release: Release | None = None, *, giver: Account | None = None, **more: Any) -> Claim:
    """A release, bought to be given away."""
    to = more.pop("to", "friend@example.org")
    what = Sold(more.pop("what", None) or release or rows.release(), gift_to=to, **more)
    made = claimable(what, account=giver or rows.account("Giver"))
    [found] = waiting.of_order(made.id)
    return found


def give_back(order: Order, line: OrderLine, minor: int, key: str = "re_1", *, tax: int = 0) -> None:
    """Book a refund of part of a line, from wherever its money is."""
    money = books.ledger.line_money(order.id)[line.id]
    book = Book.GIFTS if money.get(Book.GIFTS, 0) > 0 else Book.SALES
    write(
        EntryKind.REFUND,
        f"refund:{key}",
        [
            Post(Book.GATEWAY, Money(-minor, order.currency)),
            Post(book, Money(minor - tax, order.currency), line.id),
            Post(Book.TAX, Money(tax, order.currency), line.id),
        ],
        at=clock.now(),
        order_id=order.id,
        payment_id=order.payment_id,
    )
    db.session.commit()


def claim(found: Claim, account: Account) -> Claim:
    """The account claims it, in a transaction of its own."""
    with transaction():
        return claims.claim(found.id, account)


def license_of(found: Claim) -> License:
    """The one license that waits, or waited."""
    [license_] = licensed.granted(
        [key for line in waiting.lines_of(found) for key, _release, _track in line.grants]
    ).values()
    return license_


def at_once(app: Flask, *jobs: Callable[[], object]) -> list[object]:
    """Run them at the same time, each with a connection of its own; what each came to, an error being one of them."""
    gate, came_to = threading.Barrier(len(jobs)), [None] * len(jobs)

    def work(at: int, job: Callable[[], object]) -> None:
        with app.app_context():
            gate.wait()
            try:
                with transaction():
                    came_to[at] = job()
            except Exception as error:
                came_to[at] = error
            finally:
                db.session.remove()

    threads = [threading.Thread(target=work, args=each) for each in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.rollback()
    db.session.expire_all()
    return came_to


def on_book(book: Book) -> int:
    """What stands on an account, in minor units, debit positive."""
    return sum(db.session.scalars(select(Posting.minor).where(Posting.account == book)))


def written(kind: str | None = None) -> list[Letter]:
    """The letters that were written, oldest first."""
    query = select(Letter).order_by(Letter.created_at)
    return list(db.session.scalars(query.where(Letter.kind == kind) if kind is not None else query))


def in_days(days: int) -> date:
    """So many days from today."""
    return (clock.now() + timedelta(days=days)).date()


def _line(position: int, sold: Sold) -> OrderLine:
    what = sold.what
    if isinstance(what, Offer):
        of, title = what, what.title_in("en")
    elif isinstance(what, Track):
        of, title = offer(track=what, minor=sold.minor), what.title
    else:
        of = what.offer or offer(release=what, minor=sold.minor)
        title = f"{what.title} – {what.artist.name}"
    return OrderLine(
        position=position,
        offer_id=of.id,
        title=title,
        list_minor=sold.minor,
        net_minor=sold.minor - sold.tax,
        tax_minor=sold.tax,
        price_minor=sold.minor,
        tax_rate=19 if sold.tax else None,
        tax_country="DE" if sold.tax else None,
        awaited=of.is_awaited,
        gift_to=sold.gift_to,
        gift_on=sold.gift_on,
        **sold.more,
    )
