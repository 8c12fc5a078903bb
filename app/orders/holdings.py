"""What a buyer paid for before, told to the cart: tracks whose price an album is less by, and open orders."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

from sqlalchemy import func, or_, select

from app.accounts.models import Account
from app.cart import holdings
from app.cart.holdings import Past
from app.core.db import db
from app.core.money import Money
from app.licenses.models import License
from app.orders import queries, visitor
from app.orders.models import Order, OrderLine, OrderRefund, OrderState, RefundState
from app.pricing.contract import Holding
from app.pricing.rounding import half_up


def past(account: Account | None, email: str | None, placing: bool) -> Past:
    """What orders know of a buyer."""
    given_up = frozenset() if placing else _open(account)
    return Past(
        holdings=tracks_of(account, given_up) if account is not None else (),
        has_ordered=_has_ordered(account, email),
        given_up=given_up,
    )


def tracks_of(account: Account, given_up: Collection[str] = ()) -> tuple[Holding, ...]:
    """The tracks a person bought by themselves and has still; gifts they got were somebody else's money.

    What was refunded of one, or taken off an album before, is gone from its worth; unless that album was given back,
    or its order is given up.
    """
    bought = db.session.execute(
        select(OrderLine, Order.currency)
        .join(License, License.grant_key == OrderLine.id)
        .join(Order, Order.id == OrderLine.order_id)
        .where(License.account_id == account.id, License.revoked_at.is_(None), License.track_id.is_not(None))
        .where(OrderLine.gift_to.is_(None))
    ).unique()
    held = [(line, currency) for line, currency in bought if line.asked_minor > 0]
    if not held:
        return ()
    used = _credited(account, {line.id for line, _currency in held}, given_up)
    refunded = _refunded({line.order_id for line, _currency in held})
    return tuple(
        Holding(
            key=line.id,
            track_id=str(line.offer.track_id),
            paid=Money(line.asked_minor, currency),
            refunded=_as_listed(line, refunded.get(line.id, 0)) + used.get(line.id, 0),
        )
        for line, currency in held
    )


def _credited(account: Account, line_ids: Collection[str], given_up: Collection[str]) -> dict[str, int]:
    """What was taken off the person's other purchases for these lines, by line."""
    rows = db.session.execute(
        select(OrderLine, Order.state)
        .join(Order, Order.id == OrderLine.order_id)
        .where(Order.account_id == account.id, Order.state.in_((OrderState.PENDING, OrderState.PAID)))
        .where(Order.id.not_in(list(given_up)), OrderLine.credit_minor > 0)
    ).unique()
    used: dict[str, int] = {}
    for line, state in rows:
        if state == OrderState.PENDING or _stands(line):
            for credit in line.credits:
                if credit["line"] in line_ids:
                    used[credit["line"]] = used.get(credit["line"], 0) + int(credit["minor"])
    return used


def _stands(line: OrderLine) -> bool:
    """Whether anything that the line licensed is theirs still."""
    keys = [key for key, _release, _track in line.grants]
    standing = select(License.id).where(License.grant_key.in_(keys), License.revoked_at.is_(None))
    return db.session.scalar(standing.limit(1)) is not None


def _refunded(order_ids: Collection[str]) -> dict[str, int]:
    """What went back, or is to go back, of each line of these orders, in what was paid."""
    back: dict[str, int] = {}
    asked = select(OrderRefund.lines).where(
        OrderRefund.order_id.in_(list(order_ids)), OrderRefund.state != RefundState.FAILED
    )
    for lines in db.session.scalars(asked):
        for line_id, minor in lines.items():
            back[line_id] = back.get(line_id, 0) + int(minor)
    return back


def _as_listed(line: OrderLine, refunded: int) -> int:
    """A refund in the terms of list prices, which may be without tax."""
    if not refunded or line.price_minor == 0:
        return 0
    return min(line.asked_minor, half_up(Fraction(refunded * line.asked_minor, line.price_minor)))


def _has_ordered(account: Account | None, email: str | None) -> bool:
    whose = []
    if account is not None:
        whose.append(Order.account_id == account.id)
    if email:
        whose.append(func.lower(Order.email) == email.lower())
    if not whose:
        return False
    paid = select(Order.id).where(or_(*whose), Order.state.in_((OrderState.PAID, OrderState.REFUNDED)))
    return db.session.scalar(paid.limit(1)) is not None


def _open(account: Account | None) -> frozenset[str]:
    """The orders whose payment pages are closed before the next order is placed."""
    mine = queries.unfinished(account.id if account is not None else None, visitor.order_ids())
    return frozenset(order.id for order in mine)


holdings.providers.append(past)
