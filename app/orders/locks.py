"""The one order in which orders are locked: whoever buys, then the order. What changes an order holds both."""

from __future__ import annotations

from sqlalchemy import func, select

from app.core.db import db
from app.orders.models import Order


def locked(order_id: str | None) -> Order | None:
    """The order, locked until the transaction ends and read afresh; None where there is none.

    Two orders of one buyer take turns, so that of two purchases of one thing, one sees the other.
    """
    order = db.session.get(Order, order_id) if order_id is not None else None
    if order is None:
        return None
    buyer(order.buyer)
    return db.session.get(Order, order_id, with_for_update={"of": Order}, populate_existing=True)


def buyer(name: str) -> None:
    """Lock a buyer: an account's id, or a guest's address in lower case."""
    db.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"buyer {name}", 0))))
