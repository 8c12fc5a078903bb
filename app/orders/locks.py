"""The one order in which orders are locked: whoever buys, then the order. What changes an order holds both."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import lazyload, selectinload

from app.core.db import db
from app.orders.models import Order, OrderLine

# An offer brings its release, and that its tracks and their offers: here all that is needed is what it licenses.
_NO_MORE_THAN_NEEDED = selectinload(Order.lines).joinedload(OrderLine.offer).options(lazyload("*"))


def locked(order_id: str | None) -> Order | None:
    """The order, locked until the transaction ends and read afresh; None where there is none.

    Two orders of one buyer take turns, so that of two purchases of one thing, one sees the other.
    """
    found = db.session.execute(select(Order.account_id, Order.email).where(Order.id == order_id)).one_or_none()
    if found is None:
        return None
    buyer(found.account_id or found.email.lower())
    return db.session.get(
        Order, order_id, with_for_update={"of": Order}, populate_existing=True, options=[_NO_MORE_THAN_NEEDED]
    )


def buyer(name: str) -> None:
    """Lock a buyer: an account's id, or a guest's address in lower case."""
    db.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"buyer {name}", 0))))
