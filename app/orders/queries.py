"""Orders, for pages."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import and_, func, or_, select

from app.accounts.models import Account
from app.core import clock
from app.core.auth import Permission
from app.core.db import db
from app.core.paging import Page, page_of
from app.licenses import queries as licenses
from app.orders.models import Case, Order, OrderLine, OrderRefund, OrderState, RefundState

CASES_PAGE = 50


def order_for(viewer: Account, order_id: str) -> Order | None:
    """The order, if it is the viewer's or the viewer may read everybody's; else None, as if there were none."""
    order = db.session.get(Order, order_id)
    if order is None or (order.account_id != viewer.id and not viewer.may(Permission.ORDERS_READ)):
        return None
    return order


def history(account_id: str) -> list[Order]:
    """A person's orders, newest first, without those they gave up."""
    return list(
        db.session.scalars(
            select(Order)
            .where(Order.account_id == account_id, Order.state != OrderState.CANCELLED)
            .order_by(Order.number.desc())
        )
    )


def unfinished(account_id: str | None, order_ids: Collection[str] = ()) -> list[Order]:
    """Pending orders whose payment page may still be open somewhere: the account's, or (a guest's) those named."""
    whose = Order.account_id == account_id if account_id else Order.account_id.is_(None) & Order.id.in_(order_ids)
    return list(
        db.session.scalars(
            select(Order)
            .where(whose, Order.state == OrderState.PENDING, Order.checkout_id.is_not(None))
            .order_by(Order.number)
        )
    )


def refunds_of(order_id: str) -> list[OrderRefund]:
    """What was given back of an order, or is to be, oldest first; read afresh."""
    return list(
        db.session.scalars(
            select(OrderRefund)
            .where(OrderRefund.order_id == order_id)
            .order_by(OrderRefund.created_at, OrderRefund.id)
            .execution_options(populate_existing=True)
        )
    )


def asked_of(order_ids: Collection[str]) -> dict[str, list[OrderRefund]]:
    """What is to be given back of each of these orders and was not yet."""
    found: dict[str, list[OrderRefund]] = {}
    asked = select(OrderRefund).where(OrderRefund.order_id.in_(order_ids), OrderRefund.state == RefundState.ASKED)
    for each in db.session.scalars(asked):
        found.setdefault(each.order_id, []).append(each)
    return found


@dataclass(frozen=True, slots=True)
class TaxOf:
    """What of an order was taxed at one rate, in minor units."""

    country: str
    percent: Decimal
    name: str
    net: int
    tax: int


def tax_of(order: Order) -> list[TaxOf]:
    """The order's tax by rate."""
    sums: dict[tuple[str, Decimal, str], tuple[int, int]] = {}
    for line in order.lines:
        if line.tax_rate is not None:
            key = (line.tax_country or "", line.tax_rate, line.tax_name or "VAT")
            net, tax = sums.get(key, (0, 0))
            sums[key] = (net + line.net_minor, tax + line.tax_minor)
    return [TaxOf(*key, *sums[key]) for key in sorted(sums)]


def playable(order: Order) -> set[str]:
    """The lines of which something can be played now by whoever holds its license."""
    now = clock.now()
    keys = {key: line.id for line in order.lines for key, _release, _track in line.grants}
    return {keys[key] for key, license_ in licenses.granted(keys).items() if license_.stands(now)}


def crediting(order: Order) -> list[OrderLine]:
    """Lines that took something off for one of this order's ("complete the album"), of orders that are paid or may be.

    Only an account's own purchases do.
    """
    if order.account_id is None:
        return []
    named = or_(*(OrderLine.credits.contains([{"line": line.id}]) for line in order.lines))
    return list(
        db.session.scalars(
            select(OrderLine)
            .join(Order, Order.id == OrderLine.order_id)
            .where(Order.account_id == order.account_id, Order.state.in_((OrderState.PENDING, OrderState.PAID)), named)
        )
    )


def paid_after(order: Order) -> list[str]:
    """The ids of the orders that the same buyer paid later than this one, in that order."""
    same = (
        Order.account_id == order.account_id
        if order.account_id is not None
        else and_(Order.account_id.is_(None), func.lower(Order.email) == order.email.lower())
    )
    later = select(Order.id).where(same, Order.id != order.id, Order.paid_at >= order.paid_at)
    return list(db.session.scalars(later.order_by(Order.paid_at, Order.id)))


def oldest() -> datetime | None:
    """When the first order there is was placed."""
    return db.session.scalar(select(func.min(Order.created_at)))


def waiting(before: datetime, limit: int) -> list[Order]:
    """Pending orders that are older than that, and were not asked about since; the longest waiting first."""
    asked = func.coalesce(Order.settled_at, Order.created_at)
    return list(
        db.session.scalars(
            select(Order)
            .where(Order.state == OrderState.PENDING, asked < before)
            .order_by(asked, Order.id)
            .limit(limit)
        )
    )


def cases(*, closed: bool, page: int = 1) -> Page[Case]:
    """Open cases, oldest first; or closed ones, the latest first."""
    which = Case.closed_at.is_not(None) if closed else Case.closed_at.is_(None)
    order = (Case.closed_at.desc(), Case.number.desc()) if closed else (Case.number.asc(),)
    return page_of(select(Case).where(which), *order, number=page, size=CASES_PAGE)


def open_cases() -> int:
    """How many cases wait for a person."""
    return db.session.scalar(select(func.count()).select_from(Case).where(Case.closed_at.is_(None))) or 0
