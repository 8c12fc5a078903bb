"""Orders as they stand once they are placed, and payments as the gateway tells of them, without a cart or a gateway."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date

from support import rows
from support.shop import offer

from app.accounts.models import Account
from app.catalog.models import Offer
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.licenses import queries as licenses
from app.orders import fulfilment, locks
from app.orders.models import Order, OrderLine, OrderState
from app.payments.contract import Payment

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Sold:
    """A line to be: what is sold, for how much, and how much of that is tax."""

    offer: Offer
    minor: int = 990
    tax: int = 0
    gift_to: str | None = None
    gift_on: date | None = None


def sold(title: str | None = None, *, minor: int = 990, tax: int = 0, gift_to: str | None = None) -> Sold:
    """A line for a release of its own."""
    release = rows.release(title or f"Release {next(_numbers)}")
    return Sold(offer(release=release, minor=minor), minor, tax, gift_to)


def placed(account: Account | None, *lines: Sold, email: str = "guest@example.org") -> Order:
    """A pending order of these, a guest's where there is no account; committed."""
    with transaction():
        order = Order(
            account_id=account.id if account else None,
            email=account.email if account else email,
            locale="en",
            billing={},
            state=OrderState.PENDING,
            currency="EUR",
            total_minor=sum(line.minor for line in lines),
        )
        db.session.add(order)
        db.session.flush()
        for number, line in enumerate(lines, 1):
            db.session.add(
                OrderLine(
                    order_id=order.id,
                    position=number,
                    offer_id=line.offer.id,
                    title=line.offer.title_in("en"),
                    list_minor=line.minor,
                    net_minor=line.minor - line.tax,
                    tax_minor=line.tax,
                    price_minor=line.minor,
                    gift_to=line.gift_to,
                    gift_on=line.gift_on,
                )
            )
        db.session.flush()
        db.session.refresh(order)
    return order


def payment(order: Order, **changes: object) -> Payment:
    """The gateway's word on a payment for the order, in good order but for `changes`."""
    values = {
        "id": f"pi_{order.id}",
        "order_id": order.id,
        "succeeded": True,
        "captured": order.total,
        "refunded": Money(0, order.currency),
        "disputed": Money(0, order.currency),
        "fee": Money(30, "EUR"),
        "net": Money(order.total_minor - 30, "EUR"),
        "livemode": False,
        "created": clock.now(),
        "method": "card",
    }
    return Payment(**(values | changes))  # type: ignore[arg-type]


def follow(order: Order, told: Payment, checkout: object = None) -> None:
    """Take the gateway's word in, in a transaction of its own."""
    with transaction():
        fulfilment.follow(locks.locked(order.id), told, checkout, live=False)  # type: ignore[arg-type]


def bought(account: Account | None, *lines: Sold, email: str = "guest@example.org") -> Order:
    """The same, paid."""
    order = placed(account, *lines, email=email)
    follow(order, payment(order))
    return order


def fresh(order: Order) -> Order:
    """The order as the database has it now."""
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Order, order.id)


def standing(order: Order) -> list[bool]:
    """Of each line, in order: whether what it granted stands."""
    held = licenses.granted([line.id for line in fresh(order).lines])
    return [line.id in held and held[line.id].revoked_at is None for line in order.lines]
