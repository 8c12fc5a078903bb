"""Orders, for pages."""

from __future__ import annotations

from sqlalchemy import select

from app.accounts.models import Account
from app.core.auth import Permission
from app.core.db import db
from app.orders.models import Order, OrderState


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


def unfinished(account_id: str) -> list[Order]:
    """Pending orders whose payment page may still be open somewhere."""
    return list(
        db.session.scalars(
            select(Order).where(
                Order.account_id == account_id, Order.state == OrderState.PENDING, Order.checkout_id.is_not(None)
            )
        )
    )
